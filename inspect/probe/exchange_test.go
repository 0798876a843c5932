package probe_test

import (
	"bytes"
	"crypto/tls"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

func TestExchangesWithGo(t *testing.T) {
	id := ecdsaIdentity(t, "go.example")
	rsaID := rsaIdentity(t, "go.example")
	for name, tc := range map[string]struct {
		config *tls.Config
		hello  *probe.Hello
		check  func(*testing.T, *probe.Exchange)
	}{
		"tls13":         {&tls.Config{Certificates: []tls.Certificate{id.Certificate}}, probe.Modern("go.example"), nil},
		"tls13 hrr":     {&tls.Config{Certificates: []tls.Certificate{id.Certificate}, CurvePreferences: []tls.CurveID{tls.CurveP384}}, probe.Modern("go.example"), nil},
		"tls13 pq":      {&tls.Config{Certificates: []tls.Certificate{id.Certificate}, CurvePreferences: []tls.CurveID{tls.X25519MLKEM768}}, probe.Offer{Groups: []wire.NamedGroup{wire.GroupX25519MLKEM768}}.Hello(), nil},
		"tls13 p256 pq": {&tls.Config{Certificates: []tls.Certificate{id.Certificate}, CurvePreferences: []tls.CurveID{tls.SecP256r1MLKEM768}}, probe.Offer{Groups: []wire.NamedGroup{wire.GroupSecP256r1MLKEM768}}.Hello(), nil},
		"tls13 p384 pq": {&tls.Config{Certificates: []tls.Certificate{id.Certificate}, CurvePreferences: []tls.CurveID{tls.SecP384r1MLKEM1024}}, probe.Offer{Groups: []wire.NamedGroup{wire.GroupSecP384r1MLKEM1024}}.Hello(), nil},
		"tls12 ecdhe":   {&tls.Config{Certificates: []tls.Certificate{id.Certificate}, MaxVersion: tls.VersionTLS12}, probe.Modern("go.example"), nil},
		"tls12 rsa":     {&tls.Config{Certificates: []tls.Certificate{rsaID.Certificate}, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}}, probe.Legacy("go.example", wire.VersionTLS12), nil},
		"tls12 cbc":     {&tls.Config{Certificates: []tls.Certificate{rsaID.Certificate}, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA}}, probe.Legacy("go.example", wire.VersionTLS12), nil},
		"tls12 3des":    {&tls.Config{Certificates: []tls.Certificate{rsaID.Certificate}, CipherSuites: []uint16{tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA}}, probe.Legacy("go.example", wire.VersionTLS12), nil},
		"tls12 rc4":     {&tls.Config{Certificates: []tls.Certificate{rsaID.Certificate}, CipherSuites: []uint16{tls.TLS_RSA_WITH_RC4_128_SHA}}, probe.Legacy("go.example", wire.VersionTLS12), nil},
		"tls12 chacha":  {&tls.Config{Certificates: []tls.Certificate{rsaID.Certificate}, MaxVersion: tls.VersionTLS12}, probe.Offer{Versions: []wire.Version{wire.VersionTLS12}, CipherSuites: []wire.CipherSuite{wire.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256}}.Hello(), nil},
		"tls11":         {&tls.Config{Certificates: []tls.Certificate{rsaID.Certificate}, MinVersion: tls.VersionTLS10}, probe.Legacy("go.example", wire.VersionTLS11), nil},
		"tls10":         {&tls.Config{Certificates: []tls.Certificate{rsaID.Certificate}, MinVersion: tls.VersionTLS10}, probe.Legacy("go.example", wire.VersionTLS10), nil},
	} {
		t.Run(name, func(t *testing.T) {
			address := serveTLS(t, tc.config)
			client := &probe.Client{}
			for _, goal := range []probe.Goal{probe.UntilHello, probe.UntilFlight, probe.UntilFinished, probe.UntilAnswer} {
				x := client.Exchange(t.Context(), probe.Target{Address: address}, tc.hello.Fresh(), probe.Options{Until: goal, Request: []byte("GET / HTTP/1.0\r\n\r\n")})
				if !x.Accepted() || x.Outcome != probe.OutcomeServerHello {
					t.Fatalf("goal %d: %s: %+v", goal, x.Describe(), x.Error)
				}
				if goal > probe.UntilHello || goal == probe.UntilFlight {
					if len(x.Certificates) != 1 || !bytes.Equal(x.Certificates[0], tc.config.Certificates[0].Certificate[0]) {
						t.Errorf("goal %d: certificates: %x", goal, x.Certificates)
					}
				}
				if goal >= probe.UntilFinished && !x.Finished {
					t.Errorf("goal %d: not finished", goal)
				}
				if goal == probe.UntilAnswer && !bytes.Contains(x.Answer, []byte("200 OK")) {
					t.Errorf("answer %q", x.Answer)
				}
			}
		})
	}
}

// A hello of a draft's time has its shares in two extensions; the server's answer belongs to that of the RFC.
func TestSharesOfADraftDoNotHideThoseOfTheRFC(t *testing.T) {
	id := ecdsaIdentity(t, "draft.example")
	address := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{id.Certificate}, MinVersion: tls.VersionTLS13})
	hello := probe.Modern("draft.example")
	body, _ := hello.Extension(wire.ExtensionKeyShare)
	hello.Set(wire.ExtensionKeyShareOld, bytes.Clone(body))
	x := (&probe.Client{}).Exchange(t.Context(), probe.Target{Address: address}, hello.Fresh(), probe.Options{Until: probe.UntilFinished})
	if !x.Finished {
		t.Errorf("%s: %+v", x.Describe(), x.Error)
	}
}
