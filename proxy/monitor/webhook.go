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
	"time"
)

// Webhook posts events as JSON to a URL, one at a time and in order. What cannot be delivered is tried again with growing
// pauses, and given up in the end: an event may get lost, and may come twice.
type Webhook struct {
	options WebhookOptions
	queue   chan Event
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
	return &Webhook{options: o, queue: make(chan Event, o.Queue)}, nil
}

// Send queues an event. It never blocks, so that it may be an Options.OnChange.
func (w *Webhook) Send(e Event) {
	select {
	case w.queue <- e:
	default:
		w.options.OnError(e, errWebhookFull)
	}
}

// Run delivers until ctx is done. What waits then is not delivered any more.
func (w *Webhook) Run(ctx context.Context) {
	defer w.options.Client.CloseIdleConnections()
	for {
		select {
		case <-ctx.Done():
			w.giveUp()
			return
		case e := <-w.queue:
			if err := w.deliver(ctx, e); err != nil {
				w.options.OnError(e, err)
			}
		}
	}
}

func (w *Webhook) giveUp() {
	for {
		select {
		case e := <-w.queue:
			w.options.OnError(e, errWebhookEnded)
		default:
			return
		}
	}
}

// deliver tries until the receiver takes the event, or never will.
func (w *Webhook) deliver(ctx context.Context, e Event) error {
	body, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("monitor: webhook: %w", err)
	}
	pause := w.options.Pause
	for attempt := 1; ; attempt++ {
		err := w.post(ctx, body)
		if err == nil {
			return nil
		}
		var status *StatusError
		if errors.As(err, &status) && !status.passing() || attempt == w.options.Attempts {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", errWebhookEnded, err)
		}
		pause = min(2*pause, maxWebhookPause)
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
