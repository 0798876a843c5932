package main

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
)

// What stops a start is said in one line on standard error, with what is wrong first and nothing on standard output; the exit
// code tells the user's mistakes (2) from the machine's (3).
func TestProxyStartErrors(t *testing.T) {
	s := newSite(t)
	dir := t.TempDir()
	file := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		certstest.WriteFile(t, path, []byte(text))
		return path
	}
	cert, key := s.pki.Make(certstest.Healthy, "app.example").WriteFiles(t)
	_, otherKey := s.pki.Make(certstest.Healthy, "app.example").WriteFiles(t)
	encrypted := file("encrypted.key", encryptedKey(t))
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	inUse := taken.Addr().String()
	// An authority that is there already: what else would be said is that it was made.
	home := "XDG_CONFIG_HOME=" + t.TempDir()
	if code, _, stderr := runProgram(t, []string{home}, "ca", "init"); code != exitClean {
		t.Fatal(stderr)
	}
	minimal := []string{"--listen", "127.0.0.1:0", "--backend", "tls://127.0.0.1:9", "--admin", "off"}
	with := func(more ...string) []string { return append(append([]string{}, minimal...), more...) }
	config := func(name, text string) []string { return []string{"--config", file(name, text)} }

	for _, test := range []struct {
		name string
		args []string
		env  []string
		code int
		want string // the line, as a regular expression
	}{
		{"no listener", nil, nil, 2, `listeners: there is none: give --listen and --backend, or a configuration file$`},
		{"no backend", []string{"--listen", "127.0.0.1:0", "--admin", "off"}, nil, 2, `listeners\[0\].routes: there is none: a listener needs at least one backend$`},
		{"unknown flag", with("--backend-verfy", "report"), nil, 2, `unknown flag: --backend-verfy`},
		{"flag value of another kind", with("--timeout-idle", "soon"), nil, 2, `"soon".*--timeout-idle.*no duration.*500ms`},
		{"flag value out of the set", with("--backend-verify", "maybe"), nil, 2, `--backend-verify.*"maybe" is not one of report, enforce$`},
		{"flag value out of bounds", with("--limit-connections", "0"), nil, 2, `--limit-connections.*0 is not between 1 and 1000000$`},
		{"output", with("-o", "xml"), nil, 2, `--output.*"xml" is not one of text, json$`},
		{"fail-on", with("--fail-on", "often"), nil, 2, `--fail-on.*"often" is not one of error, warning, info, never$`},
		{"wrong variable", minimal, []string{"TLSTRIAGE_LOG_LEVEL=loud"}, 2, `TLSTRIAGE_LOG_LEVEL.*"loud" is not one of debug, info, warn, error$`},

		{"key missing", with("--cert", cert, "--key", filepath.Join(dir, "none.key")), nil, 2, `none.key: .*no such file or directory$`},
		{"key is a directory", with("--cert", cert, "--key", dir), nil, 2, regexp.QuoteMeta(dir) + `: this is a directory$`},
		{"key of another certificate", with("--cert", cert, "--key", otherKey), nil, 2, `key.pem: this key .* does not belong to the certificate of .*chain.pem`},
		{"certificate and key swapped", with("--cert", key, "--key", cert), nil, 2, `the two are swapped$`},
		{"key under a passphrase", with("--cert", cert, "--key", encrypted), nil, 2, `encrypted.key: .*(encrypted|passphrase)`},
		{"certificate without key", with("--cert", cert), nil, 2, `needs both cert and key$`},
		{"empty certificate", with("--cert", file("empty.pem", ""), "--key", key), nil, 2, `empty.pem: the file is empty$`},
		{"empty CA bundle", with("--backend-ca", file("empty-ca.pem", "\n")), nil, 2, `empty-ca.pem: the file is empty$`},
		{"missing CA bundle", with("--backend-ca", filepath.Join(dir, "none.pem")), nil, 2, `none.pem: .*no such file or directory$`},
		{"garbled CA bundle", with("--backend-ca", file("garbled.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")), nil, 2, `garbled.pem: block 1 is no readable certificate`},
		{"CA bundle of text", with("--backend-ca", file("text.pem", "hello")), nil, 2, `text.pem: no PEM block`},
		{"client CA empty", with("--client-auth", "require", "--client-ca", file("empty-client-ca.pem", "")), nil, 2, `empty-client-ca.pem: the file is empty$`},
		{"client CA missing", with("--client-auth", "require"), nil, 2, `require needs client_ca`},
		{"backend key of another certificate", with("--backend-cert", cert, "--backend-key", otherKey), nil, 2, `does not belong to the certificate`},

		{"port in use", []string{"--listen", inUse, "--backend", "tls://127.0.0.1:9", "--admin", "off"}, nil, 3, regexp.QuoteMeta(inUse) + `: bind: address already in use$`},
		{"address of another machine", []string{"--listen", "192.0.2.1:8443", "--backend", "tls://127.0.0.1:9", "--admin", "off"}, nil, 3, `192.0.2.1:8443: bind: cannot assign requested address$`},
		{"no port", []string{"--listen", "127.0.0.1", "--backend", "tls://127.0.0.1:9", "--admin", "off"}, nil, 2, `--listen.*"127.0.0.1" has no port`},
		{"port too large", []string{"--listen", "127.0.0.1:65536", "--backend", "tls://127.0.0.1:9", "--admin", "off"}, nil, 2, `--listen.*port "65536" is not between 1 and 65535$`},
		{"admin port in use", with("--admin", inUse), nil, 3, `admin: .*` + regexp.QuoteMeta(inUse) + `: bind: address already in use$`},
		{"admin on the listener's address", []string{"--listen", inUse, "--backend", "tls://127.0.0.1:9", "--admin", inUse}, nil, 2, `is the address of admin.address already$`},
		{"recording into a directory that is not there", with("--record", filepath.Join(dir, "none", "r.ndjson")), nil, 3, `recording: .*none/r.ndjson: no such file or directory$`},

		{"unknown policy", with("--policy", "aws/ELBSecurityPolicy-TLS13-1-2-2021"), nil, 2, `"aws/ELBSecurityPolicy-TLS13-1-2-2021" is unknown; the nearest names are aws/ELBSecurityPolicy-TLS13-1-2-2021-06, `},
		{"missing policy file", with("--policy", "./none.yaml"), nil, 2, `none.yaml: no such file or directory$`},
		{"enforce without a policy", with("--enforce"), nil, 2, `enforce: needs a policy to enforce$`},
		{"mode unknown", with("--mode", "tunnel"), nil, 2, `--mode.*"tunnel" is not one of bridge, http, passthrough`},
		{"backend without scheme", []string{"--listen", "127.0.0.1:0", "--backend", "127.0.0.1:443", "--admin", "off"}, nil, 2, `--backend.*"127.0.0.1:443" has no scheme`},
		{"backend with another scheme", []string{"--listen", "127.0.0.1:0", "--backend", "ftp://127.0.0.1:443", "--admin", "off"}, nil, 2, `--backend.*scheme "ftp" is not one of https, tls, tcp, http$`},
		{"backend with a path", []string{"--listen", "127.0.0.1:0", "--backend", "https://127.0.0.1/app", "--admin", "off"}, nil, 2, `--backend.*has more than a scheme, a host and a port$`},

		{"no such configuration file", []string{"--config", filepath.Join(dir, "none.yaml")}, nil, 2, `none.yaml: no such file or directory$`},
		{"no such configuration file by variable", nil, []string{"TLSTRIAGE_CONFIG=" + filepath.Join(dir, "none.yaml")}, 2, `none.yaml: no such file or directory$`},
		{"unknown key", config("unknown.yaml", "listeners:\n  - address: 127.0.0.1:0\n    rotes: []\n"), nil, 2, `unknown.yaml:3:5: .*unknown key "rotes": did you mean "routes"\?$`},
		{"unknown key at the top", config("top.yaml", "# our proxy\n\nlistener: []\n"), nil, 2, `top.yaml:3:1: unknown key "listener": did you mean "listeners"\?$`},
		{"key given twice", config("twice.yaml", "output: json\nfail_on: never\noutput: text\n"), nil, 2, `twice.yaml:3:1: .*"output" is repeated: it was set on line 1$`},
		{"list where a value belongs", config("list.yaml", "output: [json]\n"), nil, 2, `list.yaml:1:9: output: a single value is expected, not a list$`},
		{"text where a number belongs", config("number.yaml", "limits:\n  queue: many\n"), nil, 2, `number.yaml:2:10: limits.queue: "many" is no whole number`},
		{"no YAML", config("broken.yaml", "listeners: [\n"), nil, 2, `broken.yaml:\d+:`},
		{"two listeners on one port", config("two.yaml", `listeners:
  - {name: a, address: "127.0.0.1:18443", routes: [{backend: {url: "tls://127.0.0.1:9"}}]}
  - {name: b, address: "127.0.0.1:18443", routes: [{backend: {url: "tls://127.0.0.1:9"}}]}
`), nil, 2, `two.yaml:3:\d+: listeners\[1\].address: 127.0.0.1:18443 is the address of listeners\[0\] already$`},
		{"wrong value in the file", config("mode.yaml", `listeners:
  - address: 127.0.0.1:0
    mode: brigde
    routes: [{backend: {url: "tls://127.0.0.1:9"}}]
`), nil, 2, `mode.yaml:3:11: listeners\[0\].mode: "brigde" is not one of bridge, http, passthrough$`},
	} {
		t.Run(test.name, func(t *testing.T) {
			// This machine may have other things to do. What is slow by itself, is so every time, and when everything else is quick.
			const tries = 5
			for try := 1; ; try++ {
				begun := time.Now()
				p := start(t, append([]string{home}, test.env...), append([]string{"proxy"}, test.args...)...)
				code := p.exitCode()
				if took := time.Since(begun); took > time.Second {
					begun = time.Now()
					runProgram(t, nil, "version")
					if idle := time.Since(begun); took > time.Second+10*idle && try == tries {
						t.Errorf("took %v, where nothing to do takes %v", took, idle)
					} else if try < tries {
						continue
					}
				}
				if code != test.code {
					t.Errorf("exit code %d, want %d", code, test.code)
				}
				if p.stdout.String() != "" {
					t.Errorf("on standard output: %q", p.stdout)
				}
				message := errorLine(t, p.stderr.String())
				if !regexp.MustCompile(test.want).MatchString(message) {
					t.Errorf("said %q, want %s", message, test.want)
				}
				return
			}
		})
	}
}

