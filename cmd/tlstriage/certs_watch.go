package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/revocation"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/diagnose"
	"github.com/tlstriage/tlstriage/proxy"
	"github.com/tlstriage/tlstriage/proxy/monitor"
)

// certsWatch is one run of `certs watch`.
type certsWatch struct {
	file, name, ca, webhook, output, revocation string
	revocationHosts                             []string
	interval                                    time.Duration

	chainJudge

	out io.Writer
	mu  sync.Mutex // of out
}

func newCertsWatch() *cobra.Command {
	w := &certsWatch{}
	cmd := &cobra.Command{
		Use:   "watch HOST:PORT...",
		Short: "Watch endpoints, and say when a certificate changes or comes near its end",
		Long: `Looks at every address of each endpoint now and then, and prints what it found and every change: another certificate, one
that ends in 30, 14, 7 or 1 days, a verdict that changed (with --revocation also because it was revoked), an address that serves something else than the others, one that
answers no more. Runs until it is stopped; ` + "`tlstriage certs check`" + ` does the same once.`,
		Example: `  tlstriage certs watch www.example.com:443 api.example.com:443
  tlstriage certs watch --file endpoints.txt --interval 10m -o json
  tlstriage certs watch --file endpoints.txt --webhook https://hooks.example/tls`,
		RunE: func(cmd *cobra.Command, args []string) error { return w.run(cmd, args) },
	}
	cmd.Flags().StringVar(&w.file, "file", "", "`FILE` with one endpoint a line, HOST:PORT and optionally the name to ask for; # begins a comment")
	cmd.Flags().StringVar(&w.name, "name", "", "the `NAME` to ask for and to hold the certificate against, where --file gives none; default: the host")
	cmd.Flags().StringVar(&w.ca, "ca", "", "`FILE` with the roots to trust; default: the system's")
	cmd.Flags().DurationVar(&w.interval, "interval", time.Hour, "`TIME` between two looks at an endpoint")
	cmd.Flags().DurationVar(&w.timeout, "timeout", 10*time.Second, "`TIME` for each address, and again for what is asked about its revocation")
	cmd.Flags().StringVar(&w.revocation, "revocation", string(revocation.Off), "`off|staple|check|require`: how far revocation is looked into")
	cmd.Flags().StringSliceVar(&w.revocationHosts, "revocation-host", nil, "`HOST` (host:port, address, network) that may be asked although it is not public")
	cmd.Flags().StringVar(&w.webhook, "webhook", "", "post every change to `URL`")
	outputFlag(cmd, &w.output)
	cmd.Flags().SortFlags = false
	return cmd
}

// The most endpoints that are watched.
const maxEndpoints = 10_000

func (w *certsWatch) run(cmd *cobra.Command, args []string) error {
	if w.output != "text" && w.output != "json" {
		return usage(fmt.Errorf("--output: %q is neither text nor json", w.output))
	}
	if w.interval < time.Second {
		return usage(fmt.Errorf("--interval: %v is less than a second", w.interval))
	}
	var err error
	if w.name, err = certificateName(w.name); err != nil {
		return usage(err)
	}
	targets, err := w.targets(args)
	if err != nil {
		return usage(err)
	}
	w.out = cmd.OutOrStdout()
	if w.timeout <= 0 {
		return usage(fmt.Errorf("--timeout: %v is no time to wait", w.timeout))
	}
	w.judge = &diagnose.Diagnoser{Alone: true}
	if w.ca != "" {
		if w.judge.Roots, w.judge.KnownCAs, err = certs.LoadCABundle(w.ca); err != nil {
			return usage(err)
		}
	}
	if err := w.open(w.revocation, w.revocationHosts); err != nil {
		return usage(err)
	}
	defer w.close()
	eye := &proxy.Server{Log: zap.NewNop(), Limits: proxy.Limits{Timeouts: proxy.Timeouts{Dial: w.timeout, BackendHandshake: w.timeout}}}
	ctx, stop := context.WithCancel(cmd.Context())
	options := monitor.Options{
		Check: eye.CheckAddress, Judge: func(_ monitor.Target, c *inspect.Connection) { w.look(ctx, c) },
		Interval: w.interval, OnChange: w.changed, OnCheck: w.checked(),
	}
	var running sync.WaitGroup
	defer func() { stop(); running.Wait() }()
	if w.webhook != "" {
		hook, err := monitor.NewWebhook(monitor.WebhookOptions{URL: w.webhook, OnError: func(e monitor.Event, err error) {
			if ctx.Err() != nil {
				return // it is asked to end
			}
			fmt.Fprint(cmd.ErrOrStderr(), printable(fmt.Sprintf("tlstriage: webhook: %s: %v\n", e.Kind, err)))
		}})
		if err != nil {
			return usage(fmt.Errorf("--webhook: %w", err))
		}
		options.OnChange = func(e monitor.Event) {
			w.changed(e)
			hook.Send(e)
		}
		running.Go(func() { hook.Run(ctx) })
	}
	m := monitor.New(options)
	m.Watch(targets)
	m.Run(ctx)
	return nil
}

