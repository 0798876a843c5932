package h3

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/quic-go/quic-go/http3"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/proxy"
)

func TestHTTP3CarriesRequests(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("backend with HTTP/2: %t", h2), func(t *testing.T) {
			pki := certstest.New(t)
			r := inHTTPMode(t, pki, httpBackend(t, pki, h2, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				w.Header().Set("X-Seen", fmt.Sprint(r.Method, " ", r.Host, r.URL.Path, " ", len(body), " ", r.Header.Get("X-Forwarded-Proto"), " ", r.Header.Get("X-Forwarded-For")))
				fmt.Fprint(w, "hello over three")
			}))
			c := r.client()
			for i := range 3 {
				answer, text := fetch(t, c, http.MethodPost, "https://"+testName+"/a", strings.NewReader(strings.Repeat("x", 100_000*i)))
				if want := fmt.Sprint("POST ", testName, "/a ", 100_000*i, " https 127.0.0.1"); answer.StatusCode != 200 || text != "hello over three" || answer.Header.Get("X-Seen") != want {
					t.Errorf("answer %d %q, backend saw %q, want %q", answer.StatusCode, text, answer.Header.Get("X-Seen"), want)
				}
			}
			closeClient(c)
			record := r.record()
			leg := record.ClientLeg
			if record.Transport != inspect.TransportQUIC || record.Event.Outcome != inspect.Success || leg.Error != nil || leg.TLS.Version != "TLSv1.3" || leg.TLS.NextProtocol != "h3" || leg.TLS.Cipher == "" {
				t.Errorf("record: %+v, leg %+v, tls %+v", record, leg, leg.TLS)
			}
			if record.Client.Address != "127.0.0.1" || record.Client.Port == 0 || record.Server.Port != r.address().Port {
				t.Errorf("from %+v to %+v", record.Client, record.Server)
			}
			hello := leg.TLS.Client
			if hello == nil || hello.ServerName != testName || !hello.Message.Complete || hello.Message.Records != 0 || hello.Message.Segments < 2 || !strings.HasPrefix(hello.JA4, "q13") {
				t.Errorf("hello: %+v", hello)
			}
			if q := leg.QUIC; q == nil || q.Version != "v1" || q.Datagrams < 2 || q.CryptoFrames < 2 || len(q.TransportParameters) < 5 || q.Close != nil {
				t.Errorf("quic: %+v", q)
			}
			if h := record.HTTP; h == nil || h.Protocol != "HTTP/3.0" || h.Requests != 3 || h.BackendConnections != 1 || len(h.Statuses) != 1 || h.Statuses[0] != (inspect.HTTPStatus{Code: 200, Count: 3}) {
				t.Errorf("http: %+v", h)
			}
			if b := record.BackendLeg; !b.Established() {
				t.Errorf("backend leg: %+v", b)
			}
			r.none()
		})
	}
}

func TestHTTP3CarriesMuch(t *testing.T) {
	pki := certstest.New(t)
	const size = 20 << 20
	r := inHTTPMode(t, pki, httpBackend(t, pki, true, func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		n, _ := io.Copy(sum, r.Body)
		w.Header().Set("Trailer", "X-After")
		w.Header().Set("X-Before", fmt.Sprintf("%d %x", n, sum.Sum(nil)))
		io.CopyN(w, zeros{}, size)
		w.Header().Set("X-After", "whole")
	}))
	c := r.client()
	sum := sha256.New()
	answer, text := fetch(t, c, http.MethodPut, "https://"+testName+"/", io.TeeReader(io.LimitReader(zeros{}, size), sum))
	if want := fmt.Sprintf("%d %x", size, sum.Sum(nil)); answer.Header.Get("X-Before") != want || len(text) != size || answer.Trailer.Get("X-After") != "whole" {
		t.Errorf("%d bytes came; the backend had %q, want %q; trailer %v", len(text), answer.Header.Get("X-Before"), want, answer.Trailer)
	}
	closeClient(c)
	r.record()
	r.none()
}

