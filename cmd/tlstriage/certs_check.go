package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"golang.org/x/net/idna"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/certs/revocation"
	"github.com/tlstriage/tlstriage/configs"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/diagnose"
	"github.com/tlstriage/tlstriage/inspect/report"
	"github.com/tlstriage/tlstriage/proxy"
)

// checkedTarget is what `certs check` found of one target.
type checkedTarget struct {
	Target    string                `json:"target"`
	Verdict   inspect.Verdict       `json:"verdict"`
	Cause     string                `json:"cause,omitempty"`
	Fault     inspect.Fault         `json:"fault,omitempty"`
	Findings  []inspect.Finding     `json:"findings"`
	Chain     []inspect.Certificate `json:"certificate_chain"`
	Sent      int                   `json:"certificates_sent,omitempty"` // how many there are, where Chain holds the first of them only
	Name      string                `json:"name,omitempty"`              // that the certificate was held against
	Addresses []checkedAddress      `json:"addresses,omitempty"`

	record *inspect.Connection
}

// checkedAddress is one address of a target that has several.
type checkedAddress struct {
	Address     string          `json:"address"`
	Verdict     inspect.Verdict `json:"verdict"`
	Cause       string          `json:"cause,omitempty"`
	Fingerprint string          `json:"sha256,omitempty"`  // of the leaf
	Differs     string          `json:"differs,omitempty"` // how, where most addresses serve another leaf
}

// certsCheck is one run of `certs check`.
type certsCheck struct {
	name, ca, at, revocation, failOn, output string
	ctLogs, passwordFile                     string
	revocationHosts                          []string
	verbose                                  bool

	chainJudge
	eye       *proxy.Server
	resolve   func(ctx context.Context, host string) ([]string, error)
	passwords []string // of key stores and encrypted keys
}

