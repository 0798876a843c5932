package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// checkFile runs `certs check` of a file with this content, and returns what it says as JSON, as text, and on standard error.
func checkFile(t *testing.T, ca string, content []byte, more ...string) (code int, checked checkedTarget, text, said string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "chain.pem")
	certstest.WriteFile(t, file, content)
	args := append([]string{"certs", "check", file, "--name", "www.example.com", "--ca", ca}, more...)
	var out, plain, stderr bytes.Buffer
	code = run(t.Context(), append(args, "-o", "json"), nil, &out, &stderr)
	if out.Len() > 0 {
		if err := json.Unmarshal(out.Bytes(), &checked); err != nil {
			t.Fatalf("%v: %s", err, out.String())
		}
	}
	if again := run(t.Context(), args, nil, &plain, &stderr); again != code {
		t.Errorf("exit %d as JSON, %d as text", code, again)
	}
	return code, checked, plain.String(), stderr.String()
}

// utf16LE is text as some editors of Windows save it.
func utf16LE(text []byte) []byte {
	out := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(string(text))) {
		out = append(out, byte(u), byte(u>>8))
	}
	return out
}

// A file that no server starts with is not ok, however good the chain in it: OpenSSL agrees on each.
func TestFilesThatNoServerReads(t *testing.T) {
	pki := certstest.New(t)
	ca := pki.WriteRoot(t)
	good := certs.EncodePEM(pki.Leaf("www.example.com").Chain()...)
	damaged := bytes.Replace(good, []byte("M"), []byte("!"), 1)
	second := bytes.LastIndex(good, []byte("-----BEGIN"))
	for name, tt := range map[string]struct {
		content []byte
		refused bool
		says    string
		shown   int // certificates
	}{
		"good":                      {good, false, "", 3},
		"with a BOM":                {append([]byte("\xef\xbb\xbf"), good...), false, "", 3},
		"with CRLF":                 {bytes.ReplaceAll(good, []byte("\n"), []byte("\r\n")), false, "", 3},
		"UTF-16":                    {utf16LE(good), true, "UTF-16", 3},
		"on one line":               {bytes.ReplaceAll(good, []byte("\n"), nil), true, "the lines", 3},
		"first certificate damaged": {damaged, true, "does not decode", 2},
		"cut off":                   {good[:second+100], true, "does not end", 2},
		"cut off in the first":      {good[:100], true, "does not end", 0},
	} {
		t.Run(name, func(t *testing.T) {
			code, checked, text, said := checkFile(t, ca, tt.content)
			if !tt.refused {
				if code != exitClean || checked.Verdict != inspect.OK || len(checked.Findings) > 0 || said != "" {
					t.Errorf("exit %d, %+v, %s", code, checked.Findings, said)
				}
			} else if f := checked.Findings; code != exitFindings || checked.Verdict != inspect.Failed || checked.Cause != "cert-malformed" || checked.Fault != inspect.FaultBackend ||
				len(f) == 0 || f[0].ID != "cert-malformed" || !strings.Contains(f[0].Detail, tt.says) || len(f[0].Fixes) == 0 || !strings.Contains(text, f[0].Title) {
				t.Errorf("exit %d, %s because of %s, want %q: %+v\n%s", code, checked.Verdict, checked.Cause, tt.says, f, text)
			}
			for i, f := range checked.Findings {
				if i > 0 && strings.HasPrefix(tt.says, "does not") && len(f.CausedBy) == 0 {
					t.Errorf("%s stands by itself", f.ID)
				}
			}
			if len(checked.Chain) != tt.shown {
				t.Errorf("%d certificates, want %d", len(checked.Chain), tt.shown)
			}
			if strings.Contains(text, "backend") {
				t.Errorf("a file is no backend: %s", text)
			}
			opinionOfOpenSSL(t, tt.content, tt.refused)
		})
	}
}

