package importer

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
)

// place is where endpoints listen, and the endpoints that do, in the order of the configuration.
type place struct {
	system string
	at     []string // addresses of which every one has the same endpoints
	blocks []*imported.Endpoint
}

// places are the listeners of a configuration. Addresses whose endpoints are the same one by one (0.0.0.0:443 and [::]:443 of the same
// servers) are one of them.
func places(endpoints []*imported.Endpoint) []*place {
	var all []*place
	byAddress := map[string]*place{}
	for _, e := range endpoints {
		if len(e.Listen) == 0 { // where it listens is not in the configuration
			all = append(all, &place{system: e.System, blocks: []*imported.Endpoint{e}})
			continue
		}
		for _, at := range e.Listen {
			key := e.System + "\x00" + at
			if byAddress[key] == nil {
				byAddress[key] = &place{system: e.System, at: []string{at}}
				all = append(all, byAddress[key])
			}
			byAddress[key].blocks = append(byAddress[key].blocks, e)
		}
	}
	var out []*place
	for _, p := range all {
		same := slices.IndexFunc(out, func(o *place) bool {
			return len(o.at) > 0 && len(p.at) > 0 && o.system == p.system && sameBlocks(o.blocks, p.blocks)
		})
		if same < 0 {
			out = append(out, p)
			continue
		}
		out[same].at = append(out[same].at, p.at...)
	}
	return out
}

func sameBlocks(a, b []*imported.Endpoint) bool {
	return slices.EqualFunc(a, b, func(x, y *imported.Endpoint) bool {
		return x == y || x.Name == y.Name && x.Default == y.Default && policy.Equal(x.Policy, y.Policy)
	})
}

// LoadListener finds what a reference means, and where that is a file or a place where it listens (FILE, FILE#listen=ADDRESS), all
// the endpoints that share it: Loaded.Blocks and Loaded.Choose. A reference with a server_name or an endpoint is one of them, as with
// Load, and so is one of which there is but one.
func LoadListener(fsys fs.FS, ref string) (*Loaded, error) {
	r, err := ParseReference(ref)
	if err != nil {
		return nil, err
	}
	r.listener = true
	return r.load(fsys)
}

// whole finds the listener that a reference means; nil: the reference chooses one endpoint itself.
func (r *Reference) whole(s *system, result *imported.Result) (*place, error) {
	if !r.listener || r.Client || r.ServerName != "" || r.Endpoint != "" {
		return nil, nil
	}
	var servers []*imported.Endpoint
	for _, e := range result.Endpoints {
		if e.Side == imported.Server {
			servers = append(servers, e)
		}
	}
	var found []*place
	for _, p := range places(servers) {
		if r.Listen == "" || slices.ContainsFunc(p.blocks, func(e *imported.Endpoint) bool { return s.at(e, r.Listen) }) {
			found = append(found, p)
		}
	}
	switch {
	case len(found) == 0 || len(found) == 1 && len(found[0].blocks) == 1:
		return nil, nil // choose says what there is
	case len(found) > 1:
		return nil, fmt.Errorf("several listeners; choose one with #listen=ADDRESS or #server_name=NAME: %s", listedPlaces(found))
	}
	return found[0], nil
}

// at reports whether an endpoint is where listen says, in the system's own way where it has one.
func (s *system) at(e *imported.Endpoint, listen string) bool {
	if s.choose == nil {
		return listens(e, listen)
	}
	// Alone and as the default it answers every client that comes to where it listens.
	alone := *e
	alone.Default = true
	return s.choose(&imported.Result{Endpoints: []*imported.Endpoint{&alone}}, "", listen) != nil
}

// listensAt reports whether one of an endpoint's addresses is where listen says.
func (s *system) listensAt(e *imported.Endpoint, address, listen string) bool {
	one := *e
	one.Listen = []string{address}
	return s.at(&one, listen)
}

func listedPlaces(found []*place) string {
	var names []string
	for _, p := range found[:min(len(found), maxListed)] {
		if len(p.at) == 0 {
			names = append(names, fmt.Sprintf("%q (with #endpoint=)", p.blocks[0].Name))
			continue
		}
		names = append(names, fmt.Sprintf("%q", p.at[0]))
	}
	if len(found) > maxListed {
		names = append(names, "…")
	}
	return "there are: " + strings.Join(names, ", ")
}

// chooser is how a listener finds the block for a server name, by its index; -1: none answers.
func (s *system) chooser(blocks []*imported.Endpoint, at string) func(string) int {
	choose := s.choose
	if choose == nil {
		choose = byName
	}
	beside := &imported.Result{Kind: s.kind, Endpoints: blocks}
	return func(name string) int { return slices.Index(blocks, choose(beside, name, at)) }
}

// nameOf is a reference by which an endpoint can be told from all others of its configuration and found again.
func nameOf(file string, e *imported.Endpoint, endpoints []*imported.Endpoint) string {
	if e.System == yamlKind {
		return e.Policy.Name
	}
	side, named, beside := 0, 0, 0
	for _, o := range endpoints {
		if o.Side != e.Side {
			continue
		}
		side++
		if o.Name == e.Name {
			named++
			if len(e.Listen) > 0 && slices.Contains(o.Listen, e.Listen[0]) {
				beside++
			}
		}
	}
	var parts []string
	if e.Side == imported.Client {
		parts = append(parts, "side=client")
	}
	if named > 1 && len(e.Listen) > 0 {
		parts = append(parts, "listen="+e.Listen[0])
	}
	switch {
	case beside > 1 && len(e.Policy.Names) > 0:
		parts = append(parts, "server_name="+e.Policy.Names[0])
	case side > 1 && beside < 2:
		parts = append(parts, "endpoint="+e.Name)
	}
	if len(parts) == 0 {
		return file
	}
	return file + "#" + strings.Join(parts, "&")
}

// label is what a block is called among those of its listener: its name, and where several have the same (certificates of one bind line
// of HAProxy's) the first of the server names that it answers.
func label(e *imported.Endpoint, blocks []*imported.Endpoint) string {
	same := 0
	for _, o := range blocks {
		if o.Name == e.Name {
			same++
		}
	}
	switch {
	case same < 2:
		return e.Name
	case len(e.Policy.Names) == 0:
		return e.Name + " (other names)"
	}
	return e.Name + " " + e.Policy.Names[0]
}
