package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// matrix is a listener whose routes trust different clients. Each route has a certificate and a backend of its own, which says
// its name, so that what was verified can be held against what is served. (The name in Host and :authority belongs to a mode in
// which requests are read.)
type matrix struct {
	*rig
	routes  []*Route
	clients map[string]*tls.Certificate // "A", "B" by their authority; "" is nil
}

func newMatrix(t *testing.T, keys [][32]byte) *matrix {
	pki := certstest.New(t)
	usage := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	m := &matrix{clients: map[string]*tls.Certificate{
		"A": pki.Issue(pki.Root, certs.Template{CommonName: "A", Usages: usage}).TLS(),
		"B": pki.Issue(pki.OtherRoot, certs.Template{CommonName: "B", Usages: usage}).TLS(),
	}}
	a, b := certificatePool(pki.Root.Certificate), certificatePool(pki.OtherRoot.Certificate)
	backend := pki.Make(certstest.Healthy, testName).TLS()
	route := func(name string, auth tls.ClientAuthType, trusted *x509.CertPool, names ...string) {
		served := pki.Issue(pki.Root, certs.Template{CommonName: name, Names: []string{name + ".test"}}).TLS()
		m.routes = append(m.routes, &Route{
			Name: name, ServerNames: names, ClientAuth: auth, ClientCAs: trusted, TicketKeys: keys,
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return served, nil },
			Backend: &Backend{Address: listen(t, func(c net.Conn) {
				s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*backend}})
				if n, err := s.Read(make([]byte, 1)); err == nil && n == 1 {
					fmt.Fprintf(s, "served by %s.\n", name)
					s.Close()
				}
			})},
		})
	}
	route("none", tls.NoClientCert, nil, "none.example.com", "none2.example.com")
	route("request", tls.VerifyClientCertIfGiven, a, "request.example.com", "request2.example.com")
	route("requireA", tls.RequireAndVerifyClientCert, a, "a.example.com", "a2.example.com")
	route("requireB", tls.RequireAndVerifyClientCert, b, "b.example.com")
	route("wildcard", tls.RequireAndVerifyClientCert, a, "*.wild.example.com")
	route("default", tls.RequireAndVerifyClientCert, b, "*")
	m.rig = newRig(t, pki, shortLimits(), &Listener{Name: "edge", Routes: m.routes})
	return m
}

// routeOf is the route of a name by the rules of the table, said again without the code under test.
func routeOf(name string) string {
	switch strings.ToLower(name) {
	case "none.example.com", "none2.example.com":
		return "none"
	case "request.example.com", "request2.example.com":
		return "request"
	case "a.example.com", "a2.example.com":
		return "requireA"
	case "b.example.com":
		return "requireB"
	case "x.wild.example.com", "y.wild.example.com":
		return "wildcard"
	}
	return "default"
}

// identity is who a client is on a route after a full handshake in which it has this certificate at hand; false: refused.
func identity(route, certificate string) (string, bool) {
	switch route {
	case "none":
		return "", true
	case "request":
		return certificate, certificate != "B"
	case "requireA", "wildcard":
		return "A", certificate == "A"
	}
	return "B", certificate == "B"
}

// sentName is the name that crypto/tls puts on the wire.
func sentName(name string) string {
	if net.ParseIP(name) != nil {
		return ""
	}
	return strings.TrimSuffix(name, ".")
}

// visited is what a visit came to.
type visited struct {
	served, certificate string // by which route's backend, and with which route's certificate; empty: refused
	session             *tls.ClientSessionState
	record              *inspect.Connection
}

func (m *matrix) visit(version uint16, name, certificate string, session *tls.ClientSessionState) visited {
	m.t.Helper()
	cache := &anyName{session}
	c := tls.Client(m.tcp(), &tls.Config{
		ServerName: name, InsecureSkipVerify: true, MinVersion: version, MaxVersion: version, ClientSessionCache: cache,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if x := m.clients[certificate]; x != nil {
				return x, nil
			}
			return &tls.Certificate{}, nil
		},
	})
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	c.Write([]byte("x"))
	answer := make([]byte, 100)
	n, _ := c.Read(answer)
	c.Close()
	v := visited{session: cache.session, record: m.record()}
	if n > 0 {
		v.served = strings.TrimSuffix(strings.TrimPrefix(string(answer[:n]), "served by "), ".\n")
		v.certificate = c.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	return v
}

