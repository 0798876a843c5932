package probe_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/porttest"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/servertest"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// openssl starts `openssl s_server`, which answers HTTP requests.
func openssl(t testing.TB, id servertest.Identity, args ...string) string {
	t.Helper()
	port := porttest.Free(t)
	return servertest.Start(t, port, "openssl", append([]string{"s_server", "-accept", fmt.Sprintf("127.0.0.1:%d", port), "-cert", id.CertFile, "-key", id.KeyFile, "-quiet", "-www"}, args...)...)
}

// nginx starts nginx with directives in its one server.
func nginx(t testing.TB, id servertest.Identity, directives string) string {
	t.Helper()
	dir, port := t.TempDir(), porttest.Free(t)
	config := fmt.Sprintf(`daemon off; worker_processes 1; master_process off; pid %[1]s/pid; error_log %[1]s/error.log crit;
events { worker_connections 1024; }
http { access_log off; client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
 server { listen 127.0.0.1:%[2]d ssl backlog=4096; ssl_certificate %[3]s; ssl_certificate_key %[4]s; %[5]s
  location / { return 200 ok; } } }`, dir, port, id.CertFile, id.KeyFile, directives)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return servertest.Start(t, port, "nginx", "-c", file, "-p", dir)
}

func TestEverySuiteOfOpenSSLIsFinished(t *testing.T) {
	rsaID, ecID := rsaIdentity(t, "openssl.example"), ecdsaIdentity(t, "openssl.example")
	const all = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"
	for name, tc := range map[string]struct {
		args     []string
		id       servertest.Identity
		versions []wire.Version
		suites   []wire.CipherSuite
	}{
		"tls12 rsa": {[]string{"-cipher", all}, rsaID, []wire.Version{wire.VersionTLS12}, []wire.CipherSuite{
			wire.TLS_RSA_WITH_AES_128_CBC_SHA, wire.TLS_RSA_WITH_AES_256_CBC_SHA256, wire.TLS_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_RSA_WITH_AES_256_GCM_SHA384,
			wire.TLS_RSA_WITH_AES_128_CCM, wire.TLS_RSA_WITH_AES_256_CCM_8, wire.TLS_RSA_WITH_NULL_SHA256, wire.TLS_DHE_RSA_WITH_AES_128_CBC_SHA,
			wire.TLS_DHE_RSA_WITH_AES_256_GCM_SHA384, wire.TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384,
			wire.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, wire.TLS_DH_anon_WITH_AES_128_CBC_SHA, wire.TLS_ECDH_anon_WITH_AES_128_CBC_SHA,
		}},
		"tls12 ecdsa": {[]string{"-cipher", all}, ecID, []wire.Version{wire.VersionTLS12}, []wire.CipherSuite{
			wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, wire.TLS_ECDHE_ECDSA_WITH_AES_128_CCM, wire.TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8,
		}},
		"tls10": {[]string{"-cipher", all}, rsaID, []wire.Version{wire.VersionTLS10}, []wire.CipherSuite{
			wire.TLS_RSA_WITH_AES_128_CBC_SHA, wire.TLS_DHE_RSA_WITH_AES_256_CBC_SHA, wire.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, wire.TLS_RSA_WITH_NULL_SHA,
		}},
		"tls11": {[]string{"-cipher", all}, rsaID, []wire.Version{wire.VersionTLS11}, []wire.CipherSuite{wire.TLS_DHE_RSA_WITH_AES_128_CBC_SHA, wire.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA}},
		"tls13": {[]string{"-ciphersuites", "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_CCM_SHA256:TLS_AES_128_CCM_8_SHA256"}, ecID,
			[]wire.Version{wire.VersionTLS13}, []wire.CipherSuite{
				wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256, wire.TLS_AES_128_CCM_SHA256, wire.TLS_AES_128_CCM_8_SHA256,
			}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := openssl(t, tc.id, tc.args...)
			for _, suite := range tc.suites {
				hello := probe.Offer{ServerName: "openssl.example", Versions: tc.versions, CipherSuites: []wire.CipherSuite{suite}}.Hello()
				x := patient().Exchange(t.Context(), probe.Target{Address: address}, hello, probe.Options{Until: probe.UntilAnswer, Request: []byte("GET / HTTP/1.0\r\n\r\n")})
				if !x.Finished || x.CipherSuite != suite || !bytes.HasPrefix(x.Answer, []byte("HTTP/1.0 200")) {
					t.Errorf("%s: %s, %+v, finished %v, answer %.40q", suite, x.Describe(), x.Error, x.Finished, x.Answer)
				}
			}
		})
	}
}

