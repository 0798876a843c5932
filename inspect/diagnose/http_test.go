package diagnose

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
)

// requested is a healthy connection in mode http on which a request failed.
func requested(kind inspect.HTTPFailureType, status int) *inspect.Connection {
	c := healthy()
	c.HTTP = &inspect.HTTP{Protocol: "HTTP/2.0", BackendProtocol: "HTTP/1.1", Requests: 3, BackendConnections: 1}
	c.BackendLeg.TLS.NextProtocol = "http/1.1"
	if kind != "" {
		c.HTTP.Failures = []inspect.HTTPFailure{{Type: kind, Status: status, Message: "EOF", Host: "other.example"}}
	}
	return c
}

// midway is one on which that happened in the middle of an answer.
func midway(kind inspect.HTTPFailureType) *inspect.Connection {
	c := requested(kind, 200)
	c.HTTP.Failures[0].Midway = true
	return c
}

// inPlain is one whose backend speaks plain TCP.
func inPlain(c *inspect.Connection) *inspect.Connection {
	c.BackendLeg.TLS, c.BackendLeg.Plain = nil, true
	return c
}

// ownProtocols is a client that speaks HTTP/2 alone before a backend without ALPN.
func ownProtocols() *inspect.Connection {
	c := requested("", 0)
	c.ClientLeg.TLS.Client.ALPNProtocols = []string{"h2"}
	c.ClientLeg.TLS.NextProtocol = "h2"
	c.BackendLeg.TLS.Client.ALPNProtocols = []string{"h2", "http/1.1"}
	c.BackendLeg.TLS.NextProtocol = ""
	return c
}

func httpCases() []ruleCase {
	quiet := []string{"alpn-differs-between-legs", "handshake-unexplained"}
	return []ruleCase{
		{name: "reset in place of an answer", in: requested(inspect.HTTPReset, 502), cause: "http-backend-reset", fault: inspect.FaultBackend, verdict: inspect.Failed, never: quiet},
		{name: "closed in place of an answer", in: requested(inspect.HTTPClosed, 502), cause: "http-backend-closed", fault: inspect.FaultBackend, verdict: inspect.Failed, never: quiet},
		{name: "no HTTP", in: requested(inspect.HTTPBadResponse, 502), cause: "http-bad-response", fault: inspect.FaultBackend, verdict: inspect.Failed, never: quiet},
		{name: "closed in the middle of an answer", in: midway(inspect.HTTPClosed), cause: "http-backend-closed", fault: inspect.FaultBackend, verdict: inspect.Failed, never: quiet},
		{name: "reset in the middle of an answer", in: midway(inspect.HTTPReset), cause: "http-backend-reset", fault: inspect.FaultBackend, verdict: inspect.Failed, never: quiet},
		{name: "stopped in the middle of an answer", in: midway(inspect.HTTPTimeout), cause: "http-timeout", fault: inspect.FaultBackend, verdict: inspect.Failed, never: quiet},
		{name: "a client that does not read", in: midway(inspect.HTTPUnread), cause: "http-unread", fault: inspect.FaultClient, verdict: inspect.Failed, never: quiet},
		{name: "cut for its age", in: requested(inspect.HTTPOutlived, 0), cause: "http-outlived", fault: inspect.FaultProxy, verdict: inspect.Warning, never: quiet},
		{name: "too late", in: requested(inspect.HTTPTimeout, 504), cause: "http-timeout", fault: inspect.FaultBackend, verdict: inspect.Failed, never: quiet},
		{name: "another host", in: requested(inspect.HTTPMisdirected, 421), cause: "http-misdirected", fault: inspect.FaultClient, verdict: inspect.Failed, never: quiet},
		{name: "a redirect to itself", in: requested(inspect.HTTPRedirectLoop, 301), cause: "http-redirect-loop", fault: inspect.FaultBackend, verdict: inspect.Failed, never: quiet},
		{name: "HTTP/2 where HTTP/1.1 is asked for, in TLS", in: requested(inspect.HTTPSpeaksHTTP2, 502), cause: "http-backend-speaks-h2", fault: inspect.FaultBackend, verdict: inspect.Failed, never: quiet},
		{name: "HTTP/2 where HTTP/1.1 is asked for, in plain text", in: inPlain(requested(inspect.HTTPSpeaksHTTP2, 502)), cause: "http-backend-speaks-h2", fault: inspect.FaultProxy, verdict: inspect.Failed, never: quiet},
		{name: "TLS where plain text is sent", in: inPlain(requested(inspect.HTTPSpeaksTLS, 400)), cause: "http-backend-speaks-tls", fault: inspect.FaultProxy, verdict: inspect.Failed, never: append(quiet, "http-bad-request")},
		{name: "a stream reset", in: requested(inspect.HTTPStreamReset, 502), cause: "http-stream-reset", fault: inspect.FaultBackend, verdict: inspect.Failed, never: quiet},
		{name: "a header too large", in: requested(inspect.HTTPLargeHeader, 502), cause: "http-large-header", fault: inspect.FaultBackend, verdict: inspect.Failed, never: quiet},
		{name: "the backend's own 503", in: requested(inspect.HTTPUnavailable, 503), cause: "http-unavailable", fault: inspect.FaultBackend, verdict: inspect.Failed, never: quiet},
		{name: "no request", in: requested(inspect.HTTPBadRequest, 400), cause: "http-bad-request", fault: inspect.FaultClient, verdict: inspect.Failed, never: quiet},
		{name: "half a request", in: requested(inspect.HTTPSlowRequest, 408), cause: "http-slow-request", fault: inspect.FaultClient, verdict: inspect.Failed, never: quiet},
		{name: "all answered", in: requested("", 0), verdict: inspect.OK, never: quiet},
		{name: "a protocol of its own on each leg", in: ownProtocols(), verdict: inspect.OK, never: append(quiet, "backend-alpn-mismatch")},
		{name: "draining", in: requested(inspect.HTTPDraining, 503), verdict: inspect.OK, never: quiet},
	}
}

