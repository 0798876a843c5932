package main

import (
	"bytes"
	"crypto/x509/pkix"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unicode"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// Whoever has a certificate issued chooses what stands in it: it forges no line, moves no cursor, and stays legible where it is only
// another language.
func TestSubjectsForgeNothing(t *testing.T) {
	pki := certstest.New(t)
	ca := pki.WriteRoot(t)
	const nasty = "www.example.com\n✓ 12:00:00 check OK\r\x1b]0;owned\a\u202e\u2028"
	leaf := pki.Issue(pki.Issuing, certs.Template{CommonName: nasty, Organization: "Müller…", Names: []string{"www.example.com"}, NotBefore: pki.Now.AddDate(0, -2, 0), NotAfter: pki.Now.AddDate(0, 0, -1)})
	content := certs.EncodePEM(leaf.Chain()...)
	_, _, text, said := checkFile(t, ca, content)
	file := filepath.Join(t.TempDir(), "pile.pem")
	certstest.WriteFile(t, file, content)
	var fixed, stderr bytes.Buffer
	if code := run(t.Context(), []string{"certs", "fix", file, "--ca", ca, "--for", "nginx", "--out", t.TempDir()}, nil, &fixed, &stderr); code != exitFindings {
		t.Errorf("exit %d: %s", code, stderr.String())
	}
	for what, out := range map[string]string{"check": text, "check, aside": said, "fix": fixed.String()} {
		for line := range strings.Lines(out) {
			if strings.HasPrefix(line, "✓") || strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%s: %q", what, line)
			}
		}
		if strings.Contains(out, `\xE2\x80\xA6`) || what != "check, aside" && !strings.Contains(out, "Müller…") {
			t.Errorf("%s: our own marks or letters are escaped: %q", what, out)
		}
	}
}

// What no look could be made with is refused before any is, with the flag's name.
func TestCertsCheckRefusesWhatCannotBe(t *testing.T) {
	for _, args := range [][]string{
		{"127.0.0.1:99999"}, {"127.0.0.1:0"}, {"127.0.0.1:http s"}, {"127.0.0.1:1", "--timeout", "-1s"}, {"127.0.0.1:1", "--timeout", "0"}, {"127.0.0.1:1", "--name", "www.example.com:443"},
		{"127.0.0.1:1", "--name", "a b"}, {"127.0.0.1:1", "--fail-on", "always"}, {"127.0.0.1:1", "--password-file", "/does/not/exist"},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), append([]string{"certs", "check"}, args...), nil, &stdout, &stderr); code != exitUsage || stderr.Len() == 0 || stdout.Len() > 0 {
			t.Errorf("%v: exit %d: %s%s", args, code, stdout.String(), stderr.String())
		}
	}
}

// A name is held against the certificate as it stands on the wire, whatever alphabet it is typed in.
func TestNamesAreTypedAsPeopleWriteThem(t *testing.T) {
	pki := certstest.New(t)
	ca := pki.WriteRoot(t)
	content := certs.EncodePEM(pki.Leaf("xn--bcher-kva.example").Chain()...)
	for name, want := range map[string]int{"bücher.example": exitClean, "xn--bcher-kva.example": exitClean, "BÜCHER.example": exitClean, "bucher.example": exitFindings} {
		if code, checked, _, _ := checkFile(t, ca, content, "--name", name); code != want {
			t.Errorf("%s: exit %d, %+v", name, code, checked.Findings)
		}
	}
}

// A file staples nothing, and nothing is missed in it: what a server would have to staple is seen at the server.
func TestFilesNeedNoStaple(t *testing.T) {
	pki := certstest.New(t)
	leaf := pki.Issue(pki.Issuing, certs.Template{Names: []string{"www.example.com"}, OCSPServer: []string{"http://ocsp.example"}, ExtraExtensions: []pkix.Extension{certstest.MustStaple()}})
	for _, mode := range []string{"off", "staple"} {
		if code, checked, _, _ := checkFile(t, pki.WriteRoot(t), certs.EncodePEM(leaf.Chain()...), "--revocation", mode); code != exitClean || checked.Verdict != inspect.OK {
			t.Errorf("%s: exit %d, %+v", mode, code, checked.Findings)
		}
	}
}

// What a shell makes of <(…) is read like a file.
func TestPipesAreReadLikeFiles(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("/dev/fd is looked for on Linux only")
	}
	pki := certstest.New(t)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	go func() {
		writer.Write(certs.EncodePEM(pki.Leaf("www.example.com").Chain()...))
		writer.Close()
	}()
	var stdout, stderr bytes.Buffer
	name := fmt.Sprintf("/dev/fd/%d", reader.Fd())
	if code := run(t.Context(), []string{"certs", "check", name, "--name", "www.example.com", "--ca", pki.WriteRoot(t)}, nil, &stdout, &stderr); code != exitClean || !strings.HasPrefix(stdout.String(), name+"  ok") {
		t.Errorf("exit %d: %s%s", code, stdout.String(), stderr.String())
	}
}
