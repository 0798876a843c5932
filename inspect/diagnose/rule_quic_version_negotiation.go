package diagnose

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
)

var ruleQUICVersionNegotiation = Rule{
	ID: idQUICVersionNegotiation, Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	when:     clientLegDown,
	Title:    "The client speaks a version of QUIC that is not spoken here",
	Citation: "RFC 9000, Section 6",
	Explanation: "The client's first packet has a version of QUIC that the server does not know; the server answered with a list of its own (a Version Negotiation packet), and the client did not come back with one of them. TLS was not spoken yet. Old libraries speak drafts (draft-29) or Google's QUIC (Q046); version 1 has been the published one since 2021, and every current library has it. " +
		"Check: the record's `quic.version` and `quic.server_versions`; over TCP the same client may well succeed.",
	check: func(e *evidence) *match {
		q := e.quicNegotiation()
		if q == nil {
			return nil
		}
		m := &match{
			ended: true, offered: []string{q.Version}, accepted: q.ServerVersions,
			detail: "the client speaks " + or(bound(q.Version), "a version that the capture does not show") + ", the server " + bound(strings.Join(q.ServerVersions, ", ")) + "; clients that have TCP as well fall back to it",
		}
		if q.Version == "" {
			m.offered = nil
		}
		if slices.Contains(q.ServerVersions, "v1") {
			m.fixes = []inspect.Fix{fix(forClient, "update its QUIC library: version 1 is the one that is published", "")}
		} else {
			m.fault = inspect.FaultBackend
			m.fixes = []inspect.Fix{fix(forBackend, "update its QUIC library: it does not speak version 1, the one that is published (RFC 9000)", "")}
		}
		m.fixes = append(m.fixes, fix(forClient, "or let it use TCP until then", plainly(e.client)))
		return m
	},
}

// quicNegotiation is the leg of a client that came no further than to hear which versions of QUIC there are; nil: that is not so.
func (e *evidence) quicNegotiation() *inspect.QUIC {
	if q := e.client.overQUIC(); q != nil && e.client.is(inspect.ErrorNoCommonVersion) && len(q.ServerVersions) > 0 {
		return q
	}
	return nil
}
