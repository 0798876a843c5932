package configs

import (
	"fmt"
	"strings"
)

func (v *validator) listeners() {
	c := v.config
	if len(c.Listeners) == 0 {
		v.fail("listeners", "there is none: give --listen and --backend, or a configuration file")
	}
	if len(c.Listeners) > MaxListeners {
		v.fail("listeners", "%d of them exceed %d", len(c.Listeners), MaxListeners)
		return
	}
	names := make(map[string]string)
	addresses := make(map[string]string)
	if c.Admin.Enabled() {
		addresses[c.Admin.Address] = "admin.address"
	}
	for i := range c.Listeners {
		l, path := &c.Listeners[i], fmt.Sprintf("listeners[%d]", i)
		if !listenerName.MatchString(l.Name) {
			v.fail(path+".name", "%q: up to 63 letters, digits, dots, dashes and underscores are expected", clip(l.Name))
		}
		if first, again := names[l.Name]; again {
			v.fail(path+".name", "%q is the name of %s already", l.Name, first)
		}
		names[l.Name] = path
		if err := checkListenAddress(l.Address); err != nil {
			v.fail(path+".address", "%v", err)
		} else if first, again := addresses[l.Address]; again && !strings.HasSuffix(l.Address, ":0") {
			v.fail(path+".address", "%s is the address of %s already", l.Address, first)
		}
		addresses[l.Address] = path
		v.listener(l, path)
	}
}

func (v *validator) listener(l *Listener, path string) {
	oneOf(v, path+".mode", l.Mode, ModeBridge, ModeHTTP, ModePassthrough)
	if len(l.ForwardedTrusted) > 0 && l.Mode != ModeHTTP {
		v.fail(path+".forwarded_trusted", "has no effect but in mode http, where headers are read")
	}
	oneOf(v, path+".client_identity", l.ClientIdentity, IdentityOff, IdentityClientCert, IdentityXFCC)
	if l.ClientIdentity != IdentityOff && l.Mode != ModeHTTP {
		v.fail(path+".client_identity", "has no effect but in mode http, where headers are written")
	}
	oneOf(v, path+".starttls", l.StartTLS, StartTLSNone, StartTLSPostgres, StartTLSSMTP, StartTLSIMAP, StartTLSPOP3, StartTLSLDAP)
	if l.StartTLS != StartTLSNone && l.Mode == ModeHTTP {
		v.fail(path+".starttls", "has no effect in mode http")
	}
	oneOf(v, path+".original_dst", l.OriginalDst, OriginalDstOff, OriginalDstRedirect, OriginalDstTProxy)
	if l.OriginalDst != OriginalDstOff && l.QUIC == On {
		v.fail(path+".original_dst", "is %s, and quic is on: only TCP is redirected", l.OriginalDst)
	}
	if l.OriginalDst != OriginalDstOff && l.ProxyProtocol == On {
		v.fail(path+".original_dst", "is %s, and proxy_protocol is on: either the kernel tells where a client wanted to go, or a load balancer in front", l.OriginalDst)
	}
	oneOf(v, path+".proxy_protocol", l.ProxyProtocol, Off, On)
	oneOf(v, path+".client_auth", l.ClientAuth, ClientAuthNone, ClientAuthRequest, ClientAuthRequire)
	oneOf(v, path+".fallback", l.Fallback, FallbackRefuse, FallbackPassthrough)
	if len(l.ProxyProtocolTrusted) > 0 && l.ProxyProtocol == Off {
		v.fail(path+".proxy_protocol_trusted", "has no effect while proxy_protocol is off")
	}
	// A missing authority must never come to mean that nothing is checked, nor an unused one that something is.
	asks := l.ClientAuth == ClientAuthRequest || l.ClientAuth == ClientAuthRequire
	if asks && l.ClientCA == "" {
		v.fail(path+".client_auth", "%s needs client_ca, the authorities to hold client certificates against", l.ClientAuth)
	}
	if !asks && l.ClientCA != "" {
		v.fail(path+".client_ca", "has no effect while client_auth is none")
	}
	if !asks && l.ClientCRL != "" {
		v.fail(path+".client_crl", "has no effect while client_auth is none")
	}
	for i, pair := range l.Certificates {
		at := fmt.Sprintf("%s.certificates[%d]", path, i)
		if pair.Cert == "" {
			v.fail(at+".cert", "no file: a certificate needs both cert and key")
		}
		if pair.Key == "" {
			v.fail(at+".key", "no file: a certificate needs both cert and key")
		}
	}
	v.quic(l, path)
	if l.Mode == ModePassthrough {
		v.passthroughListener(l, path, asks)
	}
	v.routes(l, path)
}

