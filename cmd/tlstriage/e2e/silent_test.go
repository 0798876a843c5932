package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// A client that looks at the name behind the handshake leaves without a word. That is told from one that was content, and from one that
// goes on all the same.
func TestClientsThatLookAtTheNameBehindTheHandshake(t *testing.T) {
	t.Parallel()
	const other = "www.elsewhere.example"
	pki := certstest.New(t)
	cert, key := pki.Make(certstest.Healthy, site).WriteFiles(t)
	warned := want{cause: "server-cert-rejected-by-client", fault: inspect.FaultProxy, verdict: inspect.Warning, outcome: inspect.Success}
	for _, mode := range []string{"bridge", "http"} {
		t.Run(mode, func(t *testing.T) {
			b := healthyGo(t)
			p := startProxy(t, "--backend", "https://"+b.addr, "--backend-ca", b.ca, "--backend-sni", site, "--cert", cert, "--key", key, "--mode", mode)
			for _, tt := range []struct {
				name, asks string
				goesOn     bool
				want       want
			}{
				{"another name", other, false, warned},
				{"another name, and it goes on", other, true, fine},
				{"the name", site, false, fine},
				{"no name", "", false, fine},
			} {
				c, err := net.DialTimeout("tcp", p.Addr, patience)
				if err != nil {
					t.Fatal(err)
				}
				c.SetDeadline(time.Now().Add(patience))
				s := tls.Client(c, &tls.Config{ServerName: tt.asks, InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
				if err := s.Handshake(); err != nil {
					t.Fatal(tt.name, err)
				}
				if err := s.ConnectionState().PeerCertificates[0].VerifyHostname(tt.asks); (err == nil) != (tt.asks == site) {
					t.Fatal(tt.name, err)
				}
				if tt.goesOn {
					io.WriteString(s, "GET /hello HTTP/1.1\r\nHost: "+site+"\r\nConnection: close\r\n\r\n")
				} else {
					s.CloseWrite()
				}
				io.Copy(io.Discard, s)
				s.Close()
				r := p.nextFor(t)
				if r.ClientLeg.Silent == tt.goesOn {
					t.Errorf("%s: silent %v", tt.name, r.ClientLeg.Silent)
				}
				t.Log(tt.name)
				expect(t, r, tt.want)
			}
			if r := client(t, "", "openssl", "s_client", "-connect", p.Addr, "-servername", other); r.code != 0 {
				t.Fatal(r.out)
			}
			expect(t, p.nextFor(t), warned)
		})
	}
}

// libpq is the one that is met most.
func TestPsqlAsksForAnotherName(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	addr := postgres(t, pki, "on")
	cert, key := pki.Make(certstest.Healthy, site).WriteFiles(t)
	p := startProxy(t, "--starttls", "postgres", "--backend", "tls://"+addr, "--backend-starttls", "postgres", "--backend-ca", pki.WriteRoot(t), "--backend-sni", site, "--cert", cert, "--key", key)
	ask := func(host string) ran {
		return client(t, "", "psql", fmt.Sprintf("host=%s hostaddr=127.0.0.1 port=%s user=postgres dbname=postgres connect_timeout=60 gssencmode=disable sslmode=verify-full sslrootcert=%s", host, portOf(p.Addr), pki.WriteRoot(t)), "-XAtc", "select 1")
	}
	if r := ask("www.elsewhere.example"); r.code == 0 || !strings.Contains(r.out, "does not match host name") {
		t.Fatal(r.out)
	}
	expect(t, p.nextFor(t), want{cause: "server-cert-rejected-by-client", fault: inspect.FaultProxy, verdict: inspect.Warning, outcome: inspect.Success})
	if r := ask(site); r.code != 0 {
		t.Fatal(r.out)
	}
	expect(t, p.nextFor(t), fine)
}
