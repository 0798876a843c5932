package diagnose

import (
	"fmt"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
)

// scanCatalog are the findings that inspect/scan and the command scan make themselves, because no single connection shows them. They are
// described here with all others, and checked there. It is never changed.
var scanCatalog = [...]Rule{
	scanRule("server-expects-proxy-protocol", inspect.SeverityError, "The endpoint expects a PROXY protocol header first", "haproxy.org, doc/proxy-protocol.txt",
		"No plain hello is answered, and the same hello behind a PROXY protocol header is: the endpoint was made to stand behind a load balancer. Check: `tlstriage scan HOST:PORT --proxy-protocol v1`."),
	scanRule("server-refuses-proxy-protocol", inspect.SeverityError, "The endpoint does not take a PROXY protocol header", "haproxy.org, doc/proxy-protocol.txt",
		"With --proxy-protocol no hello is answered, and without it there is an answer. Check: the listen or bind line of the server, which has to expect the header."),
	scanRule("server-starttls-failed", inspect.SeverityError, "The endpoint does not go over to TLS", "RFC 3207; RFC 4217; RFC 9051, Section 6.2.1",
		"The dialogue that asks for TLS (--starttls) was refused, broken off, or answered by something that is not this protocol; the detail has the server's words. An endpoint that speaks TLS from the first byte is said to. Check: `openssl s_client -starttls PROTO -connect HOST:PORT`."),
	scanRule("server-stops-answering", inspect.SeverityWarning, "The endpoint stopped answering after some connections", "",
		"Hellos that it answered before get no answer any more: a firewall, or the server itself, counts connections. What was not asked by then is inconclusive, and never a no. Check: `tlstriage scan --gentle`."),
	scanRule("server-closes-at-random", inspect.SeverityWarning, "The same hello is answered in one way now and in another then", "",
		"Connections were closed without a word, or refused by an alert, with hellos that were answered at another time, or the same hello was answered with another suite or certificate: one of several backends is broken or configured in another way, a queue is full, or connections are limited. Lists that end in such refusals are inconclusive then. Where only connections that were made at the same time failed, all is asked again, one at a time. Check: scan the backends one by one."),
	scanRule("server-large-hello-dropped", inspect.SeverityError, "Long hellos are not answered", "RFC 8446, Section 4; RFC 8701",
		"From a length on, found to the byte, hellos get no answer. About 1400 bytes is what fits a packet: path MTU discovery is broken, or a middlebox wants the hello in one packet. Browsers' hellos with post-quantum key shares have 1700 to 2000 bytes. Warning from 1800 bytes on, info from 4096 on. Check: `ping -M do -s 1472 HOST`."),
	scanRule("server-hello-intolerance", inspect.SeverityError, "The endpoint does not bear what it has to ignore", "RFC 8446, Sections 4.1.2 and 5.1; RFC 8701",
		"An unknown extension, GREASE, a version to come, a request for an OCSP response (stapling that fails), extended_master_secret, a hello of 256 to 511 bytes, many suites, or a hello in several records or segments leads to a failure, while the unchanged hello is answered. Warning where no client sends such a thing today; info for a legacy_version beyond TLS 1.2, which current libraries refuse."),
	scanRule("server-obsolete-version", inspect.SeverityWarning, "Versions that are out of use are accepted", "RFC 6176; RFC 7568; RFC 8996",
		"SSLv2 and SSLv3 protect nothing (error); TLS 1.0 and 1.1 rest on MD5 and SHA-1. Check: `openssl s_client -tls1 -cipher DEFAULT@SECLEVEL=0 -connect HOST:PORT`."),
	scanRule("server-weak-ciphers", inspect.SeverityWarning, "Weak cipher suites are accepted", "RFC 9325, Section 4.1",
		"Error for those that protect nothing: NULL, anonymous, EXPORT, DES. Warning for RC4, 3DES, IDEA and MD5. The finding lists them."),
	scanRule("server-no-forward-secrecy", inspect.SeverityWarning, "No suite has forward secrecy", "RFC 9325, Section 4.1",
		"Who gets hold of the server's key later can read all that was recorded before. Newer clients offer no such suites any more."),
	scanRule("server-weak-dh", inspect.SeverityError, "Diffie-Hellman parameters are too small", "RFC 9325, Section 4.1; RFC 7919",
		"A DHE suite comes with a prime of less than 2048 bits (warning) or up to 1024 bits. The parameters of every suite and version are read: servers take shorter ones for anonymous and EXPORT suites, and for those with keys of 128 bits. Clients call it \"dh key too small\"."),
	scanRule("server-weak-group", inspect.SeverityWarning, "Weak curves are accepted", "RFC 8422, Section 5.1.1",
		"Curves of less than 224 bits give less than 112 bits of security."),
	scanRule("server-weak-signature", inspect.SeverityInfo, "Handshakes are signed with SHA-1 for clients that offer nothing better", "RFC 9155, Section 4",
		"A client that offers only SHA-1 gets such a signature. It harms nobody who offers more."),
	scanRule("server-sha1-in-tls13", inspect.SeverityInfo, "Handshakes of TLS 1.3 are signed with SHA-1", "RFC 8446, Sections 4.2.3 and 4.4.3",
		"A client of TLS 1.3 that offers only a scheme of SHA-1 gets such a signature, which the standard forbids; Java does that with a key on P-256. It harms nobody who offers more."),
	scanRule("server-version-breaks-off", inspect.SeverityError, "A version is chosen, and no handshake in it gets as far as the certificate", "RFC 8446, Sections 4.2.3 and 4.4.2.2",
		"The endpoint answers with a ServerHello, and breaks off each time before its certificate comes: every client that offers the version fails, although an older one may work. The likeliest reason is that it has no signature scheme for TLS 1.3 (only rsa_pkcs1, or none that fits its key), or none to ask clients for. Check: `openssl s_client -tls1_3 -connect HOST:PORT`, and -tls1_2 beside it."),
	scanRule("server-insecure-renegotiation", inspect.SeverityWarning, "Secure renegotiation is not supported", "RFC 5746, Section 3.6",
		"The server does not answer renegotiation_info. OpenSSL 3 refuses such servers: \"unsafe legacy renegotiation disabled\"."),
	scanRule("server-compression", inspect.SeverityWarning, "TLS compression is on", "RFC 9325, Section 3.3",
		"The length of what is compressed gives secrets away (CRIME)."),
	scanRule("server-heartbeat", inspect.SeverityInfo, "The heartbeat extension is on", "RFC 6520",
		"Nothing needs it over TCP, and libraries that have it are old. Whether it gives memory away (Heartbleed) is not tried."),
	scanRule("server-no-fallback-scsv", inspect.SeverityInfo, "A fallback to an older version is not noticed", "RFC 7507, Section 3",
		"TLS_FALLBACK_SCSV in a hello of an older version is ignored. Warning where versions before TLS 1.2 are accepted."),
	scanRule("server-no-tls13", inspect.SeverityInfo, "TLS 1.3 is not spoken", "RFC 9325, Section 3.1.1", "Clients that speak TLS 1.3 alone get protocol_version."),
	scanRule("server-no-post-quantum", inspect.SeverityInfo, "No post-quantum key exchange is accepted", "draft-ietf-tls-ecdhe-mlkem",
		"Clients that offer X25519MLKEM768 fall back to an elliptic curve; what is recorded today can be read when there are quantum computers."),
	scanRule("server-early-data", inspect.SeverityInfo, "0-RTT data is allowed", "RFC 8446, Section 8; RFC 8470",
		"Tickets allow early data, which an attacker can send again: the application must bear requests that come twice (HTTP 425)."),
	scanRule("server-only-pre-shared-keys", inspect.SeverityInfo, "The endpoint has suites for pre-shared keys or passwords alone", "RFC 4279; RFC 5054",
		"It presents no certificate, and a handshake cannot be finished without a key that it knows. That is no fault."),
	scanRule("server-name-required", inspect.SeverityInfo, "Clients that send no server name are refused", "RFC 6066, Section 3",
		"Health checks by address, old Java and scripts with an IP address fail here. Check: `openssl s_client -noservername -connect HOST:PORT`."),
	scanRule("server-name-form-refused", inspect.SeverityInfo, "A form of the right name is not taken for it", "RFC 6066, Section 3; RFC 4343",
		"Names are the same in upper and lower case; a client that sends the dot at the end of the name breaks the rule, and some do."),
	scanRule("server-addresses-differ", inspect.SeverityWarning, "The addresses of the name differ", "",
		"What is accepted or presented is not the same at all addresses: they are not behind the same configuration. Info where only sessions are not shared."),
	scanRule("server-policy-drift", inspect.SeverityError, "The endpoint does not have the policy that it should have", "",
		"With --policy: what the endpoint accepts beyond the policy, or falls short of, by the same hellos asked of both. A known policy that fits exactly is named."),
	scanRule("server-changed", inspect.SeverityError, "The endpoint is not as it was in the baseline", "",
		"With --baseline: any difference from the earlier scan; a warning where only certificates were renewed. What was inconclusive in either differs from nothing."),
	scanRule("server-refuses-clients", inspect.SeverityWarning, "Clients cannot talk to the endpoint", "",
		"With --clients, --from or --as: whose hellos are refused, with the first thing that they have not in common with the endpoint. Error for recorded clients and for --as. Check: --explain finds the cause by experiment."),
	scanRule("server-clients-need-name", inspect.SeverityInfo, "Clients of the gallery need to send a server name", "RFC 6066, Section 3",
		"Their samples were captured without a server name, and the endpoint wants one; with the right name they are taken."),
	scanRule("scan-inconclusive", inspect.SeverityInfo, "Not everything could be found out", "",
		"Questions that got no answer: silence, a bound on connections, a scan that was ended. They are listed, and never a no. Check: `tlstriage scan --gentle`."),
}