// Threat 5: TLS 1.2 and 1.3, automatic and shared ticket keys, each kind of client certificate policy, each kind of name, full
// handshakes and sessions of every other route: what must be refused is refused, and what was verified is what is served.
func TestMatrixOfNamesResumptionAndClientCertificates(t *testing.T) {
	sessions := []struct{ name, certificate string }{
		{"none.example.com", "A"}, {"request.example.com", ""}, {"request.example.com", "A"}, {"a.example.com", "A"},
		{"b.example.com", "B"}, {"x.wild.example.com", "A"}, {"", "B"},
	}
	names := []string{
		"none.example.com", "none2.example.com", "request.example.com", "request2.example.com", "a.example.com", "a2.example.com", "b.example.com",
		"x.wild.example.com", "y.wild.example.com", "X.wild.example.com", "", "a.example.com.", "A.Example.com", "192.0.2.1", "unknown.example.com",
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for keysName, keys := range map[string][][32]byte{"automatic keys": nil, "shared keys": {{1}, {2}}} {
			t.Run(wire.Version(version).String()+" "+keysName, func(t *testing.T) {
				t.Parallel()
				m := newMatrix(t, keys)
				type made struct {
					name, certificate, identity string
					session                     *tls.ClientSessionState
				}
				from := []made{{}} // without a session
				for _, s := range sessions {
					v := m.visit(version, s.name, s.certificate, nil)
					who, _ := identity(routeOf(s.name), s.certificate)
					if v.session == nil || v.served != routeOf(s.name) {
						t.Fatalf("no session at %q with %q: %+v", s.name, s.certificate, v)
					}
					from = append(from, made{s.name, s.certificate, who, v.session})
				}
				resumed := 0
				for _, f := range from {
					for _, name := range names {
						for _, certificate := range []string{"", "A", "B"} {
							if f.session != nil && certificate == "B" && f.identity != "B" {
								continue // says nothing that "A" does not
							}
							route := routeOf(sentName(name))
							again := f.session != nil && sentName(name) == f.name
							who, ok := identity(route, certificate)
							if again {
								who, ok = f.identity, true
								resumed++
							}
							v := m.visit(version, name, certificate, f.session)
							what := fmt.Sprintf("session of %q as %q, then %q with %q", f.name, f.identity, name, certificate)
							if want := map[bool]string{true: route}[ok]; v.served != want || v.certificate != want {
								t.Errorf("%s: served by %q with the certificate of %q, want %q", what, v.served, v.certificate, want)
								continue
							}
							if v.record.Route != route {
								t.Errorf("%s: the record has route %q, want %q", what, v.record.Route, route)
							}
							if !ok {
								wantError(t, v.record.ClientLeg, inspect.ErrorClientCertificate, inspect.PhaseHandshake)
								continue
							}
							if v.record.ClientLeg.TLS.Resumed != again {
								t.Errorf("%s: resumed %v, want %v", what, !again, again)
							}
							got := ""
							if x := v.record.ClientLeg.TLS.Client.Certificate; x != nil {
								got = strings.TrimPrefix(x.Subject, "CN=")
							}
							if got != who {
								t.Errorf("%s: the record says that the client is %q, want %q", what, got, who)
							}
						}
					}
				}
				if resumed < 15 {
					t.Errorf("only %d sessions were to be resumed: the table holds little", resumed)
				}
			})
		}
	}
}

