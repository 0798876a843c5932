package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/inspect/clients"
	"github.com/tlstriage/tlstriage/inspect/diagnose"
	"github.com/tlstriage/tlstriage/inspect/policy/trial"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/recording"
	"github.com/tlstriage/tlstriage/inspect/replay"
)

// replayCommand is one run of `tlstriage replay`.
type replayCommand struct {
	from        recordings
	clients     string
	to          []string
	sni         string
	sniMap      []string
	perKind     int
	policy      string
	gate        lossGate
	rate        float64
	concurrency int
	total       int
	transport   string
	proxy       string
	starttls    string
	records     int
	segments    int
	timeout     time.Duration
	once        bool
	output      string

	subjects  []*replay.Subject
	predictor *predictor     // of --policy; nil: none
	first     *predictor     // of policy:REF in the place of the first endpoint
	before    *replay.Result // what the first endpoint answered to the hello whose results are told
	judge     diagnose.Diagnoser
	out       *recording.Writer // of -o json
}

// policyPrefix stands before a policy in the place of an endpoint.
const policyPrefix = "policy:"

func newReplay() *cobra.Command {
	r := &replayCommand{}
	cmd := &cobra.Command{
		Use:   "replay --from FILE... --to HOST:PORT [--to HOST:PORT]",
		Short: "Send recorded ClientHellos to an endpoint, and say which clients it would lose",
		Long: `Sends each distinct ClientHello of a recording to an endpoint as its client would send it now: the same bytes in the same
order, with fresh randoms and keys, without the tickets of sessions that are gone. A HelloRetryRequest is followed. What comes
back is counted by the connections that each hello stands for.

With two endpoints the second one is compared with the first: which clients are lost, which are gained, which get another
choice, and what those that are lost have in common. "policy:REF" in the place of an endpoint is what a policy predicts;
--policy REF holds its predictions against what the (last) endpoint does.

Only handshakes are begun, nothing is asked for, and no session is used up. All of it is bounded: --rate, --concurrency,
--total. What fails is sent once more before it is believed. When an endpoint that answered stops answering even hellos that it
took before, the run ends: a firewall or a rate limiter has shut the door.

Exit codes: 1 when --fail-on-loss is exceeded, 2 for what cannot be asked, 3 when the endpoint could not be asked to the end.`,
		Example: `  tlstriage replay --from hellos.ndjson --to canary.example.com:443
  tlstriage replay --from week.ndjson.zst --to old.example.com:443 --to new.example.com:443 --sni www.example.com --fail-on-loss 0.1%
  tlstriage replay --clients legacy,browsers --to staging.example.com:443
  tlstriage replay --from hellos.ndjson --to policy:aws/ELBSecurityPolicy-2016-08 --to new.example.com:443
  tlstriage replay --clients all --to 127.0.0.1:8443 --policy nginx.conf#listen=:8443
  tlstriage replay --from hellos.ndjson --to canary:443 --sni map --sni-map '*.example.com=*.staging.example.com' -o json`,
		Args: endpointByFlag,
		RunE: func(cmd *cobra.Command, _ []string) error { return r.run(cmd) },
	}
	f := cmd.Flags()
	r.from.flags(cmd)
	f.StringVar(&r.clients, "clients", "", "clients of the built-in gallery: `LIST` of names and groups ("+strings.Join(clients.Groups(), ", ")+"); see recording show --clients all")
	f.StringArrayVar(&r.to, "to", nil, "`HOST:PORT` to send to, or policy:REF; twice: compare the second with the first")
	f.StringVar(&r.sni, "sni", "", "server name to ask for: `keep|map|NAME`; a client that sent none sends none. Default: keep; of the gallery the host of --to where it is a name")
	f.StringArrayVar(&r.sniMap, "sni-map", nil, "with --sni map: ask for NEW where OLD was asked for: `OLD=NEW`; a star stands for the beginning of names")
	f.IntVar(&r.perKind, "names", 4, "send a hello with at most `N` of the server names that came with it")
	f.StringVar(&r.policy, "policy", "", "policy `REF` whose predictions are held against what the endpoint does")
	r.gate.flags(cmd, "exit with 1 when more is lost than this, or may be: `N` connections, or N% of all; with two endpoints that is what the first one takes and the second does not")
	f.Float64Var(&r.rate, "rate", replay.DefaultRate, "at most `N` connections a second; 0: no bound")
	f.IntVar(&r.concurrency, "concurrency", replay.DefaultConcurrency, "at most `N` connections at a time")
	f.IntVar(&r.total, "total", replay.DefaultTotal, "at most `N` connections in all")
	f.StringVar(&r.transport, "transport", "recorded", "`recorded|tcp|quic`: what hellos go over; quic leaves out those that cannot, and offers h3")
	f.StringVar(&r.proxy, "proxy-protocol", "", "send a PROXY protocol header first: `v1|v2`")
	f.StringVar(&r.starttls, "starttls", "", "ask for TLS in this `PROTO` first: smtp, imap, pop3, ftp, xmpp, ldap, postgres, mysql, …")
	f.IntVar(&r.records, "records-of", 0, "cut hellos into TLS records of `N` bytes; 0: as they were recorded")
	f.IntVar(&r.segments, "segments-of", 0, "cut what is sent into TCP segments of `N` bytes; 0: one")
	f.DurationVar(&r.timeout, "timeout", 5*time.Second, "wait for an answer at most this `DURATION`")
	f.BoolVar(&r.once, "once", false, "believe the first failure; do not send again what failed")
	f.StringVarP(&r.output, "output", "o", "text", "print `text`, or json: one record a line")
	f.SortFlags = false
	return cmd
}

