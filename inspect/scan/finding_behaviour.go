package scan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

func proxyProtocolExpected(r *Report) *inspect.Finding {
	if !r.ProxyHeaderExpected {
		return nil
	}
	return &inspect.Finding{
		ID: FindingProxyProtocol, Severity: inspect.SeverityError, Title: "The endpoint expects a PROXY protocol header first",
		Detail: "A plain hello is not answered; the same hello behind a PROXY protocol header is.",
		Fixes: []inspect.Fix{
			{Target: "nginx", Action: "Clients that come directly need a listener without it", Snippet: "listen 443 ssl;  # not: listen 443 ssl proxy_protocol;"},
			{Target: "haproxy", Action: "On a frontend that clients reach directly, leave accept-proxy out; on the load balancer before it, send the header", Snippet: "server app 10.0.0.5:443 send-proxy-v2"},
			{Target: "aws/nlb", Action: "Let the target group send the header", Snippet: "aws elbv2 modify-target-group-attributes --target-group-arn ARN --attributes Key=proxy_protocol_v2.enabled,Value=true"},
		},
		Citation: "haproxy.org, doc/proxy-protocol.txt",
	}
}

func proxyProtocolRefused(r *Report) *inspect.Finding {
	if !r.ProxyHeaderRefused {
		return nil
	}
	return &inspect.Finding{
		ID: FindingProxyRefused, Severity: inspect.SeverityError, Title: "The endpoint does not take a PROXY protocol header",
		Detail: "Behind a PROXY protocol header no hello is answered; without one the same hello is.",
		Fixes: []inspect.Fix{
			{Target: "tlstriage", Action: "Ask without it", Snippet: "tlstriage scan HOST:PORT  # not: --proxy-protocol"},
			{Target: "nginx", Action: "Or let the endpoint expect one", Snippet: "listen 443 ssl proxy_protocol;"},
			{Target: "haproxy", Action: "Or let the endpoint expect one", Snippet: "bind :443 ssl crt FILE accept-proxy"},
		},
		Citation: "haproxy.org, doc/proxy-protocol.txt",
	}
}

func startTLSFailed(r *Report) *inspect.Finding {
	b := r.BrokenLayer()
	if b == nil || b.Name != LayerFirstBytes || !r.startTLSFailed {
		return nil
	}
	return &inspect.Finding{
		ID: FindingNotTLSUpgrade, Severity: inspect.SeverityError, Title: "The endpoint does not go over to TLS", Detail: b.Sentence,
	}
}

func stopsAnswering(r *Report) *inspect.Finding {
	if r.StoppedAfter == 0 {
		return nil
	}
	return &inspect.Finding{
		ID: FindingStopped, Severity: inspect.SeverityWarning, Title: fmt.Sprintf("The endpoint stopped answering after %d connections", r.StoppedAfter),
		Detail: "Hellos that it answered before get no answer any more: a firewall or the server itself counts connections. What was not asked by then is inconclusive.",
		Fixes:  []inspect.Fix{{Target: "tlstriage", Action: "Scan again, slowly", Snippet: "tlstriage scan --gentle HOST:PORT"}},
	}
}

func closesAtRandom(r *Report) *inspect.Finding {
	if r.ClosedAtRandom+r.RefusedAtRandom+len(r.AnswersDiffer) == 0 && !r.OneAtATime ||
		r.StoppedAfter > 0 && r.RefusedAtRandom+len(r.AnswersDiffer) == 0 && !r.OneAtATime { // it closed the door: that is said
		return nil
	}
	f := &inspect.Finding{
		ID: FindingUnsteady, Severity: inspect.SeverityWarning, Title: "Connections are closed now and then, whatever the hello",
		Fixes: []inspect.Fix{{Target: "load balancer", Action: "Look at each backend by itself: scan them by address", Snippet: "tlstriage scan BACKEND:PORT --sni NAME"}},
	}
	const why = "one of several backends is broken or configured in another way, a queue is full, or connections are limited. Clients see that as failures that come and go. Lists that rest on refusals are inconclusive."
	switch {
	case r.OneAtATime:
		f.Title = "Connections fail while there are others"
		f.Detail = "Hellos that are answered by themselves were refused, or closed, while other connections were open: the endpoint limits them. What stands here was asked one at a time."
		f.Fixes = []inspect.Fix{{Target: "tlstriage", Action: "Scan with one connection at a time from the beginning", Snippet: "tlstriage scan --concurrency 1 HOST:PORT"}}
	case len(r.AnswersDiffer) > 0:
		f.Title = "The same hello is answered in different ways"
		f.Detail = fmt.Sprintf("%s: several endpoints that are configured differently stand behind this address (a deployment that is under way, or nodes that were forgotten). What is listed here is true of one of them or of the other.", list(r.AnswersDiffer))
	case r.RefusedAtRandom > 0:
		f.Title = "Hellos are refused now and then, whatever they hold"
		f.Detail = fmt.Sprintf("Of %d connections at least %d ended in an alert, or were closed, with hellos that were answered at another time: ", r.Connections, r.RefusedAtRandom+r.ClosedAtRandom) + why
	default:
		f.Detail = fmt.Sprintf("Of %d connections at least %d were closed without a word with hellos that were answered at another time: ", r.Connections, r.ClosedAtRandom) + why
	}
	return f
}

