package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/configs"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
	"github.com/tlstriage/tlstriage/inspect/diagnose"
	"github.com/tlstriage/tlstriage/inspect/keylog"
	"github.com/tlstriage/tlstriage/inspect/policy/importer"
	"github.com/tlstriage/tlstriage/inspect/report"
)

// pcapCommand is one run of `tlstriage pcap`.
type pcapCommand struct {
	iface, policy, keylog, ca, output, failOn, write string
	sni, since                                       string
	client                                           string
	failed, refused, follow, verbose, noSecrets      bool
	ports                                            []uint16 // of --tls-port
	morePorts                                        []uint

	policies endpointPolicies
	judges   []*diagnose.Diagnoser // one for each of the policies, or just one
	network  netip.Prefix          // of --client; invalid: all
	after    time.Time             // of --since; zero: all
	out      printer
	buffered *bufio.Writer        // in front of stdout; nil: none
	told     map[string]time.Time // text: what was explained, and of which connection
	key      []byte               // in it, of the connection at hand
	summary  captureSummary
	cut      *capture.Writer // of --write; nil: none
	cutFile  *os.File
	cutError error
	opened   int // connections in it whose session keys are in it, too
	worst    int32
}

func newPcap() *cobra.Command {
	p := &pcapCommand{}
	cmd := &cobra.Command{
		Use:   "pcap FILE...",
		Short: "Explain the handshakes in a capture, or on a network interface",
		Long: `Reads captures (pcap and pcapng, also compressed; - is standard input) or a network interface, and says of every TLS, DTLS and
QUIC connection in them what the proxy would say: what the client offered, what a policy would have made of it, how the
handshake went, whose fault it was and what to change. Nothing is intercepted, and nothing needs a key; with the session keys
(--keylog, or secrets in a pcapng) certificates and alerts of TLS 1.3 are read, too.

TLS is found by its bytes on any port, behind STARTTLS, proxies and tunnels.`,
		Example: `  tlstriage pcap edge.pcapng
  tlstriage pcap monday.pcap.gz tuesday.pcap.gz --failed --sni '*.example.com'
  tlstriage pcap edge.pcap --policy aws/ELBSecurityPolicy-TLS13-1-2-2021-06 -o json
  tcpdump -i eth0 -U -w - 'tcp port 443' | tlstriage pcap -
  sudo tlstriage pcap -i eth0
  tlstriage pcap edge.pcap --failed --write handshakes.pcapng   # for a colleague with Wireshark`,
		RunE: func(cmd *cobra.Command, args []string) error { return p.run(cmd, args) },
	}
	cmd.Flags().StringVarP(&p.iface, "interface", "i", "", "read the network interface `IFACE` (Linux, needs CAP_NET_RAW)")
	cmd.Flags().StringVar(&p.policy, "policy", "", "policy `REF` that hellos are held against")
	cmd.Flags().StringVar(&p.keylog, "keylog", "", "`FILE` with session keys (SSLKEYLOGFILE)")
	cmd.Flags().StringVar(&p.ca, "ca", "", "`FILE` with the roots to judge chains by; default: the system's")
	cmd.Flags().StringVar(&p.sni, "sni", "", "only connections whose client asks for this `NAME`; * stands for anything, ? for one letter, [ab] for one of these")
	cmd.Flags().StringVar(&p.client, "client", "", "only connections of this client: an address or a `NETWORK`")
	cmd.Flags().BoolVar(&p.failed, "failed", false, "only connections that failed, not those that --policy alone would refuse")
	cmd.Flags().BoolVar(&p.refused, "refused", false, "only connections that --policy would refuse")
	cmd.Flags().UintSliceVar(&p.morePorts, "tls-port", nil, "`PORT`s where TLS is expected, beside the usual ones: what fails there before the first byte of TLS is told, too")
	cmd.Flags().StringVar(&p.since, "since", "", "only connections that began after `TIME` (RFC 3339, or a duration before now)")
	cmd.Flags().BoolVar(&p.follow, "follow", false, "go on reading the last file as it grows")
	cmd.Flags().StringVar(&p.write, "write", "", "cut the handshakes of the connections that are shown into `FILE` (pcapng), with what opens them of --keylog and of the capture's secrets")
	cmd.Flags().BoolVar(&p.noSecrets, "no-secrets", false, "with --write: put no session keys into FILE")
	cmd.Flags().StringVar(&p.failOn, "fail-on", string(inspect.SeverityError), "`error|warning|info|never`: severity from which findings make the exit code 1")
	cmd.Flags().BoolVarP(&p.verbose, "verbose", "v", false, "list good connections and noise, too, and say everything")
	outputFlag(cmd, &p.output)
	cmd.Flags().SortFlags = false
	return cmd
}

