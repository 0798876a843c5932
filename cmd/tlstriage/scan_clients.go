package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/replay"
	"github.com/tlstriage/tlstriage/inspect/scan"
	"github.com/tlstriage/tlstriage/inspect/why"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// scannedClients is which clients an endpoint takes.
type scannedClients struct {
	Tried        int             `json:"tried"`
	Refused      []refusedClient `json:"refused"`
	Undetermined int             `json:"undetermined"`
	Nameless     []string        `json:"need_a_server_name,omitempty"` // their samples have no server name: they are refused without one, and taken with one
	Connections  int             `json:"connections"`
}

// refusedClient is one that cannot talk to the endpoint.
type refusedClient struct {
	Client      string      `json:"client"`
	Answer      string      `json:"answer"`
	Connections int64       `json:"connections"`   // that it stands for
	Why         string      `json:"why,omitempty"` // in a sentence
	Explained   *why.Result `json:"explanation,omitempty"`
}

// tryClients sends the clients' hellos to the endpoint.
func (a *scanAgainst) tryClients(ctx context.Context, c *scanCommand, s *scanned, target scan.Target) {
	endpoint := target.Endpoint
	endpoint.Address = s.Address
	if b := s.BrokenLayer(); b != nil && b.Name != scan.LayerHello && len(s.Versions) == 0 {
		return // nobody gets that far
	}
	runner := &replay.Runner{
		Client: c.scanner.Client, Targets: []replay.Target{{Label: s.Target, Target: endpoint}}, Names: replay.Names{All: s.ServerName},
		Rate: -1, Concurrency: c.concurrency,
	}
	if c.gentle {
		runner.Rate, runner.Concurrency = 4, 1
	}
	if s.ServerName == "" {
		runner.Names = replay.Names{}
	}
	report, err := runner.Run(ctx, a.subjects)
	found := &scannedClients{Refused: []refusedClient{}}
	named := a.withName(ctx, runner, report, s)
	s.Clients = found
	if report == nil {
		return
	}
	found.Connections = report.Connections
	if err != nil {
		s.Inconclusive = append(s.Inconclusive, "clients: "+err.Error())
	}
	for i, answer := range report.Answers(0) {
		found.Tried++
		switch {
		case answer.Undetermined != "":
			found.Undetermined++
		case !answer.Accepted && named[i]:
			found.Nameless = append(found.Nameless, a.subjects[i].Label())
		case !answer.Accepted:
			subject := a.subjects[i]
			r := refusedClient{Client: subject.Label(), Answer: answer.String(), Connections: subject.Connections}
			r.Why = intersection(subject, s.Report)
			if a.explain {
				r.explain(ctx, c, subject, s, endpoint.Address, target)
			}
			found.Refused = append(found.Refused, r)
		}
	}
	a.judgeClients(s)
}

// withName finds out which of the gallery's clients that were captured without a server name would be taken with one, by an endpoint
// that wants one: how a sample was captured says nothing about how the client is used. What was recorded is left as it is.
func (a *scanAgainst) withName(ctx context.Context, runner *replay.Runner, report *replay.Report, s *scanned) map[int]bool {
	wanted := slices.ContainsFunc(s.SNI, func(n scan.NameAnswer) bool { return n.Form == scan.NameNone && n.Reply == scan.No })
	if report == nil || !wanted || s.ServerName == "" || a.recorded {
		return nil
	}
	var again []*replay.Subject
	var indexes []int
	for i, answer := range report.Answers(0) {
		subject := a.subjects[i]
		if answer.Undetermined != "" || answer.Accepted || subject.Name != "" || !subject.Hello.HasExtensions {
			continue
		}
		with := *subject
		with.Name, with.Hello = s.ServerName, subject.Hello.Clone()
		with.Hello.SetServerName(s.ServerName)
		again, indexes = append(again, &with), append(indexes, i)
	}
	if again == nil {
		return nil
	}
	second, _ := runner.Run(ctx, again)
	if second == nil {
		return nil
	}
	report.Connections += second.Connections
	taken := map[int]bool{}
	for i, answer := range second.Answers(0) {
		taken[indexes[i]] = answer.Undetermined == "" && answer.Accepted
	}
	return taken
}

// explain finds out by experiment.
func (r *refusedClient) explain(ctx context.Context, c *scanCommand, subject *replay.Subject, s *scanned, address string, target scan.Target) {
	hello := subject.Hello.Clone()
	if s.ServerName != "" && hello.ServerName() != "" {
		hello.SetServerName(s.ServerName)
	}
	endpoint := target.Endpoint
	endpoint.Address = address
	experiment := &why.Experiment{Client: c.scanner.Client, Target: endpoint, Hello: hello, Certificate: target.Certificate}
	if s.ServerName != "" {
		experiment.Names = []string{s.ServerName}
	}
	r.Explained = experiment.Run(ctx)
	if r.Explained.Sentence != "" {
		r.Why = r.Explained.Sentence
	}
}

