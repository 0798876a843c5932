package diagnose

import (
	"fmt"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
)

var ruleClientAborted = Rule{
	ID: "client-aborted", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	when:     clientLegDown,
	Title:    "The client ended the handshake without saying why",
	Citation: "RFC 8446, Section 6.2",
	Explanation: "The connection was closed or reset by the client's side before the handshake was done, and no alert came. After the server's certificate this nearly always means that the client does not " +
		"accept it (some clients close instead of sending an alert); right after the hello it is a user who went away, a race between address families, or a middlebox that resets. A capture tells whether a byte of the answer had reached the client: if not, it left for a reason of its own, and that is noise.",
	CausedBy: []string{
		"server-cert-rejected-by-client", "client-alert", "version-no-overlap", "cipher-no-overlap", "group-no-overlap", "signature-no-overlap",
		"alpn-no-overlap", "sni-missing", idQUICConnectionClosed, idQUICRetryLoop, "sni-unknown", "sslv2-hello", "proxy-cannot-serve", "server-alert",
		// Not what depends on the client's own roots: who is silent about it may have closed for another reason.
		"default-certificate-served", "cert-malformed", "cert-revoked", "cert-expired", "cert-not-yet-valid", "cert-name-mismatch", "cert-self-signed",
		"chain-missing-intermediate", "chain-intermediate-expired", "cert-wrong-usage",
	},
	check: func(e *evidence) *match {
		v := e.client
		if !v.failed() || v.alert(inspect.FromClient) != nil || v.alert(inspect.FromServer) != nil {
			return nil
		}
		if e.passed() && e.backend.is(inspect.ErrorNotTLS) {
			return nil // of what the backend said no client makes anything
		}
		canceled := false
		for _, a := range v.tls.Alerts {
			canceled = canceled || a.Code == alertUserCanceled && a.From == inspect.FromClient
		}
		if e.quicUnanswered() || e.givenUp() || e.endedBy(inspect.FromServer) || !canceled && e.unanswered() && !e.endedBy(inspect.FromClient) || !canceled && !v.is(inspect.ErrorClosed, inspect.ErrorReset) {
			return nil
		}
		m := &match{ended: true}
		if s := v.leg.StartTLS; s != nil && !v.spoke && v.phase() == inspect.PhasePeek {
			return leftBehindStartTLS(s)
		}
		how := "closed the connection"
		if v.is(inspect.ErrorReset) {
			how, m.fault = "reset the connection", inspect.FaultNetwork
		}
		if words := e.strangeReset(); words != "" {
			m.detail = "the connection was reset in the client's name; " + words
			m.fixes = []inspect.Fix{fix(forNetwork, "find the device: capture on both of its sides", "tcpdump -ni any 'tcp[tcpflags] & tcp-rst != 0 and host "+clientHost(e.c)+"'")}
			return m
		}
		if canceled {
			how = "cancelled the handshake (user_canceled)"
		}
		if e.leftUnanswered() {
			m.severity, m.fault = inspect.SeverityWarning, inspect.FaultNoise
			m.title = "The client left before it had an answer"
			m.detail = or(v.message(), "it closed the connection before an answer had reached it")
			if u := e.unheard(); u != nil && u.Received > 0 {
				m.detail += fmt.Sprintf("; of the server's answer %d of %d bytes had", u.Received, u.Sent)
			}
			m.detail += ": it cannot have been about the server's certificate"
			m.fixes = []inspect.Fix{
				fix(forClient, "a browser that drops a spare connection, a race of address families or a user who went away needs no remedy; if somebody complains, see what the client says", ""),
			}
			return m
		}
		if u := e.unheard(); u != nil && u.Records > 0 && e.endedBy(inspect.FromClient) {
			m.fault = inspect.FaultClient
			m.detail = fmt.Sprintf("the client's side %s when %d of the %d bytes of the server's answer had reached it; if its certificate was among them, the client may not accept it", how, u.Received, u.Sent)
			m.fixes = []inspect.Fix{
				fix(forClient, "ask the client why it left; if it is slow to answer at all, its time limit may be too short", showCerts(v, v.hello.ServerName)+" -verify_return_error"),
			}
			return m
		}
		if sawCertificate(v) && v.tls.Version != "TLSv1.3" && v.tls.Handshake != nil && strings.Contains(v.tls.Handshake.History, "G") {
			m.fault = inspect.FaultClient
			m.detail = "the client's side " + how + " when it had sent its part of the key exchange: it had seen the server's certificate and gone on (messages seen: " + boundTo(v.tls.Handshake.History, 64) + ")"
			m.fixes = []inspect.Fix{fix(forClient, "ask the client why it left; if it is always the same clients, capture at both ends: who sends the FIN or RST?", "tcpdump -ni any -w out.pcap host "+clientHost(e.c))}
			return m
		}
		if sawCertificate(v) {
			m.fault = inspect.FaultClient
			m.detail = "the client's side " + how + " after the server's certificate: most often the client does not accept it"
			m.fixes = []inspect.Fix{
				fix(forClient, "ask the client what it thinks of the certificate; browsers also end spare connections like this", showCerts(v, v.hello.ServerName)+" -verify_return_error"),
			}
			if !e.foreign() {
				m.fixes = append(m.fixes, fix(forSelf, "if this program's own authority signed it, the client must trust that authority", "tlstriage ca export > ca.pem"))
			}
			return m
		}
		m.detail = "the client's side " + how + " "
		if sawServerFlight(v) {
			m.fault = inspect.FaultClient
			m.detail += "after the server's answer, which holds no certificate as far as it was seen"
		} else {
			m.detail += or(phaseWords(v.phase()), "before the handshake was done")
		}
		m.fixes = []inspect.Fix{fix(forNetwork, "if it is always the same clients, capture at both ends: who sends the FIN or RST?", "tcpdump -ni any -w out.pcap host "+clientHost(e.c))}
		return m
	},
}

