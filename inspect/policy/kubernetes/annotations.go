package kubernetes

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
	"github.com/tlstriage/tlstriage/inspect/policy/openssl"
)

const (
	prefix          = "nginx.ingress.kubernetes.io/"
	sourceAuthTLS   = "ingress-nginx: annotation auth-tls-verify-client"
	sourceProxySSL  = "ingress-nginx: internal/ingress/annotations/proxyssl/main.go; without proxy-ssl-secret nginx's own"
	defaultProxySSL = "TLSv1 TLSv1.1 TLSv1.2"
)

// annotations are those of ingress-nginx on an Ingress.
type annotations struct {
	*reader
	ingress *document.Node
}

func (a annotations) get(name string) *document.Node { return annotation(a.ingress, prefix+name) }

// apply changes what one Ingress says otherwise than the controller.
func (a annotations) apply(e *imported.Endpoint, context *openssl.Context) {
	if ciphers := a.get("ssl-ciphers"); !ciphers.Empty() {
		context.Ciphers = ciphers.Text()
		a.Fact(e, prefix+"ssl-ciphers", ciphers)
	}
	if prefer := a.get("ssl-prefer-server-ciphers"); prefer.Present() {
		context.ServerPreference = prefer.True()
		a.Fact(e, prefix+"ssl-prefer-server-ciphers", prefer)
		if !prefer.True() && !strings.EqualFold(prefer.Text(), "false") {
			a.Problem(prefer, "ssl-prefer-server-ciphers: %s is neither true nor false", document.Quote(prefer.Text()))
		}
	}
	context.ClientAuth = a.clientAuth(e)
}

// clientAuth: auth-tls-secret turns it on, auth-tls-verify-client says how.
func (a annotations) clientAuth(e *imported.Endpoint) policy.ClientAuth {
	secret, verify := a.get("auth-tls-secret"), a.get("auth-tls-verify-client")
	if secret.Empty() {
		if !verify.Empty() {
			a.Problem(verify, "auth-tls-verify-client without auth-tls-secret does nothing")
		}
		return policy.ClientAuthNone
	}
	a.Fact(e, prefix+"auth-tls-secret", secret)
	if cn := a.get("auth-tls-match-cn"); cn.Present() {
		a.Fact(e, prefix+"auth-tls-match-cn", cn)
	}
	if verify.Present() {
		a.Fact(e, prefix+"auth-tls-verify-client", verify)
	} else {
		e.Assume(prefix+"auth-tls-verify-client", "on", sourceAuthTLS)
	}
	switch verify.Text() {
	case "off":
		return policy.ClientAuthNone
	case "optional", "optional_no_ca":
		return policy.ClientAuthRequest
	case "", "on":
	default:
		a.Problem(verify, "auth-tls-verify-client: %s is not understood; ingress-nginx takes on", document.Quote(verify.Text()))
	}
	// nginx lets a client without a certificate finish the handshake and answers 400.
	return policy.ClientAuthRequire
}

// unknown tells annotations that bear on TLS and are not understood.
func (a annotations) unknown() {
	known := []string{
		"ssl-ciphers", "ssl-prefer-server-ciphers", "ssl-passthrough", "ssl-redirect", "force-ssl-redirect", "preserve-trailing-slash", "auth-tls-secret",
		"auth-tls-verify-client", "auth-tls-verify-depth", "auth-tls-error-page", "auth-tls-pass-certificate-to-upstream", "auth-tls-match-cn", "backend-protocol",
		"proxy-ssl-secret", "proxy-ssl-ciphers", "proxy-ssl-name", "proxy-ssl-protocols", "proxy-ssl-verify", "proxy-ssl-verify-depth", "proxy-ssl-server-name",
		"server-alias",
	}
	for key, value := range a.ingress.At("metadata", "annotations").All() {
		name, ours := strings.CutPrefix(key, prefix)
		switch {
		case strings.HasPrefix(key, "nginx.org/") || strings.HasPrefix(key, "nginx.com/"):
			if strings.Contains(key, "ssl") || strings.Contains(key, "http2") || strings.Contains(key, "snippet") {
				a.Problem(value, "%s belongs to another controller, NGINX Ingress Controller of F5, and is not understood", document.Quote(key))
			}
		case !ours:
		case strings.HasSuffix(name, "-snippet"):
			if strings.Contains(value.Text(), "ssl_") {
				a.Problem(value, "%s: its ssl directives are not applied here", name)
			}
		case name == "from-to-www-redirect" && value.True():
			a.Problem(value, "from-to-www-redirect makes a second server, with or without www., which is not imported")
		case (strings.Contains(name, "ssl") || strings.Contains(name, "tls")) && !slices.Contains(known, name):
			a.Problem(value, "annotation %s is not understood", document.Quote(key))
		}
	}
}