// shadow is how a live client's hello fared at a canary.
func shadow(class string, in *inspect.Connection) *inspect.Connection {
	in.Event.Source, in.BackendLeg = inspect.SourceReplay, nil
	in.Canary = &inspect.Canary{To: "canary:443", Class: class, Live: "TLSv1.2", Canary: "alert protocol_version (70)", EventID: "01"}
	return in
}

func canaryCases() []ruleCase {
	refused := frontFails(inspect.ErrorAlertReceived, inspect.PhaseHandshake, clientAlert(inspect.FromServer, 70, "protocol_version"))
	return []ruleCase{
		{name: "lost at the canary", in: shadow(inspect.CanaryWorse, refused), cause: "canary-refuses", fault: inspect.FaultBackend, verdict: inspect.Failed},
		{name: "another choice at the canary", in: shadow(inspect.CanaryDifferent, healthy()), also: []string{"canary-differs"}, verdict: inspect.OK, never: []string{"canary-refuses"}},
		{name: "no other at the canary", in: shadow("same", healthy()), verdict: inspect.OK, never: []string{"canary-refuses", "canary-differs"}},
	}
}

func TestWhatBecameOfRequests(t *testing.T) {
	for _, tt := range slices.Concat(httpCases(), canaryCases(), quicCases()) {
		t.Run(tt.name, func(t *testing.T) {
			tt.diagnoser().Diagnose(tt.in)
			check(t, tt.in, tt)
		})
	}
}

// What ended an answer in the middle is told from what came in place of one.
func TestAnswersThatBeganAreToldFromThoseThatDidNot(t *testing.T) {
	for kind, want := range map[inspect.HTTPFailureType]string{
		inspect.HTTPClosed: "The backend closed the connection in the middle of an answer", inspect.HTTPReset: "The backend reset the connection in the middle of an answer",
		inspect.HTTPTimeout: "The backend stopped in the middle of an answer",
	} {
		began, not := midway(kind), requested(kind, 502)
		new(Diagnoser).Diagnose(began)
		new(Diagnoser).Diagnose(not)
		if began.Findings[0].Title != want || not.Findings[0].Title == want || reflect.DeepEqual(began.Findings[0].Fixes, not.Findings[0].Fixes) {
			t.Errorf("%s: %q and %q, %v", kind, began.Findings[0].Title, not.Findings[0].Title, began.Findings[0].Fixes)
		}
	}
}

// A client of HTTP/1.1 before a backend that speaks HTTP/2 alone is what mode http can mend.
func TestABackendThatSpeaksHTTP2AloneCanBeAskedInIt(t *testing.T) {
	for _, tt := range []struct {
		offered []string
		want    bool
	}{{[]string{"http/1.1"}, true}, {[]string{"h2"}, false}, {[]string{"h2", "http/1.1"}, false}} {
		c := backFails(inspect.ErrorAlertReceived, inspect.PhaseHandshake, backendAlert(120, "no_application_protocol"))
		c.BackendLeg.TLS.Client.ALPNProtocols = tt.offered
		new(Diagnoser).Diagnose(c)
		got := slices.ContainsFunc(c.Findings[0].Fixes, func(f inspect.Fix) bool { return strings.Contains(f.Snippet, "--backend-protocol h2") })
		if c.Cause != "backend-alpn-mismatch" || got != tt.want {
			t.Errorf("%v: %s, %+v", tt.offered, c.Cause, c.Findings[0].Fixes)
		}
	}
}
