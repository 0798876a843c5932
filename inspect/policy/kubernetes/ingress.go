package kubernetes

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
	"github.com/tlstriage/tlstriage/inspect/policy/openssl"
)

// ingressNginx makes endpoints of the Ingresses, and one of the controller's default server.
func (r *reader) ingressNginx() {
	if len(r.ingresses) == 0 && r.configMap() == nil {
		return
	}
	s := r.globals()
	taken := make(map[string]string)
	for _, n := range r.ingresses {
		if r.Full() {
			break
		}
		switch class, at := r.class(n); {
		case class == "alb":
			r.albIngress(n)
		case class != "":
			r.Problem(at, "Ingress %s is of class %s: what its controller makes of TLS is not known here", document.Quote(nameOf(n)), document.Quote(class))
		default:
			r.ingress(s, n, taken)
		}
	}
	e := &imported.Endpoint{System: "ingress-nginx", Version: s.version, Side: imported.Server, Name: "_", Listen: []string{":443"}, Default: true, Facts: slices.Clone(s.facts)}
	context := s.context
	if secret := r.controller.defaultSecret; secret.Present() {
		r.Fact(e, "default-ssl-certificate", secret)
		if leaf := r.certificate(e, "default", secret); leaf != nil {
			context.Certificates = []openssl.Certificate{{Type: leaf.Type, Bits: leaf.Bits}}
		}
	} else {
		context.Certificates = []openssl.Certificate{{Type: policy.CertRSA, Bits: 2048}}
		e.Assume("default-ssl-certificate", "self-signed, RSA", sourceFake)
	}
	r.finish(e, s, &context, nil, s.data)
	if s.rejects.Present() {
		e.Policy.Names, e.Policy.SNIRequired = []string{}, true
		r.Fact(e, "ssl-reject-handshake", s.rejects)
	}
	r.MaxEndpoints = maxEndpoints // there is always a place for it
	r.Add(e)
}

// class is the class of an Ingress where it is not ingress-nginx's: empty for that one, and where none is named.
func (r *reader) class(n *document.Node) (string, *document.Node) {
	at := n.At("spec", "ingressClassName")
	if at.Empty() {
		at = annotation(n, "kubernetes.io/ingress.class")
	}
	class := at.Text()
	controller, known := r.classes["IngressClass/"+class]
	switch {
	case known && controller == "k8s.io/ingress-nginx":
		return "", at
	case known && controller == "ingress.k8s.aws/alb":
		return "alb", at
	case class == "", !known && strings.Contains(class, "nginx") && class != "nginx-inc":
		return "", at
	}
	return class, at
}

func annotation(n *document.Node, key string) *document.Node {
	return n.At("metadata", "annotations").Get(key)
}

// served is a group of hosts that share a certificate.
type served struct {
	hosts  []string
	secret *document.Node // nil: the default certificate
	at     *document.Node
}

// ingress makes an endpoint for each certificate of an Ingress, and the client's side of its backends.
func (r *reader) ingress(s *settings, n *document.Node, taken map[string]string) {
	a := annotations{r, n}
	a.unknown()
	r.backendSide(s, n, a)
	if passes := a.get("ssl-passthrough"); passes.True() {
		if r.controller.passthrough || r.controller.versionAt == nil {
			r.Problem(passes, "ssl-passthrough: TLS goes through to the backends, which decide")
			return
		}
		r.Problem(passes, "ssl-passthrough without --enable-ssl-passthrough of the controller does nothing")
	}
	for _, group := range r.groups(n, a) {
		group.hosts = slices.DeleteFunc(group.hosts, func(host string) bool {
			other, twice := taken[host]
			if twice && other != nameOf(n) {
				r.Problem(group.at, "host %s stands in Ingress %s, too: the settings of the older one win, here those of %s", document.Quote(host), document.Quote(other), document.Quote(other))
			}
			taken[host] = nameOf(n)
			return twice && other != nameOf(n)
		})
		if len(group.hosts) == 0 {
			continue
		}
		if r.Full() {
			return
		}
		e := &imported.Endpoint{System: "ingress-nginx", Version: s.version, Side: imported.Server, Name: group.hosts[0], Listen: []string{":443"}, Facts: slices.Clone(s.facts), Spans: []imported.Span{r.span(n)}}
		context := s.context
		a.apply(e, &context)
		switch {
		case group.secret.Present():
			r.Fact(e, "secretName", group.secret)
			if leaf := r.certificate(e, namespaceOf(n), group.secret); leaf != nil {
				context.Certificates = []openssl.Certificate{{Type: leaf.Type, Bits: leaf.Bits}}
				for _, host := range group.hosts {
					if !leaf.Covers(host) {
						r.Problem(group.secret, "the certificate in Secret %s is not for %s: ingress-nginx serves its default certificate there", document.Quote(group.secret.Text()), document.Quote(host))
					}
				}
			}
		case r.controller.defaultSecret.Present():
			if leaf := r.certificate(e, "default", r.controller.defaultSecret); leaf != nil {
				context.Certificates = []openssl.Certificate{{Type: leaf.Type, Bits: leaf.Bits}}
			}
		default:
			context.Certificates = []openssl.Certificate{{Type: policy.CertRSA, Bits: 2048}}
			e.Assume("default-ssl-certificate", "self-signed, RSA", sourceFake)
		}
		r.finish(e, s, &context, group.hosts, group.at)
		e.Facts = append(e.Facts, imported.Fact{File: r.File, Line: group.at.Position(), Setting: "hosts", Value: strings.Join(group.hosts, " ")})
		r.Add(e)
	}
}

