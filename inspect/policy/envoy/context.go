package envoy

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/boringssl"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/certfile"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/release"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Where defaults of Envoy are documented.
const (
	sourceParams  = "Envoy: TlsParameters (common.proto), and source/common/tls/*_context_config_impl.cc"
	sourceVersion = "Envoy 1.22.0 release notes: TLS 1.2 is the lowest version of servers; before it was TLS 1.0"
	sourceTLS13   = "BoringSSL: the suites of TLS 1.3 cannot be configured"
)

// Default cipher lists, as Envoy writes them for BoringSSL.
const (
	defaultCiphers = "[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]:[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]:" +
		"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
	// legacyCiphers were the servers' until 1.21.
	legacyCiphers = "[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]:[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]:" +
		"ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:AES128-GCM-SHA256:AES128-SHA:" +
		"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA:AES256-GCM-SHA384:AES256-SHA"
)

// common reads a CommonTlsContext.
func (r *reader) common(e *imported.Endpoint, n *document.Node, side imported.Side) *policy.Policy {
	r.unknownFields(n, "common_tls_context", "tls_params", "tls_certificates", "tls_certificate_sds_secret_configs", "tls_certificate_provider_instance",
		"tls_certificate_certificate_provider", "tls_certificate_certificate_provider_instance", "validation_context", "validation_context_sds_secret_config",
		"combined_validation_context", "alpn_protocols", "custom_handshaker", "custom_tls_certificate_selector", "key_log")
	for _, custom := range []string{"custom_handshaker", "custom_tls_certificate_selector"} {
		if value := field(n, custom); value.Present() {
			r.Problem(value, "%s: what an extension does with a hello is not known", custom)
		}
	}
	params := field(n, "tls_params")
	r.unknownFields(params, "tls_params", "tls_minimum_protocol_version", "tls_maximum_protocol_version", "cipher_suites", "ecdh_curves", "signature_algorithms", "compliance_policies")
	if c := field(params, "compliance_policies"); !c.Empty() {
		r.Problem(c, "compliance_policies (%s) narrow versions, suites and curves; they are not applied here", c.Summary())
	}
	p := &policy.Policy{Family: policy.FamilyBoringSSL, Preference: policy.PreferServer}
	r.versions(e, p, params, side)
	r.suites(e, p, params, side)
	r.groups(e, p, params)
	r.schemes(e, p, params)
	if alpn := field(n, "alpn_protocols"); !alpn.Empty() {
		r.Fact(e, "alpn_protocols", alpn)
		for _, item := range alpn.Texts() {
			p.ALPN = append(p.ALPN, strings.Split(item, ",")...)
		}
	}
	return p
}

func (r *reader) versions(e *imported.Endpoint, p *policy.Policy, params *document.Node, side imported.Side) {
	low, high := wire.VersionTLS12, wire.VersionTLS13
	if side == imported.Client {
		high = wire.VersionTLS12
	} else if !release.AtLeast(r.version, "1.22") {
		low = wire.VersionTLS10
	}
	low = r.bound(e, params, "tls_minimum_protocol_version", low)
	high = r.bound(e, params, "tls_maximum_protocol_version", high)
	for v := low; v <= high; v++ {
		p.Versions = append(p.Versions, v)
	}
	if low > high {
		r.Problem(params, "the lowest version %v is above the highest %v: nothing is left", low, high)
	}
}

func (r *reader) bound(e *imported.Endpoint, params *document.Node, key string, otherwise wire.Version) wire.Version {
	value := field(params, key)
	switch text := value.Text(); text {
	case "", "TLS_AUTO", "0":
		source := sourceParams
		if key == "tls_minimum_protocol_version" && e.Side == imported.Server {
			source = sourceVersion
		}
		e.Assume(key, otherwise.String(), source)
		return otherwise
	case "TLSv1_0", "1":
		otherwise = wire.VersionTLS10
	case "TLSv1_1", "2":
		otherwise = wire.VersionTLS11
	case "TLSv1_2", "3":
		otherwise = wire.VersionTLS12
	case "TLSv1_3", "4":
		otherwise = wire.VersionTLS13
	default:
		r.Refuse(value, "%s: %s is not understood; Envoy refuses it (%v is assumed)", key, document.Quote(text), otherwise)
	}
	r.Fact(e, key, value)
	return otherwise
}

func (r *reader) suites(e *imported.Endpoint, p *policy.Policy, params *document.Node, side imported.Side) {
	list, standard := field(params, "cipher_suites"), defaultCiphers
	if side == imported.Server && !release.AtLeast(r.version, "1.22") {
		standard = legacyCiphers
	}
	words := standard
	if list.Empty() {
		e.Assume("cipher_suites", standard, sourceParams)
	} else {
		r.Fact(e, "cipher_suites", list)
		words = strings.Join(list.Texts(), ":")
	}
	expansion, err := boringssl.Ciphers(words, boringssl.Options{})
	if err != nil {
		r.Refuse(list, "cipher_suites: %v; Envoy refuses the configuration. The default list is taken", err)
		if expansion, err = boringssl.Ciphers(standard, boringssl.Options{}); err != nil {
			return
		}
	}
	p.CipherSuites, p.EqualPreference = expansion.Ciphers, expansion.Equal
	p.CipherSuites = slices.DeleteFunc(slices.Clone(p.CipherSuites), func(s wire.CipherSuite) bool { return !usable(s, p.Versions) })
	if slices.Contains(p.Versions, wire.VersionTLS13) {
		p.CipherSuites = slices.Concat(expansion.TLS13, p.CipherSuites)
		e.Assume("TLS 1.3 suites", "all three", sourceTLS13)
	}
}

