package cloud

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Where defaults of AWS are documented.
const (
	sourceELBDefault = "Elastic Load Balancing: default of the API, the CLI and CloudFormation"
	sourceALBHTTP2   = "Application Load Balancers: HTTP/2 is on unless the attribute routing.http2.enabled is off"
	sourceNLBALPN    = "Network Load Balancers: ALPN policies"
	sourceSNI        = "Elastic Load Balancing: without a certificate for the name the default certificate is served"
)

// defaultSSLPolicy is the policy of a listener that was made without naming one.
const defaultSSLPolicy = "ELBSecurityPolicy-2016-08"

// listeners reads `aws elbv2 describe-listeners`, or the input of create-listener or modify-listener: Application and Network Load
// Balancers. An input that changes the policy alone names no protocol.
func (r *reader) listeners(n *document.Node) {
	for _, l := range each(n, "Listeners") {
		switch protocol := l.Get("Protocol"); protocol.Text() {
		case "HTTPS", "TLS":
			r.listener(l)
		case "HTTP", "TCP", "UDP", "TCP_UDP", "GENEVE", "QUIC", "TCP_QUIC":
			// no TLS is terminated here
		case "":
			if l.Get("SslPolicy").Present() {
				r.listener(l)
				break
			}
			r.Problem(l, "listener: neither Protocol nor SslPolicy")
		default:
			r.Problem(l, "Protocol: %s is not understood", document.Quote(protocol.Text()))
		}
	}
}

// each are the items of a key, or n itself where a query took it out of the list.
func each(n *document.Node, key string) []*document.Node {
	if list := n.Get(key); list.Present() {
		return list.Items()
	}
	return []*document.Node{n}
}

func (r *reader) listener(l *document.Node) {
	e := &imported.Endpoint{System: "aws-elb", Side: imported.Server, Default: true}
	application := strings.Contains(l.Get("ListenerArn").Text(), ":listener/app/") || l.Get("Protocol").Text() == "HTTPS"
	e.Name = balancerOf(l.Get("LoadBalancerArn").Text(), l.Get("ListenerArn").Text())
	if port := l.Get("Port"); port.Present() {
		e.Listen = []string{":" + port.Text()}
		e.Name += ":" + port.Text()
	}
	r.unknownKeys(l, "listener", "ListenerArn", "LoadBalancerArn", "Port", "Protocol", "Certificates", "SslPolicy", "DefaultActions", "AlpnPolicy", "MutualAuthentication", "Tags")

	var p *policy.Policy
	name := l.Get("SslPolicy")
	if name.Empty() {
		p, _ = policy.Lookup("aws/" + defaultSSLPolicy)
		e.Assume("SslPolicy", defaultSSLPolicy, sourceELBDefault)
	} else {
		p = r.named(name, "SslPolicy", "aws/"+name.Text())
		r.Fact(e, "SslPolicy", name)
	}
	if p == nil {
		return
	}
	e.Policy = p
	r.protocols(e, l, application)
	r.mutual(e, l.Get("MutualAuthentication"))
	for _, certificate := range l.Get("Certificates").Items() {
		if arn := certificate.Get("CertificateArn"); !arn.Empty() {
			r.Fact(e, "Certificates", arn)
		}
	}
	e.Assume("server names", "any", sourceSNI)
	r.Add(e)
}

// balancerOf is the name of a load balancer: the third part from the end of its ARN's resource.
func balancerOf(arns ...string) string {
	for _, arn := range arns {
		parts := strings.Split(arn, "/")
		for i, part := range parts {
			if (part == "app" || part == "net") && i+1 < len(parts) {
				return parts[i+1]
			}
		}
	}
	return "listener"
}