func TestEveryGroupOfOpenSSLIsFinished(t *testing.T) {
	id := ecdsaIdentity(t, "openssl.example")
	groups := []wire.NamedGroup{
		wire.GroupX25519, wire.GroupSecp256r1, wire.GroupSecp384r1, wire.GroupSecp521r1, wire.GroupX448, wire.GroupFfdhe2048, wire.GroupFfdhe3072, wire.GroupFfdhe4096, wire.GroupFfdhe6144, wire.GroupFfdhe8192,
	}
	address := openssl(t, id, "-tls1_3", "-groups", "X25519:P-256:P-384:P-521:X448:ffdhe2048:ffdhe3072:ffdhe4096:ffdhe6144:ffdhe8192")
	for _, group := range groups {
		for _, retried := range []bool{false, true} {
			offer := probe.Offer{Groups: []wire.NamedGroup{group}}
			if retried {
				offer.KeyShares = []wire.NamedGroup{}
			}
			x := patient().Exchange(t.Context(), probe.Target{Address: address}, offer.Hello(), probe.Options{Until: probe.UntilFinished})
			if !x.Finished || x.Group != group || (x.RetryRequest != nil) != retried || x.Connection.ClientLeg.TLS.HelloRetryRequest != retried {
				t.Errorf("%s, retried %v: %s, %+v, finished %v, group %s", group, retried, x.Describe(), x.Error, x.Finished, x.Group)
			}
		}
	}
	x := patient().Exchange(t.Context(), probe.Target{Address: address}, probe.Offer{Groups: []wire.NamedGroup{wire.GroupX448}, KeyShares: []wire.NamedGroup{}}.Hello(), probe.Options{NoRetry: true})
	if x.Outcome != probe.OutcomeRetryRequest || x.RetryRequest.Group != wire.GroupX448 {
		t.Errorf("X448 without a share: %s", x.Describe())
	}
}

// The generator stands in for a key on a curve that is not at hand; OpenSSL checks that it is a point of the curve.
func TestCurvesOfOthersAreFinished(t *testing.T) {
	id := rsaIdentity(t, "openssl.example")
	address := openssl(t, id, "-tls1_2", "-groups", "brainpoolP256r1:brainpoolP384r1:brainpoolP512r1")
	for _, group := range []wire.NamedGroup{wire.GroupBrainpoolP256r1, wire.GroupBrainpoolP384r1, wire.GroupBrainpoolP512r1} {
		offer := probe.Offer{Versions: []wire.Version{wire.VersionTLS12}, Groups: []wire.NamedGroup{group}, CipherSuites: []wire.CipherSuite{wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}}
		x := patient().Exchange(t.Context(), probe.Target{Address: address}, offer.Hello(), probe.Options{Until: probe.UntilFinished})
		if !x.Finished || x.Group != group {
			t.Errorf("%s: %s, %+v, group %s", group, x.Describe(), x.Error, x.Group)
		}
	}
}

