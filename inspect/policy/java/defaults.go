package java

import (
	"strconv"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Options say whose JSSE.
type Options struct {
	// Release is Java's: "17" (the same as empty), "17.0.15", "1.8.0_402", "8u402", "11", "21", "25".
	Release string
	// DisabledTLS is the value of jdk.tls.disabledAlgorithms; nil: what the release comes with.
	DisabledTLS *string
	// DisabledCertPath is the value of jdk.certpath.disabledAlgorithms; nil: what the release comes with. Only entries without
	// constraints concern a handshake.
	DisabledCertPath *string
}

// release is what of Java's release matters here.
type release struct {
	number   int
	patterns bool // TLS_RSA_* and usage HandshakeSignature (24)
}

func releaseOf(text string) (release, error) {
	digits := strings.TrimPrefix(text, "1.")
	if i := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		digits = digits[:i]
	}
	n, err := strconv.Atoi(digits)
	switch {
	case text == "":
		n = 17
	case err != nil || n < 8 || n > 99:
		return release{}, refuse(text, 0, ErrRelease)
	}
	return release{number: n, patterns: n >= 24}, nil
}

// Policy is what a server socket of JSSE accepts that an application has configured nothing of: the release's defaults without
// what is disabled. An application's own suites and protocols take the place of the defaults before that; see Apply.
func Policy(o Options) (*policy.Policy, error) {
	rel, err := releaseOf(o.Release)
	if err != nil {
		return nil, err
	}
	p := &policy.Policy{
		Versions:     []wire.Version{wire.VersionTLS10, wire.VersionTLS11, wire.VersionTLS12, wire.VersionTLS13},
		CipherSuites: defaultSuites(rel), Groups: defaultGroups(rel), SignatureSchemes: defaultSchemes(rel),
		Family: policy.FamilyJSSE, Preference: policy.PreferServer, ClientAuth: policy.ClientAuthNone,
	}
	if rel.number < 13 {
		p.Preference = policy.PreferClient // JDK-8219657
	}
	return p, Apply(p, o)
}

// Apply takes out of a policy (an application's own suites, groups and protocols) what the release of Java disables.
func Apply(p *policy.Policy, o Options) error {
	rel, err := releaseOf(o.Release)
	if err != nil {
		return err
	}
	tlsValue, certValue := defaultDisabledTLS(rel), defaultDisabledCertPath
	if o.DisabledTLS != nil {
		tlsValue = *o.DisabledTLS
	}
	if o.DisabledCertPath != nil {
		certValue = *o.DisabledCertPath
	}
	tls, err := ParseDisabled(tlsValue)
	if err != nil {
		return err
	}
	certpath, err := ParseDisabled(certValue)
	if err != nil {
		return err
	}
	q := p.Clone()
	apply(q, tls, certpath, rel)
	*p = *q
	return nil
}

func defaultDisabledTLS(rel release) string {
	const common = "SSLv3, TLSv1, TLSv1.1, DTLSv1.0, RC4, DES, MD5withRSA, DH keySize < 1024, EC keySize < 224, 3DES_EDE_CBC, anon, NULL, ECDH"
	if rel.patterns {
		return common + ", TLS_RSA_*, rsa_pkcs1_sha1 usage HandshakeSignature, ecdsa_sha1 usage HandshakeSignature, dsa_sha1 usage HandshakeSignature"
	}
	return common
}

const defaultDisabledCertPath = "MD2, MD5, SHA1 jdkCA & usage TLSServer, RSA keySize < 1024, DSA keySize < 1024, EC keySize < 224, SHA1 usage SignedJAR & denyAfter 2019-01-01"

// defaultSuites are the suites that are on before anything is disabled, in order: the strongest bulk cipher first, and of the
// same those with ephemeral keys. ChaCha20 came with 12; 3DES is off by itself since 24.
func defaultSuites(rel release) []wire.CipherSuite {
	all := []wire.CipherSuite{
		0x1302, 0x1301, 0x1303, 0xC02C, 0xC02B, 0xCCA9, 0xC030, 0xCCA8, 0xC02F, 0x009F, 0xCCAA, 0x00A3, 0x009E, 0x00A2, 0xC024, 0xC028, 0xC023, 0xC027,
		0x006B, 0x006A, 0x0067, 0x0040, 0xC02E, 0xC032, 0xC02D, 0xC031, 0xC026, 0xC02A, 0xC025, 0xC029, 0xC00A, 0xC014, 0xC009, 0xC013, 0x0039, 0x0038,
		0x0033, 0x0032, 0xC005, 0xC00F, 0xC004, 0xC00E, 0x009D, 0x009C, 0x003D, 0x003C, 0x0035, 0x002F, 0xC008, 0xC012, 0x0016, 0x0013, 0xC003, 0xC00D, 0x000A,
	}
	var out []wire.CipherSuite
	for _, c := range all {
		info, _ := c.Info()
		if info.Encryption == "CHACHA20" && rel.number < 12 || info.Encryption == "3DES" && rel.number >= 24 {
			continue
		}
		out = append(out, c)
	}
	return out
}

// defaultGroups are in order; X25519 and X448 came with 13.
func defaultGroups(rel release) []wire.NamedGroup {
	groups := []wire.NamedGroup{
		wire.GroupX25519, wire.GroupSecp256r1, wire.GroupSecp384r1, wire.GroupSecp521r1, wire.GroupX448,
		wire.GroupFfdhe2048, wire.GroupFfdhe3072, wire.GroupFfdhe4096, wire.GroupFfdhe6144, wire.GroupFfdhe8192,
	}
	if rel.number < 13 {
		return append(groups[1:4:4], groups[5:]...)
	}
	return groups
}

// defaultSchemes are in order; EdDSA came with 15.
func defaultSchemes(rel release) []wire.SignatureScheme {
	schemes := []wire.SignatureScheme{
		wire.SchemeECDSASecp256r1SHA256, wire.SchemeECDSASecp384r1SHA384, wire.SchemeECDSASecp521r1SHA512, wire.SchemeEd25519, wire.SchemeEd448,
		wire.SchemeRSAPSSRSAESHA256, wire.SchemeRSAPSSRSAESHA384, wire.SchemeRSAPSSRSAESHA512,
		wire.SchemeRSAPSSPSSSHA256, wire.SchemeRSAPSSPSSSHA384, wire.SchemeRSAPSSPSSSHA512,
		wire.SchemeRSAPKCS1SHA256, wire.SchemeRSAPKCS1SHA384, wire.SchemeRSAPKCS1SHA512,
		wire.SchemeDSASHA256, wire.SchemeECDSASHA224, wire.SchemeRSASHA224, wire.SchemeDSASHA224,
		wire.SchemeECDSASHA1, wire.SchemeRSAPKCS1SHA1, wire.SchemeDSASHA1, wire.SchemeRSAMD5,
	}
	if rel.number < 15 {
		return append(schemes[:3:3], schemes[5:]...)
	}
	return schemes
}
