package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// clientCertificates are the ones that clients of the tests have.
type clientCertificates struct {
	good, expired, untrusted, serverOnly *tls.Certificate
	trusted                              *x509.CertPool
}

func newClientCertificates(pki *certstest.PKI) *clientCertificates {
	day := 24 * time.Hour
	usage := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return &clientCertificates{
		good:       pki.Issue(pki.Root, certs.Template{CommonName: "good client", Usages: usage}).TLS(),
		expired:    pki.Issue(pki.Root, certs.Template{CommonName: "late client", Usages: usage, NotBefore: pki.Now.Add(-9 * day), NotAfter: pki.Now.Add(-day)}).TLS(),
		untrusted:  pki.Issue(pki.OtherRoot, certs.Template{CommonName: "foreign client", Usages: usage}).TLS(),
		serverOnly: pki.Issue(pki.Root, certs.Template{CommonName: "a server", Names: []string{"s.example.com"}, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}).TLS(),
		trusted:    certificatePool(pki.Root.Certificate),
	}
}

// presents makes a client send a certificate whatever the server says it accepts.
func presents(c *tls.Certificate) func(*tls.Config) {
	return func(config *tls.Config) {
		if c != nil {
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c, nil }
		}
	}
}

func TestClientCertificates(t *testing.T) {
	pki := certstest.New(t)
	clients := newClientCertificates(pki)
	const refused = inspect.ErrorClientCertificate
	stolen := *clients.good
	stolen.PrivateKey = clients.expired.PrivateKey
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		missing := wire.AlertCertificateRequired
		if version == tls.VersionTLS12 {
			missing = wire.AlertHandshakeFailure
		}
		for _, tt := range []struct {
			name  string
			auth  tls.ClientAuthType
			sends *tls.Certificate
			want  inspect.ErrorType
			alert wire.AlertDescription
		}{
			{"not asked", tls.NoClientCert, clients.good, "", 0},
			{"requested, good", tls.VerifyClientCertIfGiven, clients.good, "", 0},
			{"requested, none", tls.VerifyClientCertIfGiven, nil, "", 0},
			{"requested, untrusted", tls.VerifyClientCertIfGiven, clients.untrusted, refused, wire.AlertUnknownCA},
			{"required, good", tls.RequireAndVerifyClientCert, clients.good, "", 0},
			{"required, none", tls.RequireAndVerifyClientCert, nil, refused, missing},
			{"required, expired", tls.RequireAndVerifyClientCert, clients.expired, refused, wire.AlertCertificateExpired},
			{"required, untrusted", tls.RequireAndVerifyClientCert, clients.untrusted, refused, wire.AlertUnknownCA},
			{"required, of a server", tls.RequireAndVerifyClientCert, clients.serverOnly, refused, wire.AlertBadCertificate},
			{"required, of somebody else", tls.RequireAndVerifyClientCert, &stolen, refused, wire.AlertDecryptError},
		} {
			t.Run(wire.Version(version).String()+" "+tt.name, func(t *testing.T) {
				r := bridged(t, pki, tlsBackend(t, pki, echo), func(l *Listener) {
					l.Routes[0].ClientAuth, l.Routes[0].ClientCAs = tt.auth, clients.trusted
				})
				c := tls.Client(r.tcp(), r.clientConfig(only(version), presents(tt.sends)))
				err := c.Handshake()
				if err == nil {
					c.Write([]byte("x")) // of whom is refused in TLS 1.3 perhaps nobody takes it any more
					_, err = c.Read(make([]byte, 1))
				}
				c.Close()
				record := r.record()
				if tt.auth != tls.NoClientCert && record.ClientLeg.TLS.Server.CertificateRequest == nil {
					t.Error("the request is not in the record")
				}
				if tt.want == "" {
					if err != nil {
						t.Error(err)
					}
					wantOutcome(t, record, inspect.Success)
					got := record.ClientLeg.TLS.Client.Certificate
					if sent := tt.sends != nil && tt.auth != tls.NoClientCert; sent != (got != nil) {
						t.Errorf("certificate in the record: %+v", got)
					}
					return
				}
				if code, ok := remoteAlert(err); !ok || code != tt.alert {
					t.Errorf("the client saw %v, want %s", err, tt.alert)
				}
				wantError(t, record.ClientLeg, tt.want, inspect.PhaseHandshake)
				wantAlert(t, record.ClientLeg, tt.alert, inspect.FromServer)
				wantOutcome(t, record, inspect.Failure)
				if record.ClientLeg.TLS.Established {
					t.Error("the leg is called established")
				}
			})
		}
	}
}

// anyName keeps sessions without regard to the name they are for, as a hostile client would.
type anyName struct{ session *tls.ClientSessionState }

func (a *anyName) Get(string) (*tls.ClientSessionState, bool) { return a.session, a.session != nil }
func (a *anyName) Put(_ string, s *tls.ClientSessionState) {
	if s != nil {
		a.session = s
	}
}

