package traefik

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/gotls"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/release"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Where defaults of Traefik are documented.
const (
	sourceOptions = "Traefik: pkg/tls/tlsmanager.go, DefaultTLSOptions and buildTLSConfig"
	sourceStore   = "Traefik makes a default certificate with an RSA key of 2048 bits where none is configured"
)

// endpoints makes what was collected into endpoints: the default options, the others by the names of their routers, and the
// transports.
func (r *reader) endpoints() {
	byOptions := r.claims()
	if _, ok := r.options["default"]; !ok {
		r.option("default", nil)
	}
	for _, name := range r.order {
		claimed := byOptions[name]
		if name != "default" && len(claimed) == 0 {
			r.Problem(r.options[name], "tls.options %s: no router in this file gives names to it", document.Quote(name))
		}
		r.server(name, r.options[name], claimed)
	}
	for _, t := range r.transports {
		r.client(t)
	}
}

// claims are the names that routers give to options. A name that two options claim gets the default options, as does every name
// of an option that does not exist.
func (r *reader) claims() map[string][]string {
	owner := make(map[string]router)
	contested := make(map[string]bool)
	out := make(map[string][]string)
	r.byOptions = make(map[string][]router)
	for _, route := range r.routers {
		r.byOptions[route.options] = append(r.byOptions[route.options], route)
		if _, ok := r.options[route.options]; !ok && route.options != "default" {
			if provider := strings.Contains(route.options, "@"); provider {
				r.Problem(route.node, "router %s: tls.options %s are another provider's, not in this file", document.Quote(route.name), document.Quote(route.options))
			} else {
				r.Problem(route.node, "router %s: there are no tls.options %s; Traefik refuses its names", document.Quote(route.name), document.Quote(route.options))
			}
			continue
		}
		if route.whole && route.options != "default" {
			r.Problem(route.rule, "router %s: tls.options are chosen by name; where the rule lists none the default options stand", document.Quote(route.name))
		}
		for _, host := range route.hosts {
			before, claimed := owner[host]
			if claimed && before.options != route.options && !contested[host] {
				contested[host] = true
				r.Problem(route.node, "routers %s and %s have different tls.options for %s: the default options stand", document.Quote(before.name), document.Quote(route.name), document.Quote(host))
			}
			if !claimed {
				owner[host] = route
				out[route.options] = append(out[route.options], host)
			}
		}
	}
	for name, hosts := range out {
		out[name] = slices.DeleteFunc(hosts, func(h string) bool { return contested[h] })
	}
	return out
}

func (r *reader) server(name string, n *document.Node, hosts []string) {
	e := &imported.Endpoint{Side: imported.Server, Name: name, Default: name == "default"}
	r.UnknownKeys(n, "tls.options", "minVersion", "maxVersion", "cipherSuites", "curvePreferences", "clientAuth", "sniStrict", "alpnProtocols",
		"preferServerCipherSuites", "disableSessionTickets")
	if old := n.Get("preferServerCipherSuites"); old.Present() {
		r.Problem(old, "preferServerCipherSuites: Go has decided on the order by itself since 1.17")
	}
	config := gotls.Config{Go: r.golang}
	r.common(e, &config, n)
	builtIn := n == nil && release.AtLeast(r.version, "2.10")
	if builtIn {
		config.Min = wire.VersionTLS12
		e.Assume("minVersion", "VersionTLS12", sourceOptions)
	}
	config.ALPN = []string{"h2", "http/1.1", "acme-tls/1"}
	if alpn := n.Get("alpnProtocols"); alpn.Empty() {
		e.Assume("alpnProtocols", strings.Join(config.ALPN, ", "), sourceOptions)
	} else {
		r.Fact(e, "alpnProtocols", alpn)
		config.ALPN = alpn.Texts()
	}
	config.Auth = r.clientAuth(e, n.Get("clientAuth"))
	e.Policy = config.Policy()
	if !e.Default {
		e.Policy.Names = slices.Clone(hosts)
		for _, route := range r.byOptions[name] {
			r.Fact(e, "rule", route.rule)
		}
	}
	r.strict(e, n.Get("sniStrict"), hosts)
	e.Policy.Certificates = r.kinds(e, e.Policy.Names)
	if e.Default && r.fallback == nil && e.Policy.Names == nil && !r.undecided && len(r.leaves) == 0 {
		e.Policy.Certificates = []policy.CertificateType{policy.CertRSA}
		e.Assume("tls.stores.default.defaultCertificate", "made by Traefik, RSA", sourceStore)
	}
	e.Policy.Name, e.Policy.Provider, e.Policy.Product = "tls.options/"+name, Kind, "tls.options"
	r.Add(e)
}

