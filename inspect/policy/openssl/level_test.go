package openssl

import (
	"encoding/hex"
	"fmt"
	"slices"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// helloOf parses what OpenSSL sent: one record, one message. No record of a handshake: OpenSSL found nothing to send.
func helloOf(t *testing.T, v verdict) (wire.ClientHello, bool) {
	t.Helper()
	raw, err := hex.DecodeString(v.Hello)
	if err != nil {
		t.Fatal(err)
	}
	var h wire.ClientHello
	if len(raw) < 6 || raw[0] != byte(wire.ContentTypeHandshake) {
		return h, false
	}
	if err := wire.ParseClientHello(raw[5:], &h); err != nil {
		t.Fatal(err)
	}
	return h, true
}

// TestSecurityLevelTakesAwayWhatOpenSSLLeavesOut has OpenSSL clients of every level say what they would use.
func TestSecurityLevelTakesAwayWhatOpenSSLLeavesOut(t *testing.T) {
	groups := "X25519:P-256:X448:P-521:P-384:ffdhe2048:ffdhe3072:ffdhe4096:ffdhe6144:ffdhe8192:K-163:sect163r1:B-163:sect193r1:sect193r2:K-233:B-233:sect239k1:" +
		"K-283:B-283:K-409:B-409:K-571:B-571:secp160k1:secp160r1:secp160r2:secp192k1:P-192:secp224k1:P-224:secp256k1:brainpoolP256r1:brainpoolP384r1:brainpoolP512r1"
	var questions []question
	for level := range 6 {
		list := fmt.Sprintf("ALL:COMPLEMENTOFALL:@SECLEVEL=%d", level)
		questions = append(questions, question{Cipher: &list, Groups: &groups, Hello: true})
	}
	for level, v := range askOpenSSL(t, questions) {
		h, ok := helloOf(t, v)
		if !ok {
			t.Fatalf("level %d: no hello: %+v", level, v)
		}
		e, err := Ciphers(*questions[level].Cipher, Options{})
		if err != nil {
			t.Fatal(err)
		}
		p := &policy.Policy{CipherSuites: e.All(), SignatureSchemes: DefaultSignatureAlgorithms(), Versions: []wire.Version{wire.VersionTLS10, wire.VersionTLS11, wire.VersionTLS12, wire.VersionTLS13}}
		if p.Groups, err = Groups(groups, Options{}); err != nil {
			t.Fatal(err)
		}
		ApplyLevel(p, e.SecurityLevel, Options{})
		// A client without the callbacks for them offers neither PSK nor SRP, and signals renegotiation.
		p.CipherSuites = slices.DeleteFunc(p.CipherSuites, func(c wire.CipherSuite) bool {
			for i := range suiteTable {
				if suiteTable[i].code == c {
					return suiteTable[i].kx&^(kxRSA|kxDHE|kxECDHE) != 0
				}
			}
			return false
		})
		offered := slices.DeleteFunc(h.CipherSuites.Slice(), func(c wire.CipherSuite) bool { return c == wire.EmptyRenegotiationInfoSCSV })
		same(t, level, "suites", p.CipherSuites, offered)
		same(t, level, "groups", p.Groups, h.SupportedGroups.Slice())
		same(t, level, "schemes", p.SignatureSchemes, h.SignatureSchemes.Slice())
		versions := slices.Concat(p.Versions, p.BlockedVersions) // what cannot work is chosen all the same
		slices.Sort(versions)
		slices.Reverse(versions)
		same(t, level, "versions", versions, h.SupportedVersions.Slice())
	}
}

func same[T comparable](t *testing.T, level int, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("level %d: %s: %v\nOpenSSL: %v", level, what, got, want)
	}
}

// TestLevelOnOldRelease: 1.1.1 signs with MD5 and SHA-1 at the default level, so that TLS 1.0 works there.
func TestLevelOnOldRelease(t *testing.T) {
	all := []wire.Version{wire.VersionTLS10, wire.VersionTLS11, wire.VersionTLS12}
	p := &policy.Policy{Versions: all, SignatureSchemes: []wire.SignatureScheme{wire.SchemeRSAPKCS1SHA1, wire.SchemeRSAPKCS1SHA256}}
	if told := ApplyLevel(p, 1, Options{Version: "1.1.1"}); len(told) > 0 || !slices.Equal(p.Versions, all) || len(p.SignatureSchemes) != 2 {
		t.Errorf("1.1.1 at level 1: %v, %v, %v", told, p.Versions, p.SignatureSchemes)
	}
	ApplyLevel(p, 2, Options{Version: "1.1.1k"})
	if !slices.Equal(p.Versions, all) || len(p.SignatureSchemes) != 1 {
		t.Errorf("1.1.1 at level 2: %v, %v", p.Versions, p.SignatureSchemes)
	}
	told := ApplyLevel(p, 3, Options{Version: "1.1.1k"})
	if slices.Contains(p.Versions, wire.VersionTLS10) || len(told) != 1 || told[0] != "security level 3 takes out versions TLSv1.0" {
		t.Errorf("1.1.1 at level 3: %v, %v", told, p.Versions)
	}
}

// TestLevelTellsOfKeys: a P-256 certificate is too short for level 4, at which OpenSSL refuses to load it.
func TestLevelTellsOfKeys(t *testing.T) {
	p := &policy.Policy{Certificates: []policy.CertificateType{policy.CertRSA, policy.CertECDSAP256, policy.CertECDSAP384}}
	told := ApplyLevel(p, 4, Options{})
	if len(told) != 1 || told[0] != "security level 4 takes out certificate keys ecdsa-p256" {
		t.Error(told)
	}
	if p.SecurityLevel != 4 || MinRSABits(p.SecurityLevel) != 7680 {
		t.Errorf("level %d wants RSA keys of %d bits", p.SecurityLevel, MinRSABits(p.SecurityLevel))
	}
}
