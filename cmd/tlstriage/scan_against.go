package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/clients"
	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/replay"
	"github.com/tlstriage/tlstriage/inspect/scan"
)

// scanAgainst is what an endpoint is held against.
type scanAgainst struct {
	ref, baseline, clients, as string
	match, explain             bool
	from                       recordings

	policy   *policy.Policy
	assumed  string // the system and version whose defaults the policy has for want of a version; empty: one was named
	known    []*policy.Policy
	before   map[string]*scan.Report // by target
	subjects []*replay.Subject
	recorded bool // subjects are of recordings: real clients of this endpoint
}

func (a *scanAgainst) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&a.ref, "policy", "", "policy `REF` that the endpoint should have: say what it accepts beyond it, and what it falls short of")
	f.BoolVar(&a.match, "match", false, "say which of the known policies it has")
	f.StringVar(&a.baseline, "baseline", "", "`FILE` with an earlier scan (-o json): say what has changed; a change is an error")
	f.StringVar(&a.clients, "clients", "", "say which clients of the built-in gallery cannot talk to it: `LIST` of names and groups ("+strings.Join(clients.Groups(), ", ")+")")
	f.StringVar(&a.as, "as", "", "the same for one client, load balancers among them: `NAME` (nginx, haproxy, java7, curl, …)")
	a.from.flags(cmd)
	f.BoolVar(&a.explain, "explain", false, "find out by experiment why each client that cannot talk to it fails")
}

// prepare reads what the flags name.
func (a *scanAgainst) prepare(cmd *cobra.Command) error {
	var err error
	if a.ref != "" {
		if a.policy, err = loadPolicy(cmd, a.ref); err != nil {
			return usage(err)
		}
		a.assumed = assumedVersion(cmd, a.ref)
	}
	if a.match || a.policy != nil {
		a.known = slices.Collect(policy.All())
	}
	if a.baseline != "" {
		if a.before, err = readBaseline(a.baseline); err != nil {
			return usage(fmt.Errorf("--baseline: %w", err))
		}
	}
	return a.collect(cmd)
}

// collect reads the clients that are to be tried.
func (a *scanAgainst) collect(cmd *cobra.Command) error {
	if err := a.from.parse(a.ref); err != nil {
		return err
	}
	if len(a.from.files) > 0 {
		c, err := collect(cmd, &a.from)
		if err != nil {
			return err
		}
		a.subjects, _ = replay.FromKinds(c.Kinds(), 1)
		a.recorded = true
	}
	var samples []clients.Sample
	if a.clients != "" {
		found, err := clients.Select(a.clients)
		if err != nil {
			return usage(fmt.Errorf("--clients: %w", err))
		}
		samples = found
	}
	if a.as != "" {
		one, err := clients.One(a.as)
		if err != nil {
			return usage(fmt.Errorf("--as: %w%s", err, loadBalancersThatAreKnown(err)))
		}
		samples = append(samples, one)
	}
	subjects, err := replay.FromSamples(samples)
	if err != nil {
		return failed(err)
	}
	a.subjects = append(a.subjects, subjects...)
	if a.explain && len(a.subjects) == 0 {
		return usage(errors.New("--explain needs --clients, --as or --from"))
	}
	return nil
}

// loadBalancersThatAreKnown are added to an error about a client that is not: most who ask want one of them.
func loadBalancersThatAreKnown(err error) string {
	var unknown *clients.UnknownError
	if !errors.As(err, &unknown) || strings.Contains(err.Error(), "--from") { // which says more than a list
		return ""
	}
	samples, err := clients.Select(clients.GroupLoadBalancers)
	if err != nil {
		return ""
	}
	var names []string
	for _, s := range samples {
		if name, _, _ := strings.Cut(s.Name, "-"); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return "; of load balancers there are " + strings.Join(names, ", ") + "; any other client can be given as a capture or recording (--from)"
}

// The most of a line of a baseline: one target.
const maxBaselineLine = 16 << 20

// readBaseline reads what `scan -o json` wrote.
func readBaseline(name string) (map[string]*scan.Report, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parseBaseline(name, f)
}

// parseBaseline reads it from in, which errors call by a name.
func parseBaseline(name string, in io.Reader) (map[string]*scan.Report, error) {
	before := map[string]*scan.Report{}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxBaselineLine)
	for n := 1; lines.Scan(); n++ {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		var s scanned
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, n, err)
		}
		if s.Target == "" || s.Report == nil {
			return nil, fmt.Errorf("%s:%d: that is no line of scan -o json", name, n)
		}
		before[s.Target] = s.Report
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(before) == 0 {
		return nil, fmt.Errorf("%s: there is no scan in it", name)
	}
	return before, nil
}

