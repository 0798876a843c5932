package cloud

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

const (
	negotiationPolicy = "SSLNegotiationPolicyType"
	classicDefault    = "ELBSecurityPolicy-2016-08"
)

// classicPolicies reads `aws elb describe-load-balancer-policies`: the predefined policies of Classic Load Balancers, or those of
// one of them. The input of `aws elb create-load-balancer-policy` is one such policy.
func (r *reader) classicPolicies(n *document.Node) {
	for _, item := range each(n, "PolicyDescriptions") {
		r.unknownKeys(item, "policy", "PolicyName", "PolicyTypeName", "PolicyAttributeDescriptions", "PolicyAttributes", "LoadBalancerName")
		name := item.Get("PolicyName").Text()
		switch kind := item.Get("PolicyTypeName"); kind.Text() {
		case negotiationPolicy:
			if e := r.classicPolicy(item, name); e != nil {
				r.custom[name] = e
				r.Add(e)
			}
		case "AppCookieStickinessPolicyType", "LBCookieStickinessPolicyType", "ProxyProtocolPolicyType", "PublicKeyPolicyType":
			// nothing that clients see of TLS
		case "BackendServerAuthenticationPolicyType":
			r.Problem(item, "policy %s pins the keys of backends, which a policy cannot say", document.Quote(name))
		default:
			r.Problem(item, "policy %s: type %s is not understood", document.Quote(name), document.Quote(kind.Text()))
		}
	}
}

// classicPolicy reads the attributes of one policy: Reference-Security-Policy, Protocol-*, Server-Defined-Cipher-Order, and the
// names of ciphers, which stand in the server's order.
func (r *reader) classicPolicy(item *document.Node, name string) *imported.Endpoint {
	e := &imported.Endpoint{System: "aws-clb", Side: imported.Server, Name: name, Default: true}
	p := &policy.Policy{Provider: "aws", Product: "Classic Load Balancer", Name: "aws/clb/" + name, Preference: policy.PreferClient}
	var reference *document.Node
	var ciphers []*document.Node
	attributes := item.Get("PolicyAttributeDescriptions")
	if !attributes.Present() {
		attributes = item.Get("PolicyAttributes")
	}
	for _, a := range attributes.Items() {
		attribute, value := a.Get("AttributeName"), a.Get("AttributeValue")
		if attribute.Text() == "Reference-Security-Policy" {
			reference = value
			r.Fact(e, attribute.Text(), value)
			continue
		}
		switch strings.ToLower(value.Text()) {
		case "true":
		case "false":
			continue
		default:
			r.Problem(value, "%s: %s is neither true nor false", attribute.Text(), document.Quote(value.Text()))
			continue
		}
		r.Fact(e, attribute.Text(), value)
		protocol, isProtocol := strings.CutPrefix(attribute.Text(), "Protocol-")
		v, known := wire.VersionByName(protocol)
		switch {
		case attribute.Text() == "Server-Defined-Cipher-Order":
			p.Preference = policy.PreferServer
		case protocol == "SSLv2":
			r.Problem(attribute, "Protocol-SSLv2 is on; no hello that is judged here offers it")
		case isProtocol && known:
			p.Versions = append(p.Versions, v)
		case isProtocol:
			r.Problem(attribute, "%s is not understood", document.Quote(attribute.Text()))
		default:
			ciphers = append(ciphers, attribute)
		}
	}
	slices.Sort(p.Versions)
	p.Versions = slices.Compact(p.Versions)
	p.CipherSuites = r.suites("cipher", ciphers)
	if len(p.Versions) > 0 && len(p.CipherSuites) > 0 {
		e.Policy = p
		return e
	}
	// The attributes may be left out where the policy is a predefined one by another name.
	if reference == nil {
		r.Problem(item, "policy %s has no protocols or no ciphers", document.Quote(name))
		return nil
	}
	if e.Policy = r.named(reference, "Reference-Security-Policy", "aws/clb/"+reference.Text()); e.Policy == nil {
		return nil
	}
	return e
}

// classicBalancers reads `aws elb describe-load-balancers`.
func (r *reader) classicBalancers(n *document.Node) {
	for _, balancer := range n.Get("LoadBalancerDescriptions").Items() {
		cookies := make(map[string]bool)
		for _, kind := range []string{"AppCookieStickinessPolicies", "LBCookieStickinessPolicies"} {
			for _, p := range balancer.At("Policies", kind).Items() {
				cookies[p.Get("PolicyName").Text()] = true
			}
		}
		for _, d := range balancer.Get("ListenerDescriptions").Items() {
			listener := d.Get("Listener")
			if protocol := listener.Get("Protocol").Text(); protocol == "HTTPS" || protocol == "SSL" {
				r.classicListener(balancer.Get("LoadBalancerName").Text(), d, cookies)
			}
			if inside := listener.Get("InstanceProtocol"); inside.Text() == "HTTPS" || inside.Text() == "SSL" {
				r.Problem(inside, "what a Classic Load Balancer offers to its instances is documented nowhere: only the client's side is imported")
			}
		}
	}
}

func (r *reader) classicListener(balancer string, d *document.Node, cookies map[string]bool) {
	port := d.At("Listener", "LoadBalancerPort")
	e := &imported.Endpoint{System: "aws-clb", Side: imported.Server, Name: balancer + ":" + port.Text(), Listen: []string{":" + port.Text()}, Default: true}
	if certificate := d.At("Listener", "SSLCertificateId"); !certificate.Empty() {
		r.Fact(e, "SSLCertificateId", certificate)
	}
	var unresolved *document.Node
	for _, name := range d.Get("PolicyNames").Items() {
		if cookies[name.Text()] {
			continue
		}
		custom := r.custom[name.Text()]
		known, err := r.finder.Find("aws/clb/" + name.Text())
		switch {
		case custom != nil:
			own := *custom.Policy
			e.Policy = &own
			r.Fact(e, "PolicyNames", name)
			e.Facts = append(e.Facts, custom.Facts...)
		case err == nil:
			e.Policy = known
			r.Fact(e, "PolicyNames", name)
		default:
			unresolved = name
		}
	}
	switch {
	case e.Policy != nil:
	case unresolved != nil:
		r.Problem(unresolved, "policy %s is neither predefined nor in this file; append the output of `aws elb describe-load-balancer-policies --load-balancer-name %s`", document.Quote(unresolved.Text()), balancer)
		return
	default:
		e.Policy, _ = policy.Lookup("aws/clb/" + classicDefault)
		e.Assume("PolicyNames", classicDefault, sourceELBDefault)
	}
	r.Add(e)
}
