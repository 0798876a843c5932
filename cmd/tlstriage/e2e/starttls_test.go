package e2e

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// serverDir is a directory for a server that gives up root, with a healthy chain in it: cert.pem and key.pem. owner is the user
// that the server runs as, where this is root; it must exist, for the server's package makes it.
func serverDir(t *testing.T, pki *certstest.PKI, owner string) (dir string, credential *syscall.Credential) {
	t.Helper()
	dir, err := os.MkdirTemp("", "tlstriage-server-") // its parents can be entered by everybody, unlike those of t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	cert, key := healthyChain(pki).WriteFiles(t)
	for from, to := range map[string]string{cert: "cert.pem", key: "key.pem"} {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, to), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if os.Geteuid() != 0 {
		return dir, nil
	}
	u, err := user.Lookup(owner)
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	for _, name := range []string{"", "cert.pem", "key.pem"} {
		if err := os.Chown(filepath.Join(dir, name), uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	return dir, &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// postgresBin is where the server's programs are, which Debian keeps off everybody's path.
func postgresBin(t *testing.T) string {
	t.Helper()
	need(t, "psql")
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		if path, err := exec.LookPath("initdb"); err == nil {
			found = []string{path}
		}
	}
	if len(found) == 0 {
		need(t, "initdb") // says that it is missing
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1])
}

// postgres is a PostgreSQL with or without TLS that lets everybody in.
func postgres(t *testing.T, pki *certstest.PKI, ssl string) string {
	t.Helper()
	bin := postgresBin(t)
	dir, credential := serverDir(t, pki, "postgres")
	run := func(cmd *exec.Cmd) *exec.Cmd {
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "LC_ALL=C")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential, Setpgid: true}
		return cmd
	}
	data := filepath.Join(dir, "data")
	if out, err := run(exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "--auth=trust", "--no-sync")).CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	addr, port := freePort(t)
	out := &lockedBuffer{}
	cmd := run(exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-p", port, "-k", dir, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off",
		"-c", "ssl="+ssl, "-c", "ssl_cert_file="+filepath.Join(dir, "cert.pem"), "-c", "ssl_key_file="+filepath.Join(dir, "key.pem")))
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { cmd.Wait(); close(exited) }()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGINT)
		select {
		case <-exited:
		case <-time.After(patience):
			syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-exited
		}
		if t.Failed() {
			t.Logf("postgres said:\n%s", out)
		}
	})
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if exec.Command(filepath.Join(bin, "pg_isready"), "-q", "-h", "127.0.0.1", "-p", port).Run() == nil {
			return addr
		}
		if time.Now().After(deadline) {
			t.Fatalf("postgres does not come up\n%s", out)
		}
	}
}

// query asks one question through the proxy, with the certificate verified in full.
func query(t *testing.T, addr, sql, options string) ran {
	t.Helper()
	return client(t, "", "psql", fmt.Sprintf("host=%s hostaddr=127.0.0.1 port=%s user=postgres dbname=postgres connect_timeout=60 sslmode=verify-full sslrootcert=%s %s", site, portOf(addr), authorityCA, options), "-XAtc", sql)
}

