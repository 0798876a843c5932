package importer_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/gotls"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// goCase is a server of crypto/tls by what of its tls.Config decides.
type goCase struct {
	certs    []string
	min, max uint16
	suites   []uint16
	curves   []tls.CurveID
	alpn     []string
	auth     tls.ClientAuthType
}

func goEndpoints() []*endpoint {
	cases := []goCase{
		{certs: []string{"rsa"}},
		{certs: []string{"ec"}},
		{certs: []string{"ed"}},
		{certs: []string{"rsa", "ec"}},
		{certs: []string{"ec384", "rsa"}},
		{certs: []string{"rsa"}, min: tls.VersionTLS10, max: tls.VersionTLS12},
		{certs: []string{"ec"}, min: tls.VersionTLS13, curves: []tls.CurveID{tls.CurveP384, tls.X25519}},
		{certs: []string{"ec521"}, curves: []tls.CurveID{tls.CurveP521, tls.X25519MLKEM768}, alpn: []string{"h2", "http/1.1"}},
		{certs: []string{"rsa"}, min: tls.VersionTLS11, suites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA}},
		{certs: []string{"ec"}, alpn: []string{"http/1.1"}, auth: tls.RequestClientCert},
		{certs: []string{"rsa"}, alpn: []string{"h2"}, auth: tls.RequireAndVerifyClientCert, max: tls.VersionTLS12},
		{certs: []string{"rsa"}, alpn: []string{"acme-tls/1"}},
	}
	var out []*endpoint
	for _, c := range cases {
		var names []string
		if len(c.certs) > 1 {
			names = []string{"localhost", ""} // a policy's certificates are all for the name that is asked for
		}
		out = append(out, &endpoint{system: "Go " + strings.TrimPrefix(runtime.Version(), "go"), title: c.title(), names: names,
			start: func(t *testing.T, l *lab) (string, func(*testing.T, string) *policy.Policy) { return c.start(t, l) }})
	}
	return out
}

// title is the configuration as Go writes it, as far as it is set.
func (c *goCase) title() string {
	parts := []string{"Certificates: " + strings.Join(c.certs, ", ")}
	if c.min != 0 {
		parts = append(parts, "MinVersion: "+tls.VersionName(c.min))
	}
	if c.max != 0 {
		parts = append(parts, "MaxVersion: "+tls.VersionName(c.max))
	}
	if c.suites != nil {
		var names []string
		for _, s := range c.suites {
			names = append(names, tls.CipherSuiteName(s))
		}
		parts = append(parts, "CipherSuites: "+strings.Join(names, ", "))
	}
	if c.curves != nil {
		parts = append(parts, fmt.Sprintf("CurvePreferences: %v", c.curves))
	}
	if c.alpn != nil {
		parts = append(parts, "NextProtos: "+strings.Join(c.alpn, ", "))
	}
	if c.auth != tls.NoClientCert {
		parts = append(parts, fmt.Sprintf("ClientAuth: %v", c.auth))
	}
	return strings.Join(parts, "; ")
}

func (c *goCase) start(t *testing.T, l *lab) (string, func(*testing.T, string) *policy.Policy) {
	t.Helper()
	config := &tls.Config{MinVersion: c.min, MaxVersion: c.max, CipherSuites: c.suites, CurvePreferences: c.curves, NextProtos: c.alpn, ClientAuth: c.auth, ClientCAs: x509.NewCertPool()}
	own := gotls.Config{Min: wire.Version(c.min), Max: wire.Version(c.max), ALPN: c.alpn, Auth: policy.ClientAuthNone}
	for _, s := range c.suites {
		own.Suites = append(own.Suites, wire.CipherSuite(s))
	}
	for _, g := range c.curves {
		own.Groups = append(own.Groups, wire.NamedGroup(g))
	}
	switch c.auth {
	case tls.RequestClientCert, tls.VerifyClientCertIfGiven:
		own.Auth = policy.ClientAuthRequest
	case tls.RequireAnyClientCert, tls.RequireAndVerifyClientCert:
		own.Auth = policy.ClientAuthRequire
	}
	p := own.Policy()
	for _, name := range c.certs {
		config.Certificates = append(config.Certificates, l.certs[name])
		p.Certificates = append(p.Certificates, certificateKind(t, name))
	}
	return importertest.ServeGo(t, config), func(*testing.T, string) *policy.Policy { return p }
}