// onlyPreShared: nobody can talk to the endpoint who has no key of it, which is nothing wrong.
func onlyPreShared(r *Report) *inspect.Finding {
	some := false
	for _, v := range versions() {
		for _, s := range r.suites(v) {
			if classOfSuite(s) != classPreShare {
				return nil
			}
			some = true
		}
	}
	if !some {
		return nil
	}
	return &inspect.Finding{
		ID: FindingPreShared, Severity: inspect.SeverityInfo, Title: "The endpoint has suites for pre-shared keys or passwords alone",
		Detail:   "It presents no certificate, and a handshake cannot be finished without a key that it knows. That is no fault; what comes behind the ServerHello was not tried.",
		Citation: "RFC 4279; RFC 5054",
	}
}

func largeHelloDropped(r *Report) *inspect.Finding {
	l := r.HelloLimit
	if l == nil {
		return nil
	}
	f := &inspect.Finding{
		ID: FindingLargeHello, Severity: inspect.SeverityInfo, Title: "Long hellos are not answered",
		Detail:   fmt.Sprintf("A hello of %d bytes is answered, one of %d is not (%s).", l.Answered, l.Failed, l.Evidence),
		Citation: "RFC 8446, Section 4; RFC 8701",
	}
	switch {
	case l.Failed <= sizeSplit:
		f.Severity = inspect.SeverityError
		f.Detail += " The hello of a browser of today, with a post-quantum key share and ECH, has 1700 to 2000 bytes: browsers fail here."
	case l.Failed <= sizeLarge:
		f.Severity = inspect.SeverityWarning
		f.Detail += " Hellos with tickets and several key shares come near."
	}
	if l.Answered > 1000 && l.Failed <= 1500 && l.Silent {
		f.Detail += " The limit is that of one packet: path MTU discovery is broken on the way (ICMP is filtered, a tunnel takes a part of each packet)."
		f.Fixes = append(f.Fixes,
			inspect.Fix{Target: "network", Action: "Let ICMP \"fragmentation needed\" and \"packet too big\" through, or clamp the MSS", Snippet: "iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu"})
	}
	f.Fixes = append(f.Fixes,
		inspect.Fix{Target: "firewall", Action: "Update what inspects TLS on the way, or take the endpoint out of the inspection: it has to put a hello together from several packets"},
		inspect.Fix{Target: "haproxy", Action: "Give the inspection of hellos a larger buffer", Snippet: "global\n    tune.bufsize 32768"})
	return f
}

// groupsOfBrowsers are the most that a browser offers (Firefox, with two of RFC 7919).
const groupsOfBrowsers = 7

