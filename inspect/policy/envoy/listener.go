package envoy

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
)

const sourceClient = "Envoy: a validation context without require_client_certificate asks for a certificate and takes none, too"

// listener reads the filter chains of a listener; those that speak plain text are left out.
func (r *reader) listener(n *document.Node) {
	if m := field(n, "filter_chain_matcher"); m.Present() {
		r.Problem(m, "filter_chain_matcher chooses among the filter chains in ways that are not understood")
	}
	name, where := field(n, "name").Text(), address(field(n, "address"))
	chains := field(n, "filter_chains").Items()
	if fallback := field(n, "default_filter_chain"); fallback.Present() {
		chains = append(slices.Clone(chains), fallback)
	}
	for _, chain := range chains {
		e := &imported.Endpoint{Side: imported.Server, Name: name, Listen: where}
		if own := field(chain, "name").Text(); own != "" {
			e.Name = strings.TrimPrefix(name+"/"+own, "/")
		} else if e.Name == "" && len(where) > 0 {
			e.Name = where[0]
		}
		context, quic := r.context(chain, "DownstreamTlsContext")
		if context != nil {
			r.chain(e, chain, context, quic)
		}
	}
}

// address is where a listener listens.
func address(n *document.Node) []string {
	if socket := field(n, "socket_address"); socket.Present() {
		host := field(socket, "address").Text()
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		port := field(socket, "port_value").Text()
		if port == "" {
			port = field(socket, "named_port").Text()
		}
		return []string{host + ":" + port}
	}
	if path := at(n, "pipe", "path").Text(); path != "" {
		return []string{"unix:" + path}
	}
	return nil
}

// context finds the TLS context of a filter chain or a cluster; nil: it has none, or one that is not understood.
func (r *reader) context(n *document.Node, want string) (context *document.Node, quic bool) {
	if old := field(n, "tls_context"); old.Present() { // API v2
		return old, false
	}
	socket := field(n, "transport_socket")
	for range maxDepth {
		if !socket.Present() {
			return nil, false
		}
		config := field(socket, "typed_config")
		if !config.Present() {
			config = field(socket, "config") // API v2
		}
		kind := kindOf(config)
		if kind == "TypedStruct" {
			config, kind = field(config, "value"), lastPart(field(config, "type_url").Text())
		}
		switch kind {
		case want:
			return config, quic
		case "QuicDownstreamTransport":
			return field(config, "downstream_tls_context"), true
		case "QuicUpstreamTransport":
			return field(config, "upstream_tls_context"), true
		case "StartTlsConfig", "UpstreamStartTlsConfig":
			r.Problem(config, "TLS begins after a plain exchange (STARTTLS)")
			return field(config, "tls_socket_config"), false
		case "RawBuffer":
			return nil, false
		case "ProxyProtocolUpstreamTransport", "TapConfig", "Tap", "TcpStatsConfig", "Config", "PassthroughConfig", "Http11ProxyUpstreamTransport", "InternalUpstreamTransport":
			socket = field(config, "transport_socket")
			continue
		case "":
			if name := field(socket, "name").Text(); (name == "envoy.transport_sockets.tls" || name == "tls") && field(config, "common_tls_context").Present() {
				return config, false
			} else if name == "envoy.transport_sockets.raw_buffer" || name == "raw_buffer" {
				return nil, false
			}
		}
		r.Problem(socket, "transport socket %s (%s) is not understood", document.Quote(field(socket, "name").Text()), document.Quote(config.Get("@type").Text()))
		return nil, false
	}
	r.Problem(n, "transport sockets are nested more than %d deep", maxDepth)
	return nil, false
}

func lastPart(url string) string { return url[strings.LastIndexAny(url, "./")+1:] }

// chain makes an endpoint of a filter chain with a TLS context.
func (r *reader) chain(e *imported.Endpoint, chain, context *document.Node, quic bool) {
	r.unknownFields(context, "DownstreamTlsContext", "common_tls_context", "require_client_certificate", "require_sni", "session_ticket_keys", "session_ticket_keys_sds_secret_config",
		"disable_stateless_session_resumption", "disable_stateful_session_resumption", "session_timeout", "ocsp_staple_policy", "full_scan_certs_on_sni_mismatch", "prefer_client_ciphers")
	common := field(context, "common_tls_context")
	e.Policy = r.common(e, common, imported.Server)
	if quic {
		e.Policy.Versions = slices.DeleteFunc(e.Policy.Versions, below13)
		e.Policy.CipherSuites = slices.DeleteFunc(e.Policy.CipherSuites, notTLS13)
		e.Name += " (QUIC)"
		e.Assume("versions", "TLSv1.3", "RFC 9001, Section 4.2: QUIC has TLS 1.3 alone")
	}
	if client := field(context, "prefer_client_ciphers"); wrapped(client).True() {
		e.Policy.Preference, e.Policy.EqualPreference = policy.PreferClient, nil
		r.Fact(e, "prefer_client_ciphers", client)
	}
	if sni := field(context, "require_sni"); wrapped(sni).True() {
		r.Problem(sni, "require_sni: Envoy has the field, and does nothing with it")
	}
	r.clientAuth(e, context, common)
	r.match(e, field(chain, "filter_chain_match"))
	r.certificates(e, common)
	e.Policy.Name, e.Policy.Provider, e.Policy.Product = e.Name, Kind, "listener"
	r.Add(e)
}