// An answer that the backend cuts must not look whole to the client, whatever the backend speaks.
func TestHTTP3AnswersThatAreCutLookCut(t *testing.T) {
	pki := certstest.New(t)
	const size = 1 << 20
	cut := func(w http.ResponseWriter, r *http.Request) {
		io.CopyN(w, zeros{}, size)
		if r.URL.Path == "/cut" {
			panic(http.ErrAbortHandler)
		}
	}
	for _, test := range []struct {
		name    string
		backend *proxy.Backend
	}{{"h1", httpBackend(t, pki, false, cut)}, {"h2", httpBackend(t, pki, true, cut)}, {"h3", http3Backend(t, pki, cut)}} {
		t.Run(test.name, func(t *testing.T) {
			r := inHTTPMode(t, pki, test.backend)
			c := r.client()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+testName+"/cut", nil)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := c.Do(request)
			if err == nil { // else it was cut before its header had gone out
				var n int64
				n, err = io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
				if err == nil {
					t.Errorf("%d bytes came as a complete answer", n)
				}
			}
			var reset *http3.Error
			if !errors.As(err, &reset) || reset.ErrorCode != http3.ErrCodeInternalError {
				t.Errorf("%v", err)
			}
			if _, text := fetch(t, c, http.MethodGet, "https://"+testName+"/whole", nil); len(text) != size {
				t.Errorf("the next answer has %d bytes", len(text))
			}
			closeClient(c)
			r.record()
			r.none()
		})
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestHTTP3RefusesWhatHTTPModeRefuses(t *testing.T) {
	pki := certstest.New(t)
	backend := answering(t, pki)
	r := newRig(t, pki, &proxy.Listener{Name: "edge", Mode: proxy.HTTP, Routes: []*proxy.Route{
		{Name: "one", ServerNames: []string{testName}, Backend: backend, GetCertificate: serves(pki.Make(certstest.Healthy, testName))},
		{Name: "other", ServerNames: []string{"other.example"}, Backend: backend, GetCertificate: serves(pki.Make(certstest.Healthy, "other.example"))},
	}})
	c := r.client()
	for _, test := range []struct {
		method, host string
		status       int
	}{{http.MethodGet, testName, 200}, {http.MethodGet, "OTHER.example", 421}, {http.MethodConnect, testName, 405}} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		request, err := http.NewRequestWithContext(ctx, test.method, "https://"+testName+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = test.host
		answer, err := c.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		cancel()
		if answer.StatusCode != test.status || answer.Header.Get("Connection") != "" {
			t.Errorf("%s %s: %d %v", test.method, test.host, answer.StatusCode, answer.Header)
		}
	}
	closeClient(c)
	record := r.record()
	if h := record.HTTP; h.Requests != 3 || len(h.Failures) != 2 || h.Failures[0].Type != inspect.HTTPMisdirected {
		t.Errorf("%+v", h)
	}
	r.none()
}

// A client that goes away in the middle of an answer takes its request to the backend with it, and leaves nothing behind.
func TestHTTP3ClientsThatGoAway(t *testing.T) {
	pki := certstest.New(t)
	gone := make(chan struct{})
	r := inHTTPMode(t, pki, httpBackend(t, pki, true, func(w http.ResponseWriter, r *http.Request) {
		defer close(gone)
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 32<<10)); err != nil {
				return
			}
		}
	}))
	c := r.client()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+testName+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	io.CopyN(io.Discard, answer.Body, 100_000)
	closeClient(c)
	answer.Body.Close()
	<-gone
	if record := r.record(); record.HTTP.Requests != 1 {
		t.Errorf("%+v", record.HTTP)
	}
	r.none()
}

// What was said of a client by its certificate reaches the backend over QUIC, too.
func TestHTTP3TellsWhoTheClientIs(t *testing.T) {
	pki := certstest.New(t)
	r := inHTTPMode(t, pki, httpBackend(t, pki, true, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Header.Get("X-Forwarded-Client-Cert"))
	}), func(r *rig) {
		r.listener.ClientIdentity = proxy.IdentityXFCC
		r.listener.Routes[0].ClientAuth, r.listener.Routes[0].ClientCAs = tls.RequireAndVerifyClientCert, r.pki.Roots()
	})
	shown := pki.Issue(pki.Root, certs.Template{CommonName: "somebody", Names: []string{"somebody.example"}, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}).TLSWith()
	c := r.client(func(c *tls.Config) { c.Certificates = []tls.Certificate{*shown} })
	if _, text := fetch(t, c, http.MethodGet, "https://"+testName+"/", nil); !strings.Contains(text, `DNS="somebody.example"`) {
		t.Errorf("%q", text)
	}
	closeClient(c)
	if h := r.record().ClientLeg.TLS.Client; h.Certificate == nil || !strings.Contains(h.Certificate.Subject, "somebody") {
		t.Errorf("%+v", h.Certificate)
	}
}
