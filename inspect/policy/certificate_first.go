package policy

import "github.com/tlstriage/tlstriage/inspect/wire"

// firstCertificate is the certificate that an endpoint with CertificateFirst takes, before it looks at anything else. This is
// HAProxy's rule, which knows a certificate by its kind of key: one for ECDSA if the client lists an ECDSA scheme and a suite
// to go with it, or else RSA if it lists an RSASSA-PKCS1-v1_5 scheme (RSASSA-PSS does not count) or has no list, or else
// whatever is there, other keys first. Up to HAProxy 2.9 a client that names no server has but the first certificate to choose from:
// that endpoint is one of its own.
func firstCertificate(h *wire.ClientHello, certs []CertificateType, by12 bool) int {
	ecdsa, rsa, other := -1, -1, -1
	for i, cert := range certs {
		switch {
		case cert == CertRSA && rsa < 0:
			rsa = i
		case cert.curve() != 0 && ecdsa < 0:
			ecdsa = i
		case cert != CertRSA && cert.curve() == 0 && other < 0:
			other = i
		}
	}
	schemeRSA, schemeECDSA := len(h.SignatureSchemes) == 0, false
	for i := range h.SignatureSchemes.Len() {
		switch h.SignatureSchemes.At(i) & 0xFF {
		case 1:
			schemeRSA = true
		case 3:
			schemeECDSA = true
		}
	}
	switch {
	case ecdsa >= 0 && schemeECDSA && listsECDSASuite(h, by12):
		return ecdsa
	case rsa >= 0 && schemeRSA:
		return rsa
	case other >= 0:
		return other
	case ecdsa >= 0:
		return ecdsa
	}
	return rsa
}

// listsECDSASuite reports whether the client lists a suite that goes with an ECDSA key: one for it, or one of TLS 1.3 unless only
// those of TLS 1.2 count.
func listsECDSASuite(h *wire.ClientHello, by12 bool) bool {
	for i := range h.CipherSuites.Len() {
		info, ok := h.CipherSuites.At(i).Info()
		if ok && info.OpenSSL != "" && (info.Authentication == "ECDSA" || info.TLS13() && !by12) {
			return true
		}
	}
	return false
}
