package revocation_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/certs/revocation"
)

// responds answers OCSP requests by GET and POST with what answer makes of the request.
func responds(t *testing.T, s *site, path string, answer func(request []byte) []byte) string {
	return s.on(path, func(w http.ResponseWriter, r *http.Request) {
		var request []byte
		if r.Method == http.MethodGet {
			_, escaped, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
			encoded, err := url.PathUnescape(escaped)
			if err != nil {
				t.Error(err)
			}
			if request, err = base64.StdEncoding.DecodeString(encoded); err != nil {
				t.Error(err)
			}
		} else {
			if r.Header.Get("Content-Type") != "application/ocsp-request" {
				t.Errorf("POST of %q", r.Header.Get("Content-Type"))
			}
			request = readAll(t, r.Body)
		}
		w.Header().Set("Content-Type", "application/ocsp-response")
		_, _ = w.Write(answer(request))
	})
}

// authority answers OCSP requests for certificates of an issuer, with the library's eyes.
func authority(t *testing.T, p *certstest.PKI, by *certs.Pair, said revocation.Result) func([]byte) []byte {
	return func(request []byte) []byte {
		r, err := ocsp.ParseRequest(request)
		if err != nil {
			t.Errorf("request %x: %v", request, err)
			return errorResponse(1)
		}
		return response{by: by, singles: []single{about(&x509.Certificate{SerialNumber: r.SerialNumber}, by.Certificate, said, p.Now)}}.der(t)
	}
}

func TestCheckAsksTheResponderOnce(t *testing.T) {
	p := certstest.New(t)
	site := newSite(t)
	clock := newClock(p.Now)
	leaf := shallow(p, certs.Template{OCSPServer: []string{responds(t, site, "ocsp", authority(t, p, p.Root, revocation.Good))}})
	c := newChecker(t, revocation.Options{Mode: revocation.Check, Now: clock.now})
	if status, ok := c.Known(path(leaf), nil); ok || status.Result != revocation.Unknown {
		t.Errorf("known before it was asked: %+v", status)
	}
	for range 3 {
		status := c.Check(t.Context(), path(leaf), nil)
		s := only(t, status)
		if status.Result != revocation.Good || s.Result != revocation.Good || s.Answer() == nil || s.Answer().Source != revocation.FromOCSP || s.Answer().URL == "" || s.Answer().AskedAt.IsZero() || status.Err() != nil {
			t.Errorf("got %+v", status)
		}
	}
	if status, ok := c.Known(path(leaf), nil); !ok || status.Result != revocation.Good {
		t.Errorf("not known after it was asked: %+v", status)
	}
	if asked := site.asked(); len(asked) != 1 || asked[0] != "GET /ocsp" {
		t.Errorf("asked %q", asked)
	}
	clock.add(12*time.Hour + time.Minute) // beyond CacheCap, before nextUpdate
	if _, ok := c.Known(path(leaf), nil); ok {
		t.Error("known for ever")
	}
	c.Check(t.Context(), path(leaf), nil)
	if asked := site.asked(); len(asked) != 2 {
		t.Errorf("asked %q", asked)
	}
}

func TestCheckAsksOnceForAllWhoWait(t *testing.T) {
	p := certstest.New(t)
	site := newSite(t)
	release, entered := make(chan struct{}), make(chan struct{}, 100)
	answer := authority(t, p, p.Root, revocation.Good)
	leaf := shallow(p, certs.Template{OCSPServer: []string{responds(t, site, "ocsp", func(r []byte) []byte { entered <- struct{}{}; <-release; return answer(r) })}})
	c := newChecker(t, revocation.Options{Mode: revocation.Check})
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if status := c.Check(t.Context(), path(leaf), nil); status.Result != revocation.Good {
				t.Errorf("got %+v", status)
			}
		})
	}
	<-entered
	close(release)
	all.Wait()
	if asked := site.asked(); len(asked) != 1 {
		t.Errorf("asked %d times", len(asked))
	}
}

