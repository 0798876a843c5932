package cloud

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Where defaults of Azure are documented.
const (
	sourceAzureDefault = "Azure Application Gateway: TLS policy overview; the default for gateways made with API version 2023-02-01 or later (before: AppGwSslPolicy20150501)"
	sourceAzureTLS13   = "Azure Application Gateway: TLS policy overview; CustomV2 always has the two AES-GCM suites of TLS 1.3"
	sourceAzureDHE     = "Azure Application Gateway v2 does not use the DHE suites that its policies name"
	sourceAzureHTTP2   = "Azure Application Gateway: enableHttp2"
)

const azureDefault = "AppGwSslPolicy20220101"

// azurePolicyAlone reads an sslPolicy that stands alone, or a predefined policy with its contents.
func (r *reader) azurePolicyAlone(n *document.Node) {
	body := n
	if properties := n.Get("properties"); properties.Present() {
		body = properties
	}
	e := &imported.Endpoint{System: "azure-application-gateway", Side: imported.Server, Default: true, Name: n.Get("name").Text()}
	if e.Name == "" {
		e.Name = body.Get("policyName").Text()
	}
	if e.Policy = r.azurePolicy(e, body); e.Policy != nil {
		r.Add(e)
	}
}

// azurePolicy reads the fields of an sslPolicy; nil: they say nothing that can be used.
func (r *reader) azurePolicy(e *imported.Endpoint, n *document.Node) *policy.Policy {
	kind, name := n.Get("policyType"), n.Get("policyName")
	r.unknownKeys(n, "sslPolicy", "policyType", "policyName", "minProtocolVersion", "cipherSuites", "disabledSslProtocols", "name", "id", "type", "etag", "resourceGroup", "provisioningState")
	for _, key := range []string{"policyType", "policyName", "minProtocolVersion", "cipherSuites", "disabledSslProtocols"} {
		if value := n.Get(key); !value.Empty() {
			r.Fact(e, key, value)
		}
	}
	var p *policy.Policy
	switch suites := n.Get("cipherSuites"); {
	case kind.Text() == "Predefined", kind.Empty() && !name.Empty():
		if p = r.named(name, "policyName", "azure/"+name.Text()); p == nil {
			return nil
		}
	case !suites.Empty():
		p = r.azureCustom(e, n)
	case !n.Get("disabledSslProtocols").Empty() && kind.Empty():
		p, _ = policy.Lookup("azure/AppGwSslPolicy20150501")
		e.Assume("policyName", "AppGwSslPolicy20150501", "Azure Application Gateway: disabledSslProtocols takes versions from the oldest default")
	case kind.Empty() || n.Empty():
		p, _ = policy.Lookup("azure/" + azureDefault)
		e.Assume("policyName", azureDefault, sourceAzureDefault)
		r.Problem(n, "no policy is named: the default depends on the API version that the gateway was made with; %s is assumed", azureDefault)
	default:
		r.Problem(n, "policyType %s without cipherSuites", document.Quote(kind.Text()))
		return nil
	}
	for _, off := range n.Get("disabledSslProtocols").Items() {
		v, ok := wire.VersionByName(off.Text())
		if !ok {
			r.Problem(off, "disabledSslProtocols: %s is not understood", document.Quote(off.Text()))
		}
		p.Versions = slices.DeleteFunc(p.Versions, func(own wire.Version) bool { return ok && own == v })
	}
	return p
}

// azureCustom reads minProtocolVersion and cipherSuites. Only CustomV2, and predefined policies since 2022, speak TLS 1.3.
func (r *reader) azureCustom(e *imported.Endpoint, n *document.Node) *policy.Policy {
	p := &policy.Policy{Provider: "azure", Product: "Application Gateway", Name: "azure/custom", Preference: policy.PreferServer}
	p.CipherSuites = r.suites("cipherSuites", n.Get("cipherSuites").Items())
	high := wire.VersionTLS12
	if n.Get("policyType").Text() == "CustomV2" || slices.ContainsFunc(p.CipherSuites, isTLS13) {
		high = wire.VersionTLS13
		if !slices.ContainsFunc(p.CipherSuites, isTLS13) {
			p.CipherSuites = slices.Concat([]wire.CipherSuite{wire.TLS_AES_256_GCM_SHA384, wire.TLS_AES_128_GCM_SHA256}, p.CipherSuites)
			e.Assume("TLS 1.3 suites", "TLS_AES_256_GCM_SHA384, TLS_AES_128_GCM_SHA256", sourceAzureTLS13)
		}
	}
	low, lowest := wire.VersionTLS10, n.Get("minProtocolVersion")
	if v, ok := wire.VersionByName(lowest.Text()); ok && v >= wire.VersionTLS10 && v <= wire.VersionTLS13 {
		low = v
	} else {
		r.Problem(n, "minProtocolVersion: %s is not understood; TLS 1.0 is assumed", document.Quote(lowest.Text()))
	}
	for v := low; v <= high; v++ {
		p.Versions = append(p.Versions, v)
	}
	if len(p.Versions) == 0 {
		r.Problem(lowest, "minProtocolVersion %s is above what a policy of this type speaks; nothing is left", lowest.Text())
	}
	return p
}