// opinionOfOpenSSL asks whether a server of OpenSSL's starts with a file.
func opinionOfOpenSSL(t *testing.T, content []byte, refused bool) {
	t.Helper()
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("no openssl here")
	}
	file := filepath.Join(t.TempDir(), "chain.pem")
	certstest.WriteFile(t, file, content)
	first, err := exec.Command(openssl, "x509", "-in", file, "-inform", "PEM", "-noout").CombinedOutput()
	all, allErr := exec.Command(openssl, "crl2pkcs7", "-nocrl", "-certfile", file, "-out", os.DevNull).CombinedOutput()
	if (err != nil || allErr != nil) != refused {
		t.Errorf("openssl: %v, %v, want a refusal: %v\n%s%s", err, allErr, refused, first, all)
	}
}

// A key store with a password is opened with it, and without it the way is said.
func TestCertsCheckOfAKeyStore(t *testing.T) {
	pki := certstest.New(t)
	leaf := pki.Leaf("www.example.com")
	above := leaf.Chain()[1:]
	store, err := pkcs12.Modern2023.Encode(leaf.Key, leaf.Certificate, above, "s3cret")
	if err != nil {
		t.Fatal(err)
	}
	ca := pki.WriteRoot(t)
	code, _, _, said := checkFile(t, ca, store)
	if code != exitUsage || !strings.Contains(said, "--password-file") {
		t.Errorf("exit %d: %s", code, said)
	}
	file := func(text string) string {
		name := filepath.Join(t.TempDir(), "password")
		certstest.WriteFile(t, name, []byte(text))
		return name
	}
	if code, _, _, said := checkFile(t, ca, store, "--password-file", file("wrong\n")); code != exitUsage || !strings.Contains(said, "does not open it") || strings.Contains(said, "wrong\n") {
		t.Errorf("exit %d: %s", code, said)
	}
	code, checked, text, said := checkFile(t, ca, store, "--password-file", file("other\ns3cret\n"))
	if code != exitClean || len(checked.Chain) != 3 || checked.Chain[0].Subject != inspect.Certificates([][]byte{leaf.Certificate.Raw})[0].Subject || strings.Contains(text+said, "s3cret") {
		t.Errorf("exit %d, %d certificates: %s", code, len(checked.Chain), said)
	}
}

// What is no file and no endpoint is said to be missing, and what cannot be read is said to be that.
func TestTargetsThatAreNotThere(t *testing.T) {
	for name, tt := range map[string]struct{ target, says string }{
		"no file":     {filepath.Join(t.TempDir(), "missing.pem"), "no such file"},
		"a directory": {t.TempDir(), "is a directory"},
		"no port":     {"www.example.com:0", "is no port"},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), []string{"certs", "check", tt.target}, nil, &stdout, &stderr); code != exitUsage || !strings.Contains(stderr.String(), tt.says) {
			t.Errorf("%s: exit %d: %s", name, code, stderr.String())
		}
	}
}

// Names of files and our own marks are legible in errors, whatever language they are in; what a terminal obeys is not there.
func TestErrorsAreLegible(t *testing.T) {
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"certs", "check", "Zürich…\x1b[31m.pem"}, nil, &stdout, &stderr)
	if said := stderr.String(); code != exitUsage || !strings.Contains(said, "Zürich…\\u001B[31m.pem") {
		t.Errorf("exit %d: %q", code, said)
	}
}

// `certs fix` reads standard input, and leaves nothing of a damaged pile unsaid.
func TestCertsFixOfStandardInput(t *testing.T) {
	pki := certstest.New(t)
	leaf := pki.Leaf("www.example.com")
	key, err := leaf.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	pile := append(certs.EncodePEM(leaf.Chain()...), key...)
	if code := run(t.Context(), []string{"certs", "fix", "-", "--ca", pki.WriteRoot(t)}, bytes.NewReader(pile), &stdout, &stderr); code != exitClean || !strings.Contains(stdout.String(), "key    standard input, block 4") {
		t.Errorf("exit %d: %s%s", code, stdout.String(), stderr.String())
	}
	if block, _ := pem.Decode(key); strings.Contains(stdout.String(), string(block.Bytes)) {
		t.Error("the key is told")
	}
}

