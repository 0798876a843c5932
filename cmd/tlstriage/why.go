package main

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/why"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// whyCommand is one run of `tlstriage why`.
type whyCommand struct {
	to, sni, starttls, proxyProtocol string
	transport                        string
	certFile, keyFile                string
	output                           string
	most                             int
	timeout                          time.Duration
	hello                            whyHello
}

func newWhy() *cobra.Command {
	w := &whyCommand{}
	cmd := &cobra.Command{
		Use:   "why --to HOST:PORT --hello FILE|--from FILE --id ID|--client NAME|--as NAME",
		Short: "Find out by experiment why an endpoint does not accept a ClientHello",
		Long: `Sends a hello that fails to the endpoint that refuses it, looks for one that the endpoint accepts, and changes the second into
the first, one property after the other: server name, versions, cipher suites, groups, key shares, signature schemes, ALPN, every
extension, size, TLS records and TCP segments, the record's version, the PROXY protocol, the client certificate. Where the endpoint
stops going along is a cause. Limits on size are found to the byte; several causes at once are all found; what cannot be told
is said to be undetermined. Nothing is believed that does not happen again.

The hello is sent raw, with a fresh random and fresh key shares of the same groups; tickets and pre-shared keys of sessions
that are gone are left out. The name that it asks for stays, unless --sni says another one. A client of the gallery (--client, --as)
asks for the host of --to, or for --sni, if it sends a name at all.

Exit codes: 0 when the endpoint accepts the hello, 1 when it does not, 2 for what cannot be asked, 3 when the experiment was
interrupted.`,
		Example: `  tlstriage why --to api.example.com:443 --hello hello.hex
  tlstriage why --to 10.0.0.5:8443 --sni api.example.com --client java7
  tlstriage why --to 10.0.0.5:8443 --as nginx
  tlstriage why --to canary:443 --from edge.ndjson --id 0000019a8b7c4d2-000004-c0ffee
  tlstriage why --to api.example.com:443 --hello - -o json < hello.bin | jq -r '.causes[].sentence'`,
		Args: endpointByFlag,
		RunE: func(cmd *cobra.Command, _ []string) error { return w.run(cmd) },
	}
	f := cmd.Flags()
	f.StringVar(&w.to, "to", "", "the endpoint: `HOST:PORT`")
	f.StringVar(&w.sni, "sni", "", "`NAME` that the hello asks for, in place of its own; one that asks for none stays so, and the name is tried as a remedy")
	w.hello.flags(cmd)
	f.StringVar(&w.proxyProtocol, "proxy-protocol", "none", "header that the client sends first: `none|v1|v2`")
	f.StringVar(&w.starttls, "starttls", "", "ask for TLS in this `PROTOCOL` first: "+protocolNames())
	f.StringVar(&w.transport, "transport", "recorded", "`recorded|tcp|quic`: what the hello goes over; recorded is TCP but for a recorded client of QUIC")
	f.StringVar(&w.certFile, "client-cert", "", "`FILE` with the client's certificate")
	f.StringVar(&w.keyFile, "client-key", "", "`FILE` with its key")
	f.IntVar(&w.most, "max-connections", why.DefaultBudget, "make at most `N` connections")
	f.DurationVar(&w.timeout, "timeout", 3*time.Second, "wait this `DURATION` for an answer, the first time")
	outputFlag(cmd, &w.output)
	f.SortFlags = false
	return cmd
}

func protocolNames() string {
	var names []string
	for _, p := range probe.StartTLSProtocols() {
		names = append(names, string(p))
	}
	return strings.Join(names, ", ")
}

func (w *whyCommand) run(cmd *cobra.Command) error {
	experiment, err := w.experiment(cmd)
	if err != nil {
		return usage(err)
	}
	w.addresses(cmd, experiment)
	result := experiment.Run(cmd.Context())
	if w.output == "json" {
		encoder := json.NewEncoder(cmd.OutOrStdout())
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(result); err != nil {
			return failed(err)
		}
	} else if _, err := io.WriteString(cmd.OutOrStdout(), printable(whyText(result))); err != nil {
		return failed(err)
	}
	if cmd.Context().Err() != nil {
		return failed(errors.New("the experiment was interrupted"))
	}
	if result.Verdict != why.NoFailure {
		return &exitError{code: exitFindings}
	}
	return nil
}

// addresses looks up what is behind the endpoint's name. A name that has no address is named by the experiment.
func (w *whyCommand) addresses(cmd *cobra.Command, e *why.Experiment) {
	if host, _, err := net.SplitHostPort(e.Target.Address); err != nil || isAddress(host) {
		return
	}
	found, err := probe.Resolve(cmd.Context(), nil, e.Target.Address)
	if err != nil {
		return
	}
	for _, a := range found {
		e.Addresses = append(e.Addresses, a.String())
	}
}

// siteName is the name of the site at the endpoint, as far as it is known: an address is none (RFC 6066, Section 3).
func (w *whyCommand) siteName(host string) string {
	switch {
	case w.sni != "":
		return w.sni
	case isAddress(host):
		return ""
	}
	return host
}

