package traefik

import (
	"testing"
	"testing/fstest"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
)

// TestRefused: options that Traefik makes no configuration of are told as refused; what it only looks past is not.
func TestRefused(t *testing.T) {
	for text, want := range map[string]bool{
		"minVersion: VersionTLS12":                                       false,
		"minVersion: VersionTLS14":                                       false, // the default of Go stands
		"cipherSuites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]":          false,
		"cipherSuites: [ECDHE-RSA-AES128-GCM-SHA256]":                    true,
		"curvePreferences: [CurveP256, X25519]":                          false,
		"curvePreferences: [foo]":                                        true,
		"clientAuth: {clientAuthType: RequestClientCert}":                false,
		"clientAuth: {clientAuthType: perhaps}":                          true,
		"clientAuth: {clientAuthType: RequireAndVerifyClientCert}":       true,
		"clientAuth: {caFiles: [a.pem], clientAuthType: NoClientCert}":   false,
		"sniStrict: true":                                                false,
		"alpnProtocols: [h2]":                                            false,
		"preferServerCipherSuites: true":                                 false,
		"disableSessionTickets: true":                                    false,
		"cipherSuites: [TLS_AES_128_GCM_SHA256]\n      minVersion: none": false,
	} {
		files := fstest.MapFS{"dynamic.yaml": {Data: []byte("tls:\n  options:\n    default:\n      " + text + "\n")}}
		r, err := Import(files, "dynamic.yaml", imported.Options{})
		if got := importertest.Refused(r, err); got != want {
			t.Errorf("%s: refused %t, want %t: %v %v", text, got, want, err, r)
		}
	}
}
