package e2e

import (
	"net"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// direct is a client that trusts the backend's own root, as one does where nothing is terminated.
func direct(ca string, more ...string) func(*testing.T, string) ran {
	return sClient(append([]string{"-CAfile", ca}, more...)...)
}

// watched checks what a record of a connection that passed through must have.
func watched(t *testing.T, r *record) {
	t.Helper()
	if !r.ClientLeg.Passthrough || r.BackendLeg == nil || !r.BackendLeg.Passthrough {
		t.Errorf("not told as passed through: %s", r.line)
	}
}

func TestPassthrough(t *testing.T) {
	t.Parallel()
	cert, key, ca := files(t)
	healthy := startProxy(t, "--mode", "passthrough", "--backend", "tls://"+sServer(t, cert, key), "--backend-ca", ca, "--policy", strict)
	t.Run("TLS 1.3", func(t *testing.T) {
		got := direct(ca, "-tls1_3")(t, healthy.Addr)
		r := healthy.nextFor(t)
		expect(t, r, fineByPolicy)
		watched(t, r)
		if got.code != 0 || !strings.Contains(got.out, greeting) {
			t.Errorf("exit %d: %s", got.code, got.out)
		}
		if x := r.ClientLeg.TLS; x.Version != "TLSv1.3" || x.Server == nil || x.Server.Validation == nil || x.Server.Validation.Status != inspect.ValidationNotVisible {
			t.Errorf("the certificate of a TLS 1.3 handshake is not visible, and that is said: %s", r.line)
		}
	})
	t.Run("TLS 1.2", func(t *testing.T) {
		got := direct(ca, "-tls1_2")(t, healthy.Addr)
		r := healthy.nextFor(t)
		expect(t, r, fineByPolicy)
		watched(t, r)
		if got.code != 0 || !strings.Contains(got.out, greeting) {
			t.Errorf("exit %d: %s", got.code, got.out)
		}
		if x := r.ClientLeg.TLS; x.Version != "TLSv1.2" || x.Server == nil || len(x.Server.CertificateChain) == 0 {
			t.Errorf("the chain is in the clear and not in the record: %s", r.line)
		}
	})
	t.Run("the client refuses the certificate, TLS 1.2", func(t *testing.T) {
		got := direct(emptyTrust(t), "-tls1_2")(t, healthy.Addr)
		r := healthy.nextFor(t)
		watched(t, r)
		expect(t, r, untrusting.and("accepted"))
		if got.code == 0 {
			t.Errorf("exit %d: %s", got.code, got.out)
		}
	})
	t.Run("the client refuses the certificate, TLS 1.3", func(t *testing.T) {
		got := direct(emptyTrust(t), "-tls1_3")(t, healthy.Addr)
		r := healthy.nextFor(t)
		watched(t, r)
		if got.code == 0 {
			t.Errorf("exit %d: %s", got.code, got.out)
		}
		// OpenSSL sends this alert in the clear: it has not come to its own encrypted messages.
		expect(t, r, untrusting.and("accepted"))
	})
	t.Run("the policy would refuse", func(t *testing.T) {
		old := startProxy(t, "--mode", "passthrough", "--backend", "tls://"+sServer(t, cert, key, "-cipher", "DEFAULT:@SECLEVEL=0"), "--backend-ca", ca, "--policy", strict)
		got := direct(ca, "-tls1", "-cipher", "DEFAULT@SECLEVEL=0")(t, old.Addr)
		r := old.nextFor(t)
		watched(t, r)
		expect(t, r, oldReported)
		if got.code != 0 || !strings.Contains(got.out, greeting) {
			t.Errorf("exit %d: %s", got.code, got.out)
		}
	})
	t.Run("the backend refuses the version", func(t *testing.T) {
		p := startProxy(t, "--mode", "passthrough", "--backend", "tls://"+sServer(t, cert, key, "-tls1_3"))
		got := direct(ca, "-tls1_2")(t, p.Addr)
		r := p.nextFor(t)
		watched(t, r)
		expect(t, r, want{cause: "version-no-overlap", fault: inspect.FaultBackend, verdict: inspect.Failed, outcome: inspect.Failure})
		if got.code == 0 || !strings.Contains(got.out, "alert protocol version") {
			t.Errorf("exit %d: %s", got.code, got.out)
		}
	})
	t.Run("the backend answers with an alert", func(t *testing.T) {
		p := startProxy(t, "--mode", "passthrough", "--backend", "tls://"+sServer(t, cert, key, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"))
		got := direct(ca, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256")(t, p.Addr)
		r := p.nextFor(t)
		watched(t, r)
		expect(t, r, want{cause: "cipher-no-overlap", fault: inspect.FaultBackend, verdict: inspect.Failed, outcome: inspect.Failure})
		if got.code == 0 || !strings.Contains(got.out, "handshake failure") {
			t.Errorf("exit %d: %s", got.code, got.out)
		}
	})
	t.Run("plain HTTP through", func(t *testing.T) {
		p := startProxy(t, "--mode", "passthrough", "--backend", "tcp://"+plainBackend(t))
		got := client(t, "", "curl", "-sS", "http://"+p.Addr+"/hello")
		if got.code != 0 || got.out != greeting {
			t.Errorf("exit %d: %s", got.code, got.out)
		}
		r := p.nextFor(t)
		if r.Cause != "not-tls-http" || r.Fault != inspect.FaultClient || r.ClientLeg.FirstBytes == nil || r.ClientLeg.FirstBytes.Protocol != "http" {
			t.Errorf("%s", r)
		}
	})
	t.Run("closed port", func(t *testing.T) {
		closed, _ := freePort(t)
		p := startProxy(t, "--mode", "passthrough", "--backend", "tls://"+closed)
		if got := direct(ca)(t, p.Addr); got.code == 0 {
			t.Errorf("served: %s", got.out)
		}
		expect(t, p.nextFor(t), broken("backend-refused", inspect.FaultBackend))
	})
	t.Run("a backend that resets", func(t *testing.T) {
		addr := rawBackend(t, func(c net.Conn) { readHello(c); c.(*net.TCPConn).SetLinger(0) })
		p := startProxy(t, "--mode", "passthrough", "--backend", "tls://"+addr)
		if got := direct(ca)(t, p.Addr); got.code == 0 {
			t.Errorf("served: %s", got.out)
		}
		r := p.nextFor(t)
		if r.Cause != "backend-reset" || r.Fault != inspect.FaultNetwork || r.Verdict != inspect.Failed {
			t.Errorf("%s", r)
		}
	})
	t.Run("large bodies", func(t *testing.T) {
		b := healthyGo(t)
		p := startProxy(t, "--mode", "passthrough", "--backend", "tls://"+b.addr)
		for _, path := range b.paths() {
			args := []string{"-sS", "--fail", "--cacert", b.ca, "--connect-to", "::" + p.Addr, "https://" + site + path}
			if path == "/digest" {
				args = append(args, "--data-binary", "@"+shared+"/large")
			}
			got := client(t, "", "curl", args...)
			if got.code != 0 {
				t.Errorf("exit %d: %.300s", got.code, got.out)
			}
			checkBody(t, path, []byte(got.out))
			r := p.nextFor(t)
			expect(t, r, fine)
			watched(t, r)
		}
	})
}

// Clients that the program's own TLS library cannot serve are handed to the backend, and work.
func TestFallbackToPassthrough(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	chain := pki.Make(certstest.HealthyRSA, site)
	ca := pki.WriteRoot(t)
	t.Run("DHE only", func(t *testing.T) {
		cert, key := chain.WriteFiles(t)
		p := startProxy(t, "--fallback", "passthrough", "--backend", "tls://"+sServer(t, cert, key), "--backend-ca", ca, "--policy", strict)
		got := direct(ca, "-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256")(t, p.Addr)
		if got.code != 0 || !strings.Contains(got.out, greeting) {
			t.Errorf("exit %d: %s", got.code, got.out)
		}
		r := p.nextFor(t)
		watched(t, r)
		// It works, and the policy would have refused it all the same.
		expect(t, r, want{cause: "policy-rejects-cipher", fault: inspect.FaultPolicy, verdict: inspect.Failed, outcome: inspect.Success, policy: "cipher"})
		if c := r.ClientLeg.TLS.Cipher; c != "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256" {
			t.Errorf("suite %s", c)
		}
		// Everybody else is terminated as before.
		if got := sClient()(t, p.Addr); got.code != 0 {
			t.Errorf("exit %d: %s", got.code, got.out)
		}
		r = p.nextFor(t)
		expect(t, r, fineByPolicy)
		if r.ClientLeg.Passthrough {
			t.Errorf("passed through: %s", r)
		}
	})
	for _, protocols := range []string{"SSLv3", "SSLv2Hello,SSLv3"} {
		t.Run(protocols, func(t *testing.T) {
			p := startProxy(t, "--fallback", "passthrough", "--backend", "tls://"+javaServer(t, chain, "SSLv3,SSLv2Hello"), "--backend-ca", ca)
			got := client(t, "", "java", append(javaFlags(t, true), "Client", site, portOf(p.Addr), ca, protocols, "default")...)
			if got.code != 0 || !strings.Contains(got.out, greeting) || !strings.HasPrefix(got.out, "SSLv3") {
				t.Errorf("exit %d: %s", got.code, got.out)
			}
			r := p.nextFor(t)
			watched(t, r)
			cause := "client-legacy-version"
			if strings.HasPrefix(protocols, "SSLv2Hello") {
				cause = "sslv2-hello"
			}
			expect(t, r, want{cause: cause, fault: inspect.FaultClient, verdict: inspect.Warning, outcome: inspect.Success})
			if v := r.ClientLeg.TLS.Version; v != "SSLv3" {
				t.Errorf("version %s", v)
			}
		})
	}
}