// intolerance: what is harmless and may be sent, and leads to a refusal.
func intolerance(r *Report) *inspect.Finding {
	words := map[string]string{
		ToleranceFutureVersion: "a version of the future in supported_versions", ToleranceLegacyVersion: "a version beyond TLS 1.2 in legacy_version",
		ToleranceExtension: "an unknown extension", ToleranceGREASE: "GREASE values", ToleranceManySuites: "a hello with all suites", ToleranceManyGroups: fmt.Sprintf("a hello with more than %d groups", r.GroupLimit),
		ToleranceSmallRecords: "a hello in several records", ToleranceSegments: "a hello in several TCP segments", TolerancePadded: "a hello of 256 to 511 bytes",
		ToleranceStatusRequest: "a request for an OCSP response (status_request)", ToleranceEMS: "extended_master_secret", ToleranceEtM: "encrypt_then_mac",
		ToleranceTicket: "session_ticket", ToleranceALPN: "application protocols (ALPN)", ToleranceVersions: "supported_versions, which every client of TLS 1.3 sends",
	}
	if a, ok := r.Tolerance[ToleranceVersions]; ok && a.Reply == No {
		delete(words, ToleranceFutureVersion) // said by the other
	}
	var not, detail []string
	for _, name := range []string{
		ToleranceVersions, ToleranceALPN, ToleranceExtension, ToleranceGREASE, ToleranceFutureVersion, ToleranceLegacyVersion, TolerancePadded, ToleranceStatusRequest, ToleranceEMS, ToleranceEtM, ToleranceTicket, ToleranceManyGroups, ToleranceManySuites, ToleranceSegments, ToleranceSmallRecords,
	} {
		if a, ok := r.Tolerance[name]; ok && a.Reply == No && words[name] != "" {
			not = append(not, words[name])
			detail = append(detail, fmt.Sprintf("%s: %s", words[name], a.Evidence))
		}
	}
	if not == nil {
		return nil
	}
	severity := inspect.SeverityError // browsers send the first four
	fixes := []inspect.Fix{{Target: "server", Action: "Update the TLS library, or the firewall or load balancer that stands before it"}}
	if len(not) == 1 && r.Tolerance[ToleranceLegacyVersion].Reply == No {
		return &inspect.Finding{
			ID: FindingIntolerance, Severity: inspect.SeverityInfo, Title: "The endpoint does not bear " + not[0],
			Detail:   "No client sends that any more since TLS 1.3 has supported_versions, and current libraries refuse it (Go's, for one). " + detail[0] + ".",
			Citation: "RFC 5246, Appendix E.1; RFC 8446, Section 4.1.2",
		}
	}
	if a, ok := r.Tolerance[ToleranceStatusRequest]; ok && a.Reply == No {
		fixes = append([]inspect.Fix{
			{Target: "nginx", Action: "Mend stapling (the responder must be reached, a file must hold a response), or turn it off", Snippet: "ssl_stapling off;"},
		}, fixes...)
	}
	if !slices.ContainsFunc([]string{ToleranceExtension, ToleranceGREASE, ToleranceFutureVersion, TolerancePadded, ToleranceSegments, ToleranceStatusRequest, ToleranceEMS, ToleranceTicket, ToleranceALPN, ToleranceVersions}, func(t string) bool {
		a, ok := r.Tolerance[t]
		return ok && a.Reply == No
	}) && (r.GroupLimit == 0 || r.GroupLimit >= groupsOfBrowsers) {
		severity = inspect.SeverityWarning
	}
	return &inspect.Finding{
		ID: FindingIntolerance, Severity: severity, Title: "The endpoint does not bear " + list(not),
		Detail:   "A server has to ignore what it does not know. " + strings.Join(detail, "; ") + ".",
		Citation: "RFC 8446, Sections 4.1.2 and 5.1; RFC 8701",
		Fixes:    fixes,
	}
}

// answered reports the answer to a feature.
func (r *Report) answered(feature string, reply Reply) bool {
	a, ok := r.Features[feature]
	return ok && a.Reply == reply
}

func insecureRenegotiation(r *Report) *inspect.Finding {
	if !r.answered(FeatureRenegotiation, No) {
		return nil
	}
	return &inspect.Finding{
		ID: FindingRenegotiation, Severity: inspect.SeverityWarning, Title: "Secure renegotiation is not supported",
		Detail:   "The server does not answer renegotiation_info. OpenSSL 3 refuses such servers: \"unsafe legacy renegotiation disabled\".",
		Citation: "RFC 5746, Section 3.6",
		Fixes:    []inspect.Fix{{Target: "server", Action: "Update the TLS library (OpenSSL 0.9.8m, Java 6u22, Schannel of 2010 and later have it)"}},
	}
}

func compression(r *Report) *inspect.Finding {
	if !r.answered(FeatureCompression, Yes) {
		return nil
	}
	return &inspect.Finding{
		ID: FindingCompression, Severity: inspect.SeverityWarning, Title: "TLS compression is on", Detail: "The length of what is compressed gives secrets away (CRIME).",
		Citation: "RFC 9325, Section 3.3",
		Fixes:    []inspect.Fix{{Target: "apache", Action: "Turn it off", Snippet: "SSLCompression off"}, {Target: "openssl", Action: "Turn it off", Snippet: "Options = -Compression"}},
	}
}

