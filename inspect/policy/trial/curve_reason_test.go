package trial

import (
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// A client that shares a group with the endpoint, but does not list the curve of its only certificate, is told about the certificate.
func TestTheCurveOfTheCertificateIsTheReason(t *testing.T) {
	p := &policy.Policy{Name: "own", Family: policy.FamilyOpenSSL, Versions: []wire.Version{wire.VersionTLS12}, CipherSuites: []wire.CipherSuite{wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
		Groups: []wire.NamedGroup{wire.GroupSecp256r1, wire.GroupSecp384r1}, Certificates: []policy.CertificateType{policy.CertECDSAP256}}
	h := &wire.ClientHello{LegacyVersion: wire.VersionTLS12, CipherSuites: wire.ListOf(p.CipherSuites...), SupportedGroups: wire.ListOf(wire.GroupSecp384r1), HasExtensions: true}
	r := policy.Negotiate(h, p)
	o := r.Outcome(h, p)
	if r.Accepted || r.RejectedBy != policy.DimensionGroup || !slices.Equal(o.Accepts, []string{"secp256r1"}) || !slices.Equal(o.Offered, []string{"secp384r1"}) {
		t.Fatalf("%+v, %+v", r, o)
	}
	if text := reason(h, r); !strings.Contains(text, "the curve of the certificate, secp256r1,") {
		t.Error(text)
	}
	h.SupportedGroups = nil
	if text := reason(h, policy.Negotiate(h, p)); !strings.Contains(text, "lists no key exchange groups") {
		t.Error(text)
	}
	h.SupportedGroups = wire.ListOf(wire.GroupX25519)
	if r := policy.Negotiate(h, p); r.CertificateCurve != 0 || reason(h, r) != "no key exchange group in common" {
		t.Errorf("%+v: %s", r, reason(h, r))
	}
}

// Clients with a name that a library refuses do not speak for others of their shape.
func TestNamesThatAreRefusedAreCountedAlone(t *testing.T) {
	long := strings.Repeat("a", 300)
	p := lookup(t, "openssl-s_server-3.0")
	for _, name := range []string{long, "a\x00b"} {
		if !malformed(name) {
			t.Errorf("%q", name)
		}
	}
	tally := counts{"curl-7.88.1-default": 5}.tally(t)
	shapes := tally.Shapes()
	shapes[0].Hello.ServerName = []byte(long)
	shapes[0].Names[0].Connections--
	shapes[0].Names = append(shapes[0].Names, shapes[0].Names[0])
	shapes[0].Names[1].Name, shapes[0].Names[1].Connections = long, 1
	verdicts, _ := On(p).judge(&shapes[0])
	var lost, all int64
	for _, v := range verdicts {
		if all += v.connections; !v.result.Accepted {
			lost += v.connections
		}
	}
	if lost != 1 || all != 5 {
		t.Errorf("%d of %d are lost, want 1 of 5: %+v", lost, all, verdicts)
	}
}
