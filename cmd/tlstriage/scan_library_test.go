package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// sameSet wants the same names, in whatever order.
func sameSet(t *testing.T, what string, got, want []string) {
	t.Helper()
	g, w := slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if !slices.Equal(g, w) {
		t.Errorf("%s:\n got %v\nwant %v", what, g, w)
	}
}

// opensslSuites are those that OpenSSL itself lists for a string and a version, by their registry names.
func opensslSuites(t *testing.T, version, ciphers string, more ...string) []string {
	t.Helper()
	said, ok := importertest.Run(t, importertest.Program(t, "openssl"), append([]string{"ciphers", "-s", version, "-ciphersuites", ""}, append(more, ciphers)...)...)
	if !ok {
		t.Fatalf("openssl ciphers: %s", said)
	}
	var names []string
	for name := range strings.SplitSeq(strings.TrimSpace(said), ":") {
		suite, ok := wire.CipherSuiteByName(name)
		if !ok {
			t.Fatalf("OpenSSL's %q is not known", name)
		}
		names = append(names, suite.String())
	}
	return names
}

// keyed are the suites that a server with one RSA certificate can speak.
func keyed(names []string, anonymous bool) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		suite, _ := wire.CipherSuiteByName(name)
		info, _ := suite.Info()
		return info.Authentication == "ECDSA" || info.Authentication == "DSS" || info.KeyExchange == "SRP" || info.Authentication == "PSK" && info.KeyExchange != "RSA_PSK" && !anonymous || !anonymous && info.KeyExchange == "RSA_PSK"
	})
}

