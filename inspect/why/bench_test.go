package why_test

import (
	"crypto/tls"
	"net"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/servertest"
	"github.com/tlstriage/tlstriage/inspect/why"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// A single cause is to be named in less than half a second on the loopback.
func BenchmarkSingleCause(b *testing.B) {
	id := identityOf(b, "ecdsa")
	config := &tls.Config{Certificates: []tls.Certificate{id.Certificate}, CurvePreferences: []tls.CurveID{tls.CurveP384}}
	address := servertest.Serve(b, func(_ int, conn net.Conn) { servertest.Echo(conn, config) })
	hello := modern(serverName, func(h *probe.Hello) { h.SetGroups(wire.GroupSecp256r1); h.SetKeyShares(wire.GroupSecp256r1) })
	connections := 0
	for b.Loop() {
		r := (&why.Experiment{Target: probe.Target{Address: address}, Hello: hello}).Run(b.Context())
		if r.Cause != why.NoCommonGroup {
			b.Fatalf("%s: %s", r.Verdict, r.Sentence)
		}
		connections += r.Connections
	}
	b.ReportMetric(float64(connections)/float64(b.N), "connections/op")
}