// backendSide is what nginx offers to the backends of an Ingress with an HTTPS or GRPCS backend protocol.
func (r *reader) backendSide(s *settings, n *document.Node, a annotations) {
	protocol := a.get("backend-protocol")
	switch strings.ToUpper(protocol.Text()) {
	case "HTTPS", "GRPCS":
	case "", "HTTP", "GRPC", "AJP", "FCGI", "AUTO_HTTP":
		return
	default:
		r.Problem(protocol, "backend-protocol: %s is not understood", document.Quote(protocol.Text()))
		return
	}
	e := &imported.Endpoint{System: "ingress-nginx", Version: s.version, Side: imported.Client, Name: namespaceOf(n) + "/" + nameOf(n) + " backends", Spans: []imported.Span{r.span(n)}}
	r.Fact(e, prefix+"backend-protocol", protocol)
	for _, rule := range n.At("spec", "rules").Items() {
		for _, path := range rule.At("http", "paths").Items() {
			service := path.At("backend", "service")
			port := service.At("port", "number").Text() + service.At("port", "name").Text()
			if where := service.Get("name").Text() + ":" + port; service.Present() && !slices.Contains(e.Listen, where) {
				e.Listen = append(e.Listen, where)
			}
		}
	}
	context := openssl.Context{Options: s.context.Options, Client: true}
	protocols := "TLSv1.2 TLSv1.3"
	if secret := a.get("proxy-ssl-secret"); secret.Present() {
		r.Fact(e, prefix+"proxy-ssl-secret", secret)
		protocols = defaultProxySSL
		if list := a.get("proxy-ssl-ciphers"); list.Present() {
			context.Ciphers = list.Text()
			r.Fact(e, prefix+"proxy-ssl-ciphers", list)
		} else {
			e.Assume(prefix+"proxy-ssl-ciphers", "DEFAULT", sourceProxySSL)
		}
		if list := a.get("proxy-ssl-protocols"); list.Present() {
			protocols = list.Text()
			r.Fact(e, prefix+"proxy-ssl-protocols", list)
		} else {
			e.Assume(prefix+"proxy-ssl-protocols", protocols, sourceProxySSL)
		}
	} else {
		e.Assume(prefix+"proxy-ssl-protocols", protocols, sourceProxySSL)
		for _, name := range []string{"proxy-ssl-ciphers", "proxy-ssl-protocols", "proxy-ssl-name", "proxy-ssl-server-name"} {
			if value := a.get(name); value.Present() {
				r.Problem(value, "%s without proxy-ssl-secret does nothing", name)
			}
		}
	}
	for word := range strings.FieldsSeq(protocols) {
		v, ok := openssl.Protocol(word)
		if !ok {
			r.Problem(a.get("proxy-ssl-protocols"), "proxy-ssl-protocols: nginx knows no protocol %s", document.Quote(word))
			continue
		}
		context.Versions = append(context.Versions, v)
	}
	p, notes, errs := context.Policy()
	for _, err := range errs {
		r.report(a.get("proxy-ssl-ciphers"), context, err)
	}
	for _, note := range notes {
		e.Assume("security level", note, "OpenSSL, SSL_CTX_set_security_level(3)")
	}
	if strings.EqualFold(protocol.Text(), "GRPCS") {
		p.ALPN = []string{"h2"}
	}
	r.sentName(e, p, a)
	p.Name, p.Provider, p.Product = e.Name, "ingress-nginx", "backends"
	e.Policy = p
	r.Add(e)
}

// sentName: nginx sends no name unless proxy-ssl-server-name is on; then proxy-ssl-name, or the name of the upstream block.
func (r *reader) sentName(e *imported.Endpoint, p *policy.Policy, a annotations) {
	on, name := a.get("proxy-ssl-server-name"), a.get("proxy-ssl-name")
	if a.get("proxy-ssl-secret").Empty() || on.Text() != "on" {
		e.Assume(prefix+"proxy-ssl-server-name", "off", sourceProxySSL)
		return
	}
	r.Fact(e, prefix+"proxy-ssl-server-name", on)
	if name.Empty() {
		p.Names = []string{"upstream_balancer"}
		e.Assume(prefix+"proxy-ssl-name", "upstream_balancer", sourceProxySSL)
		return
	}
	r.Fact(e, prefix+"proxy-ssl-name", name)
	p.Names = []string{name.Text()}
}
