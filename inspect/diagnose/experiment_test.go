package diagnose

import (
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
)

// tried gives a connection whose backend leg failed what an experiment showed.
func tried(verdict string, causes ...inspect.Cause) func(*inspect.Connection) {
	return func(c *inspect.Connection) {
		c.BackendLeg.Experiment = &inspect.Experiment{Verdict: verdict, Causes: causes, Connections: 30}
	}
}

func experimentCases() []ruleCase {
	guesses := []string{"backend-cipher-no-overlap", "backend-alert", "backend-reset", "backend-closed", "handshake-unexplained", "backend-stricter-than-proxy"}
	handshakeFailure := func(c *inspect.Connection) {
		c.BackendLeg.TLS.Alerts = []inspect.Alert{{Level: "fatal", Code: 40, Description: "handshake_failure", From: inspect.FromServer}}
	}
	size := inspect.Cause{ID: "hello-too-large", Axis: "size", Evidence: "700 bytes are accepted, 701 are not", Sentence: "The endpoint resets every hello larger than 700 bytes: something before it.", Fix: "Update what stands before it."}
	name := inspect.Cause{ID: "server-name-required", Axis: "sni", Evidence: "without: alert 40", Sentence: "The endpoint needs a server name (SNI), and the client sends none.", Fix: "Let the client send the name."}
	suite := inspect.Cause{ID: "no-common-cipher", Axis: "cipher", Evidence: "with others added: accepted", Sentence: "No common cipher suite: the client offers A; the endpoint accepts only B.", Fix: "Enable one."}
	return []ruleCase{
		{name: "a size, by experiment, behind an alert that hints at suites", in: backFails(inspect.ErrorAlertReceived, inspect.PhaseHandshake, handshakeFailure, tried("explained", size)),
			cause: "backend-explained", fault: inspect.FaultNetwork, verdict: inspect.Failed, never: guesses},
		{name: "a name, by experiment, behind a reset", in: backFails(inspect.ErrorReset, inspect.PhaseHandshake, tried("explained", name)),
			cause: "backend-explained", fault: inspect.FaultProxy, verdict: inspect.Failed, never: guesses},
		{name: "suites and a size, by experiment", in: backFails(inspect.ErrorClosed, inspect.PhaseHandshake, tried("explained", suite, size)),
			cause: "backend-explained", fault: inspect.FaultBackend, verdict: inspect.Failed, never: guesses},
		{name: "silence, by experiment", in: backFails(inspect.ErrorTimeout, inspect.PhaseHandshake, tried("explained", size)),
			cause: "backend-explained", fault: inspect.FaultNetwork, verdict: inspect.Failed},
		{name: "undetermined by experiment", in: backFails(inspect.ErrorReset, inspect.PhaseHandshake, tried("undetermined")),
			cause: "backend-reset", fault: inspect.FaultNetwork, verdict: inspect.Failed, never: []string{"backend-explained"}},
		{name: "an experiment without a failure", in: backFails(inspect.ErrorAlertReceived, inspect.PhaseHandshake, handshakeFailure, tried("no_failure")),
			cause: "backend-cipher-no-overlap", fault: inspect.FaultBackend, verdict: inspect.Failed, never: []string{"backend-explained"}},
	}
}

// What an experiment shows goes before what an alert hints at: cause, fault and fixes are its own.
func TestExperimentsDecide(t *testing.T) {
	for _, tt := range experimentCases() {
		t.Run(tt.name, func(t *testing.T) {
			tt.diagnoser().Diagnose(tt.in)
			check(t, tt.in, tt)
			for _, f := range tt.in.Findings {
				for _, fix := range f.Fixes {
					if strings.Contains(fix.Snippet, "ssl_ciphers") && tt.cause == "backend-explained" {
						t.Errorf("%s is told to %s", f.ID, fix.Snippet)
					}
				}
			}
		})
	}
}

func TestTitlesOfExperiments(t *testing.T) {
	for sentence, want := range map[string]string{
		"The endpoint resets every hello larger than 508 bytes (513 with the record's header): something before it.": "The endpoint resets every hello larger than 508 bytes",
		"No common group: the client offers only P-256; the endpoint accepts only P-384.":                            "No common group: the client offers only P-256",
	} {
		if got := experimentTitle(sentence); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
