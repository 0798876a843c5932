package why_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/porttest"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/servertest"
	"github.com/tlstriage/tlstriage/inspect/why"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// signsOld is a key that signs as TLS 1.2 has it, and not for TLS 1.3.
type signsOld struct{ *rsa.PrivateKey }

func (s signsOld) Sign(random io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	if _, pss := o.(*rsa.PSSOptions); pss {
		return nil, errors.New("not with PSS")
	}
	return s.PrivateKey.Sign(random, digest, o)
}

// oldSigner chooses TLS 1.3 and cannot sign in it; in TLS 1.2 it signs with one scheme.
func oldSigner(t *testing.T) string {
	id := identityOf(t, "rsa").Certificate
	in12, in13 := id, id
	in12.SupportedSignatureAlgorithms = []tls.SignatureScheme{tls.PKCS1WithSHA512}
	in13.PrivateKey = signsOld{id.PrivateKey.(*rsa.PrivateKey)}
	return servertest.Front(t, &tls.Config{Certificates: []tls.Certificate{in12}, GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		if slices.Contains(h.SupportedVersions, tls.VersionTLS13) {
			return &tls.Config{Certificates: []tls.Certificate{in13}}, nil
		}
		return nil, nil
	}}, func(*servertest.Hello) servertest.Reaction { return servertest.Pass })
}

// knowsNoProxies is nginx, which answers a PROXY protocol header in words.
func knowsNoProxies(t *testing.T) string { return nginx(t, identityOf(t, "rsa"), "", "") }

