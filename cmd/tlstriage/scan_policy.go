package main

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/importer"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/scan"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// scannedPolicy is how an endpoint differs from the policy that it should have.
type scannedPolicy struct {
	Reference string        `json:"policy"`
	Matches   bool          `json:"matches"`
	Changes   []scan.Change `json:"differences"` // added: accepted beyond the policy; removed: fallen short of it
}

// policyMatch is a known policy, and in how many respects the endpoint differs from it.
type policyMatch struct {
	Name        string `json:"policy"`
	Differences int    `json:"differences"`
}

// drift holds a result against its policy.
func (a *scanAgainst) drift(ctx context.Context, s *scanned) {
	if len(s.Versions) == 0 {
		return
	}
	p := &scannedPolicy{Reference: a.ref, Changes: compareWithPolicy(ctx, a.policy, s)}
	p.Matches = len(p.Changes) == 0
	s.Policy = p
	if p.Matches {
		return
	}
	detail := "Held against " + a.policy.Name + ": " + sentences(p.Changes, "the policy")
	for _, m := range s.Matches {
		if m.Differences == 0 {
			detail += " The endpoint is exactly as " + m.Name + " says."
			break
		}
	}
	f := inspect.Finding{
		ID: findingPolicyDrift, Severity: inspect.SeverityError, Leg: inspect.LegBackend, Title: "The endpoint does not have the policy that it should have",
	}
	if a.assumed != "" {
		detail += " What the configuration leaves to defaults is that of " + a.assumed + ": which version runs there was not said."
		f.Fixes = append(f.Fixes, inspect.Fix{Target: "tlstriage", Action: "Name the version that runs there, whose defaults may be others", Snippet: "--policy '" + withVersion(a.ref) + "'"})
	}
	f.Detail = detail
	s.add(f)
}

// assumedVersion is the system and version whose defaults stand in for what a configuration does not say, where the reference names none;
// empty: it names one, or is no configuration.
func assumedVersion(cmd *cobra.Command, ref string) string {
	r, err := importer.ParseReference(ref)
	if err != nil || r.Options.Version != "" || isStdin(ref) {
		return ""
	}
	loaded, err := importer.Load(newUserFiles(cmd), ref)
	if err != nil || loaded.Endpoint == nil || loaded.Endpoint.Version == "" {
		return ""
	}
	return loaded.Endpoint.System + " " + loaded.Endpoint.Version
}

// withVersion is a reference with a place for the version.
func withVersion(ref string) string {
	if strings.Contains(ref, "#") {
		return ref + "&version=VERSION"
	}
	return ref + "#version=VERSION"
}

// compareWithPolicy asks the policy what the endpoint was asked, and compares the answers in what the policy states.
func compareWithPolicy(ctx context.Context, p *policy.Policy, s *scanned) []scan.Change {
	q := p.Clone()
	if keys := presentedKeys(s.Report); len(keys) > 0 {
		q.Certificates = keys // what keys there are is not the policy's matter
	}
	if len(s.FiniteFields) == 0 {
		q.NoDHParameters = true
	}
	predicted := scan.Predict(ctx, p.Name, onPaper(q), s.ServerName)
	measured := *s.Report
	if q.Groups == nil {
		predicted.GroupsByVersion, measured.GroupsByVersion = nil, nil
	}
	if q.SignatureSchemes == nil {
		predicted.SchemesByVersion, measured.SchemesByVersion = nil, nil
	}
	if q.ALPN == nil {
		predicted.ALPN, measured.ALPN = nil, nil
	}
	for _, r := range []*scan.Report{predicted, &measured} { // answered only while an order is under way
		r.ALPN = slices.DeleteFunc(slices.Clone(r.ALPN), func(p string) bool { return p == "acme-tls/1" })
	}
	if q.Preference == policy.PreferenceUnknown {
		predicted.CipherPreference, measured.CipherPreference = map[string]string{}, map[string]string{}
	}
	return scan.CompareAccepted(predicted, &measured)
}