// Threat 5: a session is resumed where it was made, and nowhere else: not on another route, not under another name.
func TestResumptionStaysWithRouteAndName(t *testing.T) {
	pki := certstest.New(t)
	clients := newClientCertificates(pki)
	chain := pki.Make(certstest.Wildcard, "a.example.com")
	other := certificatePool(pki.OtherRoot.Certificate)
	auths := []struct {
		name string
		auth tls.ClientAuthType
		pool *x509.CertPool
	}{{"none", tls.NoClientCert, nil}, {"request", tls.VerifyClientCertIfGiven, clients.trusted}, {"require", tls.RequireAndVerifyClientCert, clients.trusted}, {"require others", tls.RequireAndVerifyClientCert, other}}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, from := range auths[:3] {
			for _, to := range auths {
				t.Run(fmt.Sprintf("%s %s to %s", wire.Version(version), from.name, to.name), func(t *testing.T) {
					backend := tlsBackend(t, pki, echo)
					route := func(name string, auth tls.ClientAuthType, pool *x509.CertPool) *Route {
						return &Route{Name: name, ServerNames: []string{name + ".example.com", name + "2.example.com"}, Backend: backend, GetCertificate: serves(chain), ClientAuth: auth, ClientCAs: pool}
					}
					r := newRig(t, pki, shortLimits(), &Listener{Routes: []*Route{route("a", from.auth, from.pool), route("b", to.auth, to.pool)}})
					visit := func(cache *anyName, name string, certificate *tls.Certificate) (bool, error) {
						c := tls.Client(r.tcp(), r.clientConfig(named(name), only(version), presents(certificate), func(c *tls.Config) { c.ClientSessionCache = cache }))
						defer c.Close()
						_, err := c.Write([]byte("x"))
						if err == nil {
							_, err = c.Read(make([]byte, 1))
						}
						return c.ConnectionState().DidResume, err
					}
					cache := &anyName{}
					if _, err := visit(cache, "a.example.com", clients.good); err != nil {
						t.Fatal(err)
					}
					first := cache.session
					if first == nil {
						t.Fatal("no ticket came")
					}
					if resumed, err := visit(&anyName{first}, "a.example.com", nil); err != nil || !resumed {
						t.Errorf("the same name: resumed %v, %v", resumed, err)
					}
					if resumed, err := visit(&anyName{first}, "a2.example.com", clients.good); err != nil || resumed {
						t.Errorf("another name of the route: resumed %v, %v", resumed, err)
					}
					resumed, err := visit(&anyName{first}, "b.example.com", nil)
					if resumed {
						t.Error("a session of another route was resumed")
					}
					if wantRefused := to.auth == tls.RequireAndVerifyClientCert; wantRefused != (err != nil) {
						t.Errorf("without a certificate: %v", err)
					}
				})
			}
		}
	}
}

// What a resumed session was made with is judged anew.
func TestVerifyClientJudgesResumedSessions(t *testing.T) {
	pki := certstest.New(t)
	clients := newClientCertificates(pki)
	leaf := func(c *tls.Certificate) []*x509.Certificate {
		x, err := x509.ParseCertificate(c.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return []*x509.Certificate{x}
	}
	for _, tt := range []struct {
		name    string
		auth    tls.ClientAuthType
		resumed bool
		chain   []*x509.Certificate
		ok      bool
	}{
		{"not resumed", tls.RequireAndVerifyClientCert, false, nil, true},
		{"good", tls.RequireAndVerifyClientCert, true, leaf(clients.good), true},
		{"expired since", tls.RequireAndVerifyClientCert, true, leaf(clients.expired), false},
		{"no longer trusted", tls.RequireAndVerifyClientCert, true, leaf(clients.untrusted), false},
		{"none where one is required", tls.RequireAndVerifyClientCert, true, nil, false},
		{"none where one is requested", tls.VerifyClientCertIfGiven, true, nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &Route{ClientAuth: tt.auth, ClientCAs: clients.trusted}
			err := r.verifyClient(tls.ConnectionState{DidResume: tt.resumed, PeerCertificates: tt.chain})
			if (err == nil) != tt.ok {
				t.Errorf("got %v", err)
			}
			c := &connection{}
			if err != nil && (!c.refusedCertificate(err) || c.clientAlerts[0].Code != uint8(wire.AlertBadCertificate)) {
				t.Errorf("not told as a refusal of the certificate: %+v", c.clientAlerts)
			}
		})
	}
	if (&connection{}).refusedCertificate(errors.New("other")) {
		t.Error("any error is a refusal of the certificate")
	}
}

// What is no ticket of the route's is no session, and no error either: the client gets a full handshake.
func TestForeignTicketIsNoSession(t *testing.T) {
	r := &Route{}
	r.prepare(&Listener{})
	if s, err := r.unwrapSession([]byte("no ticket of ours"), tls.ConnectionState{ServerName: testName}); s != nil || err != nil {
		t.Errorf("%v, %v", s, err)
	}
}
