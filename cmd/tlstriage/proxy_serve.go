package main

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/tlstriage/tlstriage/configs"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/proxy"
)

// serve waits for the end, and reloads at SIGHUP.
func (p *proxyCommand) serve(ctx context.Context, hangup <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			err := p.reload()
			p.admin.Reloaded(err, time.Now())
			if err != nil {
				p.log.Error("not reloaded; the old configuration stays", zap.Error(err))
				continue
			}
			p.log.Info("reloaded")
		}
	}
}

// reload reads everything again; the old configuration stays when any of it is wrong.
func (p *proxyCommand) reload() error {
	config, err := p.configuration()
	if err != nil {
		return err
	}
	next, err := newPlan(config, p.openAuthority(config.CADir), p.log)
	if err != nil {
		return err
	}
	answering, err := p.challengesFor(config)
	if err == nil {
		p.advertise(next)
		if err = p.reloadServers(next.listeners); err != nil && answering != nil && answering != p.challenges {
			answering.close()
		}
	}
	if err != nil {
		next.close()
		return err
	}
	p.warn(next)
	for _, reopen := range []func() error{p.access.Reopen, p.recording.Reopen} {
		if err := reopen(); err != nil {
			p.log.Error("the old file is written on", zap.Error(err))
		}
	}
	old := p.plan.Load()
	next.inherit(old)
	p.plan.Store(next)
	p.answerChallenges(answering)
	if next.acme != nil {
		next.acme.Start()
	}
	old.stopWatching()
	old.close()
	p.watchFiles(p.background, next)
	p.monitor.Watch(next.targets())
	return nil
}

// drain lets open connections end and tells by the exit code what was found.
func (p *proxyCommand) drain(config *configs.Config) error {
	p.admin.SetReady(false, "draining")
	p.log.Info("draining", zap.Int64("connections", p.server.Active()), zap.Duration("timeout", config.Limits.Timeouts.Drain))
	ctx, cancel := context.WithTimeout(context.Background(), config.Limits.Timeouts.Drain)
	defer cancel()
	if err := p.shutdown(ctx); err != nil {
		p.log.Warn("connections were cut at the end of the drain time")
	}
	if dropped := p.server.Dropped(); dropped > 0 {
		p.log.Warn("records were dropped because the queue was full", zap.Uint64("dropped", dropped))
	}
	if dropped := p.server.RequestsDropped(); dropped > 0 {
		p.log.Warn("requests are missing in the access log because its queue was full", zap.Uint64("dropped", dropped))
	}
	if err := p.out.Close(); err != nil && !errors.Is(err, syscall.EPIPE) {
		return failed(err)
	}
	if threshold := severityRank(inspect.Severity(config.FailOn)); threshold > 0 && p.worst.Load() >= threshold {
		return &exitError{code: exitFindings}
	}
	return nil
}

func limitsOf(c configs.Limits) proxy.Limits {
	t := c.Timeouts
	return proxy.Limits{
		Connections: c.Connections, HelloBytes: int(c.HelloBytes), Queue: c.Queue,
		Timeouts: proxy.Timeouts{
			ProxyProtocol: t.ProxyProtocol, ClientHello: t.ClientHello, Dial: t.Dial, BackendHandshake: t.BackendHandshake,
			ClientHandshake: t.Handshake, RequestHeader: t.RequestHeader, RequestBody: t.RequestBody, Response: t.Response, BadGateway: t.BadGateway, Idle: t.Idle, Lifetime: t.Lifetime, Linger: t.Linger,
		},
	}
}
