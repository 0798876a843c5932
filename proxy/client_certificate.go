package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// clientCertificateError is our own refusal of a client for its certificate, after crypto/tls had nothing to say against it.
type clientCertificateError struct {
	resumed bool // it is the one that the resumed session was made with
	err     error
}

func (e *clientCertificateError) Error() string {
	if e.resumed {
		return "client certificate of the resumed session: " + e.err.Error()
	}
	return "client certificate: " + e.err.Error()
}

func (e *clientCertificateError) Unwrap() error { return e.err }

var errNoClientCertificate = errors.New("required, and there is none")

// verifyClient checks the client's certificate anew where crypto/tls would rely on the session that is resumed (a session must
// not outlive the trust it was made with), and asks VerifyClient.
func (r *Route) verifyClient(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		if state.DidResume && r.ClientAuth == tls.RequireAndVerifyClientCert {
			return &clientCertificateError{true, errNoClientCertificate}
		}
		return nil // crypto/tls has refused the client, if it must have one
	}
	if state.DidResume && r.ClientAuth >= tls.VerifyClientCertIfGiven {
		chains, err := r.verifyAgain(state.PeerCertificates)
		if err != nil {
			return &clientCertificateError{true, err}
		}
		state.VerifiedChains = chains
	}
	if r.VerifyClient == nil {
		return nil
	}
	if err := r.VerifyClient(state); err != nil {
		return &clientCertificateError{state.DidResume, err}
	}
	return nil
}

func (r *Route) verifyAgain(presented []*x509.Certificate) ([][]*x509.Certificate, error) {
	intermediates := x509.NewCertPool()
	for _, c := range presented[1:] {
		intermediates.AddCert(c)
	}
	chains, err := presented[0].Verify(x509.VerifyOptions{
		Roots:         r.ClientCAs,
		Intermediates: intermediates,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return nil, &tls.CertificateVerificationError{UnverifiedCertificates: presented, Err: err}
	}
	return chains, nil
}

// refusedCertificate reports whether the client was refused for its certificate, and keeps the alert for it where nobody else
// saw it: in TLS 1.3 it is encrypted.
func (c *connection) refusedCertificate(err error) bool {
	alert, ok := certificateAlert(err)
	if !ok {
		return false
	}
	if alert == wire.AlertCertificateRequired && c.clientTLS != nil && c.clientTLS.ConnectionState().Version < tls.VersionTLS13 {
		alert = wire.AlertHandshakeFailure // which is older than the other (RFC 8446, Section 6.2)
	}
	c.clientAlerts = append(c.clientAlerts, newAlert(alert, inspect.FromServer))
	return true
}

// certificateAlert is the alert that crypto/tls sends for an error about a client's certificate; false: the error is none.
func certificateAlert(err error) (wire.AlertDescription, bool) {
	var own *clientCertificateError
	if errors.As(err, &own) {
		return wire.AlertBadCertificate, true
	}
	var refused *tls.CertificateVerificationError
	if errors.As(err, &refused) {
		var unknown x509.UnknownAuthorityError
		var invalid x509.CertificateInvalidError
		if errors.As(refused.Err, &unknown) {
			return wire.AlertUnknownCA, true
		} else if errors.As(refused.Err, &invalid) && invalid.Reason == x509.Expired {
			return wire.AlertCertificateExpired, true
		}
		return wire.AlertBadCertificate, true
	}
	text := err.Error()
	for _, known := range certificateTexts {
		if strings.HasPrefix(text, known.begins) {
			return known.alert, true
		}
	}
	if strings.HasSuffix(text, largeCertificates) {
		return wire.AlertInternalError, true
	}
	return 0, false
}

// How crypto/tls ends what it says of a Certificate message beyond its bound; other messages have another.
const largeCertificates = "exceeds maximum of 262144 bytes"

// What crypto/tls says of a client whose certificate it does not even verify, or that could not prove that the certificate is
// its own. It has no types for these errors.
var certificateTexts = [...]struct {
	begins string
	alert  wire.AlertDescription
}{
	{"tls: client didn't provide a certificate", wire.AlertCertificateRequired},
	{"tls: invalid signature by the client certificate", wire.AlertDecryptError},
	{"tls: client certificate used with invalid signature algorithm", wire.AlertIllegalParameter},
	{"tls: client certificate contains an unsupported public key", wire.AlertUnsupportedCertificate},
	{"tls: client sent certificate containing RSA key larger than", wire.AlertBadCertificate},
	{"tls: failed to parse client certificate", wire.AlertDecodeError},
}
