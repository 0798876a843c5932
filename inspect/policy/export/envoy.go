package export

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/boringssl"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

func writeEnvoy(w *writer) error {
	m := w.means
	m.Preference, m.ClientAuth = policy.PreferServer, w.p.ClientAuth
	versions := span(inside(w.p.Versions, wire.VersionTLS10, wire.VersionTLS13))
	items := w.boringSuites()
	if len(items) == 0 {
		versions = inside(versions, wire.VersionTLS13, wire.VersionTLS13)
	}
	if len(versions) == 0 {
		return w.unsayable("BoringSSL has none of its versions with a suite")
	}
	m.Versions = versions
	if len(items) > 0 {
		expansion, err := boringssl.Ciphers(strings.Join(items, ":"), boringssl.Options{})
		if err != nil {
			return w.unsayable(err.Error())
		}
		m.CipherSuites, m.EqualPreference = expansion.Ciphers, expansion.Equal
	}
	if slices.Contains(versions, wire.VersionTLS13) {
		m.CipherSuites = slices.Concat([]wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256}, m.CipherSuites)
	}
	m.CipherSuites = slices.DeleteFunc(m.CipherSuites, func(s wire.CipherSuite) bool {
		info, _ := s.Info()
		return !slices.ContainsFunc(versions, func(v wire.Version) bool { return v >= info.MinVersion && v <= info.MaxVersion })
	})
	w.explainBoring()

	w.line("static_resources:")
	w.line("  listeners:")
	w.line("  - name: tls")
	w.line("    address: {socket_address: {address: 0.0.0.0, port_value: 443}}")
	w.line("    listener_filters:")
	w.line("    - name: envoy.filters.listener.tls_inspector")
	w.line("      typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector}")
	w.line("    filter_chains:")
	w.line("    - %s", w.chainMatch())
	w.line("      transport_socket:")
	w.line("        name: envoy.transport_sockets.tls")
	w.line("        typed_config:")
	w.line("          \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext")
	if w.p.ClientAuth == policy.ClientAuthRequire {
		w.line("          require_client_certificate: true")
	}
	if w.p.Preference == policy.PreferClient {
		w.line("          prefer_client_ciphers: true")
		m.Preference, m.EqualPreference = policy.PreferClient, nil
	}
	w.line("          common_tls_context:")
	w.envoyParams(versions, items)
	w.envoyALPN()
	w.line("            tls_certificates:")
	w.line("            - certificate_chain: {filename: /etc/envoy/tls/server.crt}")
	w.line("              private_key: {filename: /etc/envoy/tls/server.key}")
	if w.p.ClientAuth != policy.ClientAuthNone {
		w.line("            validation_context: {trusted_ca: {filename: /etc/envoy/tls/client-ca.crt}}")
	}
	w.line("      filters:")
	w.line("      - name: envoy.filters.network.tcp_proxy")
	w.line("        typed_config:")
	w.line("          \"@type\": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy")
	w.line("          stat_prefix: tls")
	w.line("          cluster: app")
	w.line("  clusters:")
	w.line("  - name: app")
	w.line("    load_assignment:")
	w.line("      cluster_name: app")
	w.line("      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 8080}}}}]}]")
	w.run("envoy --mode validate -c envoy.yaml")
	w.run("envoy -c envoy.yaml --restart-epoch 1")
	return nil
}

// boringSuites are the policy's in BoringSSL's words: suites, and groups of equal preference where they stand side by side.
func (w *writer) boringSuites() (items []string) {
	_, have := spelled(below13(w.p.CipherSuites), func(s wire.CipherSuite) (string, bool) {
		e, err := boringssl.Ciphers(openSSLName(s), boringssl.Options{})
		return "", err == nil && slices.Equal(e.Ciphers, []wire.CipherSuite{s})
	})
	for i := 0; i < len(have); {
		n := 1
		for _, group := range w.p.EqualPreference {
			group = slices.DeleteFunc(slices.Clone(group), func(s wire.CipherSuite) bool { return !slices.Contains(have, s) })
			if len(group) > n && i+len(group) <= len(have) && slices.Equal(have[i:i+len(group)], group) {
				n = len(group)
			}
		}
		var words []string
		for _, s := range have[i : i+n] {
			words = append(words, openSSLName(s))
		}
		if i += n; n == 1 {
			items = append(items, words[0])
		} else {
			items = append(items, "["+strings.Join(words, "|")+"]")
		}
	}
	return items
}