// strict: with sniStrict a hello without a name, or with one that no certificate has, is refused; Go answers internal_error.
func (r *reader) strict(e *imported.Endpoint, n *document.Node, hosts []string) {
	if !n.True() {
		return
	}
	r.Fact(e, "sniStrict", n)
	e.Policy.SNIRequired, e.Policy.NameAlert = true, wire.AlertInternalError
	if !e.Default {
		if !r.undecided && len(r.leaves) > 0 {
			e.Policy.Names = slices.DeleteFunc(e.Policy.Names, func(name string) bool {
				return len(r.byName.Find(name)) == 0
			})
		}
		return
	}
	if r.undecided || len(r.leaves) == 0 {
		r.Problem(n, "sniStrict refuses names without a certificate, and which certificates there are is not in this file")
		return
	}
	for _, l := range r.leaves {
		e.Policy.Names = append(e.Policy.Names, l.Names...)
	}
	slices.Sort(e.Policy.Names)
	e.Policy.Names = slices.Compact(e.Policy.Names)
}

// common reads what servers and clients share: versions, suites and groups.
func (r *reader) common(e *imported.Endpoint, config *gotls.Config, n *document.Node) {
	for _, key := range []string{"minVersion", "maxVersion"} {
		value := n.Get(key)
		v, ok := map[string]wire.Version{"VersionTLS10": wire.VersionTLS10, "VersionTLS11": wire.VersionTLS11, "VersionTLS12": wire.VersionTLS12, "VersionTLS13": wire.VersionTLS13}[value.Text()]
		switch {
		case value.Empty():
			if !(key == "minVersion" && n == nil) {
				e.Assume(key, "Go's own", gotls.Source)
			}
			continue
		case !ok:
			r.Problem(value, "%s: %s is not understood; Go's own default stands", key, document.Quote(value.Text()))
			continue
		case key == "minVersion":
			config.Min = v
		default:
			config.Max = v
		}
		r.Fact(e, key, value)
	}
	if suites := n.Get("cipherSuites"); suites.Empty() {
		e.Assume("cipherSuites", "Go's own", gotls.Source)
	} else {
		r.Fact(e, "cipherSuites", suites)
		config.Suites = []wire.CipherSuite{}
		for _, item := range suites.Items() {
			suite, tls13, ok := gotls.Suite(item.Text())
			switch {
			case !ok:
				r.Refuse(item, "cipherSuites: Traefik knows no suite of the name %s and refuses the options", document.Quote(item.Text()))
			case !tls13: // those of TLS 1.3 are always on
				config.Suites = append(config.Suites, suite)
			}
		}
	}
	if curves := n.Get("curvePreferences"); curves.Empty() {
		e.Assume("curvePreferences", "Go's own", gotls.Source)
	} else {
		r.Fact(e, "curvePreferences", curves)
		config.Groups = []wire.NamedGroup{}
		for _, item := range curves.Items() {
			if g, ok := curve(item.Text()); ok {
				config.Groups = append(config.Groups, g)
			} else {
				r.Refuse(item, "curvePreferences: Traefik knows no curve of the name %s and refuses the options", document.Quote(item.Text()))
			}
		}
	}
}

