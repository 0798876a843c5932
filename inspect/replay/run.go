package replay

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/probe"
)

// Target is where hellos are sent.
type Target struct {
	Label string // what reports call it; the address as the user wrote it
	probe.Target
}

// Defaults of a Runner: gentle enough for an endpoint that others use.
const (
	DefaultRate        = 100
	DefaultConcurrency = 8
	DefaultTotal       = 10_000
	DefaultSilent      = 8
	maxConcurrency     = 1024
)

// Runner sends subjects to targets.
type Runner struct {
	Client      *probe.Client // nil: the zero Client
	Targets     []Target
	Names       Names
	Rate        float64       // connections a second to all targets; 0: DefaultRate; negative: no bound
	Concurrency int           // connections at a time; 0: DefaultConcurrency; at most 1024
	Total       int           // connections in all; 0: DefaultTotal
	Silent      int           // exchanges in a row without an answer before the target is asked whether it is there; 0: DefaultSilent
	Until       probe.Goal    // how far an exchange goes
	Layout      *probe.Layout // in place of the recorded one; nil: that is kept
	Once        bool          // believe the first answer: what fails is not sent again
	// OnResult is told each result, one at a time and in no order; nil: nobody is.
	OnResult func(*Result)
}

// Report is what a run gave. Results[i][j] is what target j answered to subject i; nil: it was not sent.
type Report struct {
	Targets     []string
	Subjects    []*Subject
	Results     [][]*Result
	Connections int // that were made
}

// job is a subject to be sent to all targets, one after the other.
type job struct{ subject int }

// runState is a run.
type runState struct {
	*Runner
	client probe.Client // whose exchanges share what was described: all of them meet the same few chains
	report *Report
	pace   *pace
	guards [][2]guard // by target: of what goes over TCP, and over QUIC
	mixed  bool       // some hellos go over TCP, some over QUIC: the end of one is not that of the other
	made   atomic.Int64

	mu      sync.Mutex // around what follows, Results and OnResult
	stopped *StoppedError
	held    []int              // subjects that are told at the end: who answers nothing may have been shut out
	cancel  context.CancelFunc // ends the sending of new hellos
	outer   context.Context    // of the exchanges: those that are on their way are waited for
}

// Run sends every subject to every target. The report holds what was sent, also with an error, which is a *StoppedError, or what ctx
// ended with.
func (r *Runner) Run(ctx context.Context, subjects []*Subject) (*Report, error) {
	s := &runState{Runner: r, report: &Report{Subjects: subjects, Results: make([][]*Result, len(subjects))}, guards: make([][2]guard, len(r.Targets))}
	if r.Client != nil {
		s.client = *r.Client
	}
	if s.client.Describer == nil {
		s.client.Describer = new(inspect.Describer)
	}
	for _, t := range r.Targets {
		s.report.Targets = append(s.report.Targets, t.Label)
	}
	for i := range s.guards {
		for g := range s.guards[i] {
			s.guards[i][g].limit, s.guards[i][g].quic = r.Silent, g == overQUIC
			if r.Silent <= 0 {
				s.guards[i][g].limit = DefaultSilent
			}
		}
	}
	for i := range subjects {
		s.mixed = s.mixed || subjects[i].QUIC != subjects[0].QUIC
		s.report.Results[i] = make([]*Result, len(r.Targets))
	}
	s.pace = newPace(rateOf(r.Rate))
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	s.cancel, s.outer = cancel, ctx
	jobs := make(chan job)
	var working sync.WaitGroup
	for range concurrencyOf(r.Concurrency) {
		working.Go(func() {
			for j := range jobs {
				s.subject(inner, j.subject)
			}
		})
	}
	for i := range subjects {
		select {
		case jobs <- job{i}:
			continue
		case <-inner.Done():
		}
		break
	}
	close(jobs)
	working.Wait()
	for i := range s.guards {
		for j := range s.guards[i] {
			g := &s.guards[i][j]
			if known, ask := g.last(); ask {
				s.question(ctx, g, i, known)
			}
			if why := g.stopped(); why != "" {
				s.stop(i, why)
			}
			g.mark()
		}
	}
	for _, i := range s.held {
		s.tell(i)
	}
	s.report.Connections = int(s.made.Load())
	if s.stopped != nil {
		s.stopped.Sent = s.report.Connections
		for _, results := range s.report.Results {
			for _, result := range results {
				if result == nil {
					s.stopped.Left++
					break
				}
			}
		}
		return s.report, s.stopped
	}
	return s.report, ctx.Err()
}

func rateOf(rate float64) float64 {
	if rate == 0 {
		return DefaultRate
	}
	return max(rate, 0)
}

func concurrencyOf(n int) int {
	if n <= 0 {
		return DefaultConcurrency
	}
	return min(n, maxConcurrency)
}

