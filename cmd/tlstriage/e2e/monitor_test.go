package e2e

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/proxy/monitor"
)

// renewable is a backend whose certificate can be changed while it runs.
type renewable struct {
	addr   string
	serves atomic.Pointer[tls.Certificate]
}

func newRenewable(t *testing.T, chain *certstest.Chain) *renewable {
	t.Helper()
	b := &renewable{}
	b.serve(chain)
	l := listen(t)
	b.addr = l.Addr().String()
	serveHTTP(t, tls.NewListener(l, &tls.Config{
		NextProtos: []string{"h2", "http/1.1"}, SessionTicketsDisabled: true,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return b.serves.Load(), nil },
	}))
	return b
}

func (b *renewable) serve(chain *certstest.Chain) { b.serves.Store(chain.TLS()) }

// hook receives what is posted to it.
func hook(t *testing.T) (url string, posted chan monitor.Event) {
	t.Helper()
	posted = make(chan monitor.Event, 64)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var e monitor.Event
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s of %q: %v", r.Method, r.Header.Get("Content-Type"), err)
		}
		posted <- e
	}))
	t.Cleanup(server.Close)
	return server.URL, posted
}

// posting is the next event that is posted, which must come.
func posting(t *testing.T, posted <-chan monitor.Event) monitor.Event {
	t.Helper()
	select {
	case e := <-posted:
		return e
	case <-time.After(patience):
		t.Fatal("nothing was posted")
	}
	return monitor.Event{}
}

// states are what /backends of an admin endpoint has.
func states(t *testing.T, admin string) (list []monitor.State) {
	t.Helper()
	answer, err := http.Get("http://" + admin + "/backends")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, &list); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v: %s", answer.Status, err, body)
	}
	return list
}

// A certificate that is renewed while the proxy runs is an event for everybody who wants to know.
func TestRenewedCertificateOfABackendIsSaid(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	ending := pki.Issue(pki.Issuing, certs.Template{Names: []string{site}, NotBefore: pki.Now.AddDate(0, 0, -80), NotAfter: pki.Now.AddDate(0, 0, 5)})
	b := newRenewable(t, &certstest.Chain{Leaf: ending, Presented: ending.Chain()})
	admin, _ := freePort(t)
	url, posted := hook(t)
	p := startProxy(t, "--backend", "tls://"+b.addr, "--backend-ca", pki.WriteRoot(t), "--backend-sni", site, "--admin", admin, "--monitor-webhook", url, "--monitor-interval", "1s")

	first := posting(t, posted)
	if first.Kind != monitor.ExpiryThreshold || first.Threshold != 7 || first.Address != b.addr {
		t.Errorf("the first event: %+v", first)
	}
	waitFor(t, p.stderr, "the first look is done", func() bool { s := states(t, admin); return len(s) == 1 && !s[0].CheckedAt.IsZero() })
	s := states(t, admin)[0]
	if !s.Up || s.Verdict != inspect.Warning || s.DaysLeft != 4 || len(s.Addresses) != 1 || s.Addresses[0].Cause != "cert-expiring-soon" || s.Backend != b.addr {
		t.Errorf("before: %+v", s)
	}
	old := s.Addresses[0].Certificate.SerialNumber

	b.serve(healthyChain(pki))
	changed := time.Now()
	if got := curl("--http1.1")(t, p.Addr); got.code != 0 {
		t.Errorf("exit %d: %s", got.code, got.out)
	}
	expect(t, p.next(), fine)
	kinds := map[monitor.Kind]monitor.Event{}
	for kinds[monitor.CertificateChanged].Kind == "" || kinds[monitor.VerdictChanged].Kind == "" {
		e := posting(t, posted)
		kinds[e.Kind] = e
	}
	if took := time.Since(changed); took > patience/2 {
		t.Errorf("said after %v", took)
	}
	e := kinds[monitor.CertificateChanged]
	if e.Old == nil || e.New == nil || e.Old.Certificate.SerialNumber != old || e.New.Certificate.SerialNumber == old || !strings.Contains(e.Detail, old) {
		t.Errorf("the change: %+v", e)
	}
	s = states(t, admin)[0]
	if s.Verdict != inspect.OK || s.DaysLeft < 80 || s.Addresses[0].Certificate.SerialNumber == old {
		t.Errorf("afterwards: %+v", s)
	}
	if log := p.stderr.String(); !strings.Contains(log, `"event":"certificate_changed"`) || !strings.Contains(log, `"event":"expiry_threshold"`) {
		t.Errorf("the log does not say it: %s", log)
	}
	answer, err := http.Get("http://" + admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	metrics, _ := io.ReadAll(answer.Body)
	for _, want := range []string{"tlstriage_backend_up", "tlstriage_backend_certificate_expiry_days"} {
		if !strings.Contains(string(metrics), want) {
			t.Errorf("%s is not among the metrics", want)
		}
	}
}

// One node of a name that serves the old certificate is told from the others. Nothing but the name localhost has several addresses
// on a machine that nobody prepared.
func TestNodeThatIsNotAsTheOthersIsSaid(t *testing.T) {
	t.Parallel()
	_, port := freePort(t)
	six, err := net.Listen("tcp", "[::1]:"+port)
	if err != nil {
		t.Skipf("no IPv6 on loopback: %v", err)
	}
	t.Cleanup(func() { six.Close() })
	four, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { four.Close() })
	if addresses, err := net.LookupHost("localhost"); err != nil || len(addresses) != 2 {
		t.Skipf("localhost has not two addresses here but %v (%v)", addresses, err)
	}
	pki := certstest.New(t)
	older := pki.Issue(pki.Issuing, certs.Template{Names: []string{site}, NotBefore: pki.Now.AddDate(0, 0, -60), NotAfter: pki.Now.AddDate(0, 0, 40)})
	for l, chain := range map[net.Listener]*certstest.Chain{six: {Leaf: older, Presented: older.Chain()}, four: healthyChain(pki)} {
		serveHTTP(t, tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{*chain.TLS()}}))
	}
	admin, _ := freePort(t)
	p := startProxy(t, "--backend", "tls://localhost:"+port, "--backend-ca", pki.WriteRoot(t), "--backend-sni", site, "--admin", admin)
	waitFor(t, p.stderr, "the difference is logged", func() bool { return strings.Contains(p.stderr.String(), `"event":"node_differs"`) })
	s := states(t, admin)[0]
	if len(s.Addresses) != 2 || len(s.Differs) == 0 || s.Differs[0].Address != "[::1]:"+port || s.Differs[0].Aspect != monitor.AspectCertificate {
		t.Errorf("%+v", s)
	}
}

