package why

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"fmt"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// certificateCause names a client certificate that is missing, or was refused.
func (r *run) certificateCause(x *probe.Exchange) {
	answer := "the connection ends"
	if x.Alert != nil {
		answer = fmt.Sprintf("alert %s (%d)", x.Alert.Description, uint8(x.Alert.Description))
	}
	f := found{axis: AxisClientCertificate}
	if r.Certificate == nil {
		f.id = ClientCertificateRequired
		f.evidence = fmt.Sprintf("%s: it asks for a client certificate%s; after an empty one: %s", x.Version, authorities(x), answer)
		f.sentence = "The endpoint requires a client certificate, and the client presents none."
		f.fix = "Give the client a certificate of one of the authorities that the endpoint names."
	} else {
		f.id = ClientCertificateRefused
		f.evidence = fmt.Sprintf("%s: it asks for a client certificate%s; after the client's: %s", x.Version, authorities(x), answer)
		f.sentence = "The endpoint refuses the client's certificate" + refusal(x) + "."
		f.fix = "Have the endpoint trust the authority of the client's certificate, or use another certificate."
	}
	r.add(f)
}

// refusal is what an alert says about a certificate (RFC 8446, Section 6.2).
func refusal(x *probe.Exchange) string {
	if x.Alert == nil {
		return ""
	}
	switch x.Alert.Description {
	case wire.AlertUnknownCA:
		return ": it does not know the authority that issued it"
	case wire.AlertCertificateExpired:
		return ": it has expired, or is not valid yet"
	case wire.AlertCertificateRevoked:
		return ": it is revoked"
	case wire.AlertUnsupportedCertificate:
		return ": it is of a kind or for a purpose that is not accepted"
	case wire.AlertBadCertificate:
		return ": it finds it bad"
	case wire.AlertAccessDenied:
		return ": it is valid, and access is denied"
	}
	return ""
}

// authorities names what the server accepts, as far as it says so.
func authorities(x *probe.Exchange) string {
	const shown = 3
	var names []string
	more := 0
	for der := range x.CertificateRequest.Authorities() {
		switch name, ok := inspect.DistinguishedName(der); {
		case ok && len(names) < shown:
			names = append(names, name)
		default:
			more++
		}
	}
	switch {
	case len(names) == 0:
		return ""
	case more > 0:
		return fmt.Sprintf(" of %s and %d more", strings.Join(names, ", "), more)
	}
	return " of " + strings.Join(names, ", ")
}

// wantsCertificate reports whether an HTTP answer refuses a request for want of a client certificate.
func wantsCertificate(answer []byte) (status string, ok bool) {
	rest, ok := bytes.CutPrefix(answer, []byte("HTTP/"))
	if !ok {
		return "", false
	}
	line, _, _ := bytes.Cut(rest, []byte("\r\n"))
	_, code, _ := strings.Cut(string(line), " ")
	if !strings.HasPrefix(code, "4") {
		return "", false
	}
	return inspect.Bounded(code), bytes.Contains(bytes.ToLower(answer), []byte("certificate"))
}

// curveOfCertificate is the group of the curve that the endpoint's certificate has its key on; empty: it is of another kind.
func curveOfCertificate(x *probe.Exchange) string {
	if x == nil || len(x.Certificates) == 0 {
		return ""
	}
	leaf, err := x509.ParseCertificate(x.Certificates[0])
	if err != nil {
		return ""
	}
	key, ok := leaf.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return ""
	}
	switch key.Curve {
	case elliptic.P256():
		return wire.GroupSecp256r1.String()
	case elliptic.P384():
		return wire.GroupSecp384r1.String()
	case elliptic.P521():
		return wire.GroupSecp521r1.String()
	}
	return ""
}