// errorLine is the one line of an error; a hint where to look may follow it.
func errorLine(t *testing.T, stderr string) string {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
	if len(lines) == 2 && strings.HasPrefix(lines[1], "Try 'tlstriage ") {
		lines = lines[:1]
	}
	if len(lines) != 1 || !strings.HasPrefix(lines[0], "tlstriage: ") {
		t.Errorf("not one line on standard error:\n%s", stderr)
	}
	return lines[0]
}

// A start that is refused leaves no authority behind, which clients would be asked to trust.
func TestRefusedStartLeavesNothing(t *testing.T) {
	home := t.TempDir()
	code, _, stderr := runProgram(t, []string{"XDG_CONFIG_HOME=" + home}, "proxy", "--listen", "127.0.0.1:0", "--backend", "tls://127.0.0.1:9", "--backend-ca", filepath.Join(home, "none.pem"))
	errorLine(t, stderr)
	if entries, err := os.ReadDir(home); err != nil || len(entries) > 0 || code != exitUsage {
		t.Errorf("exit code %d, left behind: %v, %v", code, entries, err)
	}
}

// What was set and has no effect is a warning, and so is a variable that looks like ours and is none.
func TestProxyWarns(t *testing.T) {
	s := newSite(t)
	backend := s.web(certstest.Healthy, "app.example", "hello")
	p := startProxy(t, []string{"TLSTRIAGE_BACKND=tls://127.0.0.1:9", "TLSTRIAGE_SERVICE_PORT=tcp://10.0.0.1:443"}, s.flags(backend, "app.example", "--mode", "passthrough")...)
	p.waitLogged("environment variable that means nothing here", "name", "TLSTRIAGE_BACKND")
	if p.logged("environment variable that means nothing here", "name", "TLSTRIAGE_SERVICE_PORT") != nil {
		t.Error("what Kubernetes sets for a Service is complained about")
	}
	p.stderr.wait(t, "a warning of the certificates that nobody will see", func(text string) bool {
		return strings.Contains(text, "certificates: has no effect in mode passthrough")
	})
	s.answers(p.address("default"), "app.example", "hello")
}

