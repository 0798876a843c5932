package report

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// Options say how text is written. The zero value is plain text without a bound on its width.
type Options struct {
	Color   bool // ANSI colours: only where the caller knows that a terminal reads them
	Width   int  // columns at which sentences are wrapped; 0: never. Snippets are never wrapped, so that they can be copied
	Alone   bool // a server, or a file, is looked at by itself: no proxy is spoken of
	Verbose bool // say everything of good connections and all fixes, list noise, show the record's id
	// NoiseEvery is how long, by the records' own time, noise is counted before a summary line; 0: a minute, negative: until Flush.
	NoiseEvery time.Duration
	Location   *time.Location // of the times printed; nil: UTC
}

// Text writes a block for each connection that did not go well, a line for each that did, and counts noise.
// It is safe for concurrent use.
type Text struct {
	mu    sync.Mutex
	w     io.Writer
	o     Options
	noise noise
}

// NewText returns a writer of text to w.
func NewText(w io.Writer, o Options) *Text {
	if o.NoiseEvery == 0 {
		o.NoiseEvery = time.Minute
	}
	if o.Location == nil {
		o.Location = time.UTC
	}
	return &Text{w: w, o: o}
}

// Write writes one connection. Its error is the underlying writer's.
func (t *Text) Write(c *inspect.Connection) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	if t.noise.total > 0 && t.o.NoiseEvery > 0 && c.Timestamp.Sub(t.noise.since) >= t.o.NoiseEvery {
		b.WriteString(t.summary())
	}
	if c.Fault == inspect.FaultNoise && !t.o.Verbose {
		t.noise.add(c)
	} else {
		t.connection(&b, c)
	}
	if b.Len() == 0 {
		return nil
	}
	_, err := io.WriteString(t.w, b.String())
	return err
}

// Flush writes the summary of the noise counted so far.
func (t *Text) Flush() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.noise.total == 0 {
		return nil
	}
	_, err := io.WriteString(t.w, t.summary())
	return err
}

// Close flushes. It does not close the underlying writer.
func (t *Text) Close() error { return t.Flush() }

// connection writes a line for a good connection, a block for any other.
func (t *Text) connection(b *strings.Builder, c *inspect.Connection) {
	mark, word, tint := "✓", "ok", green
	switch c.Verdict {
	case inspect.Failed:
		mark, word, tint = "✗", "FAILED", red
		if OnPaper(c) {
			word = "WOULD FAIL"
		}
	case inspect.Warning:
		mark, word, tint = "!", "WARNING", yellow
	}
	if c.Fault == inspect.FaultNoise {
		mark, tint = "·", dim
	}
	var clock [len(time.TimeOnly)]byte
	b.Grow(256) // most lines fit
	for _, part := range [...]string{t.paint(tint, mark), " ", string(c.Timestamp.In(t.o.Location).AppendFormat(clock[:0], time.TimeOnly)), " ", t.between(c), "  "} {
		b.WriteString(part)
	}
	if c.Verdict != inspect.Failed && c.Verdict != inspect.Warning {
		b.WriteString(t.paint(tint, word) + "  " + summaryOf(c) + "\n")
		if t.o.Verbose {
			t.findings(b, c.Findings)
			t.row(b, "record", clean(c.Event.ID))
		}
		return
	}
	fmt.Fprintf(b, "%s  %s%s\n", t.paint(tint, word), t.paint(bold, clean(or(c.Cause, "no cause found"))), t.mustAct(c))
	t.legs(b, c)
	t.findings(b, c.Findings)
	if t.o.Verbose {
		t.row(b, "record", clean(c.Event.ID))
	}
}

