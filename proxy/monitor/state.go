package monitor

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// State is what is known of a target. Its JSON form is what /backends answers.
type State struct {
	Name       string          `json:"name"`
	Backend    string          `json:"backend"` // host:port as configured
	ServerName string          `json:"server_name,omitempty"`
	CheckedAt  time.Time       `json:"checked_at,omitzero"` // the last round began; zero: there was none yet
	Up         bool            `json:"up"`                  // every address answers, and there is one
	Verdict    inspect.Verdict `json:"verdict,omitempty"`   // the worst of the addresses
	NotAfter   time.Time       `json:"not_after,omitzero"`  // the first of all certificates to end
	DaysLeft   int             `json:"days_left"`           // until then, whole days; means nothing where NotAfter is zero
	Error      string          `json:"error,omitempty"`     // why the name does not resolve; the addresses are then those known from before
	Unchecked  int             `json:"unchecked,omitempty"` // addresses beyond the bound
	Addresses  []Address       `json:"addresses"`           // sorted by address
	Differs    []Difference    `json:"differs,omitempty"`   // nodes that are not as the most of them
}

// Address is what is known of one address of a target.
type Address struct {
	Address      string               `json:"address"` // ip:port
	FirstSeen    time.Time            `json:"first_seen"`
	CheckedAt    time.Time            `json:"checked_at"`
	Up           bool                 `json:"up"` // the handshake was done, or the connection made where there is none
	Error        *inspect.Error       `json:"error,omitempty"`
	Version      string               `json:"version,omitempty"`
	NextProtocol string               `json:"next_protocol,omitempty"`
	Certificate  *inspect.Certificate `json:"certificate,omitempty"` // the leaf; of an earlier round where this one saw none; raw bytes are not kept
	Chain        []string             `json:"chain,omitempty"`       // SHA-256 of the certificates as presented, leaf first
	SeenAt       time.Time            `json:"seen_at,omitzero"`      // when the certificate was last seen
	NotAfter     time.Time            `json:"not_after,omitzero"`    // the end of what was presented, as Options.Ends has it
	DaysLeft     int                  `json:"days_left"`             // until then, whole days
	Threshold    int                  `json:"threshold,omitempty"`   // the lowest of Options.Thresholds that is crossed, in days; Expired; 0: none
	Verdict      inspect.Verdict      `json:"verdict,omitempty"`     // of the record
	Cause        string               `json:"cause,omitempty"`       // likewise
	Fault        inspect.Fault        `json:"fault,omitempty"`       // likewise
	Findings     []Found              `json:"findings,omitempty"`    // likewise, root cause first
	Record       string               `json:"record,omitempty"`      // id of the record
	Missed       int                  `json:"missed,omitempty"`      // rounds in a row in which the name did not resolve to it

	verified string // the name that its certificate is held against
	told     judged // what events have said of it so far
}

// judged is a verdict with its cause. An outage is told as such, not as a verdict: what was said before it stands until the address
// answers again.
type judged struct {
	verdict inspect.Verdict
	cause   string
}

// Found is a finding in short.
type Found struct {
	ID       string           `json:"id"`
	Severity inspect.Severity `json:"severity"`
	Title    string           `json:"title"`
}

// Expired stands for the threshold of a certificate that has ended.
const Expired = -1

const day = 24 * time.Hour

// The most findings of an address that are kept.
const maxFindings = 20

func (s *State) address(a string) *Address {
	for i := range s.Addresses {
		if s.Addresses[i].Address == a {
			return &s.Addresses[i]
		}
	}
	return nil
}

// dialled is the address that is the peer of a leg; nil: it is not known. Records have addresses without the zone.
func (s *State) dialled(leg *inspect.Leg) *Address {
	peer := net.JoinHostPort(leg.Address, strconv.Itoa(leg.Port))
	for i := range s.Addresses {
		address := s.Addresses[i].Address
		if before, zone, zoned := strings.Cut(address, "%"); zoned {
			address = before + zone[strings.IndexByte(zone, ']'):]
		}
		if address == peer {
			return &s.Addresses[i]
		}
	}
	return nil
}

