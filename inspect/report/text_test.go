package report

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func noiseAt(t time.Time, cause string) *inspect.Connection {
	return &inspect.Connection{Timestamp: t, Client: inspect.Endpoint{Address: "192.0.2.7", Port: 4711}, Verdict: inspect.Warning, Cause: cause, Fault: inspect.FaultNoise,
		Findings: []inspect.Finding{{ID: cause, Severity: inspect.SeverityWarning, Leg: inspect.LegClient, Title: "t"}}}
}

func TestNoiseIsCountedInsteadOfListed(t *testing.T) {
	var b bytes.Buffer
	w := NewText(&b, Options{})
	for i := range 5 {
		w.Write(noiseAt(noon.Add(time.Duration(i)*time.Second), "connection-empty"))
	}
	w.Write(noiseAt(noon.Add(6*time.Second), "not-tls-other"))
	if b.Len() != 0 {
		t.Fatalf("noise was listed: %s", b.String())
	}
	w.Write(&inspect.Connection{Timestamp: noon.Add(2 * time.Minute), Verdict: inspect.OK})
	first, rest, _ := strings.Cut(b.String(), "\n")
	if want := "· since 12:00:00: 6 connections of noise (5 connection-empty, 1 not-tls-other), last from 192.0.2.7:4711"; first != want {
		t.Errorf("got  %s\nwant %s", first, want)
	}
	if !strings.HasPrefix(rest, "✓ 12:02:00") {
		t.Errorf("then %q", rest)
	}
	b.Reset()
	w.Write(noiseAt(noon.Add(3*time.Minute), "connection-empty"))
	if err := w.Close(); err != nil || !strings.Contains(b.String(), "1 connection of noise") {
		t.Errorf("on close: %q, %v", b.String(), err)
	}
	b.Reset()
	if w.Flush(); b.Len() != 0 {
		t.Errorf("summed up twice: %s", b.String())
	}
}

func TestColourOnlyWhenTold(t *testing.T) {
	c := read(t, "testdata/golden/version-no-overlap.json")
	c.Verdict, c.Cause = inspect.Failed, "version-no-overlap"
	for _, colour := range []bool{false, true} {
		var b bytes.Buffer
		NewText(&b, Options{Color: colour}).Write(c)
		if got := strings.Contains(b.String(), "\x1b["); got != colour {
			t.Errorf("Color %v: escape sequences %v", colour, got)
		}
	}
}

func TestCleanSpellsOutWhatATerminalObeys(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"plain", "plain"}, {"größe 中文", "größe 中文"},
		{"\x1b[31mred", `\x1b[31mred`}, {"a\r\nb", `a\r\nb`}, {"nul\x00", `nul\x00`}, {"tab\t", `tab\t`}, {"del\x7f", `del\x7f`},
		{"c1 \u009b2J", `c1 \u{9b}2J`}, {"bidi \u202egnp", `bidi \u{202e}gnp`}, {"isolate \u2066", `isolate \u{2066}`},
		{"zero\u200bwidth", `zero\u{200b}width`}, {"line\u2028", `line\u{2028}`}, {"bad \xff\xfe", `bad \xff\xfe`}, {"nbsp\u00a0", `nbsp\u{a0}`},
	} {
		if got := clean(tt.in); got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.in, got, tt.want)
		}
	}
	if got := clean(strings.Repeat("é", 4000)); len(got) > maxValue+len("…") {
		t.Errorf("%d bytes of a long value", len(got))
	}
}

func TestWrap(t *testing.T) {
	got := wrap("one two three fourfourfour five", 9)
	if want := "one two|three|fourfourfour|five"; strings.Join(got, "|") != want {
		t.Errorf("got %v", got)
	}
}

func TestABackendThatWasLookedAtHasNoClient(t *testing.T) {
	var b strings.Builder
	c := &inspect.Connection{
		Route: "api.example.com", Verdict: inspect.Failed, Cause: "backend-refused", Fault: inspect.FaultBackend,
		BackendLeg: &inspect.Leg{Address: "192.0.2.1", Port: 443, Error: &inspect.Error{Type: inspect.ErrorRefused, Phase: inspect.PhaseDial}},
	}
	if err := NewText(&b, Options{}).Write(c); err != nil {
		t.Fatal(err)
	}
	if want := "check of the backend of route api.example.com  FAILED  backend-refused"; !strings.Contains(b.String(), want) {
		t.Errorf("got %q, want %q in it", b.String(), want)
	}
}

// A look at a server, or at a file, speaks of no proxy and of no backend.
func TestALookByItself(t *testing.T) {
	c := &inspect.Connection{
		Verdict: inspect.Failed, Cause: "cert-expired", Fault: inspect.FaultBackend,
		BackendLeg: &inspect.Leg{Address: "site.pem", TLS: &inspect.TLS{Established: true}},
		Findings:   []inspect.Finding{{ID: "cert-expired", Severity: inspect.SeverityError, Leg: inspect.LegBackend, Title: "It expired", Detail: "long ago"}},
	}
	write := func() string {
		var b strings.Builder
		if err := NewText(&b, Options{Alone: true}).Write(c); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if got := write(); strings.Contains(got, "proxy") || strings.Contains(got, "backend") || strings.Contains(got, "handshake") || !strings.Contains(got, "the server must act") || !strings.Contains(got, "site.pem") {
		t.Errorf("a file:\n%s", got)
	}
	c.BackendLeg.Address, c.BackendLeg.Port, c.Fault = "192.0.2.1", 443, inspect.FaultProxy
	if got := write(); strings.Contains(got, "proxy") || !strings.Contains(got, "this side must act") || !strings.Contains(got, "192.0.2.1:443") || !strings.Contains(got, "handshake") {
		t.Errorf("a server:\n%s", got)
	}
}

// What is revoked is not called valid, whoever said that it is revoked.
func TestRevokedIsNotCalledValid(t *testing.T) {
	for _, tt := range []struct {
		name   string
		server inspect.Server
		want   string
	}{
		{"stapled", inspect.Server{OCSP: &inspect.OCSP{Stapled: true, Status: "revoked"}, Validation: &inspect.Validation{Status: inspect.ValidationValid}}, ", certificate REVOKED"},
		{"asked", inspect.Server{Revocation: &inspect.Revocation{Status: inspect.RevocationRevoked}, Validation: &inspect.Validation{Status: inspect.ValidationValid}}, ", certificate REVOKED"},
		{"not valid either", inspect.Server{OCSP: &inspect.OCSP{Stapled: true, Status: "revoked"}, Validation: &inspect.Validation{Status: inspect.ValidationInvalid}}, ", certificate NOT valid, REVOKED"},
		{"stapled good", inspect.Server{OCSP: &inspect.OCSP{Stapled: true, Status: "good"}, Validation: &inspect.Validation{Status: inspect.ValidationValid}}, ", certificate valid"},
		{"asked good", inspect.Server{Revocation: &inspect.Revocation{Status: inspect.RevocationGood}, Validation: &inspect.Validation{Status: inspect.ValidationValid}}, ", certificate valid, not revoked"},
	} {
		if got := certificateWords(&inspect.TLS{Server: &tt.server}); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// What has no TLS, and is in order all the same, is not said to be established.
func TestGoodWithoutTLS(t *testing.T) {
	c := &inspect.Connection{Verdict: inspect.OK, ClientLeg: &inspect.Leg{TLS: &inspect.TLS{}, FirstBytes: &inspect.FirstBytes{Protocol: "gquic"}}}
	if got := summaryOf(c); got != "gquic" {
		t.Errorf("%q", got)
	}
}