// TestScanOfOpenSSLIsWhatItLists scans s_server with strings of suites, and wants what `openssl ciphers` lists for them.
func TestScanOfOpenSSLIsWhatItLists(t *testing.T) {
	openssl := importertest.Program(t, "openssl")
	dir := t.TempDir()
	importertest.KeyPairs(t, dir, "rsa", "ec", "ed")
	start := func(t *testing.T, key string, args ...string) string {
		port := importertest.FreePort(t)
		all := append([]string{"s_server", "-accept", "127.0.0.1:" + port, "-www", "-cert", filepath.Join(dir, key+".crt"), "-key", filepath.Join(dir, key+".key")}, args...)
		importertest.Start(t, "ACCEPT", openssl, all...)
		return port
	}
	scan := func(t *testing.T, port string) *scanned { return scanOnce(t, "127.0.0.1:"+port, "--sni", "localhost") }
	t.Run("everything that it has, at level 0", func(t *testing.T) {
		const ciphers = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"
		s := scan(t, start(t, "rsa", "-cipher", ciphers, "-psk", "0123456789abcdef", "-serverpref", "-dhparam", writeDH(t, dir)))
		sameSet(t, "versions", s.Versions, []string{"TLSv1.3", "TLSv1.2", "TLSv1.1", "TLSv1.0"})
		for version, flag := range map[string]string{"TLSv1.2": "-tls1_2", "TLSv1.1": "-tls1_1", "TLSv1.0": "-tls1"} {
			want := keyed(opensslSuites(t, flag, ciphers, "-psk"), true)
			sameSet(t, version, s.Ciphers[version], want)
			if s.CipherPreference[version] != "server" {
				t.Errorf("%s: the order is %q's", version, s.CipherPreference[version])
			}
		}
		wantFinding(t, s, "server-weak-ciphers")
		wantFinding(t, s, "server-obsolete-version")
	})
	t.Run("its order", func(t *testing.T) {
		const ciphers = "AES256-SHA:ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA:ECDHE-RSA-AES256-SHA384"
		s := scan(t, start(t, "rsa", "-cipher", ciphers, "-serverpref", "-tls1_2"))
		if want := opensslSuites(t, "-tls1_2", ciphers); !slices.Equal(s.Ciphers["TLSv1.2"], want) {
			t.Errorf("ciphers %v, want %v in this order", s.Ciphers["TLSv1.2"], want)
		}
	})
	t.Run("ChaCha20 for clients that like it", func(t *testing.T) {
		s := scan(t, start(t, "rsa", "-serverpref", "-prioritize_chacha", "-cipher", "ECDHE+AESGCM:ECDHE+CHACHA20"))
		if s.CipherClasses["TLSv1.2"]["chacha20"] != "client" || s.CipherPreference["TLSv1.2"] != "server" {
			t.Errorf("preference %v, by class %v", s.CipherPreference, s.CipherClasses)
		}
	})
	t.Run("groups in order", func(t *testing.T) {
		s := scan(t, start(t, "rsa", "-groups", "P-384:X25519:ffdhe3072:brainpoolP256r1", "-serverpref"))
		if want := []string{"secp384r1", "x25519", "ffdhe3072"}; !slices.Equal(s.GroupsByVersion["TLSv1.3"], want) {
			t.Errorf("groups of TLS 1.3 %v, want %v", s.GroupsByVersion["TLSv1.3"], want)
		}
		if want := []string{"secp384r1", "x25519", "brainpoolP256r1"}; !slices.Equal(s.GroupsByVersion["TLSv1.2"], want) {
			t.Errorf("groups of TLS 1.2 %v, want %v", s.GroupsByVersion["TLSv1.2"], want)
		}
	})
	t.Run("schemes", func(t *testing.T) {
		s := scan(t, start(t, "rsa", "-sigalgs", "RSA-PSS+SHA384:RSA+SHA512"))
		sameSet(t, "TLS 1.3", s.SchemesByVersion["TLSv1.3"], []string{"rsa_pss_rsae_sha384"})
		sameSet(t, "TLS 1.2", s.SchemesByVersion["TLSv1.2"], []string{"rsa_pss_rsae_sha384", "rsa_pkcs1_sha512"})
	})
	t.Run("Ed25519", func(t *testing.T) {
		s := scan(t, start(t, "ed"))
		sameSet(t, "schemes", s.SignatureSchemes, []string{"ed25519"})
	})
	t.Run("two certificates", func(t *testing.T) {
		s := scan(t, start(t, "rsa", "-dcert", filepath.Join(dir, "ec.crt"), "-dkey", filepath.Join(dir, "ec.key")))
		var keys []string
		for _, p := range s.Certificates {
			keys = append(keys, p.Algorithm)
		}
		sameSet(t, "certificates", keys, []string{"RSA", "ECDSA"})
	})
	t.Run("no encrypt-then-MAC", func(t *testing.T) {
		s := scan(t, start(t, "rsa", "-no_etm", "-cipher", "AES128-SHA:AES256-SHA"))
		if s.Features["extended_master_secret"].Reply != "yes" || s.Features["encrypt_then_mac"].Reply != "no" {
			t.Errorf("features %v", s.Features)
		}
	})
	t.Run("ALPN", func(t *testing.T) {
		s := scan(t, start(t, "rsa", "-alpn", "http/1.1,h2"))
		if !slices.Equal(s.ALPN, []string{"http/1.1", "h2"}) || s.ALPNPreference != "server" {
			t.Errorf("ALPN %v by %s", s.ALPN, s.ALPNPreference)
		}
	})
	t.Run("a client certificate that is asked for", func(t *testing.T) {
		s := scan(t, start(t, "rsa", "-Verify", "1", "-verify_return_error", "-CAfile", filepath.Join(dir, "ec.crt")))
		if s.ClientCertificate == nil || s.ClientCertificate.Request != "required" {
			t.Errorf("client certificate %+v", s.ClientCertificate)
		}
		wantFinding(t, s, "backend-requires-client-cert")
	})
	t.Run("a client certificate that may come", func(t *testing.T) {
		s := scan(t, start(t, "rsa", "-verify", "1", "-CAfile", filepath.Join(dir, "ec.crt")))
		if s.ClientCertificate == nil || s.ClientCertificate.Request != "requested" {
			t.Errorf("client certificate %+v", s.ClientCertificate)
		}
		for _, f := range s.Findings {
			if f.ID == "backend-requires-client-cert" {
				t.Errorf("%s: %s", f.Title, f.Detail)
			}
		}
	})
}

