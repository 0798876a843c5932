package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/revocation"
	"github.com/tlstriage/tlstriage/configs"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/diagnose"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/scan"
)

// scanCommand is one run of `scan`.
type scanCommand struct {
	sni, ca, at, revocation, failOn, output     string
	certFile, keyFile, starttls, proxy, targets string
	alpn, revocationHosts                       []string
	quic, gentle, verbose, noRequest, noSNI     bool
	concurrency, connections                    int
	timeout                                     time.Duration

	against scanAgainst
	changed func(flag string) bool // whether it was given
	chainJudge
	scanner *scan.Scanner
	target  scan.Target // what is the same for all
}

func newScan() *cobra.Command {
	c := &scanCommand{}
	cmd := &cobra.Command{
		Use:   "scan HOST[:PORT]...",
		Short: "Say what an endpoint accepts, what is wrong with it, and who cannot talk to it",
		Long: `Asks an endpoint, at every address of its name, what it accepts: versions, cipher suites, groups, signature schemes and
protocols, in whose order, with which certificates, for which server names, and what it does not bear. It goes from layer to
layer (DNS, TCP, first bytes, hello, certificate, Finished, application) and says at which one it breaks. Hellos are made here
byte by byte, so that no TLS library's limits are taken for the endpoint's. The certificate is judged as by "certs check".

What could not be found out is said to be so, and never to be a "no".

Exit codes: 1 when a finding is at or above --fail-on, 2 for what cannot be asked.`,
		Example: `  tlstriage scan www.example.com
  tlstriage scan 10.0.0.5:8443 --sni app.internal --ca corporate-root.pem
  tlstriage scan mail.example.com:25 --starttls smtp
  tlstriage scan www.example.com --policy aws/ELBSecurityPolicy-TLS13-1-2-2021-06
  tlstriage scan www.example.com -o json > before.json; tlstriage scan www.example.com --baseline before.json
  tlstriage scan --targets hosts.txt -o junit > scan.xml`,
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd, args) },
	}
	f := cmd.Flags()
	f.StringVar(&c.sni, "sni", "", "server `NAME` to ask for, and to hold the certificate against; default: the host")
	f.BoolVar(&c.noSNI, "no-sni", false, "send no server name")
	f.StringVar(&c.ca, "ca", "", "`FILE` with the roots to trust; default: the system's")
	f.StringSliceVar(&c.alpn, "alpn", nil, "offer these protocols in every hello: `LIST`; default: only where they are the question")
	f.StringVar(&c.certFile, "client-cert", "", "`FILE` with the certificate to show where one is asked for")
	f.StringVar(&c.keyFile, "client-key", "", "`FILE` with its key; default: the same file")
	f.StringVar(&c.starttls, "starttls", "", "ask for TLS in this `PROTO` first: smtp, imap, pop3, ftp, xmpp, ldap, postgres, mysql, …")
	f.StringVar(&c.proxy, "proxy-protocol", "", "send a PROXY protocol header first: `v1|v2`")
	f.BoolVar(&c.quic, "quic", false, "ask over QUIC")
	f.BoolVar(&c.noRequest, "no-request", false, "send no HTTP request behind the handshake")
	f.StringVar(&c.targets, "targets", "", "`FILE` with a target a line, #comments; -: standard input")
	c.against.flags(cmd)
	f.StringVar(&c.revocation, "revocation", string(revocation.Off), "`off|staple|check|require`: how far revocation is looked into")
	f.StringSliceVar(&c.revocationHosts, "revocation-host", nil, "`HOST` (host:port, address, network) that may be asked although it is not public")
	f.BoolVar(&c.fetch, "fetch-intermediates", false, "fetch an intermediate that lacks, to say what to send instead")
	f.StringVar(&c.at, "at", "", "judge certificates as of this `TIME` (RFC 3339); default: now")
	f.BoolVar(&c.gentle, "gentle", false, "one connection at a time and four a second, for endpoints that count them")
	f.IntVar(&c.concurrency, "concurrency", 0, "at most `N` connections to one address at a time; default: 12")
	f.IntVar(&c.connections, "max-connections", 0, "at most `N` connections to one address in all; default: 1000")
	f.DurationVar(&c.timeout, "timeout", 5*time.Second, "wait for a connection, or for an answer, at most this `DURATION`")
	f.StringVar(&c.failOn, "fail-on", string(inspect.SeverityError), "`error|warning|info|never`: severity from which findings make the exit code 1")
	f.BoolVarP(&c.verbose, "verbose", "v", false, "say all of every finding, with all fixes, and everything that was found out")
	f.StringVarP(&c.output, "output", "o", "text", "print `text`, json, markdown, junit or sarif")
	f.SortFlags = false
	return cmd
}

