package h3

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

func impatiently(r *rig) {
	r.tcp.Limits.Timeouts.Idle, r.udp.Limits.Timeouts.Idle = time.Second, time.Second
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
