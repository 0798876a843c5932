package h3

import (
	"net/http"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// The record says who ended a connection over QUIC, and how the client did.
func TestHowConnectionsOverQUICEnd(t *testing.T) {
	pki := certstest.New(t)
	for _, test := range []struct {
		name  string
		close bool
		want  inspect.End
		peer  inspect.PeerEnd
	}{
		{"closed by the client", true, inspect.EndedByClient, inspect.PeerClose},
		{"nothing moves any more", false, inspect.EndedIdle, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := inHTTPMode(t, pki, answering(t, pki), func(r *rig) {
				if !test.close {
					r.tcp.Limits.Timeouts.Idle, r.udp.Limits.Timeouts.Idle = 3*time.Second, 3*time.Second
				}
			})
			c := r.client()
			fetch(t, c, http.MethodGet, "https://"+testName+"/", nil)
			if test.close {
				closeClient(c)
			}
			record := r.record()
			if record.Event.End != test.want || record.ClientLeg.PeerEnd != test.peer || record.Event.Outcome != inspect.Success {
				t.Errorf("ended by %q, the client by %q, %s", record.Event.End, record.ClientLeg.PeerEnd, record.Event.Outcome)
			}
		})
	}
}
