package scan

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/probe"
)

// Endpoint is what was found out about all addresses of a name.
type Endpoint struct {
	DNS     Layer
	Reports []*Report // one an address, in the resolver's order; empty: the name has none
	Across  []Across  // sessions of the first address at the others
	Error   error     // of the resolver; nil: there are addresses
}

// The most addresses of one name that are looked at, and how many of them at a time.
const (
	maxAddresses       = 16
	addressesAtTheTime = 4
)

// Endpoint scans every address of the target's name.
func (s *Scanner) Endpoint(ctx context.Context, resolver *net.Resolver, target Target) *Endpoint {
	e := &Endpoint{DNS: Layer{Name: LayerDNS, Status: Works}}
	host, _, err := net.SplitHostPort(target.Endpoint.Address)
	if err != nil {
		e.Error = err
		e.DNS.Status, e.DNS.Sentence = Broken, fmt.Sprintf("%q is not HOST:PORT.", target.Endpoint.Address)
		return e
	}
	began := time.Now()
	bounded, cancel := context.WithTimeout(ctx, 10*time.Second)
	found, err := probe.Resolve(bounded, resolver, target.Endpoint.Address)
	cancel()
	e.DNS.MS = float64(time.Since(began).Microseconds()) / 1000
	if err != nil || len(found) == 0 {
		e.Error = err
		e.DNS.Status, e.DNS.Sentence = Broken, fmt.Sprintf("The name %q has no address: %s.", host, e.Reason())
		return e
	}
	found = unique(found)
	e.DNS.Sentence = fmt.Sprintf("%q has %s.", host, plural(len(found), "address", "addresses"))
	if _, err := netip.ParseAddr(host); err == nil {
		e.DNS.Sentence = "The address was given."
	}
	if len(found) > maxAddresses {
		e.DNS.Sentence += fmt.Sprintf(" Only the first %d are looked at.", maxAddresses)
		found = found[:maxAddresses]
	}
	e.Reports = make([]*Report, len(found))
	slots := make(chan struct{}, addressesAtTheTime)
	questions := make([]func(), len(found))
	for i, address := range found {
		questions[i] = func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			one := target
			one.Endpoint.Address = address.String()
			if one.Endpoint.Name == "" {
				one.Endpoint.Name = host
			}
			if one.Host == "" {
				one.Host = host
			}
			e.Reports[i] = s.Address(ctx, one)
		}
	}
	together(questions...)
	e.leaveOutUnreachable()
	for _, r := range e.Reports {
		r.Layers = slices.Insert(r.Layers, 0, e.DNS)
	}
	if len(e.Reports) > 1 {
		e.Across = s.across(ctx, e, target)
	}
	return e
}

// Reason says why there are no addresses, without the words of a program; empty: there are some.
func (e *Endpoint) Reason() string {
	var dns *net.DNSError
	switch {
	case e.Error == nil:
		return ""
	case !errors.As(e.Error, &dns):
		return e.Error.Error()
	case dns.Server == "":
		return dns.Err
	}
	return dns.Err + " (asked " + dns.Server + ")"
}

// leaveOutUnreachable takes out addresses that this machine has no route to, as those of IPv6 where there is none, as long as
// others are reached: they say nothing about the endpoint.
func (e *Endpoint) leaveOutUnreachable() {
	var reached []*Report
	var left []string
	for _, r := range e.Reports {
		if x := r.opening; x != nil && x.Outcome == probe.OutcomeNotConnected && x.Error != nil && x.Error.Type == inspect.ErrorUnreachable {
			left = append(left, r.Address)
			continue
		}
		reached = append(reached, r)
	}
	if len(reached) == 0 || left == nil {
		return
	}
	e.Reports = reached
	e.DNS.Sentence += fmt.Sprintf(" This machine has no route to %s, which was left out.", list(left))
}

func unique(addresses []netip.AddrPort) []netip.AddrPort {
	var out []netip.AddrPort
	for _, a := range addresses {
		if !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

// Differences are what the addresses of one name answer differently: they are not behind the same configuration.
func (e *Endpoint) Differences() *inspect.Finding {
	if len(e.Reports) < 2 {
		return nil
	}
	var lines []string
	first := e.Reports[0]
	for _, other := range e.Reports[1:] {
		for _, c := range Compare(first, other) {
			lines = append(lines, fmt.Sprintf("%s: %s", other.Address, c.Sentence(first.Address)))
		}
	}
	severity := inspect.SeverityWarning
	if text := unshared(e.Across); text != "" {
		if lines == nil {
			severity = inspect.SeverityInfo // it costs time, and breaks nothing
		}
		lines = append(lines, text)
	}
	if lines == nil {
		return nil
	}
	const most = 12
	detail := strings.Join(lines[:min(len(lines), most)], "; ")
	if more := len(lines) - most; more > 0 {
		detail += fmt.Sprintf("; and %d more", more)
	}
	return &inspect.Finding{
		ID: FindingAddressesDiffer, Severity: severity, Leg: inspect.LegBackend, Title: "The addresses of the name differ", Detail: detail + ".",
		Fixes: []inspect.Fix{{Target: "server", Action: "Bring all nodes to the same configuration and certificate, or take the one that differs out of DNS"}},
	}
}
