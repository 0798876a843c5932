package diagnose

import (
	"fmt"

	"github.com/tlstriage/tlstriage/inspect"
)

var ruleQUICDatagramTooSmall = Rule{
	ID: idQUICDatagramTooSmall, Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	when:     clientLegDown,
	Title:    "The client's first datagrams are smaller than QUIC allows",
	Citation: "RFC 9000, Section 14.1",
	Explanation: "A client must pad a datagram with an Initial packet to 1200 bytes at least, and a server must discard what is smaller: else it could be made to flood others. Nothing that this client sent was answered. Clients of that kind are scanners, libraries under construction, or behind something that takes datagrams apart (a tunnel whose MTU is below 1200 bytes, which QUIC cannot use at all). " +
		"Check: the record's `quic.short_datagrams`; the path's MTU: `ping -M do -s 1252 HOST`.",
	check: func(e *evidence) *match {
		q := e.client.overQUIC()
		if q == nil || q.ShortDatagrams == 0 || q.ShortDatagrams < q.Datagrams ||
			!e.client.is(inspect.ErrorTimeout, inspect.ErrorIncompleteHello, inspect.ErrorNoAnswer) && !e.quicUnanswered() {
			return nil
		}
		detail := fmt.Sprintf("%d datagrams came, each below 1200 bytes", q.ShortDatagrams)
		if e.c.Capture != nil {
			detail = or(e.client.message(), "nothing was answered") + "; its largest datagram has " + fmt.Sprint(e.c.Capture.Client.Largest) + " bytes"
		}
		return &match{ended: true, detail: detail, fixes: []inspect.Fix{
			fix(forClient, "update its QUIC library: each datagram with an Initial packet is to be padded to 1200 bytes", ""),
			fix(forNetwork, "see whether the path carries datagrams of 1280 bytes; if it does not, only TCP will work there", "ping -M do -s 1252 "+clientHost(e.c)),
		}}
	},
}
