package replay

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/clients"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Defaults and bounds of a Shadow.
const (
	DefaultShadowInterval = time.Hour
	DefaultShadowQueue    = 64
	DefaultShadowRate     = 5
	shadowWorkers         = 2
	maxShadowKinds        = 10_000
	shadowPause           = 5 * time.Minute // when the canary has shut its door
)

// Shadow sends what clients say hello with, live, to a canary: each kind of client once per server name and interval, off the way
// of the data and without any effect on the client. Whoever sees records calls Observe; Run does the work.
type Shadow struct {
	Client   *probe.Client // nil: the zero Client
	Target   Target
	Names    Names
	Interval time.Duration // between two hellos of one kind and name; 0: DefaultShadowInterval
	Queue    int           // hellos that wait; 0: DefaultShadowQueue. What comes when it is full is dropped, and counted
	Rate     float64       // connections a second; 0: DefaultShadowRate
	// OnResult is told each result beside the connection that it is the shadow of, by several goroutines; nil: nobody is.
	OnResult func(live *inspect.Connection, d *Difference, r *Result)

	start sync.Once
	queue chan *inspect.Connection

	mu      sync.Mutex
	kinds   map[shadowKey]*ShadowKind
	counts  ShadowReport
	guards  [2]*guard    // of what goes over TCP, and over QUIC
	blocked [2]time.Time // until when nothing is sent
}

type shadowKey struct{ shape, name string }

// ShadowKind is a kind of client with one server name, and how it fared when it was last sent.
type ShadowKind struct {
	Shape       string    `json:"shape"`
	ServerName  string    `json:"server_name,omitempty"`
	Client      string    `json:"client,omitempty"` // likely
	Connections int64     `json:"connections"`      // seen live
	Class       Class     `json:"class,omitempty"`  // absent: not sent yet
	Live        string    `json:"live,omitempty"`
	Canary      string    `json:"canary,omitempty"`
	EventID     string    `json:"event_id,omitempty"` // of the live connection that was sent
	Sent        time.Time `json:"sent,omitzero"`

	due time.Time // by the connections' own time
}

// ShadowReport is what a Shadow has found so far.
type ShadowReport struct {
	To      string           `json:"to"`
	Seen    int64            `json:"seen"`              // connections with a hello
	Sent    int64            `json:"sent"`              // hellos
	Dropped int64            `json:"dropped"`           // were due when the queue was full
	Beyond  int64            `json:"beyond"`            // connections of more kinds than are kept
	Paused  string           `json:"paused,omitempty"`  // why nothing is sent at the moment
	Kinds   map[Class]Amount `json:"kinds"`             // by how they fared last, with their live connections
	Changes []ShadowKind     `json:"changes,omitempty"` // all but the same, the ones with the most connections first
}

func (s *Shadow) begin() {
	s.start.Do(func() {
		size := s.Queue
		if size <= 0 {
			size = DefaultShadowQueue
		}
		s.queue = make(chan *inspect.Connection, size)
		s.kinds = make(map[shadowKey]*ShadowKind)
		for i := range s.guards {
			s.guards[i] = newShadowGuard(i == overQUIC)
		}
	})
}

func newShadowGuard(quic bool) *guard { return &guard{limit: DefaultSilent, quic: quic} }

// overQUIC is the place of what belongs to what goes over QUIC; 0 is TCP's.
const overQUIC = 1

// transportOf is the place of what goes over a transport.
func transportOf(quic bool) int {
	if quic {
		return overQUIC
	}
	return 0
}

// Observe takes note of a live connection, which must not change any more. It never waits, and does nothing but look its shape up.
func (s *Shadow) Observe(c *inspect.Connection) {
	s.begin()
	if c.ClientLeg == nil || c.ClientLeg.TLS == nil || c.ClientLeg.TLS.Client == nil || c.ClientLeg.TLS.Client.Shape == "" {
		return
	}
	h := c.ClientLeg.TLS.Client
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.Seen++
	key := shadowKey{h.Shape, h.ServerName}
	k := s.kinds[key]
	if k == nil {
		if len(s.kinds) >= maxShadowKinds {
			s.counts.Beyond++
			return
		}
		k = &ShadowKind{Shape: h.Shape, ServerName: h.ServerName}
		s.kinds[key] = k
	}
	k.Connections++
	if c.Timestamp.Before(k.due) || c.Timestamp.Before(s.blocked[transportOf(c.Transport == inspect.TransportQUIC)]) {
		return
	}
	select {
	case s.queue <- c:
		interval := s.Interval
		if interval <= 0 {
			interval = DefaultShadowInterval
		}
		k.due = c.Timestamp.Add(interval)
	default:
		s.counts.Dropped++
	}
}

// Run sends what was observed until ctx ends.
func (s *Shadow) Run(ctx context.Context) {
	s.begin()
	rate := s.Rate
	if rate == 0 {
		rate = DefaultShadowRate
	}
	pace := newPace(max(rate, 0))
	var working sync.WaitGroup
	for range shadowWorkers {
		working.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case c := <-s.queue:
					if pace.wait(ctx) == nil {
						s.send(ctx, c)
					}
				}
			}
		})
	}
	working.Wait()
}