// Ids of findings of what an endpoint was held against.
const (
	findingPolicyDrift     = "server-policy-drift"
	findingChanged         = "server-changed"
	findingClientsNameless = "server-clients-need-name"
	findingClientsRefused  = "server-refuses-clients"
)

// hold holds a result against everything.
func (a *scanAgainst) hold(ctx context.Context, c *scanCommand, s *scanned, target scan.Target) {
	if len(s.Versions) > 0 && (a.match || a.policy != nil) {
		s.Matches = a.matches(ctx, s)
	}
	if a.policy != nil {
		a.drift(ctx, s)
	}
	if a.before != nil {
		a.changed(s)
	}
	if len(a.subjects) > 0 {
		a.tryClients(ctx, c, s, target)
	}
	if !a.match {
		s.Matches = slices.DeleteFunc(s.Matches, func(m policyMatch) bool { return m.Differences > 0 })
	}
}

// changed compares with the baseline.
func (a *scanAgainst) changed(s *scanned) {
	before, ok := a.before[s.Target]
	if !ok && len(a.before) == 1 { // an earlier scan of the one endpoint, under whatever name
		for _, r := range a.before {
			before, ok = r, true
		}
	}
	if !ok {
		s.add(inspect.Finding{
			ID: findingChanged, Severity: inspect.SeverityWarning, Leg: inspect.LegBackend, Title: "The baseline does not have this target",
			Detail: fmt.Sprintf("There is no earlier scan of %s in %s.", s.Target, a.baseline),
		})
		return
	}
	if s.Changes = scan.Compare(before, s.Report); len(s.Changes) == 0 {
		return
	}
	severity := inspect.SeverityError
	if !slices.ContainsFunc(s.Changes, func(c scan.Change) bool { return c.What != "certificates" }) {
		severity = inspect.SeverityWarning // renewed
	}
	s.add(inspect.Finding{
		ID: findingChanged, Severity: severity, Leg: inspect.LegBackend, Title: "The endpoint is not as it was in the baseline",
		Detail: sentences(s.Changes, "the baseline"),
	})
}

// sentences tells changes, as many as fit.
func sentences(changes []scan.Change, before string) string {
	const most = 12
	var lines []string
	for _, c := range changes[:min(len(changes), most)] {
		lines = append(lines, c.Sentence(before))
	}
	if more := len(changes) - most; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "; ") + "."
}

// ofNumber is a number of things.
func ofNumber(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// against shows what a result was held against.
func (s *scanned) against(row func(what, format string, values ...any), most int) {
	if p := s.Policy; p != nil {
		word := "as the policy says"
		if len(p.Changes) > 0 {
			word = "differs in " + ofNumber(len(p.Changes), "respect")
		}
		row("policy", "%s  %s", p.Reference, word)
	}
	for _, m := range s.Matches[:min(len(s.Matches), most)] {
		if m.Differences == 0 {
			row("matches", "%s  exactly", m.Name)
		} else {
			row("near", "%s  %s", m.Name, ofNumber(m.Differences, "difference"))
		}
	}
	if s.Clients != nil {
		nameless := ""
		if n := len(s.Clients.Nameless); n > 0 {
			nameless = fmt.Sprintf(", %d need a server name", n)
		}
		row("clients", "%d tried, %d refused, %d undetermined%s", s.Clients.Tried, len(s.Clients.Refused), s.Clients.Undetermined, nameless)
		for _, r := range s.Clients.Refused[:min(len(s.Clients.Refused), 5*most)] {
			text := r.Why
			if text == "" {
				text = r.Answer
			}
			row("", "%s: %s", r.Client, text)
		}
	}
}