func TestCheckLooksAtTheWholeChain(t *testing.T) {
	p := certstest.New(t)
	site := newSite(t)
	root := responds(t, site, "root", authority(t, p, p.Root, revocation.Revoked))
	sub := p.Issue(p.Root, certs.Template{CommonName: "Sub", CA: true, OCSPServer: []string{root}})
	leaf := p.Issue(sub, certs.Template{Names: []string{name}, OCSPServer: []string{responds(t, site, "sub", authority(t, p, sub, revocation.Good))}})
	c := newChecker(t, revocation.Options{Mode: revocation.Check})
	status := c.Check(t.Context(), path(leaf), nil)
	if len(status.Certificates) != 2 || status.Certificates[0].Result != revocation.Good || status.Certificates[1].Result != revocation.Revoked || status.Result != revocation.Revoked {
		t.Fatalf("got %+v", status)
	}
	revoked := status.Certificates[1]
	if revoked.Index != 1 || revoked.Subject != `"Sub"` || revoked.Serial != fmt.Sprintf("%x", sub.Certificate.SerialNumber) || revoked.Answer().URL != root || revoked.Answer().RevokedAt.IsZero() {
		t.Errorf("evidence: %+v", revoked)
	}
	if err := status.Err(); !errors.Is(err, revocation.ErrRevoked) || !strings.Contains(err.Error(), "certificate 1") {
		t.Errorf("got %v", err)
	}
	text, err := json.Marshal(status)
	if err != nil {
		t.Fatal(err)
	}
	var back revocation.Status
	if err := json.Unmarshal(text, &back); err != nil || back.Result != revocation.Revoked || back.Certificates[1].Answers[0].Reason.String() != "keyCompromise" {
		t.Errorf("%v: %s", err, text)
	}
	// Out of order, as servers send them: an issuer is found wherever it stands.
	if status := c.Check(t.Context(), []*x509.Certificate{leaf.Certificate, p.Root.Certificate, sub.Certificate}, nil); status.Result != revocation.Revoked {
		t.Errorf("out of order: %+v", status)
	}
}

func TestModes(t *testing.T) {
	p := certstest.New(t)
	site := newSite(t)
	cert := func(said revocation.Result) *certs.Pair {
		return shallow(p, certs.Template{OCSPServer: []string{responds(t, site, string(said), authority(t, p, p.Root, said))}})
	}
	good, revoked, unknown := cert(revocation.Good), cert(revocation.Revoked), cert(revocation.Unknown)
	broken := shallow(p, certs.Template{OCSPServer: []string{site.URL + "/broken"}})
	silent := shallow(p, certs.Template{})
	staple := func(pair *certs.Pair, said revocation.Result) []byte {
		return response{by: p.Root, singles: []single{about(pair.Certificate, p.Root.Certificate, said, p.Now)}}.der(t)
	}
	garbage := []byte("garbage")
	for _, test := range []struct {
		name   string
		mode   revocation.Mode
		leaf   *certs.Pair
		staple []byte
		result revocation.Result
		err    error
		asks   bool
	}{
		{"off, revoked", revocation.Off, revoked, staple(revoked, revocation.Revoked), revocation.NotChecked, nil, false},
		{"staple, none", revocation.Staple, revoked, nil, revocation.NotChecked, nil, false},
		{"staple, good", revocation.Staple, good, staple(good, revocation.Good), revocation.Good, nil, false},
		{"staple, revoked", revocation.Staple, good, staple(good, revocation.Revoked), revocation.Revoked, revocation.ErrRevoked, false},
		{"staple, garbage", revocation.Staple, revoked, garbage, revocation.Unknown, nil, false},
		{"check, good", revocation.Check, good, nil, revocation.Good, nil, true},
		{"check, stapled good", revocation.Check, good, staple(good, revocation.Good), revocation.Good, nil, false},
		{"check, garbage stapled", revocation.Check, good, garbage, revocation.Good, nil, true},
		{"check, revoked", revocation.Check, revoked, nil, revocation.Revoked, revocation.ErrRevoked, true},
		{"check, garbage stapled, revoked", revocation.Check, revoked, garbage, revocation.Revoked, revocation.ErrRevoked, true},
		{"check, unknown", revocation.Check, unknown, nil, revocation.Unknown, nil, true},
		{"check, broken", revocation.Check, broken, nil, revocation.Unknown, nil, true},
		{"check, no source", revocation.Check, silent, nil, revocation.Unknown, nil, false},
		{"require, good", revocation.Require, good, nil, revocation.Good, nil, true},
		{"require, revoked", revocation.Require, revoked, nil, revocation.Revoked, revocation.ErrRevoked, true},
		{"require, unknown", revocation.Require, unknown, nil, revocation.Unknown, revocation.ErrUnknown, true},
		{"require, broken", revocation.Require, broken, nil, revocation.Unknown, revocation.ErrUnknown, true},
		{"require, no source", revocation.Require, silent, nil, revocation.Unknown, revocation.ErrUnknown, false},
		{"require, stapled good", revocation.Require, broken, staple(broken, revocation.Good), revocation.Good, nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := len(site.asked())
			status := newChecker(t, revocation.Options{Mode: test.mode}).Check(t.Context(), path(test.leaf), test.staple)
			if status.Result != test.result || !errors.Is(status.Err(), test.err) || (status.Err() == nil) != (test.err == nil) {
				t.Errorf("got %s, %v: %+v", status.Result, status.Err(), status)
			}
			if test.mode != revocation.Off && (status.Staple != nil) != (test.staple != nil) {
				t.Errorf("staple: %+v", status.Staple)
			}
			if asks := len(site.asked()) > before; asks != test.asks {
				t.Errorf("asks: %v, want %v", asks, test.asks)
			}
			for _, c := range status.Certificates {
				if c.Detail == "" || c.Subject == "" {
					t.Errorf("says nothing: %+v", c)
				}
			}
		})
	}
	if _, err := revocation.New(revocation.Options{Mode: "sometimes"}); err == nil {
		t.Error("a mode of no such name is taken")
	}
}

