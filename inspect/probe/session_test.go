package probe

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// TestSessionsAreTakenUp makes a session with crypto/tls and offers it again, by ticket and by pre-shared key; one that the server
// never gave is not taken up.
func TestSessionsAreTakenUp(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func(c net.Conn) {
				defer c.Close()
				_, _ = c.Read(make([]byte, 1)) // handshakes, and waits for the end
			}(c)
		}
	}()
	for _, v := range []wire.Version{wire.VersionTLS12, wire.VersionTLS13} {
		t.Run(v.String(), func(t *testing.T) {
			hello := func() *Hello {
				return Offer{ServerName: "localhost", Versions: []wire.Version{v}, Groups: []wire.NamedGroup{wire.GroupX25519, wire.GroupSecp256r1}}.Hello()
			}
			client, target := &Client{}, Target{Address: listener.Addr().String()}
			x := client.Exchange(context.Background(), target, hello(), Options{Until: UntilFinished})
			if len(x.Sessions) == 0 {
				t.Fatalf("no session was handed out: %s, finished %v", x.Describe(), x.Finished)
			}
			again := hello()
			again.Resume(x.Sessions[0])
			if x := client.Exchange(context.Background(), target, again, Options{}); !x.Resumed {
				t.Errorf("the session was not taken up: %s", x.Describe())
			}
			forged := *x.Sessions[0]
			forged.Ticket = append([]byte(nil), forged.Ticket...)
			forged.Ticket[len(forged.Ticket)-1] ^= 1
			other := hello()
			other.Resume(&forged)
			if x := client.Exchange(context.Background(), target, other, Options{}); x.Resumed || !x.Accepted() {
				t.Errorf("a forged ticket: %s, resumed %v; want a full handshake", x.Describe(), x.Resumed)
			}
		})
	}
}