// send sends the hello of a connection to the canary.
func (s *Shadow) send(ctx context.Context, c *inspect.Connection) {
	subject, ok := shadowSubject(c)
	if !ok {
		return
	}
	name := s.Names.Apply(subject.Name)
	hello := subject.Hello.Clone()
	if name != hello.ServerName() && hello.ServerName() != "" {
		hello.SetServerName(name)
	}
	transport := transportOf(subject.QUIC)
	s.guard(transport).await(ctx)
	x := s.exchange(ctx, hello.Fresh(), subject.QUIC)
	if ctx.Err() != nil {
		return
	}
	r := &Result{Subject: subject, Target: s.Target.Label, Name: name, Sent: shapeOf(x), Exchange: x, Answer: answerOf(x), Again: 1}
	g := s.guard(transport)
	if known, ask := g.note(r, hello); ask {
		g.judge(s.exchange(ctx, known, g.quic))
	}
	s.mu.Lock()
	if why := g.stopped(); why != "" {
		r.Answer.Undetermined = why
		s.counts.Paused = why
		s.blocked[transport] = c.Timestamp.Add(shadowPause)
		if g == s.guards[transport] {
			s.guards[transport] = newShadowGuard(subject.QUIC) // for after the pause
		}
	} else if g.nothingCame() {
		r.Answer.Undetermined = noDatagram + x.Describe()
	} else if answers(x) {
		s.counts.Paused = ""
	}
	d := &Difference{Subject: subject, Old: liveAnswer(c), New: r.Answer}
	d.Class, d.Fields = classOf(d.Old, d.New)
	s.counts.Sent++
	if k := s.kinds[shadowKey{subject.Shape, subject.Name}]; k != nil {
		k.Client, k.Class, k.Live, k.Canary, k.EventID, k.Sent = subject.Client, d.Class, d.Old.String(), d.New.String(), c.Event.ID, x.Began.UTC()
	}
	s.mu.Unlock()
	if s.OnResult != nil {
		s.OnResult(c, d, r)
	}
}

func (s *Shadow) guard(transport int) *guard {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.guards[transport]
}

func (s *Shadow) exchange(ctx context.Context, hello *probe.Hello, quic bool) *probe.Exchange {
	client := s.Client
	if client == nil {
		client = &probe.Client{}
	}
	target := s.Target.Target
	target.QUIC = quic
	return client.Exchange(ctx, target, hello, probe.Options{})
}

// shadowSubject is the subject of one live connection; false: its hello cannot be sent.
func shadowSubject(c *inspect.Connection) (*Subject, bool) {
	h := c.ClientLeg.TLS.Client
	view, err := h.ClientHello()
	if err != nil || c.Transport == inspect.TransportDTLS {
		return nil, false
	}
	s := &Subject{
		Shape: h.Shape, JA4: h.JA4, EventID: c.Event.ID, Connections: 1, Name: h.ServerName, View: view, Hello: probe.FromClientHello(view), QUIC: c.Transport == inspect.TransportQUIC,
		Rebuilt: len(view.Raw) == 0,
	}
	if v, ok := wire.VersionByName(h.RecordVersion); ok {
		s.Hello.RecordVersion = v
	}
	if client, ok := clients.Name(view); ok {
		s.Client = client.String()
	}
	return s, true
}

// liveAnswer is what the client got live.
func liveAnswer(c *inspect.Connection) Answer {
	t := c.ClientLeg.TLS
	if t.Established || c.Event.Outcome == inspect.Success {
		return Answer{Accepted: true, Choice: Choice{Version: t.Version, Cipher: t.Cipher, Curve: t.Curve, NextProtocol: t.NextProtocol}}
	}
	a := Answer{Reason: "failed"}
	for _, alert := range t.Alerts {
		a.Reason = "alert " + alert.Description + " from the " + string(alert.From)
		if alert.From == inspect.FromServer {
			a.Alert = alert.Description
		}
	}
	if len(t.Alerts) == 0 && c.ClientLeg.Error != nil {
		a.Reason = string(c.ClientLeg.Error.Type)
	}
	return a
}

// Report is what was found so far, with at most the given number of changes (0: 100).
func (s *Shadow) Report(most int) ShadowReport {
	s.begin()
	if most <= 0 {
		most = 100
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	report := s.counts
	report.To, report.Kinds = s.Target.Label, make(map[Class]Amount)
	type shapeOfClass struct {
		class Class
		shape string
	}
	counted := make(map[shapeOfClass]bool) // a shape that comes with many names is one
	for _, k := range s.kinds {
		if k.Class == "" {
			continue
		}
		a := report.Kinds[k.Class]
		if of := (shapeOfClass{k.Class, k.Shape}); !counted[of] {
			counted[of] = true
			a.Shapes++
		}
		a.Connections += k.Connections
		report.Kinds[k.Class] = a
		if k.Class != Same {
			report.Changes = append(report.Changes, *k)
		}
	}
	slices.SortFunc(report.Changes, func(a, b ShadowKind) int {
		return cmp.Or(cmp.Compare(classRank(a.Class), classRank(b.Class)), cmp.Compare(b.Connections, a.Connections), cmp.Compare(a.Shape, b.Shape), cmp.Compare(a.ServerName, b.ServerName))
	})
	report.Changes = report.Changes[:min(most, len(report.Changes))]
	return report
}
