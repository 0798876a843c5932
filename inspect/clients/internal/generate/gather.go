package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/clients"
	"github.com/tlstriage/tlstriage/inspect/clients/internal/form"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// capture is a captured hello, as collected.
type capture struct {
	ID         string   `json:"id"`
	Client     string   `json:"client"`
	Mode       string   `json:"mode"` // what made it
	Record     string   `json:"record_hex"`
	Source     string   `json:"source"`
	MaxVersion string   `json:"max_version"`
	Versions   []string `json:"versions"` // all releases that were captured sending it
}

// seen is what was captured with one form.
type seen struct {
	form     form.Form
	origins  []origin
	shuffled bool
}

// origin is a capture's client, taken apart.
type origin struct {
	program  string // with its release; empty: the library's own tool
	library  string
	releases string   // series, or those that were captured
	tested   []string // all releases that were captured; empty: one that stands for its series
	source   string
}

// row is what the table gets.
type row struct {
	form   form.Form
	client clients.Client
}

func gather(captured []capture) ([]row, error) {
	forms := make(map[form.Form]*seen)
	orders := make(map[string]map[uint64]form.Form) // by client and shape: those that shuffle have several
	for _, c := range captured {
		f, err := formOf(c.Record)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.ID, err)
		}
		o, err := originOf(c)
		if errors.Is(err, errUndated) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.ID, err)
		}
		if forms[f] == nil {
			forms[f] = &seen{form: f}
		}
		forms[f].origins = append(forms[f].origins, o)
		key := fmt.Sprintf("%s %x", c.Client, f.Shape)
		if orders[key] == nil {
			orders[key] = make(map[uint64]form.Form)
		}
		orders[key][f.Order] = f
	}
	for _, several := range orders {
		if len(several) > 1 {
			for _, f := range several {
				forms[f].shuffled = true
			}
		}
	}
	merged := make(map[form.Form][]origin)
	for f, s := range forms {
		if s.shuffled {
			f.Order = 0
		}
		merged[f] = append(merged[f], s.origins...)
	}
	var rows []row
	for f, origins := range merged {
		if c, ok := clientOf(origins); ok {
			rows = append(rows, row{form: f, client: c})
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return form.Compare(a.form, b.form) })
	return rows, nil
}

// formOf reads a captured record.
func formOf(digits string) (form.Form, error) {
	b, err := hex.DecodeString(digits)
	if err != nil {
		return form.Form{}, err
	}
	reader := wire.Reader{FromClient: true}
	reader.Feed(b)
	var m wire.Message
	if !reader.Next(&m) || m.HandshakeType != wire.HandshakeTypeClientHello {
		return form.Form{}, errors.Join(errors.New("no ClientHello"), reader.Err())
	}
	var h wire.ClientHello
	read := wire.ParseClientHello
	if m.SSLv2 {
		read = wire.ParseSSLv2ClientHello
	}
	if err := read(m.Bytes, &h); err != nil {
		return form.Form{}, err
	}
	return form.Of(&h), nil
}

// errUndated is a capture of a branch ("chromium-stable"), which says nothing about any release.
var errUndated = errors.New("no release is named")

// originOf takes a client's name apart: "curl 7.88.1 (OpenSSL/3.0.22)", "OpenSSL 1.0.1a to 1.0.1e", "OpenSSL 3.0.22 s_client",
// "git 2.39.5 (libcurl 7.88.1-10+deb12u14, GnuTLS 3.7.9-2+deb12u7)".
func originOf(c capture) (origin, error) {
	name, inside, linked := strings.Cut(strings.TrimSuffix(c.Client, ")"), " (")
	o := origin{source: strings.Replace(c.Source, "own capture", "captured by this project,", 1)}
	if len(c.Versions) > 0 {
		at := strings.IndexAny(name, "0123456789")
		if at < 0 {
			return o, errUndated
		}
		o.library, o.releases, o.tested = strings.TrimSpace(name[:at]), name[at:], c.Versions
		return o, nil
	}
	if _, played, ok := strings.Cut(c.Client, " set up as "); ok { // "OpenJDK 17.0.15 set up as Java 6u45"
		library, release, _ := strings.Cut(played, " ")
		release, _, _ = strings.Cut(release, "u")
		o.library, o.releases = library, release
		return o, nil
	}
	words := strings.Fields(withoutPackaging(name))
	at := slices.IndexFunc(words, func(w string) bool { return w[0] >= '0' && w[0] <= '9' })
	if at < 1 {
		return o, fmt.Errorf("no release in %q", c.Client)
	}
	program, release := strings.Join(words[:at], " "), words[at]
	if linked {
		if i := strings.LastIndex(inside, ", "); i >= 0 {
			inside = inside[i+2:]
		}
		library, version, ok := strings.Cut(strings.ReplaceAll(inside, "/", " "), " ")
		if !ok {
			return o, fmt.Errorf("no library in %q", c.Client)
		}
		o.library, o.releases = library, series(library, withoutPackaging(version))
		o.program = program + " " + release
		return o, nil
	}
	switch program {
	case "Caddy": // its Go is not known
		o.library, o.releases, o.program = "Go", "", program+" "+release
	case "nmap", "sslscan": // they write hellos of their own
		o.library, o.releases = program, release
	default:
		o.library, o.releases = program, series(program, release)
	}
	return o, nil
}

// withoutPackaging cuts what a distribution appends to a release.
func withoutPackaging(s string) string {
	words := strings.Fields(s)
	for i, w := range words {
		if w[0] >= '0' && w[0] <= '9' {
			words[i], _, _ = strings.Cut(w, "-")
		}
	}
	return strings.Join(words, " ")
}

// series is the part of a release inside which a library keeps its hello, as far as its makers' habits go: OpenSSL changes
// defaults with a minor version, Java, Node.js and Chromium with a major one.
func series(library, release string) string {
	parts := strings.Split(release, ".")
	n := 2
	switch library {
	case "OpenJDK", "Chromium":
		n = 1
	}
	return strings.Join(parts[:min(n, len(parts))], ".")
}

// clientOf is what is to be said of a form; false: too many send it.
func clientOf(origins []origin) (clients.Client, bool) {
	var libraries, sources, programs, tools []string
	releases := make(map[string][]string)
	tested := true
	add := func(list *[]string, s string) {
		if s != "" && !slices.Contains(*list, s) {
			*list = append(*list, s)
		}
	}
	for _, o := range origins {
		add(&libraries, o.library)
		add(&sources, o.source)
		add(&programs, o.program)
		if o.program == "" {
			add(&tools, o.library)
		}
		have := releases[o.library]
		add(&have, o.releases)
		releases[o.library] = have
		tested = tested && len(o.tested) > 0
	}
	slices.Sort(libraries)
	if len(libraries) > 2 {
		return clients.Client{}, false
	}
	c := clients.Client{Confidence: clients.Likely, Source: strings.Join(sources, ", ")}
	if tested && len(libraries) == 1 {
		c.Confidence = clients.Exact
	}
	c.Library = libraries[0]
	c.Versions = strings.Join(releases[c.Library], ", ")
	if len(libraries) == 2 {
		c.Versions = strings.TrimSpace(c.Versions + " or " + libraries[1] + " " + strings.Join(releases[libraries[1]], ", "))
	}
	// A form that the library's own tool sends, too, is the library's default, and says nothing about the program.
	if len(tools) == 0 {
		c.Programs = programs
		slices.Sort(c.Programs)
	}
	return c, true
}
