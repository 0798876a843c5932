package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// receiver answers with a list of codes in turn, the last one for ever; 0 is a connection that breaks.
type receiver struct {
	mu     sync.Mutex
	codes  []int
	times  []time.Time
	bodies []string
	header http.Header
	hang   bool
}

func (r *receiver) RoundTrip(q *http.Request) (*http.Response, error) {
	r.mu.Lock()
	body, _ := io.ReadAll(q.Body)
	r.times, r.bodies, r.header = append(r.times, time.Now()), append(r.bodies, string(body)), q.Header
	code := r.codes[0]
	if len(r.codes) > 1 {
		r.codes = r.codes[1:]
	}
	hang := r.hang
	r.mu.Unlock()
	if hang {
		<-q.Context().Done()
		return nil, q.Context().Err()
	}
	if code == 0 {
		return nil, errors.New("broken")
	}
	return &http.Response{StatusCode: code, Body: io.NopCloser(strings.NewReader("thanks")), Request: q}, nil
}

func TestWebhookTriesAgain(t *testing.T) {
	for _, tt := range []struct {
		name  string
		codes []int
		hang  bool
		tries int
		lost  bool
		after time.Duration // from the first try to the last
	}{
		{"taken", []int{204}, false, 1, false, 0},
		{"in the end", []int{503, 0, 429, 200}, false, 4, false, 7 * time.Second},
		{"never", []int{500}, false, 6, true, 31 * time.Second},
		{"refused", []int{404}, false, 1, true, 0},
		{"a redirect is no delivery", []int{302}, false, 1, true, 0},
		{"no answer", []int{200}, true, 6, true, 31*time.Second + 5*5*time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &receiver{codes: tt.codes, hang: tt.hang}
				var lost []error
				w, err := NewWebhook(WebhookOptions{URL: "https://hook.test/x?token=secret", Client: &http.Client{Transport: r, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
					Header: http.Header{"Authorization": {"Bearer t"}}, OnError: func(_ Event, err error) { lost = append(lost, err) }})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() { w.Run(ctx); close(ended) }()
				w.Send(Event{Kind: NodeDiffers, Backend: "b"})
				later(10 * time.Minute)
				cancel()
				<-ended
				if len(r.times) != tt.tries || r.times[len(r.times)-1].Sub(r.times[0]) != tt.after {
					t.Errorf("tried at %v", r.times)
				}
				if (len(lost) > 0) != tt.lost {
					t.Errorf("lost: %v", lost)
				}
				for _, err := range lost {
					if strings.Contains(err.Error(), "secret") {
						t.Errorf("the error repeats the URL: %v", err)
					}
				}
				var e Event
				if err := json.Unmarshal([]byte(r.bodies[0]), &e); err != nil || e.Kind != NodeDiffers || r.header.Get("Authorization") != "Bearer t" || r.header.Get("Content-Type") != "application/json" {
					t.Errorf("%s, %v, %v", r.bodies[0], err, r.header)
				}
			})
		})
	}
}

// A receiver that does not answer costs events, never time of whoever sends them.
func TestWebhookNeverBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{codes: []int{200}, hang: true}
		var lost []error
		w, err := NewWebhook(WebhookOptions{URL: "http://hook.test", Client: &http.Client{Transport: r}, Queue: 3, OnError: func(_ Event, err error) { lost = append(lost, err) }})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { w.Run(ctx); close(ended) }()
		start := time.Now()
		w.Send(Event{})
		synctest.Wait() // it is being delivered
		for range 10 {
			w.Send(Event{})
		}
		if !time.Now().Equal(start) || len(lost) != 7 || !errors.Is(lost[0], errWebhookFull) {
			t.Errorf("%v, lost %v", time.Since(start), lost)
		}
		cancel()
		<-ended
		if len(lost) != 11 || !errors.Is(lost[10], errWebhookEnded) {
			t.Errorf("lost %d, the last %v", len(lost), lost[len(lost)-1])
		}
	})
}

func TestWebhookOverHTTP(t *testing.T) {
	got := make(chan Event, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e Event
		if json.NewDecoder(r.Body).Decode(&e) == nil && r.Method == http.MethodPost {
			got <- e
		}
	}))
	defer server.Close()
	w, err := NewWebhook(WebhookOptions{URL: server.URL, Client: server.Client()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { w.Run(ctx); close(ended) }()
	w.Send(Event{Kind: CertificateChanged, Backend: "edge/default", New: &Address{Address: "192.0.2.1:443"}})
	if e := <-got; e.Kind != CertificateChanged || e.New.Address != "192.0.2.1:443" {
		t.Errorf("%+v", e)
	}
	cancel()
	<-ended
}

func TestWebhookURLs(t *testing.T) {
	for _, bad := range []string{"", "hook", "ftp://hook.test", "https://", "http://%zz", "file:///etc/passwd"} {
		if _, err := NewWebhook(WebhookOptions{URL: bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
