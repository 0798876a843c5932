package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/configs"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/proxy"
)

// demoPolicy is the policy that the demo's load balancer has.
const demoPolicy = "aws/ELBSecurityPolicy-TLS13-1-2-2021-06"

func newDemo() *cobra.Command {
	var serve, verbose bool
	var output string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show the diagnosis on real connections: faulty backends, legacy clients, one proxy",
		Long: `Starts backends on loopback ports, each with a different fault, and one real proxy in front of them; sends real clients
through it, among them ClientHellos that old programs once sent; and prints each diagnosis as it would appear in production.
Nothing leaves this machine and nothing is left behind.`,
		Example: "  tlstriage demo\n  tlstriage demo -o json | jq -r '[.cause, .fault] | @tsv'\n  tlstriage demo --serve",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "text" && output != "json" {
				return usage(fmt.Errorf("--output: %q is neither text nor json", output))
			}
			d := &demo{stdout: cmd.OutOrStdout(), stderr: cmd.ErrOrStderr(), output: configs.Output(output), verbose: verbose}
			if err := d.run(cmd.Context(), serve); err != nil {
				return failed(fmt.Errorf("demo: %w", err))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&serve, "serve", false, "keep running, and print command lines to try")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "print all fixes")
	outputFlag(cmd, &output)
	return cmd
}

// demo is one run of `tlstriage demo`.
type demo struct {
	stdout, stderr io.Writer
	output         configs.Output
	verbose        bool

	pki       *demoPKI
	authority *certs.Authority
	plan      *plan
	server    *proxy.Server
	directory string
	addresses map[string]string // listener name -> address

	mu      sync.Mutex
	out     printer
	records chan *inspect.Connection
	causes  map[string]int
	seen    int
}

// Listeners of the demo.
const (
	demoReporting = "reporting" // what the policy would refuse is reported, the traffic goes on
	demoEnforcing = "enforcing" // refused as the load balancer would
)

func (d *demo) run(ctx context.Context, serve bool) error {
	d.causes = make(map[string]int)
	d.records = make(chan *inspect.Connection, 64)
	d.out = newPrinter(d.output, configs.RawNone, d.verbose, d.stdout)
	if err := d.start(); err != nil {
		return err
	}
	defer d.stop()
	d.say("A proxy with the policy %s, in front of %d backends.\n", demoPolicy, len(demoBackends()))
	if err := d.play(ctx); err != nil {
		return err
	}
	if err := d.out.Close(); err != nil {
		return err
	}
	d.summary()
	if serve {
		d.invite()
		<-ctx.Done()
	}
	return nil
}

// say speaks to a reader; a program that reads JSON hears nothing.
func (d *demo) say(format string, args ...any) {
	if d.output == configs.OutputText {
		fmt.Fprintf(d.stdout, format, args...)
	}
}

// start makes the certificates, the backends and the proxy, which is built from a configuration as any other.
func (d *demo) start() error {
	var err error
	if d.directory, err = os.MkdirTemp("", "tlstriage-demo-"); err != nil {
		return err
	}
	if d.pki, err = newDemoPKI(); err != nil {
		return err
	}
	if d.authority, err = certs.NewAuthority(certs.AuthorityOptions{CommonName: "tlstriage demo CA"}); err != nil {
		return err
	}
	roots := filepath.Join(d.directory, "demo-root.pem")
	if err := os.WriteFile(roots, certs.EncodePEM(d.pki.root.Certificate), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(d.caFile(), d.authority.CertificatePEM(), 0o600); err != nil {
		return err
	}
	config := configs.Default()
	config.Admin.Address = configs.AdminOff
	var routes []configs.Route
	for _, b := range demoBackends() {
		name := b.name + demoDomain
		l, err := b.start(d.pki, name)
		if err != nil {
			return err
		}
		routes = append(routes, configs.Route{ServerNames: []string{name}, Policy: demoPolicy, Backend: configs.Backend{URL: "tls://" + l.Addr().String(), CA: roots}})
	}
	fallback := routes[0]
	fallback.ServerNames, fallback.Backend.ServerName, fallback.Enforce = []string{"*"}, "healthy"+demoDomain, true
	config.Listeners = []configs.Listener{
		{Name: demoReporting, Address: "127.0.0.1:0", Routes: routes},
		{Name: demoEnforcing, Address: "127.0.0.1:0", Routes: []configs.Route{fallback}},
	}
	if err := config.Validate(); err != nil {
		return err
	}
	if d.plan, err = newPlan(config, func() (*certs.Authority, error) { return d.authority, nil }, zap.NewNop()); err != nil {
		return err
	}
	limits := limitsOf(config.Limits)
	limits.Timeouts.Linger = 200 * time.Millisecond
	d.server = &proxy.Server{OnConnection: d.observe, Limits: limits}
	if err := d.server.Start(d.plan.listeners); err != nil {
		return err
	}
	d.addresses = make(map[string]string)
	for _, l := range d.plan.listeners {
		d.addresses[l.Name] = d.server.Addr(l).String()
	}
	return nil
}

func (d *demo) caFile() string { return filepath.Join(d.directory, "tlstriage-ca.pem") }

func (d *demo) stop() {
	if d.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = d.server.Shutdown(ctx) // what it cuts is the demo's own
		d.plan.close()
	}
	if d.pki != nil {
		d.pki.close()
	}
	os.RemoveAll(d.directory)
}