// listed are endpoints that mind how values of a list stand, or that some come together, and such as choose and do not go on.
func listed(t *testing.T) []endpoint {
	suites := func(list ...wire.CipherSuite) func(*servertest.Hello) bool {
		return func(s *servertest.Hello) bool {
			return !slices.ContainsFunc(list, func(c wire.CipherSuite) bool { return !s.CipherSuites.Contains(c) })
		}
	}
	firstShareIsNot := func(g wire.NamedGroup) func(*servertest.Hello) bool {
		return func(s *servertest.Hello) bool {
			for share := range s.KeyShares.All() {
				return share != g
			}
			return false
		}
	}
	fourVersions := func(h *probe.Hello) {
		h.SetVersions(wire.VersionTLS13, wire.VersionTLS12, wire.VersionTLS11, wire.VersionTLS10)
	}
	bothGroups := func(s *servertest.Hello) bool {
		return s.SupportedGroups.Contains(wire.GroupSecp256r1) && s.SupportedGroups.Contains(wire.GroupSecp384r1)
	}
	protocol := func(s *servertest.Hello, name string) bool {
		for p := range s.ALPN.All() {
			if string(p) == name {
				return true
			}
		}
		return false
	}
	return []endpoint{
		// Chosen, and not gone on with.
		{name: "TLS 1.3 is chosen and not signed", start: oldSigner, hello: modern(serverName, nil),
			causes: []string{"signature/no-common-signature"}, accepts: "rsa_pkcs1_sha512", says: "No common signature scheme in TLSv1.3"},
		{name: "TLS 1.3 alone is offered, chosen and not signed", start: oldSigner, hello: modern(serverName, func(h *probe.Hello) { h.SetVersions(wire.VersionTLS13) }),
			causes: []string{"signature/no-common-signature"}, accepts: "rsa_pkcs1_sha512"},
		{name: "OpenSSL asks for certificates of no scheme that TLS 1.3 has", start: func(t *testing.T) string {
			id := identityOf(t, "rsa")
			return openssl(t, id, "-client_sigalgs", "RSA+SHA256", "-Verify", "1", "-CAfile", id.CertFile)
		}, hello: modern(serverName, nil), causes: []string{"version/version-not-finished", "client_certificate/client-certificate-required"}, says: "asks for in TLSv1.2 (rsa_pkcs1_sha256)"},
		{name: "TLS 1.3 is chosen and not gone on with", start: func(t *testing.T) string {
			own := identityOf(t, "ecdsa").Certificate
			broken := own
			broken.PrivateKey = neverSigns{own.PrivateKey.(crypto.Signer)}
			return servertest.Front(t, &tls.Config{Certificates: []tls.Certificate{own}, GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
				if slices.Contains(h.SupportedVersions, tls.VersionTLS13) {
					return &tls.Config{Certificates: []tls.Certificate{broken}}, nil
				}
				return nil, nil
			}}, func(*servertest.Hello) servertest.Reaction { return servertest.Pass })
		}, hello: modern(serverName, nil), causes: []string{"version/version-not-finished"}, accepts: "TLSv1.2", says: "chooses TLSv1.3"},

		// Schemes, where the hello that works says nothing of them.
		{name: "no common scheme, OpenSSL", start: func(t *testing.T) string {
			return openssl(t, identityOf(t, "rsa"), "-tls1_2", "-sigalgs", "RSA+SHA512")
		}, hello: older(func(h *probe.Hello) {
			h.CipherSuites = []wire.CipherSuite{wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_RSA_WITH_AES_128_GCM_SHA256, wire.EmptyRenegotiationInfoSCSV}
			h.SetSignatureSchemes(wire.SchemeECDSASecp384r1SHA384)
		}), causes: []string{"signature/no-common-signature"}, accepts: "rsa_pkcs1_sha512"},
		{name: "no common scheme, where groups make the endpoint sign", start: goFront(func(c *tls.Config) {
			id := identityOf(t, "rsa").Certificate
			id.SupportedSignatureAlgorithms = []tls.SignatureScheme{tls.PKCS1WithSHA512}
			c.Certificates, c.MaxVersion, c.CipherSuites = []tls.Certificate{id}, tls.VersionTLS12, everySuite()
		}, when(servertest.Reset, manySuitesAndSchemes)), hello: older(func(h *probe.Hello) {
			h.CipherSuites = []wire.CipherSuite{wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_RSA_WITH_AES_128_GCM_SHA256, wire.EmptyRenegotiationInfoSCSV}
			h.SetSignatureSchemes(wire.SchemeECDSASecp384r1SHA384)
		}), causes: []string{"signature/no-common-signature"}, accepts: "rsa_pkcs1_sha512"},

		// The order of key shares.
		{name: "the first key share has to be of x25519", start: goFront(nil, when(servertest.Reset, firstShareIsNot(wire.GroupX25519))), hello: chromium(),
			causes: []string{"key_share/key-share-order"}, says: "x25519 comes first"},
		{name: "the first key share has to be no reserved one", start: goFront(nil, when(servertest.Reset, firstShareIsNot(wire.GroupX25519))), hello: modern(serverName, func(h *probe.Hello) {
			h.SetGroups(append([]wire.NamedGroup{0x4A4A}, h.Groups()...)...)
			h.SetKeyShares(0x4A4A, wire.GroupX25519)
		}), causes: []string{"key_share/key-share-order"}},

		// Versions of the list.
		{name: "TLS 1.1 and older in the list", start: goFront(nil, when(servertest.Alert(wire.AlertProtocolVersion), func(s *servertest.Hello) bool {
			return s.SupportedVersions.Contains(wire.VersionTLS11) || s.SupportedVersions.Contains(wire.VersionTLS10)
		})), hello: modern(serverName, fourVersions), causes: []string{"version/version-intolerance"}, accepts: "TLSv1.2", says: "one of TLSv1.1, TLSv1.0 is offered beside TLSv1.3"},
		{name: "more than two versions", start: goFront(nil, when(servertest.Alert(wire.AlertProtocolVersion), func(s *servertest.Hello) bool { return s.SupportedVersions.Len() > 2 })),
			hello: modern(serverName, fourVersions), causes: []string{"version/version-intolerance"}, limit: 2, says: "more than 2 versions"},
		{name: "two versions and three schemes", start: goFront(nil, when(servertest.Alert(wire.AlertHandshakeFailure), func(s *servertest.Hello) bool {
			return s.SupportedVersions.Contains(wire.VersionTLS13) && s.SupportedVersions.Contains(wire.VersionTLS12) &&
				s.SignatureSchemes.Contains(wire.SchemeECDSASecp256r1SHA256) && s.SignatureSchemes.Contains(wire.SchemeRSAPSSRSAESHA256) && s.SignatureSchemes.Contains(wire.SchemeECDSASecp384r1SHA384)
		})), hello: modern(serverName, nil), causes: []string{"version/combination-intolerance"}, together: "the other signature schemes"},

		// What says that secure renegotiation is known is no suite.
		{name: "GnuTLS wants secure renegotiation, and has no common suite", start: func(t *testing.T) string {
			id, port := identityOf(t, "rsa"), porttest.Free(t)
			return servertest.Start(t, port, "gnutls-serv", "--http", "--quiet", "--port", fmt.Sprint(port), "--x509certfile", id.CertFile, "--x509keyfile", id.KeyFile, "--priority", "NORMAL:%SAFE_RENEGOTIATION")
		}, hello: older(func(h *probe.Hello) {
			h.CipherSuites = []wire.CipherSuite{wire.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}
			h.Set(wire.ExtensionRenegotiationInfo, []byte{0})
		}), causes: []string{"cipher/no-common-cipher"}, accepts: "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"},
		{name: "GnuTLS wants secure renegotiation, which the client does not know, and has no common suite", start: func(t *testing.T) string {
			id, port := identityOf(t, "rsa"), porttest.Free(t)
			return servertest.Start(t, port, "gnutls-serv", "--http", "--quiet", "--port", fmt.Sprint(port), "--x509certfile", id.CertFile, "--x509keyfile", id.KeyFile, "--priority", "NORMAL:%SAFE_RENEGOTIATION")
		}, hello: older(func(h *probe.Hello) {
			h.CipherSuites = []wire.CipherSuite{wire.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}
			h.Remove(wire.ExtensionRenegotiationInfo)
		}), causes: []string{"cipher/no-common-cipher", "extension/renegotiation-required"}},

		// A header that is answered in words.
		{name: "nginx answers a PROXY protocol header in words, version 1", start: knowsNoProxies, hello: modern(serverName, nil), proxy: &probe.ProxyHeader{Version: 1}, causes: []string{"proxy_protocol/proxy-header-unexpected"}},
		{name: "nginx answers a PROXY protocol header in words, version 2", start: knowsNoProxies, hello: chromium(), proxy: &probe.ProxyHeader{Version: 2}, causes: []string{"proxy_protocol/proxy-header-unexpected"}},

		// Together, within one list.
		{name: "two extensions together are reset", start: goFront(nil, when(servertest.Reset, func(s *servertest.Hello) bool {
			return s.Extensions.Has(wire.ExtensionRenegotiationInfo) && s.Extensions.Has(wire.ExtensionSessionTicket)
		})), hello: func() *probe.Hello {
			h := chromium()
			h.Set(wire.ExtensionSessionTicket, nil)
			h.Set(wire.ExtensionRenegotiationInfo, []byte{0})
			return h
		}(), causes: []string{"extension/combination-intolerance"}, together: "session_ticket"},
		{name: "three suites together are reset", start: goFront(nil, when(servertest.Reset, suites(wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, wire.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256))),
			hello: chromium(), causes: []string{"cipher/combination-intolerance"}, together: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
		{name: "two groups together, and h2", start: goFront(func(c *tls.Config) { c.NextProtos = []string{"h2", "http/1.1"} }, func(s *servertest.Hello) servertest.Reaction {
			switch {
			case protocol(s, "h2"):
				return servertest.Reset
			case bothGroups(s):
				return servertest.Alert(wire.AlertHandshakeFailure)
			}
			return servertest.Pass
		}), hello: modern(serverName, func(h *probe.Hello) { h.SetALPN("h2", "http/1.1") }), causes: []string{"group/combination-intolerance", "alpn/alpn-intolerance"}, together: "secp256r1"},
		{name: "a hybrid group, and no common group besides", start: goFront(func(c *tls.Config) {
			c.CurvePreferences, c.MaxVersion = []tls.CurveID{tls.CurveP521}, tls.VersionTLS12
		}, when(servertest.Reset, func(s *servertest.Hello) bool { return s.SupportedGroups.Contains(wire.GroupX25519MLKEM768) })),
			hello: postQuantum(), causes: []string{"group/group-intolerance", "group/no-common-group"}, says: "X25519MLKEM768"},
		{name: "more than 900 bytes with a name and h2", start: goFront(func(c *tls.Config) { c.NextProtos = []string{"h2", "http/1.1"} }, when(servertest.Reset, func(s *servertest.Hello) bool {
			return len(s.ServerName) > 0 && protocol(s, "h2") && s.Message.Length > 896
		})), hello: func() *probe.Hello { h := postQuantum(); h.SetALPN("h2", "http/1.1"); return h }(), causes: []string{"alpn/combination-intolerance"}, limit: 896, together: "the server name"},
	}
}

