package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/configs"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/replay"
	"github.com/tlstriage/tlstriage/inspect/report"
	"github.com/tlstriage/tlstriage/proxy"
	"github.com/tlstriage/tlstriage/proxy/admin"
	"github.com/tlstriage/tlstriage/proxy/h3"
	"github.com/tlstriage/tlstriage/proxy/monitor"
)

func newProxy() *cobra.Command {
	overrides := &configs.Overrides{}
	var file string
	cmd := &cobra.Command{
		Use:   "proxy",
		Short: "Stand in front of a TLS service and explain every handshake, on both legs",
		Long: `Accepts TLS connections, reads the raw ClientHello before anything else, holds it against a policy, connects to the
backend on a TLS connection of its own, and copies bytes between the two. Each connection gives one record: what the client
offered, what the policy would have said, how each leg went, and, when something is wrong, which leg, whose fault, and what to
change.

Report-only by default: a client that the policy would refuse, and a backend certificate that no client should accept, are
reported and the traffic goes on. --enforce and --backend-verify enforce refuse them.

Every flag is also a key of the YAML file given with --config and an environment variable: --backend-sni is
TLSTRIAGE_BACKEND_SNI. Flags beat environment beats file. SIGHUP reads the file and the certificates again, SIGTERM drains.`,
		Example: `  # In front of one backend, with certificates minted by the local authority
  tlstriage proxy --listen 127.0.0.1:8443 --backend https://10.0.0.5:443

  # What would an AWS load balancer with this policy have done?
  tlstriage proxy --listen :8443 --backend https://10.0.0.5:443 --policy aws/ELBSecurityPolicy-TLS13-1-2-2021-06

  # Refuse what it would refuse; serve our own certificate; write a recording
  tlstriage proxy --listen :8443 --backend https://app.internal:443 --cert tls.crt --key tls.key \
      --policy aws/ELBSecurityPolicy-TLS13-1-2-2021-06 --enforce --record hellos.ndjson

  # Only watch; nothing is terminated
  tlstriage proxy --listen :8443 --backend tls://10.0.0.5:443 --mode passthrough -o json

  # Several listeners and routes
  tlstriage proxy --config proxy.yaml`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				file = os.Getenv(configs.EnvPrefix + "CONFIG")
			}
			p := &proxyCommand{file: file, overrides: overrides, stdout: cmd.OutOrStdout(), stderr: cmd.ErrOrStderr(), said: map[string]string{}}
			return p.run(cmd.Context())
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "", "YAML `FILE` with the configuration")
	for _, s := range configs.Settings() {
		f := cmd.Flags().VarPF(overrides.Value(s), s.Flag, s.Short, s.Usage)
		f.NoOptDefVal = s.NoValue
		f.DefValue = s.Default
	}
	cmd.Flags().SortFlags = false
	return cmd
}

// proxyCommand is one run of `tlstriage proxy`.
type proxyCommand struct {
	file           string
	overrides      *configs.Overrides
	stdout, stderr io.Writer

	log        *zap.Logger
	authority  *certs.Authority
	plan       atomic.Pointer[plan]
	challenges *challenges // of http-01; nil: they are not answered
	server     *proxy.Server
	quic       atomic.Pointer[h3.Server] // its UDP side
	altSvc     altSvcWatch
	admin      *admin.Admin
	out        printer
	recording  *recorder
	access     *accessLog // nil: there is none
	monitor    *monitor.Monitor
	shadow     *replay.Shadow // nil: there is no canary
	explainer  *explainer     // nil: backends are not experimented with
	outMu      sync.Mutex     // records come from the server and from the shadow
	unwritten  bool           // the latest record could not be written
	lost       uint64         // records since then
	missing    atomic.Uint64  // records that could not be written, ever
	saidMu     sync.Mutex
	said       map[string]string // of each backend's address what was said of it last
	worst      atomic.Int32      // worst severity seen
	unread     sync.Once         // standard output was found closed

	background context.Context // ends with the run
}