func (c *scanCommand) run(cmd *cobra.Command, args []string) error {
	if !slices.Contains([]string{"text", "json", "markdown", "junit", "sarif"}, c.output) {
		return usage(fmt.Errorf("--output: %q is none of text, json, markdown, junit and sarif", c.output))
	}
	threshold := severityRank(inspect.Severity(c.failOn))
	if threshold == 0 && c.failOn != string(configs.FailOnNever) {
		return usage(fmt.Errorf("--fail-on: %q is none of error, warning, info and never", c.failOn))
	}
	targets, err := c.named(cmd, args)
	if err != nil {
		return usage(err)
	}
	c.changed = cmd.Flags().Changed
	if err := c.prepare(); err != nil {
		return usage(err)
	}
	defer c.close()
	// A scan lives for a moment, on a small heap: most of what a collection costs then is its beginning.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	var roots sync.WaitGroup
	defer roots.Wait()
	if c.ca == "" { // they are read once in a process, which takes as long as some handshakes: by the time that they are needed, they are there
		roots.Go(func() { _, _ = x509.SystemCertPool() })
	}
	if err := c.against.prepare(cmd); err != nil {
		return err
	}
	out := newScanPrinter(cmd, c.output, c.verbose)
	worst := int32(0)
	for result := range c.all(cmd, targets) {
		for _, f := range result.Findings {
			worst = max(worst, severityRank(f.Severity))
		}
		if err := out.write(result); err != nil {
			return failed(err)
		}
	}
	if err := out.close(); err != nil {
		return failed(err)
	}
	if cmd.Context().Err() != nil {
		return failed(errors.New("the scan was interrupted"))
	}
	if threshold > 0 && worst >= threshold {
		return &exitError{code: exitFindings}
	}
	return nil
}

// Bounds of a file of targets.
const (
	maxTargets     = 100_000
	maxTargetsFile = 16 << 20
)

// named are the targets of the command line and of --targets.
func (c *scanCommand) named(cmd *cobra.Command, args []string) ([]string, error) {
	var targets []string
	add := func(text string) error {
		t, err := c.withPort(text)
		if err == nil {
			targets = append(targets, t)
		}
		return err
	}
	for _, arg := range args {
		if err := add(arg); err != nil {
			return nil, err
		}
	}
	if c.targets != "" {
		var in io.Reader = cmd.InOrStdin()
		if c.targets != "-" {
			f, err := os.Open(c.targets)
			if err != nil {
				return nil, fmt.Errorf("--targets: %w", err)
			}
			defer f.Close()
			in = f
		}
		lines := bufio.NewScanner(io.LimitReader(in, maxTargetsFile))
		for n := 1; lines.Scan(); n++ {
			line, _, _ := strings.Cut(lines.Text(), "#")
			words := strings.Fields(line)
			if len(words) == 0 {
				continue
			}
			if len(words) > 1 {
				return nil, fmt.Errorf("%s:%d: there is more than one target in the line", c.targets, n)
			}
			if err := add(words[0]); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", c.targets, n, err)
			}
			if len(targets) > maxTargets {
				return nil, fmt.Errorf("%s: more than %d targets", c.targets, maxTargets)
			}
		}
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("%s: %w", c.targets, err)
		}
	}
	if len(targets) == 0 {
		return nil, errors.New("scan needs HOST[:PORT], or --targets FILE")
	}
	return targets, nil
}

// ports are those that belong to a protocol, where none is said.
func (c *scanCommand) port() string {
	ports := map[string]string{
		"smtp": "25", "lmtp": "24", "imap": "143", "pop3": "110", "ftp": "21", "nntp": "119", "sieve": "4190", "ldap": "389", "xmpp": "5222", "xmpp-server": "5269",
		"postgres": "5432", "mysql": "3306", "rdp": "3389",
	}
	return cmp.Or(ports[c.starttls], "443")
}

// withPort reads HOST, HOST:PORT, an address with or without brackets, or an https URL.
func (c *scanCommand) withPort(text string) (string, error) {
	t := strings.TrimPrefix(text, "https://")
	if t != text {
		t, _, _ = strings.Cut(t, "/")
	}
	if ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(t, "["), "]")); err == nil && !strings.ContainsAny(ip.Zone(), "/ [],@") {
		return net.JoinHostPort(ip.String(), c.port()), nil
	}
	host, port, err := net.SplitHostPort(t)
	if err != nil {
		host, port = t, c.port()
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("%s: %q is no port", text, port)
	}
	if host == "" || strings.ContainsAny(host, "/ [],@") || strings.Contains(host, ":") && !isAddress(host) {
		return "", fmt.Errorf("%s: that is not HOST:PORT", text)
	}
	return net.JoinHostPort(host, port), nil
}

