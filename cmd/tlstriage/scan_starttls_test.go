package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
)

// TestScanOverSTARTTLSOfRealServers scans servers that are asked for TLS in their own protocol. No part of the product needs them: those that
// are not installed are left out.
func TestScanOverSTARTTLSOfRealServers(t *testing.T) {
	dir, err := os.MkdirTemp("", "tlstriage-scan-") // databases want short paths to their sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	importertest.KeyPairs(t, dir, "rsa")
	cert, key := filepath.Join(dir, "rsa.crt"), filepath.Join(dir, "rsa.key")
	folder := func(t *testing.T, name string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	check := func(t *testing.T, protocol, port string, versions ...string) {
		t.Helper()
		s := scanOnce(t, "127.0.0.1:"+port, "--sni", "localhost", "--starttls", protocol, "--ca", cert)
		for _, v := range versions {
			if !slices.Contains(s.Versions, v) || len(s.Ciphers[v]) == 0 {
				t.Errorf("%s: versions %v, ciphers %v; want %s", protocol, s.Versions, s.Ciphers, v)
			}
		}
		if s.BrokenLayer() != nil || len(s.Inconclusive) > 0 || len(s.Certificates) != 1 || len(s.SignatureSchemes) == 0 {
			t.Errorf("%s: layers %+v, inconclusive %v, %d certificates, schemes %v", protocol, s.Layers, s.Inconclusive, len(s.Certificates), s.SignatureSchemes)
		}
		other := scanOnce(t, "127.0.0.1:"+port, "--sni", "localhost", "--timeout", "2s", "--starttls", "smtp")
		if other.Cause != "server-starttls-failed" {
			t.Errorf("%s: asked in another protocol, the cause is %s", protocol, other.Cause)
		}
	}
	t.Run("LDAP, slapd", func(t *testing.T) {
		slapd := peer(t, "slapd")
		if _, err := os.Stat("/etc/ldap/schema/core.schema"); err != nil {
			t.Skipf("slapd's schemas are not where they are looked for: %v", err)
		}
		data, port := folder(t, "slapd"), importertest.FreePort(t)
		conf := filepath.Join(data, "slapd.conf")
		importertest.Write(t, conf, fmt.Sprintf("include /etc/ldap/schema/core.schema\nmoduleload back_mdb\nmodulepath /usr/lib/ldap\nTLSCertificateFile %s\nTLSCertificateKeyFile %s\nTLSProtocolMin 3.3\ndatabase mdb\nsuffix dc=x\ndirectory %s\n", cert, key, data))
		importertest.Start(t, "slapd starting", slapd, "-h", "ldap://127.0.0.1:"+port, "-f", conf, "-d", "1")
		importertest.AwaitPort(t, "127.0.0.1:"+port)
		check(t, "ldap", port, "TLSv1.3", "TLSv1.2")
	})
	t.Run("XMPP, Prosody", func(t *testing.T) {
		prosody := peer(t, "prosody")
		data, client, server := folder(t, "prosody"), importertest.FreePort(t), importertest.FreePort(t)
		conf := filepath.Join(data, "prosody.cfg.lua")
		importertest.Write(t, conf, fmt.Sprintf(`pidfile = "%[1]s/pid"; data_path = "%[1]s"; run_as_root = true
modules_enabled = { "tls"; "saslauth"; "disco"; "s2s"; "c2s"; "dialback" }
c2s_ports = { %[2]s }; s2s_ports = { %[3]s }; interfaces = { "127.0.0.1" }; c2s_interfaces = { "127.0.0.1" }; s2s_interfaces = { "127.0.0.1" }
ssl = { certificate = "%[4]s"; key = "%[5]s" }; c2s_require_encryption = true
log = { info = "*console" }
VirtualHost "localhost"
`, data, client, server, cert, key))
		importertest.Start(t, "Activated service 's2s'|Activated service 'c2s'", prosody, "--config", conf, "-F")
		for protocol, port := range map[string]string{"xmpp": client, "xmpp-server": server} {
			importertest.AwaitPort(t, "127.0.0.1:"+port)
			check(t, protocol, port, "TLSv1.3", "TLSv1.2")
		}
	})
	t.Run("MySQL, MariaDB", func(t *testing.T) {
		mariadbd := peer(t, "mariadbd")
		data, port := folder(t, "maria"), importertest.FreePort(t)
		args := []string{"--no-defaults", "--skip-grant-tables", "--datadir=" + data, "--port=" + port, "--bind-address=127.0.0.1", "--socket=" + data + "/s", "--ssl-cert=" + cert, "--ssl-key=" + key, "--max-connect-errors=100000"}
		if os.Geteuid() == 0 {
			args = append(args, "--user=root")
		}
		importertest.Start(t, "ready for connections", mariadbd, args...)
		check(t, "mysql", port, "TLSv1.3", "TLSv1.2")
	})
	t.Run("FTP, vsftpd", func(t *testing.T) {
		vsftpd := peer(t, "vsftpd")
		if os.Geteuid() != 0 {
			t.Skip("vsftpd needs root")
		}
		data, port := folder(t, "ftp"), importertest.FreePort(t)
		conf := filepath.Join(data, "vsftpd.conf")
		importertest.Write(t, conf, strings.Join([]string{
			"listen=YES", "listen_address=127.0.0.1", "listen_port=" + port, "background=NO", "anonymous_enable=YES", "local_enable=NO", "secure_chroot_dir=" + data, "seccomp_sandbox=NO",
			"ssl_enable=YES", "allow_anon_ssl=YES", "rsa_cert_file=" + cert, "rsa_private_key_file=" + key, "ssl_tlsv1=YES", "ftpd_banner=hello", "max_clients=0", "max_per_ip=0", "",
		}, "\n"))
		quietly(t, vsftpd, conf)
		importertest.AwaitPort(t, "127.0.0.1:"+port)
		check(t, "ftp", port, "TLSv1.2")
	})
}

// quietly runs a program that says nothing until the test ends.
func quietly(t *testing.T, path string, args ...string) {
	t.Helper()
	cmd := exec.Command(path, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	})
}
