// Package export writes a policy down in the language of the system that is to obey it: a snippet of nginx's, HAProxy's or Envoy's
// configuration, a listener of a cloud's load balancer, a tls.Config. Read again by the importer of that system the snippet gives the
// policy that Snippet.Policy says, and Snippet.Losses says wherever that is not the one that was asked for. Nothing is written to a
// file and nothing is applied here.
package export

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// System is one that a policy can be written for.
type System struct {
	Name     string // what Export takes: "nginx"
	Title    string // what the snippet is
	Importer string // the kind of configuration that reads it again ("nginx", "cloud"); empty: no importer does
	Versions bool   // Options.Version makes a difference
	comment  string // what begins a comment; empty: the format has none
	write    func(*writer) error
}

// Systems are all that a policy can be written for.
func Systems() []System {
	return []System{
		{"nginx", "server block of nginx", "nginx", true, "#", writeNginx},
		{"nginx-stream", "stream server of nginx, which negotiates any ALPN protocols", "nginx", true, "#", writeNginxStream},
		{"haproxy", "frontend of HAProxy", "haproxy", true, "#", writeHAProxy},
		{"apache", "virtual host of Apache httpd 2.4", "apache", false, "#", writeApache},
		{"envoy", "listener of Envoy", "envoy", false, "#", writeEnvoy},
		{"ingress-nginx", "ConfigMap of ingress-nginx, and an Ingress for what is not the controller's", "kubernetes", true, "#", writeIngressNginx},
		{"aws", "listener of an AWS Application Load Balancer", "cloud", false, "#", writeApplicationBalancer},
		{"aws-nlb", "listener of an AWS Network Load Balancer", "cloud", false, "#", writeNetworkBalancer},
		{"aws-clb", "policy of an AWS Classic Load Balancer", "cloud", false, "#", writeClassicBalancer},
		{"gcp", "SSL policy of Google Cloud", "cloud", false, "#", writeGoogle},
		{"azure", "sslPolicy of an Azure Application Gateway", "cloud", false, "#", writeAzure},
		{"caddy", "configuration of Caddy in JSON", "caddy", false, "", writeCaddy},
		{"traefik", "dynamic configuration of Traefik", "traefik", false, "#", writeTraefik},
		{"go", "tls.Config of Go", "", true, "//", writeGo},
		{"java", "SSLParameters of Java", "", true, "//", writeJava},
		{"openssl", "openssl.cnf, which every program with OpenSSL obeys", "", false, "#", writeOpenSSL},
		{"yaml", "policy file of tlstriage", "yaml", false, "#", writeYAML},
	}
}

// Options narrow what a snippet is written for. The zero value is ready.
type Options struct {
	Version string // of the system: "1.22"; empty: the newest that is known
	OpenSSL string // release of the OpenSSL below it: "1.1.1", "3.5"; empty: "3.0", or what the system brings
}

// Snippet is a policy in a system's language.
type Snippet struct {
	System string         `json:"system"`
	Text   string         `json:"text"`   // the configuration, without the comments that WithComments adds
	Apply  []string       `json:"apply"`  // commands that check it and make it hold
	Losses []Loss         `json:"losses"` // what the system makes of the policy otherwise than the policy has it
	Notes  []string       `json:"notes"`  // what the snippet rests on that is not in it: a certificate for some names, a file
	Policy *policy.Policy `json:"-"`      // what the system makes of the snippet

	name, comment string
}

// UnknownSystemError says that there is no system of a name.
type UnknownSystemError struct{ System string }

// Error names the systems that there are.
func (e *UnknownSystemError) Error() string {
	return fmt.Sprintf("policy: no system %q; there are: %s", e.System, strings.Join(names(), ", "))
}

// UnsayableError says that a system can say nothing of a policy: what would be left accepts nobody.
type UnsayableError struct{ System, Reason string }

// Error is the system and the reason.
func (e *UnsayableError) Error() string {
	return fmt.Sprintf("policy: %s cannot be given this policy: %s", e.System, e.Reason)
}

func names() (out []string) {
	for _, s := range Systems() {
		out = append(out, s.Name)
	}
	return out
}

// Export writes p for a system. The error is an *UnknownSystemError or an *UnsayableError.
func Export(p *policy.Policy, system string, o Options) (*Snippet, error) {
	at := slices.IndexFunc(Systems(), func(s System) bool { return s.Name == system })
	if at < 0 {
		return nil, &UnknownSystemError{System: system}
	}
	s := Systems()[at]
	w := &writer{system: s.Name, p: p.Normalize(), o: o, means: &policy.Policy{}, notes: []string{}, why: make(map[Kind]string)}
	if len(w.p.Versions) == 0 || len(w.p.CipherSuites) == 0 {
		return nil, w.unsayable("it has no versions or no cipher suites")
	}
	if err := s.write(w); err != nil {
		return nil, err
	}
	w.means.Name = p.Name
	return &Snippet{
		System: s.Name, Text: w.text.String(), Apply: w.apply, Notes: w.notes, Losses: losses(w.p, w.means, w.why),
		Policy: w.means, name: p.Name, comment: s.comment,
	}, nil
}

// WithComments is the text below comments that say what it is, what it loses, what it rests on and how to apply it. In a format
// without comments it is the text alone.
func (s *Snippet) WithComments() string {
	if s.comment == "" {
		return s.Text
	}
	var b strings.Builder
	line := func(text string) { b.WriteString(s.comment + " " + oneLine(text) + "\n") }
	line("policy " + s.name + ", written for " + s.System + " by tlstriage")
	for _, l := range s.Losses {
		if l.Weight != Idle {
			line(string(l.Weight) + ": " + l.String())
		}
	}
	for _, n := range s.Notes {
		line("note: " + n)
	}
	for _, a := range s.Apply {
		line("apply: " + a)
	}
	return b.String() + s.Text
}

// HasComments reports whether the format has comments, so that WithComments says all that there is to say.
func (s *Snippet) HasComments() bool { return s.comment != "" }

// maxLine bounds a line of a comment.
const maxLine = 4000

// oneLine is text that can stand in a comment of any system: printable, in one line, and not continued into the next.
func oneLine(text string) string {
	return strings.TrimRight(wire.FirstLine([]byte(strings.NewReplacer("\r", " ", "\n", " ").Replace(text)), maxLine), `\`)
}

// writer is one run of Export.
type writer struct {
	system string
	p      *policy.Policy // what to write, normalized
	o      Options
	text   strings.Builder
	apply  []string
	notes  []string
	means  *policy.Policy  // what the system makes of the text
	why    map[Kind]string // why it makes something else of a part of the policy
}

func (w *writer) unsayable(reason string) error { return &UnsayableError{w.system, reason} }

func (w *writer) line(format string, args ...any) {
	fmt.Fprintf(&w.text, format+"\n", args...)
}

func (w *writer) note(format string, args ...any) {
	w.notes = append(w.notes, fmt.Sprintf(format, args...))
}

func (w *writer) run(format string, args ...any) {
	w.apply = append(w.apply, fmt.Sprintf(format, args...))
}
