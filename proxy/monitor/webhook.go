package monitor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// Webhook posts events as JSON to a URL, one request at a time. What cannot be delivered is tried again with growing pauses, and given
// up in the end: an event may get lost, and may come twice. One that waits for its next attempt holds up no other, but for
// those of its backend that are as urgent: these come in order. That a backend is down comes before everything else.
type Webhook struct {
	options WebhookOptions
	wake    chan struct{}

	mu      sync.Mutex
	waiting []*delivery // in the order in which they were sent
	ended   bool

	failing bool // the receiver took no event at the last attempt; Run's alone
}

// delivery is an event on its way.
type delivery struct {
	event    Event
	urgent   bool
	attempts int
	due      time.Time
	last     error // of the attempt before
	gone     bool  // dropped for a more urgent one while it was under way
}

// WebhookOptions are the options of a Webhook. All but URL have a useful zero value.
type WebhookOptions struct {
	URL      string
	Header   http.Header        // sent along: a token, mostly
	Client   *http.Client       // nil: one that follows no redirect
	Timeout  time.Duration      // of one attempt; 0: 5 s
	Attempts int                // 0: 6
	Pause    time.Duration      // before the second attempt, doubled from one to the next up to a minute; 0: a second
	Queue    int                // events that wait; further ones are dropped; 0: 256
	OnError  func(Event, error) // an event that was dropped or given up; nil: nobody is told

	// OnFailing is told of the first attempt that failed since one succeeded, and OnWorking of the first that succeeds again; nil:
	// nobody is told. What could not be delivered is tried again in between.
	OnFailing func(Event, error)
	OnWorking func()
}

// maxWebhookPause bounds the pause between two attempts.
const maxWebhookPause = time.Minute

var (
	errWebhookFull  = errors.New("monitor: webhook: too many events wait; this one is dropped")
	errWebhookEnded = errors.New("monitor: webhook: the program ended first")
)

// StatusError is an answer of a webhook's receiver that is no success.
type StatusError struct{ Code int }

func (e *StatusError) Error() string {
	return fmt.Sprintf("monitor: webhook: the receiver answered %d %s", e.Code, http.StatusText(e.Code))
}

// passing reports whether an answer may be another one later.
func (e *StatusError) passing() bool {
	return e.Code >= 500 || e.Code == http.StatusTooManyRequests || e.Code == http.StatusRequestTimeout
}

// NewWebhook checks the options. Nothing is sent until Run.
func NewWebhook(o WebhookOptions) (*Webhook, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, errors.New("monitor: webhook: the URL does not parse") // its words would repeat the URL, and secrets in it
	}
	if u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return nil, errors.New("monitor: webhook: an http or https URL with a host is expected")
	}
	if o.Client == nil {
		o.Client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	if o.Attempts <= 0 {
		o.Attempts = 6
	}
	if o.Pause <= 0 {
		o.Pause = time.Second
	}
	if o.Queue <= 0 {
		o.Queue = 256
	}
	if o.OnError == nil {
		o.OnError = func(Event, error) {}
	}
	if o.OnFailing == nil {
		o.OnFailing = func(Event, error) {}
	}
	if o.OnWorking == nil {
		o.OnWorking = func() {}
	}
	return &Webhook{options: o, wake: make(chan struct{}, 1)}, nil
}

// urgent reports whether an event says that a backend cannot be reached by its clients, or can be again.
func urgent(e Event) bool {
	switch e.Kind {
	case AvailabilityChanged, ResolutionFailed, ResolutionRestored:
		return true
	}
	return e.Kind == ExpiryThreshold && e.Threshold == Expired
}

