package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/scan"
)

// scanned is what came of one target: the report of one address, and of the others what is there.
type scanned struct {
	Target     string            `json:"target"`
	ServerName string            `json:"server_name,omitempty"` // that was asked for
	Verdict    inspect.Verdict   `json:"verdict"`
	Cause      string            `json:"cause,omitempty"`
	Fault      inspect.Fault     `json:"fault,omitempty"`
	Findings   []inspect.Finding `json:"findings"`
	*scan.Report
	Addresses []scannedAddress `json:"addresses,omitempty"` // where there are several
	Policy    *scannedPolicy   `json:"policy,omitempty"`
	Matches   []policyMatch    `json:"matches,omitempty"`
	Changes   []scan.Change    `json:"changes,omitempty"` // since the baseline
	Clients   *scannedClients  `json:"clients,omitempty"`

	record *inspect.Connection
}

// scannedAddress is one address of a target that has several.
type scannedAddress struct {
	Address     string          `json:"address"`
	Verdict     inspect.Verdict `json:"verdict"`
	Cause       string          `json:"cause,omitempty"`
	Differences []scan.Change   `json:"differences,omitempty"` // from the one that is reported
	Connections int             `json:"connections"`
}

// nameFor is the server name that a host is asked for: a host_name "without a trailing dot", and no address (RFC 6066, Section 3).
func (c *scanCommand) nameFor(host string) string {
	switch {
	case c.sni != "":
		return c.sni
	case c.noSNI, isAddress(host):
		return ""
	}
	return asciiName(strings.TrimSuffix(host, "."))
}

// one scans a target at all its addresses.
func (c *scanCommand) one(ctx context.Context, address string) *scanned {
	target := c.target
	target.Endpoint.Address = address
	host, _, _ := net.SplitHostPort(address)
	target.ServerName = c.nameFor(host)
	if ascii := asciiName(host); ascii != host && !isAddress(host) {
		_, port, _ := net.SplitHostPort(address)
		target.Endpoint.Address = net.JoinHostPort(ascii, port)
	}
	target.Endpoint.Name = target.ServerName // that an XMPP server is asked for; empty: the host
	target.Host = host
	if target.ServerName != "" {
		target.Host = target.ServerName
	}
	endpoint := c.scanner.Endpoint(ctx, net.DefaultResolver, target)
	if len(endpoint.Reports) == 0 {
		return c.unresolved(ctx, address, target.ServerName, endpoint)
	}
	judged := make([]*scanned, len(endpoint.Reports))
	for i, r := range endpoint.Reports {
		judged[i] = c.judgeReport(ctx, address, target.ServerName, r)
	}
	worst := ofSeveral(judged)
	if len(judged) > 1 {
		if f := endpoint.Differences(); f != nil {
			worst.add(*f)
		}
	}
	c.against.hold(ctx, c, worst, target)
	worst.conclude()
	return worst
}

// ofSeveral is the result that is reported of the addresses of a name, with what there is to be said of the others.
func ofSeveral(judged []*scanned) *scanned {
	worst := mostTelling(judged)
	if len(judged) > 1 {
		connections := 0
		for _, j := range judged {
			connections += j.Connections
			a := scannedAddress{Address: j.Address, Verdict: j.Verdict, Cause: j.Cause, Connections: j.Connections}
			if j != worst {
				a.Differences = scan.Compare(worst.Report, j.Report)
			}
			worst.Addresses = append(worst.Addresses, a)
		}
		for _, j := range judged {
			if !j.Reached() && worst.Reached() {
				worst.unreached(j)
			}
		}
		worst.Connections = connections
	}
	return worst
}

// mostTelling is the address that is reported of several: the one with which most is wrong, of those that were reached, for nothing is known
// of the others.
func mostTelling(judged []*scanned) *scanned {
	rank := func(s *scanned) int {
		if s.Reached() {
			return 10 + verdictRank(s.Verdict)
		}
		return verdictRank(s.Verdict)
	}
	return slices.MaxFunc(judged, func(a, b *scanned) int { return rank(a) - rank(b) })
}

// unreached takes over what is wrong with another address, which cannot be connected to.
func (s *scanned) unreached(other *scanned) {
	for _, f := range other.Findings {
		if f.Severity == inspect.SeverityError {
			f.Detail = "At " + other.Address + ", one of several addresses: " + f.Detail
			s.add(f)
		}
	}
	if verdictRank(other.Verdict) > verdictRank(s.Verdict) {
		s.Verdict, s.Cause, s.Fault = other.Verdict, other.Cause, other.Fault
	}
}

// unresolved is a target without an address.
func (c *scanCommand) unresolved(ctx context.Context, address, name string, e *scan.Endpoint) *scanned {
	host, port, _ := net.SplitHostPort(address)
	record := &inspect.Connection{
		Schema: inspect.SchemaVersion, Timestamp: time.Now().UTC(), Transport: inspect.TransportTCP,
		Event: inspect.Event{ID: inspect.NewID(time.Now(), 0, "scan"), Source: inspect.SourceScan, Outcome: inspect.Failure},
		BackendLeg: &inspect.Leg{
			Address: asciiName(host), ServerName: name,
			Error: &inspect.Error{Type: inspect.ErrorUnresolvable, Message: e.Reason(), Phase: inspect.PhaseResolve},
		},
	}
	_, _ = fmt.Sscan(port, &record.BackendLeg.Port)
	c.look(ctx, record)
	s := &scanned{Target: address, ServerName: name, Report: scan.NewReport(address), record: record}
	s.Layers = []scan.Layer{e.DNS}
	s.take(record)
	s.conclude()
	return s
}