// curve knows the names of Go and of RFC 8446 that Traefik takes.
func curve(name string) (wire.NamedGroup, bool) {
	switch name {
	case "secp256r1", "CurveP256", "secp384r1", "CurveP384", "secp521r1", "CurveP521", "x25519", "X25519", "X25519MLKEM768",
		"SecP256r1MLKEM768", "SecP384r1MLKEM1024", "x25519mlkem768", "secp256r1mlkem768", "secp384r1mlkem1024":
		return wire.NamedGroupByName(name)
	}
	return 0, false
}

func (r *reader) clientAuth(e *imported.Endpoint, n *document.Node) policy.ClientAuth {
	if n.Empty() {
		return policy.ClientAuthNone
	}
	r.UnknownKeys(n, "clientAuth", "caFiles", "secretNames", "clientAuthType")
	authorities := !n.Get("caFiles").Empty() || !n.Get("secretNames").Empty()
	mode := n.Get("clientAuthType")
	r.Fact(e, "clientAuth", n)
	switch mode.Text() {
	case "":
		if authorities {
			return policy.ClientAuthRequire
		}
		return policy.ClientAuthNone
	case "NoClientCert":
		return policy.ClientAuthNone
	case "RequestClientCert":
		return policy.ClientAuthRequest
	case "RequireAnyClientCert":
		return policy.ClientAuthRequire
	case "VerifyClientCertIfGiven", "RequireAndVerifyClientCert":
		if !authorities {
			r.Refuse(mode, "clientAuthType %s needs caFiles; Traefik refuses the options", mode.Text())
		}
		if mode.Text() == "VerifyClientCertIfGiven" {
			return policy.ClientAuthRequest
		}
		return policy.ClientAuthRequire
	}
	r.Refuse(mode, "clientAuthType: %s is not understood; Traefik refuses the options", document.Quote(mode.Text()))
	return policy.ClientAuthRequire
}

// client reads a serversTransport: what Traefik offers to servers that are reached by https.
func (r *reader) client(t transport) {
	settings := t.node
	if t.tcp {
		if settings = t.node.Get("tls"); !settings.Present() {
			return
		}
	}
	e := &imported.Endpoint{Side: imported.Client, Name: "serversTransports/" + t.name}
	config := gotls.Config{Go: r.golang, Client: true}
	r.common(e, &config, settings)
	r.UnknownKeys(settings, "serversTransport", "serverName", "insecureSkipVerify", "rootCAs", "rootCAsSecrets", "certificates", "certificatesSecrets", "maxIdleConnsPerHost",
		"forwardingTimeouts", "disableHTTP2", "peerCertURI", "spiffe", "minVersion", "maxVersion", "cipherSuites", "curvePreferences")
	if !t.tcp {
		config.ALPN = []string{"h2", "http/1.1"}
		if off := settings.Get("disableHTTP2"); off.True() {
			config.ALPN = nil
			r.Fact(e, "disableHTTP2", off)
		} else {
			e.Assume("ALPN", "h2, http/1.1", "Go net/http: Transport.ForceAttemptHTTP2")
		}
	}
	if spiffe := settings.Get("spiffe"); spiffe.Present() {
		r.Problem(spiffe, "spiffe: the certificates come from a SPIFFE workload API when Traefik runs")
	}
	e.Policy = config.Policy()
	e.Policy.ALPNRequired = false
	if name := settings.Get("serverName"); !name.Empty() {
		e.Policy.Names = []string{name.Text()}
		r.Fact(e, "serverName", name)
	}
	for _, key := range []string{"certificates", "certificatesSecrets", "insecureSkipVerify"} {
		if value := settings.Get(key); !value.Empty() {
			r.Fact(e, key, keyless(value))
		}
	}
	e.Policy.Name, e.Policy.Provider, e.Policy.Product = e.Name, Kind, "serversTransport"
	r.Add(e)
}

// keyless leaves out what must not be shown: a private key that stands in the configuration.
func keyless(n *document.Node) *document.Node {
	if strings.Contains(n.Summary(), "-----BEGIN") {
		return document.NewText(n.Line, "in the configuration")
	}
	return n
}
