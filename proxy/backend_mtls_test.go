package proxy

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// sServer is `openssl s_server` on the loopback, until the test ends.
func sServer(t *testing.T, pki *certstest.PKI, args ...string) string {
	t.Helper()
	cert, key := pki.Make(certstest.Healthy, testName).WriteFiles(t)
	cmd := exec.Command(opensslPath(t), append([]string{"s_server", "-accept", "127.0.0.1:0", "-cert", cert, "-cert_chain", cert, "-key", key, "-www"}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if address, ok := strings.CutPrefix(lines.Text(), "ACCEPT "); ok {
			go io.Copy(io.Discard, out)
			return address
		}
	}
	t.Fatal("openssl s_server does not say where it listens")
	return ""
}

// What a backend of OpenSSL asks of our certificate and why it refuses it, also after the handshake of TLS 1.3, stands in the record;
// the client is told 502.
func TestBackendsThatWantACertificate(t *testing.T) {
	pki := certstest.New(t)
	clients := newClientCertificates(pki)
	root := pki.WriteRoot(t)
	addresses := map[uint16]string{
		tls.VersionTLS12: sServer(t, pki, "-tls1_2", "-Verify", "3", "-verify_return_error", "-CAfile", root),
		tls.VersionTLS13: sServer(t, pki, "-tls1_3", "-Verify", "3", "-verify_return_error", "-CAfile", root),
	}
	for version, address := range addresses {
		missing := wire.AlertHandshakeFailure
		if version == tls.VersionTLS13 {
			missing = wire.AlertCertificateRequired
		}
		for _, tt := range []struct {
			name  string
			ours  *tls.Certificate
			alert wire.AlertDescription
		}{
			{"none", nil, missing},
			{"good", clients.good, 0},
			{"expired", clients.expired, wire.AlertCertificateExpired},
			{"untrusted", clients.untrusted, wire.AlertUnknownCA},
			{"of a server", clients.serverOnly, wire.AlertUnsupportedCertificate},
		} {
			t.Run(fmt.Sprint(wire.Version(version), " ", tt.name), func(t *testing.T) {
				r := bridged(t, pki, &Backend{Address: address, Certificate: tt.ours})
				c := r.tls(protocols("http/1.1"))
				io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
				answer, _ := io.ReadAll(c)
				c.Close()
				leg := r.record().BackendLeg
				request := leg.TLS.Server.CertificateRequest
				if request == nil || request.CertificateSent != (tt.ours != nil) || !slices.Contains(request.SignatureAlgorithms, "ecdsa_secp256r1_sha256") ||
					!slices.Contains(request.Authorities, pki.Root.Certificate.Subject.String()) {
					t.Errorf("what it asked for: %+v", request)
				}
				if version == tls.VersionTLS12 && !slices.Contains(request.Types, "ecdsa_sign") {
					t.Errorf("kinds of certificates: %q", request.Types)
				}
				if tt.alert == 0 {
					if leg.Error != nil || !strings.Contains(string(answer), "200 ok") {
						t.Errorf("%+v, %.60q", leg.Error, answer)
					}
					return
				}
				wantError(t, leg, inspect.ErrorAlertReceived, inspect.PhaseHandshake)
				wantAlert(t, leg, tt.alert, inspect.FromServer)
				if !strings.HasPrefix(string(answer), "HTTP/1.1 502") {
					t.Errorf("the client got %.60q", answer)
				}
			})
		}
	}
}

// Check of one address, and of one where nobody listens.
func TestCheckAddress(t *testing.T) {
	pki := certstest.New(t)
	backend := tlsBackend(t, pki, discard)
	s := &Server{Limits: shortLimits()}
	elsewhere := &Backend{Address: "name.invalid:443", VerifyPeer: func(p *BackendPeer) error {
		if p.Name != testName {
			t.Errorf("verified is %q", p.Name)
		}
		return nil
	}}
	record := s.CheckAddress(t.Context(), elsewhere, backend.Address, testName, nil)
	wantOutcome(t, record, inspect.Success)
	if got := net.JoinHostPort(record.BackendLeg.Address, fmt.Sprint(record.BackendLeg.Port)); got != backend.Address {
		t.Errorf("address in the record %s, want %s", got, backend.Address)
	}
	nobody := freePort(t)
	record = s.CheckAddress(t.Context(), elsewhere, nobody, testName, nil)
	wantError(t, record.BackendLeg, inspect.ErrorRefused, inspect.PhaseDial)
	if got := net.JoinHostPort(record.BackendLeg.Address, fmt.Sprint(record.BackendLeg.Port)); got != nobody {
		t.Errorf("address in the record %s, want %s", got, nobody)
	}
}
