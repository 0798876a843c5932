package diagnose

import (
	"fmt"

	"github.com/tlstriage/tlstriage/inspect"
)

// Modes of the revocation check that ask for more than others.
const (
	revocationStaple  = "staple"
	revocationRequire = "require"
)

// States of a stapled OCSP response in the record.
const (
	stapleGood    = "good"
	stapleRevoked = "revoked"
)

// revocation is what was found out about the revocation of the examined chain; never nil.
func (c *chainEvidence) revocation() *inspect.Revocation {
	if r := c.view.server.Revocation; r != nil {
		return r
	}
	return &inspect.Revocation{}
}

// stapled is the stapled OCSP response as the record describes it; never nil.
func (c *chainEvidence) stapled() *inspect.OCSP {
	if s := c.view.server.OCSP; s != nil && s.Stapled {
		return s
	}
	return &inspect.OCSP{}
}

// mustBeStapled reports whether the leaf asks for a stapled response (RFC 7633).
func (c *chainEvidence) mustBeStapled() bool { return c.mustStaple || c.revocation().MustStaple }

// revoked are the entries of certificates that are revoked.
func (c *chainEvidence) revoked() []*inspect.CertificateRevocation {
	return c.withStatus(inspect.RevocationRevoked)
}

func (c *chainEvidence) withStatus(s inspect.RevocationStatus) []*inspect.CertificateRevocation {
	var list []*inspect.CertificateRevocation
	r := c.revocation()
	for i := range r.Certificates {
		if i == maxLooks {
			break
		}
		if r.Certificates[i].Status == s {
			list = append(list, &r.Certificates[i])
		}
	}
	return list
}

// whichCertificate names a certificate of the chain for a sentence.
func whichCertificate(x *inspect.CertificateRevocation) string {
	what := "the backend's certificate"
	if x.Index > 0 {
		what = fmt.Sprintf("certificate %d of the chain, above the backend's own,", x.Index+1)
	}
	if x.Subject != "" {
		what += " (" + boundTo(x.Subject, 128) + ")"
	}
	return what
}

// saidBy says what settled it.
func saidBy(x *inspect.CertificateRevocation) string {
	by := ""
	switch x.Source {
	case "staple":
		by = "the stapled OCSP response"
	case "ocsp":
		by = "the OCSP responder"
	case "crl":
		by = "the revocation list"
	default:
		return ""
	}
	if x.URL != "" {
		by += " at " + boundTo(x.URL, 128)
	}
	if !x.ThisUpdate.IsZero() {
		by += ", of " + day(x.ThisUpdate)
	}
	return by
}

// watchedOn reports whether the client of a capture has seen the chain and gone on with it: then nothing ended for it.
func (e *evidence) watchedOn() bool { return e.watched() && e.chain.view.established() }

// stapling tells each server how to staple OCSP responses.
func stapling(action string) []inspect.Fix {
	return []inspect.Fix{
		fix(forNginx, action, "ssl_stapling on;\nssl_stapling_verify on;\nssl_trusted_certificate chain.pem;  # intermediates and root\nresolver 127.0.0.1;  # without one nginx does not ask the responder"),
		fix(forHAProxy, action+" (3.0 and later; before that write the answer to site.pem.ocsp and load it)", "global\n  ocsp-update.mode on\n# before 3.0: echo \"set ssl ocsp-response $(base64 -w0 site.pem.ocsp)\" | socat - /run/haproxy/admin.sock"),
		fix(forApache, action, "SSLUseStapling on\nSSLStaplingCache shmcb:/run/httpd/stapling(131072)"),
		fix(forEnvoy, action+"; Envoy serves what it is given and asks nobody", "ocsp_staple_policy: LENIENT_STAPLING\ntls_certificates: [{certificate_chain: {filename: fullchain.pem}, private_key: {filename: leaf.key}, ocsp_staple: {filename: leaf.ocsp}}]"),
		fix(forIngress, action+" in the controller's ConfigMap", "enable-ocsp: \"true\""),
		fix(forALB, "AWS load balancers staple nothing: use a certificate without must-staple", "aws elbv2 modify-listener --listener-arn LISTENER_ARN --certificates CertificateArn=ARN"),
	}
}