func (p *proxyCommand) run(ctx context.Context) error {
	// From the first moment to the last: the default action of SIGHUP would cut connections that drain.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	// Clients must not suffer because whoever read the records has gone: the write fails, and the proxy goes on.
	signal.Ignore(syscall.SIGPIPE)
	defer signal.Reset(syscall.SIGPIPE)

	config, err := p.configuration()
	if err != nil {
		return usage(err)
	}
	p.log = newLogger(config.Log, p.stderr)
	defer p.log.Sync()
	for _, w := range config.Warnings() {
		p.log.Warn(w.Error())
	}
	for _, name := range configs.UnknownEnv(os.Environ()) {
		p.log.Warn("environment variable that means nothing here", zap.String("name", name))
	}
	plan, err := newPlan(config, p.openAuthority(config.CADir), p.log)
	if err != nil {
		return usage(err)
	}
	p.plan.Store(plan)
	defer func() { p.plan.Load().close() }()
	p.warn(plan)

	if p.recording, err = openRecorder(config.Record); err != nil {
		return failed(err)
	}
	defer p.recording.Close()
	if p.access, err = openAccessLog(config.AccessLog, p.log); err != nil {
		return failed(err)
	}
	defer p.access.Close()
	keys, err := openKeyLog(config.KeyLog, p.log)
	if err != nil {
		return failed(err)
	}
	handshakes, err := newTranscripts(config.Record, p.log)
	if err != nil {
		return failed(err)
	}
	p.out = newPrinter(config.Output, config.Record.Raw, config.Verbose, p.stdout)
	p.server = &proxy.Server{OnConnection: p.observe, Log: p.log, Limits: limitsOf(config.Limits)}
	if keys != nil {
		defer keys.Close()
		p.server.KeyLog = keys
	}
	if p.access != nil {
		p.server.OnRequest = p.access.Write
	}
	if handshakes != nil {
		p.server.OnTranscript = handshakes.write
	}
	if config.SecondLook == configs.On {
		p.server.LookAgain = p.lookAgain
	}
	hook, err := p.newMonitor(config.Monitor)
	if err != nil {
		return usage(err)
	}
	p.shadow = p.newShadow(config.Shadow)
	var shadow func() any
	if p.shadow != nil {
		shadow = func() any { return p.shadow.Report(maxShadowChanges) }
	}
	p.admin = admin.New(admin.Options{
		Shadow: shadow,
		Numbers: append(p.quicNumbers(), admin.Number{Name: "tlstriage_access_log_dropped_total", Help: "Requests that are missing in the access log because its queue was full, or it could not be written.",
			Value: func() float64 { return float64(p.server.RequestsDropped() + p.access.Missing()) }}),
		Version: thisBuild().Version, Revision: thisBuild().Revision,
		Recent: config.Limits.Recent, Hosts: config.Admin.Hosts,
		Active: p.server.Active, Refused: p.server.Refused, Dropped: func() uint64 { return p.server.Dropped() + p.missing.Load() },
		Encode:   func(c *inspect.Connection) ([]byte, error) { return report.Encode(c, report.Raw(config.Record.Raw)) },
		Backends: func() any { return p.monitor.States() },
		ErrorLog: zap.NewStdLog(p.log),
	})
	defer quietTransport(p.log)()
	background, stop := context.WithCancel(context.Background())
	p.background = background
	if config.Explain == configs.On {
		p.explainer = &explainer{ctx: background, log: p.log}
	}
	var running sync.WaitGroup
	defer func() { stop(); running.Wait(); p.answerChallenges(nil) }()
	if err := p.startAdmin(background, &running, config); err != nil {
		return failed(err)
	}
	p.quic.Store(p.newQUIC(config.Limits))
	p.advertise(plan)
	if err := p.server.Start(plan.listeners); err != nil {
		return failed(err)
	}
	if err := p.startQUIC(plan); err != nil {
		_ = p.server.Shutdown(background) // which is idle still
		return failed(err)
	}
	if plan.acme != nil {
		answering, err := p.challengesFor(config)
		if err != nil {
			return failed(err)
		}
		p.answerChallenges(answering)
		plan.acme.Start()
	}
	p.admin.Reloaded(nil, time.Now())
	p.watchFiles(background, plan)
	defer func() { p.plan.Load().stopWatching() }()
	for _, l := range plan.listeners {
		p.log.Info("listening", zap.String("listener", l.Name), zap.Stringer("address", p.server.Addr(l)), zap.String("mode", string(l.Mode)))
	}
	p.admin.SetReady(true, "")
	p.watchBackends(background, &running, hook)
	p.runShadow(background, &running)
	if os.Getenv("GOGC") == "" {
		running.Go(func() { tuneCollector(background, p.server.Active) })
	}

	p.serve(ctx, hangup)
	return p.drain(config)
}

// warn says what was not understood of the configurations that policies are read from.
func (p *proxyCommand) warn(plan *plan) {
	for _, problem := range plan.problems {
		p.log.Warn("policy: not understood", zap.String("file", problem.File), zap.Int("line", problem.Line), zap.String("problem", problem.Text))
	}
}

