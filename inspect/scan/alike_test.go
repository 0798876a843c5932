package scan

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/servertest"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// certificateOfRSA is one for a name with a key of RSA.
func certificateOfRSA(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// lists are what a report says of an endpoint in lists, by what they are about.
func lists(r *Report) map[string][]string {
	all := map[string][]string{WhatVersions: r.Versions, WhatALPN: r.ALPN}
	for v, list := range r.Ciphers {
		all[WhatCiphers+" "+v] = list
	}
	for v, list := range r.GroupsByVersion {
		all[WhatGroups+" "+v] = list
	}
	for v, list := range r.SchemesByVersion {
		all[WhatSchemes+" "+v] = list
	}
	return all
}

// TestARefusalAtRandomEndsNoList: what is listed is whole, or said to be inconclusive.
func TestARefusalAtRandomEndsNoList(t *testing.T) {
	t.Parallel()
	config := &tls.Config{Certificates: []tls.Certificate{certificate(t)}, NextProtos: []string{"h2", "http/1.1"}}
	whole := lists(scanned(t, serve(t, config, goesOn).address))
	for _, does := range []answer{alerts, stumbles} {
		var hellos atomic.Int32
		s := serve(t, config, func(*wire.ClientHello) answer {
			if hellos.Add(1)%13 == 0 {
				return does
			}
			return goOn
		})
		r := scanned(t, s.address)
		has(t, r, FindingUnsteady)
		if r.RefusedAtRandom == 0 {
			t.Error("no refusal is said to be at random")
		}
		found := lists(r)
		for about, want := range whole {
			if missing := beyond(want, found[about]); len(missing) > 0 && !slices.Contains(r.Unsure, about) && !slices.Contains(r.Unsure, WhatVersions) {
				t.Errorf("%s: without %v, and nothing is said to be inconclusive", about, missing)
			}
		}
		for _, n := range r.SNI {
			if n.Reply == No && n.Form != NameDot { // which crypto/tls refuses
				t.Errorf("name %s: %+v", n.Form, n)
			}
		}
		for name, a := range r.Tolerance {
			if a.Reply == No {
				t.Errorf("%s: %+v", name, a)
			}
		}
		if looks := r.Looks(); r.telling().Error != nil && looks != nil {
			t.Errorf("names are blamed: %+v", looks)
		}
	}
}

// TestWhatAHelloFailsOnIsNoChance: an endpoint that closes the connection for something in the hello does so each time, and is asked
// without it.
func TestWhatAHelloFailsOnIsNoChance(t *testing.T) {
	t.Parallel()
	whole := lists(scanned(t, serve(t, nil, goesOn).address))
	for tolerance, fails := range map[string]func(h *wire.ClientHello) bool{
		TolerancePadded: func(h *wire.ClientHello) bool { return len(h.Raw) > 255 && len(h.Raw) < 512 },
		ToleranceEMS:    func(h *wire.ClientHello) bool { return h.Extensions.Has(wire.ExtensionExtendedMasterSecret) },
		ToleranceTicket: func(h *wire.ClientHello) bool { return h.Extensions.Has(wire.ExtensionSessionTicket) },
	} {
		t.Run(tolerance, func(t *testing.T) {
			r := scanned(t, serve(t, nil, func(h *wire.ClientHello) answer {
				if fails(h) {
					return closes
				}
				return goOn
			}).address)
			if a := r.Tolerance[tolerance]; a.Reply != No {
				t.Errorf("%s: %+v; all: %v", tolerance, a, r.Tolerance)
			}
			has(t, r, FindingIntolerance)
			if r.ClosedAtRandom > 0 || r.StoppedAfter > 0 {
				t.Errorf("%d closed at random, stopped after %d", r.ClosedAtRandom, r.StoppedAfter)
			}
			for about, list := range lists(r) {
				if !slices.Equal(list, whole[about]) {
					t.Errorf("%s: %v, want %v", about, list, whole[about])
				}
			}
		})
	}
}

// TestWhatEveryClientSendsIsNamed: silence at ALPN or at supported_versions, each time, is no matter of single protocols or versions.
func TestWhatEveryClientSendsIsNamed(t *testing.T) {
	t.Parallel()
	for tolerance, c := range map[string]struct {
		sends wire.ExtensionType
		does  answer
	}{ToleranceALPN: {wire.ExtensionALPN, isSilent}, ToleranceVersions: {wire.ExtensionSupportedVersions, closes}} {
		t.Run(tolerance, func(t *testing.T) {
			r := scanned(t, serve(t, nil, func(h *wire.ClientHello) answer {
				if h.Extensions.Has(c.sends) {
					return c.does
				}
				return goOn
			}).address)
			if a := r.Tolerance[tolerance]; a.Reply != No {
				t.Errorf("%+v; all: %v", a, r.Tolerance)
			}
			for _, f := range r.Findings() {
				switch {
				case f.ID == FindingIntolerance && (f.Severity != inspect.SeverityError || strings.Contains(f.Title, "of the future")), f.ID == FindingNoTLS13:
					t.Errorf("%s %s: %s", f.Severity, f.ID, f.Title)
				}
			}
			has(t, r, FindingIntolerance)
			if r.BrokenLayer() != nil {
				t.Errorf("layers %+v", r.Layers)
			}
		})
	}
}

// TestMoreSuitesThan64AreTooMany for some middleboxes.
func TestMoreSuitesThan64AreTooMany(t *testing.T) {
	t.Parallel()
	config := &tls.Config{Certificates: []tls.Certificate{certificate(t)}, MaxVersion: tls.VersionTLS12}
	whole := scanned(t, serve(t, config, goesOn).address)
	r := scanned(t, serve(t, config, func(h *wire.ClientHello) answer {
		if h.CipherSuites.Len() > 64 {
			return isSilent
		}
		return goOn
	}).address)
	if len(whole.Ciphers["TLSv1.2"]) < 2 || !slices.Equal(whole.Ciphers["TLSv1.2"], r.Ciphers["TLSv1.2"]) {
		t.Errorf("%v, want %v", r.Ciphers["TLSv1.2"], whole.Ciphers["TLSv1.2"])
	}
}

// TestKindsOfSSLv2AreWeak, whatever else is spoken.
func TestKindsOfSSLv2AreWeak(t *testing.T) {
	r := NewReport("192.0.2.1:443")
	r.accept(&enumerated{version: wire.VersionSSLv2, answer: yes(1, ""), kinds: []wire.SSLv2CipherKind{0x010080, 0x020080}})
	if f := weakCiphers(r); f == nil || f.Severity != inspect.SeverityError || len(f.Accepted) != 2 {
		t.Errorf("%+v of %v", f, r.Ciphers)
	}
}

// TestTwoEndpointsBehindOneAddressAreSeen: what one of them says is no fact about the address.
func TestTwoEndpointsBehindOneAddressAreSeen(t *testing.T) {
	t.Parallel()
	one := &tls.Config{Certificates: []tls.Certificate{certificate(t)}, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}
	other := one.Clone()
	other.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}
	// They take turns with each hello: did they with all connections, it could be that no hello by itself is ever answered in two ways.
	var mu sync.Mutex
	turns := make(map[string]int)
	r := scanned(t, serve(t, &tls.Config{Certificates: one.Certificates, GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		mu.Lock()
		defer mu.Unlock()
		same := fmt.Sprint(h.ServerName, h.CipherSuites, h.SupportedVersions, h.SupportedCurves, h.SignatureSchemes, h.SupportedProtos)
		if turns[same]++; turns[same]%2 == 0 {
			return other, nil
		}
		return one, nil
	}}, goesOn).address)
	has(t, r, FindingUnsteady)
	if len(r.AnswersDiffer) == 0 || !slices.Contains(r.Unsure, WhatCiphers+" TLSv1.2") {
		t.Errorf("differing answers %v, inconclusive about %v", r.AnswersDiffer, r.Unsure)
	}
}

