package diagnose

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
)

var ruleBackendAlert = Rule{
	ID: idBackendAlert, Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:        backendRefuses,
	CausedBy:    []string{"proxy-loop"},
	Title:       "The backend ended the handshake with an alert",
	Citation:    "RFC 8446, Section 6.2",
	Explanation: "The backend refused our hello with an alert that points to none of the usual reasons: internal_error (80) is its own trouble, or a name for which it has no certificate; decode_error (50) or illegal_parameter (47) an old server that trips over a new extension; missing_extension (109) one that wants an extension that the hello does not have; inappropriate_fallback (86) one that takes the hello for a second attempt.",
	check: func(e *evidence) *match {
		if e.backendBy != idBackendAlert {
			return nil
		}
		a := e.backend.alert(inspect.FromServer)
		m := &match{ended: e.backend.failed(), detail: "the backend answered " + spell(a) + e.whichName(), fixes: []inspect.Fix{
			fix(forBackend, "its error log at this second says more", ""),
			fix(forSelf, "find out what in the hello it does not like: leave things out one by one", "openssl s_client -connect "+backendName(e.backend)+" -tls1_2"),
		}}
		switch a.Code {
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
