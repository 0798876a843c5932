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
		if !time.Now().Equal(start) || len(lost) != 8 || !errors.Is(lost[0], errWebhookFull) {
			t.Errorf("%v, lost %v", time.Since(start), lost)
		}
		cancel()
		<-ended
		w.Send(Event{}) // too late
		if len(lost) != 12 || !errors.Is(lost[10], errWebhookEnded) || !errors.Is(lost[11], errWebhookEnded) {
			t.Errorf("lost %d, the last %v", len(lost), lost[len(lost)-1])
		}
	})
}

// picky takes every event but those of one backend.
type picky struct {
	mu    sync.Mutex
	not   string
	taken []Event
	times []time.Time
}

func (p *picky) RoundTrip(q *http.Request) (*http.Response, error) {
	var e Event
	if err := json.NewDecoder(q.Body).Decode(&e); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	code := http.StatusNoContent
	if p.not == "*" || p.not != "" && e.Backend == p.not {
		code = http.StatusInternalServerError
	} else {
		p.taken, p.times = append(p.taken, e), append(p.times, time.Now())
	}
	return &http.Response{StatusCode: code, Body: http.NoBody, Request: q}, nil
}

func (p *picky) refuse(backend string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.not = backend
}

// An event that the receiver does not take holds up no other backend's, and what is down is told first.
func TestWebhookHoldsNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &picky{not: "*"}
		var said []string
		w, err := NewWebhook(WebhookOptions{URL: "http://hook.test", Client: &http.Client{Transport: p},
			OnError:   func(e Event, err error) { said = append(said, "lost "+e.Detail) },
			OnFailing: func(e Event, err error) { said = append(said, "failing at "+e.Detail) },
			OnWorking: func() { said = append(said, "working") }})
		if err != nil {
			t.Fatal(err)
		}
		go w.Run(t.Context())
		start := time.Now()
		for _, e := range []Event{
			{Kind: ExpiryThreshold, Backend: "a", Threshold: 7, Detail: "a ends"},
			{Kind: AvailabilityChanged, Backend: "a", Detail: "a down"},
			{Kind: VerdictChanged, Backend: "b", Detail: "b worse"},
			{Kind: AvailabilityChanged, Backend: "a", Detail: "a up"},
			{Kind: ExpiryThreshold, Backend: "b", Threshold: Expired, Detail: "b over"},
			{Kind: ResolutionFailed, Backend: "c", Detail: "c gone"},
		} {
			w.Send(e)
		}
		synctest.Wait()
		if len(said) != 1 || !strings.HasPrefix(said[0], "failing at ") || time.Since(start) > 0 {
			t.Errorf("at the first failure: %q", said)
		}
		p.refuse("b")
		later(2 * time.Minute)
		var order []string
		for _, e := range p.taken {
			order = append(order, e.Detail)
		}
		if got := strings.Join(order, ", "); got != "a down, c gone, a up, a ends" && got != "a down, a up, c gone, a ends" && got != "c gone, a down, a up, a ends" {
			t.Errorf("taken: %s", got)
		}
		if last := p.times[len(p.times)-1].Sub(start); last > 2*time.Second {
			t.Errorf("the last one that was wanted came after %v", last)
		}
		if lost := strings.Join(said, ", "); strings.Count(lost, "lost") != 2 || !strings.Contains(lost, "working") || !strings.Contains(lost, "lost b over") || !strings.Contains(lost, "lost b worse") {
			t.Errorf("said: %s", lost)
		}
	})
}

// Where too many wait it is not what is urgent that gets lost.
func TestWebhookMakesRoomForWhatIsUrgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lost []string
		w, err := NewWebhook(WebhookOptions{URL: "http://hook.test", Queue: 2, OnError: func(e Event, err error) { lost = append(lost, e.Detail) }})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range []Event{{Kind: NodeDiffers, Detail: "1"}, {Kind: NodeDiffers, Detail: "2"}, {Kind: NodeDiffers, Detail: "3"}, {Kind: AvailabilityChanged, Detail: "4"}, {Kind: ResolutionFailed, Detail: "5"}, {Kind: AvailabilityChanged, Detail: "6"}} {
			w.Send(e)
		}
		if got := strings.Join(lost, ""); got != "3126" {
			t.Errorf("lost: %s", got)
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