// subject sends one subject to each target in turn, so that a comparison is of the same moment.
func (s *runState) subject(ctx context.Context, i int) {
	for t := range s.Targets {
		result := s.ask(ctx, s.report.Subjects[i], t)
		if result == nil {
			s.mu.Lock()
			s.held = append(s.held, i) // what the targets before this one said
			s.mu.Unlock()
			return
		}
		s.mu.Lock()
		s.report.Results[i][t] = result
		s.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, result := range s.report.Results[i] {
		if !answers(result.Exchange) {
			s.held = append(s.held, i)
			return
		}
	}
	s.tell(i)
}

func (s *runState) tell(i int) {
	for _, result := range s.report.Results[i] {
		if s.OnResult != nil && result != nil {
			s.OnResult(result)
		}
	}
}

// ask sends a subject to a target: once, or again if it fails. It is nil when the run has ended.
func (s *runState) ask(ctx context.Context, subject *Subject, t int) *Result {
	name := s.Names.Apply(subject.Name)
	hello := subject.Hello.Clone()
	if name != hello.ServerName() && hello.ServerName() != "" {
		hello.SetServerName(name)
	}
	if s.Layout != nil {
		hello.Layout = *s.Layout
	}
	result := s.send(ctx, subject, t, name, hello)
	if result == nil {
		return nil
	}
	s.watch(ctx, result, hello, t)
	if s.Once || result.Answer.Accepted || result.Answer.Undetermined != "" {
		return result
	}
	again := s.send(ctx, subject, t, name, hello)
	if again == nil {
		return result // it counts as it is: there was no second try
	}
	s.watch(ctx, again, hello, t)
	again.Again = 2
	if again.Answer.Accepted != result.Answer.Accepted || again.Exchange.Outcome != result.Exchange.Outcome {
		again.Answer.Undetermined = "once " + result.Answer.Reason + ", once " + said(again.Answer)
		again.Answer.Accepted = false
	}
	return again
}

func said(a Answer) string {
	if a.Accepted {
		return "accepted"
	}
	return a.Reason
}

// send makes one exchange; nil: the run has ended, or this would be one connection too many.
func (s *runState) send(ctx context.Context, subject *Subject, t int, name string, hello *probe.Hello) *Result {
	if !s.turn(ctx, t, subject.QUIC) {
		return nil
	}
	x := s.exchange(t, hello.Fresh(), subject.QUIC)
	if x == nil {
		return nil
	}
	return &Result{Subject: subject, Target: s.Targets[t].Label, Name: name, Sent: shapeOf(x), Exchange: x, Answer: answerOf(x), Again: 1}
}

// turn waits until the next hello may go to a target: for its place in the pace, and for what is asked of the target. False: none may.
func (s *runState) turn(ctx context.Context, t int, quic bool) bool {
	g := s.guard(t, quic)
	for {
		g.await(ctx) // and only then for the pace, so that those who waited do not go all at once
		if g.stopped() == "" {
			if s.pace.wait(ctx) != nil {
				return false
			}
			if g.await(ctx) {
				continue
			}
		}
		switch why := g.stopped(); {
		case why == "":
			return ctx.Err() == nil
		case s.mixed:
			s.note(t, why)
		default:
			s.stop(t, why)
		}
		return false
	}
}

// exchange makes one connection within the bound on them.
func (s *runState) exchange(t int, hello *probe.Hello, quic bool) *probe.Exchange {
	total := s.Total
	if total <= 0 {
		total = DefaultTotal
	}
	if s.made.Add(1) > int64(total) {
		s.made.Add(-1)
		s.stop(t, "the bound on connections is reached")
		return nil
	}
	target := s.Targets[t].Target
	target.QUIC = quic
	x := s.client.Exchange(s.outer, target, hello, probe.Options{Until: s.Until})
	if s.outer.Err() != nil {
		return nil // cut by us: what it says is not the endpoint's
	}
	return x
}

// watch tells the guard, and asks the target whether it is there when the guard wants to know.
func (s *runState) watch(ctx context.Context, result *Result, hello *probe.Hello, t int) {
	g := s.guard(t, result.Subject.QUIC)
	known, ask := g.note(result, hello)
	if ask {
		s.question(ctx, g, t, known)
	}
}

// question sends the guard's hello and tells it what came of it.
func (s *runState) question(ctx context.Context, g *guard, t int, known *probe.Hello) {
	var x *probe.Exchange
	if s.pace.wait(ctx) == nil {
		x = s.exchange(t, known, g.quic)
	}
	g.judge(x)
}

// stop ends the run.
func (s *runState) stop(t int, reason string) {
	s.note(t, reason)
	s.cancel()
}

// note keeps the first reason why not everything is sent.
func (s *runState) note(t int, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped == nil {
		s.stopped = &StoppedError{Target: s.Targets[t].Label, Reason: reason}
	}
}

func (s *runState) guard(t int, quic bool) *guard { return &s.guards[t][transportOf(quic)] }

// notSent is said of subjects that a run has not come to.
const notSent = "not sent"

// Answers are what target t answered, for Compare: by subject.
func (r *Report) Answers(t int) []Answer {
	answers := make([]Answer, len(r.Subjects))
	for i, results := range r.Results {
		if results[t] == nil {
			answers[i] = Answer{Undetermined: notSent}
			continue
		}
		answers[i] = results[t].Answer
	}
	return answers
}
