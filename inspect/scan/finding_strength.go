package scan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// obsoleteVersion: versions that RFC 6176, RFC 7568 and RFC 8996 have taken out of use.
func obsoleteVersion(r *Report) *inspect.Finding {
	var old []string
	severity := inspect.SeverityWarning
	citation := "RFC 8996 (TLS 1.0, 1.1)"
	for _, v := range versions() {
		if v >= wire.VersionTLS12 || !r.accepts(v) {
			continue
		}
		old = append(old, v.String())
		if v <= wire.VersionSSLv3 {
			severity, citation = inspect.SeverityError, "RFC 6176 (SSLv2), RFC 7568 (SSLv3), RFC 8996 (TLS 1.0, 1.1)"
		}
	}
	if old == nil {
		return nil
	}
	detail := fmt.Sprintf("Hellos of %s are answered.", list(old))
	if severity == inspect.SeverityError {
		detail += " SSLv2 and SSLv3 protect nothing: what is sent over them can be read and forged (DROWN, POODLE)."
	} else {
		detail += " They rest on MD5 and SHA-1; browsers and most libraries have given them up."
	}
	return &inspect.Finding{
		ID: FindingObsoleteVersion, Severity: severity, Title: "Versions that are out of use are accepted", Detail: detail, Accepted: r.Versions,
		Fixes: versionFixes(), Citation: citation,
	}
}

// weakness is why a suite is weak; empty: it is not. Serious ones protect nothing at all.
func weakness(s wire.CipherSuite) (reason string, serious bool) {
	switch info, _ := s.Info(); {
	case info.Encryption == "NULL":
		return "NULL (nothing is encrypted)", true
	case info.Authentication == "anon", info.KeyExchange == "NULL", info.Authentication == "NULL":
		return "anonymous (anybody in the middle is believed)", true
	case info.Export:
		return "EXPORT (keys of 40 to 56 bits)", true
	case info.Encryption == "DES", info.Encryption == "RC2":
		return info.Encryption + " (56 bits or less)", true
	case info.Encryption == "RC4":
		return "RC4 (RFC 7465)", false
	case info.Encryption == "3DES", info.Encryption == "IDEA":
		return info.Encryption + " (blocks of 64 bits: SWEET32)", false
	case info.MAC == "MD5":
		return "MD5", false
	}
	return "", false
}

func weakCiphers(r *Report) *inspect.Finding {
	severity := inspect.SeverityWarning
	var reasons []string
	var suites []string
	for _, v := range versions() {
		for _, s := range r.suites(v) {
			reason, serious := weakness(s)
			if reason == "" {
				continue
			}
			if serious {
				severity = inspect.SeverityError
			}
			if !slices.Contains(reasons, reason) {
				reasons = append(reasons, reason)
			}
			if !slices.Contains(suites, s.String()) {
				suites = append(suites, s.String())
			}
		}
	}
	for _, name := range r.Ciphers[wire.VersionSSLv2.String()] { // all of them are weak, and some protect nothing
		reason := "MD5"
		if strings.Contains(name, "EXPORT") {
			reason, severity = "EXPORT (keys of 40 to 56 bits)", inspect.SeverityError
		} else if strings.Contains(name, "DES_64") {
			reason, severity = "DES (56 bits or less)", inspect.SeverityError
		}
		if !slices.Contains(reasons, reason) {
			reasons = append(reasons, reason)
		}
		suites = append(suites, name)
	}
	if reasons == nil {
		return nil
	}
	return &inspect.Finding{
		ID: FindingWeakCiphers, Severity: severity, Title: "Weak cipher suites are accepted",
		Detail:   fmt.Sprintf("%s: %s.", plural(len(suites), "suite that is weak is", "suites that are weak are")+" accepted", strings.Join(reasons, "; ")),
		Accepted: suites, Fixes: cipherFixes(), Citation: "RFC 9325, Section 4.1",
	}
}

func noForwardSecrecy(r *Report) *inspect.Finding {
	if r.accepts(wire.VersionTLS13) {
		return nil
	}
	some := false
	for _, v := range versions() {
		for _, s := range r.suites(v) {
			some = true
			if info, _ := s.Info(); info.ForwardSecrecy {
				return nil
			}
		}
	}
	if !some {
		return nil
	}
	return &inspect.Finding{
		ID: FindingForwardSecrecy, Severity: inspect.SeverityWarning, Title: "No suite has forward secrecy",
		Detail: "Who gets hold of the server's key later can read all that was recorded before. Newer clients offer no such suites any more.",
		Fixes:  cipherFixes(), Citation: "RFC 9325, Section 4.1",
	}
}