// A cache between us and the responder that gives an old answer is gone past.
func TestStaleAnswerOfACacheIsAskedPast(t *testing.T) {
	p := certstest.New(t)
	site := newSite(t)
	leaf := shallow(p, certs.Template{OCSPServer: []string{site.URL + "/ocsp"}})
	old := about(leaf.Certificate, p.Root.Certificate, revocation.Good, p.Now)
	old.thisUpdate, old.nextUpdate = p.Now.Add(-72*time.Hour), p.Now.Add(-48*time.Hour)
	site.on("ocsp", func(w http.ResponseWriter, r *http.Request) {
		s := old
		if r.Method == http.MethodPost {
			s = about(leaf.Certificate, p.Root.Certificate, revocation.Revoked, p.Now)
		}
		_, _ = w.Write(response{by: p.Root, singles: []single{s}}.der(t))
	})
	if status := newChecker(t, revocation.Options{Mode: revocation.Check}).Check(t.Context(), path(leaf), nil); status.Result != revocation.Revoked {
		t.Errorf("got %+v", status)
	}
}

// A handshake asks memory alone, and is refused by a staple that says revoked.
func TestKnownInAHandshake(t *testing.T) {
	p := certstest.New(t)
	leaf := p.Leaf(name)
	c := newChecker(t, revocation.Options{Mode: revocation.Staple})
	for _, said := range []revocation.Result{revocation.Good, revocation.Revoked} {
		served := leaf.TLSWith(p.Issuing.Certificate, p.Intermediate.Certificate)
		served.OCSPStaple = response{by: p.Issuing, singles: []single{about(leaf.Certificate, p.Issuing.Certificate, said, p.Now)}}.der(t)
		near, far := net.Pipe()
		server := tls.Server(far, &tls.Config{Certificates: []tls.Certificate{*served}})
		done := make(chan error, 1)
		go func() { done <- server.Handshake() }()
		var status revocation.Status
		client := tls.Client(near, &tls.Config{ServerName: name, RootCAs: p.Roots(), VerifyConnection: func(state tls.ConnectionState) error {
			status, _ = c.Known(state.VerifiedChains[0], state.OCSPResponse)
			return status.Err()
		}})
		err := client.Handshake()
		_ = near.Close()
		<-done
		_ = far.Close()
		if status.Result != said || errors.Is(err, revocation.ErrRevoked) != (said == revocation.Revoked) || (err == nil) != (said == revocation.Good) {
			t.Errorf("%s: %v, %+v", said, err, status)
		}
	}
}

