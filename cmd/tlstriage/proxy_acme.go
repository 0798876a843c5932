package main

import (
	"bytes"
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
)

// newACME makes what orders the certificates of listeners without files; nil when none are ordered. Nothing is ordered yet.
func newACME(config *configs.Config, log *zap.Logger) (*acme.Manager, error) {
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

// answerHTTP listens for http-01 until ctx is done.
func answerHTTP(ctx context.Context, running *sync.WaitGroup, address string, answer http.HandlerFunc, log *zap.Logger) error {
	if address == "" {
		address = ":80"
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("acme.http: %w", err)
	}
	server := &http.Server{
		Handler: answer, ReadHeaderTimeout: challengeTimeout, ReadTimeout: challengeTimeout, WriteTimeout: challengeTimeout,
		IdleTimeout: challengeTimeout, MaxHeaderBytes: 8 << 10, ErrorLog: zap.NewStdLog(log.WithOptions(zap.IncreaseLevel(zap.ErrorLevel))),
	}
	running.Go(func() {
		if err := server.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			log.Error("acme: http-01 is answered no more", zap.Error(err))
		}
	})
	running.Go(func() {
		<-ctx.Done()
		server.Close()
	})
	log.Info("answering http-01", zap.Stringer("address", l.Addr()))
	return nil
}