// groups are the hosts of an Ingress by certificate. Every host of a rule answers on the TLS port, with or without a certificate
// of its own.
func (r *reader) groups(n *document.Node, a annotations) []served {
	var rules, covered []string
	for _, rule := range n.At("spec", "rules").Items() {
		if len(rules) == maxHosts {
			r.Problem(rule, "more than %d hosts of one Ingress: the rest is left out", maxHosts)
			break
		}
		if host := strings.ToLower(rule.Get("host").Text()); host != "" && !slices.Contains(rules, host) {
			rules = append(rules, host)
		}
	}
	if aliases := a.get("server-alias"); aliases.Present() {
		for alias := range strings.SplitSeq(aliases.Text(), ",") {
			if alias = strings.ToLower(strings.TrimSpace(alias)); strings.HasPrefix(alias, "~") {
				r.Problem(aliases, "server-alias %s: a policy cannot say such names", document.Quote(alias))
			} else if alias != "" {
				rules = append(rules, alias)
			}
		}
	}
	var out []served
	for _, tls := range n.At("spec", "tls").Items() {
		group := served{secret: tls.Get("secretName"), at: tls}
		if hosts := tls.Get("hosts"); hosts.Present() {
			group.at = hosts
			names := hosts.Texts()
			for _, host := range names[:min(len(names), max(0, maxHosts-len(covered)))] {
				group.hosts = append(group.hosts, strings.ToLower(host))
			}
		} else {
			group.hosts = slices.DeleteFunc(slices.Clone(rules), func(h string) bool { return slices.Contains(covered, h) })
		}
		if group.secret.Empty() {
			group.secret = nil
		}
		for _, host := range group.hosts {
			if !slices.Contains(rules, host) && len(rules) > 0 {
				r.Problem(group.at, "tls host %s is in no rule: ingress-nginx has no server for it", document.Quote(host))
			}
		}
		covered = append(covered, group.hosts...)
		out = append(out, group)
	}
	rest := slices.DeleteFunc(slices.Clone(rules), func(h string) bool { return slices.Contains(covered, h) })
	if len(rest) > 0 {
		if n.At("spec", "tls").Present() {
			r.Problem(n.At("spec", "rules"), "hosts without a tls entry (%s) answer with the default certificate", document.Quote(strings.Join(rest, " ")))
		}
		out = append(out, served{hosts: rest, at: n.At("spec", "rules")})
	}
	return out
}

// finish turns the context into the endpoint's policy.
func (r *reader) finish(e *imported.Endpoint, s *settings, context *openssl.Context, hosts []string, at *document.Node) {
	p, notes, errs := context.Policy()
	for _, err := range errs {
		r.report(r.about(e, err, at), *context, err)
	}
	for _, note := range notes {
		e.Assume("security level", note, "OpenSSL, SSL_CTX_set_security_level(3)")
	}
	p.Name, p.Provider, p.Product = e.Name, "ingress-nginx", "server"
	p.ALPN, p.ALPNRequired = slices.Clone(s.alpn), s.strict
	e.Assume("ALPN", strings.Join(s.alpn, " "), "nginx: src/http/modules/ngx_http_ssl_module.c")
	for _, host := range hosts {
		if rest, wild := strings.CutPrefix(host, "*."); wild {
			host = "**." + rest // nginx takes any number of labels
		}
		p.Names = append(p.Names, host)
	}
	e.Policy = p
}

// about is where the setting stands that an error of OpenSSL's is about.
func (r *reader) about(e *imported.Endpoint, err error, otherwise *document.Node) *document.Node {
	for _, about := range [...][2]string{{"cipher string", "ssl-ciphers"}, {"groups", "ssl-ecdh-curve"}, {"Diffie", "ssl-dh-param"}, {"RSA key", "secretName"}} {
		if !strings.Contains(err.Error(), about[0]) {
			continue
		}
		for _, f := range slices.Backward(e.Facts) {
			if f.Line > 0 && strings.HasSuffix(f.Setting, about[1]) {
				return document.NewText(f.Line, f.Value)
			}
		}
	}
	return otherwise
}

// albIngress is an Ingress of the AWS Load Balancer Controller.
func (r *reader) albIngress(n *document.Node) {
	const prefix = "alb.ingress.kubernetes.io/"
	name, ref := annotation(n, prefix+"ssl-policy"), "ELBSecurityPolicy-2016-08"
	e := &imported.Endpoint{System: "aws-elb", Side: imported.Server, Name: namespaceOf(n) + "/" + nameOf(n), Listen: []string{":443"}, Default: true, Spans: []imported.Span{r.span(n)}}
	if name.Empty() {
		e.Assume(prefix+"ssl-policy", ref, "AWS Load Balancer Controller: default of the ELB API")
	} else {
		ref = name.Text()
		r.Fact(e, prefix+"ssl-policy", name)
	}
	p, err := r.finder.Find("aws/" + ref)
	if err != nil {
		r.Problem(name, "ssl-policy: %v", err)
		return
	}
	p.ALPN, p.ClientAuth = []string{"h2", "http/1.1"}, policy.ClientAuthNone
	if mutual := annotation(n, prefix+"mutual-authentication"); mutual.Present() {
		r.Fact(e, prefix+"mutual-authentication", mutual)
		switch {
		case strings.Contains(mutual.Text(), "verify"):
			p.ClientAuth = policy.ClientAuthRequire
		case strings.Contains(mutual.Text(), "passthrough"):
			p.ClientAuth = policy.ClientAuthRequest
		}
	}
	if arn := annotation(n, prefix+"certificate-arn"); arn.Present() {
		r.Fact(e, prefix+"certificate-arn", arn)
	}
	e.Policy = p
	r.Add(e)
}
