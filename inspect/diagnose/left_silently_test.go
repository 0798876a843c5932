package diagnose

import (
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
)

// silent is a proxied connection whose client asked for siteName, was shown a certificate for other names, and left without a byte.
func silent(change ...func(*inspect.Connection)) *inspect.Connection {
	c := healthy()
	c.Event.End = inspect.EndedByClient
	c.ClientLeg.Silent, c.ClientLeg.PeerEnd = true, inspect.PeerCloseNotify
	c.ClientLeg.TLS.Server = &inspect.Server{CertificateChain: []inspect.Certificate{{
		Subject: "CN=www.example.net,O=Example", Issuer: "CN=Issuing CA", AlternativeNames: []string{"www.example.net", "*.example.net"},
		NotBefore: noon.AddDate(0, -2, 0), NotAfter: noon.AddDate(0, 10, 0),
	}}}
	for _, f := range change {
		f(c)
	}
	return c
}

func servedNames(subject string, names ...string) func(*inspect.Connection) {
	return func(c *inspect.Connection) {
		x := &c.ClientLeg.TLS.Server.CertificateChain[0]
		x.Subject, x.AlternativeNames = subject, names
	}
}

// Who looks at the name behind the handshake says nothing of it: what is known is what it asked for, what it was shown, and that it left.
func TestClientsThatLookAtTheNameLast(t *testing.T) {
	many := slices.Repeat([]string{"a.example.net"}, maxNames)
	for _, tt := range []struct {
		name  string
		in    *inspect.Connection
		words string // in the detail; empty: nothing may be said
	}{
		{"another name", silent(), "asked for " + siteName + ", was shown a certificate for www.example.net, *.example.net"},
		{"cut", silent(func(c *inspect.Connection) { c.ClientLeg.PeerEnd = inspect.PeerTruncated }), "left without a byte"},
		{"a common name alone", silent(servedNames("CN=o")), "a certificate for o,"},
		{"no name at all", silent(servedNames("O=Example")), "a certificate for none,"},
		{"plain text behind the proxy", silent(func(c *inspect.Connection) { c.BackendLeg.TLS, c.BackendLeg.Plain = nil, true }), "left without a byte"},
		{"no backend yet", silent(func(c *inspect.Connection) { c.BackendLeg = nil }), "left without a byte"},
		{"reset", silent(func(c *inspect.Connection) {
			c.ClientLeg.PeerEnd = inspect.PeerReset
			c.ClientLeg.Error = &inspect.Error{Type: inspect.ErrorReset, Phase: inspect.PhaseTransfer}
		}), "left without a byte"},

		{"data", silent(func(c *inspect.Connection) { c.ClientLeg.Silent = false }), ""},
		{"no name asked for", silent(edit(func(h *inspect.Hello) { h.ServerName = "" })), ""},
		{"the name", silent(servedNames("", "WWW.example.com", "API.example.com")), ""},
		{"a wildcard", silent(servedNames("", "*.example.com")), ""},
		{"the common name", silent(servedNames("CN="+siteName+",O=Example", "www.example.net")), ""},
		{"a list that was cut", silent(servedNames("", many...)), ""},
		{"a certificate that does not parse", silent(func(c *inspect.Connection) { c.ClientLeg.TLS.Server.CertificateChain[0].Error = "damaged" }), ""},
		{"resumed", silent(func(c *inspect.Connection) { c.ClientLeg.TLS.Resumed = true }), ""},
		{"no certificate known", silent(func(c *inspect.Connection) { c.ClientLeg.TLS.Server = nil }), ""},
		{"passed through", silent(func(c *inspect.Connection) { c.ClientLeg.Passthrough = true }), ""},
		{"the backend failed", silent(func(c *inspect.Connection) {
			c.BackendLeg = backFails(inspect.ErrorRefused, inspect.PhaseDial).BackendLeg
		}), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			new(Diagnoser).Diagnose(tt.in)
			i := slices.IndexFunc(tt.in.Findings, func(f inspect.Finding) bool { return f.ID == ruleServerCertRejectedByClient.ID })
			if tt.words == "" {
				if i >= 0 {
					t.Errorf("said: %+v", tt.in.Findings[i])
				}
				return
			}
			if i != 0 || tt.in.Cause != ruleServerCertRejectedByClient.ID || tt.in.Fault != inspect.FaultProxy || tt.in.Verdict != inspect.Warning {
				t.Fatalf("%s, cause %s, fault %s: %+v", tt.in.Verdict, tt.in.Cause, tt.in.Fault, tt.in.Findings)
			}
			f := &tt.in.Findings[0]
			if !strings.Contains(f.Detail, tt.words) || !strings.Contains(f.Title, "seems to") {
				t.Errorf("%q, %q does not say %q", f.Title, f.Detail, tt.words)
			}
			if len(f.Fixes) == 0 || !strings.Contains(f.Fixes[0].Snippet, "--cert FILE") || !strings.Contains(f.Fixes[0].Snippet, siteName) {
				t.Errorf("fixes %+v", f.Fixes)
			}
		})
	}
}