// psql comes through with its certificate verified, on either leg and on both; the database sees TLS where it was asked for it.
func TestPostgreSQL(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	ca := pki.WriteRoot(t)
	with, without := postgres(t, pki, "on"), postgres(t, pki, "off")
	const encrypted = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
	for _, c := range []struct {
		name, saw string
		args      []string
	}{
		{"TLS on both legs", "t", []string{"--backend", "tls://" + with, "--backend-ca", ca, "--starttls", "postgres", "--backend-starttls", "postgres"}},
		{"TLS for the client alone", "f", []string{"--backend", "tcp://" + without, "--starttls", "postgres"}},
		{"passed through", "t", []string{"--backend", "tls://" + with, "--mode", "passthrough", "--starttls", "postgres", "--backend-starttls", "postgres"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := startProxy(t, c.args...)
			options := ""
			if c.name == "passed through" {
				options = "sslrootcert=" + ca // the database's own certificate is seen
			}
			if got := query(t, p.Addr, encrypted, options); got.code != 0 || strings.TrimSpace(got.out) != c.saw {
				t.Errorf("exit %d: %s", got.code, got.out)
			}
			r := p.nextFor(t)
			expect(t, r, fine)
			// The client's goodbye is a message of the protocol, behind which both sides close at the same time.
			if s := r.ClientLeg.StartTLS; s == nil || s.Protocol != "postgres" || r.Event.End != inspect.EndedByClient && r.Event.End != inspect.EndedByBackend {
				t.Errorf("%+v, ended by %q", s, r.Event.End)
			}
		})
	}
	t.Run("the client speaks TLS at once", func(t *testing.T) {
		p := startProxy(t, "--backend", "tls://"+with, "--backend-ca", ca, "--starttls", "postgres", "--backend-starttls", "postgres")
		startPostgres(t, p.Addr)
		r := p.nextFor(t)
		expect(t, r, want{verdict: inspect.OK, outcome: inspect.Success})
		if s := r.ClientLeg.StartTLS; s == nil || !s.Direct {
			t.Errorf("%+v", s)
		}
	})
	t.Run("the database has no TLS", func(t *testing.T) {
		p := startProxy(t, "--backend", "tls://"+without, "--backend-ca", ca, "--starttls", "postgres", "--backend-starttls", "postgres")
		if got := query(t, p.Addr, encrypted, ""); got.code == 0 || !strings.Contains(got.out, "does not support SSL") {
			t.Errorf("exit %d: %s", got.code, got.out)
		}
		r := p.nextFor(t)
		expect(t, r, want{cause: "backend-starttls-refused", fault: inspect.FaultBackend, verdict: inspect.Failed, outcome: inspect.Failure, hasNot: "client-starttls-missing"})
	})
	t.Run("the client wants no TLS", func(t *testing.T) {
		p := startProxy(t, "--backend", "tls://"+with, "--backend-ca", ca, "--starttls", "postgres", "--backend-starttls", "postgres")
		if got := query(t, p.Addr, encrypted, "sslmode=disable"); got.code == 0 || !strings.Contains(got.out, "this connection needs TLS") {
			t.Errorf("exit %d: %s", got.code, got.out)
		}
		expect(t, p.nextFor(t), want{cause: "client-starttls-missing", fault: inspect.FaultClient, verdict: inspect.Failed, outcome: inspect.Failure})
	})
}

// startPostgres is a client with sslnegotiation=direct: TLS at once, with the ALPN protocol of PostgreSQL 17.
func startPostgres(t *testing.T, addr string) {
	t.Helper()
	pem, err := os.ReadFile(authorityCA)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	c, err := tls.Dial("tcp", addr, &tls.Config{ServerName: site, RootCAs: roots, NextProtos: []string{"postgresql"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	body := "\x00\x03\x00\x00user\x00postgres\x00database\x00postgres\x00\x00"
	c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(4+len(body))), body...))
	ok := make([]byte, 9)
	if _, err := io.ReadFull(c, ok); err != nil || !bytes.Equal(ok, []byte("R\x00\x00\x00\x08\x00\x00\x00\x00")) {
		t.Errorf("the database answers %q, %v", ok, err)
	}
	io.WriteString(c, "X\x00\x00\x00\x04")
	io.Copy(io.Discard, c)
}

// exim is a mail server that takes every message and forgets it.
func exim(t *testing.T, pki *certstest.PKI, tlsOn bool) string {
	t.Helper()
	need(t, "exim4")
	if os.Geteuid() != 0 {
		t.Skip("exim takes a configuration of one's own from root alone")
	}
	dir, _ := serverDir(t, pki, "Debian-exim")
	addr, port := freePort(t)
	secure := "tls_advertise_hosts =\n"
	if tlsOn {
		secure = fmt.Sprintf("tls_advertise_hosts = *\ntls_certificate = %s/cert.pem\ntls_privatekey = %s/key.pem\n", dir, dir)
	}
	config := filepath.Join(dir, "exim.conf")
	text := fmt.Sprintf(`primary_hostname = mx.example
daemon_smtp_ports = %s
local_interfaces = 127.0.0.1
spool_directory = %s
log_file_path = %s/%%slog
pid_file_path = %s/pid
exim_user = Debian-exim
exim_group = Debian-exim
never_users =
keep_environment =
rfc1413_query_timeout = 0s
host_lookup =
acl_smtp_rcpt = all
acl_smtp_data = all
%s
begin acl
all:
  accept
begin routers
forget:
  driver = redirect
  data = :blackhole:
begin retry
begin rewrite
`, port, dir, dir, dir, secure)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	server(t, dir, addr, "exim4", "-bdf", "-C", config)
	return addr
}

