package policy_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// localProbes are measurements of servers with their defaults: which suites they chose, one after the other, from a hello that
// offers everything, each chosen one being left out of the next hello.
type localProbes struct {
	Probes map[string]map[string]struct {
		Versions map[string]struct {
			Accepted   bool     `json:"accepted"`
			Ascending  []string `json:"probe_ascending"`
			Descending []string `json:"probe_descending"`
			End        struct {
				Alert []int `json:"alert"`
			} `json:"end"`
		} `json:"versions"`
		Groups12 groupProbe `json:"tls12_groups"`
		Groups13 groupProbe `json:"tls13_groups"`
	} `json:"probes"`
}

type groupProbe struct {
	Order   []string `json:"order"`
	Reverse []string `json:"reverse_offer"`
}

// everything is a hello that offers all suites and groups, for one version.
func everything(v wire.Version, suites []wire.CipherSuite, groups []wire.NamedGroup) helloForm {
	f := helloForm{legacy: min(v, wire.VersionTLS12), suites: suites, groups: groups, name: "localhost"}
	for s := range 1 << 12 {
		if scheme := wire.SignatureScheme(s); scheme.String()[:2] != "0x" {
			f.schemes = append(f.schemes, scheme)
		}
	}
	if v == wire.VersionTLS13 {
		f.versions = []wire.Version{v}
	}
	return f
}

// TestMeasuredServersAnswerAsPredicted repeats the measurements on paper.
func TestMeasuredServersAnswerAsPredicted(t *testing.T) {
	data, err := fs.ReadFile(sharedFacts(t), "local-probes.json")
	if err != nil {
		t.Fatal(err)
	}
	var probes localProbes
	if err := json.Unmarshal(data, &probes); err != nil {
		t.Fatal(err)
	}
	policies := map[string]string{
		"caddy-2.6.2": "caddy-2.6.2", "gnutls-serv-3.7.9": "gnutls-3.7-NORMAL", "go1.26.8": "go-1.26", "haproxy-2.6.12": "haproxy-2.2+-openssl-3.0",
		"nginx-1.22.1": "nginx-1.22.1-openssl-3.0", "node-20.20.2": "node-20", "openssl-s_server-3.0.22": "openssl-s_server-3.0",
		"python-3.11.7-ssl": "python-3.11", "stunnel-5.68": "stunnel-5.68-openssl-3.0",
	}
	var suites []wire.CipherSuite
	for s := range 1 << 16 {
		suite := wire.CipherSuite(s)
		if info, ok := suite.Info(); ok && !info.Signal() {
			suites = append(suites, suite)
		}
	}
	var groups []wire.NamedGroup
	for _, name := range []string{"X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024", "x25519", "secp256r1", "secp384r1", "secp521r1", "x448",
		"ffdhe2048", "ffdhe3072", "ffdhe4096", "ffdhe6144", "ffdhe8192"} {
		g, ok := wire.NamedGroupByName(name)
		if !ok {
			t.Fatalf("no group %s", name)
		}
		groups = append(groups, g)
	}
	for server, ref := range policies {
		for kind, certificate := range map[string]policy.CertificateType{"rsa": policy.CertRSA, "ec": policy.CertECDSAP256} {
			probe, ok := probes.Probes[server][kind]
			if !ok {
				t.Fatalf("no probe of %s with %s", server, kind)
			}
			t.Run(server+" "+kind, func(t *testing.T) {
				p := lookup(t, ref)
				p.Certificates = []policy.CertificateType{certificate}
				for name, measured := range probe.Versions {
					v, _ := wire.VersionByName(name)
					ascending, end := chosenSuites(t, p, v, suites, groups)
					if len(measured.End.Alert) == 2 && int(end) != measured.End.Alert[1] {
						t.Errorf("%s ends with %v, measured %d", name, end, measured.End.Alert[1])
					}
					if v == wire.VersionTLS13 {
						continue // the order within three suites is in the tests with live servers
					}
					reversed := slices.Clone(suites)
					slices.Reverse(reversed)
					descending, _ := chosenSuites(t, p, v, reversed, groups)
					if !slices.Equal(ascending, measured.Ascending) {
						t.Errorf("%s: predicted %v\nmeasured %v", name, ascending, measured.Ascending)
					}
					if !slices.Equal(descending, measured.Descending) {
						t.Errorf("%s, reversed: predicted %v\nmeasured %v", name, descending, measured.Descending)
					}
				}
				for v, measured := range map[wire.Version]groupProbe{wire.VersionTLS12: probe.Groups12, wire.VersionTLS13: probe.Groups13} {
					got := chosenGroups(t, p, v, suites, groups)
					if !slices.Equal(got, measured.Order) {
						t.Errorf("%v groups: predicted %v\nmeasured %v", v, got, measured.Order)
					}
					// The second run offered what the first had found, the other way round.
					reversed := slices.DeleteFunc(slices.Clone(groups), func(g wire.NamedGroup) bool { return !slices.Contains(got, g.String()) })
					slices.SortFunc(reversed, func(a, b wire.NamedGroup) int { return slices.Index(got, b.String()) - slices.Index(got, a.String()) })
					if got := chosenGroups(t, p, v, suites, reversed); !slices.Equal(got, measured.Reverse) {
						t.Errorf("%v groups, reversed: predicted %v\nmeasured %v", v, got, measured.Reverse)
					}
				}
			})
		}
	}
}

func chosenSuites(t *testing.T, p *policy.Policy, v wire.Version, suites []wire.CipherSuite, groups []wire.NamedGroup) (chosen []string, end wire.AlertDescription) {
	suites = slices.Clone(suites)
	for {
		r := policy.Negotiate(parse(t, everything(v, suites, groups)), p)
		if !r.Accepted {
			return chosen, r.Alert
		}
		chosen = append(chosen, fmt.Sprintf("%04x", uint16(r.CipherSuite)))
		suites = slices.DeleteFunc(suites, func(s wire.CipherSuite) bool { return s == r.CipherSuite })
	}
}

// chosenGroups offers nothing that does without a group.
func chosenGroups(t *testing.T, p *policy.Policy, v wire.Version, suites []wire.CipherSuite, groups []wire.NamedGroup) (chosen []string) {
	groups = slices.Clone(groups)
	suites = slices.DeleteFunc(slices.Clone(suites), func(s wire.CipherSuite) bool {
		info, _ := s.Info()
		return info.KeyExchange != "ECDHE" && !info.TLS13()
	})
	for len(groups) > 0 {
		r := policy.Negotiate(parse(t, everything(v, suites, groups)), p)
		if !r.Accepted {
			break
		}
		chosen = append(chosen, r.Group.String())
		groups = slices.DeleteFunc(groups, func(g wire.NamedGroup) bool { return g == r.Group })
	}
	return chosen
}
