package monitor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// How long a name may take to resolve.
const resolveTime = 5 * time.Second

// How many rounds in a row a name may fail to resolve to an address before the address is given up: name servers that
// hand out a few of many addresses at a time would make nodes come and go for ever.
const patience = 2

// round is what one round of checks of a target saw.
type round struct {
	of        *watched
	at        time.Time
	err       error // the name did not resolve
	left      int   // addresses beyond the bound, not checked
	addresses []seen
}

// seen is an address and the record of its check.
type seen struct {
	address string
	missed  int // rounds in a row in which the name did not resolve to it
	record  *inspect.Connection
}

// check does a round. It reads the target alone, which does not change, and what was known of its addresses.
func (m *Monitor) check(ctx context.Context, w *watched) round {
	m.mu.Lock()
	known := w.state.Addresses
	m.mu.Unlock()
	r := round{of: w, at: time.Now()}
	host, port, err := net.SplitHostPort(w.target.Backend.Address)
	if err != nil {
		r.err = err
		return r
	}
	resolved, err := m.resolve(ctx, host)
	r.err = err
	for _, a := range resolved {
		r.addresses = append(r.addresses, seen{address: net.JoinHostPort(a.String(), port)})
	}
	for _, k := range known {
		if slices.ContainsFunc(r.addresses, func(s seen) bool { return s.address == k.Address }) {
			continue
		}
		missed := k.Missed
		if err == nil {
			missed++
		}
		if missed < patience {
			r.addresses = append(r.addresses, seen{address: k.Address, missed: missed})
		}
	}
	if beyond := len(r.addresses) - m.options.Addresses; beyond > 0 {
		r.addresses, r.left = r.addresses[:m.options.Addresses], beyond
	}
	if err != nil && len(r.addresses) == 0 {
		m.checkAddress(ctx, w.target, "") // for the record: what a client's connection would meet with
	}
	var all sync.WaitGroup
	for i := range r.addresses {
		select {
		case m.slots <- struct{}{}:
			all.Go(func() {
				defer func() { <-m.slots }()
				r.addresses[i].record = m.checkAddress(ctx, w.target, r.addresses[i].address)
			})
		case <-ctx.Done():
		}
	}
	all.Wait()
	return r
}

func (m *Monitor) checkAddress(ctx context.Context, t Target, address string) *inspect.Connection {
	record := m.options.Check(ctx, t.Backend, address, t.ServerName, t.Protocols)
	if ctx.Err() != nil {
		return record // it was cut, which says nothing about the backend
	}
	if m.options.Judge != nil {
		m.options.Judge(t, record)
	}
	if m.options.OnRecord != nil {
		m.options.OnRecord(record)
	}
	return record
}

var errNoAddress = errors.New("the name has no address")

// resolve gives the addresses of a host, sorted, each once.
func (m *Monitor) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a.Unmap()}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	found, err := m.options.Resolve(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", host, err)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: %w", host, errNoAddress)
	}
	addresses := make([]netip.Addr, 0, len(found))
	for _, a := range found {
		addresses = append(addresses, a.Unmap())
	}
	slices.SortFunc(addresses, netip.Addr.Compare)
	return slices.Compact(addresses), nil
}
