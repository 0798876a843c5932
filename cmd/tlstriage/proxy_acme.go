package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/acme"
	"github.com/tlstriage/tlstriage/configs"
	"github.com/tlstriage/tlstriage/proxy/admin"
)

// newACME makes what orders the certificates of listeners without files; nil when none are ordered. Nothing is ordered yet. What
// comes of orders goes to told.
func newACME(config *configs.Config, told *orders, log *zap.Logger) (*acme.Manager, error) {
	c := config.ACME
	if !c.Enabled() {
		return nil, nil
	}
	names := config.Ordered()
	settings := acme.Settings{Directory: c.Directory, Email: c.Email, Names: names, Dir: c.Dir}
	if i := slices.IndexFunc(names, func(n string) bool { return !strings.HasPrefix(n, "*") }); i >= 0 {
		settings.Default = names[i]
	}
	for _, challenge := range c.Challenges {
		settings.Challenges = append(settings.Challenges, acme.Challenge(challenge))
	}
	if c.EABKeyFile != "" {
		key, err := readBounded(c.EABKeyFile, 4096)
		if err != nil {
			return nil, fmt.Errorf("acme.eab_key_file: %w", err)
		}
		settings.External = &acme.ExternalAccount{KeyID: c.EABKeyID, MACKey: string(bytes.TrimSpace(key))}
	}
	if c.CA != "" {
		var err error
		if settings.Roots, _, err = certs.LoadCABundle(c.CA); err != nil {
			return nil, fmt.Errorf("acme.ca: %w", err)
		}
	}
	if settings.Dir == "" {
		dir, err := caDir(config.CADir)
		if err != nil {
			return nil, err
		}
		settings.Dir = filepath.Join(filepath.Dir(dir), "acme")
	}
	settings.OnEvent = func(e acme.Event) {
		told.add(e)
		if e.Kind == acme.Failed {
			log.Warn("acme: no certificate", zap.String("name", e.Name), zap.String("reason", string(e.Reason)), zap.Bool("renewal", e.Renewal), zap.Error(e.Err))
		}
	}
	return acme.New(settings, log)
}

// challengeTimeout bounds each request that asks for an answer to http-01.
const challengeTimeout = 10 * time.Second

// answerChallenge answers http-01 as the plan in force has it, and sends everybody else to https.
func (p *proxyCommand) answerChallenge(w http.ResponseWriter, r *http.Request) {
	m := p.plan.Load().acme
	if m == nil {
		http.NotFound(w, r)
		return
	}
	m.HTTPChallengeHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if host == "" || !m.Serves(host) {
			http.NotFound(w, r)
			return
		}
		http.Redirect(w, r, "https://"+host+r.URL.RequestURI(), http.StatusPermanentRedirect)
	})).ServeHTTP(w, r)
}

// challenges is the endpoint that answers http-01.
type challenges struct {
	address  string // as configured
	listener net.Listener
	server   *http.Server
	ended    sync.WaitGroup
}

// challengesFor is the endpoint that a configuration wants: the one that is open already, a new one that listens and answers nobody yet,
// or nil.
func (p *proxyCommand) challengesFor(config *configs.Config) (*challenges, error) {
	if !config.ACME.Enabled() || !slices.Contains(config.ACME.Challenges, configs.ACMEHTTP) {
		return nil, nil
	}
	address := cmp.Or(config.ACME.HTTP, ":80")
	if p.challenges != nil && p.challenges.address == address {
		return p.challenges, nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("acme.http: %w", err)
	}
	return &challenges{address: address, listener: l}, nil
}

// answerChallenges exchanges the endpoint in use for another one, or for none.
func (p *proxyCommand) answerChallenges(next *challenges) {
	if next == p.challenges {
		return
	}
	if p.challenges != nil {
		p.challenges.close()
		p.log.Info("http-01 is answered no more", zap.Stringer("address", p.challenges.listener.Addr()))
	}
	p.challenges = next
	if next == nil {
		return
	}
	next.server = &http.Server{
		Handler: http.HandlerFunc(p.answerChallenge), ReadHeaderTimeout: challengeTimeout, ReadTimeout: challengeTimeout, WriteTimeout: challengeTimeout,
		IdleTimeout: challengeTimeout, MaxHeaderBytes: 8 << 10, ErrorLog: zap.NewStdLog(p.log.WithOptions(zap.IncreaseLevel(zap.ErrorLevel))),
	}
	next.ended.Go(func() {
		if err := next.server.Serve(next.listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			p.log.Error("acme: http-01 is answered no more", zap.Error(err))
		}
	})
	p.log.Info("answering http-01", zap.Stringer("address", next.listener.Addr()))
}

// close ends an endpoint, whether it answers already or not.
func (c *challenges) close() {
	c.listener.Close()
	if c.server != nil {
		c.server.Close()
		c.ended.Wait()
	}
}

// orders are events of orders on their way to the metrics, which begin to read when everything else stands.
type orders struct {
	wake chan struct{} // something was added; of one place, for whoever takes takes all

	mu     sync.Mutex
	events []acme.Event
}

// The most events that wait: orders are tried again with growing pauses, and nobody leaves so many.
const maxOrderEvents = 1024

func (o *orders) add(e acme.Event) {
	o.mu.Lock()
	if len(o.events) < maxOrderEvents {
		o.events = append(o.events, e)
	}
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

func (o *orders) take() []acme.Event {
	o.mu.Lock()
	defer o.mu.Unlock()
	events := o.events
	o.events = nil
	return events
}

// watchOrdered tells the metrics what comes of orders, and when the certificates end, until the plan stops. Only names of the
// configuration are told: those that clients ask for under a wildcard are without number.
func (p *proxyCommand) watchOrdered(ctx context.Context, plan *plan) {
	if plan.acme == nil {
		return
	}
	names := plan.config.Ordered()
	plan.watching.Go(func() {
		for {
			for _, e := range plan.orders.take() {
				switch e.Kind {
				case acme.Obtained:
					p.admin.CountOrder("")
				case acme.Failed:
					p.admin.CountOrder(cmp.Or(string(e.Reason), string(acme.OtherwiseFailed)))
				}
			}
			for _, s := range plan.acme.Status() {
				if !s.NotAfter.IsZero() && slices.Contains(names, s.Name) {
					p.admin.SetCertificate(admin.RoleServed, "acme/"+s.Name, s.NotAfter)
				}
			}
			select {
			case <-ctx.Done():
				return
			case <-plan.orders.wake:
			}
		}
	})
}