// prepare reads what the flags name.
func (c *scanCommand) prepare() error {
	c.judge = &diagnose.Diagnoser{Alone: true}
	var err error
	if c.ca != "" {
		if c.judge.Roots, c.judge.KnownCAs, err = certs.LoadCABundle(c.ca); err != nil {
			return err
		}
	}
	if c.at != "" {
		if c.when, err = time.Parse(time.RFC3339, c.at); err != nil {
			return fmt.Errorf("--at: %q is no time like 2027-01-31T00:00:00Z", c.at)
		}
		c.judge.Now = c.when
	}
	if c.concurrency < 0 || c.changed("concurrency") && c.concurrency == 0 {
		return fmt.Errorf("--concurrency: %d is no number of connections", c.concurrency)
	}
	if c.connections < 0 || c.changed("max-connections") && c.connections == 0 {
		return fmt.Errorf("--max-connections: %d is no number of connections", c.connections)
	}
	if c.changed("sni") && c.sni == "" {
		return errors.New("--sni: the name is empty; --no-sni sends none")
	}
	for _, protocol := range c.alpn {
		if len(protocol) == 0 || len(protocol) > 255 { // opaque ProtocolName<1..2^8-1> (RFC 7301, Section 3.1)
			return fmt.Errorf("--alpn: %.20q has %d bytes; a protocol's name has 1 to 255", protocol, len(protocol))
		}
	}
	if c.timeout <= 0 {
		return fmt.Errorf("--timeout: %v is no time to wait", c.timeout)
	}
	if c.noSNI && c.sni != "" {
		return errors.New("--sni and --no-sni exclude each other")
	}
	if c.sni, err = serverNameFlag("--sni", c.sni); err != nil {
		return err
	}
	c.target = scan.Target{ALPN: c.alpn, NoRequest: c.noRequest}
	if c.starttls != "" {
		if c.target.Endpoint.StartTLS = probe.StartTLS(c.starttls); !slices.Contains(probe.StartTLSProtocols(), c.target.Endpoint.StartTLS) {
			return fmt.Errorf("--starttls: %q is none of %v", c.starttls, probe.StartTLSProtocols())
		}
	}
	switch c.proxy {
	case "":
	case "v1", "v2":
		c.target.Endpoint.Proxy = &probe.ProxyHeader{Version: int(c.proxy[1] - '0')}
	default:
		return fmt.Errorf("--proxy-protocol: %q is neither v1 nor v2", c.proxy)
	}
	if c.target.Endpoint.QUIC = c.quic; c.quic && (c.starttls != "" || c.proxy != "") {
		return errors.New("--quic goes with neither --starttls nor --proxy-protocol")
	}
	if c.certFile != "" {
		pair, err := tls.LoadX509KeyPair(c.certFile, cmp.Or(c.keyFile, c.certFile))
		if err != nil {
			return fmt.Errorf("--client-cert: %w", err)
		}
		c.target.Certificate = &pair
	} else if c.keyFile != "" {
		return errors.New("--client-key needs --client-cert")
	}
	c.scanner = &scan.Scanner{
		Client:      &probe.Client{Source: inspect.SourceScan, Describer: &inspect.Describer{}, Timeouts: probe.Timeouts{Dial: c.timeout, Preface: c.timeout, Answer: c.timeout}},
		Concurrency: c.concurrency, MaxConnections: c.connections,
	}
	if c.gentle {
		c.scanner.Concurrency, c.scanner.Interval = 1, 250*time.Millisecond
	}
	c.chainJudge.timeout = c.timeout
	return c.open(c.revocation, c.revocationHosts)
}

// targetsAtTheTime is how many targets are scanned at the same time.
const targetsAtTheTime = 8

// all scans the targets, several at a time, and yields the results in the order of the targets.
func (c *scanCommand) all(cmd *cobra.Command, targets []string) func(yield func(*scanned) bool) {
	return func(yield func(*scanned) bool) {
		ctx, cancel := context.WithCancel(cmd.Context())
		defer cancel()
		line := newScanProgress(cmd.ErrOrStderr(), len(targets))
		c.scanner.Progress = line.connected
		results := make([]chan *scanned, len(targets))
		slots := make(chan struct{}, targetsAtTheTime)
		if c.gentle {
			slots = make(chan struct{}, 1)
		}
		for i := range results {
			results[i] = make(chan *scanned, 1)
		}
		var workers sync.WaitGroup
		workers.Go(func() {
			for i, target := range targets {
				select {
				case slots <- struct{}{}:
				case <-ctx.Done():
					return
				}
				workers.Go(func() {
					defer func() { <-slots }()
					results[i] <- c.one(ctx, target)
				})
			}
		})
		defer workers.Wait()
		defer cancel()
		for _, result := range results {
			select {
			case r := <-result:
				line.done(r)
				if !yield(r) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}
