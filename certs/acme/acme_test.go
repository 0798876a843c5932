package acme_test

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/acme"
	"golang.org/x/crypto/ocsp"
)

func TestTLSALPNOrdersServesAndRestarts(t *testing.T) {
	l := listen(t)
	p := startPebble(t, pebbleOptions{tlsPort: portOf(l), httpPort: freePort(t)})
	dir := filepath.Join(t.TempDir(), "acme")
	begin := time.Now()
	r := start(t, p, l, acme.Settings{Names: []string{"WWW.example.com.", "xn--bcher-kva.example"}, Dir: dir})
	for range 2 {
		r.await(t, acme.Loaded)
	}
	t.Logf("two orders by TLS-ALPN-01: %v", time.Since(begin).Round(time.Millisecond))
	roots := p.issued(t)
	first, err := r.dial("www.example.com", roots)
	if err != nil {
		t.Fatal(err)
	}
	if first.NegotiatedProtocol != "h2" || len(first.PeerCertificates) < 2 {
		t.Errorf("protocol %q, %d certificates", first.NegotiatedProtocol, len(first.PeerCertificates))
	}
	if _, err := r.dial("bücher.example", roots); err == nil {
		t.Error("crypto/tls sent a name that is not ASCII") // what it sends is no SNI at all
	}
	for _, s := range r.Status() {
		if s.State != acme.Ready || s.Err != nil || time.Until(s.NotAfter) < 24*time.Hour {
			t.Errorf("status %+v", s)
		}
	}
	for _, stranger := range []string{"other.example.com", "example.com", "www.example.com.evil.example"} {
		if _, err := r.dial(stranger, roots); !strings.Contains(alert(err), "unrecognized name") {
			t.Errorf("%s: %v, want the alert unrecognized_name", stranger, err)
		}
	}
	orders := p.orders()
	if orders != 2 {
		t.Errorf("%d orders, want 2", orders)
	}
	r.Close()

	l2 := listen(t)
	again := start(t, p, l2, acme.Settings{Names: []string{"www.example.com"}, Dir: dir, OnDemand: true})
	second, err := again.dial("www.example.com", roots)
	if err != nil {
		t.Fatal(err)
	}
	if second.PeerCertificates[0].SerialNumber.Cmp(first.PeerCertificates[0].SerialNumber) != 0 || p.orders() != orders {
		t.Errorf("after the restart another certificate is served; %d orders", p.orders())
	}
}

func TestHTTP01OnDemandUnderAWildcard(t *testing.T) {
	l, web := listen(t), listen(t)
	p := startPebble(t, pebbleOptions{tlsPort: freePort(t), httpPort: portOf(web)})
	r := start(t, p, l, acme.Settings{Names: []string{"*.example.com"}, Challenges: []acme.Challenge{acme.HTTP01}, MaxOnDemand: 1, Wait: 50 * time.Second})
	redirects := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Error(w, "elsewhere", http.StatusTeapot) })
	server := &http.Server{Handler: r.HTTPChallengeHandler(redirects), ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() { defer close(done); server.Serve(web) }()
	t.Cleanup(func() { server.Close(); <-done })

	if p.orders() != 0 {
		t.Error("ordered before anybody asked")
	}
	roots := p.issued(t)
	for _, name := range []string{"example.com", "a.b.example.com", "xexample.com"} {
		if _, err := r.dial(name, roots); !strings.Contains(alert(err), "unrecognized name") {
			t.Errorf("%s: %v", name, err)
		}
	}
	state, err := r.dial("a.example.com", roots)
	if err != nil {
		t.Fatal(err)
	}
	if err := state.PeerCertificates[0].VerifyHostname("a.example.com"); err != nil {
		t.Error(err)
	}
	if _, err := r.dial("b.example.com", roots); !strings.Contains(alert(err), "unrecognized name") {
		t.Errorf("beyond MaxOnDemand: %v", err)
	}
	if _, err := r.dial("A.EXAMPLE.com", roots); err != nil {
		t.Errorf("in capitals: %v", err)
	}
	if p.orders() != 1 {
		t.Errorf("%d orders, want 1", p.orders())
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + web.Addr().String() + "/.well-known/acme-challenge/no-such-token")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusTeapot {
		t.Errorf("a request that is no challenge: %s", resp.Status)
	}
}

func TestExternalAccountIsBound(t *testing.T) {
	const key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
	l := listen(t)
	p := startPebble(t, pebbleOptions{tlsPort: portOf(l), httpPort: freePort(t), externalAccounts: map[string]string{"kid-1": key}})
	r := start(t, p, l, acme.Settings{Names: []string{"www.example.com"}, External: &acme.ExternalAccount{KeyID: "kid-1", MACKey: key}})
	r.await(t, acme.Loaded)
	if _, err := r.dial("www.example.com", p.issued(t)); err != nil {
		t.Error(err)
	}

	without := start(t, p, listen(t), acme.Settings{Names: []string{"www.example.com"}})
	if e := without.await(t, acme.Failed); e.Reason != acme.AccountRefused || e.Name != "www.example.com" {
		t.Errorf("%+v", e)
	}
	if _, err := without.dial("www.example.com", nil); !strings.Contains(alert(err), "internal error") {
		t.Errorf("%v, want the alert internal_error at once", err)
	}
}