// A staple made before the revocation is not believed once the newer word is known.
func TestStaleGoodIsNotReplayed(t *testing.T) {
	p := certstest.New(t)
	site := newSite(t)
	clock := newClock(p.Now)
	for name, reason := range map[string]int{"for ever": 1, "on hold": 6} {
		t.Run(name, func(t *testing.T) {
			leaf := shallow(p, certs.Template{OCSPServer: []string{site.URL + "/x"}})
			s := about(leaf.Certificate, p.Root.Certificate, revocation.Revoked, p.Now)
			s.reason = reason
			responds(t, site, "x", func([]byte) []byte { return response{by: p.Root, singles: []single{s}}.der(t) })
			old := about(leaf.Certificate, p.Root.Certificate, revocation.Good, p.Now)
			old.thisUpdate, old.nextUpdate = p.Now.Add(-6*time.Hour), p.Now.Add(72*time.Hour)
			staple := response{by: p.Root, singles: []single{old}}.der(t)
			c := newChecker(t, revocation.Options{Mode: revocation.Check, Now: clock.now})
			if status := c.Check(t.Context(), path(leaf), nil); status.Result != revocation.Revoked {
				t.Fatalf("got %+v", status)
			}
			status, known := c.Known(path(leaf), staple)
			if !known || status.Result != revocation.Revoked || status.Staple.Result != revocation.Good {
				t.Errorf("the older staple is believed: %+v", status)
			}
		})
	}
	t.Run("expired", func(t *testing.T) {
		leaf := shallow(p, certs.Template{})
		old := about(leaf.Certificate, p.Root.Certificate, revocation.Good, p.Now)
		staple := response{by: p.Root, singles: []single{old}}.der(t)
		moving := newClock(p.Now)
		c := newChecker(t, revocation.Options{Mode: revocation.Staple, Now: moving.now})
		if status, _ := c.Known(path(leaf), staple); status.Result != revocation.Good {
			t.Errorf("got %+v", status)
		}
		moving.add(48 * time.Hour)
		if status, _ := c.Known(path(leaf), staple); status.Result != revocation.Unknown || status.Staple.Result != revocation.Expired {
			t.Errorf("believed for ever: %+v", status)
		}
	})
}

func TestFailuresAreKeptShortly(t *testing.T) {
	p := certstest.New(t)
	site := newSite(t)
	clock := newClock(p.Now)
	answer := errorResponse(3)
	u := responds(t, site, "ocsp", func([]byte) []byte { return answer })
	leaf := shallow(p, certs.Template{OCSPServer: []string{u}})
	c := newChecker(t, revocation.Options{Mode: revocation.Check, Now: clock.now})
	for range 3 {
		s := only(t, c.Check(t.Context(), path(leaf), nil))
		if s.Result != revocation.Unknown || s.Answers[0].Result != revocation.ErrorStatus || !strings.Contains(s.Detail, "tryLater") || s.Decided != -1 {
			t.Errorf("got %+v", s)
		}
	}
	if asked := site.asked(); len(asked) != 2 { // GET, and POST because of the error
		t.Errorf("asked %q", asked)
	}
	answer = authority(t, p, p.Root, revocation.Good)(request(t, leaf.Certificate, p.Root.Certificate))
	clock.add(6 * time.Minute)
	if status := c.Check(t.Context(), path(leaf), nil); status.Result != revocation.Good {
		t.Errorf("got %+v", status)
	}
}

