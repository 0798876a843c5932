package diagnose

import (
	"crypto/x509"
	"slices"
	"strconv"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

// clientCertFault is what was wrong with a client's certificate.
type clientCertFault uint8

const (
	certFine clientCertFault = iota
	certMissing
	certOutOfDate
	certUntrusted
	certWithdrawn
	certMisused     // it is not for clients
	certUnsupported // its key signs in no way that the server takes
	certUnproven    // the client could not prove that it has the key
)

// clientCertificate says whether the server of the client leg refused the client for its certificate, and why. A server's
// alert about a certificate can only be about the client's.
func (e *evidence) clientCertificate() clientCertFault {
	v := e.client
	if e.rejects(policy.DimensionClientCertificate) && !v.established() {
		return certMissing
	}
	asked := v.server.CertificateRequest
	sent := v.hello.Certificate != nil || asked != nil && asked.CertificateSent
	a := v.alert(inspect.FromServer)
	refused := v.is(inspect.ErrorClientCertificate)
	unseen := !sent && e.clientBytesMissing()
	if a != nil {
		switch {
		case a.Code == alertCertificateRequired, a.Code == alertNoCertificate:
			return certMissing
		case a.Code == alertDecryptError && (refused || sent):
			return certUnproven
		case refusesCertificate(a.Code):
			refused = true
		case a.Code == alertHandshakeFailure && !sent && e.sentEmptyCertificate():
			return certMissing
		case a.Code == alertHandshakeFailure && unseen:
			// What the client answered is not known.
		case a.Code == alertHandshakeFailure && asked != nil && !sent:
			return certMissing
		case (a.Code == alertHandshakeFailure || a.Code == alertAccessDenied) && sent:
			refused = true // nothing else was left to refuse
		}
	}
	if !refused {
		return certFine
	}
	if !sent && !unseen {
		return certMissing
	}
	return e.whyRefused(v)
}

// sentEmptyCertificate reports whether a Certificate message of the client was seen that had no certificate in it.
func (e *evidence) sentEmptyCertificate() bool {
	v := e.client
	return v.hello.Certificate == nil && v.tls.Handshake != nil && strings.Contains(v.tls.Handshake.History, "X")
}

// wentWithoutCertificate reports whether a captured handshake was done although the client answered the wish for a certificate with none.
func (e *evidence) wentWithoutCertificate() bool {
	v := e.client
	return e.c.Event.Source == inspect.SourceCapture && v.established() && v.server.CertificateRequest != nil && !v.server.CertificateRequest.CertificateSent && e.sentEmptyCertificate()
}

// clientBytesMissing reports whether the client said something that a capture does not have, among which its certificate may be.
func (e *evidence) clientBytesMissing() bool {
	c := e.c.Capture
	return c != nil && (c.Client.LostBytes > 0 || c.OneWay == inspect.FromServer) && !e.sentEmptyCertificate()
}

// whyRefused is why the server of a leg refused the certificate that came: what its alert says, else what is to be seen in the
// certificate and in what the server asked for.
func (e *evidence) whyRefused(v view) clientCertFault {
	x := v.hello.Certificate
	var code uint8
	if a := v.alert(inspect.FromServer); a != nil {
		code = a.Code
	}
	switch {
	case code == alertCertificateRevoked, v.hello.Revocation != nil && v.hello.Revocation.Status == inspect.RevocationRevoked:
		return certWithdrawn // crypto/tls never sends certificate_revoked
	case code == alertCertificateExpired, x != nil && !x.NotAfter.IsZero() && (e.now.After(x.NotAfter) || e.now.Before(x.NotBefore)):
		return certOutOfDate
	case code == alertDecryptError:
		return certUnproven
	case code == alertUnknownCA:
		return certUntrusted
	}
	forClients, known := clientUsage(x)
	switch {
	case known && !forClients:
		return certMisused
	case !signs(x, v):
		return certUnsupported
	case code == alertUnsupportedCertificate && known:
		return certUnsupported
	case code == alertUnsupportedCertificate:
		return certMisused // what OpenSSL answers to a wrong purpose
	}
	return certUntrusted
}

// clientUsage says whether a certificate may authenticate a client (RFC 5280, Section 4.2.1.12; RFC 8446, Section 4.4.2.2), and whether that
// can be told: its bytes must be in the record.
func clientUsage(x *inspect.Certificate) (may, known bool) {
	if x == nil || len(x.Raw) == 0 {
		return false, false
	}
	c, err := x509.ParseCertificate(x.Raw)
	if err != nil {
		return false, false
	}
	if c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return false, true
	}
	if len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0 {
		return true, true
	}
	return slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth) || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny), true
}

// signs reports whether the key of a certificate can sign in one of the schemes that the server of a leg takes (RFC 8446,
// Section 4.2.3); true where that cannot be told.
func signs(x *inspect.Certificate, v view) bool {
	r := v.server.CertificateRequest
	if x == nil || r == nil || len(r.SignatureAlgorithms) == 0 {
		return true
	}
	tls13 := v.tls.Version == "TLSv1.3"
	fits := func(string) bool { return true }
	switch x.PublicKeyAlgorithm {
	case "RSA":
		fits = func(s string) bool {
			return strings.HasPrefix(s, "rsa_") && (!tls13 || strings.HasPrefix(s, "rsa_pss_rsae_"))
		}
	case "ECDSA":
		curve := map[int]string{256: "ecdsa_secp256r1_", 384: "ecdsa_secp384r1_", 521: "ecdsa_secp521r1_"}[x.PublicKeySize]
		fits = func(s string) bool {
			return strings.HasPrefix(s, "ecdsa_") && (!tls13 || curve != "" && strings.HasPrefix(s, curve))
		}
	case "Ed25519":
		fits = func(s string) bool { return s == "ed25519" }
	case "DSA":
		fits = func(s string) bool { return strings.HasPrefix(s, "dsa_") && !tls13 }
	}
	return slices.ContainsFunc(r.SignatureAlgorithms, fits)
}

// keyWords names the key of a certificate.
func keyWords(x *inspect.Certificate) string {
	if x == nil || x.PublicKeyAlgorithm == "" {
		return "a key of a kind that was not seen"
	}
	s := "a key of kind " + boundTo(x.PublicKeyAlgorithm, 64)
	if x.PublicKeySize > 0 {
		s += " with " + strconv.Itoa(x.PublicKeySize) + " bits"
	}
	return s
}

// clientCertWords describes the certificate of the client of a leg and the server's answer.
func clientCertWords(v view) string {
	s := "the client's certificate was refused"
	if x := v.hello.Certificate; x != nil {
		s = calledWhat(x) + ", issued by " + bound(x.Issuer) + ", valid from " + day(x.NotBefore) + " to " + day(x.NotAfter)
	}
	if a := v.alert(inspect.FromServer); a != nil {
		s += "; the server answered " + spell(a)
	} else if msg := v.message(); msg != "" {
		s += "; " + msg
	}
	if r := v.hello.Revocation; r != nil {
		s += "; " + revocationWords(r)
	}
	return s
}

// revocationWords is what was found out about a certificate that was refused for its revocation.
func revocationWords(r *inspect.Revocation) string {
	for _, c := range r.Certificates {
		if c.Status == r.Status && c.Detail != "" {
			if c.Status == inspect.RevocationUnknown {
				return "nobody vouches for it: " + bound(c.Detail)
			}
			return bound(c.Detail)
		}
	}
	if r.Status == inspect.RevocationUnknown {
		return "nobody vouches for it: no current revocation list covers its issuer"
	}
	return "it is revoked"
}
