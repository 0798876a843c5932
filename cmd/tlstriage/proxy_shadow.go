package main

import (
	"context"
	"sync"

	"go.uber.org/zap"

	"github.com/tlstriage/tlstriage/configs"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/diagnose"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/replay"
)

// How many kinds of clients that fare otherwise at the canary /shadow lists.
const maxShadowChanges = 200

// newShadow is what sends live hellos to a canary, too; nil where there is none.
func (p *proxyCommand) newShadow(c configs.Shadow) *replay.Shadow {
	if !c.Enabled() {
		return nil
	}
	target := probe.Target{Address: c.To}
	switch c.ProxyProtocol {
	case configs.ProxyHeaderV1:
		target.Proxy = &probe.ProxyHeader{Version: 1}
	case configs.ProxyHeaderV2:
		target.Proxy = &probe.ProxyHeader{Version: 2}
	}
	return &replay.Shadow{
		Client:   &probe.Client{Source: inspect.SourceReplay},
		Target:   replay.Target{Label: c.To, Target: target},
		Names:    replay.Names{All: c.ServerName},
		Interval: c.Interval,
		Rate:     float64(c.Rate),
		OnResult: p.shadowed,
	}
}

// runShadow sends what is due until ctx ends.
func (p *proxyCommand) runShadow(ctx context.Context, running *sync.WaitGroup) {
	if p.shadow == nil {
		return
	}
	p.log.Info("each kind of live hello is sent to a canary, too", zap.String("shadow", p.shadow.Target.Label))
	running.Go(func() { p.shadow.Run(ctx) })
}

// canaryJudge judges what a canary answered: its chain is whatever it is, and its clients are not here.
var canaryJudge = diagnose.Diagnoser{ExpiringSoon: -1}

// shadowed prints how a live client's hello fared at the canary, where that was otherwise than live.
func (p *proxyCommand) shadowed(live *inspect.Connection, d *replay.Difference, r *replay.Result) {
	switch d.Class {
	case replay.Worse, replay.Better, replay.Different:
	default:
		return
	}
	record := r.Record()
	c := &record.Connection
	c.Listener, c.Route = live.Listener, live.Route
	c.Canary = &inspect.Canary{To: r.Target, Class: string(d.Class), Live: d.Old.String(), Canary: d.New.String(), Differs: d.Fields, EventID: live.Event.ID}
	canaryJudge.Diagnose(c)
	p.print(c)
}
