package main

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
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
		hook, err = monitor.NewWebhook(monitor.WebhookOptions{
			URL: c.Webhook,
			OnError: func(e monitor.Event, err error) {
				p.log.Warn("monitor: webhook: not delivered: "+e.Detail, append(eventFields(e), zap.Error(err))...)
			},
			OnFailing: func(e monitor.Event, err error) {
				p.log.Warn("monitor: webhook: the receiver does not take events; each is tried again for a while", append(eventFields(e), zap.Error(err))...)
			},
			OnWorking: func() { p.log.Info("monitor: webhook: the receiver takes events again") },
		})
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
			targets = append(targets, monitor.Target{Name: targetName(c.key), Backend: c.to, ServerName: c.name, Protocols: c.protocols})
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
	var found []*x509.Certificate
	var failure error
	if plan.config.Revocation.FetchIntermediates {
		var news bool
		if found, news, failure = plan.inform(p.background, record); news {
			p.judge(record)
		}
		if failure != nil {
			p.log.Warn("monitor: the intermediate that lacks was not fetched; the next look tries again", zap.String("backend", t.Name), zap.Error(failure))
		}
	}
	if lookAgainAt(record) && p.server.LookAgain != nil && p.server.SecondLook(p.background, t.Backend, record) {
		p.judge(record)
	}
	sayFetched(record, found, failure)
}

// The most certificates that are learnt for a route: a backend that shows others all the time makes no list without end.
const maxLearnt = 64

// inform fetches an intermediate that a backend does not send, so that its finding says which one lacks and what to send; once for
// each certificate that the backend shows, and again after a renewal. It says what was found, now or before, and why nothing was.
func (p *plan) inform(ctx context.Context, record *inspect.Connection) (found []*x509.Certificate, news bool, err error) {
	key := routeKey{record.Listener, record.Route}
	judge, presented := p.judges[key], presentedBytes(record.BackendLeg)
	lacks := slices.ContainsFunc(record.Findings, func(f inspect.Finding) bool { return f.ID == string(chain.MissingIntermediate) })
	if judge == nil || !lacks || len(presented) == 0 {
		return nil, false, nil
	}
	of := fetchedFor{key, sha256.Sum256(presented[0])}
	p.fetching.Lock()
	found, done := p.fetched[of]
	p.fetching.Unlock()
	if done {
		return found, false, nil
	}
	found, err = fetchMissing(ctx, p.revoked.fetcher, presented, judge.Roots, time.Now())
	if err != nil {
		return nil, false, err // the next look tries again
	}
	p.fetching.Lock()
	defer p.fetching.Unlock()
	if p.fetched == nil || len(p.fetched) >= maxLearnt {
		p.fetched = map[fetchedFor][]*x509.Certificate{}
	}
	p.fetched[of] = found
	if len(found) == 0 {
		return nil, false, nil
	}
	if before, ok := p.informed.Load(key); ok && len(before.(*diagnose.Diagnoser).KnownCAs) < len(judge.KnownCAs)+maxLearnt {
		judge = before.(*diagnose.Diagnoser) // other nodes may show other certificates
	}
	p.informed.Store(key, judge.Knowing(found...))
	return found, true, nil
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
	wants := func(f inspect.Finding) bool { return f.ID == "backend-requires-client-cert" }
	if i := slices.IndexFunc(record.Findings, wants); i >= 0 && record.Verdict == inspect.OK {
		// It is told in the handshake only that one is asked for. Whether it is needed shows in what clients are answered: nginx refuses
		// in HTTP, with 400.
		p.log.Warn("backend checked: it asks for a client certificate, and none is configured: it may refuse what clients send; give it one with --backend-cert and --backend-key",
			append(fields, append(checkedFields(record), zap.String("finding", record.Findings[i].ID))...)...)
		return
	}
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
	fields := eventFields(e)
	switch e.Kind {
	case monitor.NodeAgrees, monitor.AddressAppeared, monitor.ResolutionRestored:
		p.log.Info("monitor: "+e.Detail, fields...)
	case monitor.VerdictChanged:
		p.log.Debug("monitor: "+e.Detail, fields...) // it was said when it was judged
	default:
		p.log.Warn("monitor: "+e.Detail, fields...)
	}
}

func eventFields(e monitor.Event) []zap.Field {
	return []zap.Field{zap.String("event", string(e.Kind)), zap.String("backend", e.Backend), zap.String("address", e.Address)}
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
