package diagnose

import (
	"fmt"

	"github.com/tlstriage/tlstriage/inspect"
)

var ruleQUICConnectionClosed = Rule{
	ID: idQUICConnectionClosed, Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	when:     hasError | legDown,
	Title:    "A QUIC connection was closed with an error that is not TLS's",
	Citation: "RFC 9000, Section 20.1; RFC 9114, Section 8.1",
	Explanation: "One side ended the connection with an error of the transport (PROTOCOL_VIOLATION, TRANSPORT_PARAMETER_ERROR, CONNECTION_REFUSED, NO_VIABLE_PATH …) or of HTTP/3 (H3_INTERNAL_ERROR, H3_EXCESSIVE_LOAD …). Errors that are TLS alerts have findings of their own, the same as over TCP. What the sender says of the reason is in the detail; who found fault is who sent it, and who made the fault is most often the other side. " +
		"Check: the logs (qlog) of the side that closed.",
	CausedBy: []string{idQUICVersionNegotiation, idQUICNoH3},
	check: func(e *evidence) *match {
		for _, side := range [...]struct {
			v   view
			leg string
		}{{e.client, inspect.LegClient}, {e.backend, inspect.LegBackend}} {
			q := side.v.overQUIC()
			if q == nil || q.Close == nil || isCryptoError(q.Close) || leaves(q.Close) {
				continue
			}
			m := &match{leg: side.leg, ended: side.v.failed(), severity: inspect.SeverityWarning, fault: inspect.FaultProxy}
			who := "this program closed it"
			if peer := q.Close.From; side.leg == inspect.LegClient && peer == inspect.FromClient {
				m.fault, who = inspect.FaultClient, "the client closed it"
			} else if peer == inspect.FromServer && (side.leg == inspect.LegBackend || side.v.leg.Passthrough) {
				m.fault, who = inspect.FaultBackend, "the backend closed it"
			} else if peer == inspect.FromServer && e.c.Capture != nil {
				m.fault, who = inspect.FaultBackend, "the server closed it"
			} else if side.leg == inspect.LegClient {
				m.fault = inspect.FaultClient // whose packets were found to be wrong
			}
			if m.ended {
				m.severity = inspect.SeverityError
			}
			m.detail = fmt.Sprintf("%s with %s (0x%x)", who, bound(q.Close.Name), q.Close.Code)
			if q.Close.Reason != "" {
				m.detail += ": " + bound(q.Close.Reason)
			}
			m.fixes = []inspect.Fix{
				fix(forClient, "see whether the same works over TCP; then it is the QUIC library of one of the two", plainly(e.client)),
				fix(forNetwork, "where only some networks are hit, look for what changes or repeats datagrams on the way", ""),
			}
			return m
		}
		return nil
	},
}

// leaves reports whether a close finds fault with nothing: its sender has gone, be it in the middle of a handshake, where the application's
// own reason must not be said (RFC 9000, Section 10.2.3).
func leaves(c *inspect.QUICClose) bool {
	const noError, applicationError = 0x00, 0x0c
	return !c.Application && (c.Code == noError || c.Code == applicationError)
}

// isCryptoError reports whether a close stands for a TLS alert (RFC 9001, Section 4.8).
func isCryptoError(c *inspect.QUICClose) bool {
	return !c.Application && c.Code >= 0x100 && c.Code <= 0x1ff
}