// manySuitesAndSchemes is true of nearly every hello that says how it wants to be signed to.
func manySuitesAndSchemes(s *servertest.Hello) bool {
	return s.CipherSuites.Len() > 3 && s.SignatureSchemes.Len() > 0
}

// neverSigns is a key that does not work.
type neverSigns struct{ crypto.Signer }

func (neverSigns) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("not now")
}

// What a server says in the dialogue is in the sentence.
func TestWhatADialogueSaysIsToldInWords(t *testing.T) {
	t.Parallel()
	address := servertest.Serve(t, func(_ int, conn net.Conn) {
		lines := []string{"220 ready\r\n", "250-mail.example\r\n250 STARTTLS\r\n", "454 TLS currently unavailable\r\n"}
		for _, line := range lines {
			if _, err := io.WriteString(conn, line); err != nil {
				return
			}
			if _, err := conn.Read(make([]byte, 512)); err != nil {
				return
			}
		}
	})
	r := (&why.Experiment{Target: probe.Target{Address: address, StartTLS: probe.StartTLSSMTP}, Hello: modern(serverName, nil)}).Run(t.Context())
	if r.Cause != why.OtherProtocol || !strings.Contains(r.Sentence, "454 TLS currently unavailable") || strings.Contains(r.Sentence, "it speaks something else") {
		t.Errorf("%s: %s", r.Cause, r.Sentence)
	}
}