// judgeReport makes findings of a report: those of its record, as `certs check` makes them, and those of the scan.
func (c *scanCommand) judgeReport(ctx context.Context, address, name string, r *scan.Report) *scanned {
	s := &scanned{Target: address, ServerName: name, Report: r}
	if record := r.Connection(); record != nil {
		s.record = asBackend(record, name, r)
		c.look(ctx, s.record)
		s.take(s.record)
		s.ownCause()
		for _, chain := range r.Chains() {
			other := asBackend(chain, name, r)
			c.look(ctx, other)
			s.alsoOf(other)
		}
	}
	s.Findings = slices.DeleteFunc(s.Findings, func(f inspect.Finding) bool { return onlyRequested(f, r) })
	for i := range s.Findings {
		reword(&s.Findings[i], address, c.quic)
		if f := &s.Findings[i]; (f.ID == "backend-cipher-no-overlap" || f.ID == "backend-version-no-overlap") && len(r.Versions) == 0 && r.Reached() {
			f.Fixes = slices.Insert(f.Fixes, 0, inspect.Fix{Target: "server", Action: "every version was offered, with every suite, group and signature scheme that there is, and none is taken: look whether the server has a certificate with its key at all, and a scheme that fits it; its log says more"})
		}
	}
	for _, f := range r.Findings() {
		s.add(f)
	}
	s.conclude()
	return s
}

// asBackend is the record of an exchange as the rules about servers read it.
func asBackend(record *inspect.Connection, name string, r *scan.Report) *inspect.Connection {
	c := *record
	leg := *c.ClientLeg
	leg.ServerName, leg.Looks = name, r.Looks()
	if leg.Address == "" {
		if at, err := netip.ParseAddrPort(r.Address); err == nil {
			leg.Address, leg.Port = at.Addr().String(), int(at.Port())
		}
	}
	c.BackendLeg, c.ClientLeg = &leg, nil
	c.Client, c.Server = inspect.Endpoint{}, inspect.Endpoint{}
	return &c
}

func (s *scanned) take(record *inspect.Connection) {
	s.Verdict, s.Cause, s.Fault = record.Verdict, record.Cause, record.Fault
	s.Findings = append(s.Findings, record.Findings...)
}

// alsoOf adds what is wrong with another chain of the endpoint, unless the first one has it, too.
func (s *scanned) alsoOf(other *inspect.Connection) {
	which := "another certificate"
	if t := other.BackendLeg.TLS; t != nil && t.Server != nil && len(t.Server.CertificateChain) > 0 {
		which = "the " + t.Server.CertificateChain[0].PublicKeyAlgorithm + " certificate"
	}
	for _, f := range other.Findings {
		same := slices.ContainsFunc(s.Findings, func(have inspect.Finding) bool { return have.ID == f.ID })
		if same && f.Severity != inspect.SeverityError {
			continue
		}
		if slices.ContainsFunc(s.Findings, func(have inspect.Finding) bool { return have.ID == f.ID && have.Detail == f.Detail }) {
			continue
		}
		f.Detail = "With " + which + ": " + f.Detail
		s.Findings = append(s.Findings, f)
	}
}

func (s *scanned) add(f inspect.Finding) { s.Findings = append(s.Findings, f) }

// conclude brings findings, verdict and cause in line with each other.
func (s *scanned) conclude() {
	if s.Findings == nil {
		s.Findings = []inspect.Finding{}
	}
	scan.SortFindings(s.Findings)
	if i := slices.IndexFunc(s.Findings, func(f inspect.Finding) bool { return f.ID == s.Cause }); i > 0 {
		f := s.Findings[i]
		s.Findings = slices.Insert(slices.Delete(s.Findings, i, i+1), 0, f)
	}
	for _, f := range s.Findings {
		verdict := inspect.OK
		switch f.Severity {
		case inspect.SeverityError:
			verdict = inspect.Failed
		case inspect.SeverityWarning:
			verdict = inspect.Warning
		}
		if verdictRank(verdict) > verdictRank(s.Verdict) || s.Verdict == "" {
			s.Verdict = verdict
		}
		if s.Cause == "" && verdict != inspect.OK && len(f.CausedBy) == 0 {
			s.Cause, s.Fault = f.ID, inspect.FaultBackend
		}
	}
	if s.Verdict == "" {
		s.Verdict = inspect.OK
	}
	if s.record != nil {
		s.record.Findings, s.record.Verdict, s.record.Cause, s.record.Fault = s.Findings, s.Verdict, s.Cause, s.Fault
	}
}

// sentence is the first broken layer's; empty: none is broken.
func (s *scanned) sentence() string {
	if b := s.BrokenLayer(); b != nil {
		return strings.TrimSpace(b.Sentence)
	}
	return ""
}
