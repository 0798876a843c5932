package envoy

import (
	"testing"
	"testing/fstest"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
)

// TestRefused: parameters that Envoy does not take are told as refused. The reasons are those of its API and of BoringSSL, which reads
// cipher lists strictly.
func TestRefused(t *testing.T) {
	for text, want := range map[string]bool{
		"tls_minimum_protocol_version: TLSv1_2":                       false,
		"tls_minimum_protocol_version: TLSv1.2":                       true,
		"tls_maximum_protocol_version: TLSv1_4":                       true,
		"cipher_suites: [ECDHE-RSA-AES128-GCM-SHA256]":                false,
		"cipher_suites: ['[ECDHE-RSA-AES128-GCM-SHA256|AES128-SHA]']": false,
		"cipher_suites: [ECDHE-RSA-AES128-GCM-SHA257]":                true,
		"cipher_suites: [TLS_AES_128_GCM_SHA256]":                     true,
		"cipher_suites: ['[ECDHE-RSA-AES128-GCM-SHA256']":             true,
		"ecdh_curves: [X25519, P-256]":                                false,
		"ecdh_curves: [foo]":                                          true,
		"signature_algorithms: [rsa_pss_rsae_sha256]":                 false,
		"signature_algorithms: [foo]":                                 true,
	} {
		files := fstest.MapFS{"envoy.yaml": {Data: []byte(`static_resources:
  listeners:
  - name: edge
    address: {socket_address: {address: 0.0.0.0, port_value: 443}}
    filter_chains:
    - transport_socket:
        name: tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            tls_params:
              ` + text + "\n")}}
		r, err := Import(files, "envoy.yaml", imported.Options{})
		if got := importertest.Refused(r, err); got != want {
			t.Errorf("%s: refused %t, want %t: %v %v", text, got, want, err, r)
		}
	}
}