func (d *demo) observe(c *inspect.Connection) {
	if judge := d.plan.judges[routeKey{c.Listener, c.Route}]; judge != nil {
		judge.Diagnose(c)
	} else {
		unrouted.Diagnose(c)
	}
	d.mu.Lock()
	d.seen++
	if c.Verdict != inspect.OK {
		d.causes[c.Cause]++
	}
	records := d.records
	d.mu.Unlock()
	select {
	case records <- c:
	default: // nobody waits for it: --serve
		_ = d.out.Write(c)
	}
}

// play sends the clients through the proxy one after the other, and prints the diagnosis of each.
func (d *demo) play(ctx context.Context) error {
	trusting := x509.NewCertPool()
	trusting.AddCert(d.authority.Certificate())
	reporting, enforcing := d.addresses[demoReporting], d.addresses[demoEnforcing]

	d.say("\n── Backends: a Go HTTP client that trusts the proxy asks each of them\n")
	for _, b := range demoBackends() {
		name := b.name + demoDomain
		if err := d.step(ctx, fmt.Sprintf("%s (%s)", name, b.fault), func() string { return get(ctx, reporting, name, trusting) }); err != nil {
			return err
		}
	}
	d.say("\n── Clients: old programs, by the ClientHello that they once sent, where the policy is enforced\n")
	hellos, err := recordedHellos()
	if err != nil {
		return err
	}
	for _, h := range hellos {
		if err := d.step(ctx, fmt.Sprintf("%s [%s]", h.Client, h.Source), func() string { return h.send(ctx, enforcing) }); err != nil {
			return err
		}
	}
	d.say("\n── Clients that do something else\n")
	others := []struct {
		what string
		do   func() string
	}{
		{"a client that does not trust the proxy's authority", func() string { return get(ctx, reporting, "healthy"+demoDomain, x509.NewCertPool()) }},
		{"a client that asks for a name nobody serves", func() string { return get(ctx, reporting, "unknown"+demoDomain, trusting) }},
		{"plain HTTP to the TLS port", func() string { return send(ctx, reporting, []byte("GET / HTTP/1.1\r\nHost: demo.example\r\n\r\n")) }},
		{"an SSH client", func() string { return send(ctx, reporting, []byte("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")) }},
		{"a TCP health check", func() string { return send(ctx, reporting, nil) }},
	}
	for _, o := range others {
		if err := d.step(ctx, o.what, o.do); err != nil {
			return err
		}
	}
	return nil
}

// step lets one client do its thing and prints the record that comes of it.
func (d *demo) step(ctx context.Context, what string, do func() string) error {
	got := do()
	d.say("\n» %s\n  the client saw: %s\n", what, strings.Join(strings.Fields(got), " "))
	select {
	case c := <-d.records:
		return d.out.Write(c)
	case <-time.After(2 * demoStep):
		return fmt.Errorf("%s: no record came", what)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *demo) summary() {
	d.mu.Lock()
	defer d.mu.Unlock()
	var b bytes.Buffer
	bad := 0
	ids := make([]string, 0, len(d.causes))
	for id, n := range d.causes {
		bad += n
		ids = append(ids, id)
	}
	slices.Sort(ids)
	fmt.Fprintf(&b, "\n── %d connections, %d of them with something to say, %d different causes:\n", d.seen, bad, len(ids))
	for _, id := range ids {
		fmt.Fprintf(&b, "   %2d  %s\n", d.causes[id], id)
	}
	b.WriteString("   'tlstriage explain ID' says more about each.\n")
	d.say("%s", b.String())
}

// invite prints command lines to try while the proxy keeps running.
func (d *demo) invite() {
	_, port, err := net.SplitHostPort(d.addresses[demoReporting])
	if err != nil {
		return
	}
	d.mu.Lock()
	d.records = nil
	d.mu.Unlock()
	var b bytes.Buffer
	b.WriteString("\n── The proxy keeps running. Try in another terminal, and watch here; Ctrl-C ends it.\n\n")
	for _, name := range []string{"healthy", "expired", "incomplete", "plain-http"} {
		fmt.Fprintf(&b, "   curl --cacert %s --connect-to ::127.0.0.1:%s https://%s/\n", d.caFile(), port, name+demoDomain)
	}
	fmt.Fprintf(&b, "   openssl s_client -connect 127.0.0.1:%s -servername healthy%s -CAfile %s -tls1_2\n", port, demoDomain, d.caFile())
	fmt.Fprintf(&b, "   curl http://127.0.0.1:%s/\n\n", port)
	_, _ = io.WriteString(d.stderr, b.String())
}