func TestFailedOrdersSayWhy(t *testing.T) {
	closed := freePort(t)
	p := startPebble(t, pebbleOptions{tlsPort: closed, httpPort: closed, blocked: []string{"blocked.example"}})
	for name, tt := range map[string]struct {
		settings acme.Settings
		reason   acme.Reason
		pebble   *pebble
	}{
		"name on the block list":   {acme.Settings{Names: []string{"www.blocked.example"}}, acme.NameRefused, p},
		"nobody answers":           {acme.Settings{Names: []string{"www.example.com"}}, acme.Unvalidated, p},
		"directory does not exist": {acme.Settings{Names: []string{"www.example.com"}, Directory: fmt.Sprintf("https://127.0.0.1:%d/dir", closed)}, acme.Unreachable, nil},
		"directory not trusted":    {acme.Settings{Names: []string{"www.example.com"}, Directory: p.directory}, acme.DirectoryTLS, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, tt.pebble, listen(t), tt.settings)
			e := r.await(t, acme.Failed)
			if e.Reason != tt.reason || e.Err == nil || e.Name != tt.settings.Names[0] || e.Renewal {
				t.Errorf("event %+v, want %s", e, tt.reason)
			}
			begin := time.Now()
			if _, err := r.dial(tt.settings.Names[0], nil); !strings.Contains(alert(err), "internal error") {
				t.Errorf("%v, want the alert internal_error", err)
			}
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("the client waited %v for an order that had failed", took)
			}
			if s := r.Status(); len(s) != 1 || s[0].State != acme.Broken || s[0].Reason != tt.reason {
				t.Errorf("status %+v", s)
			}
		})
	}
}

func TestRenewalHappensWithoutClients(t *testing.T) {
	l := listen(t)
	p := startPebble(t, pebbleOptions{tlsPort: portOf(l), httpPort: freePort(t), validity: time.Hour})
	r := start(t, p, l, acme.Settings{Names: []string{"www.example.com"}, RenewBefore: 0.9999, CheckEvery: 300 * time.Millisecond})
	r.await(t, acme.Loaded)
	roots := p.issued(t)
	before, err := r.dial("www.example.com", roots)
	if err != nil {
		t.Fatal(err)
	}
	for {
		if e := r.await(t, acme.Obtained); e.Renewal {
			break
		}
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		after, err := r.dial("www.example.com", roots)
		if err != nil {
			t.Fatal(err)
		}
		if after.PeerCertificates[0].SerialNumber.Cmp(before.PeerCertificates[0].SerialNumber) != 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the renewed certificate is not served")
		}
	}
	if p.orders() < 2 {
		t.Errorf("%d orders", p.orders())
	}
}

func TestReplicasShareOneOrder(t *testing.T) {
	// The authority reaches only the first replica, whoever orders.
	port := freePort(t)
	p := startPebble(t, pebbleOptions{tlsPort: port, httpPort: freePort(t)})
	authority, err := x509.ParseCertificate(p.https)
	if err != nil {
		t.Fatal(err)
	}
	c := replicaConfig{Directory: p.directory, Root: authority.Raw, Dir: t.TempDir(), Names: []string{"a.example.com", "b.example.com", "c.example.com"}}
	first, second := c, c
	first.Listen, second.Listen = fmt.Sprintf("127.0.0.1:%d", port), "127.0.0.1:0"
	ready := []<-chan string{startReplica(t, first), startReplica(t, second)}
	roots := p.issued(t)
	serials := map[string]bool{}
	for _, at := range ready {
		select {
		case address := <-at:
			for _, name := range c.Names {
				state, err := (&rig{address: address}).dial(name, roots)
				if err != nil {
					t.Fatal(err)
				}
				serials[state.PeerCertificates[0].SerialNumber.String()] = true
			}
		case <-time.After(90 * time.Second):
			t.Fatal("a replica has no certificates")
		}
	}
	if len(serials) != len(c.Names) || p.orders() != len(c.Names) {
		t.Errorf("%d certificates from %d orders, want %d of both", len(serials), p.orders(), len(c.Names))
	}
	if accounts := strings.Count(p.text(), "accounts in memory"); accounts != 1 {
		t.Errorf("%d accounts were made, want 1", accounts)
	}
}