func weakDH(r *Report) *inspect.Finding {
	var weak []string
	severity := inspect.SeverityWarning
	for _, f := range r.FiniteFields {
		if f.Bits >= 2048 {
			continue
		}
		if f.Bits <= 1024 {
			severity = inspect.SeverityError
		}
		text := fmt.Sprintf("%d bits", f.Bits)
		if f.Known != "" {
			text += " (" + f.Known + ", which many use, so that breaking it once pays)"
		}
		if n := len(f.Ciphers); n > 0 && n <= 3 {
			text += " in " + list(f.Ciphers)
		} else if n > 0 {
			text += fmt.Sprintf(" in %s and %d more", strings.Join(f.Ciphers[:2], ", "), n-2)
		}
		weak = append(weak, text)
	}
	if weak == nil {
		return nil
	}
	return &inspect.Finding{
		ID: FindingWeakDH, Severity: severity, Title: "Diffie-Hellman parameters are too small",
		Detail: "DHE suites use a prime of " + list(weak) + ". Java, OpenSSL and browsers refuse primes of less than 1024 or 2048 bits (\"dh key too small\").",
		Fixes: []inspect.Fix{
			{Target: "nginx", Action: "Use parameters of 2048 bits or more, or no DHE suites", Snippet: "ssl_dhparam /etc/nginx/ffdhe2048.pem;  # openssl genpkey -genparam -algorithm DH -pkeyopt group:ffdhe2048"},
			{Target: "haproxy", Action: "Raise the default", Snippet: "global\n    tune.ssl.default-dh-param 2048"},
			{Target: "java", Action: "Raise the size of ephemeral keys", Snippet: "-Djdk.tls.ephemeralDHKeySize=2048"},
		},
		Citation: "RFC 9325, Section 4.1; RFC 7919",
	}
}

func weakGroup(r *Report) *inspect.Finding {
	var weak []string
	for _, v := range versions() {
		for _, g := range r.groups[v] {
			if info, _ := g.Info(); info.Weak && !slices.Contains(weak, g.String()) {
				weak = append(weak, g.String())
			}
		}
	}
	if weak == nil {
		return nil
	}
	return &inspect.Finding{
		ID: FindingWeakGroup, Severity: inspect.SeverityWarning, Title: "Weak curves are accepted",
		Detail: "Curves of less than 224 bits give less than 112 bits of security: " + list(weak) + ".", Accepted: r.Groups,
		Fixes: []inspect.Fix{
			{Target: "nginx", Action: "Name the curves", Snippet: "ssl_ecdh_curve X25519:prime256v1:secp384r1;"},
			{Target: "haproxy", Action: "Name the curves", Snippet: "bind :443 ssl crt … curves X25519:P-256:P-384"},
		},
		Citation: "RFC 8422, Section 5.1.1",
	}
}

func weakSignature(r *Report) *inspect.Finding {
	var weak []string
	for v, schemes := range r.SchemesByVersion {
		if v != wire.VersionTLS13.String() {
			weak = append(weak, weakSchemes(schemes)...)
		}
	}
	if weak == nil {
		return nil
	}
	return &inspect.Finding{
		ID: FindingWeakSignature, Severity: inspect.SeverityInfo, Title: "Handshakes are signed with SHA-1 for clients that offer nothing better",
		Detail:   fmt.Sprintf("A client that offers only %s gets such a signature. \"Servers MUST NOT include MD5 and SHA-1 in ServerKeyExchange messages.\"", list(weak)),
		Accepted: r.SignatureSchemes, Citation: "RFC 9155, Section 4",
		Fixes: []inspect.Fix{{Target: "openssl", Action: "Name the signature algorithms, or take the system's security level of 2 or more", Snippet: "SignatureAlgorithms = ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA384:RSA+SHA384"}},
	}
}

// sha1In13: what TLS 1.3 has for certificates alone.
func sha1In13(r *Report) *inspect.Finding {
	weak := weakSchemes(r.SchemesByVersion[wire.VersionTLS13.String()])
	if weak == nil {
		return nil
	}
	return &inspect.Finding{
		ID: FindingSHA1In13, Severity: inspect.SeverityInfo, Title: "Handshakes of TLS 1.3 are signed with SHA-1",
		Detail:   fmt.Sprintf("A client of TLS 1.3 that offers only %s gets such a signature, in place of an alert. \"The SHA-1 algorithm MUST NOT be used in any signatures of CertificateVerify messages.\"", list(weak)),
		Accepted: r.SchemesByVersion[wire.VersionTLS13.String()], Citation: "RFC 8446, Sections 4.2.3 and 4.4.3",
		Fixes: []inspect.Fix{
			{Target: "java", Action: "Name the schemes", Snippet: "-Djdk.tls.server.SignatureSchemes=ecdsa_secp256r1_sha256,ecdsa_secp384r1_sha384,rsa_pss_rsae_sha256,rsa_pss_rsae_sha384,rsa_pkcs1_sha256,rsa_pkcs1_sha384"},
			{Target: "java", Action: "Or disable them in handshakes", Snippet: "jdk.tls.disabledAlgorithms=…, SHA1 usage HandshakeSignature"},
		},
	}
}