// counted is a connection that is counted as long as the scanner has it open.
type counted struct {
	net.Conn
	open   *atomic.Int32
	closed sync.Once
}

func (c *counted) Close() error {
	c.closed.Do(func() { c.open.Add(-1) })
	return c.Conn.Close()
}

// TestALimitOnConnectionsAtATime: what fails in company is asked again alone. How many connections there are is counted where the scanner
// opens and closes them, so that none lingers; and the endpoint holds the questions about versions until they are all there, so that there
// is company.
func TestALimitOnConnectionsAtATime(t *testing.T) {
	t.Parallel()
	config := &tls.Config{Certificates: []tls.Certificate{certificate(t)}}
	whole := lists(scanned(t, serve(t, config, goesOn).address))
	var open, begun atomic.Int32
	crowd := int32(len(versions()))
	gathered := make(chan struct{})
	var mu sync.Mutex
	inCompany := make(map[string]bool) // forms of the hellos that were refused when they were gathered
	limited := false                   // since one of them was answered
	refuses := func(n int32, hello *servertest.Hello) bool {
		form := fmt.Sprint(hello.LegacyVersion, hello.CipherSuites, hello.SupportedVersions, hello.SupportedGroups, hello.SignatureSchemes, hello.Message.Length)
		mu.Lock()
		defer mu.Unlock()
		if n > 1 && n <= 1+crowd {
			inCompany[form] = true
			return true
		}
		if !limited {
			limited = inCompany[form] && hello.LegacyVersion == wire.VersionTLS12 // crypto/tls answers that
			return false
		}
		return open.Load() > 3
	}
	address := listen(t, func(c net.Conn) {
		hello, err := servertest.ReadHello(c)
		n := begun.Add(1)
		if n == 1 {
			<-time.After(170 * time.Millisecond) // as long as the scanner waits for an answer depends on how long the first one takes
		}
		if n == 1+crowd {
			close(gathered)
		}
		if n > 1 && n < 1+crowd {
			select {
			case <-gathered:
			case <-t.Context().Done():
			}
		}
		if err != nil || refuses(n, hello) {
			servertest.React(c, alerts)
			return
		}
		conn := tls.Server(servertest.Replayed(c, hello.Raw), config)
		if conn.Handshake() == nil {
			_, _ = conn.Read(make([]byte, 1024))
		}
		conn.Close()
	})
	scanner := &Scanner{Client: &probe.Client{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		open.Add(1)
		return &counted{Conn: conn, open: &open}, nil
	}}}
	r := scanner.Address(t.Context(), Target{Endpoint: probe.Target{Address: address}, ServerName: "localhost"})
	has(t, r, FindingUnsteady)
	if !r.OneAtATime {
		t.Fatalf("not asked one at a time: refused %d, closed %d, differing %v, versions %v", r.RefusedAtRandom, r.ClosedAtRandom, r.AnswersDiffer, r.VersionAnswers)
	}
	for about, list := range lists(r) {
		if !slices.Equal(list, whole[about]) {
			t.Errorf("%s: %v, want %v", about, list, whole[about])
		}
	}
}

