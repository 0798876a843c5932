package diagnose

import (
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

var ruleServerAlert = Rule{
	ID: "server-alert", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultBackend,
	when:     clientLegDown,
	Title:    "The server ended the handshake with an alert",
	Citation: "RFC 8446, Section 6.2",
	Explanation: "The server of the client leg ended the handshake with an alert that is not about versions, suites, names or certificates: internal_error (80) is its own trouble, unexpected_message (10), bad_record_mac (20) " +
		"and decrypt_error (51) mean that what arrived was not what was sent.",
	CausedBy: []string{"proxy-loop", "listener-certificate-missing"},
	check: func(e *evidence) *match {
		a := e.client.alert(inspect.FromServer)
		if a == nil || !e.client.failed() || e.refusal != policy.DimensionNone || e.clientCert != certFine || e.unservable != "" || e.enforced() {
			return nil
		}
		if e.client.alert(inspect.FromClient) != nil {
			return nil // the client's own alert came first, and this is only what the server made of it
		}
		if a.Code == alertDecodeError || a.Code == alertIllegalParameter {
			return nil // client-hello-malformed
		}
		m := &match{ended: true, detail: "the server answered " + spell(a)}
		if msg := e.client.message(); msg != "" {
			m.detail += ": " + msg
		}
		if e.helloUnread() {
			m.fault = inspect.FaultNetwork
			m.title = "The server refused a hello that the capture does not show"
			what := "the client's hello is not in the capture"
			if e.client.spoke {
				what = "not all of the client's hello is there to be read (" + helloSize(e.client.hello) + ")"
			}
			m.detail += "; " + what + ", so that what the server disliked about it is not known"
			m.fixes = []inspect.Fix{
				fix(forNetwork, "capture both directions and whole packets", "tcpdump -s 0 -ni any -w out.pcap host "+clientHost(e.c)),
				fix(forBackend, "the server's error log at this second says more", ""),
			}
			return m
		}
		switch {
		case !e.foreign():
			m.fault = inspect.FaultProxy
		case a.Code == alertBadRecordMAC || a.Code == alertDecryptError || a.Code == alertUnexpectedMessage:
			m.fault = inspect.FaultNetwork
		}
		m.fixes = []inspect.Fix{fix(forBackend, "the server's error log at this second says more", "")}
		return m
	},
}
