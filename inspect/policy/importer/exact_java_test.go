package importer_test

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
	"github.com/tlstriage/tlstriage/inspect/policy/java"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// javaCase is a virtual machine: what its security properties disable, and the sockets that listen in it.
type javaCase struct {
	disabled *string // jdk.tls.disabledAlgorithms; nil: as Java comes
	sockets  []string
}

func javaEndpoints(t *testing.T, l *lab) []*endpoint {
	version := importertest.Version(t, importertest.Program(t, "java"), `(?:openjdk|java) (\d[\d.]*)`, "--version")
	none := ""
	most := "RC4, DES, 3DES_EDE_CBC, anon, NULL, ECDH, EC keySize < 384, TLSv1, AES_128_CBC, SHA256withRSA, x25519"
	cases := []javaCase{
		{nil, []string{
			"rsa", "ec", "ec384;client", "rsa;protocols=TLSv1.2;alpn=h2,http/1.1", "ec;protocols=TLSv1.3;want",
			"rsa;suites=TLS_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,TLS_RSA_WITH_AES_128_CBC_SHA,TLS_DHE_RSA_WITH_AES_128_GCM_SHA256;need;alpn=http/1.1",
		}},
		{&none, []string{"rsa;protocols=SSLv3,TLSv1,TLSv1.1,TLSv1.2,TLSv1.3", "ec;client;protocols=TLSv1,TLSv1.1,TLSv1.2,TLSv1.3"}},
		{&most, []string{"rsa", "ec384;protocols=TLSv1,TLSv1.1,TLSv1.2,TLSv1.3"}},
	}
	compile := func(t *testing.T) string {
		t.Helper()
		dir := l.temp(t)
		if out, err := exec.Command(importertest.Program(t, "javac"), "-d", dir, filepath.Join("testdata", "Endpoints.java")).CombinedOutput(); err != nil {
			t.Fatalf("javac: %v\n%s", err, out)
		}
		for _, name := range []string{"rsa", "ec", "ec384"} {
			file := filepath.Join(l.dir, name)
			if out, err := exec.Command(importertest.Program(t, "openssl"), "pkcs12", "-export", "-in", file+".crt", "-inkey", file+".key", "-out", file+".p12", "-passout", "pass:test").CombinedOutput(); err != nil {
				t.Fatalf("openssl pkcs12: %v\n%s", err, out)
			}
		}
		return dir
	}
	classes := compile(t)
	var out []*endpoint
	for _, c := range cases {
		addresses := c.start(t, l, classes)
		for i, socket := range c.sockets {
			title := "`" + socket + "`"
			if c.disabled != nil {
				title += ", jdk.tls.disabledAlgorithms=" + *c.disabled
			}
			out = append(out, &endpoint{system: "Java " + version, title: title,
				start: func(t *testing.T, l *lab) (string, func(*testing.T, string) *policy.Policy) {
					p := c.policy(t, version, socket)
					return addresses[i], func(*testing.T, string) *policy.Policy { return p }
				}})
		}
	}
	return out
}

// start runs the sockets of a case in one virtual machine, which takes its time to start.
func (c *javaCase) start(t *testing.T, l *lab, classes string) (addresses []string) {
	t.Helper()
	args := []string{"-cp", classes}
	if c.disabled != nil {
		file := filepath.Join(l.temp(t), "java.security")
		importertest.Write(t, file, "jdk.tls.disabledAlgorithms="+*c.disabled+"\n")
		args = append(args, "-Djava.security.properties="+file)
	}
	args = append(args, "Endpoints")
	for _, socket := range c.sockets {
		name, settings, _ := strings.Cut(socket, ";")
		args = append(args, strings.TrimSuffix(filepath.Join(l.dir, name+".p12")+";"+settings, ";"))
	}
	return strings.Fields(importertest.Start(t, `listening on (.*)`, importertest.Program(t, "java"), args...)[1])
}

// policy is what the settings of a socket come to.
func (c *javaCase) policy(t *testing.T, version, socket string) *policy.Policy {
	t.Helper()
	options := java.Options{Release: version, DisabledTLS: c.disabled}
	p, err := java.Policy(options)
	if err != nil {
		t.Fatal(err)
	}
	settings := strings.Split(socket, ";")
	p.Certificates, p.ClientAuth = []policy.CertificateType{certificateKind(t, settings[0])}, policy.ClientAuthNone
	for _, s := range settings[1:] {
		name, value, _ := strings.Cut(s, "=")
		values := strings.Split(value, ",")
		switch name {
		case "client":
			p.Preference = policy.PreferClient
		case "protocols":
			p.Versions = nil
			for _, word := range values {
				v, ok := wire.VersionByName(strings.Replace(word, "TLSv1", "TLSv1", 1))
				if word == "TLSv1" {
					v, ok = wire.VersionTLS10, true
				}
				if !ok {
					t.Fatalf("no version %s", word)
				}
				p.Versions = append(p.Versions, v)
			}
			slices.Sort(p.Versions)
		case "suites":
			p.CipherSuites = nil
			for _, word := range values {
				s, ok := wire.CipherSuiteByName(word)
				if !ok {
					t.Fatalf("no suite %s", word)
				}
				p.CipherSuites = append(p.CipherSuites, s)
			}
		case "alpn":
			p.ALPN, p.ALPNRequired = values, true
		case "want":
			p.ClientAuth = policy.ClientAuthRequest
		case "need":
			p.ClientAuth = policy.ClientAuthRequire
		}
	}
	if err := java.Apply(p, options); err != nil {
		t.Fatal(err)
	}
	return p
}
