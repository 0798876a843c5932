package h3

import "sync/atomic"

// Stats are counts since the start.
type Stats struct {
	Datagrams         uint64 // with a long header, that came
	Hellos            uint64 // that became whole
	HelloDatagrams    uint64 // that those came in
	Incomplete        uint64 // hellos that never became whole
	Evicted           uint64 // of these, those that had to make room
	Unreadable        uint64 // Initial packets that no keys open
	Short             uint64 // datagrams with an Initial packet below 1200 bytes
	OtherVersions     uint64 // packets of versions that are not spoken here
	Retries           uint64 // Initial packets that were answered with a Retry
	Refused           uint64 // clients that were refused before the handshake
	Passed            uint64 // connections that were passed through
	Strays            uint64 // datagrams for no connection that is passed through
	Migrations        uint64 // clients of such that came from another address
	Handshakes, Flows int64  // open now: handshakes of unchecked addresses; connections that pass through
}

type counters struct {
	datagrams, hellos, helloDatagrams, incomplete, evicted, unreadable, short, otherVersions, retries, refused, passed, strays, migrations atomic.Uint64
	flows                                                                                                                                  atomic.Int64
}

// Stats counts what came.
func (s *Server) Stats() Stats {
	c := &s.counts
	return Stats{
		Datagrams: c.datagrams.Load(), Hellos: c.hellos.Load(), HelloDatagrams: c.helloDatagrams.Load(), Incomplete: c.incomplete.Load(),
		Evicted: c.evicted.Load(), Unreadable: c.unreadable.Load(), Short: c.short.Load(), OtherVersions: c.otherVersions.Load(),
		Retries: c.retries.Load(), Refused: c.refused.Load(), Passed: c.passed.Load(), Strays: c.strays.Load(), Migrations: c.migrations.Load(),
		Handshakes: s.handshakes.Load(), Flows: c.flows.Load(),
	}
}