func request(t *testing.T, cert, issuer *x509.Certificate) []byte {
	t.Helper()
	der, err := ocsp.CreateRequest(cert, issuer, nil)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestRequestsAreThoseOfTheLibrary(t *testing.T) {
	p := certstest.New(t)
	site := newSite(t)
	var seen []byte
	leaf := shallow(p, certs.Template{OCSPServer: []string{responds(t, site, "ocsp", func(r []byte) []byte { seen = r; return errorResponse(6) })}})
	newChecker(t, revocation.Options{Mode: revocation.Check}).Check(t.Context(), path(leaf), nil)
	if want := request(t, leaf.Certificate, p.Root.Certificate); !bytes.Equal(seen, want) {
		t.Errorf("asked\n%x, want\n%x", seen, want)
	}
}

func TestResponderThatKnowsPostAlone(t *testing.T) {
	p := certstest.New(t)
	site := newSite(t)
	leaf := shallow(p, certs.Template{OCSPServer: []string{site.URL + "/ocsp"}})
	site.on("ocsp", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		_, _ = w.Write(authority(t, p, p.Root, revocation.Good)(readAll(t, r.Body)))
	})
	if status := newChecker(t, revocation.Options{Mode: revocation.Check}).Check(t.Context(), path(leaf), nil); status.Result != revocation.Good {
		t.Errorf("got %+v", status)
	}
	// A long URL, and one with a query, are POSTs from the start.
	for _, u := range []string{site.URL + "/ocsp/" + strings.Repeat("a", 200), site.URL + "/ocsp?x=1"} {
		before := len(site.asked())
		leaf := shallow(p, certs.Template{OCSPServer: []string{u}})
		if status := newChecker(t, revocation.Options{Mode: revocation.Check}).Check(t.Context(), path(leaf), nil); status.Result != revocation.Good {
			t.Errorf("got %+v", status)
		}
		if asked := site.asked()[before:]; len(asked) != 1 || asked[0] != "POST /ocsp" {
			t.Errorf("asked %q", asked)
		}
	}
}

func TestNonce(t *testing.T) {
	p := certstest.New(t)
	site := newSite(t)
	leaf := shallow(p, certs.Template{OCSPServer: []string{site.URL + "/ocsp"}})
	s := about(leaf.Certificate, p.Root.Certificate, revocation.Good, p.Now)
	echo := func(r []byte) []byte {
		i := bytes.Index(r, []byte{0x30, 0x01, 0x02, 4, 34, 4, 32}) // …48.1.2, OCTET STRING of OCTET STRING of 32
		if i < 0 {
			t.Errorf("no nonce in %x", r)
			return nil
		}
		return r[i+7 : i+39]
	}
	for name, test := range map[string]struct {
		nonce func([]byte) []byte
		want  revocation.Result
	}{
		"given back": {echo, revocation.Good}, "another": {func([]byte) []byte { return []byte("0123456789abcdef") }, revocation.WrongCertificate}, "none": {func([]byte) []byte { return nil }, revocation.Good},
	} {
		responds(t, site, "ocsp", func(r []byte) []byte { return response{by: p.Root, nonce: test.nonce(r), singles: []single{s}}.der(t) })
		got := only(t, newChecker(t, revocation.Options{Mode: revocation.Check, Nonce: true}).Check(t.Context(), path(leaf), nil))
		if got.Answers[0].Result != test.want {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	if asked := site.asked(); asked[0] != "POST /ocsp" {
		t.Errorf("asked %q", asked)
	}
}

func TestCheckByLists(t *testing.T) {
	p := certstest.New(t)
	site := newSite(t)
	list := func(ext []pkix.Extension, revoked ...*big.Int) []byte {
		l := &x509.RevocationList{ThisUpdate: p.Now.Add(-time.Hour), NextUpdate: p.Now.Add(time.Hour), ExtraExtensions: ext}
		for _, n := range revoked {
			l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: n, RevocationTime: p.Now.Add(-2 * time.Hour), ReasonCode: 1})
		}
		return crl(t, p.Root, l)
	}
	u := site.URL + "/list.crl"
	one, two := shallow(p, certs.Template{CRLDistributionPoints: []string{u}}), shallow(p, certs.Template{CRLDistributionPoints: []string{u}})
	site.serve("list.crl", list([]pkix.Extension{point(u)}, two.Certificate.SerialNumber))
	c := newChecker(t, revocation.Options{Mode: revocation.Require})
	if status := c.Check(t.Context(), path(one), nil); status.Result != revocation.Good || status.Err() != nil {
		t.Errorf("got %+v", status)
	}
	if status := c.Check(t.Context(), path(two), nil); status.Result != revocation.Revoked || only(t, status).Answer().Source != revocation.FromCRL {
		t.Errorf("got %+v", status)
	}
	if asked := site.asked(); len(asked) != 1 {
		t.Errorf("one list is fetched for all its certificates; asked %q", asked)
	}
	// A responder that does not answer is followed by the list.
	both := shallow(p, certs.Template{OCSPServer: []string{site.URL + "/none"}, CRLDistributionPoints: []string{u}})
	if s := only(t, c.Check(t.Context(), path(both), nil)); s.Result != revocation.Good || len(s.Answers) != 2 || s.Answers[0].Result != revocation.Unreachable || s.Decided != 1 {
		t.Errorf("got %+v", s)
	}
	for name, test := range map[string]struct {
		body []byte
		want revocation.Result
	}{
		"another part": {list([]pkix.Extension{point("http://elsewhere/")}), revocation.WrongCertificate},
		"a page":       {[]byte("<html>"), revocation.Malformed},
		"empty":        {nil, revocation.Malformed},
		"too long":     {append([]byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff}, make([]byte, 100)...), revocation.Unreachable},
		"of another":   {crl(t, p.OtherRoot, &x509.RevocationList{ThisUpdate: p.Now, NextUpdate: p.Now.Add(time.Hour)}), revocation.WrongCertificate},
	} {
		leaf := shallow(p, certs.Template{CRLDistributionPoints: []string{site.serve("bad.crl", test.body)}})
		s := only(t, newChecker(t, revocation.Options{Mode: revocation.Check}).Check(t.Context(), path(leaf), nil))
		if s.Result != revocation.Unknown || s.Answers[0].Result != test.want {
			t.Errorf("%s: got %+v", name, s)
		}
	}
}