// protocols are what the listener negotiates with ALPN. Without one in common the handshake goes on.
func (r *reader) protocols(e *imported.Endpoint, l *document.Node, application bool) {
	alpn := l.Get("AlpnPolicy")
	if application {
		if !alpn.Empty() {
			r.Problem(alpn, "AlpnPolicy is for listeners of Network Load Balancers")
		}
		e.Policy.ALPN = []string{"h2", "http/1.1"}
		e.Assume("ALPN", "h2, http/1.1", sourceALBHTTP2)
		return
	}
	if alpn.Empty() {
		e.Assume("AlpnPolicy", "None", sourceNLBALPN)
		return
	}
	r.Fact(e, "AlpnPolicy", alpn)
	for _, word := range alpn.Texts() {
		switch word {
		case "None":
			e.Policy.ALPN = nil
		case "HTTP1Only":
			e.Policy.ALPN = []string{"http/1.1", "http/1.0"}
		case "HTTP2Only":
			e.Policy.ALPN = []string{"h2"}
		case "HTTP2Optional":
			e.Policy.ALPN = []string{"http/1.1", "http/1.0", "h2"}
		case "HTTP2Preferred":
			e.Policy.ALPN = []string{"h2", "http/1.1", "http/1.0"}
		default:
			r.Problem(alpn, "AlpnPolicy: %s is not understood", document.Quote(word))
		}
	}
}

// mutual reads MutualAuthentication. "passthrough" asks for a certificate and hands on whatever comes, be it none.
func (r *reader) mutual(e *imported.Endpoint, n *document.Node) {
	mode := n.Get("Mode")
	switch mode.Text() {
	case "", "off":
		e.Policy.ClientAuth = policy.ClientAuthNone
	case "passthrough":
		e.Policy.ClientAuth = policy.ClientAuthRequest
	case "verify":
		e.Policy.ClientAuth = policy.ClientAuthRequire
	default:
		r.Problem(mode, "MutualAuthentication: Mode %s is not understood", document.Quote(mode.Text()))
	}
	if mode.Present() {
		r.Fact(e, "MutualAuthentication.Mode", mode)
	}
}

// sslPolicies reads `aws elbv2 describe-ssl-policies`. What the output says wins; groups and signature schemes, of which it says
// nothing, are those of the built-in policy of the same name.
func (r *reader) sslPolicies(n *document.Node) {
	for _, item := range each(n, "SslPolicies") {
		r.unknownKeys(item, "SSL policy", "Name", "SslProtocols", "Ciphers", "SupportedLoadBalancerTypes")
		name := item.Get("Name").Text()
		e := &imported.Endpoint{System: "aws-elb", Side: imported.Server, Name: name, Default: true}
		p := &policy.Policy{Provider: "aws", Product: "ALB/NLB", Name: "aws/" + name, Family: policy.FamilyS2N, Preference: policy.PreferServer}
		if known, err := r.finder.Find("aws/" + name); err == nil {
			p.Groups, p.SignatureSchemes, p.Source = known.Groups, known.SignatureSchemes, known.Source
			e.Assume("groups, signature schemes", known.Name, "built-in policy of that name")
		} else {
			e.Assume("groups, signature schemes", "not known", "no built-in policy has the name")
		}
		for _, protocol := range item.Get("SslProtocols").Items() {
			v, ok := wire.VersionByName(protocol.Text())
			switch {
			case protocol.Text() == "SSLv2": // no endpoint speaks it any more, and no ClientHello offers it
			case !ok:
				r.Problem(protocol, "SslProtocols: %s is not understood", document.Quote(protocol.Text()))
			default:
				p.Versions = append(p.Versions, v)
			}
		}
		slices.Sort(p.Versions)
		p.Versions = slices.Compact(p.Versions)
		r.Fact(e, "SslProtocols", item.Get("SslProtocols"))
		p.CipherSuites = r.suites("Ciphers", byPriority(item.Get("Ciphers")))
		for _, c := range byPriority(item.Get("Ciphers")) {
			r.Fact(e, "Ciphers", c)
		}
		if len(p.Versions) == 0 || len(p.CipherSuites) == 0 {
			r.Problem(item, "policy %s has no protocols or no ciphers", document.Quote(name))
			continue
		}
		e.Policy = p
		r.Add(e)
	}
}

// byPriority are the names of ciphers in the order of their priorities, which is the server's.
func byPriority(n *document.Node) []*document.Node {
	type ranked struct {
		name *document.Node
		rank int
	}
	var all []ranked
	for i, c := range n.Items() {
		rank, err := strconv.Atoi(c.Get("Priority").Text())
		if err != nil {
			rank = i + 1
		}
		name := c.Get("Name")
		if c.Kind == document.Scalar {
			name = c
		}
		if name.Present() {
			all = append(all, ranked{name, rank})
		}
	}
	slices.SortStableFunc(all, func(a, b ranked) int { return cmp.Compare(a.rank, b.rank) })
	var out []*document.Node
	for _, c := range all {
		out = append(out, c.name)
	}
	return out
}