// presentedKeys are the kinds of certificates that were presented.
func presentedKeys(r *scan.Report) []policy.CertificateType {
	var keys []policy.CertificateType
	for _, p := range r.Certificates {
		leaf := p.Chain[0]
		var key policy.CertificateType
		switch {
		case leaf.PublicKeyAlgorithm == "RSA":
			key = policy.CertRSA
		case leaf.PublicKeyAlgorithm == "ECDSA" && leaf.PublicKeySize == 256:
			key = policy.CertECDSAP256
		case leaf.PublicKeyAlgorithm == "ECDSA" && leaf.PublicKeySize == 384:
			key = policy.CertECDSAP384
		case leaf.PublicKeyAlgorithm == "ECDSA" && leaf.PublicKeySize == 521:
			key = policy.CertECDSAP521
		case leaf.PublicKeyAlgorithm == "Ed25519":
			key = policy.CertEd25519
		default:
			continue
		}
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// onPaper answers hellos as an endpoint with a policy would.
func onPaper(p *policy.Policy) scan.Exchange {
	return func(hello *probe.Hello, options probe.Options) *probe.Exchange {
		x := &probe.Exchange{Hello: hello, Outcome: probe.OutcomeAlert}
		refuse := func(alert wire.AlertDescription) *probe.Exchange {
			x.Alert = &probe.Alert{Level: wire.AlertLevelFatal, Description: alert, Moment: probe.AfterHello}
			x.Error = &inspect.Error{Type: inspect.ErrorAlertReceived, Message: alert.String()}
			return x
		}
		view, err := hello.View()
		if err != nil || hello.SSLv2 {
			return refuse(wire.AlertProtocolVersion)
		}
		result := policy.Negotiate(view, p)
		if !result.Accepted {
			alert := result.Alert
			if alert == 0 {
				alert = wire.AlertHandshakeFailure
			}
			return refuse(alert)
		}
		x.Outcome = probe.OutcomeServerHello
		answer := &wire.ServerHello{Version: result.Version, CipherSuite: result.CipherSuite, Group: result.Group}
		x.Version, x.CipherSuite, x.Group, x.Scheme, x.ALPN = result.Version, result.CipherSuite, result.Group, result.SignatureScheme, result.Protocol
		if result.HelloRetry && options.NoRetry {
			x.Outcome, answer.HelloRetryRequest = probe.OutcomeRetryRequest, true
			x.RetryRequest = answer
			return x
		}
		x.ServerHello, x.Flight = answer, true
		if !result.Version.IsTLS13() && result.Group != 0 {
			x.KeyExchange = &wire.ServerKeyExchange{Group: result.Group, SignatureScheme: result.SignatureScheme}
		}
		return x
	}
}

// matches are the known policies that the endpoint has, or comes near to: the nearest first.
func (a *scanAgainst) matches(ctx context.Context, s *scanned) []policyMatch {
	var found []policyMatch
	for _, p := range a.known {
		if ctx.Err() != nil {
			break
		}
		if !a.mayMatch(p, s.Report) {
			continue
		}
		found = append(found, policyMatch{Name: p.Name, Differences: len(compareWithPolicy(ctx, p, s))})
	}
	slices.SortStableFunc(found, func(x, y policyMatch) int {
		if x.Differences != y.Differences {
			return x.Differences - y.Differences
		}
		return strings.Compare(x.Name, y.Name)
	})
	exact := slices.IndexFunc(found, func(m policyMatch) bool { return m.Differences > 0 })
	if exact < 0 {
		exact = len(found)
	}
	return found[:min(len(found), max(exact, 3))]
}

// mayMatch sorts out policies with other versions, or without a suite that was chosen.
func (a *scanAgainst) mayMatch(p *policy.Policy, r *scan.Report) bool {
	var spoken []string
	for _, v := range p.Versions {
		if !slices.Contains(p.BlockedVersions, v) {
			spoken = append(spoken, v.String())
		}
	}
	if len(spoken) != len(r.Versions) {
		return false
	}
	for _, v := range r.Versions {
		if !slices.Contains(spoken, v) {
			return false
		}
		for _, name := range r.Ciphers[v] {
			if suite, ok := wire.CipherSuiteByName(name); !ok || !slices.Contains(p.CipherSuites, suite) {
				return false
			}
		}
	}
	return true
}
