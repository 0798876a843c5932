package main

import (
	"context"
	"os"
	"time"

	"go.uber.org/zap"

	"github.com/tlstriage/tlstriage/configs"
	"github.com/tlstriage/tlstriage/proxy"
	"github.com/tlstriage/tlstriage/proxy/h3"
)

// altSvcLasts is how long clients may remember the way over QUIC, where the configuration gives no value of its own.
const altSvcLasts = 24 * time.Hour

// newQUIC makes the UDP side of the proxy. It has nothing to do until a listener asks for QUIC, which may be after a reload.
func (p *proxyCommand) newQUIC(limits configs.Limits) *h3.Server {
	// quic-go says by itself that it could not get the buffers that it wants, in a line of its own; it is said here in the log.
	_ = os.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true")
	p.altSvc.datagrams = p.quicDatagrams
	return &h3.Server{Proxy: p.server, Log: p.log, Limits: h3.Limits{Timeouts: limitsOf(limits).Timeouts}}
}

// advertise has the answers of listeners tell of the way over QUIC that is served here. The port is known once it is listened on.
func (p *proxyCommand) advertise(plan *plan) {
	for i, l := range plan.listeners {
		if plan.config.Listeners[i].AltSvc == configs.AltSvcOn {
			l.AltSvc = func() string { return p.quic.Load().AltSvc(l, altSvcLasts) }
		}
	}
}

// startQUIC opens the UDP side.
func (p *proxyCommand) startQUIC(plan *plan) error {
	if err := p.quic.Load().Start(plan.listeners); err != nil {
		return err
	}
	for _, l := range plan.listeners {
		if a := p.quic.Load().Addr(l); a != nil {
			p.log.Info("listening for QUIC", zap.String("listener", l.Name), zap.Stringer("address", a), zap.String("mode", string(l.Mode)))
		}
	}
	return nil
}

// reloadServers puts listeners in force on both sides, or on none.
func (p *proxyCommand) reloadServers(listeners []*proxy.Listener) error {
	change, err := p.quic.Load().Prepare(listeners)
	if err != nil {
		return err
	}
	if err := p.server.Reload(listeners); err != nil {
		change.Abort()
		return err
	}
	change.Commit()
	return nil
}

// shutdown ends both sides; the error is that connections had to be cut.
func (p *proxyCommand) shutdown(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.quic.Load().Shutdown(ctx)
	}()
	err := p.server.Shutdown(ctx)
	<-done
	return err
}

// quicDatagrams is how many datagrams of QUIC came to a listener, if it listens for them.
func (p *proxyCommand) quicDatagrams(listener string) (n uint64, listens bool) {
	for _, l := range p.plan.Load().listeners {
		if l.Name == listener && l.QUIC != "" {
			return p.quic.Load().Came(l), true
		}
	}
	return 0, false
}
