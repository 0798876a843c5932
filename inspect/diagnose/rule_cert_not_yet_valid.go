package diagnose

import (
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

var ruleCertNotYetValid = Rule{
	ID: string(chain.NotYetValid), Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:        chainFaulty,
	Title:       "The backend's certificate is not valid yet",
	Citation:    "RFC 5280, Section 4.1.2.5",
	Explanation: "The beginning of validity lies ahead: the certificate was installed too early, or a clock is wrong, the one that issued it or the one that checks it. Check: `date -u` on both machines.",
	CausedBy:    []string{"default-certificate-served"},
	check: func(e *evidence) *match {
		m := e.chainFault(chain.NotYetValid)
		if m == nil {
			return nil
		}
		if f := e.chain.fault(chain.NotYetValid); f.Reason == chain.ReasonFutureRoot {
			m.title, m.fault = "The trusted root of the backend's chain is not valid yet", inspect.FaultProxy
			if e.watched() {
				m.fault = inspect.FaultClient
			}
			m.fixes = append([]inspect.Fix{fix(forSelf, "check the clock of this machine", "timedatectl")}, e.replaceRoot()...)
			return m
		}
		if e.capturedTooEarly() {
			m.severity, m.fault = inspect.SeverityInfo, inspect.FaultNoise
			m.title = "By the capture's clock no certificate of the server's chain is valid yet"
			m.detail += "; the client took the chain all the same: it is that clock which is wrong, or it was shifted to hide when this was"
			m.fixes = []inspect.Fix{fix(forNetwork, "check the clock of the machine that captured", "timedatectl")}
			return m
		}
		m.fixes = append([]inspect.Fix{fix(forSelf, "check the clock of this machine and of the authority's", "timedatectl")}, serveChain("serve the former certificate until then")...)
		return m
	},
}

// capturedTooEarly reports whether the times of a capture cannot be true: a client went on with a chain of which no certificate was
// valid yet by them.
func (e *evidence) capturedTooEarly() bool {
	certificates := e.client.server.CertificateChain
	if e.c.Event.Source != inspect.SourceCapture || !e.client.established() || len(certificates) < 2 {
		return false
	}
	for i := range certificates {
		if !certificates[i].NotBefore.After(e.now) {
			return false
		}
	}
	return true
}