func TestWhatTheServerPresentsIsRead(t *testing.T) {
	id := rsaIdentity(t, "nginx.example")
	address := nginx(t, id, "ssl_protocols TLSv1.2 TLSv1.3; ssl_verify_client optional_no_ca; ssl_client_certificate "+id.CertFile+";")
	for _, version := range []wire.Version{wire.VersionTLS13, wire.VersionTLS12} {
		hello := probe.Offer{ServerName: "nginx.example", Versions: []wire.Version{version}, ALPN: []string{"http/1.1"}}.Hello()
		x := patient().Exchange(t.Context(), probe.Target{Address: address}, hello, probe.Options{})
		if x.Version != version || !x.Flight || len(x.Certificates) != 1 || x.ALPN != "http/1.1" || x.Scheme == 0 || x.CertificateRequest == nil {
			t.Fatalf("%s: %+v", version, x)
		}
		leg := x.Connection.ClientLeg
		if leg.TLS.Version != version.String() || len(leg.TLS.Server.CertificateChain) != 1 || leg.TLS.Server.CertificateChain[0].Subject != "CN=nginx.example" ||
			leg.TLS.NextProtocol != "http/1.1" || leg.TLS.Server.CertificateRequest == nil || len(leg.TLS.Server.CertificateRequest.Authorities) != 1 ||
			leg.TLS.Client.ServerName != "nginx.example" || x.Connection.Event.Outcome != inspect.Success {
			t.Errorf("%s: record %+v, %+v", version, leg.TLS, leg.TLS.Server)
		}
	}
}

func TestClientCertificates(t *testing.T) {
	server, client := ecdsaIdentity(t, "server.example"), ecdsaIdentity(t, "client.example")
	rsaClient, edClient := rsaIdentity(t, "client.example"), servertest.Ed25519(t, "client.example")
	pool := x509.NewCertPool()
	for _, id := range []servertest.Identity{client, rsaClient, edClient} {
		pool.AddCert(id.Leaf)
	}
	stranger := ecdsaIdentity(t, "stranger.example")
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13} {
		address := serveTLS(t, &tls.Config{
			Certificates: []tls.Certificate{server.Certificate}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, MinVersion: version, MaxVersion: version,
		})
		for name, tc := range map[string]struct {
			own   *servertest.Identity
			alert wire.AlertDescription
		}{"ecdsa": {own: &client}, "rsa": {own: &rsaClient}, "ed25519": {own: &edClient}, "none": {alert: wire.AlertCertificateRequired}, "stranger": {own: &stranger, alert: wire.AlertUnknownCA}} {
			if version < tls.VersionTLS12 && name == "ed25519" {
				continue // RFC 8422, Section 5.5: from TLS 1.2 on
			}
			t.Run(fmt.Sprintf("%s/%s", tls.VersionName(version), name), func(t *testing.T) {
				options := probe.Options{Until: probe.UntilFinished}
				if tc.own != nil {
					options.Certificate = &tc.own.Certificate
				}
				hello := probe.Offer{Versions: []wire.Version{wire.Version(version)}}.Hello()
				x := patient().Exchange(t.Context(), probe.Target{Address: address}, hello, options)
				if tc.alert == 0 {
					if !x.Finished || x.Alert != nil || !x.Connection.ClientLeg.TLS.Established {
						t.Errorf("%s: %+v", x.Describe(), x.Error)
					}
					return
				}
				if version < tls.VersionTLS13 && tc.alert == wire.AlertCertificateRequired {
					tc.alert = wire.AlertBadCertificate
					if x.Alert != nil && x.Alert.Description == wire.AlertHandshakeFailure {
						tc.alert = wire.AlertHandshakeFailure
					}
				}
				if x.Finished || x.Alert == nil || x.Alert.Description != tc.alert || x.Alert.Moment != probe.AfterFinished || x.Outcome != probe.OutcomeServerHello {
					t.Errorf("%s: alert %+v, finished %v", x.Describe(), x.Alert, x.Finished)
				}
			})
		}
	}
}

