package certstest

import (
	"crypto/x509"
	"testing"
)

// What crypto/x509 accepts of the ready-made chains: a chain that is meant to be faulty must not verify by accident.
func TestMakeVerifiesAsMeant(t *testing.T) {
	p := New(t)
	accepted := map[Kind]bool{Healthy: true, HealthyRSA: true, Wildcard: true, IPName: true, ExpiringSoon: true, WrongOrder: true, Unrelated: true,
		WeakKey: true, CAAsLeaf: true, NoSignatureKeyUsage: true} // the last three are refused by others than crypto/x509
	for _, kind := range Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			c := p.Make(kind, "api.example.com")
			pool := x509.NewCertPool()
			for _, x := range c.Presented[1:] {
				pool.AddCert(x)
			}
			_, err := c.Presented[0].Verify(x509.VerifyOptions{DNSName: "api.example.com", Roots: p.Roots(), Intermediates: pool, CurrentTime: p.Now})
			if (err == nil) != accepted[kind] {
				t.Errorf("accepted = %v, want %v: %v", err == nil, accepted[kind], err)
			}
			certFile, keyFile := c.WriteFiles(t)
			if certFile == keyFile || c.WriteCombined(t) == "" || c.TLS().PrivateKey == nil || len(c.Raw()) != len(c.Presented) {
				t.Error("the chain cannot be served")
			}
		})
	}
}