// TestNamesAreAskedAboutWithABroadHello: what one name has is not what another has.
func TestNamesAreAskedAboutWithABroadHello(t *testing.T) {
	right, others := certificate(t), certificateOfRSA(t, "other.example.com")
	r := scanned(t, serve(t, &tls.Config{MaxVersion: tls.VersionTLS12, GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if h.ServerName == "localhost" {
			return &right, nil
		}
		return &others, nil
	}}, goesOn).address)
	for _, n := range r.SNI {
		if n.Form == NameDot { // which crypto/tls refuses
			continue
		}
		if n.Reply != Yes {
			t.Errorf("name %s: %+v", n.Form, n)
		}
		if want := n.Form == NameRight; n.Same != want {
			t.Errorf("name %s: same certificate %v, want %v", n.Form, n.Same, want)
		}
	}
	for _, f := range r.Findings() {
		if f.ID == FindingNameRequired {
			t.Error(f.Detail)
		}
	}
}

// TestStaplingThatFailsIsNoMatterOfNames: the endpoint breaks off where it is asked for an OCSP response.
func TestStaplingThatFailsIsNoMatterOfNames(t *testing.T) {
	r := scanned(t, serve(t, nil, func(h *wire.ClientHello) answer {
		if h.Extensions.Has(wire.ExtensionStatusRequest) {
			return stumbles
		}
		return goOn
	}).address)
	if a := r.Tolerance[ToleranceStatusRequest]; a.Reply != No {
		t.Errorf("status_request: %+v", a)
	}
	has(t, r, FindingIntolerance)
	if len(r.SchemesByVersion["TLSv1.3"]) == 0 || len(r.SchemesByVersion["TLSv1.2"]) == 0 {
		t.Errorf("schemes %v", r.SchemesByVersion)
	}
	if r.BrokenLayer() != nil || r.ClosedAtRandom+r.RefusedAtRandom > 0 {
		t.Errorf("layers %+v, at random %d and %d", r.Layers, r.ClosedAtRandom, r.RefusedAtRandom)
	}
}