// noCertificate is how many bytes of a server's flight hold a ServerHello at most, but no certificate beside it.
const noCertificate = 256

// leftUnanswered reports whether a capture shows, or bytes that passed through here do, that the client closed the connection in good order, soon after its hello, when nothing
// of an answer had reached it that it could have objected to without an alert. A reset may come from elsewhere: only one that is known to be the client's own counts.
func (e *evidence) leftUnanswered() bool {
	c, v := e.c.Capture, e.client
	if e.passed() {
		return e.unanswered() && !e.backend.failed() && v.is(inspect.ErrorClosed) && e.endedBy(inspect.FromClient) && !e.givenUp()
	}
	if c == nil || e.c.Transport != inspect.TransportTCP || !v.spoke {
		return false
	}
	switch u := c.Unheard; c.End {
	case inspect.EndFINClient:
		return v.is(inspect.ErrorClosed) && (u != nil && u.Records <= noCertificate || u == nil && c.Server.Bytes == 0 && c.OneWay == "" && e.unanswered())
	case inspect.EndResetClient:
		return v.is(inspect.ErrorReset) && u != nil && u.Records <= noCertificate && c.Client.ResetTTL == c.Client.TTL
	}
	return false
}

// chainUnheard reports whether the client of a capture left before the server's certificate had reached it.
func (e *evidence) chainUnheard() bool {
	u := e.unheard()
	return u != nil && u.Records <= noCertificate && e.endedBy(inspect.FromClient)
}

// strangeReset says by what the reset that ended a captured connection is another device's than its sender's address tells; empty:
// nothing.
func (e *evidence) strangeReset() string {
	if e.c.Capture == nil {
		return ""
	}
	side, name := &e.c.Capture.Client, "client"
	switch e.c.Capture.End {
	case inspect.EndResetClient:
	case inspect.EndResetServer:
		side, name = &e.c.Capture.Server, "server"
	default:
		return ""
	}
	if side.TTL == 0 || side.ResetTTL == 0 || side.TTL == side.ResetTTL {
		return ""
	}
	return fmt.Sprintf("its packet has a TTL of %d, those of the %s before it had %d: another device sent it, a firewall or a load balancer between", side.ResetTTL, name, side.TTL)
}

// unheard is what the one who ended a captured connection had not received; nil: nothing that is known.
func (e *evidence) unheard() *inspect.Unheard {
	if e.c.Capture == nil {
		return nil
	}
	return e.c.Capture.Unheard
}

// sawServerFlight reports whether the server had answered: its messages are the small letters of the history.
func sawServerFlight(v view) bool {
	return v.tls.Handshake != nil && strings.ContainsAny(v.tls.Handshake.History, "abcdefghijklmnopqrstuvwxyz")
}

// sawCertificate reports whether the server has shown the client its certificate: it is in the record, or messages were seen of
// which it must have been one.
func sawCertificate(v view) bool {
	if len(v.server.CertificateChain) > 0 {
		return true
	}
	if v.tls.Handshake == nil || v.tls.Resumed {
		return false
	}
	history := v.tls.Handshake.History
	return strings.Contains(history, "x") || v.tls.Version == "TLSv1.3" && strings.Contains(history, "d")
}

func phaseWords(p inspect.Phase) string {
	switch p {
	case inspect.PhasePeek:
		return "while its hello was awaited"
	case inspect.PhaseDecide:
		return "right after its hello"
	case inspect.PhaseDial, inspect.PhaseResolve:
		return "while the backend was being reached"
	case inspect.PhaseHandshake:
		return "during the handshake"
	}
	return ""
}
