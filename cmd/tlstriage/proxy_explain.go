package main

import (
	"context"
	"net"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/starttls"
	"github.com/tlstriage/tlstriage/inspect/why"
)

// explainer finds out by experiment why backends refuse the hellos of backend legs. One experiment runs at a time, and what it showed
// holds for a while.
type explainer struct {
	ctx context.Context // ends the experiments
	log *zap.Logger

	mu      sync.Mutex
	known   map[explained]*experiment
	running bool
}

// explained is what an experiment is about: a hello, and where it is sent.
type explained struct{ shape, name, address, header string }

type experiment struct {
	done   chan struct{}
	result *inspect.Experiment // when done is closed
	until  time.Time           // it holds
}

// Bounds on experiments.
const (
	explainBudget = why.DefaultBudget // connections
	explainFor    = 5 * time.Minute   // that a result holds
	explainWait   = 2 * time.Second   // that the first record waits for it
	explainLimit  = time.Minute       // that one may take: silence is waited for
	maxExplained  = 256
	explainTried  = 10 // lines of what was tried, in the log
)

// unexplained are the causes that only say that the backend did not go along.
var unexplained = map[string]bool{
	"backend-alert": true, "backend-reset": true, "backend-closed": true, "backend-timeout": true, "backend-protocol-error": true,
	"backend-cipher-no-overlap": true, "handshake-unexplained": true,
}

// explain puts into a record what experiments show of a backend that failed for no certain reason. The record waits for them a little,
// once; later ones have it from memory. It reports whether there is something new to judge by.
func (x *explainer) explain(c *inspect.Connection) bool {
	leg := c.BackendLeg
	if x == nil || leg == nil || leg.Error == nil || leg.Error.Phase != inspect.PhaseHandshake || !unexplained[c.Cause] || leg.TLS == nil || leg.TLS.Client == nil || leg.Passthrough {
		return false
	}
	key := explained{leg.TLS.Client.Shape, leg.TLS.Client.ServerName, net.JoinHostPort(leg.Address, strconv.Itoa(leg.Port)), leg.ProxyProtocol}
	e := x.experiment(key, leg)
	if e == nil {
		return false
	}
	select {
	case <-e.done:
		leg.Experiment = e.result
		return true
	case <-time.After(explainWait):
	case <-x.ctx.Done():
	}
	return false
}

// experiment is the one about a key: known, begun, or nil while another one runs.
func (x *explainer) experiment(key explained, leg *inspect.Leg) *experiment {
	x.mu.Lock()
	defer x.mu.Unlock()
	if e := x.known[key]; e != nil && time.Now().Before(e.until) {
		return e
	}
	hello, err := leg.TLS.Client.ClientHello()
	if x.running || err != nil {
		return nil
	}
	if x.known == nil || len(x.known) >= maxExplained {
		x.known = make(map[explained]*experiment)
	}
	e := &experiment{done: make(chan struct{}), until: time.Now().Add(explainFor)}
	x.known[key], x.running = e, true
	experiment := &why.Experiment{Target: probe.Target{Address: key.address}, Hello: probe.FromClientHello(hello), Budget: explainBudget}
	if key.name != "" {
		experiment.Names = []string{key.name}
	}
	if leg.StartTLS != nil {
		experiment.Target.StartTLS = starttls.Protocol(leg.StartTLS.Protocol)
	}
	switch key.header {
	case "v1":
		experiment.Target.Proxy = &probe.ProxyHeader{Version: 1}
	case "v2":
		experiment.Target.Proxy = &probe.ProxyHeader{Version: 2}
	}
	go x.run(e, experiment)
	return e
}

func (x *explainer) run(e *experiment, what *why.Experiment) {
	ctx, cancel := context.WithTimeout(x.ctx, explainLimit)
	defer cancel()
	found := what.Run(ctx)
	result := &inspect.Experiment{Verdict: string(found.Verdict), Connections: found.Connections}
	for _, c := range found.Causes {
		result.Causes = append(result.Causes, inspect.Cause{ID: c.ID, Axis: string(c.Axis), Evidence: inspect.Bounded(c.Evidence), Sentence: inspect.Bounded(c.Sentence), Fix: inspect.Bounded(c.Fix)})
		x.log.Warn("backend explained by experiment: "+c.Sentence, zap.String("backend", what.Target.Address), zap.String("cause", c.ID), zap.String("evidence", c.Evidence))
	}
	if len(found.Causes) == 0 {
		tried := make([]string, 0, len(found.Tried))
		for _, t := range found.Tried[:min(len(found.Tried), explainTried)] {
			tried = append(tried, inspect.Bounded(t))
		}
		x.log.Warn("backend not explained by experiment: "+found.Sentence, zap.String("backend", what.Target.Address), zap.String("verdict", string(found.Verdict)), zap.Int("connections", found.Connections), zap.Strings("tried", tried))
	}
	x.mu.Lock()
	x.running = false
	x.mu.Unlock()
	e.result = result
	close(e.done)
}