func (p *pcapCommand) run(cmd *cobra.Command, args []string) error {
	if (len(args) == 0) == (p.iface == "") {
		return usage(errors.New("pcap reads files or, with -i, an interface"))
	}
	if err := p.prepare(cmd); err != nil {
		return usage(err)
	}
	defer tuneReading()()
	threshold := severityRank(inspect.Severity(p.failOn))
	options, err := p.options(args)
	if err == nil {
		err = p.openCut()
	}
	if err != nil {
		return usage(err)
	}
	if p.keylog != "" && !bringsSecrets(options.KeyLog) {
		fmt.Fprintf(cmd.ErrOrStderr(), "tlstriage: --keylog: %s has no line with a session key in it\n", shown(p.keylog))
	}
	if p.cut != nil {
		options.OnPackets = p.cutOut
		if !p.noSecrets {
			options.OnSecrets = p.cutSecrets
		}
	}
	if p.iface == "" && !p.follow && !slices.Contains(args, "-") && terminalWidth(cmd.OutOrStdout()) == 0 {
		p.buffered = bufio.NewWriterSize(cmd.OutOrStdout(), 64<<10)
	}
	p.out = newPrinter(configs.Output(p.output), configs.RawAll, p.verbose, p.stdout(cmd))
	stats, err := p.read(cmd, args, options)
	if closed := p.close(); err == nil && closed != nil {
		err = failed(closed)
	}
	if p.output == "text" {
		fmt.Fprint(cmd.OutOrStdout(), p.summary.text(stats))
	}
	fmt.Fprint(cmd.ErrOrStderr(), printable(strangeTraffic(stats)))
	if p.opened > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "tlstriage: %s holds what opens the handshakes of %s: whoever has it can read them, and before TLS 1.3 what follows them in it\n",
			shown(p.write), many(uint64(p.opened), "connection"))
	}
	if err != nil {
		return err
	}
	if threshold > 0 && p.worst >= threshold {
		return &exitError{code: exitFindings}
	}
	return nil
}

// prepare reads what the flags name.
func (p *pcapCommand) prepare(cmd *cobra.Command) error {
	if p.output != "text" && p.output != "json" {
		return fmt.Errorf("--output: %q is neither text nor json", p.output)
	}
	if severityRank(inspect.Severity(p.failOn)) == 0 && p.failOn != string(configs.FailOnNever) {
		return fmt.Errorf("--fail-on: %q is none of error, warning, info and never", p.failOn)
	}
	judge := &diagnose.Diagnoser{}
	if p.policy != "" {
		loaded, err := importer.LoadListener(newUserFiles(cmd), p.policy)
		if err != nil {
			return err
		}
		tellProblems(cmd, loaded)
		judge.Policy, p.policies = loaded.Policy, policiesOf(loaded)
	}
	if p.ca != "" {
		var err error
		if judge.Roots, judge.KnownCAs, err = certs.LoadCABundle(p.ca); err != nil {
			return err
		}
	}
	p.judges = []*diagnose.Diagnoser{judge}
	if p.policies.choose != nil {
		p.judges = nil
		for _, block := range p.policies.all {
			own := judge.Knowing()
			own.Policy = block
			p.judges = append(p.judges, own)
		}
	}
	if p.refused && p.policy == "" {
		return errors.New("--refused needs --policy")
	}
	if p.noSecrets && p.write == "" {
		return errors.New("--no-secrets needs --write")
	}
	for _, port := range p.morePorts {
		if port == 0 || port > 65535 {
			return fmt.Errorf("--tls-port: %d is no port", port)
		}
		p.ports = append(p.ports, uint16(port))
	}
	if p.client != "" {
		var err error
		if p.network, err = parseNetwork(p.client); err != nil {
			return fmt.Errorf("--client: %w", err)
		}
	}
	if p.sni != "" {
		if _, err := path.Match(namePattern(p.sni), ""); err != nil {
			return fmt.Errorf("--sni: %q is no pattern", p.sni)
		}
	}
	if p.since != "" {
		if ago, err := time.ParseDuration(p.since); err == nil {
			if ago < 0 {
				return fmt.Errorf("--since: %s is in the future: a duration is so long before now", p.since)
			}
			p.after = time.Now().Add(-ago)
		} else if p.after, err = time.Parse(time.RFC3339, p.since); err != nil {
			return fmt.Errorf("--since: %q is neither a time like 2027-01-31T00:00:00Z nor a duration like 2h", p.since)
		}
	}
	return nil
}