// A forged list in between does not take the place of the right one in memory.
func TestForgedListIsNotKept(t *testing.T) {
	p := certstest.New(t)
	site := newSite(t)
	twin := p.SelfSign(certs.Template{CommonName: p.Root.Certificate.Subject.CommonName, Organization: "Triage Test", CA: true})
	list := &x509.RevocationList{ThisUpdate: p.Now, NextUpdate: p.Now.Add(time.Hour)}
	u := site.serve("list.crl", crl(t, twin, list))
	c := newChecker(t, revocation.Options{Mode: revocation.Check})
	first := only(t, c.Check(t.Context(), path(shallow(p, certs.Template{CRLDistributionPoints: []string{u}})), nil))
	if first.Answers[0].Result != revocation.BadSignature {
		t.Errorf("got %+v", first)
	}
	site.serve("list.crl", crl(t, p.Root, list))
	if second := only(t, c.Check(t.Context(), path(shallow(p, certs.Template{CRLDistributionPoints: []string{u}})), nil)); second.Result != revocation.Good {
		t.Errorf("got %+v", second)
	}
}

func TestListBombIsBounded(t *testing.T) {
	p := certstest.New(t)
	site := newSite(t)
	u := site.on("bomb.crl", func(w http.ResponseWriter, r *http.Request) {
		// A list that is right as far as it goes: entry after entry, without an end.
		head := []byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xf0, 0x30, 0x84, 0x7f, 0xff, 0xff, 0x00, 2, 1, 1, 0x30, 0x0a, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2}
		head = append(head, p.Root.Certificate.RawSubject...)
		head = append(head, "\x17\x0d260101000000Z\x30\x84\x7f\xff\xf0\x00"...)
		head[2], head[8] = 0, 0 // of less than 50 MB, as it says
		_, _ = w.Write(head)
		for r.Context().Err() == nil {
			if _, err := w.Write(bytes.Repeat([]byte("\x30\x12\x02\x01\x01\x17\x0d260101000000Z"), 1000)); err != nil {
				return
			}
		}
	})
	leaf := shallow(p, certs.Template{CRLDistributionPoints: []string{u}})
	c := newChecker(t, revocation.Options{Mode: revocation.Check, MaxCRLBytes: 1 << 20})
	if s := only(t, c.Check(t.Context(), path(leaf), nil)); s.Result != revocation.Unknown || len(s.Detail) > 1000 {
		t.Errorf("got %+v", s)
	}
}