func (r *replayCommand) run(cmd *cobra.Command) error {
	if err := r.prepare(cmd); err != nil {
		return err
	}
	var targets []replay.Target
	sides := make([]replay.Side, len(r.to))
	for i, to := range r.to {
		if ref, ok := strings.CutPrefix(to, policyPrefix); ok {
			p, err := newPredictor(cmd, ref)
			if err != nil {
				return err
			}
			sides[i] = p.side(r.subjects, r.names())
			if i == 0 {
				r.first = p
			}
			continue
		}
		t, err := r.target(cmd.Context(), to)
		if err != nil {
			return err
		}
		targets = append(targets, t)
	}
	report, stopped := r.send(cmd, targets)
	if report == nil {
		return stopped
	}
	for i, asked := 0, 0; i < len(sides); i++ {
		if sides[i].Answers == nil {
			sides[i] = replay.Side{Label: r.to[i], Answers: report.Answers(asked)}
			asked++
		}
	}
	if r.out == nil {
		if err := r.say(cmd.OutOrStdout(), sides); err != nil {
			return err
		}
	}
	fmt.Fprintln(cmd.ErrOrStderr(), "tlstriage:", r.amount(report))
	if stopped != nil {
		return failed(r.early(report, stopped))
	}
	return r.code(sides)
}

// early says why a run ended before all was sent.
func (r *replayCommand) early(report *replay.Report, stopped error) error {
	if !errors.Is(stopped, context.Canceled) {
		return stopped
	}
	left := 0
	for _, results := range report.Results {
		if slices.Contains(results, nil) {
			left++
		}
	}
	return fmt.Errorf("the replay was interrupted: %d of %d hellos were not sent", left, len(report.Subjects))
}

// amount says what was done to the endpoints.
func (r *replayCommand) amount(report *replay.Report) string {
	return fmt.Sprintf("%d hellos, %d connections made to %s", len(report.Subjects), report.Connections, shown(strings.Join(report.Targets, " and ")))
}