func openSSLName(s wire.CipherSuite) string {
	if info, _ := s.Info(); info.OpenSSL != "" {
		return info.OpenSSL
	}
	return s.String()
}

func (w *writer) explainBoring() {
	w.why[LossVersions] = "Envoy knows a lowest and a highest version from TLS 1.0 on, and BoringSSL needs a suite for each"
	w.why[LossBlockedVersions] = "BoringSSL blocks no version that it speaks"
	w.why[LossSuites] = "BoringSSL has no others below TLS 1.3, and takes no list for TLS 1.3: its three are on"
	w.why[LossPreference] = "BoringSSL cannot put ChaCha20 first for clients that list it first alone"
	w.why[LossEqualPreference] = "suites of equal preference stand side by side in BoringSSL"
	w.why[LossGroups] = "BoringSSL has X25519MLKEM768, X25519, P-256, P-384 and P-521"
	w.why[LossSchemes] = "BoringSSL does not have all of them"
	w.why[LossALPNRequired] = "Envoy goes on without a protocol in common"
	w.why[LossDHParameters] = "BoringSSL has no DHE suites"
}

func (w *writer) envoyParams(versions []wire.Version, items []string) {
	word := func(v wire.Version) string { return "TLSv1_" + string(rune('0'+v-wire.VersionTLS10)) }
	w.line("            tls_params:")
	w.line("              tls_minimum_protocol_version: %s", word(versions[0]))
	w.line("              tls_maximum_protocol_version: %s", word(versions[len(versions)-1]))
	list := func(key string, words []string) {
		if len(words) > 0 {
			w.line("              %s:", key)
			for _, word := range words {
				w.line("              - %q", word)
			}
		}
	}
	list("cipher_suites", items)
	words, groups := spelled(w.p.Groups, func(g wire.NamedGroup) (string, bool) {
		words := map[wire.NamedGroup]string{
			wire.GroupX25519MLKEM768: "X25519MLKEM768", wire.GroupX25519: "X25519", wire.GroupSecp256r1: "P-256", wire.GroupSecp384r1: "P-384", wire.GroupSecp521r1: "P-521",
		}
		return words[g], words[g] != ""
	})
	if list("ecdh_curves", words); len(words) > 0 {
		w.means.Groups = groups
	} else {
		w.means.Groups = []wire.NamedGroup{wire.GroupX25519, wire.GroupSecp256r1}
	}
	words, schemes := spelled(w.p.SignatureSchemes, func(s wire.SignatureScheme) (string, bool) {
		switch s {
		case wire.SchemeRSAPKCS1SHA1, wire.SchemeRSAPKCS1SHA256, wire.SchemeRSAPKCS1SHA384, wire.SchemeRSAPKCS1SHA512, wire.SchemeECDSASHA1,
			wire.SchemeECDSASecp256r1SHA256, wire.SchemeECDSASecp384r1SHA384, wire.SchemeECDSASecp521r1SHA512,
			wire.SchemeRSAPSSRSAESHA256, wire.SchemeRSAPSSRSAESHA384, wire.SchemeRSAPSSRSAESHA512, wire.SchemeEd25519:
			return s.String(), true
		}
		return "", false
	})
	if list("signature_algorithms", words); len(words) > 0 {
		w.means.SignatureSchemes = schemes
	}
}

func (w *writer) envoyALPN() {
	protocols := tokens(w.p.ALPN)
	if len(protocols) < len(w.p.ALPN) {
		w.why[LossALPN] = "there are protocols that cannot be written in a configuration"
	}
	if len(protocols) == 0 {
		return
	}
	w.line("            alpn_protocols:")
	for _, p := range protocols {
		w.line("            - %q", p)
	}
	w.means.ALPN = protocols
}

// chainMatch is the first line of the filter chain: for which names it is.
func (w *writer) chainMatch() string {
	names, mean := w.hosts(true)
	w.why[LossSNIRequired] = "Envoy refuses clients without a name where it has names, and nowhere else"
	if len(names) == 0 {
		if w.p.Names != nil {
			w.why[LossNames] = "a filter chain without names is for all of them"
		}
		return "name: tls"
	}
	w.means.Names, w.means.SNIRequired = mean, true
	var words []string
	for _, name := range names {
		words = append(words, `"`+name+`"`)
	}
	return "filter_chain_match: {server_names: [" + strings.Join(words, ", ") + "]}"
}
