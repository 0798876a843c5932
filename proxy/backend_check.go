package proxy

import (
	"context"
	"net/netip"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// Check opens a connection to the backend as a client would that asks for name and offers protocols, closes it, and
// returns what was seen as a record with a backend leg only.
func (s *Server) Check(ctx context.Context, b *Backend, name string, protocols []string) *inspect.Connection {
	return s.CheckAddress(ctx, b, "", name, protocols)
}

// CheckAddress is Check of one of the backend's addresses (host:port); empty: any, as for a client. It works on a server that
// was not started, too.
func (s *Server) CheckAddress(ctx context.Context, b *Backend, address, name string, protocols []string) *inspect.Connection {
	c := s.newRecord(nil, time.Now(), netip.AddrPort{}, netip.AddrPort{})
	limits := s.limits().Timeouts
	how := opening{address: address, protocols: protocols, whole: true}
	how.verified, how.sent = b.nameFor(name)
	leg := b.open(ctx, limits, &s.describer, how)
	leg.end(limits)
	c.BackendLeg = leg.describe(&s.describer)
	if address != "" && leg.remote == nil {
		c.BackendLeg.Address, c.BackendLeg.Port = hostPort(address)
	}
	addEnd(c.BackendLeg, leg.err, leg.facts, leg.alerts)
	c.Event.DurationMS = milliseconds(time.Since(leg.started))
	c.Event.Outcome = inspect.Failure
	if leg.err == nil {
		c.Event.Outcome = inspect.Success
	}
	return c
}