// Send queues an event. It never blocks, so that it may be an Options.OnChange. Where too many wait an urgent one takes the place of
// one that is not.
func (w *Webhook) Send(e Event) {
	d := &delivery{event: e, urgent: urgent(e)}
	w.mu.Lock()
	dropped, reason := w.add(d), errWebhookFull
	if dropped == d && w.ended {
		reason = errWebhookEnded
	}
	w.mu.Unlock()
	if dropped != nil {
		w.options.OnError(dropped.event, reason)
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// add queues a delivery and gives back the one that has no room any more; nil: there is room.
func (w *Webhook) add(d *delivery) (dropped *delivery) {
	if w.ended {
		return d
	}
	if len(w.waiting) >= w.options.Queue {
		i := slices.IndexFunc(w.waiting, func(x *delivery) bool { return !x.urgent })
		if !d.urgent || i < 0 {
			return d
		}
		dropped = w.waiting[i]
		dropped.gone = true
		w.waiting = slices.Delete(w.waiting, i, i+1)
	}
	w.waiting = append(w.waiting, d)
	return dropped
}

// Run delivers until ctx is done. What waits then is not delivered any more, and OnError is told of each.
func (w *Webhook) Run(ctx context.Context) {
	defer w.options.Client.CloseIdleConnections()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		next, wait := w.next()
		if next != nil && ctx.Err() == nil {
			w.attempt(ctx, next)
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			w.giveUp()
			return
		case <-w.wake:
		case <-timer.C:
		}
	}
}

// next is the delivery whose turn it is; nil, with how long it is to the next one, where none is due. Before others comes what is
// urgent, then what was tried less often, then what was sent before.
func (w *Webhook) next() (turn *delivery, wait time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now, wait := time.Now(), maxWebhookPause
	type order struct {
		backend string
		urgent  bool
	}
	behind := map[order]bool{}
	for _, d := range w.waiting {
		of := order{d.event.Backend, d.urgent}
		if behind[of] {
			continue // one before it is not delivered yet
		}
		behind[of] = true
		if rest := d.due.Sub(now); rest > 0 {
			wait = min(wait, rest)
			continue
		}
		if turn == nil || d.urgent && !turn.urgent || d.urgent == turn.urgent && d.attempts < turn.attempts {
			turn = d
		}
	}
	return turn, wait
}

func (w *Webhook) giveUp() {
	w.mu.Lock()
	left := w.waiting
	w.waiting, w.ended = nil, true
	w.mu.Unlock()
	for _, d := range left {
		err := errWebhookEnded
		if d.last != nil {
			err = fmt.Errorf("%w: %w", errWebhookEnded, d.last)
		}
		w.options.OnError(d.event, err)
	}
}

// attempt posts an event once and sees to what comes of it.
func (w *Webhook) attempt(ctx context.Context, d *delivery) {
	body, err := json.Marshal(d.event)
	if err != nil {
		w.forget(d, fmt.Errorf("monitor: webhook: %w", err))
		return
	}
	err = w.post(ctx, body)
	if err != nil && ctx.Err() != nil {
		d.last = err
		return // cut; giveUp says so
	}
	if (err != nil) != w.failing {
		if w.failing = err != nil; err != nil {
			w.options.OnFailing(d.event, err)
		} else {
			w.options.OnWorking()
		}
	}
	d.attempts++
	var status *StatusError
	if err == nil || errors.As(err, &status) && !status.passing() || d.attempts >= w.options.Attempts {
		w.forget(d, err)
		return
	}
	d.last = err
	pause := min(w.options.Pause<<min(d.attempts-1, 16), maxWebhookPause)
	w.mu.Lock()
	d.due = time.Now().Add(pause)
	w.mu.Unlock()
}

// forget takes a delivery out of the queue. An error is why it was given up.
func (w *Webhook) forget(d *delivery, err error) {
	w.mu.Lock()
	gone := d.gone
	if i := slices.Index(w.waiting, d); i >= 0 {
		w.waiting = slices.Delete(w.waiting, i, i+1)
	}
	w.mu.Unlock()
	if err != nil && !gone {
		w.options.OnError(d.event, err)
	}
}

func (w *Webhook) post(ctx context.Context, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, w.options.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.options.URL, bytes.NewReader(body))
	if err != nil {
		return errors.New("monitor: webhook: no request can be made of the URL")
	}
	if w.options.Header != nil {
		request.Header = w.options.Header.Clone()
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "tlstriage")
	response, err := w.options.Client.Do(request)
	if err != nil {
		var e *url.Error
		if errors.As(err, &e) {
			err = e.Err // without the URL
		}
		return fmt.Errorf("monitor: webhook: %w", err)
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)) // so that the connection can be used again
	response.Body.Close()
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return &StatusError{response.StatusCode}
	}
	return nil
}
