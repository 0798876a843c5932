package diagnose

import (
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
)

// Of a certificate that this proxy serves and a client refuses, what is known to be wrong with it is said first.
func TestRefusedCertificatesThatAreServed(t *testing.T) {
	refused := func(code uint8, name string, chain ...inspect.Certificate) *inspect.Connection {
		return frontFails(inspect.ErrorAlertReceived, inspect.PhaseHandshake, clientAlert(inspect.FromClient, code, name), func(c *inspect.Connection) {
			c.ClientLeg.TLS.Server = &inspect.Server{CertificateChain: chain}
		})
	}
	leaf := func(edit ...func(*inspect.Certificate)) inspect.Certificate {
		x := inspect.Certificate{Subject: "CN=" + siteName, Issuer: "CN=Issuing CA", AlternativeNames: []string{siteName}, NotBefore: noon.AddDate(0, -1, 0), NotAfter: noon.AddDate(0, 1, 0),
			PublicKeyAlgorithm: "RSA", PublicKeySize: 2048, SignatureAlgorithm: "SHA256-RSA"}
		for _, f := range edit {
			f(&x)
		}
		return x
	}
	intermediate := leaf(func(x *inspect.Certificate) { x.Subject, x.Issuer = "CN=Issuing CA", "CN=Root" })
	small := leaf(func(x *inspect.Certificate) { x.PublicKeySize = 1024 })
	sha1 := leaf(func(x *inspect.Certificate) { x.SignatureAlgorithm = "SHA1-RSA" })
	own := leaf(func(x *inspect.Certificate) { x.Issuer = "CN=tlstriage local CA box,O=tlstriage" })
	self := leaf(func(x *inspect.Certificate) { x.Issuer = x.Subject })
	for _, tt := range []struct {
		name  string
		in    *inspect.Connection
		fault inspect.Fault
		words string
	}{
		{"a leaf alone", refused(48, "unknown_ca", leaf()), inspect.FaultClient, "certs fix"}, // nobody here knows whether its issuer is a root
		{"with its intermediate", refused(48, "unknown_ca", leaf(), intermediate), inspect.FaultClient, "The client refuses the server's certificate"},
		{"of this program's own authority", refused(48, "unknown_ca", own), inspect.FaultClient, "tlstriage ca export"},
		{"signed by itself", refused(48, "unknown_ca", self), inspect.FaultClient, "tlstriage ca export"},
		{"a leaf alone, of which something else is refused", refused(42, "bad_certificate", leaf()), inspect.FaultClient, "bad_certificate"},
		{"a small key", refused(42, "bad_certificate", small, intermediate), inspect.FaultProxy, "1024 bits"},
		{"SHA-1", refused(42, "bad_certificate", sha1, intermediate), inspect.FaultProxy, "SHA1-RSA"},
		{"a small key, and the issuer is not known", refused(48, "unknown_ca", small, intermediate), inspect.FaultClient, "unknown_ca"},
	} {
		c := tt.in
		(&Diagnoser{}).Diagnose(c)
		said := c.Findings[0].Title + c.Findings[0].Detail
		for _, x := range c.Findings[0].Fixes {
			said += x.Snippet
		}
		if c.Cause != "server-cert-rejected-by-client" || c.Fault != tt.fault || !strings.Contains(said, tt.words) {
			t.Errorf("%s: %s, fault %s; want fault %s and %q: %s", tt.name, c.Cause, c.Fault, tt.fault, tt.words, said)
		}
	}
}
