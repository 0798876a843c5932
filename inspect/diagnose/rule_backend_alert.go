package diagnose

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

var ruleBackendAlert = Rule{
	ID: idBackendAlert, Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:        backendRefuses,
	CausedBy:    []string{"proxy-loop"},
	Title:       "The backend ended the handshake with an alert",
	Citation:    "RFC 8446, Section 6.2",
	Explanation: "The backend refused our hello with an alert that points to none of the usual reasons: internal_error (80) is its own trouble, or a name for which it has no certificate; decode_error (50) or illegal_parameter (47) an old server that trips over a new extension; missing_extension (109) one that wants an extension that the hello does not have; inappropriate_fallback (86) one that takes the hello for a second attempt; handshake_failure (40) where the hello had no name says nothing about the reason. An alert behind the ServerHello is about none of what the hellos settle, whatever its name says: version, suite and server name were agreed on.",
	check: func(e *evidence) *match {
		if e.backendBy != idBackendAlert {
			return nil
		}
		a := e.backend.alert(inspect.FromServer)
		m := &match{ended: e.backend.failed(), detail: "the backend answered " + spell(a) + e.whichName(), fixes: []inspect.Fix{
			fix(forBackend, "its error log at this second says more", ""),
			fix(forSelf, "find out what in the hello it does not like: leave things out one by one", "openssl s_client -connect "+backendName(e.backend)+" -tls1_2"),
		}}
		if v := e.backend; v.settled(a) {
			e.endedLater(m, a)
			return m
		}
		switch a.Code {
		case alertHandshakeFailure: // of a hello without a name, and no other name is known
			m.title = "The backend refuses the hello, and does not say why"
			m.detail += "; that names no reason: the hello had no server name, which some servers answer like this (CDNs most of all), else there is no suite, group or signature in common with this program, or a client certificate is missing"
			m.fixes = []inspect.Fix{
				fix(forBackend, "its error log at this second says more", ""),
				fix(forSelf, "if the backend serves by name, send the one that it serves", "tlstriage proxy --backend-sni NAME …"),
				fix(forSelf, "else see what it accepts", enumCiphers(e.backend)),
				fix(forSelf, "or let this program find out what in the hello it is", "tlstriage proxy --explain-backend …"),
			}
		case alertInappropriateFallback:
			m.title = "The backend takes our hello for a fallback, which it is not"
			m.detail += "; that alert answers TLS_FALLBACK_SCSV (RFC 7507), which the hello does not have: the backend, or something before it, reads it wrongly"
		case alertMissingExtension:
			m.title = "The backend misses an extension in our hello"
			m.detail += "; " + missingExtension(e.backend.hello)
		case alertInternalError:
			m.detail += "; some servers (Caddy, Traefik, other Go programs) answer this where they have no certificate for the name: " + or(bound(e.backend.hello.ServerName), "none was sent")
		}
		return m
	},
}

// endedLater is about an alert that came when the hellos had agreed already: what of the handshake came next is what it can be about.
func (e *evidence) endedLater(m *match, a *inspect.Alert) {
	v := e.backend
	m.title = "The backend ended the handshake after it had agreed to version and suite"
	m.detail += "; it had answered the hello before"
	if agreed := v.agreed(); agreed != "" {
		m.detail += " (" + agreed + ")"
	}
	m.detail += ", so that it is not about these, nor about the server name"
	if h := v.tls.Handshake.History; h != "" {
		m.detail += "; messages seen: " + boundTo(h, 64)
	}
	if v.tls.Version == "TLSv1.3" && a.Code == alertHandshakeFailure {
		m.detail += "; servers that look for a certificate only then (Java) answer this where they have none for the signature schemes offered: " + enumerate(offered(v.hello, policy.DimensionSignature))
	}
	m.fixes = []inspect.Fix{
		fix(forBackend, "its error log at this second says more", ""),
		fix(forSelf, "see whether another client gets further", showCerts(v, v.hello.ServerName)),
	}
}

// missingExtension says which of the extensions that TLS 1.3 demands (RFC 8446, Section 9.2) a hello lacks.
func missingExtension(h *inspect.Hello) string {
	var lacks []string
	if h.ServerName == "" {
		lacks = append(lacks, "server_name")
	}
	if slices.Contains(h.SupportedVersions, "TLSv1.3") {
		if len(h.SignatureAlgorithms) == 0 {
			lacks = append(lacks, "signature_algorithms")
		}
		if len(h.SupportedGroups) == 0 {
			lacks = append(lacks, "supported_groups")
		}
	}
	if len(lacks) == 0 {
		return "the hello has all that TLS 1.3 demands: the backend wants one of its own"
	}
	return "the hello lacks " + strings.Join(lacks, ", ")
}