func writeDH(t *testing.T, dir string) string {
	t.Helper()
	file := filepath.Join(dir, "dh.pem")
	importertest.Write(t, file, dhParameters(t, "ffdhe2048"))
	return file
}

// TestScanOfGnuTLSIsWhatItLists wants what gnutls-cli lists for a priority string.
func TestScanOfGnuTLSIsWhatItLists(t *testing.T) {
	serv, cli := importertest.Program(t, "gnutls-serv"), importertest.Program(t, "gnutls-cli")
	dir := t.TempDir()
	importertest.KeyPairs(t, dir, "rsa")
	for _, priority := range []string{
		"NORMAL", "NORMAL:-VERS-ALL:+VERS-TLS1.2:%SERVER_PRECEDENCE", "NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-SECP256R1:+GROUP-X25519",
		"LEGACY:+VERS-TLS1.0:+3DES-CBC:+ARCFOUR-128:%SERVER_PRECEDENCE", "SECURE256",
	} {
		t.Run(priority, func(t *testing.T) {
			port := importertest.FreePort(t)
			importertest.Start(t, "listening on IPv4", serv, "--http", "-p", port, "--x509certfile", filepath.Join(dir, "rsa.crt"), "--x509keyfile", filepath.Join(dir, "rsa.key"), "--priority", priority)
			importertest.AwaitPort(t, "127.0.0.1:"+port)
			s := scanOnce(t, "127.0.0.1:"+port, "--sni", "localhost")
			said, _ := importertest.Run(t, cli, "-l", "--priority", priority)
			want := map[string][]string{}
			spoken := regexp.MustCompile(`(?m)^Protocols: (.*)$`).FindStringSubmatch(said)
			if spoken == nil {
				t.Fatalf("gnutls-cli lists no protocols: %s", said)
			}
			var versions []string
			for v := range strings.SplitSeq(spoken[1], ", ") {
				if name, ok := map[string]string{"VERS-TLS1.3": "TLSv1.3", "VERS-TLS1.2": "TLSv1.2", "VERS-TLS1.1": "TLSv1.1", "VERS-TLS1.0": "TLSv1.0", "VERS-SSL3.0": "SSLv3"}[v]; ok {
					versions = append(versions, name)
				}
			}
			for _, m := range regexp.MustCompile(`(?m)^TLS_\S+\s+0x(..), 0x(..)\s+(\S+)`).FindAllStringSubmatch(said, -1) {
				var code wire.CipherSuite
				if _, err := fmt.Sscanf(m[1]+m[2], "%04x", &code); err != nil {
					t.Fatal(err)
				}
				info, known := code.Info()
				if !known || info.Authentication == "ECDSA" || info.Authentication == "PSK" || info.Authentication == "anon" || info.Authentication == "DSS" {
					continue
				}
				for _, v := range versions {
					version := map[string]wire.Version{"TLSv1.3": wire.VersionTLS13, "TLSv1.2": wire.VersionTLS12, "TLSv1.1": wire.VersionTLS11, "TLSv1.0": wire.VersionTLS10, "SSLv3": wire.VersionSSLv3}[v]
					if info.MinVersion <= version && info.TLS13() == version.IsTLS13() {
						want[v] = append(want[v], code.String())
					}
				}
			}
			sameSet(t, "versions", s.Versions, slices.Collect(maps.Keys(want))) // one without a suite is not spoken
			for v, names := range want {
				sameSet(t, v, s.Ciphers[v], names)
			}
		})
	}
}