// weakSchemes are those with a hash that is broken.
func weakSchemes(names []string) (weak []string) {
	for _, name := range names {
		if s, ok := wire.SignatureSchemeByName(name); ok {
			if info, _ := s.Info(); info.Hash == "SHA1" || info.Hash == "MD5" {
				weak = append(weak, name)
			}
		}
	}
	return weak
}

func noTLS13(r *Report) *inspect.Finding {
	answer, asked := r.VersionAnswers[wire.VersionTLS13.String()]
	if r.newest() == 0 || !asked || answer.Reply != No || r.Tolerance[ToleranceVersions].Reply == No { // then it is said what clients of TLS 1.3 meet
		return nil
	}
	return &inspect.Finding{
		ID: FindingNoTLS13, Severity: inspect.SeverityInfo, Title: "TLS 1.3 is not spoken",
		Detail: "The newest version is " + r.newest().String() + ". Clients that speak TLS 1.3 alone get protocol_version.", Accepted: r.Versions,
		Fixes: []inspect.Fix{
			{Target: "nginx", Action: "Enable it", Snippet: "ssl_protocols TLSv1.2 TLSv1.3;"},
			{Target: "aws/alb", Action: "Take a policy with TLS 1.3", Snippet: "aws elbv2 modify-listener --listener-arn ARN --ssl-policy ELBSecurityPolicy-TLS13-1-2-2021-06"},
		},
		Citation: "RFC 9325, Section 3.1.1",
	}
}

func noPostQuantum(r *Report) *inspect.Finding {
	if !r.accepts(wire.VersionTLS13) || len(r.groups[wire.VersionTLS13]) == 0 {
		return nil
	}
	for _, g := range r.groups[wire.VersionTLS13] {
		if info, _ := g.Info(); info.PostQuantum {
			return nil
		}
	}
	return &inspect.Finding{
		ID: FindingNoPostQuantum, Severity: inspect.SeverityInfo, Title: "No post-quantum key exchange is accepted",
		Detail:   "Clients that offer X25519MLKEM768 fall back to an elliptic curve; what is recorded today can be read when there are quantum computers.",
		Accepted: names(r.groups[wire.VersionTLS13]),
		Fixes:    []inspect.Fix{{Target: "nginx", Action: "With OpenSSL 3.5 or later", Snippet: "ssl_ecdh_curve X25519MLKEM768:X25519:prime256v1;"}},
		Citation: "draft-ietf-tls-ecdhe-mlkem",
	}
}

func versionFixes() []inspect.Fix {
	return []inspect.Fix{
		{Target: "nginx", Action: "Name the versions", Snippet: "ssl_protocols TLSv1.2 TLSv1.3;"},
		{Target: "haproxy", Action: "Set the lowest version", Snippet: "global\n    ssl-default-bind-options ssl-min-ver TLSv1.2"},
		{Target: "apache", Action: "Name the versions", Snippet: "SSLProtocol -all +TLSv1.2 +TLSv1.3"},
		{Target: "aws/alb", Action: "Take a policy without them", Snippet: "aws elbv2 modify-listener --listener-arn ARN --ssl-policy ELBSecurityPolicy-TLS13-1-2-2021-06"},
		{Target: "java", Action: "Disable them", Snippet: "jdk.tls.disabledAlgorithms=SSLv3, TLSv1, TLSv1.1, RC4, DES, MD5withRSA, DH keySize < 1024"},
	}
}

func cipherFixes() []inspect.Fix {
	const modern = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
	return []inspect.Fix{
		{Target: "nginx", Action: "Name the suites", Snippet: "ssl_ciphers " + modern + ";"},
		{Target: "haproxy", Action: "Name the suites", Snippet: "global\n    ssl-default-bind-ciphers " + modern},
		{Target: "apache", Action: "Name the suites", Snippet: "SSLCipherSuite " + modern},
	}
}

// list is a list in a sentence.
func list(items []string) string {
	switch n := len(items); n {
	case 0:
		return ""
	case 1:
		return items[0]
	default:
		return strings.Join(items[:n-1], ", ") + " and " + items[n-1]
	}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
