package importer

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
)

// Reference is a policy as a user names it: a built-in one ("aws/ELBSecurityPolicy-2016-08"), a policy file, or an endpoint of
// a configuration ("nginx.conf#server_name=api.example.com").
type Reference struct {
	Name       string // of the policy, or the file
	Kind       string // of the configuration; empty: told by the file
	ServerName string // which endpoint: the one that answers a client that asks for this name
	Listen     string // which endpoint: where it listens
	Endpoint   string // which endpoint: its name, as `policy import` prints it
	Client     bool   // the connections to backends instead of the listeners
	Options    imported.Options
	selects    bool // a fragment was given
	listener   bool // all that share a listener are meant, where the reference chooses none

	// Certificates are what the endpoint serves, where the user knows better than the configuration, or than the facts of a built-in
	// policy, which say nothing of it. Nil: not stated.
	Certificates []policy.CertificateType
}

// ParseReference splits a reference. Behind "#" stand key=value pairs with "&" between them: server_name, listen, endpoint,
// side (server or client), kind, version, openssl, certificates, max_file_bytes.
func ParseReference(ref string) (Reference, error) {
	name, fragment, selects := strings.Cut(ref, "#")
	r := Reference{Name: name, selects: selects}
	if !selects {
		return r, nil
	}
	for pair := range strings.SplitSeq(fragment, "&") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return r, fmt.Errorf("policy: %s: %q behind # is no key=value", ref, pair)
		}
		switch key {
		case "server_name":
			r.ServerName = value
		case "listen":
			r.Listen = value
		case "endpoint":
			r.Endpoint = value
		case "side":
			if value != string(imported.Server) && value != string(imported.Client) {
				return r, fmt.Errorf("policy: %s: side is %s or %s, not %q", ref, imported.Server, imported.Client, value)
			}
			r.Client = value == string(imported.Client)
		case "kind":
			r.Kind = value
		case "version":
			r.Options.Version = value
		case "openssl":
			r.Options.OpenSSL = value
		case "max_file_bytes":
			n, err := ParseFileBytes(value)
			if err != nil {
				return r, fmt.Errorf("policy: %s: max_file_bytes: %w", ref, err)
			}
			r.Options.MaxFileBytes = n
		case "certificates":
			kinds, err := ParseCertificates(value)
			if err != nil {
				return r, fmt.Errorf("policy: %s: %w", ref, err)
			}
			r.Certificates = kinds
		default:
			return r, fmt.Errorf("policy: %s: unknown key %q behind #; there are: server_name, listen, endpoint, side, kind, version, openssl, certificates, max_file_bytes", ref, key)
		}
	}
	return r, nil
}

// maxFileBytes is the most that the bound of a configuration's files can be raised to: sixteen times as much may be included.
const maxFileBytes = 256 << 20

// ParseFileBytes reads a bound for the files of a configuration, in bytes.
func ParseFileBytes(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 || n > maxFileBytes {
		return 0, fmt.Errorf("%q is no number of bytes from 1 to %d", text, maxFileBytes)
	}
	return n, nil
}

// certificateKinds are those that a reference can state.
func certificateKinds() []policy.CertificateType {
	return []policy.CertificateType{policy.CertRSA, policy.CertECDSAP256, policy.CertECDSAP384, policy.CertECDSAP521, policy.CertEd25519}
}