func TestStaplesWhatTheAuthoritySays(t *testing.T) {
	responder := &responder{}
	web := httptest.NewServer(responder)
	t.Cleanup(web.Close)
	l := listen(t)
	p := startPebble(t, pebbleOptions{tlsPort: portOf(l), httpPort: freePort(t), ocsp: web.URL})
	responder.set(t, p)
	r := start(t, p, l, acme.Settings{Names: []string{"www.example.com"}})
	r.await(t, acme.Loaded)
	state, err := r.dial("www.example.com", p.issued(t))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := ocsp.ParseResponseForCert(state.OCSPResponse, state.PeerCertificates[0], p.intermediate(t))
	if err != nil || answer.Status != ocsp.Good {
		t.Errorf("%d bytes stapled: %v", len(state.OCSPResponse), err)
	}
}

// responder is an OCSP responder with pebble's own key.
type responder struct {
	mu     sync.Mutex
	issuer *x509.Certificate
	key    crypto.Signer
}

func (o *responder) set(t *testing.T, p *pebble) {
	b, _ := pem.Decode(p.get(t, "/intermediate-keys/0"))
	if b == nil {
		t.Fatal("no key")
	}
	key, err := x509.ParsePKCS1PrivateKey(b.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.issuer, o.key = p.intermediate(t), key
}

func (o *responder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var body []byte
	var err error
	if r.Method == http.MethodGet {
		body, err = base64.StdEncoding.DecodeString(strings.TrimPrefix(r.URL.Path, "/"))
	} else {
		body, err = io.ReadAll(r.Body)
	}
	if err != nil || o.key == nil {
		http.Error(w, "", http.StatusBadRequest)
		return
	}
	asked, err := ocsp.ParseRequest(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	now := time.Now().Truncate(time.Second)
	answer, err := ocsp.CreateResponse(o.issuer, o.issuer, ocsp.Response{Status: ocsp.Good, SerialNumber: asked.SerialNumber, ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(24 * time.Hour)}, o.key)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Write(answer)
}

func TestLocalNamesComeFromTheAuthority(t *testing.T) {
	authority, err := certs.NewAuthority(certs.AuthorityOptions{})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(authority.Certificate())
	dir := t.TempDir()
	settings := acme.Settings{LocalNames: []string{"*.internal.example", "db", "127.0.0.1"}, Local: authority, Dir: dir}
	r := start(t, nil, listen(t), settings)
	state, err := r.dial("api.internal.example", roots)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.dial("127.0.0.1", roots); err != nil { // an address is no server name: the hello has none
		t.Errorf("by address: %v", err)
	}
	if _, err := r.dial("other.example", roots); !strings.Contains(alert(err), "unrecognized name") {
		t.Errorf("%v", err)
	}
	r.Close()
	again := start(t, nil, listen(t), settings)
	stored, err := again.dial("api.internal.example", roots)
	if err != nil || stored.PeerCertificates[0].SerialNumber.Cmp(state.PeerCertificates[0].SerialNumber) != 0 {
		t.Errorf("after a restart: another certificate, %v", err)
	}

	other := settings
	other.LocalNames, other.Other, other.Dir = []string{"db"}, authority.GetCertificate, t.TempDir()
	both := start(t, nil, listen(t), other)
	for _, name := range []string{"db", "whatever.example"} {
		if _, err := both.dial(name, roots); err != nil {
			t.Error(err)
		}
	}
}

func TestHandshakeWaitsOnlySoLong(t *testing.T) {
	silent := listen(t) // accepts, and never answers
	defer silent.Close()
	dir := t.TempDir()
	r := start(t, nil, listen(t), acme.Settings{Names: []string{"www.example.com"}, Directory: "https://" + silent.Addr().String() + "/dir", Wait: 200 * time.Millisecond, Dir: dir})
	begin := time.Now()
	if _, err := r.dial("www.example.com", nil); !strings.Contains(alert(err), "internal error") {
		t.Error(err)
	}
	if took := time.Since(begin); took < 200*time.Millisecond || took > 10*time.Second {
		t.Errorf("the client waited %v", took)
	}
	begin = time.Now()
	r.Close()
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("closing took %v", took)
	}
	if locks, err := os.ReadDir(filepath.Join(dir, "locks")); err != nil || len(locks) > 0 {
		t.Errorf("locks are left behind, which would hold up replicas: %v, %v", locks, err)
	}
}

func TestStorageThatCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, []byte("no directory"))
	authority, err := certs.NewAuthority(certs.AuthorityOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, nil, listen(t), acme.Settings{LocalNames: []string{"db"}, Local: authority, Dir: filepath.Join(file, "acme"), Wait: 100 * time.Millisecond})
	if _, err := r.dial("db", nil); !strings.Contains(alert(err), "internal error") {
		t.Error(err)
	}
	if e := r.await(t, acme.Failed); e.Reason != acme.StorageTrouble {
		t.Errorf("%+v", e)
	}
}
