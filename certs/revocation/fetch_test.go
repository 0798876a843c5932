package revocation_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/certs/revocation"
)

// intermediateFrom asks for the issuer of a certificate that names the URLs.
func intermediateFrom(t *testing.T, f *revocation.Fetcher, p *certstest.PKI, urls ...string) ([]*x509.Certificate, error) {
	t.Helper()
	leaf := p.Issue(p.Issuing, certs.Template{Names: []string{name}, IssuingCertificateURL: urls})
	return f.Intermediate(t.Context(), leaf.Certificate)
}

func wantKind(t *testing.T, err error, want revocation.FetchKind) {
	t.Helper()
	var fetch *revocation.FetchError
	if !errors.As(err, &fetch) || fetch.Kind != want || len(err.Error()) > 700 {
		t.Errorf("got %v, want kind %s", err, want)
	}
}

func TestFetcherFollowsNoForbiddenURL(t *testing.T) {
	p := certstest.New(t)
	f, err := revocation.NewFetcher(revocation.FetchOptions{Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	site := newSite(t)
	site.serve("ca.der", p.Issuing.Certificate.Raw)
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(site.URL, "http://"))
	for _, u := range []string{
		site.URL + "/ca.der", "http://127.0.0.1/", "http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://localhost/", "http://LOCALHOST./",
		"http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]:" + port + "/", "http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/",
		"http://10.0.0.1/", "http://192.168.0.1/", "http://100.100.100.200/", "http://168.63.129.16/", "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/",
		"http://224.0.0.1/", "http://0.0.0.0/", "http://8.8.8.8:22/", "http://ca.example:8080/", "http://user:secret@8.8.8.8/", "http://8.8.8.8@127.0.0.1/",
		"file:///etc/passwd", "gopher://8.8.8.8/", "ftp://8.8.8.8/ca.der", "ldap://8.8.8.8/cn=x", "ldap:///cn=x", "https://8.8.8.8/", "//8.8.8.8/x", "/etc/passwd", "",
		"http:", "http:///x", "http:8.8.8.8", "http://[fe80::1%25lo]/", "http://8.8.8.8/" + strings.Repeat("a", 3000), "javascript:alert(1)", "http://8.8.8.8:99999/", "unix:/run/x",
	} {
		_, err := intermediateFrom(t, f, p, u)
		var fetch *revocation.FetchError
		unresolved := errors.As(err, &fetch) && (fetch.Kind == revocation.FetchUnreachable || fetch.Kind == revocation.FetchTimeout)
		if fetch == nil || fetch.Kind != revocation.FetchForbidden && !(unresolved && isOddHost(u)) {
			t.Errorf("%.80s: %v", u, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") && !strings.Contains(u, "secret") {
			t.Errorf("%s: %v", u, err)
		}
	}
	if asked := site.asked(); len(asked) > 0 {
		t.Errorf("the server was asked: %q", asked)
	}
}

// isOddHost says whether a host is written so that only some resolvers take it for an address: others find no such name, or wait for who knows it.
func isOddHost(u string) bool {
	for _, odd := range []string{"//127.1/", "//2130706433/", "//0x7f000001/", "//LOCALHOST./"} {
		if strings.Contains(u, odd) {
			return true
		}
	}
	return false
}

func TestFetcherJudgesTheAddressThatIsDialled(t *testing.T) {
	p := certstest.New(t)
	f, err := revocation.NewFetcher(revocation.FetchOptions{Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = intermediateFrom(t, f, p, "http://localhost/ca.der") // a name like any other, that leads inside
	var address *revocation.AddressError
	if !errors.As(err, &address) || !address.Address.IsLoopback() {
		t.Errorf("got %v", err)
	}
	wantKind(t, err, revocation.FetchForbidden)
}

func TestFetcherRedirects(t *testing.T) {
	p := certstest.New(t)
	f := newFetcher(t)
	site := newSite(t)
	good := site.serve("ca.der", p.Issuing.Certificate.Raw)
	to := func(path, target string) string {
		return site.on(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", target)
			w.WriteHeader(http.StatusFound)
		})
	}
	site.on("hop", func(w http.ResponseWriter, r *http.Request) {
		var n int
		_, _ = fmt.Sscanf(r.URL.Path, "/hop/%d", &n)
		target := good
		if n > 1 {
			target = fmt.Sprintf("%s/hop/%d", site.URL, n-1)
		}
		if r.Header.Get("Referer") != "" || r.Header.Get("Cookie") != "" {
			t.Errorf("hop %d is told %v", n, r.Header)
		}
		w.Header().Set("Set-Cookie", "a=b")
		http.Redirect(w, r, target, http.StatusMovedPermanently)
	})
	if got, err := intermediateFrom(t, f, p, site.URL+"/hop/3"); err != nil || len(got) != 1 {
		t.Errorf("three redirects: %v", err)
	}
	_, err := intermediateFrom(t, f, p, site.URL+"/hop/4")
	wantKind(t, err, revocation.FetchRedirects)
	_, err = intermediateFrom(t, f, p, to("loop", site.URL+"/loop"))
	wantKind(t, err, revocation.FetchRedirects)
	for path, target := range map[string]string{
		"metadata": "http://169.254.169.254/latest/", "inside": "http://10.0.0.1/", "six": "http://[::1]/", "secure": "https://8.8.8.8/", "file": "file:///etc/passwd",
		"ldap": "ldap://8.8.8.8/", "login": "http://a:b@127.0.0.1/", "port": "http://8.8.8.8:22/", "mapped": "http://[::ffff:169.254.169.254]/",
	} {
		_, err := intermediateFrom(t, f, p, to(path, target))
		wantKind(t, err, revocation.FetchForbidden)
		if err != nil && !strings.Contains(err.Error(), "redirected to") {
			t.Errorf("%s: %v", path, err)
		}
	}
	none := newFetcher(t, func(o *revocation.FetchOptions) { o.MaxRedirects = -1 })
	_, err = intermediateFrom(t, none, p, site.URL+"/hop/1")
	wantKind(t, err, revocation.FetchRedirects)
}

func TestFetcherReadsBoundedBodies(t *testing.T) {
	p := certstest.New(t)
	f := newFetcher(t)
	site := newSite(t)
	var sent atomic.Int64
	endless := site.on("endless", func(w http.ResponseWriter, r *http.Request) { // as long as anybody listens: ten gigabytes and more
		chunk := bytes.Repeat([]byte{0x30}, 64<<10)
		for r.Context().Err() == nil {
			n, err := w.Write(chunk)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	_, err := intermediateFrom(t, f, p, endless)
	wantKind(t, err, revocation.FetchTooLong)
	if sent.Load() > 64<<20 {
		t.Errorf("%d bytes were taken", sent.Load())
	}
	claimed := site.on("claimed", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "10737418240") })
	_, err = intermediateFrom(t, f, p, claimed)
	wantKind(t, err, revocation.FetchTooLong)
	headers := site.on("headers", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Long", strings.Repeat("a", 200<<10)) })
	_, err = intermediateFrom(t, f, p, headers)
	wantKind(t, err, revocation.FetchUnreachable)
	// A body is what came, not what it unpacks to.
	packed := site.on("packed", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "" {
			t.Errorf("packed bodies are asked for: %v", r.Header)
		}
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write([]byte{0x1f, 0x8b, 8, 0})
	})
	if _, err := intermediateFrom(t, f, p, packed); err == nil {
		t.Error("a packed body is taken")
	}
}

// A server that sends a byte now and then, or none, holds a request no longer than one that is silent.
func TestFetcherIsDoneInTime(t *testing.T) {
	p := certstest.New(t)
	site := newSite(t)
	f := newFetcher(t, func(o *revocation.FetchOptions) { o.Timeout = 200 * time.Millisecond })
	drip := site.on("drip", func(w http.ResponseWriter, r *http.Request) {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-r.Context().Done():
				return
			case <-tick.C:
				_, _ = w.Write([]byte{0x30})
				_ = http.NewResponseController(w).Flush()
			}
		}
	})
	silent := site.on("silent", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	for _, u := range []string{drip, silent} {
		started := time.Now()
		_, err := intermediateFrom(t, f, p, u)
		wantKind(t, err, revocation.FetchTimeout)
		if took := time.Since(started); took > 5*time.Second {
			t.Errorf("%s took %s", u, took)
		}
	}
}

func TestFetcherTellsStatusAndBadContent(t *testing.T) {
	p := certstest.New(t)
	f := newFetcher(t)
	site := newSite(t)
	_, err := intermediateFrom(t, f, p, site.URL+"/missing")
	wantKind(t, err, revocation.FetchStatus)
	for path, body := range map[string]string{"page": "<html>no</html>", "empty": "", "pem": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "other": string(p.Root.Certificate.Raw)} {
		if got, err := intermediateFrom(t, f, p, site.serve(path, []byte(body))); err == nil || len(got) > 0 {
			t.Errorf("%s: %v, %v", path, got, err)
		}
	}
	// The second URL helps where the first does not.
	if got, err := intermediateFrom(t, f, p, "ldap://x/", site.serve("good", p.Issuing.Certificate.Raw)); err != nil || len(got) != 1 {
		t.Errorf("second URL: %v", err)
	}
}

func TestFetcherBoundsConcurrency(t *testing.T) {
	p := certstest.New(t)
	site := newSite(t)
	f := newFetcher(t, func(o *revocation.FetchOptions) { o.Concurrency = 2 })
	var now, most atomic.Int64
	release := make(chan struct{})
	entered := make(chan struct{}, 10)
	site.on("slow", func(w http.ResponseWriter, _ *http.Request) {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		entered <- struct{}{}
		<-release
		now.Add(-1)
		_, _ = w.Write(p.Issuing.Certificate.Raw)
	})
	done := make(chan error, 6)
	for i := range 6 {
		leaf := p.Issue(p.Issuing, certs.Template{Names: []string{name}, IssuingCertificateURL: []string{fmt.Sprintf("%s/slow/%d", site.URL, i)}})
		go func() {
			_, err := f.Intermediate(t.Context(), leaf.Certificate)
			done <- err
		}()
	}
	<-entered
	<-entered
	close(release)
	for range 6 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if most.Load() > 2 {
		t.Errorf("%d requests at one time, 2 are allowed", most.Load())
	}
}

func TestFetcherAsksAProxyOnlyWhenTold(t *testing.T) {
	p := certstest.New(t)
	var targets atomic.Pointer[string]
	proxy := newSite(t)
	proxy.on("ca.der", func(w http.ResponseWriter, r *http.Request) {
		target := r.URL.String()
		targets.Store(&target)
		_, _ = w.Write(p.Issuing.Certificate.Raw)
	})
	u, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("http_proxy", proxy.URL)
	ignoring, err := revocation.NewFetcher(revocation.FetchOptions{Timeout: 5 * time.Second, AllowHosts: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer ignoring.Close()
	if _, err := intermediateFrom(t, ignoring, p, "http://aia.invalid/ca.der"); err == nil || targets.Load() != nil {
		t.Errorf("the environment's proxy was asked: %v", err)
	}
	told, err := revocation.NewFetcher(revocation.FetchOptions{Timeout: 5 * time.Second, Proxy: u})
	if err != nil {
		t.Fatal(err)
	}
	defer told.Close()
	if _, err := intermediateFrom(t, told, p, "http://aia.invalid/ca.der"); err != nil || targets.Load() == nil || *targets.Load() != "http://aia.invalid/ca.der" {
		t.Errorf("the proxy was not asked: %v", err)
	}
	_, err = intermediateFrom(t, told, p, "http://169.254.169.254/ca.der")
	wantKind(t, err, revocation.FetchForbidden)
	if _, err := revocation.NewFetcher(revocation.FetchOptions{Proxy: &url.URL{Scheme: "socks5", Host: "x:1"}}); err == nil {
		t.Error("a SOCKS proxy is taken")
	}
}

func TestIntermediateForms(t *testing.T) {
	p := certstest.New(t)
	site := newSite(t)
	f := newFetcher(t)
	wanted := p.Issuing.Certificate
	openssl := program(t, "openssl")
	bundle := certstest.WriteCertificates(t, p.Intermediate.Certificate, wanted)
	p7 := run(t, openssl, "crl2pkcs7", "-nocrl", "-certfile", bundle, "-outform", "DER")
	p7PEM := run(t, openssl, "crl2pkcs7", "-nocrl", "-certfile", bundle)
	for path, body := range map[string][]byte{
		"der": wanted.Raw, "pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: wanted.Raw}), "p7c": p7, "p7pem": p7PEM,
	} {
		got, err := intermediateFrom(t, f, p, site.serve(path, body))
		if err != nil || len(got) != 1 || !got[0].Equal(wanted) {
			t.Errorf("%s: %d certificates, %v", path, len(got), err)
		}
	}
	if _, err := f.Intermediate(t.Context(), p.Leaf(name).Certificate); err == nil {
		t.Error("fetched from nowhere")
	}
}

func TestParseCertificatesRefusesEveryTruncation(t *testing.T) {
	p := certstest.New(t)
	p7 := run(t, program(t, "openssl"), "crl2pkcs7", "-nocrl", "-certfile", certstest.WriteCertificates(t, p.Issuing.Certificate), "-outform", "DER")
	for _, der := range [][]byte{p7, p.Issuing.Certificate.Raw} {
		if got, err := revocation.ParseCertificates(der); err != nil || len(got) != 1 {
			t.Errorf("whole: %v", err)
		}
		for n := range der {
			if _, err := revocation.ParseCertificates(der[:n]); err == nil {
				t.Fatalf("%d of %d bytes are taken", n, len(der))
			}
		}
	}
	many := bytes.Repeat(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Root.Certificate.Raw}), 40)
	if _, err := revocation.ParseCertificates(many); err == nil {
		t.Error("forty certificates are taken")
	}
}

func TestIntermediateIsAskedForOnce(t *testing.T) {
	p := certstest.New(t)
	site := newSite(t)
	clock := newClock(p.Now)
	f := newFetcher(t, func(o *revocation.FetchOptions) { o.Now = clock.now })
	u := site.serve("ca.der", p.Issuing.Certificate.Raw)
	missing := site.URL + "/missing"
	for range 3 {
		if _, err := intermediateFrom(t, f, p, u); err != nil {
			t.Error(err)
		}
		if _, err := intermediateFrom(t, f, p, missing); err == nil {
			t.Error("found what is missing")
		}
	}
	if asked := site.asked(); len(asked) != 2 {
		t.Errorf("asked %q", asked)
	}
	clock.add(6 * time.Minute)
	_, _ = intermediateFrom(t, f, p, u)
	_, _ = intermediateFrom(t, f, p, missing)
	if asked := site.asked(); len(asked) != 3 {
		t.Errorf("after six minutes asked %q, want the failed one again", asked)
	}
	clock.add(6 * time.Hour)
	_, _ = intermediateFrom(t, f, p, u)
	if asked := site.asked(); len(asked) != 4 {
		t.Errorf("after six hours asked %q", asked)
	}
}

func TestIntermediatesClimb(t *testing.T) {
	p := certstest.New(t)
	site := newSite(t)
	f := newFetcher(t)
	root := site.serve("root.der", p.Root.Certificate.Raw)
	upper := p.Issue(p.Root, certs.Template{CommonName: "Upper", CA: true, IssuingCertificateURL: []string{root}})
	lower := p.Issue(upper, certs.Template{CommonName: "Lower", CA: true, IssuingCertificateURL: []string{site.serve("upper.der", upper.Certificate.Raw)}})
	leaf := p.Issue(lower, certs.Template{Names: []string{name}, IssuingCertificateURL: []string{site.serve("lower.der", lower.Certificate.Raw)}})
	by := func(root *x509.Certificate) func(*x509.Certificate) bool {
		return func(c *x509.Certificate) bool { return bytes.Equal(c.RawIssuer, root.RawSubject) }
	}
	got, err := f.Intermediates(t.Context(), leaf.Certificate, by(p.Root.Certificate))
	if err != nil || len(got) != 2 || !got[0].Equal(lower.Certificate) || !got[1].Equal(upper.Certificate) {
		t.Errorf("got %d, %v", len(got), err)
	}
	// Nobody's root: the climb ends at the top, and says so.
	got, err = f.Intermediates(t.Context(), leaf.Certificate, by(p.OtherRoot.Certificate))
	if err == nil || len(got) != 2 || !strings.Contains(err.Error(), "not trusted") {
		t.Errorf("got %d, %v", len(got), err)
	}
	low := newFetcher(t, func(o *revocation.FetchOptions) { o.MaxDepth = 1 })
	if got, err = low.Intermediates(t.Context(), leaf.Certificate, by(p.Root.Certificate)); err == nil || len(got) != 1 {
		t.Errorf("one step: got %d, %v", len(got), err)
	}
	// Two that certify each other: a circle ends.
	circle := func(name, issuer string) *certs.Pair {
		return p.Issue(p.Root, certs.Template{CommonName: name, CA: true, IssuingCertificateURL: []string{site.URL + "/" + issuer}})
	}
	a := circle("A", "b.der")
	b := p.Issue(a, certs.Template{CommonName: "B", CA: true, IssuingCertificateURL: []string{site.URL + "/a.der"}})
	aByB := p.Issue(b, certs.Template{CommonName: "A", CA: true, Signer: a.Key, IssuingCertificateURL: []string{site.URL + "/b.der"}})
	site.serve("a.der", aByB.Certificate.Raw)
	site.serve("b.der", b.Certificate.Raw)
	got, err = f.Intermediates(t.Context(), p.Issue(a, certs.Template{Names: []string{name}, IssuingCertificateURL: []string{site.URL + "/a.der"}}).Certificate, by(p.OtherRoot.Certificate))
	if err == nil || len(got) != 5 {
		t.Errorf("a circle: got %d, %v", len(got), err)
	}
}

func TestFetcherCloseEndsWhatIsUnderWay(t *testing.T) {
	p := certstest.New(t)
	site := newSite(t)
	f := newFetcher(t, func(o *revocation.FetchOptions) { o.Timeout = time.Hour })
	entered := make(chan struct{})
	u := site.on("silent", func(_ http.ResponseWriter, r *http.Request) { close(entered); <-r.Context().Done() })
	leaf := p.Issue(p.Issuing, certs.Template{Names: []string{name}, IssuingCertificateURL: []string{u}})
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() { _, err := f.Intermediate(ctx, leaf.Certificate); gone <- err }()
	<-entered
	cancel() // who asked gives up; what is under way goes on
	if err := <-gone; err == nil {
		t.Error("no error after giving up")
	}
	f.Close()
	if _, err := f.Intermediate(t.Context(), p.Issue(p.Issuing, certs.Template{Names: []string{name}, IssuingCertificateURL: []string{u + "/2"}}).Certificate); !errors.Is(err, revocation.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