// ParseCertificates reads kinds of certificates with commas between them: rsa, ecdsa-p256, ecdsa-p384, ecdsa-p521, ed25519; ecdsa alone
// is P-256.
func ParseCertificates(text string) ([]policy.CertificateType, error) {
	var kinds []policy.CertificateType
	for word := range strings.SplitSeq(text, ",") {
		kind := policy.CertificateType(strings.ToLower(strings.TrimSpace(word)))
		if kind == "ecdsa" {
			kind = policy.CertECDSAP256
		}
		if !slices.Contains(certificateKinds(), kind) {
			return nil, fmt.Errorf("no kind of certificate %q; there are: rsa, ecdsa-p256 (or ecdsa), ecdsa-p384, ecdsa-p521, ed25519", word)
		}
		if !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	return kinds, nil
}

// Loaded is what a reference means.
type Loaded struct {
	// Policy has for its name that of a built-in policy or a policy file, or for an endpoint of a configuration a reference by which it
	// is told from the others of the file. Of a listener it is the one that answers clients without a name.
	Policy   *policy.Policy
	Endpoint *imported.Endpoint // nil: a built-in policy, or a policy file
	Problems []imported.Problem // of the configuration it stands in, but for those of other endpoints alone

	// Blocks are the endpoints that share a listener, where LoadListener was asked for it and there are several; Choose is the index of
	// the one that answers clients that ask for a name. Where a listener refuses unknown names the last block stands for none. Name is the reference. No two blocks have the same name.
	Name   string
	Blocks []*imported.Endpoint
	Choose func(serverName string) int

	// Answers says whether a client that asks for a name is answered by this endpoint, and not by another one that listens where it
	// does. Nil: there is no other.
	Answers func(serverName string) bool

	// Listener is the whole listener of which a reference of LoadListener's chose this endpoint: what clients meet that come to where it
	// listens, whatever they ask for. Nil: there is no other endpoint.
	Listener *Loaded
}

// RefusedError is a configuration that its own system does not start with: there is no policy to judge by.
type RefusedError struct{ Problems []imported.Problem }

func (e *RefusedError) Error() string {
	var lines []string
	for _, p := range e.Problems {
		lines = append(lines, (&imported.Error{File: p.File, Line: p.Line, Text: p.Text}).Error())
	}
	return strings.Join(lines, "\n")
}

// Refused are the problems for which the system itself refuses a configuration; nil: there is none.
func Refused(problems []imported.Problem) error {
	var refused []imported.Problem
	for _, p := range problems {
		if p.Refused {
			refused = append(refused, p)
		}
	}
	if len(refused) == 0 {
		return nil
	}
	return &RefusedError{refused}
}

// Load finds what a reference means: a built-in policy, a policy file of the user's own, or an endpoint of a configuration.
func Load(fsys fs.FS, ref string) (*Loaded, error) {
	r, err := ParseReference(ref)
	if err != nil {
		return nil, err
	}
	return r.load(fsys)
}

// chooses reports whether the reference has a word about endpoints in it: then it means a configuration.
func (r *Reference) chooses() bool {
	return r.ServerName != "" || r.Listen != "" || r.Endpoint != "" || r.Client || r.Kind != "" || r.Options != imported.Options{}
}

func (r *Reference) load(fsys fs.FS) (*Loaded, error) {
	if !r.chooses() {
		p, err := policy.Lookup(r.Name)
		if err == nil {
			return r.named(p), nil
		}
		if info, statErr := fs.Stat(fsys, r.Name); statErr != nil && isPath(r.Name) {
			return nil, fmt.Errorf("policy: %w", statErr)
		} else if statErr != nil || !info.Mode().IsRegular() && r.Name != Stdin {
			return nil, err
		}
	}
	s, err := find(fsys, r.Name, r.Kind)
	if err != nil {
		var unknown *imported.Error
		if !r.chooses() && errors.As(err, &unknown) {
			p, err := policy.Load(fsys, r.Name)
			if err != nil {
				return nil, err
			}
			return r.named(p), nil
		}
		return nil, err
	}
	result, err := s.read(fsys, r.Name, r.Options)
	if err != nil {
		return nil, err
	}
	if err := Refused(result.Problems); err != nil {
		return nil, err
	}
	loaded, err := r.find(s, result)
	if err != nil {
		return nil, fmt.Errorf("policy: %s: %w", r.Name, err)
	}
	return loaded, nil
}

// Stdin is the name of a file that stands for the standard input, in a file system that has it.
const Stdin = "-"

// named is a policy that has a name already.
func (r *Reference) named(p *policy.Policy) *Loaded {
	if r.Certificates != nil {
		p = p.Clone()
		p.Certificates = r.Certificates
		p.Name += "#" + r.certificates()
	}
	return &Loaded{Policy: p, Name: p.Name}
}

func (r *Reference) certificates() string {
	var words []string
	for _, c := range r.Certificates {
		words = append(words, string(c))
	}
	return "certificates=" + strings.Join(words, ",")
}

// find finds the endpoint, or the listener, that is meant.
func (r *Reference) find(s *system, result *imported.Result) (*Loaded, error) {
	p, err := r.whole(s, result)
	if err != nil {
		return nil, err
	}
	if p != nil {
		return r.blocks(s, result, p), nil
	}
	endpoint, err := r.choose(s, result)
	if err != nil {
		return nil, err
	}
	own := r.rename(endpoint, result)
	l := &Loaded{Policy: own.Policy, Name: own.Policy.Name, Endpoint: own, Problems: of(result, []*imported.Endpoint{endpoint}), Answers: answers(s, result, endpoint)}
	if p := r.around(s, result, endpoint); p != nil {
		l.Listener = r.blocks(s, result, p)
	}
	return l, nil
}

// around is the listener that an endpoint is one of, where the reference says, or at the first address that it shares with others. Nil: it
// shares none, or nobody asked for it.
func (r *Reference) around(s *system, result *imported.Result, endpoint *imported.Endpoint) *place {
	if !r.listener || endpoint.Side != imported.Server {
		return nil
	}
	for _, p := range places(servers(result)) {
		if len(p.blocks) < 2 || !slices.Contains(p.blocks, endpoint) {
			continue
		}
		if r.Listen == "" || slices.ContainsFunc(p.at, func(at string) bool { return s.listensAt(endpoint, at, r.Listen) }) {
			return p
		}
	}
	return nil
}

// blocks are the endpoints of a listener, and how it chooses between them.
func (r *Reference) blocks(s *system, result *imported.Result, p *place) *Loaded {
	l := &Loaded{Name: r.Name}
	if len(places(servers(result))) > 1 {
		l.Name += "#listen=" + p.at[0]
	}
	for _, e := range p.blocks {
		own := r.rename(e, result)
		own.Name = label(e, p.blocks)
		l.Blocks = append(l.Blocks, own)
	}
	// The blocks that are chosen from are the importer's own: their names and facts are what it looks at.
	choose, nobody := s.chooser(p.blocks, p.at[0]), 0
	if !slices.ContainsFunc(p.blocks, func(e *imported.Endpoint) bool { return e.Default || e.Policy.Names == nil }) {
		// What no block serves is refused as any of them refuses it, and counted apart.
		none := *l.Blocks[0]
		none.Name = noBlock
		if none.Policy.Family == policy.FamilyOpenSSL {
			none.Policy = none.Policy.Clone()
			none.Policy.Names = []string{}
		}
		nobody = len(l.Blocks)
		l.Blocks = append(l.Blocks, &none)
	}
	l.Choose = func(name string) int {
		if at := choose(name); at >= 0 {
			return at
		}
		return nobody
	}
	l.Endpoint = l.Blocks[l.Choose("")]
	l.Policy, l.Problems = l.Endpoint.Policy, of(result, p.blocks)
	return l
}

// noBlock is what stands for names that no block of a listener serves.
const noBlock = "(no block)"

func servers(result *imported.Result) []*imported.Endpoint {
	return slices.DeleteFunc(slices.Clone(result.Endpoints), func(e *imported.Endpoint) bool { return e.Side != imported.Server })
}

// rename is an endpoint whose policy is called by a reference.
func (r *Reference) rename(e *imported.Endpoint, result *imported.Result) *imported.Endpoint {
	own := *e
	own.Policy = e.Policy.Clone()
	own.Policy.Name = nameOf(r.Name, e, result.Endpoints)
	if r.Certificates != nil {
		own.Policy.Certificates = r.Certificates
		sign := "&"
		if !strings.Contains(own.Policy.Name, "#") {
			sign = "#"
		}
		own.Policy.Name += sign + r.certificates()
	}
	return &own
}

// answers tells an endpoint from the others that listen where it does. Nil: there is no other.
func answers(s *system, result *imported.Result, endpoint *imported.Endpoint) func(string) bool {
	if endpoint.Side != imported.Server || len(endpoint.Listen) == 0 {
		return nil
	}
	var beside []*imported.Endpoint
	for _, e := range servers(result) {
		if e.System == endpoint.System && slices.ContainsFunc(e.Listen, func(at string) bool { return slices.Contains(endpoint.Listen, at) }) {
			beside = append(beside, e)
		}
	}
	if len(beside) < 2 {
		return nil
	}
	choose := s.chooser(beside, endpoint.Listen[0])
	return func(name string) bool { at := choose(name); return at >= 0 && beside[at] == endpoint }
}

// isPath reports whether a name can only be meant as a file's.
func isPath(name string) bool {
	switch path.Ext(name) {
	case ".conf", ".cfg", ".json", ".yaml", ".yml", ".toml":
		return true
	}
	return strings.HasPrefix(name, "/") || strings.HasPrefix(name, ".")
}

// The most endpoints that an error lists.
const maxListed = 12

// choose finds the endpoint that is meant.
func (r *Reference) choose(s *system, result *imported.Result) (*imported.Endpoint, error) {
	side := imported.Server
	if r.Client {
		side = imported.Client
	}
	var candidates []*imported.Endpoint
	for _, e := range result.Endpoints {
		if e.Side == side && (r.Endpoint == "" || e.Name == r.Endpoint) {
			candidates = append(candidates, e)
		}
	}
	if len(candidates) == 0 {
		if r.Endpoint != "" {
			return nil, fmt.Errorf("no endpoint %q; %s", r.Endpoint, listed(result.Endpoints, side))
		}
		return nil, fmt.Errorf("no TLS %s in it", map[imported.Side]string{imported.Server: "listener", imported.Client: "connection to a backend"}[side])
	}
	if r.Endpoint != "" && r.Listen != "" && r.ServerName == "" { // as Loaded.Policy calls them
		candidates = slices.DeleteFunc(candidates, func(e *imported.Endpoint) bool { return !s.at(e, r.Listen) })
		if len(candidates) == 0 {
			return nil, fmt.Errorf("no endpoint %q at %q; %s", r.Endpoint, r.Listen, listed(result.Endpoints, side))
		}
		return candidates[0], nil
	}
	if len(candidates) == 1 && r.ServerName == "" && r.Listen == "" {
		return candidates[0], nil
	}
	if r.ServerName == "" && r.Listen == "" {
		return nil, fmt.Errorf("several endpoints; choose one with #server_name=NAME or #endpoint=NAME: %s", listed(candidates, side))
	}
	choose := s.choose
	if choose == nil || r.Client {
		choose = byName
	}
	if e := choose(&imported.Result{Kind: result.Kind, Endpoints: candidates}, r.ServerName, r.Listen); e != nil {
		return e, nil
	}
	return nil, fmt.Errorf("no endpoint answers for %q; %s", strings.Join(nonEmpty(r.ServerName, r.Listen), " on "), listed(candidates, side))
}

func nonEmpty(values ...string) []string {
	return slices.DeleteFunc(values, func(s string) bool { return s == "" })
}

// listed names endpoints.
func listed(endpoints []*imported.Endpoint, side imported.Side) string {
	var names []string
	for _, e := range endpoints {
		if e.Side != side {
			continue
		}
		if len(names) == maxListed {
			names = append(names, "…")
			break
		}
		names = append(names, fmt.Sprintf("%q", e.Name))
	}
	if len(names) == 0 {
		return "there is none"
	}
	return "there are: " + strings.Join(names, ", ")
}

// byName finds the endpoint that takes a name: the exact one before the longest wildcard before the default.
func byName(r *imported.Result, name, listen string) *imported.Endpoint {
	var best, fallback *imported.Endpoint
	length := -1
	for _, e := range r.Endpoints {
		if listen != "" && !listens(e, listen) {
			continue
		}
		if fallback == nil && (e.Default || len(e.Policy.Names) == 0) {
			fallback = e
		}
		for _, n := range e.Policy.Names {
			weight := len(n)
			if !strings.HasPrefix(n, "*") {
				weight += len(name) // an exact name goes before any wildcard
			}
			if name != "" && weight > length && covers(n, name) {
				best, length = e, weight
			}
		}
	}
	if best != nil {
		return best
	}
	return fallback
}

// covers reports whether one of an endpoint's names takes a name.
func covers(pattern, name string) bool {
	one := policy.Policy{Names: []string{pattern}}
	return one.Serves(name)
}

// listens reports whether an endpoint is where listen says: its address as written, or its port.
func listens(e *imported.Endpoint, listen string) bool {
	port := ":" + strings.TrimPrefix(listen, ":")
	return slices.ContainsFunc(e.Listen, func(at string) bool { return at == listen || strings.HasSuffix(at, port) })
}
