package probe_test

import (
	"bytes"
	"crypto/tls"
	"net"
	"testing"
	"time"

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
			client := patient()
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

// Where nothing comes behind our Finished, a nudge shows whether it was accepted.
func TestNudges(t *testing.T) {
	t.Parallel()
	id := ecdsaIdentity(t, "nudge.example")
	config := &tls.Config{Certificates: []tls.Certificate{id.Certificate}, MinVersion: tls.VersionTLS13, SessionTicketsDisabled: true}
	client := &probe.Client{Timeouts: probe.Timeouts{Finish: 300 * time.Millisecond}}
	options := probe.Options{Until: probe.UntilAnswer, Nudge: []byte("hello\n")}
	x := client.Exchange(t.Context(), probe.Target{Address: serveTLS(t, config)}, probe.Modern("nudge.example"), options)
	if !x.Nudged || !x.Finished || x.Cut != "" || len(x.Answer) > 0 && !bytes.Contains(x.Answer, []byte("you said")) {
		t.Errorf("%s: %+v, %q", x.Describe(), x, x.Answer)
	}
	address := serve(t, func(conn net.Conn) { // one that reads what follows its flight, and ends the connection when there is something behind the Finished
		c := tls.Server(conn, config)
		if c.Handshake() == nil {
			_, _ = c.Read(make([]byte, 1))
			_ = conn.(*net.TCPConn).SetLinger(0)
		}
	})
	client.Timeouts.Finish = 2 * time.Second
	if x := client.Exchange(t.Context(), probe.Target{Address: address}, probe.Modern("nudge.example"), options); !x.Nudged || x.Cut == "" {
		t.Errorf("%s: %+v", x.Describe(), x)
	}
	address = serve(t, func(conn net.Conn) { // one that speaks by itself
		c := tls.Server(conn, config)
		if c.Handshake() == nil {
			_, _ = c.Write([]byte("220 at your service\r\n"))
			_, _ = c.Read(make([]byte, 1))
		}
	})
	client.Timeouts.Finish = 10 * time.Second
	if x := client.Exchange(t.Context(), probe.Target{Address: address}, probe.Modern("nudge.example"), options); x.Nudged || !x.Finished || len(x.Answer) == 0 {
		t.Errorf("%s: %+v", x.Describe(), x)
	}
}

// A hello of a draft's time has its shares in two extensions; the server's answer belongs to that of the RFC.
func TestSharesOfADraftDoNotHideThoseOfTheRFC(t *testing.T) {
	id := ecdsaIdentity(t, "draft.example")
	address := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{id.Certificate}, MinVersion: tls.VersionTLS13})
	hello := probe.Modern("draft.example")
	body, _ := hello.Extension(wire.ExtensionKeyShare)
	hello.Set(wire.ExtensionKeyShareOld, bytes.Clone(body))
	x := patient().Exchange(t.Context(), probe.Target{Address: address}, hello.Fresh(), probe.Options{Until: probe.UntilFinished})
	if !x.Finished {
		t.Errorf("%s: %+v", x.Describe(), x.Error)
	}
}