// TestLooksDoNotBlameANameThatIsTaken: a handshake that failed for something else is no reason to send another name.
func TestLooksDoNotBlameANameThatIsTaken(t *testing.T) {
	r := NewReport("192.0.2.1:443")
	r.whole = &probe.Exchange{Outcome: probe.OutcomeAlert, Error: &inspect.Error{Type: inspect.ErrorAlertReceived}, Connection: &inspect.Connection{}}
	r.SNI = []NameAnswer{{Form: NameNone, Reply: Yes}, {Form: NameRight, Name: "localhost", Reply: No}}
	if len(r.Looks()) != 2 {
		t.Errorf("looks %+v, where the name is refused", r.Looks())
	}
	r.SNI[1].Reply = Yes
	if looks := r.Looks(); looks != nil {
		t.Errorf("looks %+v", looks)
	}
}

// TestSuitesOfTheOtherCertificateAreFound: a server that takes its ECDSA certificate where there is any ECDSA suite in the hello, spoken or
// not, has suites for its RSA certificate all the same.
func TestSuitesOfTheOtherCertificateAreFound(t *testing.T) {
	ec, other := certificate(t), certificateOfRSA(t, "localhost")
	config := func(c tls.Certificate) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{c}, MaxVersion: tls.VersionTLS12}
	}
	r := scanned(t, serve(t, &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		for _, id := range h.CipherSuites {
			if info, ok := wire.CipherSuite(id).Info(); ok && info.Authentication == "ECDSA" {
				return config(ec), nil
			}
		}
		return config(other), nil
	}}, goesOn).address)
	for _, want := range []string{"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"} {
		if !slices.Contains(r.Ciphers["TLSv1.2"], want) {
			t.Errorf("%s is not among %v", want, r.Ciphers["TLSv1.2"])
		}
	}
	if len(r.Certificates) != 2 {
		t.Errorf("%d certificates, want both", len(r.Certificates))
	}
}

// TestARequiredCertificateIsRequiredWithOneToo: that one was sent does not make it a wish.
func TestARequiredCertificateIsRequiredWithOneToo(t *testing.T) {
	mine := certificate(t)
	for want, wants := range map[string]tls.ClientAuthType{CertificateRequired: tls.RequireAnyClientCert, CertificateRequested: tls.RequestClientCert} {
		s := serve(t, &tls.Config{ClientAuth: wants}, goesOn)
		scanner := &Scanner{Client: &probe.Client{}}
		r := scanner.Address(context.Background(), Target{Endpoint: probe.Target{Address: s.address}, ServerName: "localhost", Certificate: &mine})
		if r.ClientCertificate.Request != want || !r.ClientCertificate.Sent {
			t.Errorf("client certificate %+v, want %s", r.ClientCertificate, want)
		}
		for v, d := range r.ClientCertificate.ByVersion {
			if d.Request != want || d.Accepted == nil || !*d.Accepted {
				t.Errorf("%s: %+v", v, d)
			}
		}
	}
}

// TestTheOrderOfSchemesIsTheAskers, and no difference.
func TestTheOrderOfSchemesIsTheAskers(t *testing.T) {
	a, b := NewReport("a"), NewReport("b")
	for i, r := range []*Report{a, b} {
		r.Versions = []string{"TLSv1.2"}
		r.SchemesByVersion = map[string][]string{"TLSv1.2": {"ed25519", "ecdsa_sha1"}}
		if i == 1 {
			slices.Reverse(r.SchemesByVersion["TLSv1.2"])
		}
	}
	if changes := CompareAccepted(a, b); len(changes) > 0 {
		t.Errorf("%+v", changes)
	}
}
