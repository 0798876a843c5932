package diagnose

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

var ruleVersionNoOverlap = Rule{
	ID: "version-no-overlap", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	when:     clientLegDown,
	Title:    "Client and server have no TLS version in common",
	Citation: "RFC 8446, Section 4.2.1; RFC 9000, Section 6",
	Explanation: "The handshake failed because the client offers no version that the server accepts; the server answers protocol_version (alert 70), older ones handshake_failure (40) or nothing. Check with the " +
		"client's versions one by one: `openssl s_client -tls1_2 -connect HOST:PORT`. Over QUIC it may be the version of QUIC itself (then the title says so): the server answers with a list of its own.",
	check: func(e *evidence) *match {
		if e.refusal != policy.DimensionVersion || e.quicNegotiation() != nil {
			return nil
		}
		if m := e.quicVersions(); m != nil {
			return m
		}
		m := e.noOverlap(policy.DimensionVersion, "version")
		top := newest(m.offered)
		if a := e.client.alert(inspect.FromServer); a != nil && a.Code == alertInappropriateFallback {
			m.detail = "the client fell back to " + or(top, "an older version") + " after an earlier attempt failed, and the server refuses fallbacks (" + spell(a) + "): look at why the first attempt failed"
			return m
		}
		m.fixes = e.named(append([]inspect.Fix{updateClient(top)}, acceptVersion(top)...))
		return m
	},
}

// quicVersions is the finding where the two have no version of QUIC in common, and did not come as far as TLS; nil where they did.
func (e *evidence) quicVersions() *match {
	if e.c.Transport != inspect.TransportQUIC || !e.client.is(inspect.ErrorNoCommonVersion) || e.client.alert(inspect.FromServer) != nil {
		return nil
	}
	m := &match{
		ended: true, fault: inspect.FaultBackend, title: "Client and server have no version of QUIC in common",
		detail: or(e.client.message(), "the server answered with other versions of QUIC than the client's") + "; TLS was not spoken yet. Clients that have TCP as well fall back to it",
	}
	// Records of before a capture's had a part for QUIC have the server's versions only in this sentence.
	_, versions, _ := strings.Cut(e.client.message(), "the server speaks ")
	if spoken := strings.Split(versions, ", "); slices.Contains(spoken, "v1") {
		m.fault = inspect.FaultClient
		m.fixes = []inspect.Fix{fix(forClient, "update its QUIC library: the server speaks version 1, the one that is published", "")}
		return m
	}
	m.fixes = []inspect.Fix{
		fix(forBackend, "update its QUIC library: it does not speak version 1, the one that is published (RFC 9000)", ""),
		fix(forClient, "or let it use TCP until then", "curl --http2 https://"+plain(e.client.hello.ServerName, "NAME")+"/"),
	}
	return m
}

// updateClient is what to tell whoever runs a client that knows at most a version.
func updateClient(top string) inspect.Fix {
	if legacyVersion(top) {
		return fix(forClient, "update it to a TLS library with TLS 1.2 or 1.3, or turn them on: Java 7 needs a property, .NET 4.5 and Windows Server 2008 R2 a registry key", "-Djdk.tls.client.protocols=TLSv1.2")
	}
	return fix(forClient, "update it to a TLS library with TLS 1.3, or let it offer TLS 1.2 as well", "")
}

// noOverlap is what the rules about the client leg's dimensions have in common: both sets, and who must act.
func (e *evidence) noOverlap(dim policy.Dimension, what string) *match {
	m := &match{ended: true, offered: offered(e.client.hello, dim), accepted: e.accepted(dim), fault: e.blame(dim)}
	m.detail = "the client offers " + enumerate(m.offered)
	switch {
	case len(m.accepted) > 0 && e.foreign():
		m.detail += "; policy " + bound(e.policyName()) + " accepts " + enumerate(m.accepted)
	case len(m.accepted) > 0:
		m.detail += "; the server accepts " + enumerate(m.accepted)
	default:
		m.detail += "; what the server accepts is not known"
	}
	if a := e.client.alert(inspect.FromServer); a != nil {
		m.detail += "; the server answered " + spell(a)
		if a.Code == alertHandshakeFailure && e.foreign() {
			m.detail += ", which names no reason: no common " + what + " is the likeliest here"
		}
	}
	return m
}