// Everything that is wrong with a configuration is told at once, each with its place.
func TestProxySaysEverythingThatIsWrong(t *testing.T) {
	file := filepath.Join(t.TempDir(), "p.yaml")
	certstest.WriteFile(t, file, []byte("listeners:\n  - address: nowhere\n    routes: [{backend: {url: \"ftp://x:1\"}}]\nlimits: {queue: 0}\n"))
	code, stdout, stderr := runProgram(t, []string{"TLSTRIAGE_LOG_LEVEL=loud"}, "proxy", "-c", file, "--fail-on", "often")
	if code != exitUsage || stdout != "" {
		t.Errorf("exit code %d, stdout %q", code, stdout)
	}
	for _, want := range []string{":2:14: listeners[0].address: ", ":3:", ":4:17: limits.queue: ", "TLSTRIAGE_LOG_LEVEL: ", "--fail-on: "} {
		if !strings.Contains(stderr, want) {
			t.Errorf("%q is not in:\n%s", want, stderr)
		}
	}
	if strings.Count(stderr, "\n") != 5 {
		t.Errorf("not five lines:\n%s", stderr)
	}
}

// A privileged port that may not be opened is the machine's refusal.
func TestProxyPrivilegedPort(t *testing.T) {
	if l, err := net.Listen("tcp", "127.0.0.1:443"); err == nil {
		l.Close()
		t.Skip("this user may open port 443")
	} else if !strings.Contains(err.Error(), "permission denied") {
		t.Skip("port 443 is taken")
	}
	code, _, stderr := runProgram(t, nil, "proxy", "--listen", "127.0.0.1:443", "--backend", "tls://127.0.0.1:9", "--admin", "off")
	if message := errorLine(t, stderr); code != exitFailed || !strings.Contains(message, "127.0.0.1:443: bind: permission denied") {
		t.Errorf("exit code %d: %s", code, message)
	}
}

