package export

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
)

// nearest is the built-in policy of a provider's product that comes closest; the one of the same name goes before others that are as
// close, and the one with the suites in the same order before that.
func (w *writer) nearest(provider, product string) *policy.Policy {
	var best *policy.Policy
	var bestScore [3]int
	for candidate := range policy.All() {
		if candidate.Provider != provider || candidate.Product != product {
			continue
		}
		c := candidate.Normalize()
		score := [3]int{distance(w.p, c), 1, 1}
		if slices.Equal(c.CipherSuites, w.p.CipherSuites) {
			score[1] = 0
		}
		if c.Name == w.p.Name {
			score[2] = 0
		}
		if best == nil || slices.Compare(score[:], bestScore[:]) < 0 {
			best, bestScore = candidate, score
		}
	}
	return best
}

// bare is a provider's own name of its policy.
func bare(p *policy.Policy) string {
	return p.Name[strings.IndexByte(p.Name, '/')+1:]
}

func writeApplicationBalancer(w *writer) error { return w.balancer(true) }

func writeNetworkBalancer(w *writer) error { return w.balancer(false) }

// balancer writes the input of ModifyListener, which names one of AWS's own policies: there are no others.
func (w *writer) balancer(application bool) error {
	m := w.nearest("aws", "ALB/NLB")
	w.means = m
	name := bare(m)
	own := "Elastic Load Balancing has named policies only, and " + name + " is the nearest"
	for _, kind := range []Kind{LossVersions, LossBlockedVersions, LossSuites, LossPreference, LossEqualPreference, LossGroups, LossSchemes, LossDHParameters} {
		w.why[kind] = own
	}
	if distance(w.p, m) == 0 {
		w.note("%s is the policy of AWS that accepts the same", name)
	} else {
		w.note("%s is the nearest of the policies of AWS; there are no others to choose from", name)
	}
	w.why[LossNames] = "without a certificate for the name the default certificate is served"
	w.why[LossSNIRequired] = w.why[LossNames]
	w.why[LossALPNRequired] = "the load balancer goes on without a protocol in common"
	m.ClientAuth = policy.ClientAuthNone
	kind, protocol := "app", "HTTPS"
	if !application {
		kind, protocol = "net", "TLS"
	}
	w.line("ListenerArn: arn:aws:elasticloadbalancing:us-east-1:111122223333:listener/%s/my-load-balancer/50dc6c495c0c9188/f2f7dc8efc522ab2", kind)
	w.line("Port: 443")
	w.line("Protocol: %s", protocol)
	w.line("SslPolicy: %s", name)
	if application {
		w.applicationOnly(m)
	} else {
		w.networkALPN(m)
		w.why[LossClientAuth] = "a Network Load Balancer asks for no certificate"
	}
	w.note("the ARNs stand for your own")
	w.run("aws elbv2 modify-listener --cli-input-yaml file://listener.yaml")
	return nil
}

func (w *writer) applicationOnly(m *policy.Policy) {
	m.ALPN = []string{"h2", "http/1.1"}
	w.why[LossALPN] = "an Application Load Balancer negotiates h2 and http/1.1"
	switch m.ClientAuth = cmp.Or(w.p.ClientAuth, policy.ClientAuthNone); m.ClientAuth {
	case policy.ClientAuthRequest:
		w.line("MutualAuthentication:")
		w.line("  Mode: passthrough")
	case policy.ClientAuthRequire:
		w.line("MutualAuthentication:")
		w.line("  Mode: verify")
		w.line("  TrustStoreArn: arn:aws:elasticloadbalancing:us-east-1:111122223333:truststore/my-trust-store/73e2d6bc24d8a063")
	}
}

// networkALPN takes the ALPN policy with the protocols in the same order, or else the one that has the fewest others.
func (w *writer) networkALPN(m *policy.Policy) {
	w.why[LossALPN] = "a Network Load Balancer has a few ALPN policies"
	choices := []struct {
		name      string
		protocols []string
	}{
		{"None", nil}, {"HTTP2Preferred", []string{"h2", "http/1.1", "http/1.0"}}, {"HTTP2Optional", []string{"http/1.1", "http/1.0", "h2"}},
		{"HTTP2Only", []string{"h2"}}, {"HTTP1Only", []string{"http/1.1", "http/1.0"}},
	}
	best, bestScore := 0, 1<<30
	for i, c := range choices {
		score := 2 * apart(w.p.ALPN, c.protocols)
		if len(w.p.ALPN) > 0 && len(c.protocols) > 0 && w.p.ALPN[0] != c.protocols[0] {
			score++
		}
		if score < bestScore {
			best, bestScore = i, score
		}
	}
	m.ALPN = choices[best].protocols
	if best > 0 {
		w.line("AlpnPolicy:")
		w.line("- %s", choices[best].name)
	}
}
