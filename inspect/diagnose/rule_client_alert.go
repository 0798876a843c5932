package diagnose

import (
	"strconv"

	"github.com/tlstriage/tlstriage/inspect"
)

var ruleClientAlert = Rule{
	ID: "client-alert", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	when:     clientLegDown,
	Title:    "The client ended the handshake with an alert",
	Citation: "RFC 8446, Section 6.2",
	Explanation: "The client refused what the server sent, for another reason than its certificate: protocol_version (70) and handshake_failure (40) say that it does not take what the server chose, illegal_parameter (47) and " +
		"decrypt_error (51) that a message was wrong or was changed on the way, insufficient_security (71) that a key or group is too small for it. Some clients even begin with an alert: they give up before they have offered anything.",
	CausedBy: []string{"ocsp-staple-missing", "ocsp-staple-invalid"},
	check: func(e *evidence) *match {
		if a := e.client.alertFirst(); a != nil {
			return &match{
				ended: true, title: "The client begins with an alert instead of a hello",
				detail: "the first that came from the client is the alert " + spell(a) + "; it has not said what it offers, and nothing was answered yet",
				fixes: []inspect.Fix{
					fix(forClient, "its log says why it gives up before it begins: no version or suite is left to offer, or it goes on with a connection whose handshake failed elsewhere", "tlstriage explain "+plain(a.Description, strconv.Itoa(int(a.Code)))),
					fix(forNetwork, "if its log shows a whole hello, something between swallows it: capture at both ends", "tcpdump -ni any -w out.pcap host "+clientHost(e.c)),
				},
			}
		}
		a := e.client.alert(inspect.FromClient)
		if a == nil || refusesCertificate(a.Code) || !e.client.failed() {
			return nil
		}
		m := &match{ended: true, detail: "the client answered " + spell(a)}
		if e.client.tls.Version != "" {
			m.detail += "; negotiated until then: " + e.client.tls.Version + " " + e.client.tls.Cipher
		}
		if a.Code == alertDecryptError || a.Code == alertBadRecordMAC || a.Code == alertRecordOverflow || a.Code == alertUnexpectedMessage {
			if e.c.Transport != inspect.TransportQUIC {
				m.fault = inspect.FaultNetwork
				m.fixes = append(m.fixes, fix(forNetwork, "look for a middlebox that changes handshakes: compare captures at both ends", ""))
			} else {
				m.detail += "; a packet that was changed on the way would have been dropped: one of the two libraries is wrong"
			}
		}
		m.fixes = append(m.fixes, fix(forClient, "the client's own log says more; `tlstriage explain` says what the alert means", "tlstriage explain "+plain(a.Description, strconv.Itoa(int(a.Code)))))
		return m
	},
}
