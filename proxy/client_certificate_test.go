package proxy

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// ed448Certificate is a certificate with a key that crypto/tls does not know, made by openssl.
func ed448Certificate(t *testing.T, key any) *tls.Certificate {
	file := filepath.Join(t.TempDir(), "key.pem")
	out, err := exec.Command(opensslPath(t), "req", "-x509", "-newkey", "ed448", "-nodes", "-subj", "/CN=odd client", "-keyout", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(out)
	return &tls.Certificate{Certificate: [][]byte{block.Bytes}, PrivateKey: key}
}

// What is wrong with a client's certificate beyond its trust: each has the same type in the record, the alert that was sent, and
// the certificate itself as far as crypto/tls could read it.
func TestClientCertificatesThatCannotBeUsed(t *testing.T) {
	pki := certstest.New(t)
	clients := newClientCertificates(pki)
	key := clients.good.PrivateKey
	rsa := pki.Issue(pki.Root, certs.Template{CommonName: "rsa client", Key: certs.RSA2048, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}).TLS()
	with := func(more int) *tls.Certificate {
		c := *clients.good
		c.Certificate = [][]byte{c.Certificate[0]}
		for size := 0; size < more; size += len(pki.OtherRoot.Certificate.Raw) {
			c.Certificate = append(c.Certificate, pki.OtherRoot.Certificate.Raw)
		}
		return &c
	}
	wrongKey := &tls.Certificate{Certificate: clients.good.Certificate, PrivateKey: rsa.PrivateKey}
	for _, tt := range []struct {
		name         string
		auth         tls.ClientAuthType
		sends        *tls.Certificate
		alert12      wire.AlertDescription
		alert13      wire.AlertDescription
		subject      string // in the record
		establishing bool
	}{
		{"no certificate at all", tls.RequireAndVerifyClientCert, &tls.Certificate{Certificate: [][]byte{{1, 2, 3}}, PrivateKey: key}, wire.AlertDecodeError, wire.AlertDecodeError, "", false},
		{"a key that is not known", tls.RequireAnyClientCert, ed448Certificate(t, key), wire.AlertUnsupportedCertificate, wire.AlertUnsupportedCertificate, "CN=odd client", false},
		{"a signature scheme that does not fit", tls.RequireAndVerifyClientCert, wrongKey, wire.AlertDecryptError, wire.AlertIllegalParameter, "CN=good client", false},
		{"too large", tls.RequireAndVerifyClientCert, with(270_000), wire.AlertInternalError, wire.AlertInternalError, "", false},
		{"very large", tls.RequireAndVerifyClientCert, with(240_000), 0, 0, "CN=good client", true},
		{"with many beside it", tls.RequireAndVerifyClientCert, with(50_000), 0, 0, "CN=good client", true},
		{"RSA", tls.RequireAndVerifyClientCert, rsa, 0, 0, "CN=rsa client", true},
	} {
		for version, alert := range map[uint16]wire.AlertDescription{tls.VersionTLS12: tt.alert12, tls.VersionTLS13: tt.alert13} {
			t.Run(wire.Version(version).String()+" "+tt.name, func(t *testing.T) {
				limits := shortLimits()
				limits.Timeouts.Linger = patience // it may take the client a while to write all of its flight
				r := newRig(t, pki, limits, &Listener{Routes: []*Route{{
					Backend: tlsBackend(t, pki, echo), GetCertificate: serves(pki.Make(certstest.Healthy, testName)), ClientAuth: tt.auth, ClientCAs: clients.trusted,
				}}})
				c := tls.Client(r.tcp(), r.clientConfig(only(version), presents(tt.sends)))
				err := c.Handshake()
				if err == nil {
					c.Write([]byte("x")) // of whom is refused in TLS 1.3 perhaps nobody takes it any more
					_, err = c.Read(make([]byte, 1))
				}
				c.Close()
				record := r.record()
				leg := record.ClientLeg
				subject := ""
				if x := leg.TLS.Client.Certificate; x != nil {
					subject = x.Subject
				}
				if subject != tt.subject && !(version == tls.VersionTLS12 && tt.subject == "") {
					t.Errorf("certificate in the record %q, want %q", subject, tt.subject)
				}
				if tt.establishing {
					if err != nil {
						t.Error(err)
					}
					wantOutcome(t, record, inspect.Success)
					return
				}
				if code, ok := remoteAlert(err); !ok || code != alert {
					t.Errorf("the client saw %v, want %s", err, alert)
				}
				wantError(t, leg, inspect.ErrorClientCertificate, inspect.PhaseHandshake)
				wantAlert(t, leg, alert, inspect.FromServer)
				if len(leg.TLS.Alerts) != 1 {
					t.Errorf("alerts %+v", leg.TLS.Alerts)
				}
				if request := leg.TLS.Server.CertificateRequest; request == nil || len(request.Authorities) != 1 {
					t.Errorf("the request in the record: %+v", request)
				}
			})
		}
	}
}

// A client with very many certificates is served, with a session that is not resumed: its ticket would not fit into a hello.
func TestSessionsThatAreTooLargeAreNotResumed(t *testing.T) {
	pki := certstest.New(t)
	clients := newClientCertificates(pki)
	many := *clients.good
	for range 400 {
		many.Certificate = append(many.Certificate, pki.OtherRoot.Certificate.Raw)
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for name, tt := range map[string]struct {
			sends   *tls.Certificate
			resumed bool
		}{"many": {&many, false}, "one": {clients.good, true}} {
			t.Run(wire.Version(version).String()+" "+name, func(t *testing.T) {
				r := bridged(t, pki, tlsBackend(t, pki, echo), func(l *Listener) {
					l.Routes[0].ClientAuth, l.Routes[0].ClientCAs = tls.RequireAndVerifyClientCert, clients.trusted
				})
				cache := &anyName{}
				for _, resumed := range []bool{false, tt.resumed} {
					c := r.tls(only(version), presents(tt.sends), func(c *tls.Config) { c.ClientSessionCache = cache })
					exchange(t, c, "x")
					c.Close()
					if got := r.record().ClientLeg.TLS.Resumed; got != resumed {
						t.Errorf("resumed %v, want %v", got, resumed)
					}
				}
			})
		}
	}
}

// Route.VerifyClient has the last word, on sessions that are resumed, too, with chains that are built anew for it.
func TestVerifyClient(t *testing.T) {
	pki := certstest.New(t)
	clients := newClientCertificates(pki)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, auth := range []tls.ClientAuthType{tls.RequestClientCert, tls.VerifyClientCertIfGiven, tls.RequireAndVerifyClientCert} {
			t.Run(fmt.Sprint(wire.Version(version), " ", auth), func(t *testing.T) {
				var verdict error
				var asked []tls.ConnectionState
				r := bridged(t, pki, tlsBackend(t, pki, echo), func(l *Listener) {
					l.Routes[0].ClientAuth, l.Routes[0].ClientCAs = auth, clients.trusted
					l.Routes[0].VerifyClient = func(state tls.ConnectionState) error { asked = append(asked, state); return verdict }
				})
				visit := func(session *tls.ClientSessionState, certificate *tls.Certificate) (*anyName, error) {
					cache := &anyName{session}
					c := tls.Client(r.tcp(), r.clientConfig(only(version), presents(certificate), func(c *tls.Config) { c.ClientSessionCache = cache }))
					err := c.Handshake()
					if err == nil {
						c.Write([]byte("x")) // of whom is refused in TLS 1.3 perhaps nobody takes it any more
						_, err = c.Read(make([]byte, 1))
					}
					c.Close()
					return cache, err
				}
				first, err := visit(nil, clients.good)
				if err != nil {
					t.Fatal(err)
				}
				wantOutcome(t, r.record(), inspect.Success)
				if _, err := visit(first.session, clients.good); err != nil {
					t.Error("resumed:", err)
				}
				if record := r.record(); !record.ClientLeg.TLS.Resumed || record.ClientLeg.TLS.Client.Certificate == nil {
					t.Errorf("resumed %v with %v", record.ClientLeg.TLS.Resumed, record.ClientLeg.TLS.Client.Certificate)
				}
				if len(asked) != 2 || asked[0].DidResume || !asked[1].DidResume {
					t.Fatalf("asked %d times", len(asked))
				}
				for _, state := range asked {
					if want := auth != tls.RequestClientCert; want != (len(state.VerifiedChains) > 0) || want && len(state.VerifiedChains[0]) != 2 {
						t.Errorf("verified chains: %d", len(state.VerifiedChains))
					}
				}
				for _, verdict = range []error{
					&RevocationError{Status: inspect.RevocationRevoked, Err: errors.New("on the list")},
					fmt.Errorf("wrapped: %w", &RevocationError{Status: inspect.RevocationUnknown}),
					errors.New("not this one"),
				} {
					for name, session := range map[string]*tls.ClientSessionState{"full": nil, "resumed": first.session} {
						_, err := visit(session, clients.good)
						if code, ok := remoteAlert(err); !ok || code != wire.AlertBadCertificate {
							t.Errorf("%s: the client saw %v", name, err)
						}
						record := r.record()
						wantError(t, record.ClientLeg, inspect.ErrorClientCertificate, inspect.PhaseHandshake)
						wantAlert(t, record.ClientLeg, wire.AlertBadCertificate, inspect.FromServer)
						if x := record.ClientLeg.TLS.Client.Certificate; x == nil || x.Subject != "CN=good client" {
							t.Errorf("%s: certificate in the record: %+v", name, x)
						}
						var status, want inspect.RevocationStatus
						if r := revocationIn(verdict); r != nil {
							want = r.Status
						}
						if r := record.ClientLeg.TLS.Client.Revocation; r != nil {
							status = r.Status
						}
						if status != want {
							t.Errorf("%s: revocation in the record %q, want %q", name, status, want)
						}
						if !bytes.Contains([]byte(record.ClientLeg.Error.Message), []byte(verdict.Error())) {
							t.Errorf("%s: %q", name, record.ClientLeg.Error.Message)
						}
					}
				}
				before := len(asked)
				if _, err := visit(nil, nil); (err == nil) != (auth != tls.RequireAndVerifyClientCert) {
					t.Error("without a certificate:", err)
				}
				r.record()
				if len(asked) != before {
					t.Error("asked about a client without a certificate")
				}
			})
		}
	}
}