// nginx with two names and a default certificate: which name gets which is found out by a second look, once.
func TestSecondLookAtNginx(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	ca := pki.WriteRoot(t)
	block := func(name, option string, chain *certstest.Chain) string {
		cert, key := chain.WriteFiles(t)
		return fmt.Sprintf("server { listen %%[1]s ssl%s; server_name %s; ssl_certificate %s; ssl_certificate_key %s; location / { return 200 \"hello from the backend\\n\"; } }\n", option, name, cert, key)
	}
	addr := nginx(t, block("_", " default_server", pki.Make(certstest.Healthy, "default.example"))+block(site, "", pki.Make(certstest.Healthy, site))+block("other.example", "", pki.Make(certstest.Healthy, "other.example")))
	looked := func(r *record) map[string]string {
		m := map[string]string{}
		for _, l := range r.BackendLeg.Looks {
			if l.Certificate != nil {
				m[l.Origin] = strings.Join(l.Certificate.AlternativeNames, " ")
			}
		}
		return m
	}
	for _, c := range []struct {
		name, client string
		flags        []string
		want         want
		looks        map[string]string // origin to the names of the certificate
		detail       []string
	}{
		{"a name that it has", site, nil, fine, nil, nil},
		{"a name that it does not have", "stranger.example", nil, fails("cert-name-mismatch", inspect.FaultBackend),
			map[string]string{"none": "default.example", "client": "default.example"}, []string{"without a name it serves a certificate for default.example"}},
		{"another name is configured", site, []string{"--backend-sni", "wrong.example"}, fails("default-certificate-served", inspect.FaultProxy),
			map[string]string{"none": "default.example", "client": site, "configured": "default.example"}, []string{"wrong.example", site, "default.example"}},
		{"the configured name is of another site", site, []string{"--backend-sni", "other.example"}, fine, nil, nil},
		{"no second look", "stranger.example", []string{"--second-look", "off"}, fails("cert-name-mismatch", inspect.FaultBackend), map[string]string{}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := startProxy(t, append([]string{"--backend", "tls://" + addr, "--backend-ca", ca}, c.flags...)...)
			r := untilLookedAt(len(c.looks) > 0, func() *record {
				got := client(t, "", "curl", "-sS", "--fail", "--http1.1", "--cacert", authorityCA, "--connect-to", "::"+p.Addr, "https://"+c.client+"/hello")
				if got.code != 0 || !strings.Contains(got.out, greeting) {
					t.Errorf("exit %d: %s", got.code, got.out)
				}
				return p.nextFor(t)
			})
			expect(t, r, c.want)
			if got := looked(r); c.looks != nil {
				for origin, names := range c.looks {
					if got[origin] != names {
						t.Errorf("looked %q: %q, want %q", origin, got[origin], names)
					}
				}
				if len(c.looks) == 0 && len(r.BackendLeg.Looks) > 0 {
					t.Errorf("looked all the same: %v", got)
				}
			} else if len(r.BackendLeg.Looks) > 0 {
				t.Errorf("looked again where nothing is wrong: %v", got)
			}
			for _, part := range c.detail {
				if !strings.Contains(r.Findings[0].Detail, part) {
					t.Errorf("%q is not in the detail: %s", part, r.Findings[0].Detail)
				}
			}
		})
	}
}