// say prints the answer as text.
func (r *replayCommand) say(w io.Writer, sides []replay.Side) error {
	var text string
	last := sides[len(sides)-1]
	if len(sides) == 2 {
		text = replay.Compare(r.subjects, sides[0], last).Text()
	} else {
		text = replay.Text(r.subjects, last)
	}
	if r.predictor != nil {
		predicted := r.predictor.side(r.subjects, r.names())
		if found := replay.ContradictionsText(r.subjects, predicted, last); found != "" {
			text += "\n" + found
		} else {
			text += fmt.Sprintf("\nAs %s predicts, for every hello that was answered.\n", shown(predicted.Label))
		}
	}
	_, err := io.WriteString(w, text)
	return err
}

// code is exit code 1 when more was lost than is accepted.
func (r *replayCommand) code(sides []replay.Side) error {
	if r.gate.threshold == nil {
		return nil
	}
	last := sides[len(sides)-1]
	var lost, doubt, all int64
	if len(sides) == 2 {
		c := replay.Compare(r.subjects, sides[0], last)
		lost, doubt, all = c.Amounts[replay.Worse].Connections, c.Amounts[replay.Undetermined].Connections, c.All.Connections
	} else {
		refused, undetermined, _ := replay.Losses(r.subjects, last)
		lost, doubt = refused.Connections, undetermined.Connections
		for _, s := range r.subjects {
			all += s.Connections
		}
	}
	return r.gate.code(lost, doubt, all)
}

// prepare reads what the flags name.
func (r *replayCommand) prepare(cmd *cobra.Command) error {
	switch {
	case len(r.to) == 0 || len(r.from.files) == 0 && r.clients == "":
		return usage(errors.New("replay needs --to HOST:PORT and --from FILE or --clients LIST"))
	case len(r.to) > 2:
		return usage(fmt.Errorf("--to: %d endpoints; two can be compared", len(r.to)))
	case r.output != "text" && r.output != "json":
		return usage(fmt.Errorf("--output: %q is neither text nor json", r.output))
	case !slices.Contains([]string{"recorded", "tcp", "quic"}, r.transport):
		return usage(fmt.Errorf("--transport: %q is none of recorded, tcp and quic", r.transport))
	case (r.sni == "map") != (len(r.sniMap) > 0):
		return usage(errors.New("--sni map and --sni-map OLD=NEW belong together"))
	case r.rate < 0 || r.concurrency < 1 || r.total < 1 || r.perKind < 1 || r.timeout <= 0 || r.records < 0 || r.segments < 0:
		return usage(errors.New("--rate, --concurrency, --total, --names, --timeout, --records-of and --segments-of are positive numbers"))
	}
	if err := r.gate.parse(cmd); err != nil {
		return err
	}
	if err := r.from.parse(r.policy); err != nil {
		return err
	}
	if err := r.readNames(); err != nil {
		return usage(err)
	}
	if r.policy != "" {
		p, err := newPredictor(cmd, r.policy)
		if err != nil {
			return err
		}
		r.predictor = p
	}
	if r.output == "json" {
		r.out = recording.NewWriter(cmd.OutOrStdout())
	}
	return r.collect(cmd)
}

// readNames reads the endpoints and the server names of the flags.
func (r *replayCommand) readNames() (err error) {
	for i, to := range r.to {
		if strings.HasPrefix(to, policyPrefix) {
			continue
		}
		if r.to[i], err = probedEndpoint("--to", to); err != nil {
			return err
		}
	}
	if len(r.to) == 2 && r.to[0] == r.to[1] {
		return fmt.Errorf("--to: %s is not to be compared with itself", r.to[0])
	}
	if r.sni, err = serverNameFlag("--sni", r.sni); err != nil {
		return err
	}
	for i, text := range r.sniMap {
		rewrite, err := replay.ParseRewrite(text)
		if err != nil {
			return fmt.Errorf("--sni-map: %w", err)
		}
		if rewrite.From, err = starredName(rewrite.From); err != nil {
			return err
		}
		if rewrite.To, err = starredName(rewrite.To); err != nil {
			return err
		}
		r.sniMap[i] = rewrite.From + "=" + rewrite.To
	}
	return nil
}