// mail sends a message with curl, which asks for TLS.
func mail(t *testing.T, addr, scheme string) ran {
	t.Helper()
	message := writeFile(t, "message", "Subject: a test\r\n\r\nhello\r\n")
	return client(t, "", "curl", "-sS", "-v", "--ssl-reqd", "--cacert", authorityCA, "--resolve", site+":"+portOf(addr)+":127.0.0.1",
		"--mail-from", "a@example.com", "--mail-rcpt", "b@example.com", "-T", message, scheme+"://"+site+":"+portOf(addr)+"/me")
}

func TestSMTP(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	ca := pki.WriteRoot(t)
	with, without := exim(t, pki, true), exim(t, pki, false)
	for _, c := range []struct {
		name, scheme string
		args         []string
	}{
		{"asked on both legs", "smtp", []string{"--backend", "tls://" + with, "--backend-ca", ca, "--starttls", "smtp", "--backend-starttls", "smtp"}},
		{"asked by the client alone", "smtp", []string{"--backend", "tcp://" + without, "--starttls", "smtp"}},
		{"asked by the proxy alone", "smtps", []string{"--backend", "tls://" + with, "--backend-ca", ca, "--backend-starttls", "smtp"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := startProxy(t, c.args...)
			if got := mail(t, p.Addr, c.scheme); got.code != 0 || !strings.Contains(got.out, "220 mx.example") || !strings.Contains(got.out, "250 OK id=") {
				t.Errorf("exit %d: %s", got.code, got.out)
			}
			expect(t, p.nextFor(t), want{verdict: inspect.OK, outcome: inspect.Success})
		})
	}
	t.Run("OpenSSL asks", func(t *testing.T) {
		p := startProxy(t, "--backend", "tls://"+with, "--backend-ca", ca, "--starttls", "smtp", "--backend-starttls", "smtp")
		got := client(t, "QUIT\r\n", "openssl", "s_client", "-starttls", "smtp", "-connect", p.Addr, "-servername", site, "-CAfile", authorityCA, "-verify_return_error", "-ign_eof")
		if got.code != 0 || !strings.Contains(got.out, "221 mx.example") {
			t.Errorf("exit %d: %s", got.code, got.out)
		}
		expect(t, p.nextFor(t), want{verdict: inspect.OK, outcome: inspect.Success})
	})
	t.Run("the server has no TLS", func(t *testing.T) {
		p := startProxy(t, "--backend", "tls://"+without, "--backend-ca", ca, "--starttls", "smtp", "--backend-starttls", "smtp")
		c, err := net.Dial("tcp", p.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		io.WriteString(c, "EHLO me.example\r\nSTARTTLS\r\n")
		if said, _ := io.ReadAll(c); !bytes.Contains(said, []byte("503 STARTTLS command used when not advertised")) {
			t.Errorf("the client hears %q", said)
		}
		expect(t, p.nextFor(t), want{cause: "backend-starttls-refused", fault: inspect.FaultBackend, verdict: inspect.Failed, outcome: inspect.Failure})
	})
}

// dovecot serves IMAP and POP3 to everybody: at once in TLS, or when it is asked.
func dovecot(t *testing.T, pki *certstest.PKI) (imap, imaps, pop3 string) {
	t.Helper()
	need(t, "dovecot")
	if os.Geteuid() != 0 {
		t.Skip("dovecot needs root")
	}
	dir, credential := serverDir(t, pki, "nobody")
	os.Chmod(dir, 0o755)
	imap, imapPort := freePort(t)
	imaps, imapsPort := freePort(t)
	pop3, pop3Port := freePort(t)
	os.Mkdir(filepath.Join(dir, "mail"), 0o777)
	os.Chmod(filepath.Join(dir, "mail"), 0o777)
	config := filepath.Join(dir, "dovecot.conf")
	text := fmt.Sprintf(`protocols = imap pop3
listen = 127.0.0.1
base_dir = %[1]s/run
state_dir = %[1]s/state
log_path = /dev/stderr
ssl = yes
ssl_cert = <%[1]s/cert.pem
ssl_key = <%[1]s/key.pem
mail_location = mbox:%[1]s/mail
first_valid_uid = 1
first_valid_gid = 1
passdb {
  driver = static
  args = nopassword=y
}
userdb {
  driver = static
  args = uid=%[5]d gid=%[6]d home=%[1]s/mail
}
service imap-login {
  inet_listener imap {
    port = %[2]s
  }
  inet_listener imaps {
    port = %[3]s
  }
}
service pop3-login {
  inet_listener pop3 {
    port = %[4]s
  }
  inet_listener pop3s {
    port = 0
  }
}
`, dir, imapPort, imapsPort, pop3Port, credential.Uid, credential.Gid)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	server(t, dir, imap, "dovecot", "-F", "-c", config)
	return imap, imaps, pop3
}

func TestIMAPAndPOP3(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	ca := pki.WriteRoot(t)
	imap, imaps, pop3 := dovecot(t, pki)
	for _, c := range []struct {
		name, url, says string
		args            []string
	}{
		{"IMAP, asked on both legs", "imap", "Logged in", []string{"--backend", "tls://" + imap, "--backend-ca", ca, "--starttls", "imap", "--backend-starttls", "imap"}},
		{"IMAP, asked by the client alone", "imap", "Logged in", []string{"--backend", "tls://" + imaps, "--backend-ca", ca, "--starttls", "imap"}},
		{"IMAP, asked by the proxy alone", "imaps", "Logged in", []string{"--backend", "tls://" + imap, "--backend-ca", ca, "--backend-starttls", "imap"}},
		{"POP3, asked on both legs", "pop3", "Logged in", []string{"--backend", "tls://" + pop3, "--backend-ca", ca, "--starttls", "pop3", "--backend-starttls", "pop3"}},
		{"POP3, asked by the proxy alone", "pop3s", "Logged in", []string{"--backend", "tls://" + pop3, "--backend-ca", ca, "--backend-starttls", "pop3"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := startProxy(t, c.args...)
			command := "LIST" // which curl knows to have several lines
			if strings.HasPrefix(c.url, "imap") {
				command = "CAPABILITY"
			}
			got := client(t, "", "curl", "-sS", "-v", "--ssl-reqd", "--cacert", authorityCA, "--resolve", site+":"+portOf(p.Addr)+":127.0.0.1", "-u", "me:secret", "-X", command, c.url+"://"+site+":"+portOf(p.Addr)+"/")
			if got.code != 0 || !strings.Contains(got.out, "Dovecot (Debian) ready.") || !strings.Contains(got.out, c.says) {
				t.Errorf("exit %d: %s", got.code, got.out)
			}
			expect(t, p.nextFor(t), want{verdict: inspect.OK, outcome: inspect.Success})
		})
	}
}

// ldapServer is an OpenLDAP with nothing in it.
func ldapServer(t *testing.T, pki *certstest.PKI, tlsOn bool) string {
	t.Helper()
	need(t, "slapd", "ldapsearch")
	if os.Geteuid() != 0 {
		t.Skip("slapd reads what its package put down for root")
	}
	dir, _ := serverDir(t, pki, "openldap")
	addr, _ := freePort(t)
	text := "include /etc/ldap/schema/core.schema\npidfile " + dir + "/pid\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n"
	if tlsOn {
		text += fmt.Sprintf("TLSCertificateFile %s/cert.pem\nTLSCertificateKeyFile %s/key.pem\n", dir, dir)
	}
	text += "database mdb\nsuffix \"dc=example\"\ndirectory " + dir + "\n"
	config := filepath.Join(dir, "slapd.conf")
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	server(t, dir, addr, "slapd", "-f", config, "-h", "ldap://"+addr, "-d", "0")
	return addr
}

func TestLDAP(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	ca := pki.WriteRoot(t)
	with, without := ldapServer(t, pki, true), ldapServer(t, pki, false)
	// libldap takes localhost for this machine's name, so the certificate is one for the address.
	cert, key := pki.Make(certstest.IPName, site).WriteFiles(t)
	served := []string{"--cert", cert, "--key", key}
	search := func(t *testing.T, addr string) ran {
		t.Helper()
		return client(t, "", "env", "LDAPTLS_CACERT="+ca, "LDAPTLS_REQCERT=hard", "ldapsearch", "-ZZ", "-x", "-H", "ldap://127.0.0.1:"+portOf(addr), "-b", "", "-s", "base", "supportedLDAPVersion")
	}
	for name, args := range map[string][]string{
		"asked on both legs":        {"--backend", "tls://" + with, "--backend-ca", ca, "--backend-sni", site, "--starttls", "ldap", "--backend-starttls", "ldap"},
		"asked by the client alone": {"--backend", "tcp://" + without, "--starttls", "ldap"},
	} {
		t.Run(name, func(t *testing.T) {
			p := startProxy(t, append(args, served...)...)
			if got := search(t, p.Addr); got.code != 0 || !strings.Contains(got.out, "supportedLDAPVersion: 3") {
				t.Errorf("exit %d: %s", got.code, got.out)
			}
			expect(t, p.nextFor(t), want{verdict: inspect.OK, outcome: inspect.Success})
		})
	}
	t.Run("the directory has no TLS", func(t *testing.T) {
		p := startProxy(t, "--backend", "tls://"+without, "--backend-ca", ca, "--starttls", "ldap", "--backend-starttls", "ldap")
		if got := search(t, p.Addr); got.code == 0 || !strings.Contains(got.out, "ldap_start_tls: Protocol error") {
			t.Errorf("exit %d: %s", got.code, got.out)
		}
		r := p.nextFor(t)
		expect(t, r, want{cause: "backend-starttls-refused", fault: inspect.FaultBackend, verdict: inspect.Failed, outcome: inspect.Failure})
		if s := r.BackendLeg.StartTLS; s == nil || !strings.HasPrefix(s.Answer, "result code 2") {
			t.Errorf("%+v", s)
		}
	})
}

// The handshakes behind such a dialogue are written like any others, and read back with their diagnosis.
func TestHandshakesBehindStartTLSAreWritten(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	addr := postgres(t, pki, "on")
	dir := filepath.Join(t.TempDir(), "handshakes")
	p := startProxy(t, "--backend", "tls://"+addr, "--backend-verify", "enforce", "--starttls", "postgres", "--backend-starttls", "postgres", "--write-pcapng", dir)
	if got := query(t, p.Addr, "select 1", ""); got.code == 0 {
		t.Errorf("a database was used whose root nobody knows: %s", got.out)
	}
	r := p.nextFor(t)
	expect(t, r, want{cause: "chain-untrusted-root", fault: r.Fault, verdict: inspect.Failed, outcome: inspect.Failure})
	p.stop()
	got := client(t, "", program, "pcap", filepath.Join(dir, r.Event.ID+".pcapng"), "-o", "json")
	lines := strings.Split(strings.TrimSpace(got.out), "\n")
	if len(lines) != 2 || !strings.Contains(got.out, `"server_name":"`+site+`"`) || !strings.Contains(got.out, fmt.Sprintf(`"port":%s`, portOf(addr))) {
		t.Errorf("exit %d, %d lines: %s", got.code, len(lines), got.out)
	}
}

// FTP: the control connection of a server that speaks first, in plain text behind the proxy.
func TestFTPControl(t *testing.T) {
	t.Parallel()
	need(t, "vsftpd")
	if os.Geteuid() != 0 {
		t.Skip("vsftpd needs root")
	}
	addr, port := freePort(t)
	dir := t.TempDir()
	config := filepath.Join(dir, "vsftpd.conf")
	text := fmt.Sprintf("listen=YES\nlisten_address=127.0.0.1\nlisten_port=%s\nbackground=NO\nanonymous_enable=YES\nlocal_enable=NO\nsecure_chroot_dir=%s\nseccomp_sandbox=NO\nftpd_banner=hello from FTP\n", port, dir)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	server(t, dir, addr, "vsftpd", config)
	p := startProxy(t, "--backend", "tcp://"+addr)
	got := client(t, "QUIT\r\n", "openssl", "s_client", "-quiet", "-connect", p.Addr, "-servername", site, "-CAfile", authorityCA, "-verify_return_error")
	if !strings.Contains(got.out, "220 hello from FTP") || !strings.Contains(got.out, "221 Goodbye.") {
		t.Errorf("exit %d: %s", got.code, got.out)
	}
	expect(t, p.nextFor(t), want{verdict: inspect.OK, outcome: inspect.Success})
}