// parseNetwork reads a network, or an address as one of its own. Addresses of IPv4 in the form of IPv6 are of IPv4.
func parseNetwork(s string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		address, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a network", s)
		}
		address = address.Unmap().WithZone("")
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	const mapped = 96
	if prefix.Addr().Is4In6() && prefix.Bits() >= mapped {
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-mapped)
	}
	return prefix.Masked(), nil
}

// stdout is where records go: behind a buffer when nobody waits for the next one.
func (p *pcapCommand) stdout(cmd *cobra.Command) io.Writer {
	if p.buffered != nil {
		return p.buffered
	}
	return cmd.OutOrStdout()
}

// bringsSecrets reports whether a file of session keys has one at least.
func bringsSecrets(b []byte) bool {
	var s keylog.Store
	for line := range bytes.Lines(b) {
		if _ = s.Add(line); s.Stats().Secrets > 0 {
			return true
		}
	}
	return false
}

// The most that is read of a file of session keys.
const maxKeyLog = 64 << 20

func (p *pcapCommand) options(args []string) (capture.Options, error) {
	o := capture.Options{OnConnection: p.observe, Salt: "pcap"}
	if len(p.ports) > 0 {
		o.Ports = append(capture.DefaultPorts(), p.ports...)
	}
	if p.follow || slices.Contains(args, "-") { // somebody may be looking on
		o.Limits.Wait = capture.LiveWait
	}
	if p.keylog != "" {
		var err error
		if o.KeyLog, err = readBounded(p.keylog, maxKeyLog); err != nil {
			return o, err
		}
	}
	return o, nil
}

func (p *pcapCommand) read(cmd *cobra.Command, args []string, o capture.Options) (capture.Stats, error) {
	ctx := cmd.Context()
	if p.iface != "" {
		stats, err := capture.Live(ctx, p.iface, o)
		if errors.Is(err, context.Canceled) {
			err = nil // it was asked to end
		}
		if err != nil && p.iface != "any" && !errors.Is(err, capture.ErrLiveUnsupported) {
			if _, unknown := net.InterfaceByName(p.iface); unknown != nil && stats.Packets == 0 {
				return stats, usage(err) // as a file that is not there
			}
		}
		if err != nil {
			return stats, failed(err)
		}
		return stats, nil
	}
	tracker := capture.New(o)
	var broken []error
	var missing error
	for i, name := range args {
		read := tracker.Read
		switch {
		case name == "-" && !regular(cmd.InOrStdin()):
			read = tracker.ReadPipe // its end is the end, --follow or not
		case p.follow && i == len(args)-1:
			read = tracker.Follow
		}
		if err := p.file(cmd, name, read); err != nil {
			var usageError *exitError
			if errors.As(err, &usageError) {
				missing = errors.Join(missing, err)
				continue
			}
			if errors.Is(err, context.Canceled) {
				break
			}
			broken = append(broken, err) // what could be read was said; the next file may be sound
		}
	}
	stats := tracker.Close()
	if missing != nil {
		return stats, usage(errors.Join(append(broken, missing)...))
	}
	if unknown := refusedPackets(stats); unknown > 0 && unknown == stats.Packets {
		broken = append(broken, errNothingRead)
	}
	if err := errors.Join(broken...); err != nil {
		return stats, failed(err)
	}
	return stats, nil
}

// regular reports whether a reader is a file that never lets anybody wait.
func regular(r io.Reader) bool {
	f, ok := r.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}

var errNothingRead = errors.New("no packet could be read: all are of link types that are not read here")

// refusedPackets is how many packets are of link types that are not read.
func refusedPackets(stats capture.Stats) (n uint64) {
	for _, packets := range stats.Refused {
		n += packets
	}
	return n
}