// usable reports whether a suite belongs to one of the versions.
func usable(s wire.CipherSuite, versions []wire.Version) bool {
	info, ok := s.Info()
	return ok && slices.ContainsFunc(versions, func(v wire.Version) bool { return v >= info.MinVersion && v <= info.MaxVersion })
}

func notTLS13(s wire.CipherSuite) bool {
	info, _ := s.Info()
	return !info.TLS13()
}

func below13(v wire.Version) bool { return v < wire.VersionTLS13 }

func (r *reader) groups(e *imported.Endpoint, p *policy.Policy, params *document.Node) {
	list := field(params, "ecdh_curves")
	if list.Empty() {
		p.Groups = []wire.NamedGroup{wire.GroupX25519, wire.GroupSecp256r1}
		e.Assume("ecdh_curves", "X25519:P-256", sourceParams)
		return
	}
	r.Fact(e, "ecdh_curves", list)
	p.Groups = []wire.NamedGroup{}
	for _, item := range list.Items() {
		for _, name := range strings.Split(item.Text(), ":") {
			g, ok := wire.NamedGroupByName(name)
			if !ok {
				r.Refuse(item, "ecdh_curves: BoringSSL knows no group of the name %s; Envoy refuses the configuration", document.Quote(name))
				continue
			}
			p.Groups = append(p.Groups, g)
		}
	}
}

// schemes reads signature_algorithms. Without them BoringSSL's own stand, which no source states release by release.
func (r *reader) schemes(e *imported.Endpoint, p *policy.Policy, params *document.Node) {
	list := field(params, "signature_algorithms")
	if list.Empty() {
		return
	}
	r.Fact(e, "signature_algorithms", list)
	p.SignatureSchemes = []wire.SignatureScheme{}
	for _, item := range list.Items() {
		for _, name := range strings.Split(item.Text(), ":") {
			s, ok := wire.SignatureSchemeByName(name)
			if !ok {
				r.Refuse(item, "signature_algorithms: BoringSSL knows no scheme of the name %s; Envoy refuses the configuration", document.Quote(name))
				continue
			}
			p.SignatureSchemes = append(p.SignatureSchemes, s)
		}
	}
}

// certificates reads the kinds of the certificates of a listener, in their order.
func (r *reader) certificates(e *imported.Endpoint, common *document.Node) {
	inline := slices.Clone(field(common, "tls_certificates").Items())
	known := true
	for _, s := range field(common, "tls_certificate_sds_secret_configs").Items() {
		name := field(s, "name")
		secret := r.secrets[name.Text()]
		if chain := field(secret, "tls_certificate"); chain.Present() {
			inline = append(inline, chain)
			r.Fact(e, "tls_certificate_sds_secret_configs", name)
			continue
		}
		known = false
		r.Problem(s, "secret %s is not in this file: the kind of its certificate is not known", document.Quote(name.Text()))
	}
	for _, provider := range []string{"tls_certificate_provider_instance", "tls_certificate_certificate_provider_instance", "tls_certificate_certificate_provider"} {
		if value := field(common, provider); value.Present() {
			known = false
			r.Problem(value, "%s: the certificate is not in this file", provider)
		}
	}
	var kinds []policy.CertificateType
	for _, c := range inline {
		if leaf := r.leaf(c); leaf != nil {
			chain := field(c, "certificate_chain")
			e.Facts = append(e.Facts, imported.Fact{File: r.File, Line: chain.Position(), Setting: "certificate_chain", Value: shown(chain).Summary() + " (" + string(leaf.Type) + ")"})
			if !slices.Contains(kinds, leaf.Type) {
				kinds = append(kinds, leaf.Type)
			}
		} else {
			known = false
		}
	}
	if known && len(kinds) > 0 {
		e.Policy.Certificates = kinds
	}
}

// leaf reads the certificate of a TlsCertificate; nil: it cannot be read, which is told.
func (r *reader) leaf(n *document.Node) *certfile.Leaf {
	chain := field(n, "certificate_chain")
	if !chain.Present() {
		r.Problem(n, "a certificate without certificate_chain: its kind is not known")
		return nil
	}
	var data []byte
	switch name, text, encoded := field(chain, "filename"), field(chain, "inline_string"), field(chain, "inline_bytes"); {
	case name.Present():
		known := r.files[name.Text()]
		if known == nil {
			known = &certificate{}
			if data, known.err = r.ReadFile(name.Text(), certfile.MaxBytes); known.err == nil {
				known.leaf, known.err = certfile.Read(data)
			}
			r.files[name.Text()] = known
		}
		if known.err != nil {
			r.Problem(chain, "certificate %s: %v; its kind is not known", document.Quote(name.Text()), known.err)
		}
		return known.leaf
	case text.Present():
		data = []byte(text.Text())
	case encoded.Present():
		var err error
		if data, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(encoded.Text()), "")); err != nil {
			r.Problem(encoded, "certificate_chain: inline_bytes: %v", err)
			return nil
		}
	default:
		r.Problem(chain, "certificate_chain: neither filename nor inline text; the kind of the certificate is not known")
		return nil
	}
	leaf, err := certfile.Read(data)
	if err != nil {
		r.Problem(chain, "certificate_chain: %v; the kind of the certificate is not known", err)
	}
	return leaf
}

// shown is a data source as a fact shows it: the name of its file, never what it holds.
func shown(source *document.Node) *document.Node {
	if name := field(source, "filename"); name.Present() {
		return document.NewText(source.Position(), name.Text())
	}
	return document.NewText(source.Position(), "in the configuration")
}