// targets are the endpoints of the command line and of the file.
func (w *certsWatch) targets(args []string) ([]monitor.Target, error) {
	var targets []monitor.Target
	seen := map[string]bool{}
	add := func(endpoint, name string) error {
		host, _, err := net.SplitHostPort(endpoint)
		if err != nil {
			return fmt.Errorf("%s is not HOST:PORT", endpoint)
		}
		name = cmp.Or(asciiName(name), w.name, asciiName(host))
		key := endpoint
		if name != host {
			key += " " + name
		}
		if seen[key] {
			return nil
		}
		if len(targets) == maxEndpoints {
			return fmt.Errorf("more than %d endpoints", maxEndpoints)
		}
		seen[key] = true
		targets = append(targets, monitor.Target{Name: key, Backend: &proxy.Backend{Address: endpoint, ServerName: name}, ServerName: name, Protocols: []string{"h2", "http/1.1"}})
		return nil
	}
	for _, endpoint := range args {
		if err := add(endpoint, ""); err != nil {
			return nil, err
		}
	}
	if w.file != "" {
		f, err := os.Open(w.file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		number := 0
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			number++
			text, _, _ := strings.Cut(lines.Text(), "#")
			words := strings.Fields(text)
			switch len(words) {
			case 0:
				continue
			case 1:
				words = append(words, "")
			case 2:
			default:
				return nil, fmt.Errorf("%s:%d: HOST:PORT and a name are expected, not %d words", w.file, number, len(words))
			}
			if err := add(words[0], words[1]); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", w.file, number, err)
			}
		}
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("%s: %w", w.file, err)
		}
	}
	if len(targets) == 0 {
		return nil, errors.New("no endpoint: give HOST:PORT or --file FILE")
	}
	return targets, nil
}

// checked prints the first state of each endpoint; what changes afterwards comes as events.
func (w *certsWatch) checked() func(monitor.State) {
	first := map[string]bool{}
	return func(s monitor.State) {
		if first[s.Name] {
			return
		}
		first[s.Name] = true
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.output == "json" {
			_ = writeLine(w.out, s)
			return
		}
		var b strings.Builder
		fmt.Fprintf(&b, "%s  %s", s.Name, cmp.Or(string(s.Verdict), "unknown"))
		if !s.NotAfter.IsZero() {
			fmt.Fprintf(&b, "  until %s (%s)", s.NotAfter.UTC().Format(time.DateOnly), remaining(time.Until(s.NotAfter)))
		}
		if s.Error != "" {
			fmt.Fprintf(&b, "  %s", shown(s.Error))
		}
		b.WriteString("\n")
		for _, a := range s.Addresses {
			fmt.Fprintf(&b, "  %s  %s %s\n", a.Address, a.Verdict, a.Cause)
		}
		_, _ = io.WriteString(w.out, printable(b.String()))
	}
}

// remaining is how long a certificate is valid, or since when it is not, as a person says it.
func remaining(d time.Duration) string {
	ago := ""
	if d < 0 {
		d, ago = -d, " ago"
	}
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days%s", d/(24*time.Hour), ago)
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours%s", d/time.Hour, ago)
	}
	if d >= 2*time.Minute {
		return fmt.Sprintf("%d minutes%s", d/time.Minute, ago)
	}
	return fmt.Sprintf("%d seconds%s", d/time.Second, ago)
}

// changed prints a change.
func (w *certsWatch) changed(e monitor.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.output == "json" {
		_ = writeLine(w.out, e)
		return
	}
	_, _ = io.WriteString(w.out, printable(fmt.Sprintf("%s  %s  %s\n", e.At.UTC().Format(time.RFC3339), e.Backend, shown(e.Detail))))
}
