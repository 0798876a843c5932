package diagnose

import (
	"fmt"
	"slices"

	"github.com/tlstriage/tlstriage/inspect"
)

var ruleHandshakeUnexplained = Rule{
	ID: "handshake-unexplained", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultNetwork,
	when:     legDown,
	Title:    "A leg was not established, and what was seen does not say why",
	Citation: "RFC 8446, Section 2",
	Explanation: "No alert, no error that has a name, or a capture that begins too late or ends too early. The detail has the library's words and the messages that were seen, upper case from the client, lower case from the server. " +
		"Check: a capture of the whole connection.",
	check: func(e *evidence) *match {
		for _, l := range []struct {
			name string
			view view
		}{{inspect.LegBackend, e.backend}, {inspect.LegClient, e.client}} {
			if !l.view.failed() || slices.Contains(e.explained, l.name) {
				continue
			}
			if l.name == inspect.LegClient && e.backend.failed() {
				continue // there was nothing to serve
			}
			if l.view.firstProtocol() == "gquic" {
				return googleQUIC(l.view, l.name)
			}
			m := &match{ended: true, leg: l.name}
			m.detail = or(or(l.view.message(), lacking(e.c.Capture)), "the record names no error")
			if l.view.tls.Handshake != nil && l.view.tls.Handshake.History != "" {
				m.detail += "; messages seen: " + boundTo(l.view.tls.Handshake.History, 64)
			}
			if i := e.inferred(inspect.InferredEncryptedAlert); i != nil && l.name == inspect.LegClient {
				m.title = "An alert that cannot be read ended the handshake"
				m.detail += "; inferred: " + bound(i.Basis)
			}
			if l.view.leg.Error == nil && e.c.Event.Source == inspect.SourceCapture {
				m.severity, m.fault, m.ended = inspect.SeverityWarning, inspect.FaultNoise, false
				m.title = "The capture does not show how the handshake ended"
			}
			if l.view.leg.Error != nil && !e.foreign() {
				m.fault = inspect.FaultProxy
			}
			m.fixes = []inspect.Fix{fix(forNetwork, "capture the whole connection, from its first packet", "tcpdump -ni any -w out.pcap host "+clientHost(e.c))}
			return m
		}
		return nil
	},
}

// googleQUIC is what there is to say about a client of Google's QUIC. Its handshake has messages of its own, of which only the first
// is in the clear: nothing says that it failed.
func googleQUIC(v view, leg string) *match {
	return &match{
		leg: leg, severity: inspect.SeverityInfo, fault: inspect.FaultNoise,
		title:  "The client speaks Google's QUIC, which has no TLS",
		detail: or(v.firstLine(), "a CHLO of Google's QUIC") + "; how its handshake ended is encrypted",
		fixes:  []inspect.Fix{fix(forClient, "if it is yours, update it: since 2021 browsers speak QUIC as RFC 9000 has it", "")},
	}
}

// lacking is what of a handshake is not in a capture; empty when that is not known.
func lacking(c *inspect.Capture) string {
	switch {
	case c == nil:
	case c.OneWay != "":
		return fmt.Sprintf("only packets of the %s are in the capture", c.OneWay)
	case c.Midstream:
		return "the beginning of the connection is not in the capture"
	case c.Client.LostBytes+c.Server.LostBytes > 0:
		return fmt.Sprintf("%d bytes of the handshake are not in the capture", c.Client.LostBytes+c.Server.LostBytes)
	case c.End == inspect.EndOpen:
		return "the capture, or the watching, ends in the middle of the handshake"
	case c.End == inspect.EndIdle:
		return "in the middle of the handshake the capture has no more packets of the connection"
	}
	return ""
}