// starredName reads one side of --sni-map, which may begin with a star, and a dot behind that.
func starredName(text string) (string, error) {
	rest := strings.TrimPrefix(text, "*")
	name := rest
	if rest != text {
		name = strings.TrimPrefix(rest, ".")
	}
	ascii, err := serverNameFlag("--sni-map", name)
	return text[:len(text)-len(name)] + ascii, err
}

// collect reads the recordings and the gallery.
func (r *replayCommand) collect(cmd *cobra.Command) error {
	if len(r.from.files) > 0 {
		c, err := collect(cmd, &r.from)
		if errors.Is(err, errNoHello) {
			return usage(err)
		}
		if err != nil {
			return err
		}
		subjects, left := replay.FromKinds(c.Kinds(), r.perKind)
		if left > 0 {
			tell(cmd, fmt.Sprintf("%d kinds of clients came over DTLS and are not sent", left))
		}
		if c.Tally.Beyond > 0 {
			tell(cmd, fmt.Sprintf("%d connections of more kinds than can be kept are left out", c.Tally.Beyond))
		}
		r.subjects = subjects
	}
	if r.clients != "" {
		samples, err := clients.Select(r.clients)
		if err != nil {
			return usage(fmt.Errorf("--clients: %w", err))
		}
		subjects, err := replay.FromSamples(samples)
		if err != nil {
			return failed(err)
		}
		r.subjects = append(r.subjects, subjects...)
	}
	switch r.transport {
	case "tcp":
		r.subjects = replay.OverTCP(r.subjects)
	case "quic":
		var left int
		if r.subjects, left = replay.OverQUIC(r.subjects); left > 0 {
			tell(cmd, fmt.Sprintf("%d hellos cannot go over QUIC and are not sent", left))
		}
	}
	if len(r.subjects) == 0 {
		return usage(errors.New("nothing to send: none of these hellos can go over QUIC"))
	}
	return nil
}

// names is which server names are asked for. All sides are asked for the same.
func (r *replayCommand) names() replay.Names {
	switch r.sni {
	case "keep":
		return replay.Names{}
	case "map":
		var n replay.Names
		for _, text := range r.sniMap {
			rewrite, _ := replay.ParseRewrite(text) // read before
			n.Map = append(n.Map, rewrite)
		}
		return n
	case "":
		if len(r.from.files) > 0 {
			return replay.Names{}
		}
		for _, to := range slices.Backward(r.to) {
			if !strings.HasPrefix(to, policyPrefix) {
				return replay.Names{All: replay.NameOf(to)} // the gallery's own names are nobody's
			}
		}
		return replay.Names{}
	}
	return replay.Names{All: r.sni}
}

func (r *replayCommand) target(ctx context.Context, to string) (replay.Target, error) {
	t := replay.Target{Label: to}
	addresses, err := probe.Resolve(ctx, nil, to)
	if ctx.Err() != nil {
		return t, failed(errors.New("the replay was interrupted before anything was sent"))
	}
	if err != nil {
		return t, failed(fmt.Errorf("--to: %w", err))
	}
	// One address for the whole run: two that answer differently would be taken for two answers of one.
	t.Address = addresses[0].String()
	t.Name = replay.NameOf(to)
	switch r.proxy {
	case "":
	case "v1":
		t.Proxy = &probe.ProxyHeader{Version: 1}
	case "v2":
		t.Proxy = &probe.ProxyHeader{Version: 2}
	default:
		return t, usage(fmt.Errorf("--proxy-protocol: %q is neither v1 nor v2", r.proxy))
	}
	if r.starttls != "" {
		t.StartTLS = probe.StartTLS(r.starttls)
		if !slices.Contains(probe.StartTLSProtocols(), t.StartTLS) {
			return t, usage(fmt.Errorf("--starttls: %q is none of %v", r.starttls, probe.StartTLSProtocols()))
		}
	}
	return t, nil
}