// An endpoint that refuses a hello at first and accepts it ever since has an order.
func TestRefusedAtFirstAndAcceptedSince(t *testing.T) {
	t.Parallel()
	address := goFront(nil, when(servertest.Reset, func(s *servertest.Hello) bool { return s.Number < 5 }))(t)
	r := (&why.Experiment{Target: probe.Target{Address: address}, Hello: modern(serverName, nil)}).Run(t.Context())
	if r.Cause != why.Flapping || len(r.Causes) != 1 || strings.Contains(r.Causes[0].Evidence, "in no order") || !strings.Contains(r.Sentence, "at first") || strings.Contains(r.Causes[0].Evidence, " 1 times") {
		t.Errorf("%s: %s: %+v", r.Cause, r.Sentence, r.Causes)
	}
}

// An experiment that ends for want of connections says how many it made.
func TestConnectionsThatWereMadeAreCounted(t *testing.T) {
	t.Parallel()
	address := goFront(nil, when(servertest.Reset, func(s *servertest.Hello) bool {
		return s.Extensions.Has(wire.ExtensionRenegotiationInfo) && s.Extensions.Has(wire.ExtensionSessionTicket)
	}))(t)
	hello := chromium()
	hello.Set(wire.ExtensionSessionTicket, nil)
	hello.Set(wire.ExtensionRenegotiationInfo, []byte{0})
	fewer := 0
	for budget := 20; budget < 40; budget += 3 {
		r := (&why.Experiment{Target: probe.Target{Address: address}, Hello: hello, Budget: budget}).Run(t.Context())
		if r.Verdict != why.Undetermined {
			t.Fatalf("with %d connections: %s", budget, r.Sentence)
		}
		want := fmt.Sprintf("; the %d connections that are allowed were used up", budget)
		if r.Connections < budget {
			fewer++
			want = fmt.Sprintf("; %d of the %d connections that are allowed were made", r.Connections, budget)
		}
		if !strings.Contains(r.Sentence, want) {
			t.Errorf("%d of %d: %s", r.Connections, budget, r.Sentence)
		}
	}
	if fewer == 0 {
		t.Error("all connections were used up each time")
	}
}

// Of many authorities a few are named, and the others counted.
func TestAuthoritiesAreCounted(t *testing.T) {
	t.Parallel()
	pool := x509.NewCertPool()
	for i := range 7 {
		subject, err := asn1.Marshal(pkix.Name{CommonName: fmt.Sprintf("Authority %d", i)}.ToRDNSequence())
		if err != nil {
			t.Fatal(err)
		}
		pool.AddCert(&x509.Certificate{Raw: []byte{byte(i)}, RawSubject: subject})
	}
	address := goServer(func(c *tls.Config) { c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, pool })(t)
	r := (&why.Experiment{Target: probe.Target{Address: address}, Hello: modern(serverName, nil)}).Run(t.Context())
	if r.Cause != why.ClientCertificateRequired || !regexp.MustCompile(`CN=Authority \d, CN=Authority \d, CN=Authority \d and 4 more`).MatchString(r.Causes[0].Evidence) {
		t.Errorf("%s: %+v", r.Cause, r.Causes)
	}
}
