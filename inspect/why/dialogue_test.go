package why_test

import (
	"encoding/json"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/servertest"
	"github.com/tlstriage/tlstriage/inspect/why"
)

// Where a dialogue before TLS comes to nothing no hello was sent, and nothing is said of hellos.
func TestDialoguesThatComeToNothing(t *testing.T) {
	t.Parallel()
	speaks := func(greeting string) func(*testing.T) string {
		return func(t *testing.T) string {
			return servertest.Serve(t, func(_ int, conn net.Conn) {
				_, _ = io.WriteString(conn, greeting)
				_, _ = io.Copy(io.Discard, conn)
			})
		}
	}
	for _, test := range []struct {
		name     string
		start    func(*testing.T) string
		protocol probe.StartTLS
		cause    string
	}{
		{"TLS at once, greeting awaited", goServer(nil), "smtp", why.StartTLSUnexpected},
		{"TLS at once, asked first", goServer(nil), "postgres", why.StartTLSUnexpected},
		{"another greeting", speaks("SSH-2.0-OpenSSH_9.2\r\n"), "smtp", why.OtherProtocol},
		{"silence", speaks(""), "smtp", why.OtherProtocol},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client := &probe.Client{Timeouts: probe.Timeouts{Preface: 300 * time.Millisecond, Answer: 5 * time.Second}}
			r := (&why.Experiment{Client: client, Target: probe.Target{Address: test.start(t), StartTLS: test.protocol}, Hello: modern(serverName, nil)}).Run(t.Context())
			if r.Cause != test.cause || len(r.Causes) != 1 || strings.Contains(r.Sentence, "every hello") || !strings.Contains(r.Sentence, string(test.protocol)) {
				text, _ := json.MarshalIndent(r, "", " ")
				t.Errorf("%s", text)
			}
		})
	}
}