// OnPaper reports whether a captured connection went well, and only a policy that it was held against would have refused it.
func OnPaper(c *inspect.Connection) bool {
	if c.Event.Source != inspect.SourceCapture || c.Event.Outcome != inspect.Success || c.Policy == nil || c.Policy.Accepted || c.Verdict != inspect.Failed {
		return false
	}
	for i := range c.Findings {
		if f := &c.Findings[i]; f.Severity == inspect.SeverityError && !strings.HasPrefix(f.ID, "policy-rejects-") {
			return false
		}
	}
	return true
}

// between says who connected to what. A record without a client is this program's own look at a backend.
func (t *Text) between(c *inspect.Connection) string {
	if c.ClientLeg == nil && c.BackendLeg != nil {
		if t.o.Alone {
			return address(inspect.Endpoint{Address: c.BackendLeg.Address, Port: c.BackendLeg.Port})
		}
		s := "check of the backend"
		if c.Route != "" {
			s += " of route " + cleanTo(c.Route, 128)
		}
		return s
	}
	return address(c.Client) + " → " + target(c)
}

// address is an endpoint as people write it.
func address(e inspect.Endpoint) string {
	if e.Address == "" {
		return "?"
	}
	if e.Name != "" {
		return address(inspect.Endpoint{Address: e.Address, Port: e.Port}) + " (" + cleanTo(e.Name, 128) + ")"
	}
	host := cleanTo(e.Address, 128)
	if e.Port == 0 {
		return host
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]" // RFC 3986, Section 3.2.2
	}
	return host + ":" + strconv.Itoa(e.Port)
}

// target is what the client asked for: the name, else the address.
func target(c *inspect.Connection) string {
	if c.ClientLeg != nil && c.ClientLeg.TLS != nil && c.ClientLeg.TLS.Client != nil && c.ClientLeg.TLS.Client.ServerName != "" {
		return cleanTo(c.ClientLeg.TLS.Client.ServerName, 128)
	}
	return address(c.Server)
}

// mustAct names who must act.
func (t *Text) mustAct(c *inspect.Connection) string {
	f := c.Fault
	switch {
	case f == inspect.FaultBackend && (t.o.Alone || c.BackendLeg == nil && c.Event.Source != inspect.SourceProxy):
		return " (the server must act)"
	case t.o.Alone && f == inspect.FaultProxy:
		return " (this side must act: what was asked for, or what this machine trusts and reaches)"
	}
	switch f {
	case inspect.FaultClient:
		return " (the client must act)"
	case inspect.FaultPolicy:
		return " (the policy must change)"
	case inspect.FaultBackend:
		return " (the backend must act)"
	case inspect.FaultNetwork:
		return " (look at the network)"
	case inspect.FaultProxy:
		return " (this proxy must act)"
	case inspect.FaultNoise:
		return " (noise)"
	}
	return ""
}

// noise is what was counted instead of listed.
type noise struct {
	since time.Time
	total int
	by    map[string]int
	last  inspect.Endpoint
}

func (n *noise) add(c *inspect.Connection) {
	if n.total == 0 {
		n.since, n.by = c.Timestamp, map[string]int{}
	}
	n.total++
	n.by[c.Cause]++ // causes are a closed catalogue
	n.last = c.Client
}

// summary is one line for all the noise counted, which is then forgotten.
func (t *Text) summary() string {
	n := t.noise
	t.noise = noise{}
	var kinds []string
	for id := range n.by {
		kinds = append(kinds, id)
	}
	slices.SortFunc(kinds, func(a, b string) int {
		if n.by[a] != n.by[b] {
			return n.by[b] - n.by[a]
		}
		return strings.Compare(a, b)
	})
	for i, id := range kinds {
		kinds[i] = fmt.Sprintf("%d %s", n.by[id], clean(id))
	}
	what := "connections"
	if n.total == 1 {
		what = "connection"
	}
	line := fmt.Sprintf("· since %s: %d %s of noise (%s), last from %s", n.since.In(t.o.Location).Format(time.TimeOnly), n.total, what, strings.Join(kinds, ", "), address(n.last))
	return t.paint(dim, line) + "\n"
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