// intersection names the first thing in which a hello and an endpoint have nothing in common; empty: they have something in each.
func intersection(subject *replay.Subject, r *scan.Report) string {
	client := inspect.DescribeHello(subject.View, 0, inspect.TransportTCP)
	common := func(offered, accepted []string) bool {
		for _, o := range offered {
			for _, a := range accepted {
				if o == a {
					return true
				}
			}
		}
		return false
	}
	offered := client.SupportedVersions
	if client.SupportedVersionsDerived { // its highest, and all below it
		offered = nil
		for _, v := range []string{"TLSv1.2", "TLSv1.1", "TLSv1.0", "SSLv3"} {
			if v <= client.SupportedVersions[0] || v == "SSLv3" {
				offered = append(offered, v)
			}
		}
	}
	if !common(offered, r.Versions) {
		return fmt.Sprintf("no common version: it offers %s, the endpoint speaks %s", strings.Join(client.SupportedVersions, " "), strings.Join(r.Versions, " "))
	}
	var taken, versions []string
	suites := false
	for _, v := range r.Versions {
		if !common([]string{v}, offered) {
			continue
		}
		versions = append(versions, v)
		for _, suite := range r.Ciphers[v] {
			if !slices.Contains(taken, suite) {
				taken = append(taken, suite)
			}
		}
		suites = suites || common(client.SupportedCiphers, r.Ciphers[v])
	}
	if !suites {
		offers := some(suitesOf(client.SupportedCiphers, versions), 6)
		if offers == "" {
			offers = "none for " + strings.Join(versions, " ")
		}
		return fmt.Sprintf("no common cipher suite in a common version: it offers %s, the endpoint takes %s", offers, some(taken, 6))
	}
	if len(client.SupportedGroups) > 0 && len(r.Groups) > 0 && !common(client.SupportedGroups, r.Groups) {
		return fmt.Sprintf("no common group: it offers %s, the endpoint takes %s", some(client.SupportedGroups, 6), some(r.Groups, 6))
	}
	if len(client.SignatureAlgorithms) > 0 && len(r.SignatureSchemes) > 0 && !common(client.SignatureAlgorithms, r.SignatureSchemes) {
		return fmt.Sprintf("no common signature scheme: it offers %s, the endpoint signs with %s", some(client.SignatureAlgorithms, 6), some(r.SignatureSchemes, 6))
	}
	if len(client.ALPNProtocols) > 0 && r.UnknownALPN == scan.ALPNRefused && !common(client.ALPNProtocols, r.ALPN) {
		return fmt.Sprintf("no common application protocol: it offers %s, the endpoint speaks %s", some(client.ALPNProtocols, 4), some(r.ALPN, 4))
	}
	if client.ServerName == "" {
		for _, n := range r.SNI {
			if n.Form == scan.NameNone && n.Reply == scan.No {
				return "it sends no server name, and the endpoint wants one"
			}
		}
	}
	return ""
}

// suitesOf are the suites that can belong to one of the versions.
func suitesOf(suites, versions []string) []string {
	return slices.DeleteFunc(slices.Clone(suites), func(name string) bool {
		suite, ok := wire.CipherSuiteByName(name)
		info, _ := suite.Info()
		return !ok || info.Signal() || !slices.ContainsFunc(versions, func(v string) bool { return (v == wire.VersionTLS13.String()) == info.TLS13() })
	})
}

// judgeClients makes a finding of the clients that are refused.
func (a *scanAgainst) judgeClients(s *scanned) {
	if nameless := s.Clients.Nameless; len(nameless) > 0 {
		s.add(inspect.Finding{
			ID: findingClientsNameless, Severity: inspect.SeverityInfo, Leg: inspect.LegBackend, Title: fmt.Sprintf("%d of %d clients of the gallery need to send a server name", len(nameless), s.Clients.Tried),
			Detail: "Their samples were captured without one; with the right name they are taken. Of these only those cannot talk to the endpoint that connect by address, or have no server_name extension: " + some(nameless, 12) + ".",
		})
	}
	n := len(s.Clients.Refused)
	if n == 0 {
		return
	}
	severity, whose := inspect.SeverityWarning, "of the gallery"
	if a.as != "" {
		severity = inspect.SeverityError
	}
	if a.recorded {
		severity, whose = inspect.SeverityError, "that were recorded"
	}
	var lines []string
	const most = 8
	for _, r := range s.Clients.Refused[:min(n, most)] {
		reason := r.Why
		if reason == "" {
			reason = r.Answer
		}
		lines = append(lines, r.Client+": "+reason)
	}
	if n > most {
		lines = append(lines, fmt.Sprintf("and %d more", n-most))
	}
	s.add(inspect.Finding{
		ID: findingClientsRefused, Severity: severity, Leg: inspect.LegBackend,
		Title:  fmt.Sprintf("%d of %d clients %s cannot talk to the endpoint", n, s.Clients.Tried, whose),
		Detail: strings.Join(lines, "; ") + ".",
	})
}