func TestLocalListsAndResponderOverride(t *testing.T) {
	p := certstest.New(t)
	site := newSite(t)
	leaf := shallow(p, certs.Template{OCSPServer: []string{"http://ocsp.invalid/"}})
	c := newChecker(t, revocation.Options{Mode: revocation.Check, Responder: responds(t, site, "own", authority(t, p, p.Root, revocation.Good))})
	if status := c.Check(t.Context(), path(leaf), nil); status.Result != revocation.Good {
		t.Errorf("by the configured responder: %+v", status)
	}
	lists, err := revocation.ParseLists("revoked.crl", crl(t, p.Root, &x509.RevocationList{ThisUpdate: p.Now, NextUpdate: p.Now.Add(time.Hour),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: leaf.Certificate.SerialNumber, RevocationTime: p.Now, ReasonCode: 5}}}))
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []revocation.Mode{revocation.Staple, revocation.Check, revocation.Require} {
		status, known := newChecker(t, revocation.Options{Mode: mode, Lists: lists}).Known(path(leaf), nil)
		if s := only(t, status); !known || s.Result != revocation.Revoked || s.Answer().URL != "revoked.crl" || s.Answer().Reason.String() != "cessationOfOperation" {
			t.Errorf("%s: by the local list: %+v", mode, status)
		}
	}
	for _, bad := range []string{"https://x/", "x", "ldap://x/", "http://"} {
		if _, err := revocation.New(revocation.Options{Mode: revocation.Check, Responder: bad}); err == nil {
			t.Errorf("responder %q is taken", bad)
		}
	}
}

func TestCertificatesThatNeedNoRevocation(t *testing.T) {
	p := certstest.New(t)
	short := shallow(p, certs.Template{NotBefore: p.Now, NotAfter: p.Now.Add(6 * 24 * time.Hour)})
	marked := shallow(p, certs.Template{ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 56}, Value: []byte{5, 0}}}})
	long := shallow(p, certs.Template{NotBefore: p.Now, NotAfter: p.Now.Add(8 * 24 * time.Hour)})
	for leaf, want := range map[*certs.Pair]revocation.Result{short: revocation.NotNeeded, marked: revocation.NotNeeded, long: revocation.Unknown} {
		status := newChecker(t, revocation.Options{Mode: revocation.Require}).Check(t.Context(), path(leaf), nil)
		if s := only(t, status); s.Result != want || (status.Err() == nil) != (want == revocation.NotNeeded) {
			t.Errorf("got %+v, want %s", status, want)
		}
	}
}