// Names that no client of crypto/tls sends: with a trailing dot, an address, and in upper case, as openssl sends them.
func TestMatrixOfOddNamesOnTheWire(t *testing.T) {
	m := newMatrix(t, [][32]byte{{1}})
	dir := t.TempDir()
	for name, c := range m.clients {
		key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		data := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
		if err := os.WriteFile(filepath.Join(dir, name+".pem"), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	served := regexp.MustCompile(`served by (\w+)\.`)
	visit := func(version, name, certificate string, more ...string) (route string, resumed bool, record *inspect.Connection) {
		args := append([]string{version, "-servername", name, "-ign_eof"}, more...)
		if certificate != "" {
			args = append(args, "-cert", filepath.Join(dir, certificate+".pem"))
		}
		o := startOpenSSL(t, m.address, args...)
		o.write("x\n")
		output := o.wait()
		if found := served.FindStringSubmatch(output); found != nil {
			route = found[1]
		}
		return route, strings.Contains(output, "Reused, "), m.record()
	}
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		session := filepath.Join(dir, "session"+version)
		if route, _, _ := visit(version, "a.example.com", "A", "-sess_out", session); route != "requireA" {
			t.Fatalf("%s: served by %q", version, route)
		}
		if route, resumed, _ := visit(version, "a.example.com", "", "-sess_in", session); route != "requireA" || !resumed {
			t.Fatalf("%s: served by %q, resumed %v", version, route, resumed)
		}
		for _, tt := range []struct{ name, certificate, want string }{
			{"a.example.com.", "A", ""}, {"a.example.com.", "B", ""}, // RFC 6066, Section 3: "without a trailing dot"
			{"192.0.2.1", "", ""}, {"192.0.2.1", "A", ""}, {"192.0.2.1", "B", "default"},
			{"A.EXAMPLE.COM", "", ""}, {"A.EXAMPLE.COM", "B", ""}, {"A.EXAMPLE.COM", "A", "requireA"},
			{"b.example.com", "A", ""}, {"b.example.com", "B", "requireB"},
		} {
			for _, with := range [][]string{nil, {"-sess_in", session}} {
				route, resumed, record := visit(version, tt.name, tt.certificate, with...)
				if route != tt.want || resumed {
					t.Errorf("%s %q with %q %v: served by %q, resumed %v; want %q", version, tt.name, tt.certificate, with, route, resumed, tt.want)
				}
				if tt.want != "" && record.Route != tt.want || (tt.want == "") != (record.ClientLeg.Error != nil) {
					t.Errorf("%s %q with %q: route %q, %+v", version, tt.name, tt.certificate, record.Route, record.ClientLeg.Error)
				}
			}
		}
	}
}

// Replicas with the same keys, listener and route resume each other's sessions; a route of another name or a listener of another
// name does not, nor one whose authorities have changed meanwhile.
func TestSharedTicketKeysAmongReplicas(t *testing.T) {
	pki := certstest.New(t)
	clients := newClientCertificates(pki)
	backend := tlsBackend(t, pki, echo)
	chain := pki.Make(certstest.Healthy, testName)
	replica := func(listener, route string, trusted *x509.CertPool, keys ...[32]byte) *rig {
		return newRig(t, pki, shortLimits(), &Listener{Name: listener, Address: "127.0.0.1:0", Routes: []*Route{{
			Name: route, Backend: backend, GetCertificate: serves(chain), TicketKeys: keys, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: trusted,
		}}})
	}
	k1, k2 := [32]byte{1}, [32]byte{2}
	first := replica("edge", "one", clients.trusted, k1)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		cache := &anyName{}
		c := first.tls(only(version), presents(clients.good), func(c *tls.Config) { c.ClientSessionCache = cache })
		exchange(t, c, "x")
		c.Close()
		for _, tt := range []struct {
			name    string
			at      *rig
			resumed bool
		}{
			{"the same", replica("edge", "one", clients.trusted, k1), true},
			{"the keys were turned", replica("edge", "one", clients.trusted, k2, k1), true},
			{"other keys", replica("edge", "one", clients.trusted, k2), false},
			{"another route", replica("edge", "two", clients.trusted, k1), false},
			{"another listener", replica("back", "one", clients.trusted, k1), false},
			{"a quote in a name", replica(`edge", "one`, "", clients.trusted, k1), false},
			{"other authorities", replica("edge", "one", certificatePool(pki.OtherRoot.Certificate), k1), false},
		} {
			c := tls.Client(tt.at.tcp(), first.clientConfig(only(version), presents(nil), func(c *tls.Config) { c.ClientSessionCache = &anyName{cache.session} }))
			_, err := c.Write([]byte("x"))
			if err == nil {
				_, err = c.Read(make([]byte, 1))
			}
			if c.ConnectionState().DidResume != tt.resumed || (err == nil) != tt.resumed {
				t.Errorf("%s %s: resumed %v, %v", wire.Version(version), tt.name, c.ConnectionState().DidResume, err)
			}
			c.Close()
		}
	}
}
