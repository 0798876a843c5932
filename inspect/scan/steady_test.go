package scan

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/servertest"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// TestClosingsAtRandomAreNoAnswers: an endpoint that closes every third connection bears everything, and is steady in nothing.
func TestClosingsAtRandomAreNoAnswers(t *testing.T) {
	t.Parallel()
	// Every third connection with the same hello is closed, of a third of the hellos the first one. Were it every third of all, a few questions
	// asked in step could have all their attempts closed.
	var mu sync.Mutex
	sent := make(map[string]int)
	config := &tls.Config{Certificates: []tls.Certificate{certificate(t)}}
	r := scanned(t, listen(t, func(c net.Conn) {
		hello, err := servertest.ReadHello(c)
		if err != nil || hello.Message.SSLv2 {
			return
		}
		same := fmt.Sprint(hello.Raw[:5], hello.Message.Length, hello.CipherSuites)
		mu.Lock()
		sent[same]++
		closed := (sent[same]+int(crc32.ChecksumIEEE([]byte(same))%3))%3 == 0
		mu.Unlock()
		if closed {
			return
		}
		conn := tls.Server(servertest.Replayed(c, hello.Raw), config)
		if conn.Handshake() == nil {
			_, _ = conn.Read(make([]byte, 1024))
		}
		conn.Close()
	}))
	has(t, r, FindingUnsteady)
	for name, a := range r.Tolerance {
		if a.Reply == No {
			t.Errorf("%s: %+v", name, a)
		}
	}
	for _, v := range []string{"TLSv1.3", "TLSv1.2"} {
		if a := r.VersionAnswers[v]; a.Reply == No {
			t.Errorf("%s: %+v", v, a)
		}
	}
	if r.BrokenLayer() != nil {
		t.Errorf("layers %+v", r.Layers)
	}
}

// limited is an endpoint that answers so many connections.
func limited(t *testing.T, most int32) *server {
	var s *server
	s = serve(t, nil, func(*wire.ClientHello) answer {
		if s.accepted.Load() > most {
			return isSilent
		}
		return goOn
	})
	return s
}

// TestALimitOnConnectionsIsNoFailure: what was not heard any more is inconclusive in all places, and no change either.
func TestALimitOnConnectionsIsNoFailure(t *testing.T) {
	t.Parallel()
	whole := scanned(t, serve(t, nil, goesOn).address)
	r := scanned(t, limited(t, 45).address)
	if r.StoppedAfter == 0 || !r.Partial {
		t.Fatalf("stopped after %d, inconclusive %v", r.StoppedAfter, r.Inconclusive)
	}
	has(t, r, FindingStopped)
	if b := r.BrokenLayer(); b != nil {
		t.Errorf("broken layer %+v", b)
	}
	if r.ClientCertificate == nil || r.ClientCertificate.Request == CertificateRequired {
		t.Errorf("client certificate %+v", r.ClientCertificate)
	}
	if c := r.Connection(); c == nil || !c.ClientLeg.TLS.Established {
		t.Errorf("the record that stands for the endpoint is of a connection that was not heard: %+v", c)
	}
	var stored Report
	if b, err := json.Marshal(r); err != nil || json.Unmarshal(b, &stored) != nil {
		t.Fatal(err)
	}
	for _, changes := range [][]Change{Compare(&stored, whole), Compare(whole, r)} {
		for _, c := range changes {
			if c.What != "certificates" { // each server has its own
				t.Errorf("a change, where one scan was not heard out: %+v", c)
			}
		}
	}
}

// TestADoorThatIsShutIsLeftAlone: of an endpoint that closes every connection beyond a number nothing more is asked, and one thing is said.
func TestADoorThatIsShutIsLeftAlone(t *testing.T) {
	t.Parallel()
	const most = 40
	var s *server
	s = serve(t, nil, func(*wire.ClientHello) answer {
		if s.accepted.Load() > most {
			return closes
		}
		return goOn
	})
	r := scanned(t, s.address)
	if r.StoppedAfter == 0 || r.StoppedAfter > most || !r.Partial {
		t.Fatalf("stopped after %d of %d connections, inconclusive %v", r.StoppedAfter, r.Connections, r.Inconclusive)
	}
	// Before it is noticed as many fail as are a sign of it, and as are open by then; it is asked as often as it takes to be sure.
	if bound := most + tailOfShut + 2*defaultConcurrency + attemptsAtDoor; r.Connections > bound || int(s.accepted.Load()) > bound {
		t.Errorf("%d connections, %d accepted, want at most %d", r.Connections, s.accepted.Load(), bound)
	}
	has(t, r, FindingStopped)
	for _, f := range r.Findings() {
		if f.ID == FindingUnsteady || f.Severity == "error" {
			t.Errorf("%s: %s", f.ID, f.Detail)
		}
	}
	for name, a := range r.VersionAnswers {
		if a.Reply == No && a.cut {
			t.Errorf("%s: %+v", name, a)
		}
	}
	for _, n := range r.SNI {
		if n.Reply == No {
			t.Errorf("name %s: %+v", n.Form, n)
		}
	}
	if b := r.BrokenLayer(); b != nil {
		t.Errorf("broken layer %+v", b)
	}
}