// untilLookedAt makes connections until one has a record with what a second look showed, where there must be one: a record waits for that for
// two seconds, in which a machine that does much else may not come to it. Later ones find it ready.
func untilLookedAt(looked bool, connect func() *record) *record {
	for range 20 {
		if r := connect(); !looked || len(r.BackendLeg.Looks) > 0 {
			return r
		}
	}
	return connect()
}

// A backend that serves by name alone, and a client that sends none: the name that would do is found.
func TestSecondLookAtABackendThatNeedsAName(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	cert, key := pki.Make(certstest.Healthy, site).WriteFiles(t)
	addr := nginx(t, fmt.Sprintf("server { listen %%[1]s ssl default_server; ssl_reject_handshake on; }\nserver { listen %%[1]s ssl; server_name %s; ssl_certificate %s; ssl_certificate_key %s; location / { return 200 \"hello from the backend\\n\"; } }\n", site, cert, key))
	wrong := startProxy(t, "--backend", "tls://"+addr, "--backend-ca", pki.WriteRoot(t), "--backend-sni", "wrong.example")
	var got ran
	r := untilLookedAt(true, func() *record {
		got = curl("--http1.1", "-i")(t, wrong.Addr)
		return wrong.next()
	})
	expect(t, r, broken("sni-required-by-backend", inspect.FaultProxy))
	if !strings.Contains(got.out, r.Event.ID) {
		t.Errorf("exit %d: %s", got.code, got.out)
	}
	f := r.Findings[0]
	if len(f.Accepted) != 1 || f.Accepted[0] != site || !strings.Contains(f.Fixes[0].Snippet, "--backend-sni "+site) || !strings.Contains(f.Detail, "looked at again") {
		t.Errorf("the finding: %+v", f)
	}
	origins := map[string]bool{}
	for _, l := range r.BackendLeg.Looks {
		origins[l.Origin] = l.Established
	}
	if established, looked := origins["none"]; !looked || established || !origins["client"] {
		t.Errorf("looks: %v", origins)
	}

	nameless := startProxy(t, "--backend", "tls://"+addr, "--backend-ca", pki.WriteRoot(t))
	sClient("-noservername", "-verify_ip", "127.0.0.1", "-alpn", "http/1.1")(t, nameless.Addr)
	r = nameless.next()
	expect(t, r, broken("sni-required-by-backend", inspect.FaultProxy))
	if r.BackendLeg.TLS.Client.ServerName != "" {
		t.Errorf("a name was sent: %s", r)
	}
}

// lines reads what a program that runs on prints, line by line.
func lines(t *testing.T, r io.Reader) <-chan string {
	t.Helper()
	out := make(chan string, 64)
	go func() {
		defer close(out)
		for s := bufio.NewScanner(r); s.Scan(); {
			out <- s.Text()
		}
	}()
	return out
}

// A receiver that takes nothing is said at once, not when the first event is given up, and so is what it never got.
func TestWebhookThatTakesNothingIsSaid(t *testing.T) {
	t.Parallel()
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
	t.Cleanup(receiver.Close)
	nobody, _ := freePort(t)
	start := time.Now()
	p := startProxy(t, "--backend", "tls://"+nobody, "--monitor-webhook", receiver.URL+"/hook?token=secret")
	waitFor(t, p.stderr, "the failure is logged", func() bool { return strings.Contains(p.stderr.String(), "the receiver does not take events") })
	if took := time.Since(start); took > patience/2 {
		t.Errorf("said after %v", took)
	}
	p.stop()
	if log := p.stderr.String(); !strings.Contains(log, "webhook: not delivered: ") || strings.Contains(log, "secret") {
		t.Errorf("at the end: %s", log)
	}
}

// What the proxy itself serves and nobody should accept is said to those who renew it, whether the client minds or not.
func TestOwnCertificateOutOfDateIsSaid(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	b := healthyGo(t)
	old := pki.Issue(pki.Issuing, certs.Template{Names: []string{site}, NotBefore: pki.Now.AddDate(0, 0, -80), NotAfter: pki.Now.AddDate(0, 0, -1)})
	cert, key := (&certstest.Chain{Leaf: old, Presented: old.Chain()}).WriteFiles(t)
	p := startProxy(t, b.args("--cert", cert, "--key", key)...)
	for _, c := range []struct {
		flags []string
		want  want
	}{
		{[]string{"-k"}, want{cause: "listener-certificate-expired", fault: inspect.FaultProxy, verdict: inspect.Warning, outcome: inspect.Success}},
		{[]string{"--cacert", pki.WriteRoot(t)}, broken("server-cert-rejected-by-client", inspect.FaultProxy)},
	} {
		got := client(t, "", "curl", append([]string{"-sS", "--tlsv1.3", "--http1.1", "--connect-to", "::" + p.Addr, "https://" + site + "/hello"}, c.flags...)...)
		r := p.nextFor(t)
		expect(t, r, c.want)
		if (got.code == 0) != (c.want.outcome == inspect.Success) || !strings.Contains(r.Findings[0].Fixes[0].Action, "renew") {
			t.Errorf("exit %d: %s\n%s", got.code, got.out, r)
		}
	}
}