func (p *pcapCommand) file(cmd *cobra.Command, name string, read func(context.Context, io.Reader, string) error) error {
	if name == "-" {
		return read(cmd.Context(), cmd.InOrStdin(), "standard input")
	}
	f, err := os.Open(name)
	if err != nil {
		return usage(err)
	}
	defer f.Close()
	progress := newProgress(cmd.ErrOrStderr(), f, name)
	defer progress.end()
	return read(cmd.Context(), progress, name)
}

// judge is who judges a record: of a whole listener the block that the server name selects.
func (p *pcapCommand) judge(c *inspect.Connection) *diagnose.Diagnoser {
	name := ""
	if leg := c.ClientLeg; leg != nil && leg.TLS != nil && leg.TLS.Client != nil {
		name = leg.TLS.Client.ServerName
	}
	return p.judges[p.policies.index(name)]
}

// observe judges a record and shows it, where it is wanted.
func (p *pcapCommand) observe(c *inspect.Connection) {
	p.judge(c).Diagnose(c)
	if !p.wanted(c) {
		return
	}
	p.summary.add(c)
	for _, f := range c.Findings {
		p.worst = max(p.worst, severityRank(f.Severity))
	}
	if p.output == "text" && !p.verbose && c.Verdict == inspect.OK {
		return // counted in the summary
	}
	if p.output == "text" && !p.verbose {
		c = p.brief(c)
	}
	_ = p.out.Write(c) // who reads it may have gone
}

// The most explanations that are remembered.
const maxTold = 1 << 14

// brief leaves the explanation out of a record when the same was explained before: the same findings at the same server. What
// happened, to whom and when, stays.
func (p *pcapCommand) brief(c *inspect.Connection) *inspect.Connection {
	if c.Fault == inspect.FaultNoise || len(c.Findings) == 0 {
		return c
	}
	key := append(p.key[:0], server(c)...)
	if leg := c.ClientLeg; c.Fault == inspect.FaultClient && leg != nil && leg.TLS != nil && leg.TLS.Client != nil {
		key = append(append(key, ' '), leg.TLS.Client.Shape...) // each kind of client has its own
	}
	for i := range c.Findings {
		key = append(append(key, ' '), c.Findings[i].ID...)
	}
	p.key = key
	at, explained := p.told[string(key)]
	if !explained {
		if p.told == nil {
			p.told = map[string]time.Time{}
		}
		if len(p.told) < maxTold {
			p.told[string(key)] = c.Timestamp
		}
		return c
	}
	short := *c
	short.Findings = nil
	short.Cause += ", as at " + at.Format(time.TimeOnly)
	return &short
}

// wanted reports whether a record passes the filters.
func (p *pcapCommand) wanted(c *inspect.Connection) bool {
	if p.failed && (c.Verdict != inspect.Failed || report.OnPaper(c)) {
		return false
	}
	if p.refused && (c.Policy == nil || c.Policy.Accepted) {
		return false
	}
	if !p.after.IsZero() && c.Timestamp.Before(p.after) {
		return false
	}
	if p.network.IsValid() {
		address, err := netip.ParseAddr(c.Client.Address)
		if err != nil || !p.network.Contains(address.Unmap()) {
			return false
		}
	}
	if p.sni != "" {
		name := ""
		if c.ClientLeg != nil && c.ClientLeg.TLS != nil && c.ClientLeg.TLS.Client != nil {
			name = c.ClientLeg.TLS.Client.ServerName
		}
		if !matchName(p.sni, name) {
			return false
		}
	}
	return true
}

// matchName reports whether a name fits a pattern, in which * stands for anything, ? for one letter and [...] for one of several.
func matchName(pattern, name string) bool {
	ok, _ := path.Match(namePattern(pattern), namePattern(name))
	return ok
}

// namePattern puts a name or a pattern of names into a form in which path.Match has nothing to say about slashes.
func namePattern(s string) string { return strings.ReplaceAll(strings.ToLower(s), "/", "\x00") }

func (p *pcapCommand) close() error {
	err := p.out.Close()
	if p.buffered != nil {
		err = errors.Join(err, p.buffered.Flush())
	}
	if errors.Is(err, syscall.EPIPE) {
		err = nil
	}
	return errors.Join(err, p.closeCut())
}