// send asks the endpoints. The error is why not everything was sent; without a report nothing was.
func (r *replayCommand) send(cmd *cobra.Command, targets []replay.Target) (*replay.Report, error) {
	if len(targets) == 0 {
		return &replay.Report{Subjects: r.subjects}, nil
	}
	runner := &replay.Runner{
		Client: &probe.Client{Timeouts: probe.Timeouts{Dial: r.timeout, Preface: r.timeout, Answer: r.timeout}}, Targets: targets, Names: r.names(),
		Rate: r.rate, Concurrency: r.concurrency, Total: r.total, Once: r.once,
	}
	if r.rate == 0 {
		runner.Rate = -1
	}
	if r.records > 0 || r.segments > 0 {
		runner.Layout = &probe.Layout{RecordSize: r.records, SegmentSize: r.segments}
		if r.segments > 0 {
			runner.Layout.Pause = time.Millisecond
		}
	}
	shownTo := newCounter(cmd.ErrOrStderr(), len(r.subjects)*len(targets))
	var writing error
	runner.OnResult = func(result *replay.Result) {
		shownTo.step()
		if r.out != nil && writing == nil {
			writing = r.out.Encode(r.record(result))
		}
	}
	report, err := runner.Run(cmd.Context(), r.subjects)
	shownTo.end()
	if writing != nil {
		return nil, failed(writing)
	}
	return report, err
}

// record is the record of a result, with what the policy predicted and what is to be thought of it.
func (r *replayCommand) record(result *replay.Result) *replay.Record {
	record := result.Record()
	if r.predictor != nil {
		predicted := r.predictor.answer(result.Subject, result.Name)
		record.Policy = predicted.outcome
		if found := replay.Contradictions([]*replay.Subject{result.Subject}, replay.Side{Answers: []replay.Answer{predicted.Answer}}, replay.Side{Answers: []replay.Answer{result.Answer}}); len(found) > 0 {
			record.Replay.Contradicts = found[0].Fields
			if len(found[0].Fields) == 0 {
				record.Replay.Contradicts = []string{"accepted"}
			}
		}
	}
	switch {
	case len(r.to) < 2 || result.Target != r.to[1]:
		r.before = result
	case r.first != nil:
		record.Replay.Class, record.Replay.Differs = replay.Classify(r.first.answer(result.Subject, result.Name).Answer, result.Answer)
	case r.before != nil && r.before.Subject == result.Subject:
		record.Replay.Class, record.Replay.Differs = replay.Classify(r.before.Answer, result.Answer)
	}
	r.judge.Diagnose(&record.Connection)
	return record
}

// errNoHello is a recording without a hello.
var errNoHello = errors.New("no ClientHello in the recording")

// collect reads recordings with what it takes to send their hellos again.
func collect(cmd *cobra.Command, from *recordings) (*recording.Collection, error) {
	c := &recording.Collection{}
	if err := from.open(cmd, func(in io.Reader, name string) error { return recordingError(c.Read(in, name)) }); err != nil {
		return nil, err
	}
	for _, p := range c.Tally.Problems {
		tell(cmd, p.Error())
	}
	if more := c.Tally.Skipped.Malformed - int64(len(c.Tally.Problems)); more > 0 {
		tell(cmd, fmt.Sprintf("%d more entries like these", more))
	}
	tellOfCanary(cmd, c.Tally.Skipped)
	if c.Tally.Connections == 0 {
		return nil, failed(errNoHello)
	}
	return c, from.damage(c.Tally.Skipped, c.Tally.Connections)
}

// predictor says what a policy makes of subjects.
type predictor struct {
	label  string
	target *trial.Target
}
