package diagnose

import (
	"slices"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

var ruleSignatureNoOverlap = Rule{
	ID: "signature-no-overlap", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	when:     clientLegDown,
	Title:    "The client accepts no signature that the server can make",
	Citation: "RFC 8446, Section 4.2.3; RFC 9155",
	Explanation: "None of the client's signature algorithms fits the server's certificate key: a client that knows only RSA before an ECDSA certificate, one that knows only SHA-1, or one without RSA-PSS, which " +
		"TLS 1.3 demands of RSA keys. Check: `openssl s_client -sigalgs RSA+SHA256:ECDSA+SHA256 -connect HOST:PORT`.",
	check: func(e *evidence) *match {
		if e.refusal != policy.DimensionSignature {
			return nil
		}
		m := e.noOverlap(policy.DimensionSignature, "signature algorithm")
		if both := common(m.offered, m.accepted); !e.foreign() && len(both) > 0 {
			// Its certificate cannot sign in what both know, so that its key is of another kind.
			m.accepted = slices.DeleteFunc(slices.Clone(m.accepted), func(s string) bool {
				return slices.ContainsFunc(both, func(known string) bool { return s == known || keyKind(s) == "rsa" && keyKind(known) == "rsa" })
			})
			m.detail = "the client offers " + enumerate(m.offered) + "; the certificate for it signs in none of these, and what else this program knows is " + enumerate(m.accepted)
			if a := e.client.alert(inspect.FromServer); a != nil {
				m.detail += "; the server answered " + spell(a)
			}
		}
		m.fixes = signatureFixes()
		return m
	},
}

func signatureFixes() []inspect.Fix {
	return []inspect.Fix{
		fix(forClient, "let it accept RSA and ECDSA with SHA-256 (rsa_pss_rsae_sha256, rsa_pkcs1_sha256, ecdsa_secp256r1_sha256)", ""),
		fix(forNginx, "serve an RSA and an ECDSA certificate side by side", "ssl_certificate rsa.pem; ssl_certificate_key rsa.key;\nssl_certificate ecdsa.pem; ssl_certificate_key ecdsa.key;"),
		fix(forHAProxy, "serve an RSA and an ECDSA certificate side by side", "bind :443 ssl crt site.pem  # with site.pem.rsa and site.pem.ecdsa beside it"),
		fix(forALB, "add a certificate of the other key type to the listener", "aws elbv2 add-listener-certificates --listener-arn LISTENER_ARN --certificates CertificateArn=ARN"),
		fix(forApache, "serve an RSA and an ECDSA certificate side by side", "SSLCertificateFile rsa.pem\nSSLCertificateKeyFile rsa.key\nSSLCertificateFile ecdsa.pem\nSSLCertificateKeyFile ecdsa.key"),
	}
}
