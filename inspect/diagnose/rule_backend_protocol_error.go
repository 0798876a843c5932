package diagnose

import (
	"slices"

	"github.com/tlstriage/tlstriage/inspect"
)

var ruleBackendProtocolError = Rule{
	ID: "backend-protocol-error", Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:        backendLegDown,
	Title:       "The backend's answer breaks the protocol",
	Citation:    "RFC 8446, Section 6.2",
	Explanation: "This program ended the handshake because the backend's message was wrong: it chose something that was not offered, sent a message out of turn, or one that does not parse.",
	check: func(e *evidence) *match {
		a := e.backend.alert(inspect.FromClient)
		if !e.backend.is(inspect.ErrorAlertSent, inspect.ErrorUnsupported) || a != nil && refusesCertificate(a.Code) {
			return nil
		}
		if slices.Contains(e.found, ruleBackendClientCertUnfit.ID) || e.backendBy == idBackendExplained {
			return nil // it is our own certificate that does not fit
		}
		m := &match{ended: true, detail: backendWords(e.backend)}
		if a != nil {
			m.detail += "; we answered " + spell(a)
			if a.Code == alertBadRecordMAC || a.Code == alertDecryptError {
				m.fault = inspect.FaultNetwork
			}
		}
		m.fixes = []inspect.Fix{
			fix(forBackend, "update its TLS library", ""),
			fix(forNetwork, "if it is current, a middlebox may change the handshake: compare captures at both ends", ""),
		}
		return m
	},
}
