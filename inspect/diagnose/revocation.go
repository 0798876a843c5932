package diagnose

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

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
	return &noRevocation
}

// stapled is the stapled OCSP response as the record describes it; never nil.
func (c *chainEvidence) stapled() *inspect.OCSP {
	if s := c.view.server.OCSP; s != nil && s.Stapled {
		return s
	}
	return &noStaple
}

// What stands for what a record does not have. They are never written.
var (
	noRevocation inspect.Revocation
	noStaple     inspect.OCSP
)

// known reports whether anything came about revocation, was asked, or should have come.
func (c *chainEvidence) known() bool {
	return c.view.server != nil && (c.view.server.Revocation != nil || c.view.server.OCSP != nil) || c.mustStaple
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

// stillAsked is what to say where no answer has come yet; nil where none is waited for.
func (c *chainEvidence) stillAsked() *match {
	if c.revocation().Status != inspect.RevocationPending {
		return nil
	}
	m := &match{leg: c.leg, severity: inspect.SeverityInfo, title: "Whether the backend's certificate is revoked is not known yet",
		detail: "the answer had not come when this connection was made, and a handshake does not wait for it; later ones tell"}
	for i, x := range c.withStatus(inspect.RevocationPending) {
		if i == 0 {
			m.detail += ". Asked about: "
		} else {
			m.detail += "; "
		}
		m.detail += whichCertificate(x)
	}
	return m
}

// whichCertificate names a certificate of the chain for a sentence.
func whichCertificate(x *inspect.CertificateRevocation) string {
	what := "the backend's certificate"
	if x.Index > 0 {
		what = fmt.Sprintf("certificate %d of the chain, above the backend's own,", x.Index)
	}
	if x.Subject != "" {
		what += " (" + boundTo(x.Subject, 128) + ")"
	}
	return what
}

// notAllowed are the entries of certificates whose responder or list was not asked because its host is neither public nor allowed.
// The record has only the sentence in which package revocation says so.
func notAllowed(list []*inspect.CertificateRevocation) []*inspect.CertificateRevocation {
	var out []*inspect.CertificateRevocation
	for _, x := range list {
		if strings.Contains(x.Detail, "only public addresses and allowed hosts are asked") || strings.Contains(x.Detail, "without being allowed, hosts are asked") {
			out = append(out, x)
		}
	}
	return out
}

// allowHosts says how to let the hosts be asked that entries name.
func allowHosts(list []*inspect.CertificateRevocation) inspect.Fix {
	const most = 4 // an OCSP responder and a list for the certificate and the one above it
	var hosts []string
	for _, x := range list {
		for _, place := range append([]string{x.URL}, quoted(boundTo(x.Detail, maxDetail))...) {
			if h := askedHost(place); h != "" && !slices.Contains(hosts, h) && len(hosts) < most {
				hosts = append(hosts, h)
			}
		}
	}
	if len(hosts) == 0 {
		hosts = []string{"HOST"}
	}
	return fix(forSelf, "allow the host to be asked: without that only public addresses are, at port 80", "--revocation-host "+strings.Join(hosts, ","))
}

// quoted are the parts of a sentence between quotation marks: that is how it names URLs.
func quoted(s string) []string {
	var out []string
	for i, part := range strings.Split(s, "\"") {
		if i%2 == 1 {
			out = append(out, part)
		}
	}
	return out
}

// askedHost is the host of an http URL, with its port where it has one, as --revocation-host takes it. It is empty where it has
// characters that have no place in one: the fix is for a shell.
func askedHost(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" || len(u.Host) > 255 || strings.HasPrefix(u.Host, "-") {
		return ""
	}
	if strings.ContainsFunc(u.Host, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(".-_:[]", r))
	}) {
		return ""
	}
	return strings.TrimSuffix(u.Host, ":")
}

// saidBy says what settled it.
func saidBy(x *inspect.CertificateRevocation) string {
	var by string
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