func TestWhatIsNoTLS(t *testing.T) {
	says := func(greeting, answer string) string {
		return serve(t, func(conn net.Conn) {
			fmt.Fprint(conn, greeting)
			if _, err := conn.Read(make([]byte, 4096)); err == nil {
				fmt.Fprint(conn, answer)
			}
			_ = conn.(*net.TCPConn).CloseWrite()
			discard(conn)
		})
	}
	reset := serve(t, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 1))
		_ = conn.(*net.TCPConn).SetLinger(0)
	})
	closed := serve(t, func(conn net.Conn) { _, _ = conn.Read(make([]byte, 4096)) })
	silent := serve(t, discard)
	refused := fmt.Sprintf("127.0.0.1:%d", porttest.Free(t))
	for name, tc := range map[string]struct {
		address  string
		outcome  probe.Outcome
		kind     inspect.ErrorType
		protocol wire.Protocol
	}{
		"http":    {says("", "HTTP/1.1 400 Bad Request\r\n\r\n"), probe.OutcomeNotTLS, inspect.ErrorNotTLS, wire.ProtocolHTTPResponse},
		"smtp":    {says("220 mail.example ESMTP\r\n", ""), probe.OutcomeNotTLS, inspect.ErrorNotTLS, wire.ProtocolSMTP},
		"ssh":     {says("SSH-2.0-OpenSSH_9.2\r\n", ""), probe.OutcomeNotTLS, inspect.ErrorNotTLS, wire.ProtocolSSH},
		"alert":   {says("", "\x15\x03\x03\x00\x02\x02\x28"), probe.OutcomeAlert, inspect.ErrorAlertReceived, ""},
		"reset":   {reset, probe.OutcomeReset, inspect.ErrorReset, ""},
		"closed":  {closed, probe.OutcomeClosed, inspect.ErrorClosed, ""},
		"silence": {silent, probe.OutcomeTimeout, inspect.ErrorTimeout, ""},
		"refused": {refused, probe.OutcomeNotConnected, inspect.ErrorRefused, ""},
	} {
		t.Run(name, func(t *testing.T) {
			client := patient()
			if tc.outcome == probe.OutcomeTimeout {
				client.Timeouts.Answer = 300 * time.Millisecond
			}
			x := client.Exchange(t.Context(), probe.Target{Address: tc.address}, probe.Modern("x.example"), probe.Options{})
			if x.Outcome != tc.outcome || x.Error == nil || x.Error.Type != tc.kind {
				t.Errorf("%s, %+v", x.Outcome, x.Error)
			}
			if tc.protocol != "" && (x.Plain == nil || x.Plain.Protocol != string(tc.protocol)) {
				t.Errorf("first bytes %+v", x.Plain)
			}
			if x.Connection.Event.Outcome != inspect.Failure || x.Connection.ClientLeg.Error != x.Error {
				t.Errorf("record: %+v", x.Connection)
			}
		})
	}
}

func TestOtherServers(t *testing.T) {
	id := rsaIdentity(t, "other.example")
	t.Run("gnutls", func(t *testing.T) {
		port := porttest.Free(t)
		address := servertest.Start(t, port, "gnutls-serv", "--http", "--port", fmt.Sprint(port), "--x509certfile", id.CertFile, "--x509keyfile", id.KeyFile, "--priority", "NORMAL:+VERS-ALL", "--quiet")
		versions(t, address, wire.VersionTLS13, wire.VersionTLS12)
	})
	t.Run("haproxy", func(t *testing.T) {
		dir, port := t.TempDir(), porttest.Free(t)
		cert, _ := os.ReadFile(id.CertFile)
		key, _ := os.ReadFile(id.KeyFile)
		if err := os.WriteFile(filepath.Join(dir, "both.pem"), append(cert, key...), 0o600); err != nil {
			t.Fatal(err)
		}
		config := fmt.Sprintf("global\n ssl-default-bind-options ssl-min-ver TLSv1.2\ndefaults\n mode http\n timeout client 5s\n timeout server 5s\n timeout connect 5s\nfrontend f\n bind 127.0.0.1:%d ssl crt %s/both.pem accept-proxy\n http-request return status 200\n", port, dir)
		file := filepath.Join(dir, "haproxy.cfg")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		address := servertest.Start(t, port, "haproxy", "-f", file, "-db")
		for _, version := range []int{1, 2} {
			x := patient().Exchange(t.Context(), probe.Target{Address: address, Proxy: &probe.ProxyHeader{Version: version}}, probe.Modern("other.example"),
				probe.Options{Until: probe.UntilAnswer, Request: probe.HTTPRequest("other.example")})
			if !x.Finished || !bytes.HasPrefix(x.Answer, []byte("HTTP/1.1 200")) || x.Connection.ClientLeg.ProxyProtocol != fmt.Sprintf("v%d", version) {
				t.Errorf("version %d: %s, %+v, %.30q", version, x.Describe(), x.Error, x.Answer)
			}
		}
		if x := patient().Exchange(t.Context(), probe.Target{Address: address}, probe.Modern("other.example"), probe.Options{}); x.Accepted() {
			t.Errorf("without the header: %s", x.Describe())
		}
	})
	t.Run("java", func(t *testing.T) {
		address := java(t, id)
		versions(t, address, wire.VersionTLS13, wire.VersionTLS12, wire.VersionTLS11, wire.VersionTLS10)
		x := patient().Exchange(t.Context(), probe.Target{Address: address}, probe.Offer{Versions: []wire.Version{wire.VersionSSLv3}}.Hello(), probe.Options{})
		if !x.Accepted() || x.Version != wire.VersionSSLv3 || len(x.Certificates) != 1 {
			t.Errorf("SSLv3: %s, %+v", x.Describe(), x.Error)
		}
		sslv2 := probe.Legacy("", wire.VersionTLS10)
		sslv2.SSLv2, sslv2.Random = true, sslv2.Random[:16]
		for _, suite := range sslv2.CipherSuites {
			sslv2.CipherKinds = append(sslv2.CipherKinds, wire.SSLv2CipherKind(suite))
		}
		sslv2.RemoveExtensions()
		if x := patient().Exchange(t.Context(), probe.Target{Address: address}, sslv2, probe.Options{Until: probe.UntilFinished}); !x.Finished || x.Version != wire.VersionTLS10 {
			t.Errorf("SSLv2 format: %s, %+v", x.Describe(), x.Error)
		}
	})
}