// passthroughListener refuses what only termination can protect with. Certificates protect nothing by being unused: they
// are a warning, so that a mode can be tried without taking a configuration apart.
func (v *validator) passthroughListener(l *Listener, path string, asks bool) {
	const why = "has no effect in mode passthrough, where TLS is not terminated"
	if asks {
		v.fail(path+".client_auth", why)
	}
	if len(l.Certificates) > 0 {
		v.warn(path+".certificates", why)
	}
}

func (v *validator) routes(l *Listener, path string) {
	if len(l.Routes) == 0 {
		v.fail(path+".routes", "there is none: a listener needs at least one backend")
		return
	}
	if len(l.Routes) > MaxRoutes {
		v.fail(path+".routes", "%d of them exceed %d", len(l.Routes), MaxRoutes)
		return
	}
	taken := make(map[string]string)
	for i := range l.Routes {
		route, at := &l.Routes[i], fmt.Sprintf("%s.routes[%d]", path, i)
		v.serverNames(route, at, taken)
		if route.Enforce && route.Policy == "" {
			v.fail(at+".enforce", "needs a policy to enforce")
		}
		v.routeClients(l, route, at)
		v.backend(l, &route.Backend, at+".backend")
	}
	if _, ok := taken["*"]; !ok && l.StartTLS != StartTLSNone && l.StartTLS != "" && l.Mode != ModeHTTP {
		v.fail(path+".starttls", "%s needs a route without server_names (or with \"*\"): clients ask for TLS before they send a name", l.StartTLS)
	}
}

// routeClients holds what a route asks of its clients. As with a listener, a missing authority must never come to mean that nothing is
// checked, nor an unused one that something is.
func (v *validator) routeClients(l *Listener, route *Route, path string) {
	if route.ClientAuth != "" {
		oneOf(v, path+".client_auth", route.ClientAuth, ClientAuthNone, ClientAuthRequest, ClientAuthRequire)
	}
	auth, ca, _ := l.ClientCertificates(route)
	switch asks := auth != ClientAuthNone; {
	case asks && ca == "" && route.ClientAuth != "":
		v.fail(path+".client_auth", "%s needs client_ca, the authorities to hold client certificates against", auth)
	case asks && l.Mode == ModePassthrough && route.ClientAuth != "":
		v.fail(path+".client_auth", "has no effect in mode passthrough, where TLS is not terminated")
	case !asks && route.ClientCA != "":
		v.fail(path+".client_ca", "has no effect while client_auth is none")
	case !asks && route.ClientCRL != "":
		v.fail(path+".client_crl", "has no effect while client_auth is none")
	}
}

// serverNames holds that no two routes of a listener take the same name. Names are compared as DNS compares them.
func (v *validator) serverNames(route *Route, path string, taken map[string]string) {
	if len(route.ServerNames) > MaxServerNames {
		v.fail(path+".server_names", "%d of them exceed %d", len(route.ServerNames), MaxServerNames)
		return
	}
	if len(route.ServerNames) == 0 {
		v.take("*", path+".server_names", taken)
	}
	for i, name := range route.ServerNames {
		at := fmt.Sprintf("%s.server_names[%d]", path, i)
		if err := checkServerName(name); err != nil {
			v.fail(at, "%v", err)
			continue
		}
		route.ServerNames[i] = strings.ToLower(strings.TrimSuffix(name, "."))
		v.take(route.ServerNames[i], at, taken)
	}
}

func (v *validator) take(name, path string, taken map[string]string) {
	if first, again := taken[name]; again {
		what := fmt.Sprintf("%q", name)
		if name == "*" {
			what = "the default (\"*\", or no server_names)"
		}
		v.fail(path, "%s belongs to %s already", what, first)
		return
	}
	taken[name] = path
}