// clientAuth: required where the context says so, or where a validation context pins a certificate or a name; asked for where
// there is an authority to check it with.
func (r *reader) clientAuth(e *imported.Endpoint, context, common *document.Node) {
	e.Policy.ClientAuth = policy.ClientAuthNone
	if required := field(context, "require_client_certificate"); wrapped(required).True() {
		e.Policy.ClientAuth = policy.ClientAuthRequire
		r.Fact(e, "require_client_certificate", required)
		return
	}
	contexts, missing := r.validations(common)
	if missing.Present() {
		e.Policy.ClientAuth = policy.ClientAuthRequest
		r.Problem(missing, "secret %s: the validation context is not in this file; a client certificate is taken to be optional", document.Quote(missing.Text()))
	}
	pinned, lenient := false, false
	for _, v := range contexts {
		lenient = lenient || field(v, "trust_chain_verification").Text() == "ACCEPT_UNTRUSTED"
		for _, key := range []string{"verify_certificate_hash", "verify_certificate_spki", "match_typed_subject_alt_names", "match_subject_alt_names", "verify_subject_alt_name"} {
			if value := field(v, key); !value.Empty() {
				pinned = true
				r.Fact(e, "validation_context."+key, value)
			}
		}
		if custom := field(v, "custom_validator_config"); custom.Present() {
			r.Problem(custom, "custom_validator_config: what it asks of the client is not known; a certificate is taken to be optional")
			e.Policy.ClientAuth = policy.ClientAuthRequest
		}
		for _, key := range []string{"trusted_ca", "system_root_certs", "ca_certificate_provider_instance"} {
			if value := field(v, key); value.Present() {
				e.Policy.ClientAuth = policy.ClientAuthRequest
				r.Fact(e, "validation_context."+key, shown(value))
			}
		}
	}
	switch {
	case pinned && !lenient:
		e.Policy.ClientAuth = policy.ClientAuthRequire
	case pinned, lenient:
		e.Policy.ClientAuth = policy.ClientAuthRequest
	}
	if e.Policy.ClientAuth == policy.ClientAuthRequest {
		e.Assume("require_client_certificate", "false", sourceClient)
	}
}

// validations are the validation contexts that are merged, those of secrets resolved; missing is the name of a secret that is not
// in the file.
func (r *reader) validations(common *document.Node) (contexts []*document.Node, missing *document.Node) {
	combined := field(common, "combined_validation_context")
	for _, v := range []*document.Node{field(common, "validation_context"), field(combined, "default_validation_context")} {
		if v.Present() {
			contexts = append(contexts, v)
		}
	}
	for _, from := range []*document.Node{common, combined} {
		name := at(from, "validation_context_sds_secret_config", "name")
		if !name.Present() {
			continue
		}
		if v := field(r.secrets[name.Text()], "validation_context"); v.Present() {
			contexts = append(contexts, v)
		} else {
			missing = name
		}
	}
	return contexts, missing
}

// match says for which names a chain is. Envoy closes connections that no chain is for, without an alert.
func (r *reader) match(e *imported.Endpoint, n *document.Node) {
	names := field(n, "server_names")
	e.Policy.NameSilent = true
	for key, value := range n.All() {
		switch key {
		case "server_names", "serverNames", "transport_protocol", "transportProtocol":
			if strings.HasPrefix(key, "transport") && value.Text() != "tls" && value.Text() != "" {
				r.Problem(value, "filter_chain_match: transport_protocol %s with a TLS context", document.Quote(value.Text()))
			}
		default:
			r.Problem(value, "filter_chain_match: the chain is also chosen by %s (%s), which a policy cannot say", key, value.Summary())
		}
	}
	if names.Empty() {
		e.Default = true
		return
	}
	r.Fact(e, "server_names", names)
	for _, name := range names.Texts() {
		if rest, wild := strings.CutPrefix(name, "*."); wild {
			name = "**." + rest // any number of labels
		}
		e.Policy.Names = append(e.Policy.Names, strings.ToLower(name))
	}
	e.Policy.SNIRequired = true
}