// experiment is what the flags ask for.
func (w *whyCommand) experiment(cmd *cobra.Command) (*why.Experiment, error) {
	if w.output != "text" && w.output != "json" {
		return nil, fmt.Errorf("--output: %q is neither text nor json", w.output)
	}
	if w.to == "" {
		return nil, errors.New("why needs --to HOST:PORT")
	}
	address, err := probedEndpoint("--to", w.to)
	if err != nil {
		return nil, err
	}
	host, _, _ := net.SplitHostPort(address)
	if w.sni, err = serverNameFlag("--sni", w.sni); err != nil {
		return nil, err
	}
	if w.most < 1 {
		return nil, fmt.Errorf("--max-connections: %d is less than 1", w.most)
	}
	if w.timeout <= 0 {
		return nil, fmt.Errorf("--timeout: %s is not positive", w.timeout)
	}
	e := &why.Experiment{Target: probe.Target{Address: address, StartTLS: probe.StartTLS(w.starttls)}, Budget: w.most}
	if w.starttls != "" && !slices.Contains(probe.StartTLSProtocols(), e.Target.StartTLS) {
		return nil, fmt.Errorf("--starttls: %q is none of %s", w.starttls, protocolNames())
	}
	switch w.proxyProtocol {
	case "none", "":
	case "v1":
		e.Target.Proxy = &probe.ProxyHeader{Version: 1}
	case "v2":
		e.Target.Proxy = &probe.ProxyHeader{Version: 2}
	default:
		return nil, fmt.Errorf("--proxy-protocol: %q is none of none, v1 and v2", w.proxyProtocol)
	}
	if (w.certFile == "") != (w.keyFile == "") {
		return nil, errors.New("--client-cert and --client-key go together")
	}
	if w.certFile != "" {
		pair, err := tls.LoadX509KeyPair(w.certFile, w.keyFile)
		if err != nil {
			return nil, fmt.Errorf("--client-cert: %w", err)
		}
		e.Certificate = &pair
	}
	if !slices.Contains([]string{"recorded", "tcp", "quic"}, w.transport) {
		return nil, fmt.Errorf("--transport: %q is none of recorded, tcp and quic", w.transport)
	}
	e.Client = &probe.Client{Timeouts: probe.Timeouts{Answer: w.timeout}}
	if e.Hello, err = w.hello.read(cmd, w.siteName(host)); err != nil {
		return nil, err
	}
	if err := w.over(e); err != nil {
		return nil, err
	}
	if w.sni != "" {
		e.Names = append(e.Names, w.sni)
		if e.Hello.ServerName() != "" {
			e.Hello.SetServerName(w.sni)
		}
	}
	return e, nil
}

// over brings the hello to the transport that it goes over.
func (w *whyCommand) over(e *why.Experiment) error {
	recorded := e.Hello.Has(wire.ExtensionQUICTransportParameters) || e.Hello.Has(wire.ExtensionQUICTransportParametersDraft)
	e.Target.QUIC = w.transport == "quic" || w.transport == "recorded" && recorded
	switch {
	case e.Target.QUIC && (e.Target.Proxy != nil || e.Target.StartTLS != ""):
		return errors.New("over QUIC there is neither --proxy-protocol nor --starttls")
	case e.Target.QUIC && !slices.ContainsFunc(e.Hello.Versions(), wire.Version.IsTLS13):
		return errors.New("--transport quic: the hello offers no TLS 1.3, without which there is no QUIC")
	case e.Target.QUIC && !recorded:
		h := e.Hello.ForQUIC(0)
		if protocols := h.ALPN(); len(protocols) == 0 || slices.Contains(protocols, "h2") || slices.Contains(protocols, "http/1.1") {
			h.SetALPN("h3")
		}
		e.Hello = h
	case !e.Target.QUIC && recorded:
		e.Hello = e.Hello.ForTCP()
	}
	return nil
}

// whyText is a result for a person: the cause first, then what shows it, then the connections.
func whyText(r *why.Result) string {
	var b strings.Builder
	line := func(format string, values ...any) { fmt.Fprintf(&b, format+"\n", values...) }
	line("%s: %s", r.Target, strings.ReplaceAll(string(r.Verdict), "_", " "))
	line("")
	if len(r.Causes) < 2 {
		line("  %s", r.Sentence)
	} else {
		line("  %s:", why.Count(r))
	}
	for _, c := range r.Causes {
		if len(r.Causes) > 1 {
			line("")
			line("  %s", c.Sentence)
		}
		line("    cause     %s (%s)", c.ID, c.Axis)
		line("    evidence  %s", c.Evidence)
		if c.Fix != "" {
			line("    change    %s", c.Fix)
		}
	}
	if r.Failure != "" && r.Verdict != why.NoFailure {
		line("")
		line("  answer  %s", r.Failure)
		if r.Meaning != "" {
			line("          %s", r.Meaning)
		}
	}
	if r.Exhausted {
		line("  note    The connections that are allowed (--max-connections) did not suffice.")
	}
	for _, note := range r.Notes {
		line("  note    %s", note)
	}
	if len(r.Tried) > 0 {
		line("")
		line("  What was tried:")
		for _, t := range r.Tried {
			line("    %s", t)
		}
	}
	line("")
	line("  %s:", counted(r.Connections))
	for _, p := range r.Probes {
		mark, change := "-", p.Change
		if p.Works {
			mark = "+"
		}
		if change == "" {
			change = "the hello in question"
		}
		line("  %3d %s %5d bytes  %s: %s", p.Number, mark, p.Size, inspect.Bounded(change), p.Answer)
	}
	return b.String()
}

func counted(n int) string {
	if n == 1 {
		return "1 connection"
	}
	return fmt.Sprintf("%d connections", n)
}