func TestScanFindsEarlyData(t *testing.T) {
	serv := importertest.Program(t, "gnutls-serv")
	dir, port := t.TempDir(), importertest.FreePort(t)
	importertest.KeyPairs(t, dir, "rsa")
	importertest.Start(t, "listening on IPv4", serv, "--http", "-p", port, "--x509certfile", filepath.Join(dir, "rsa.crt"), "--x509keyfile", filepath.Join(dir, "rsa.key"), "--earlydata", "--maxearlydata", "9000")
	importertest.AwaitPort(t, "127.0.0.1:"+port)
	s := scanOnce(t, "127.0.0.1:"+port, "--sni", "localhost")
	if s.MaxEarlyData != 9000 {
		t.Errorf("early data %d, want 9000; resumption %v", s.MaxEarlyData, s.Resumption)
	}
	wantFinding(t, s, "server-early-data")
}

// TestScanOfGoIsWhatIsConfigured scans crypto/tls.
func TestScanOfGoIsWhatIsConfigured(t *testing.T) {
	dir := t.TempDir()
	importertest.KeyPairs(t, dir, "rsa", "ec")
	pair := func(name string) tls.Certificate {
		p, err := tls.LoadX509KeyPair(filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key"))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	rsa, ec := pair("rsa"), pair("ec")
	for _, c := range []struct {
		name             string
		config           *tls.Config
		versions, groups []string
		ciphers12        []string
		client           string
		alpn             []string
	}{
		{
			"TLS 1.2 and 1.3, two curves", &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{rsa}, CurvePreferences: []tls.CurveID{tls.CurveP256, tls.X25519}, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_128_CBC_SHA}, NextProtos: []string{"h2", "http/1.1"}},
			[]string{"TLSv1.3", "TLSv1.2"}, []string{"secp256r1", "x25519"}, []string{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_RSA_WITH_AES_128_CBC_SHA"}, "none", []string{"h2", "http/1.1"},
		},
		{
			"TLS 1.0 and up, ECDSA", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS12, Certificates: []tls.Certificate{ec}, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA}},
			[]string{"TLSv1.2", "TLSv1.1", "TLSv1.0"}, nil, []string{"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA"}, "none", nil,
		},
		{
			"a client certificate", &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{rsa, ec}, ClientAuth: tls.RequireAnyClientCert, CurvePreferences: []tls.CurveID{tls.X25519MLKEM768, tls.X25519}},
			[]string{"TLSv1.3"}, []string{"X25519MLKEM768", "x25519"}, nil, "required", nil,
		},
		{
			"one that may be missing", &tls.Config{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12, Certificates: []tls.Certificate{rsa}, ClientAuth: tls.RequestClientCert, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384}},
			[]string{"TLSv1.2"}, nil, []string{"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"}, "requested", nil,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			server := &http.Server{Handler: http.NotFoundHandler(), ErrorLog: log.New(io.Discard, "", 0), TLSConfig: c.config, TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}}
			go func() { _ = server.Serve(tls.NewListener(listener, c.config)) }()
			defer server.Close()
			_, port, _ := net.SplitHostPort(listener.Addr().String())
			s := scanOnce(t, "127.0.0.1:"+port, "--sni", "localhost")
			sameSet(t, "versions", s.Versions, c.versions)
			if c.groups != nil {
				sameSet(t, "groups", s.Groups, c.groups)
			}
			sameSet(t, "ciphers of TLS 1.2", s.Ciphers["TLSv1.2"], c.ciphers12)
			if s.ClientCertificate.Request != c.client {
				t.Errorf("client certificate %+v, want %s", s.ClientCertificate, c.client)
			}
			sameSet(t, "ALPN", s.ALPN, c.alpn)
			if len(s.Certificates) != len(c.config.Certificates) {
				t.Errorf("%d certificates, want %d", len(s.Certificates), len(c.config.Certificates))
			}
			for _, text := range s.Inconclusive {
				t.Errorf("inconclusive: %s", text)
			}
		})
	}
}