// A signal ends the wait for a pipe that nobody writes to.
func TestAPipeThatNobodyWritesToIsLeft(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	for _, command := range []string{"check", "fix"} {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan int)
		var stdout, stderr bytes.Buffer
		go func() { done <- run(ctx, []string{"certs", command, "-"}, reader, &stdout, &stderr) }()
		cancel()
		if code := <-done; code != exitFailed || !strings.Contains(stderr.String(), "not read") {
			t.Errorf("%s: exit %d: %s", command, code, stderr.String())
		}
	}
}

// However long a chain is, nothing of it is passed over in silence, and nothing that is in the file is called missing.
func TestLongChainsAreNotCutInSilence(t *testing.T) {
	pki := certstest.New(t)
	ca := pki.WriteRoot(t)
	leaf, issuing, upper := pki.Leaf("www.example.com").Certificate, pki.Issuing.Certificate, pki.Intermediate.Certificate
	for _, strangers := range []int{40, 120} {
		list := []*x509.Certificate{leaf}
		for range strangers {
			list = append(list, pki.OtherIntermediate.Certificate)
		}
		code, checked, text, _ := checkFile(t, ca, certs.EncodePEM(append(list, issuing, upper)...))
		ids := map[string]bool{}
		for _, f := range checked.Findings {
			ids[f.ID] = true
			for _, x := range f.Fixes {
				if strings.Contains(x.Snippet, "s_client -connect") {
					t.Errorf("%d: a file is taken for a host: %s", strangers, x.Snippet)
				}
			}
		}
		if ids["chain-missing-intermediate"] || ids["chain-untrusted-root"] || !ids["chain-too-large"] {
			t.Errorf("%d: %v", strangers, ids)
		}
		if strangers == 40 {
			if code != exitClean || len(checked.Chain) != 43 || checked.Sent != 0 || !ids["chain-unrelated-certificate"] {
				t.Errorf("%d: exit %d, %d of %d, %v", strangers, code, len(checked.Chain), checked.Sent, ids)
			}
			continue
		}
		if code != exitFindings || checked.Cause != "cert-malformed" || len(checked.Chain) != 100 || checked.Sent != 123 || !strings.Contains(text, "and 23 more, which were not looked at") {
			t.Errorf("%d: exit %d, %s, %d of %d\n%s", strangers, code, checked.Cause, len(checked.Chain), checked.Sent, text)
		}
	}
}

// A name that nearly no client finds in the certificate is an error, and so is the exit code.
func TestNamesThatFewClientsFind(t *testing.T) {
	pki := certstest.New(t)
	leaf := pki.Issue(pki.Issuing, certs.Template{Names: []string{"*.com"}})
	code, checked, text, _ := checkFile(t, pki.WriteRoot(t), certs.EncodePEM(leaf.Chain()...), "--name", "example.com")
	if code != exitFindings || checked.Cause != "cert-bad-name" || checked.Verdict != inspect.Failed {
		t.Errorf("exit %d, %s %s\n%s", code, checked.Verdict, checked.Cause, text)
	}
}

// The name to ask for is given with an endpoint in the file, for all that have none, or is the host.
func TestNamesOfWatchedEndpoints(t *testing.T) {
	list := filepath.Join(t.TempDir(), "endpoints")
	certstest.WriteFile(t, list, []byte("192.0.2.1:443 www.example.com\n192.0.2.2:443\n"))
	for name, want := range map[string][]string{"": {"api.example.net", "www.example.com", "192.0.2.2"}, "app.internal": {"app.internal", "www.example.com", "app.internal"}} {
		targets, err := (&certsWatch{file: list, name: name}).targets([]string{"api.example.net:443"})
		if err != nil {
			t.Fatal(err)
		}
		for i, target := range targets {
			if target.ServerName != want[i] || target.Backend.ServerName != want[i] {
				t.Errorf("%q: %s is asked for %s, want %s", name, target.Name, target.ServerName, want[i])
			}
		}
	}
	if code := run(t.Context(), []string{"certs", "watch", "192.0.2.1:443", "--name", "a b"}, nil, io.Discard, io.Discard); code != exitUsage {
		t.Errorf("a name with a space: exit %d", code)
	}
}