// versions finishes a handshake in each version.
func versions(t *testing.T, address string, all ...wire.Version) {
	t.Helper()
	for _, version := range all {
		x := patient().Exchange(t.Context(), probe.Target{Address: address}, probe.Offer{ServerName: "other.example", Versions: []wire.Version{version}}.Hello(), probe.Options{Until: probe.UntilFinished})
		if !x.Finished || x.Version != version || len(x.Certificates) != 1 {
			t.Errorf("%s: %s, %+v", version, x.Describe(), x.Error)
		}
	}
}

// java starts a Java server with everything opened that Java still has.
func java(t *testing.T, id servertest.Identity) string {
	t.Helper()
	dir, port := t.TempDir(), porttest.Free(t)
	store := filepath.Join(dir, "store.p12")
	runToEnd(t, "openssl", "pkcs12", "-export", "-in", id.CertFile, "-inkey", id.KeyFile, "-out", store, "-passout", "pass:secret")
	source := `
import javax.net.ssl.*; import java.security.*; import java.io.*; import java.net.*;
public class S { public static void main(String[] a) throws Exception {
 KeyStore k = KeyStore.getInstance("PKCS12"); k.load(new FileInputStream(a[0]), "secret".toCharArray());
 KeyManagerFactory f = KeyManagerFactory.getInstance("SunX509"); f.init(k, "secret".toCharArray());
 SSLContext c = SSLContext.getInstance("TLS"); c.init(f.getKeyManagers(), null, null);
 SSLServerSocket s = (SSLServerSocket) c.getServerSocketFactory().createServerSocket(Integer.parseInt(a[1]), 50, InetAddress.getByName("127.0.0.1"));
 s.setEnabledProtocols(s.getSupportedProtocols()); s.setEnabledCipherSuites(s.getSupportedCipherSuites());
 while (true) { Socket n = s.accept(); new Thread(() -> { try { ((SSLSocket) n).startHandshake(); n.getInputStream().read(); n.close(); } catch (IOException e) { try { n.close(); } catch (IOException x) { } } }).start(); } } }`
	file := filepath.Join(dir, "S.java")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	security := filepath.Join(dir, "security")
	if err := os.WriteFile(security, []byte("jdk.tls.disabledAlgorithms=\njdk.tls.legacyAlgorithms=\njdk.certpath.disabledAlgorithms=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return servertest.Start(t, port, "java", "-Djava.security.properties="+security, file, store, fmt.Sprint(port))
}

// runToEnd runs a program to its end.
func runToEnd(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(servertest.Program(t, name), args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}
