package main

import (
	"context"
	"crypto/sha256"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/configs"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/diagnose"
	"github.com/tlstriage/tlstriage/inspect/report"
	"github.com/tlstriage/tlstriage/proxy"
	"github.com/tlstriage/tlstriage/proxy/admin"
	"github.com/tlstriage/tlstriage/proxy/monitor"
)

// startOnly is the interval of a monitor that looks at the start and when a client's connection shows something new.
const startOnly = 100 * 365 * 24 * time.Hour

// newMonitor makes what looks at every backend before a client does, and now and then from then on. The webhook is nil where none
// is wanted.
func (p *proxyCommand) newMonitor(c configs.Monitor) (*monitor.Webhook, error) {
	options := monitor.Options{
		Check: p.server.CheckAddress, Judge: p.judgeCheck, OnRecord: p.sayChecked, OnChange: p.sayChange, OnCheck: p.publishBackends,
		Interval: c.Interval,
	}
	if options.Interval == 0 {
		options.Interval = startOnly
	}
	var hook *monitor.Webhook
	if c.Webhook != "" {
		var err error
		hook, err = monitor.NewWebhook(monitor.WebhookOptions{URL: c.Webhook, OnError: func(e monitor.Event, err error) {
			p.log.Warn("monitor: webhook", zap.String("event", string(e.Kind)), zap.Error(err))
		}})
		if err != nil {
			return nil, err
		}
		options.OnChange = func(e monitor.Event) {
			p.sayChange(e)
			hook.Send(e)
		}
	}
	p.monitor = monitor.New(options)
	return hook, nil
}

// watchBackends looks at the backends of the plan until ctx is done.
func (p *proxyCommand) watchBackends(ctx context.Context, running *sync.WaitGroup, hook *monitor.Webhook) {
	p.monitor.Watch(p.plan.Load().targets())
	running.Go(func() { p.monitor.Run(ctx) })
	if hook != nil {
		running.Go(func() { hook.Run(ctx) })
	}
}

// targets are the backends of a plan that it speaks to itself.
func (p *plan) targets() []monitor.Target {
	var targets []monitor.Target
	for _, c := range p.checks {
		if c.mode != proxy.Passthrough {
			targets = append(targets, monitor.Target{Name: targetName(c.key), Backend: c.to, ServerName: c.name, Protocols: []string{"h2", "http/1.1"}})
		}
	}
	return targets
}

func targetName(key routeKey) string { return key.listener + "/" + key.route }

// judgeCheck says what to think of a look at a backend.
func (p *proxyCommand) judgeCheck(t monitor.Target, record *inspect.Connection) {
	plan := p.plan.Load()
	for _, c := range plan.checks {
		if targetName(c.key) == t.Name {
			record.Listener, record.Route = c.key.listener, c.key.route
		}
	}
	if look, ok := plan.looking[routeKey{record.Listener, record.Route}]; ok {
		plan.revoked.ask(p.background, record, look.examiner, look.checker)
	}
	p.judge(record)
	if plan.config.Revocation.FetchIntermediates && plan.inform(p.background, record, p.log) {
		p.judge(record)
	}
	if lookAgainAt(record) && p.server.LookAgain != nil && p.server.SecondLook(p.background, t.Backend, record) {
		p.judge(record)
	}
}

// inform fetches an intermediate that a backend does not send, so that its finding says which one lacks and what to send. It reports
// whether there is something new to judge by.
func (p *plan) inform(ctx context.Context, record *inspect.Connection, log *zap.Logger) bool {
	key := routeKey{record.Listener, record.Route}
	judge, presented := p.judges[key], presentedBytes(record.BackendLeg)
	lacks := slices.ContainsFunc(record.Findings, func(f inspect.Finding) bool { return f.ID == string(chain.MissingIntermediate) })
	if judge == nil || !lacks || len(presented) == 0 {
		return false
	}
	leaf := sha256.Sum256(presented[0])
	if before, done := p.fetched.Load(key); done && before == leaf {
		return false // once for each certificate
	}
	p.fetched.Store(key, leaf)
	found, err := fetchMissing(ctx, p.revoked.fetcher, presented, judge.Roots, time.Now())
	if err != nil {
		log.Warn("monitor: the intermediate that lacks was not fetched", zap.String("backend", targetName(key)), zap.Error(err))
	}
	if len(found) == 0 {
		return false
	}
	p.informed.Store(key, &diagnose.Diagnoser{
		Policy: judge.Policy, Own: judge.Own, Roots: judge.Roots, KnownCAs: slices.Concat(judge.KnownCAs, found), ExpiringSoon: judge.ExpiringSoon,
	})
	return true
}

// sayChecked says what is wrong with a backend when it is looked at for the first time, and again when the judgement changed.
func (p *proxyCommand) sayChecked(record *inspect.Connection) {
	leg := record.BackendLeg
	backend := net.JoinHostPort(leg.Address, strconv.Itoa(leg.Port))
	key := record.Listener + "/" + record.Route + " " + backend
	p.saidMu.Lock()
	before, again := p.said[key]
	p.said[key] = string(record.Verdict) + " " + record.Cause
	same := again && before == p.said[key]
	p.saidMu.Unlock()
	if same {
		return
	}
	p.publishBackend(record)
	fields := []zap.Field{zap.String("backend", backend), zap.String("route", record.Route)}
	if record.Verdict == inspect.OK {
		p.log.Info("backend checked: nothing is wrong", append(fields, checkedFields(record)...)...)
		return
	}
	p.saidMu.Lock()
	_ = report.NewText(p.stderr, report.Options{Color: colored(p.stderr), Width: terminalWidth(p.stderr)}).Write(record)
	p.saidMu.Unlock()
	p.log.Warn("backend checked", append(fields, zap.String("verdict", string(record.Verdict)), zap.String("cause", record.Cause))...)
}

// sayChange logs a change of a backend.
func (p *proxyCommand) sayChange(e monitor.Event) {
	fields := []zap.Field{zap.String("event", string(e.Kind)), zap.String("backend", e.Backend), zap.String("address", e.Address)}
	switch e.Kind {
	case monitor.NodeAgrees, monitor.AddressAppeared, monitor.ResolutionRestored:
		p.log.Info("monitor: "+e.Detail, fields...)
	case monitor.VerdictChanged:
		p.log.Debug("monitor: "+e.Detail, fields...) // it was said when it was judged
	default:
		p.log.Warn("monitor: "+e.Detail, fields...)
	}
}

// publishBackends puts what is known of the backends into the metrics.
func (p *proxyCommand) publishBackends(monitor.State) {
	var list []admin.Backend
	for _, s := range p.monitor.States() {
		b := admin.Backend{Name: s.Name, Up: s.Up, Addresses: len(s.Addresses), Checked: s.CheckedAt, NotAfter: s.NotAfter}
		for _, a := range s.Addresses {
			if a.Up {
				b.Answering++
			}
		}
		list = append(list, b)
	}
	p.admin.SetBackends(list)
}