func heartbeat(r *Report) *inspect.Finding {
	if !r.answered(FeatureHeartbeat, Yes) {
		return nil
	}
	return &inspect.Finding{
		ID: FindingHeartbeat, Severity: inspect.SeverityInfo, Title: "The heartbeat extension is on",
		Detail:   "Nothing needs it over TCP, and libraries that have it are old: those before OpenSSL 1.0.1g give their memory away by it (Heartbleed). Whether this one does was not tried.",
		Citation: "RFC 6520",
	}
}

func noFallback(r *Report) *inspect.Finding {
	if !r.answered(FeatureFallbackSCSV, No) {
		return nil
	}
	severity := inspect.SeverityInfo
	if r.accepts(wire.VersionSSLv3) || r.accepts(wire.VersionTLS10) || r.accepts(wire.VersionTLS11) {
		severity = inspect.SeverityWarning
	}
	return &inspect.Finding{
		ID: FindingFallback, Severity: severity, Title: "A fallback to an older version is not noticed",
		Detail:   "TLS_FALLBACK_SCSV is ignored: " + r.Features[FeatureFallbackSCSV].Evidence + ".",
		Citation: "RFC 7507, Section 3",
	}
}

func earlyData(r *Report) *inspect.Finding {
	if r.MaxEarlyData == 0 {
		return nil
	}
	return &inspect.Finding{
		ID: FindingEarlyData, Severity: inspect.SeverityInfo, Title: "0-RTT data is allowed",
		Detail:   fmt.Sprintf("Tickets allow %d bytes of early data, which an attacker can send again: the application must bear requests that come twice (HTTP 425).", r.MaxEarlyData),
		Citation: "RFC 8446, Section 8; RFC 8470",
	}
}

// nameForm: a form of the right name that is refused, or gets another certificate.
func nameForm(r *Report) *inspect.Finding {
	i := slices.IndexFunc(r.SNI, func(n NameAnswer) bool { return n.Form == NameRight && n.Reply == Yes })
	if i < 0 {
		return nil
	}
	var odd []string
	for _, n := range r.SNI {
		if n.Form != NameUpper && n.Form != NameDot {
			continue
		}
		switch {
		case n.Reply == No:
			odd = append(odd, fmt.Sprintf("%q is refused (%s)", n.Name, n.Evidence))
		case n.Reply == Yes && !n.Same && n.Fingerprint != "":
			odd = append(odd, fmt.Sprintf("%q gets another certificate (%s)", n.Name, n.Subject))
		}
	}
	if odd == nil {
		return nil
	}
	return &inspect.Finding{
		ID: FindingNameForm, Severity: inspect.SeverityInfo, Title: "A form of the right name is not taken for it", Detail: list(odd) + ".",
		Citation: "RFC 6066, Section 3; RFC 4343",
	}
}

func nameRequired(r *Report) *inspect.Finding {
	right := slices.IndexFunc(r.SNI, func(n NameAnswer) bool { return n.Form == NameRight && n.Reply == Yes })
	none := slices.IndexFunc(r.SNI, func(n NameAnswer) bool { return n.Form == NameNone && n.Reply == No })
	if right < 0 || none < 0 {
		return nil
	}
	return &inspect.Finding{
		ID: FindingNameRequired, Severity: inspect.SeverityInfo, Title: "Clients that send no server name are refused",
		Detail:   "Without server_name: " + r.SNI[none].Evidence + ". Health checks by address, old Java and scripts with --insecure and an IP address fail here.",
		Citation: "RFC 6066, Section 3",
	}
}

func inconclusive(r *Report) *inspect.Finding {
	if len(r.Inconclusive) == 0 || r.newest() == 0 && len(r.Certificates) == 0 {
		return nil
	}
	count := " Endpoints that count connections need --gentle."
	if r.Partial && r.StoppedAfter == 0 {
		count = " The scan was ended, or reached its bound on connections (--max-connections)."
	}
	return &inspect.Finding{
		ID: FindingInconclusive, Severity: inspect.SeverityInfo, Title: "Not everything could be found out",
		Detail: strings.Join(r.Inconclusive[:min(len(r.Inconclusive), 8)], "; ") + "." + count,
	}
}