// azureGateway reads an Application Gateway: as the command line prints it, or as a template has it, with "properties" between.
func (r *reader) azureGateway(n *document.Node) {
	g := inner(n)
	ports := make(map[string]string)
	for _, p := range g.Get("frontendPorts").Items() {
		ports[p.Get("name").Text()] = inner(p).Get("port").Text()
	}
	profiles := make(map[string]*document.Node)
	for _, p := range g.Get("sslProfiles").Items() {
		profiles[p.Get("name").Text()] = inner(p)
	}
	v2 := strings.HasSuffix(g.At("sku", "name").Text(), "_v2") || strings.HasSuffix(g.At("sku", "tier").Text(), "_v2") || strings.HasPrefix(g.At("sku", "tier").Text(), "Basic")
	found := false
	for _, l := range g.Get("httpListeners").Items() {
		body := inner(l)
		if strings.EqualFold(body.Get("protocol").Text(), "Https") || strings.EqualFold(body.Get("protocol").Text(), "Tls") {
			found = true
			r.azureListener(n, l, ports, profiles, v2)
		}
	}
	for _, b := range g.Get("backendHttpSettingsCollection").Items() {
		if strings.EqualFold(inner(b).Get("protocol").Text(), "Https") {
			r.Problem(b, "backend setting %s: what an Application Gateway offers to its backends is documented nowhere: only the client's side is imported", document.Quote(b.Get("name").Text()))
		}
	}
	if !found {
		// A gateway that was asked for its policy alone.
		e := &imported.Endpoint{System: "azure-application-gateway", Side: imported.Server, Default: true, Name: n.Get("name").Text()}
		if e.Policy = r.azurePolicy(e, g.Get("sslPolicy")); e.Policy != nil {
			finishAzure(e, g, v2)
			r.Add(e)
		}
	}
}

func (r *reader) azureListener(gateway, l *document.Node, ports map[string]string, profiles map[string]*document.Node, v2 bool) {
	g, body := inner(gateway), inner(l)
	e := &imported.Endpoint{System: "azure-application-gateway", Side: imported.Server, Name: l.Get("name").Text()}
	if port := ports[lastPart(body.At("frontendPort", "id").Text())]; port != "" {
		e.Listen = []string{":" + port}
	}
	source, auth := g.Get("sslPolicy"), policy.ClientAuthNone
	if id := body.At("sslProfile", "id"); !id.Empty() {
		profile := profiles[lastPart(id.Text())]
		if profile == nil {
			r.Problem(id, "sslProfile %s is not in the file", document.Quote(lastPart(id.Text())))
		}
		r.Fact(e, "sslProfile", id)
		if own := profile.Get("sslPolicy"); !own.Empty() {
			source = own
		}
		if trusted := profile.Get("trustedClientCertificates"); !trusted.Empty() {
			auth = policy.ClientAuthRequire
			r.Fact(e, "trustedClientCertificates", trusted)
		}
	}
	p := r.azurePolicy(e, source)
	if p == nil {
		return
	}
	p.ClientAuth = auth
	names := body.Get("hostNames").Texts()
	if host := body.Get("hostName").Text(); host != "" {
		names = append(names, host)
	}
	for i, name := range names {
		names[i] = strings.ToLower(name)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	e.Default = len(names) == 0
	if len(names) > 0 {
		p.Names = names
		r.Fact(e, "hostNames", l)
		e.Facts[len(e.Facts)-1].Value = strings.Join(names, ", ")
	}
	if required := body.Get("requireServerNameIndication"); required.True() {
		p.SNIRequired = true
		r.Fact(e, "requireServerNameIndication", required)
	}
	if certificate := body.At("sslCertificate", "id"); !certificate.Empty() {
		r.Fact(e, "sslCertificate", certificate)
	}
	e.Policy = p
	finishAzure(e, g, v2)
	r.Add(e)
}

// finishAzure sets what follows from the kind of gateway.
func finishAzure(e *imported.Endpoint, g *document.Node, v2 bool) {
	if v2 {
		e.Policy.NoDHParameters = true
		e.Assume("DHE suites", "not used", sourceAzureDHE)
	}
	e.Policy.ALPN = []string{"http/1.1"}
	if g.Get("enableHttp2").True() {
		e.Policy.ALPN = []string{"h2", "http/1.1"}
	}
	e.Assume("ALPN", strings.Join(e.Policy.ALPN, ", "), sourceAzureHTTP2)
}

// inner is the value itself, or its "properties" in a template.
func inner(n *document.Node) *document.Node {
	if properties := n.Get("properties"); properties.Present() {
		return properties
	}
	return n
}

// lastPart is the name at the end of a resource id.
func lastPart(id string) string { return id[strings.LastIndex(id, "/")+1:] }