func newCertsCheck() *cobra.Command {
	c := &certsCheck{}
	cmd := &cobra.Command{
		Use:   "check HOST:PORT|FILE|-...",
		Short: "Say everything that is wrong with a certificate chain",
		Long: `Examines the chain that an endpoint presents (every address of its name), or that stands in a file as a server would send it:
expiry, names, order, missing and unrelated certificates, trust, usage, strength, malformed fields, transparency, revocation;
every fault at once, the cause first, and which clients would refuse it.

Exit code 1 when a finding is at or above --fail-on.`,
		Example: `  tlstriage certs check www.example.com:443
  tlstriage certs check 10.0.0.5:8443 --name app.internal --ca corporate-root.pem
  tlstriage certs check fullchain.pem --name www.example.com --at 2027-01-01T00:00:00Z
  tlstriage certs check www.example.com:443 --revocation check -o json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd, args) },
	}
	cmd.Flags().StringVar(&c.name, "name", "", "the `NAME` to ask for and to hold the certificate against; default: the host")
	cmd.Flags().StringVar(&c.ca, "ca", "", "`FILE` with the roots to trust; default: the system's")
	cmd.Flags().StringVar(&c.at, "at", "", "judge as of this `TIME` (RFC 3339); default: now")
	cmd.Flags().StringVar(&c.revocation, "revocation", string(revocation.Off), "`off|staple|check|require`: how far revocation is looked into")
	cmd.Flags().StringSliceVar(&c.revocationHosts, "revocation-host", nil, "`HOST` (host:port, address, network) that may be asked although it is not public")
	cmd.Flags().StringVar(&c.ctLogs, "ct-logs", "", "`FILE` with the logs of certificate transparency (log_list.json, version 3), to verify timestamps by")
	cmd.Flags().BoolVar(&c.fetch, "fetch-intermediates", false, "fetch an intermediate that lacks, to say what to send instead")
	cmd.Flags().StringVar(&c.passwordFile, "password-file", "", "`FILE` with the passwords of key stores, one a line")
	cmd.Flags().DurationVar(&c.timeout, "timeout", 10*time.Second, "`TIME` for each address, and again for what is asked about its revocation, and for what is fetched")
	cmd.Flags().StringVar(&c.failOn, "fail-on", string(inspect.SeverityError), "`error|warning|info|never`: severity from which findings make the exit code 1")
	cmd.Flags().BoolVarP(&c.verbose, "verbose", "v", false, "say all of every finding, with all fixes")
	outputFlag(cmd, &c.output)
	cmd.Flags().SortFlags = false
	return cmd
}

func (c *certsCheck) run(cmd *cobra.Command, args []string) error {
	if c.output != "text" && c.output != "json" {
		return usage(fmt.Errorf("--output: %q is neither text nor json", c.output))
	}
	threshold := severityRank(inspect.Severity(c.failOn))
	if threshold == 0 && c.failOn != string(configs.FailOnNever) {
		return usage(fmt.Errorf("--fail-on: %q is none of error, warning, info and never", c.failOn))
	}
	if c.timeout <= 0 {
		return usage(fmt.Errorf("--timeout: %v is no time to wait", c.timeout))
	}
	var err error
	if c.name, err = certificateName(c.name); err != nil {
		return usage(err)
	}
	if err := c.prepare(); err != nil {
		return usage(err)
	}
	defer c.close()
	worst := int32(0)
	for _, target := range args {
		checked, err := c.check(cmd, target)
		if err != nil {
			return err
		}
		for _, f := range checked.Findings {
			worst = max(worst, severityRank(f.Severity))
		}
		if c.output == "json" {
			err = write(cmd, "json", checked, nil)
		} else {
			err = c.print(cmd, checked)
		}
		if err != nil {
			return failed(err)
		}
	}
	if threshold > 0 && worst >= threshold {
		return &exitError{code: exitFindings}
	}
	return nil
}

// The most that is read of a list of logs.
const maxLogList = 16 << 20

// prepare reads what the flags name.
func (c *certsCheck) prepare() error {
	c.judge = &diagnose.Diagnoser{Alone: true}
	if c.resolve == nil {
		c.resolve = net.DefaultResolver.LookupHost
	}
	c.eye = &proxy.Server{Log: zap.NewNop(), Limits: proxy.Limits{Timeouts: proxy.Timeouts{Dial: c.timeout, BackendHandshake: c.timeout}}}
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
	if c.passwords, err = readPasswords(c.passwordFile); err != nil {
		return err
	}
	if c.ctLogs != "" {
		data, err := readBounded(c.ctLogs, maxLogList)
		if err != nil {
			return err
		}
		if c.judge.Logs, err = chain.ParseLogList(data); err != nil {
			return fmt.Errorf("%s: %w", c.ctLogs, err)
		}
	}
	return c.open(c.revocation, c.revocationHosts)
}

// check examines one target: a file where there is one of that name, "-" for standard input, else an endpoint.
func (c *certsCheck) check(cmd *cobra.Command, target string) (*checkedTarget, error) {
	ctx := cmd.Context()
	info, missing := os.Stat(target)
	if target == "-" || missing == nil {
		if missing == nil && info.IsDir() {
			return nil, usage(fmt.Errorf("%s is a directory", target))
		}
		file, err := c.file(cmd, target)
		if err != nil {
			return nil, err
		}
		c.look(ctx, file.record)
		file.judge()
		return view(target, c.name, file.record), nil
	}
	host, port, err := net.SplitHostPort(target)
	if err != nil && !errors.Is(missing, fs.ErrNotExist) {
		return nil, usage(missing) // it is there, and cannot be read
	}
	if err != nil {
		return nil, usage(fmt.Errorf("%s: there is no such file, and HOST:PORT it is not either", target))
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return nil, usage(fmt.Errorf("%s: %q is no port", target, port))
	}
	name := cmp.Or(c.name, asciiName(host))
	records := c.endpoint(ctx, target, name)
	worst := slices.MaxFunc(records, func(a, b *inspect.Connection) int { return verdictRank(a.Verdict) - verdictRank(b.Verdict) })
	checked := view(target, name, worst)
	if len(records) > 1 {
		for _, r := range records {
			checked.Addresses = append(checked.Addresses, viewAddress(r))
		}
		compare(checked.Addresses)
	}
	return checked, nil
}

// compare says which addresses serve another leaf than the most of those that serve one.
func compare(addresses []checkedAddress) {
	count := map[string]int{}
	serving, most := 0, ""
	for _, a := range addresses {
		if a.Fingerprint == "" {
			continue
		}
		serving++
		if count[a.Fingerprint]++; count[a.Fingerprint] > count[most] {
			most = a.Fingerprint
		}
	}
	for i := range addresses {
		if a := &addresses[i]; a.Fingerprint != "" && a.Fingerprint != most {
			a.Differs = fmt.Sprintf("another certificate than %d of %d addresses", count[most], serving)
		}
	}
}

// certificateName is a name given on the command line as it stands in certificates.
func certificateName(name string) (string, error) {
	if strings.ContainsAny(name, ":/ ") && net.ParseIP(name) == nil {
		return "", fmt.Errorf("--name: %q is no host name", name)
	}
	return asciiName(name), nil
}

// asciiName is a name as it stands in certificates and on the wire: labels that are not ASCII are A-labels there (RFC 5890). One that has
// no such form stays as it is.
func asciiName(name string) string {
	if ascii, err := idna.Lookup.ToASCII(name); err == nil && ascii != "" && net.ParseIP(name) == nil {
		return ascii
	}
	return name
}

func verdictRank(v inspect.Verdict) int {
	switch v {
	case inspect.Failed:
		return 2
	case inspect.Warning:
		return 1
	}
	return 0
}

// The most addresses of one name that are looked at, and how many at a time: one that does not answer is waited for.
const (
	maxAddresses = 16
	lookedAtOnce = 4
)

// endpoint looks at every address of an endpoint, and judges what it shows.
func (c *certsCheck) endpoint(ctx context.Context, target, name string) []*inspect.Connection {
	host, port, _ := net.SplitHostPort(target)
	backend := &proxy.Backend{Address: target, ServerName: name}
	addresses := []string{""} // whatever the dialer finds: it says itself what is wrong with a name
	if net.ParseIP(host) == nil {
		resolve, cancel := context.WithTimeout(ctx, c.timeout)
		found, err := c.resolve(resolve, host)
		cancel()
		if err == nil && len(found) > 1 {
			addresses = nil
			for _, ip := range found[:min(len(found), maxAddresses)] {
				addresses = append(addresses, net.JoinHostPort(ip, port))
			}
		}
	}
	records := make([]*inspect.Connection, len(addresses))
	slots := make(chan struct{}, lookedAtOnce)
	var looking sync.WaitGroup
	for i, address := range addresses {
		slots <- struct{}{}
		looking.Go(func() {
			defer func() { <-slots }()
			records[i] = c.eye.CheckAddress(ctx, backend, address, name, []string{"h2", "http/1.1"})
			c.look(ctx, records[i])
		})
	}
	looking.Wait()
	return records
}

func view(target, name string, r *inspect.Connection) *checkedTarget {
	v := &checkedTarget{Target: target, Name: name, Verdict: r.Verdict, Cause: r.Cause, Fault: r.Fault, Findings: r.Findings, Chain: []inspect.Certificate{}, record: r}
	if v.Findings == nil {
		v.Findings = []inspect.Finding{}
	}
	if t := r.BackendLeg.TLS; t != nil && t.Server != nil && t.Server.CertificateChain != nil {
		v.Chain, v.Sent = t.Server.CertificateChain, t.Server.CertificatesSent
	}
	return v
}

func viewAddress(r *inspect.Connection) checkedAddress {
	a := checkedAddress{Address: net.JoinHostPort(r.BackendLeg.Address, fmt.Sprint(r.BackendLeg.Port)), Verdict: r.Verdict, Cause: r.Cause}
	if t := r.BackendLeg.TLS; t != nil && t.Server != nil && len(t.Server.CertificateChain) > 0 {
		a.Fingerprint = t.Server.CertificateChain[0].Hash.SHA256
	}
	return a
}

// print writes the chain as it was presented, then what is wrong with it.
func (c *certsCheck) print(cmd *cobra.Command, v *checkedTarget) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s", shown(v.Target), v.Verdict)
	if v.Cause != "" {
		fmt.Fprintf(&b, "  %s", v.Cause)
	}
	b.WriteString("\n")
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	for i, x := range v.Chain {
		until := "?"
		if !x.NotAfter.IsZero() {
			until = x.NotAfter.UTC().Format(time.DateOnly)
		}
		names := strings.Join(x.AlternativeNames[:min(len(x.AlternativeNames), 5)], " ")
		if more := len(x.AlternativeNames) - 5; more > 0 {
			names += fmt.Sprintf(" and %d more", more)
		}
		fmt.Fprintf(w, "  %d\t%s\t%s %d\tuntil %s\t%s\n", i, shown(x.Subject), x.PublicKeyAlgorithm, x.PublicKeySize, until, shown(names))
	}
	if more := v.Sent - len(v.Chain); more > 0 {
		fmt.Fprintf(w, "  and %d more, which were not looked at\n", more)
	}
	for _, a := range v.Addresses {
		fmt.Fprintf(w, "  at %s\t%s %s\t\t%.16s\t%s\n", a.Address, a.Verdict, a.Cause, a.Fingerprint, a.Differs)
	}
	_ = w.Flush() // into memory
	if _, err := fmt.Fprint(cmd.OutOrStdout(), printable(b.String())); err != nil {
		return err
	}
	if len(v.Findings) == 0 {
		return nil
	}
	out := cmd.OutOrStdout()
	return report.NewText(out, report.Options{Color: colored(out), Width: terminalWidth(out), Verbose: c.verbose, Alone: true}).Write(v.record)
}
