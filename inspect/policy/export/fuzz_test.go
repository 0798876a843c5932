package export_test

import (
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/export"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// drawn is a policy made of bytes: from all suites, groups and schemes that the built-in policies have, and from code points that
// nobody has.
type drawn struct{ data []byte }

func (d *drawn) byte() int {
	if len(d.data) == 0 {
		return 0
	}
	b := d.data[0]
	d.data = d.data[1:]
	return int(b)
}

func (d *drawn) text() string {
	n := d.byte() % 24
	n = min(n, len(d.data))
	s := string(d.data[:n])
	d.data = d.data[n:]
	return s
}

func draw[T any](d *drawn, from []T, most int) []T {
	n := d.byte()
	if n == 255 {
		return nil
	}
	out := []T{}
	for range n % (most + 1) {
		out = append(out, from[(d.byte()<<8|d.byte())%len(from)])
	}
	return out
}

func (d *drawn) texts() []string {
	n := d.byte()
	if n%4 == 0 {
		return nil
	}
	out := []string{}
	for range n % 5 {
		switch d.byte() % 6 {
		case 0:
			out = append(out, "h2")
		case 1:
			out = append(out, "http/1.1")
		case 2:
			out = append(out, "*.example.com")
		case 3:
			out = append(out, "a.example.com")
		case 4:
			out = append(out, "**.b.example.com")
		default:
			out = append(out, d.text())
		}
	}
	return out
}

// codes are the code points that policies are drawn from.
type codes struct {
	suites  []wire.CipherSuite
	groups  []wire.NamedGroup
	schemes []wire.SignatureScheme
}

func allCodes() (c codes) {
	for code := range 1 << 16 {
		if _, known := wire.CipherSuite(code).Info(); known {
			c.suites = append(c.suites, wire.CipherSuite(code))
		}
	}
	for p := range policy.All() {
		c.suites, c.groups, c.schemes = append(c.suites, p.CipherSuites...), append(c.groups, p.Groups...), append(c.schemes, p.SignatureSchemes...)
	}
	c.suites, c.groups, c.schemes = append(c.suites, 0xFEFE), append(c.groups, 0xFEFE, 26, 1, 23), append(c.schemes, 0xFEFE)
	return c
}

func (d *drawn) policy(c codes) *policy.Policy {
	versions := []wire.Version{wire.VersionSSLv3, wire.VersionTLS10, wire.VersionTLS11, wire.VersionTLS12, wire.VersionTLS13, wire.VersionTLS12, wire.VersionTLS13, 0x7F1C}
	// Policies begin with what many have, so that few are such that nobody can say.
	p := &policy.Policy{
		Name: d.text(), Versions: draw(d, versions, 6), CipherSuites: draw(d, c.suites, 24), Groups: draw(d, c.groups, 8), SignatureSchemes: draw(d, c.schemes, 12),
		Preference: policy.Preference(d.byte() % 4), ALPN: d.texts(), ALPNRequired: d.byte()%2 == 1, Names: d.texts(), SNIRequired: d.byte()%2 == 1,
		ClientAuth:     []policy.ClientAuth{"", policy.ClientAuthNone, policy.ClientAuthRequest, policy.ClientAuthRequire}[d.byte()%4],
		NoDHParameters: d.byte()%2 == 1, SecurityLevel: d.byte()%8 - 1,
	}
	if d.byte()%2 == 0 {
		p.Versions = append(p.Versions, wire.VersionTLS12, wire.VersionTLS13)
		p.CipherSuites = append(p.CipherSuites, wire.TLS_AES_256_GCM_SHA384, wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256)
	}
	if d.byte()%4 == 0 {
		p.BlockedVersions = draw(d, versions[:4], 2)
	}
	for range d.byte() % 3 {
		if n := len(p.CipherSuites); n > 2 {
			at := d.byte() % (n - 1)
			p.EqualPreference = append(p.EqualPreference, p.CipherSuites[at:min(n, at+2+d.byte()%2)])
		}
	}
	return p
}

// FuzzExport writes arbitrary policies for every system and reads them again: nothing is lost that is not announced.
func FuzzExport(f *testing.F) {
	for i := range export.Systems() {
		f.Add(byte(i), []byte("\x05hello\x03\x00\x03\x00\x04\x00\x02\x08\xc0\x2f\xc0\x30\xcc\xa8\x13\x01\x00\x9e\x03\x00\x01\x00\x02\x00\x03\x02\x00\x01\x00\x02\x01\x05\x00\x01\x02"))
		f.Add(byte(i), []byte("\x00\xff\x06\x00\x01\x00\x02\x00\x03\x18\x00\x10\x00\x20\x00\x30\x00\x40\x00\x50\x01\x00\x01\x10\xff\xff\x02\x03\x05\x03\x00a b\x01\x01\x02\x03\x01\x00\x00"))
	}
	c := allCodes()
	f.Fuzz(func(t *testing.T, which byte, data []byte) {
		systems := export.Systems()
		d := drawn{data}
		check(t, d.policy(c), systems[int(which)%len(systems)].Name, export.Options{})
	})
}