// merge makes the state after a round. Nothing in the old one is changed: others may be reading it.
func (m *Monitor) merge(old State, r round) State {
	s := State{Name: old.Name, Backend: old.Backend, ServerName: old.ServerName, CheckedAt: r.at, Unchecked: r.left, Addresses: []Address{}}
	if r.err != nil {
		s.Error = r.err.Error()
	}
	s.Up = len(r.addresses) > 0
	for _, seen := range r.addresses {
		if seen.record == nil {
			continue // cut
		}
		a := m.describe(old.address(seen.address), seen, r.at)
		s.Addresses = append(s.Addresses, a)
		s.Up = s.Up && a.Up
		s.Verdict = worse(s.Verdict, a.Verdict)
		if !a.NotAfter.IsZero() && (s.NotAfter.IsZero() || a.NotAfter.Before(s.NotAfter)) {
			s.NotAfter, s.DaysLeft = a.NotAfter, a.DaysLeft
		}
	}
	if len(s.Addresses) == 0 {
		s.Verdict = inspect.Failed
	}
	slices.SortFunc(s.Addresses, func(a, b Address) int { return strings.Compare(a.Address, b.Address) })
	s.Differs = differences(s.Addresses)
	return s
}

// describe is what a record tells of an address. Of a node that is down it is still known which certificate it had, and when
// that ends.
func (m *Monitor) describe(old *Address, seen seen, at time.Time) Address {
	c := seen.record
	a := Address{
		Address: seen.address, FirstSeen: at, CheckedAt: at, Missed: seen.missed,
		Up: c.Event.Outcome == inspect.Success, Verdict: c.Verdict, Cause: c.Cause, Fault: c.Fault, Record: c.Event.ID,
	}
	if old != nil {
		a.FirstSeen = old.FirstSeen
		a.Certificate, a.Chain, a.NotAfter, a.SeenAt = old.Certificate, old.Chain, old.NotAfter, old.SeenAt
	}
	for _, f := range c.Findings[:min(maxFindings, len(c.Findings))] {
		a.Findings = append(a.Findings, Found{f.ID, f.Severity, f.Title})
	}
	if leg := c.BackendLeg; leg != nil {
		a.Error, a.verified = leg.Error, leg.ServerName
		if leg.TLS != nil {
			a.Version, a.NextProtocol = leg.TLS.Version, leg.TLS.NextProtocol
			if server := leg.TLS.Server; server != nil && len(server.CertificateChain) > 0 {
				leaf := server.CertificateChain[0]
				leaf.Raw = nil
				a.Certificate, a.Chain, a.SeenAt = &leaf, nil, at
				for _, x := range server.CertificateChain {
					a.Chain = append(a.Chain, x.Hash.SHA256)
				}
				a.NotAfter = m.options.Ends(c)
			}
		}
	}
	a.told = judged{a.Verdict, a.Cause}
	switch {
	case a.Up:
	case old != nil && (old.Up || old.Verdict == a.Verdict && old.Cause == a.Cause):
		a.told = old.told
	case old == nil && a.Verdict != "":
		a.told = judged{verdict: inspect.OK} // nothing was said of it, which is as good
	}
	if !a.NotAfter.IsZero() {
		a.DaysLeft = daysLeft(a.NotAfter, at)
		a.Threshold = crossed(m.options.Thresholds, a.NotAfter.Sub(at))
	}
	return a
}

func worse(a, b inspect.Verdict) inspect.Verdict {
	rank := func(v inspect.Verdict) int {
		return slices.Index([]inspect.Verdict{"", inspect.OK, inspect.Warning, inspect.Failed}, v)
	}
	if rank(b) > rank(a) {
		return b
	}
	return a
}
