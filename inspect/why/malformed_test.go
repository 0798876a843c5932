package why_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/why"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// An endpoint that knows an extension and finds it malformed is right: it is not said to fail on what it does not know.
func TestMalformedExtensionsAreTheClients(t *testing.T) {
	for name, start := range map[string]func(*testing.T) string{
		"a front": goFront(nil, when(alert(wire.AlertDecodeError), func(s *seen) bool {
			body, ok := s.Extensions.Find(wire.ExtensionMaxFragmentLength)
			return ok && len(body) != 1
		})),
		"openssl": func(t *testing.T) string { return openssl(t, identityOf(t, "rsa")) },
	} {
		t.Run(name, func(t *testing.T) {
			hello := modern(serverName, func(h *probe.Hello) { h.Set(wire.ExtensionMaxFragmentLength, []byte("eighteen bytes ...")) })
			r := (&why.Experiment{Target: probe.Target{Address: start(t)}, Hello: hello}).Run(t.Context())
			if r.Cause != why.ExtensionIntolerance || len(r.Causes) != 1 || strings.Contains(r.Sentence, "ignoring") || !strings.Contains(r.Sentence, "max_fragment_length, and does not take what the client says in it (18 bytes)") {
				text, _ := json.MarshalIndent(r, "", " ")
				t.Errorf("%s", text)
			}
		})
	}
}
