package diagnose

import (
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// looks adds second looks at the backend.
func withLooks(l ...inspect.Look) func(*inspect.Connection) {
	return func(c *inspect.Connection) { c.BackendLeg.Looks = l }
}

func tookLook(origin, name string, certificate *inspect.Certificate) inspect.Look {
	return inspect.Look{ServerName: name, Origin: origin, Established: true, Version: "TLSv1.3", Certificate: certificate}
}

func refusedLook(origin, name string, code uint8, description string) inspect.Look {
	a := inspect.Alert{Level: "fatal", Code: code, Description: description, From: inspect.FromServer}
	return inspect.Look{ServerName: name, Origin: origin, Alert: &a, Error: &inspect.Error{Type: inspect.ErrorAlertReceived, Phase: inspect.PhaseHandshake}}
}

func certificateFor(hash string, names ...string) *inspect.Certificate {
	return &inspect.Certificate{Subject: "CN=" + names[0], AlternativeNames: names, Hash: inspect.Hashes{SHA256: hash}}
}

func sends(name string) func(*inspect.Connection) {
	return func(c *inspect.Connection) { c.BackendLeg.TLS.Client.ServerName = name }
}

func lookCases(tb testing.TB) []ruleCase {
	pki := certstest.NewAt(tb, noon)
	const other = "www.example.net"
	d := func() *Diagnoser { return &Diagnoser{Roots: pki.Roots()} }
	wrong := pki.Make(certstest.Healthy, other).Raw()
	wrongLeaf := inspect.Certificates(wrong)[0]
	wrongLeaf.Raw = nil
	right := certificateFor("aa", siteName)
	alerted := func(code uint8, name string, change ...func(*inspect.Connection)) *inspect.Connection {
		return backFails(inspect.ErrorAlertReceived, inspect.PhaseHandshake, append([]func(*inspect.Connection){backendAlert(code, name)}, change...)...)
	}
	proxy, backend, failed := inspect.FaultProxy, inspect.FaultBackend, inspect.Failed
	return []ruleCase{
		{name: "nameless refused, named taken", in: alerted(40, "handshake_failure", sends(""), withLooks(tookLook(inspect.LookClientName, siteName, right))), cause: "sni-required-by-backend", fault: proxy, verdict: failed},
		{name: "refused with and without a name", in: alerted(40, "handshake_failure", sends(""), withLooks(refusedLook(inspect.LookClientName, siteName, 40, "handshake_failure"))),
			cause: "backend-cipher-no-overlap", fault: backend, verdict: failed, never: []string{"sni-required-by-backend"}},
		{name: "missing extension with and without a name", in: alerted(109, "missing_extension", sends(""), withLooks(refusedLook(inspect.LookClientName, siteName, 109, "missing_extension"))),
			cause: "backend-alert", fault: backend, verdict: failed, never: []string{"sni-required-by-backend"}},
		{name: "the configured name is not known, and the client's is", in: alerted(40, "handshake_failure", sends("old.example"), withLooks(tookLook(inspect.LookClientName, siteName, right))), cause: "sni-required-by-backend", fault: proxy, verdict: failed, never: []string{"backend-cipher-no-overlap"}},
		{name: "the name is not known, and others are", in: alerted(40, "handshake_failure", withLooks(tookLook(inspect.LookBackendHost, other, certificateFor("bb", other)))), cause: "sni-required-by-backend", fault: backend, verdict: failed, never: []string{"backend-cipher-no-overlap"}},
		{name: "the name is not known, and none is fine", in: alerted(80, "internal_error", withLooks(tookLook(inspect.LookWithoutName, "", certificateFor("bb", other)))), cause: "sni-required-by-backend", fault: backend, verdict: failed, never: []string{"backend-alert"}},
		{name: "internal error whatever the name", in: alerted(80, "internal_error", withLooks(refusedLook(inspect.LookWithoutName, "", 80, "internal_error"))), cause: "backend-alert", fault: backend, verdict: failed},
		{name: "closed for this name only", in: backFails(inspect.ErrorClosed, inspect.PhaseHandshake, sends(""), withLooks(tookLook(inspect.LookClientName, siteName, right))), cause: "sni-required-by-backend", fault: proxy, verdict: failed, never: []string{"backend-closed"}},
		{name: "closed whatever the name", in: backFails(inspect.ErrorClosed, inspect.PhaseHandshake, withLooks(inspect.Look{Origin: inspect.LookWithoutName, Error: &inspect.Error{Type: inspect.ErrorClosed}})), cause: "backend-closed", fault: backend, verdict: failed},
		{name: "looks that did not get through say nothing", in: alerted(40, "handshake_failure", sends(""), withLooks(inspect.Look{ServerName: siteName, Origin: inspect.LookClientName, Error: &inspect.Error{Type: inspect.ErrorTimeout}})), cause: "backend-alert", fault: backend, verdict: failed, never: []string{"sni-required-by-backend"}},
		{name: "ALPN is what it does not take", in: alerted(40, "handshake_failure", withLooks(tookLook(inspect.LookOtherProtocol, siteName, right))), cause: "backend-alpn-mismatch", fault: backend, verdict: failed, never: []string{"backend-cipher-no-overlap"}},

		{name: "wrong certificate, the client's name gets the right one", in: behind(wrong, sends("internal.example"), func(c *inspect.Connection) { c.BackendLeg.ServerName = "internal.example" },
			withLooks(tookLook(inspect.LookWithoutName, "", certificateFor("cc", "default.example")), tookLook(inspect.LookClientName, siteName, right))), cause: "cert-name-mismatch", fault: proxy, verdict: failed, never: []string{"default-certificate-served"}, d: d()},
		{name: "the default certificate for a configured name, the client's gets the right one", in: behind(wrong, sends("internal.example"), func(c *inspect.Connection) { c.BackendLeg.ServerName = "internal.example" },
			withLooks(tookLook(inspect.LookWithoutName, "", &wrongLeaf), tookLook(inspect.LookClientName, siteName, right))), cause: "default-certificate-served", fault: proxy, verdict: failed, also: []string{"cert-name-mismatch"}, d: d()},
		{name: "the certificate of nameless clients", in: behind(wrong, withLooks(tookLook(inspect.LookWithoutName, "", &wrongLeaf), tookLook(inspect.LookBackendHost, "host.example", certificateFor("dd", "host.example")))),
			cause: "default-certificate-served", fault: backend, verdict: failed, also: []string{"cert-name-mismatch"}, d: d()},
		{name: "one certificate for all names", in: behind(wrong, withLooks(tookLook(inspect.LookWithoutName, "", &wrongLeaf))), cause: "cert-name-mismatch", fault: backend, verdict: failed, never: []string{"default-certificate-served"}, d: d()},
		{name: "no name sent, and the client's name gets the right one", in: behind(wrong, sends(""), withLooks(tookLook(inspect.LookClientName, siteName, right))),
			cause: "default-certificate-served", fault: proxy, verdict: failed, also: []string{"cert-name-mismatch"}, d: d()},
	}
}

func TestSecondLooks(t *testing.T) {
	for _, tt := range lookCases(t) {
		t.Run(tt.name, func(t *testing.T) {
			tt.diagnoser().Diagnose(tt.in)
			check(t, tt.in, tt)
		})
	}
}

func TestSecondLooksSayWhichNameGetsWhat(t *testing.T) {
	for _, tt := range lookCases(t) {
		var detail, fix []string
		switch tt.name {
		case "nameless refused, named taken":
			detail, fix = []string{"name sent: none", "asked for the client's api.example.com it serves a certificate for api.example.com"}, []string{"--backend-sni api.example.com"}
		case "refused with and without a name":
			detail = []string{"it is not the name", "asked for the client's api.example.com it answers handshake_failure"}
		case "wrong certificate, the client's name gets the right one":
			detail, fix = []string{"without a name it serves a certificate for default.example"}, []string{"--backend-sni api.example.com"}
		case "the certificate of nameless clients":
			detail = []string{"without a name, too", "asked for its host host.example it serves a certificate for host.example"}
		case "no name sent, and the client's name gets the right one":
			fix = []string{"--backend-sni api.example.com"}
		case "the name is not known, and others are":
			fix = []string{"--backend-sni www.example.net"}
		default:
			continue
		}
		tt.diagnoser().Diagnose(tt.in)
		f := tt.in.Findings[0]
		for _, w := range detail {
			if !strings.Contains(f.Detail, w) {
				t.Errorf("%s: %q lacks %q", tt.name, f.Detail, w)
			}
		}
		for _, w := range fix {
			if !strings.Contains(f.Fixes[0].Snippet, w) {
				t.Errorf("%s: the first fix %q lacks %q", tt.name, f.Fixes[0].Snippet, w)
			}
		}
	}
}

func TestANameIsSuggestedOnlyWhereNoLookRefutesIt(t *testing.T) {
	pki := certstest.NewAt(t, noon)
	raw := pki.Make(certstest.Healthy, "www.example.net").Raw()
	for name, tt := range map[string]struct {
		looks []inspect.Look
		want  bool
	}{
		"nobody looked":                     {nil, true},
		"another certificate for that name": {[]inspect.Look{tookLook(inspect.LookConfigured, "www.example.net", certificateFor("ee", "else.example"))}, false},
		"refused under that name":           {[]inspect.Look{refusedLook(inspect.LookConfigured, "www.example.net", 112, "unrecognized_name")}, false},
	} {
		c := behind(raw, withLooks(tt.looks...))
		(&Diagnoser{Roots: pki.Roots()}).Diagnose(c)
		got := false
		for _, f := range c.Findings[0].Fixes {
			got = got || strings.Contains(f.Snippet, "--backend-sni www.example.net")
		}
		if c.Cause != "cert-name-mismatch" || got != tt.want {
			t.Errorf("%s: cause %s, suggested %t, want %t", name, c.Cause, got, tt.want)
		}
	}
}
