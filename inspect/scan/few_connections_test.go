package scan

import (
	"crypto/tls"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/probe"
)

// TestEveryBoundOnConnectionsIsKept scans with each small bound: whatever is not asked any more must not be missed.
func TestEveryBoundOnConnectionsIsKept(t *testing.T) {
	s := serve(t, &tls.Config{Certificates: []tls.Certificate{certificate(t)}}, goesOn)
	for most := 1; most <= 40; most++ {
		scanner := &Scanner{MaxConnections: most}
		r := scanner.Address(t.Context(), Target{Endpoint: probe.Target{Address: s.address}, ServerName: "localhost"})
		if r.Connections > most+1 { // the one more is that behind a PROXY protocol header
			t.Errorf("%d connections, at most %d", r.Connections, most)
		}
		r.Connection()
		r.Chains()
		r.Findings()
	}
}
