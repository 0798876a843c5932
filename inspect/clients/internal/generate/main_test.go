package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/clients"
)

// TestGeneratedDataIsCurrent generates again and compares.
func TestGeneratedDataIsCurrent(t *testing.T) {
	hellos := filepath.Join("..", "..", "..", "..", "..", "shared", "facts", "clienthellos.json")
	if _, err := os.Stat(hellos); err != nil {
		t.Skipf("the captured hellos are not here: %v", err)
	}
	dir := t.TempDir()
	files := []string{"table_generated.go", "gallery_generated.go"}
	if err := run(hellos, filepath.Join("..", "capture", "captured.json"), filepath.Join(dir, files[0]), filepath.Join(dir, files[1])); err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		want, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("..", "..", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the captures give: run go generate in inspect/clients", name)
		}
	}
}

func TestNamesAreTakenApart(t *testing.T) {
	for _, test := range []struct {
		capture capture
		want    origin
	}{
		{capture{Client: "curl 7.88.1 (OpenSSL/3.0.22)"}, origin{program: "curl 7.88.1", library: "OpenSSL", releases: "3.0"}},
		{capture{Client: "git 2.39.5 (libcurl 7.88.1-10+deb12u14, GnuTLS 3.7.9-2+deb12u7)"}, origin{program: "git 2.39.5", library: "GnuTLS", releases: "3.7"}},
		{capture{Client: "HAProxy 2.6.12-1+deb12u4 (OpenSSL 3.0.22-1~deb12u2)"}, origin{program: "HAProxy 2.6.12", library: "OpenSSL", releases: "3.0"}},
		{capture{Client: "Python 3.11.7 ssl (OpenSSL 3.0.22)"}, origin{program: "Python 3.11.7", library: "OpenSSL", releases: "3.0"}},
		{capture{Client: "OpenSSL 3.0.22 s_client"}, origin{library: "OpenSSL", releases: "3.0"}},
		{capture{Client: "OpenJDK 17.0.15"}, origin{library: "OpenJDK", releases: "17"}},
		{capture{Client: "OpenJDK 17.0.15 set up as Java 6u45"}, origin{library: "Java", releases: "6"}},
		{capture{Client: "mbed TLS 2.1.4 to 2.1.15, 2.2.1", Versions: []string{"2.1.4"}}, origin{library: "mbed TLS", releases: "2.1.4 to 2.1.15, 2.2.1"}},
	} {
		got, err := originOf(test.capture)
		if err != nil || got.program != test.want.program || got.library != test.want.library || got.releases != test.want.releases {
			t.Errorf("%s: %+v, %v", test.capture.Client, got, err)
		}
	}
	if _, err := originOf(capture{Client: "somebody"}); err == nil {
		t.Error("a client without a release is no error")
	}
}

// TestSharedFormsNameNoProgram keeps names to what the captures tell apart.
func TestSharedFormsNameNoProgram(t *testing.T) {
	tool := origin{library: "L", releases: "1"}
	a, b := origin{program: "a 1", library: "L", releases: "1"}, origin{program: "b 2", library: "L", releases: "1"}
	other, third := origin{library: "M", releases: "2", tested: []string{"2"}}, origin{library: "N", releases: "3"}
	for _, test := range []struct {
		origins []origin
		want    string
		exact   bool
	}{
		{[]origin{a}, "L 1 (as a 1)", false},
		{[]origin{a, b}, "L 1 (as a 1, b 2)", false},
		{[]origin{a, tool}, "L 1", false},
		{[]origin{other}, "M 2", true},
		{[]origin{other, tool}, "L 1 or M 2", false},
		{[]origin{other, tool, third}, "", false},
	} {
		c, ok := clientOf(test.origins)
		if got := c.String(); got != test.want || ok != (test.want != "") || (c.Confidence == clients.Exact) != test.exact {
			t.Errorf("%+v: %q, %+v", test.origins, got, c)
		}
	}
}