func TestForbiddenAndOddSources(t *testing.T) {
	p := certstest.New(t)
	fetcher, err := revocation.NewFetcher(revocation.FetchOptions{Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer fetcher.Close()
	for u, says := range map[string]string{
		"http://127.0.0.1/x": "loopback", "http://169.254.169.254/latest": "metadata", "https://8.8.8.8/": "https", "ldap://8.8.8.8/cn": "LDAP", "file:///etc/passwd": "scheme",
	} {
		for _, leaf := range []*certs.Pair{shallow(p, certs.Template{OCSPServer: []string{u}}), shallow(p, certs.Template{CRLDistributionPoints: []string{u}})} {
			status := newChecker(t, revocation.Options{Mode: revocation.Require, Fetcher: fetcher}).Check(t.Context(), path(leaf), nil)
			if s := only(t, status); s.Result != revocation.Unknown || s.Answers[0].Result != revocation.Forbidden || !strings.Contains(s.Answers[0].Detail, says) {
				t.Errorf("%s: got %+v", u, s)
			}
		}
	}
}

func TestChainsWithoutAnIssuerStayUnknown(t *testing.T) {
	p := certstest.New(t)
	c := newChecker(t, revocation.Options{Mode: revocation.Require})
	leaf := p.Leaf(name)
	staple := response{by: p.Issuing, singles: []single{about(leaf.Certificate, p.Issuing.Certificate, revocation.Good, p.Now)}}.der(t)
	if s := only(t, c.Check(t.Context(), []*x509.Certificate{leaf.Certificate}, staple)); s.Result != revocation.Unknown || !strings.Contains(s.Detail, "not in the chain") {
		t.Errorf("got %+v", s)
	}
	// Somebody who only has the issuer's name is not its issuer: an answer signed by that key settles nothing.
	twin := p.SelfSign(certs.Template{CommonName: "Test Issuing", Organization: "Triage Test", CA: true})
	forged := response{by: twin, singles: []single{about(leaf.Certificate, twin.Certificate, revocation.Good, p.Now)}}.der(t)
	if s := only(t, c.Check(t.Context(), []*x509.Certificate{leaf.Certificate, twin.Certificate}, forged)); s.Result != revocation.Unknown {
		t.Errorf("got %+v", s)
	}
	for _, chain := range [][]*x509.Certificate{nil, {nil}, {p.Root.Certificate}} {
		if status := c.Check(t.Context(), chain, nil); !errors.Is(status.Err(), revocation.ErrUnknown) {
			t.Errorf("%d certificates: %v", len(chain), status.Err())
		}
	}
	// A chain without an end is looked at as far as the bound, and is no good one.
	long := []*x509.Certificate{leaf.Certificate}
	for range 50 {
		long = append(long, p.Root.Certificate)
	}
	if status := c.Check(t.Context(), append(long, path(leaf)...), nil); !errors.Is(status.Err(), revocation.ErrUnknown) || len(status.Certificates) > 12 {
		t.Errorf("got %+v", status)
	}
}

func TestMustStapleIsSaid(t *testing.T) {
	p := certstest.New(t)
	must := shallow(p, certs.Template{ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}, Value: []byte{0x30, 3, 2, 1, 5}}}})
	c := newChecker(t, revocation.Options{Mode: revocation.Staple})
	if status, _ := c.Known(path(must), nil); !status.MustStaple || status.Staple != nil {
		t.Errorf("got %+v", status)
	}
	if status, _ := c.Known(path(p.Leaf(name)), nil); status.MustStaple {
		t.Errorf("got %+v", status)
	}
}

// Who asks may give up; nobody waits for a slow responder longer than they want.
func TestCheckEndsWithItsContext(t *testing.T) {
	p := certstest.New(t)
	site := newSite(t)
	entered := make(chan struct{}, 10)
	u := site.on("slow", func(_ http.ResponseWriter, r *http.Request) { entered <- struct{}{}; <-r.Context().Done() })
	leaf := shallow(p, certs.Template{OCSPServer: []string{u}})
	c := newChecker(t, revocation.Options{Mode: revocation.Require, Fetcher: newFetcher(t, func(o *revocation.FetchOptions) { o.Timeout = time.Hour })})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-entered; cancel() }()
	status := c.Check(ctx, path(leaf), nil)
	if s := only(t, status); s.Result != revocation.Unknown || !strings.Contains(s.Detail, "not waited for") {
		t.Errorf("got %+v", s)
	}
	c.Close()
	if status := c.Check(t.Context(), path(leaf), nil); !errors.Is(status.Err(), revocation.ErrUnknown) {
		t.Errorf("after Close: %+v", status)
	}
}

func BenchmarkKnown(b *testing.B) {
	p := certstest.New(b)
	leaf := p.Leaf(name)
	staple := response{by: p.Issuing, singles: []single{about(leaf.Certificate, p.Issuing.Certificate, revocation.Good, p.Now)}}.der(b)
	c := newChecker(b, revocation.Options{Mode: revocation.Staple})
	chain := path(leaf)
	b.ReportAllocs()
	for b.Loop() {
		if status, ok := c.Known(chain, staple); !ok || status.Certificates[0].Result != revocation.Good {
			b.Fatal(status)
		}
	}
}