func scanRule(id string, severity inspect.Severity, title, citation, explanation string) Rule {
	return Rule{ID: id, Severity: severity, Leg: inspect.LegBackend, Fault: inspect.FaultBackend, Title: title, Citation: citation, Explanation: explanation}
}

// ScanRules lists the findings that only a scan makes.
func ScanRules() []Rule { return append([]Rule(nil), scanCatalog[:]...) }

// writeScanCatalogue writes their part of docs/findings.md.
func writeScanCatalogue(b *strings.Builder) {
	b.WriteString("\n## What a scan finds\n\nOf an endpoint that was asked many times ([scan.md](scan.md)); whoever runs it must act. What a single connection shows, the rules above say of it, too.\n\n| finding | severity | what |\n|---|---|---|\n")
	for _, r := range scanCatalog {
		fmt.Fprintf(b, "| [`%s`](#%s) | %s | %s |\n", r.ID, r.ID, r.Severity, r.Title)
	}
	for _, r := range scanCatalog {
		fmt.Fprintf(b, "\n### %s\n\n**%s.** %s\n\nSeverity %s.", r.ID, r.Title, r.Explanation, r.Severity)
		if r.Citation != "" {
			b.WriteString(" " + r.Citation + ".")
		}
		b.WriteString("\n")
	}
}
