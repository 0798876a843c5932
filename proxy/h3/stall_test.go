package h3

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/proxy"
)

func impatiently(r *rig) {
	r.tcp.Limits.Timeouts.Idle, r.udp.Limits.Timeouts.Idle = 3*time.Second, 3*time.Second
}

// Over QUIC, too, whoever waits for an answer is not idle: how long that may take has a bound of its own.
func TestAnswersOverQUICMayTakeLongerThanTheIdleTime(t *testing.T) {
	pki := certstest.New(t)
	asked, answer := make(chan struct{}), make(chan struct{})
	r := inHTTPMode(t, pki, httpBackend(t, pki, true, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			close(asked)
			<-answer
		}
		io.WriteString(w, "well")
	}), impatiently)
	late := r.client()
	got := make(chan string, 1)
	go func() {
		response, err := late.Get("https://" + testName + "/late")
		if err != nil {
			got <- err.Error()
			return
		}
		text, _ := io.ReadAll(response.Body)
		response.Body.Close()
		got <- response.Status + " " + string(text)
	}()
	select {
	case <-asked:
	case text := <-got:
		t.Fatal(text)
	}
	fetch(t, r.client(), http.MethodGet, "https://"+testName+"/", nil) // by one which rests from then on
	if end := r.record().Event.End; end != inspect.EndedIdle {
		t.Errorf("a connection without a request ended by %q", end)
	}
	close(answer)
	if text := <-got; text != "200 OK well" {
		t.Error(text)
	}
	closeClient(late)
	if record := r.record(); len(record.HTTP.Failures) > 0 {
		t.Errorf("%+v", record.HTTP.Failures)
	}
}

// An answer that stops in the middle has failed over QUIC, too.
func TestAnswersOverQUICThatStop(t *testing.T) {
	pki := certstest.New(t)
	for _, h2 := range []bool{false, true} {
		r := inHTTPMode(t, pki, httpBackend(t, pki, h2, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10")
			io.WriteString(w, "abc")
			http.NewResponseController(w).Flush()
			<-r.Context().Done() // which is how the proxy lets go of it
		}), impatiently)
		c := r.client()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+testName+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := c.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(response.Body); string(body) != "abc" || err == nil {
			t.Errorf("%q, %v", body, err)
		}
		response.Body.Close()
		cancel()
		closeClient(c)
		if f := r.record().HTTP.Failures; len(f) != 1 || f[0].Type != inspect.HTTPTimeout || f[0].Status != http.StatusOK || !f[0].Midway {
			t.Errorf("%+v", f)
		}
	}
}

// lateBody is a request's body whose end comes when something is over.
type lateBody struct {
	over <-chan time.Time
	sent bool
}

func (b *lateBody) Read(p []byte) (int, error) {
	if b.sent {
		<-b.over
		return 0, io.EOF
	}
	b.sent = true
	return copy(p, "half"), nil
}

// The time for an answer begins with the end of the request, whatever the backend speaks.
func TestUploadsMayTakeLongerThanTheAnswer(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	})
	for name, backend := range map[string]func() *proxy.Backend{
		"HTTP/1.1": func() *proxy.Backend { return httpBackend(t, pki, false, handler) },
		"HTTP/2":   func() *proxy.Backend { return httpBackend(t, pki, true, handler) },
		"HTTP/3":   func() *proxy.Backend { return http3Backend(t, pki, handler) },
	} {
		t.Run(name, func(t *testing.T) {
			const limit = 3 * time.Second
			r := inHTTPMode(t, pki, backend(), func(r *rig) { r.tcp.Limits.Timeouts.Response, r.udp.Limits.Timeouts.Response = limit, limit })
			c := r.client()
			answer, body := fetch(t, c, http.MethodPost, "https://"+testName+"/", io.NopCloser(&lateBody{over: time.After(limit + limit/10)}))
			if answer.StatusCode != http.StatusOK || body != "4" {
				t.Errorf("%s %q", answer.Status, body)
			}
			closeClient(c)
			if f := r.record().HTTP.Failures; len(f) > 0 {
				t.Errorf("%+v", f)
			}
		})
	}
}