// TestSilenceAboutOldVersionsShutsNoDoor: an endpoint that drops, or closes, most of what is asked answers the rest as ever.
func TestSilenceAboutOldVersionsShutsNoDoor(t *testing.T) {
	t.Parallel()
	s := serve(t, nil, func(h *wire.ClientHello) answer {
		if !h.SupportedVersions.Contains(wire.VersionTLS13) {
			return closes
		}
		return goOn
	})
	r := scanned(t, s.address)
	if r.StoppedAfter > 0 || !slices.Equal(r.Versions, []string{"TLSv1.3"}) {
		t.Errorf("stopped after %d, versions %v", r.StoppedAfter, r.Versions)
	}
}

// TestAStumbleOverSchemesIsNotTheirEnd: internal_error to a list is no answer about each scheme of it.
func TestAStumbleOverSchemesIsNotTheirEnd(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{"localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{certificate(t), {Certificate: [][]byte{der}, PrivateKey: key}}}
	stumbling := scanned(t, serve(t, config, func(h *wire.ClientHello) answer {
		list := h.SignatureSchemes.Slice()
		first := slices.Contains(list, wire.SchemeECDSASecp256r1SHA256)
		if slices.Contains(list, wire.SchemeECDSASecp384r1SHA384) && !first || slices.Contains(list, wire.SchemeRSAPSSRSAESHA512) && len(list) > 1 && !slices.Contains(list, wire.SchemeRSAPSSRSAESHA256) {
			return stumbles
		}
		return goOn
	}).address)
	for v, want := range map[string][]string{
		"TLSv1.3": {"ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256", "rsa_pss_rsae_sha384", "rsa_pss_rsae_sha512"},
		"TLSv1.2": {"ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256", "rsa_pss_rsae_sha384", "rsa_pss_rsae_sha512", "rsa_pkcs1_sha256"},
	} {
		for _, scheme := range want {
			if !slices.Contains(stumbling.SchemesByVersion[v], scheme) {
				t.Errorf("%s: %s is not among %v", v, scheme, stumbling.SchemesByVersion[v])
			}
		}
	}
	if len(stumbling.Certificates) != 2 {
		t.Errorf("%d certificates, want both", len(stumbling.Certificates))
	}
	for _, text := range stumbling.Inconclusive {
		if strings.Contains(text, "scheme") {
			t.Error(text)
		}
	}
}

// TestOddAlertsAreAskedAboutInParts: suites, too, are looked for behind a refusal that is none.
func TestOddAlertsAreAskedAboutInParts(t *testing.T) {
	t.Parallel()
	config := &tls.Config{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA}}
	r := scanned(t, serve(t, config, func(h *wire.ClientHello) answer {
		if !h.CipherSuites.Contains(wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256) && h.CipherSuites.Len() > 120 {
			return stumbles
		}
		return goOn
	}).address)
	if want := []string{"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA"}; !slices.Equal(r.Ciphers["TLSv1.2"], want) {
		t.Errorf("ciphers %v, want %v", r.Ciphers["TLSv1.2"], want)
	}
}

// TestALegacyVersionBeyondTLS12IsNoMatter: current libraries refuse it, and no client sends it.
func TestALegacyVersionBeyondTLS12IsNoMatter(t *testing.T) {
	r := NewReport("192.0.2.1:443")
	r.Tolerance = map[string]Answer{ToleranceLegacyVersion: {Reply: No, Attempts: 2}, ToleranceExtension: {Reply: Yes}}
	if f := intolerance(r); f == nil || f.Severity != "info" || len(f.Fixes) > 0 {
		t.Errorf("%+v", f)
	}
	r.Tolerance[ToleranceGREASE] = Answer{Reply: No, Attempts: 2}
	if f := intolerance(r); f == nil || f.Severity != "error" {
		t.Errorf("%+v", f)
	}
}