// configuration puts file, environment and flags together.
func (p *proxyCommand) configuration() (*configs.Config, error) {
	var data []byte
	if p.file != "" {
		var err error
		if data, err = readBounded(p.file, configs.MaxFileBytes); err != nil {
			return nil, err
		}
	}
	return configs.Resolve(data, p.file, os.Environ(), p.overrides)
}

// openAuthority opens the local authority, or makes it, once.
func (p *proxyCommand) openAuthority(dir string) func() (*certs.Authority, error) {
	return func() (*certs.Authority, error) {
		if p.authority != nil {
			return p.authority, nil
		}
		path, err := caDir(dir)
		if err != nil {
			return nil, err
		}
		authority, created, err := certs.OpenAuthority(path, certs.AuthorityOptions{})
		if err != nil {
			return nil, err
		}
		if created {
			p.log.Info("created a local authority; clients must trust it", zap.String("ca_dir", path))
		}
		p.authority = authority
		return authority, nil
	}
}

// startAdmin opens the operator's endpoint. Where nobody asked for a certain address, one that is taken is no reason not to start.
func (p *proxyCommand) startAdmin(ctx context.Context, running *sync.WaitGroup, config *configs.Config) error {
	if !config.Admin.Enabled() {
		return nil
	}
	l, err := net.Listen("tcp", config.Admin.Address)
	if err != nil {
		if !config.Given("admin.address") && errors.Is(err, syscall.EADDRINUSE) {
			p.log.Warn("no admin endpoint: its default address is taken; choose one with --admin", zap.String("address", config.Admin.Address))
			return nil
		}
		return fmt.Errorf("admin: %w", err)
	}
	p.log.Info("admin endpoint", zap.Stringer("address", l.Addr()))
	running.Go(func() {
		if err := p.admin.Serve(ctx, l); err != nil {
			p.log.Error("admin endpoint ended", zap.Error(err))
		}
	})
	return nil
}

// watchFiles follows changes of the certificates that a plan serves, until the plan stops.
func (p *proxyCommand) watchFiles(ctx context.Context, plan *plan) {
	ctx, plan.cancelWatching = context.WithCancel(ctx)
	p.watchOrdered(ctx, plan)
	for i, files := range plan.files {
		publish := func() {
			for n, c := range files.Certificates() {
				p.admin.SetCertificate(admin.RoleServed, fmt.Sprintf("%s/%d", plan.serving[i], n), c.Leaf.NotAfter)
			}
		}
		publish()
		plan.watching.Go(func() {
			files.Watch(ctx, func(err error) {
				if err != nil {
					p.log.Error("certificates not reloaded; the old ones stay", zap.Error(err))
					return
				}
				publish()
				p.log.Info("certificates reloaded")
			})
		})
	}
}

// checkedFields say what a good check rests on: where no name is known, the certificate was not held against one.
func checkedFields(record *inspect.Connection) []zap.Field {
	leg := record.BackendLeg
	if leg.TLS == nil {
		return []zap.Field{zap.Bool("plain", leg.Plain)}
	}
	name := leg.ServerName
	if name == "" {
		name = "not checked: neither --backend-sni nor a client names the backend"
	}
	return []zap.Field{zap.String("version", leg.TLS.Version), zap.String("cipher", leg.TLS.Cipher), zap.String("name", name)}
}

// publishBackend tells the metrics when a backend's certificate ends.
func (p *proxyCommand) publishBackend(record *inspect.Connection) {
	if leg := record.BackendLeg; leg != nil && leg.TLS != nil && leg.TLS.Server != nil && len(leg.TLS.Server.CertificateChain) > 0 {
		p.admin.SetCertificate(admin.RoleBackend, record.Listener+"/"+record.Route, leg.TLS.Server.CertificateChain[0].NotAfter)
	}
}

// newLogger logs what the program says of itself, to standard error.
func newLogger(c configs.Log, w io.Writer) *zap.Logger {
	level, err := zapcore.ParseLevel(string(c.Level))
	if err != nil {
		level = zapcore.InfoLevel
	}
	e := zap.NewProductionEncoderConfig()
	e.EncodeTime = zapcore.ISO8601TimeEncoder
	encoder := zapcore.NewConsoleEncoder(e)
	if c.Format == configs.OutputJSON {
		encoder = zapcore.NewJSONEncoder(e)
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(w)), level))
}