// What judges a backend is given all that came with the certificates, and its refusal leaves all of that in the record.
func TestVerifyPeer(t *testing.T) {
	pki := certstest.New(t)
	chain := pki.Make(certstest.Healthy, testName).TLS()
	chain.OCSPStaple, chain.SignedCertificateTimestamps = []byte("a staple"), [][]byte{[]byte("one"), []byte("two")}
	found := &inspect.Revocation{Mode: "require", Status: inspect.RevocationRevoked, Certificates: []inspect.CertificateRevocation{{Subject: "CN=x"}}}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, tt := range []struct {
			name   string
			err    error
			status inspect.RevocationStatus
		}{
			{"accepted", nil, ""},
			{"revoked", &RevocationError{Status: inspect.RevocationRevoked, Found: found}, inspect.RevocationRevoked},
			{"unknown among others", errors.Join(errors.New("a name"), &RevocationError{Status: inspect.RevocationUnknown, Err: errors.New("no answer")}), inspect.RevocationUnknown},
			{"another reason", errors.New("not this one"), ""},
		} {
			t.Run(wire.Version(version).String()+" "+tt.name, func(t *testing.T) {
				saw := make(chan error, 1)
				b := &Backend{Address: serverOf(t, &tls.Config{Certificates: []tls.Certificate{*chain}, MinVersion: version, MaxVersion: version}, saw)}
				var peer BackendPeer
				b.VerifyPeer = func(p *BackendPeer) error { peer = *p; return tt.err }
				r := bridged(t, pki, b)
				c := r.tls(protocols("http/1.1"))
				io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
				c.CloseWrite()
				io.ReadAll(c)
				c.Close()
				record := r.record()
				err := <-saw
				if peer.Name != testName || len(peer.Presented) != len(chain.Certificate) || string(peer.OCSP) != "a staple" || len(peer.SCTs) != 2 {
					t.Errorf("judged was %+v", peer)
				}
				server := record.BackendLeg.TLS.Server
				if len(server.CertificateChain) != len(chain.Certificate) || server.OCSP == nil || string(server.OCSP.Raw) != "a staple" || server.SCTs != 2 {
					t.Errorf("the record has %+v", server)
				}
				if tt.err == nil {
					wantOutcome(t, record, inspect.Success)
					return
				}
				if code, ok := remoteAlert(err); !ok || code != wire.AlertBadCertificate {
					t.Errorf("the backend saw %v", err)
				}
				wantError(t, record.BackendLeg, inspect.ErrorCertificate, inspect.PhaseHandshake)
				wantAlert(t, record.BackendLeg, wire.AlertBadCertificate, inspect.FromClient)
				if len(record.BackendLeg.TLS.Alerts) != 1 {
					t.Errorf("alerts %+v", record.BackendLeg.TLS.Alerts)
				}
				var status inspect.RevocationStatus
				if server.Revocation != nil {
					status = server.Revocation.Status
				}
				if status != tt.status {
					t.Errorf("revocation in the record %q, want %q", status, tt.status)
				}
			})
		}
	}
}

func TestRevocationErrorsAreTold(t *testing.T) {
	cause := errors.New("no answer")
	for want, err := range map[string]*RevocationError{
		"the certificate is revoked":                                      {Status: inspect.RevocationRevoked},
		"nobody could tell whether the certificate is revoked: no answer": {Status: inspect.RevocationUnknown, Err: cause},
	} {
		if err.Error() != want || (err.Err != nil) != errors.Is(err, cause) {
			t.Errorf("%q", err.Error())
		}
	}
}
