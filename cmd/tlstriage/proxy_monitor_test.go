package main

import (
	"context"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/certs/revocation"
	"github.com/tlstriage/tlstriage/configs"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/diagnose"
)

// What a backend does not send is fetched once for each certificate that it shows: again when the fetch failed, and again after a
// renewal that lacks another one. What was learnt before is not forgotten, for another node may still show the old chain.
func TestIntermediatesAreFetchedAgainAfterARenewal(t *testing.T) {
	pki := certstest.New(t)
	var asked, down atomic.Int32
	served := map[string][]byte{}
	authority := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if down.Load() > 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Write(served[r.URL.Path])
	}))
	defer authority.Close()
	issue := func(name string) *certs.Pair {
		url := "/" + name
		issuing := pki.Issue(pki.Root, certs.Template{CommonName: "Issuing " + name, CA: true, NotBefore: pki.Now.AddDate(-1, 0, 0), NotAfter: pki.Now.AddDate(3, 0, 0)})
		served[url] = issuing.Certificate.Raw
		return pki.Issue(issuing, certs.Template{Names: []string{"www.example.com"}, NotBefore: pki.Now.AddDate(0, -1, 0), NotAfter: pki.Now.AddDate(0, 11, 0), IssuingCertificateURL: []string{authority.URL + url}})
	}
	first, second, third := issue("one"), issue("two"), issue("three")

	config := &configs.Config{}
	config.Revocation.Hosts = []string{strings.TrimPrefix(authority.URL, "http://")}
	revoked, err := newRevocations(config)
	if err != nil {
		t.Fatal(err)
	}
	defer revoked.close()
	key := routeKey{"edge", "default"}
	p := &plan{judges: map[routeKey]*diagnose.Diagnoser{key: {Roots: pki.Roots(), ExpiringSoon: -1}}, revoked: revoked}
	judged := func(leaf *certs.Pair) *inspect.Connection {
		c := &inspect.Connection{Timestamp: pki.Now, Listener: key.listener, Route: key.route, Event: inspect.Event{Source: inspect.SourceProxy}, BackendLeg: &inspect.Leg{
			ServerName: "www.example.com", TLS: &inspect.TLS{Established: true, Server: &inspect.Server{CertificateChain: inspect.Certificates([][]byte{leaf.Certificate.Raw})}}}}
		judge := p.judges[key]
		if informed, ok := p.informed.Load(key); ok {
			judge = informed.(*diagnose.Diagnoser)
		}
		judge.Diagnose(c)
		return c
	}
	for _, step := range []struct {
		name       string
		leaf       *certs.Pair
		down       int32
		asks       bool
		news, fail bool
	}{
		{"the authority does not answer", third, 1, true, false, true},
		{"that is said again, and the fetcher waits a while", third, 0, false, false, true},
		{"it answers", first, 0, true, true, false},
		{"the same again", first, 0, false, false, false},
		{"renewed", second, 0, true, true, false},
		{"another node has the old one", first, 0, false, false, false},
	} {
		before := asked.Load()
		down.Store(step.down)
		c := judged(step.leaf)
		found, news, err := p.inform(t.Context(), c)
		if (asked.Load() > before) != step.asks || news != step.news || (err != nil) != step.fail || (len(found) == 1) == step.fail {
			t.Errorf("%s: asked %d times, found %d, news %t, %v", step.name, asked.Load()-before, len(found), news, err)
		}
	}
	for leaf, name := range map[*certs.Pair]string{first: "Issuing one", second: "Issuing two"} {
		if c := judged(leaf); c.Cause != "chain-missing-intermediate" || !strings.Contains(c.Findings[0].Detail, name) {
			t.Errorf("%s is not named: %s: %+v", name, c.Cause, c.Findings)
		}
	}
}

// The same question is put once, however many connections put it, and again when it was answered.
func TestQuestionsAboutRevocationArePutOnce(t *testing.T) {
	pki := certstest.New(t)
	asked, release := make(chan struct{}, 16), make(chan struct{})
	responder := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		select {
		case <-release:
		case <-r.Context().Done():
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer responder.Close()
	config := &configs.Config{}
	config.Revocation.Hosts = []string{strings.TrimPrefix(responder.URL, "http://")}
	r, err := newRevocations(config)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	checker, err := r.checker(configs.RevocationCheck(revocation.Check), config)
	if err != nil {
		t.Fatal(err)
	}
	path := func() []*x509.Certificate {
		leaf := pki.Issue(pki.Root, certs.Template{Names: []string{"www.example.com"}, NotBefore: pki.Now.AddDate(0, -1, 0), NotAfter: pki.Now.AddDate(0, 11, 0), OCSPServer: []string{responder.URL}})
		return []*x509.Certificate{leaf.Certificate, pki.Root.Certificate}
	}
	one := path()
	for range 10 {
		if _, known := r.look(checker, one, nil); known {
			t.Fatal("it is known before it was asked")
		}
	}
	wait := func(what string) {
		t.Helper()
		select {
		case <-asked:
		case <-time.After(patience):
			t.Fatal(what)
		}
	}
	wait("nobody was asked")
	// Another one is asked about although the first hangs.
	r.look(checker, path(), nil)
	wait("a question that hangs holds up another")
	r.openMu.Lock()
	waiting, open := len(r.questions), len(r.open)
	r.openMu.Unlock()
	if waiting != 0 || open != 2 {
		t.Errorf("%d questions wait, %d are open", waiting, open)
	}
	close(release)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for ctx.Err() == nil {
		r.openMu.Lock()
		open = len(r.open)
		r.openMu.Unlock()
		if open == 0 {
			break
		}
		tick, stop := context.WithTimeout(ctx, 5*time.Millisecond)
		<-tick.Done()
		stop()
	}
	if open != 0 {
		t.Errorf("%d questions are never done with", open)
	}
}

// What nobody answered yet is neither good nor unknown.
func TestWhatIsBeingAskedIsPending(t *testing.T) {
	found := &inspect.Revocation{Status: inspect.RevocationUnknown, Certificates: []inspect.CertificateRevocation{
		{Status: inspect.RevocationUnknown}, {Index: 1, Status: inspect.RevocationGood, Source: "crl"}}}
	recordPending(found)
	if found.Status != inspect.RevocationPending || found.Certificates[0].Status != inspect.RevocationPending || found.Certificates[1].Status != inspect.RevocationGood {
		t.Errorf("%+v", found)
	}
	found = &inspect.Revocation{Status: inspect.RevocationRevoked, Certificates: []inspect.CertificateRevocation{
		{Status: inspect.RevocationUnknown}, {Index: 1, Status: inspect.RevocationRevoked, Source: "crl"}}}
	recordPending(found)
	if found.Status != inspect.RevocationRevoked || found.Certificates[1].Status != inspect.RevocationRevoked {
		t.Errorf("what is known is forgotten: %+v", found)
	}
	recordPending(nil)
}