// A stranger's text in a message cannot act on the terminal.
func TestErrorsArePrintable(t *testing.T) {
	const nasty = "\x1b]0;owned\a\x1b[31m\r\nfake: line\u202egnp\u2066"
	dir := t.TempDir()
	file := filepath.Join(dir, "nasty.yaml")
	certstest.WriteFile(t, file, []byte("\"\\e[31m\\r\\nkey\": 1\n"))
	for _, args := range [][]string{
		{"policy", "show", nasty},
		{"policy", "list", nasty},
		{"policy", nasty},
		{nasty},
		{"explain", nasty},
		{"explain", "-o", "json", nasty},
		{"explain", "handshake_failure" + nasty},
		{"version", "-o", nasty},
		{"ca", "show", "--ca-dir", filepath.Join(dir, nasty)},
		{"proxy", "--" + nasty},
		{"proxy", "--listen", nasty},
		{"proxy", "--mode", nasty},
		{"proxy", "--policy", nasty, "--listen", "127.0.0.1:0", "--backend", "tls://127.0.0.1:9"},
		{"proxy", "--backend", "tls://" + nasty},
		{"proxy", "--backend-ca", nasty, "--listen", "127.0.0.1:0", "--backend", "tls://127.0.0.1:9"},
		{"proxy", "--config", nasty},
		{"proxy", "--config", file},
	} {
		code, stdout, stderr := runProgram(t, nil, args...)
		if code == exitClean && args[0] != "explain" {
			t.Errorf("%q: exit code 0", args)
		}
		for _, text := range []string{stdout, stderr} {
			if at := firstControl(text); at != "" {
				t.Errorf("%q: %s", args, at)
			}
		}
	}
}

// encryptedKey is a private key under a passphrase in the old PEM form (RFC 1421), as OpenSSL writes it.
func encryptedKey(t *testing.T) string {
	t.Helper()
	block, err := aes.NewCipher([]byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	iv, data := make([]byte, 16), make([]byte, 128)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(data, data)
	return string(pem.EncodeToMemory(&pem.Block{
		Type:    "EC PRIVATE KEY",
		Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC," + strings.ToUpper(hex.EncodeToString(iv))},
		Bytes:   data,
	}))
}

// A configuration may come from a file named relative to where the program is started; the files it names, relative to itself.
func TestConfigurationPathsAreAnchored(t *testing.T) {
	s := newSite(t)
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "etc"), 0o700); err != nil {
		t.Fatal(err)
	}
	root, err := os.ReadFile(s.root)
	if err != nil {
		t.Fatal(err)
	}
	certstest.WriteFile(t, filepath.Join(dir, "etc", "root.pem"), root)
	certstest.WriteFile(t, filepath.Join(dir, "etc", "proxy.yaml"), []byte(`
admin: {address: off}
ca_dir: ca
record: {file: out.ndjson}
listeners: [{address: "127.0.0.1:0", routes: [{backend: {url: "tls://127.0.0.1:9", ca: root.pem}}]}]
log: {format: json}
`))
	p := startIn(t, dir, nil, "proxy", "--config", filepath.Join("etc", "proxy.yaml"))
	p.ready()
	for _, file := range []string{"ca/ca.key", "out.ndjson"} {
		if _, err := os.Stat(filepath.Join(dir, "etc", file)); err != nil {
			t.Error(err)
		}
	}
}
