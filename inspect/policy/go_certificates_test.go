package policy

import (
	"testing"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// crypto/tls tries its certificates one after the other. The dimension is that of the one that came furthest.
func TestGoBlamesTheSignatureOfTheCertificateThatCameFurthest(t *testing.T) {
	p, err := Lookup("go/go-1.26")
	if err != nil {
		t.Fatal(err)
	}
	p.Certificates = []CertificateType{CertECDSAP256, CertRSA}
	h := &wire.ClientHello{
		LegacyVersion:    wire.VersionTLS12,
		CipherSuites:     wire.ListOf(wire.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
		SupportedGroups:  wire.ListOf(wire.GroupX25519, wire.GroupSecp256r1),
		SignatureSchemes: wire.ListOf(wire.SchemeRSAPKCS1SHA1),
		PointFormats:     []byte{0},
	}
	p.SignatureSchemes = []wire.SignatureScheme{wire.SchemeRSAPSSRSAESHA256, wire.SchemeECDSASecp256r1SHA256}
	if r := Negotiate(h, p); r.Accepted || r.RejectedBy != DimensionSignature {
		t.Errorf("got %+v, want a rejection for the signature", r)
	}
}
