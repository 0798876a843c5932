package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs/certstest"
)

// finds reports in which form a secret stands in a text: as it is, in hexadecimal, or in base64 at any alignment.
func finds(text string, secret []byte) string {
	lower := strings.ToLower(text)
	if strings.Contains(text, string(secret)) {
		return "as it is"
	}
	if strings.Contains(lower, hex.EncodeToString(secret)) {
		return "in hexadecimal"
	}
	for shift := range 3 {
		encoded := base64.RawStdEncoding.EncodeToString(append(make([]byte, shift), secret...))
		inner := encoded[4 : len(encoded)-4] // the ends depend on what stands beside
		for _, form := range []string{inner, strings.NewReplacer("+", "-", "/", "_").Replace(inner)} {
			if strings.Contains(text, form) {
				return "in base64"
			}
		}
	}
	return ""
}

func TestFindsSecretsInEveryForm(t *testing.T) {
	secret := []byte("canary>>>???-0123456789")
	for _, text := range []string{
		string(secret), "x" + hex.EncodeToString(secret), strings.ToUpper(hex.EncodeToString(secret)),
		base64.StdEncoding.EncodeToString([]byte("a" + string(secret) + "b")), base64.URLEncoding.EncodeToString([]byte("ab" + string(secret))),
	} {
		if finds(text, secret) == "" {
			t.Errorf("not found in %q", text)
		}
	}
	if finds(base64.StdEncoding.EncodeToString([]byte("something else altogether")), secret) != "" {
		t.Error("found where it is not")
	}
}

// What passes through is the client's and the backend's business, and keys are nobody's: nothing of them is in what the program
// prints, logs, records or shows to the operator, whatever goes wrong.
func TestSecretsStayInside(t *testing.T) { keepSecrets(t, false) }

// Plain text where TLS belongs is looked at and named. What it says beyond its first line is no business of the record either.
func TestSecretsInPlainTextStayInside(t *testing.T) { keepSecrets(t, true) }

// keepSecrets sends secrets through the proxy in every way, or in plain text to its TLS port and from a backend's.
func keepSecrets(t *testing.T, inPlainText bool) {
	s := newSite(t)
	const name = "app.example"
	secrets := map[string][]byte{
		"Authorization": []byte("Bearer-canary-4f1d20aa77"),
		"Cookie":        []byte("session-canary-93be01c2d5"),
		"body":          []byte("body-canary-c0ffee51ab"),
		"Set-Cookie":    []byte("answer-canary-77aa41be09"),
	}
	cert, key := s.pki.Make(certstest.Healthy, name).WriteFiles(t)
	backendCert, backendKey := s.pki.Make(certstest.ClientOnly, name).WriteFiles(t)
	for what, file := range map[string]string{"served key": key, "backend key": backendKey} {
		addKey(t, secrets, what, file)
	}
	answer := "HTTP/1.1 200 OK\r\nSet-Cookie: " + string(secrets["Set-Cookie"]) + "\r\nContent-Length: 5\r\n\r\nhello"
	good := s.backend(certstest.Healthy, name, nil, func(c *tls.Conn) {
		if request, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			io.Copy(io.Discard, request.Body)
			io.WriteString(c, answer)
		}
	})
	expired := s.web(certstest.Expired, name, "hello")
	plain := plainBackend(t, answer)
	for _, output := range []string{"json", "text"} {
		t.Run(output, func(t *testing.T) {
			dir := t.TempDir()
			recording := filepath.Join(dir, "record.ndjson")
			route := func(names, backend string) string {
				return fmt.Sprintf("      - {server_names: [%s], policy: mozilla/mozilla-modern-5.7, backend: {url: \"tls://%s\", ca: %q, server_name: %s, cert: %q, key: %q}}\n",
					names, backend, s.root, name, backendCert, backendKey)
			}
			file := filepath.Join(dir, "proxy.yaml")
			certstest.WriteFile(t, file, fmt.Appendf(nil, `
listeners:
  - address: 127.0.0.1:0
    name: serving
    certificates: [{cert: %q, key: %q}]
    routes:
%s%s%s%s
  - address: localhost:0
    name: minting
    routes:
%s
record: {file: %q, raw: all}
log: {level: debug}
ca_dir: ca
output: %s
`, cert, key, route("app.example", good), route("expired.example", expired), route("plain.example", plain), route("closed.example", freePort(t)),
				route("app.example", good), recording, output))
			p := startProxy(t, nil, "--config", file)
			authority := map[string][]byte{}
			addKey(t, authority, "authority's key", filepath.Join(dir, "ca", "ca.key"))

			request := fmt.Sprintf("POST /?q=1 HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nAuthorization: %s\r\nCookie: %s\r\nContent-Length: %d\r\n\r\n%s",
				name, secrets["Authorization"], secrets["Cookie"], len(secrets["body"]), secrets["body"])
			trusted := func(serverName string) *tls.Config {
				return &tls.Config{InsecureSkipVerify: true, ServerName: serverName}
			}
			connections := 0
			send := func(c net.Conn, want string) {
				t.Helper()
				connections++
				defer c.Close()
				if _, err := io.WriteString(c, request); err != nil {
					t.Error(err)
				}
				got, _ := io.ReadAll(c)
				if !bytes.Contains(got, []byte(want)) {
					t.Errorf("got %q, want %q", got, want)
				}
			}
			addresses := p.addresses()
			if len(addresses) != 2 {
				t.Fatalf("listeners %v", addresses)
			}
			if inPlainText {
				send(dialTLS(t, addresses[0], trusted("plain.example")), "502 Bad Gateway")
				send(dialTCP(t, addresses[0]), "")
			} else {
				for _, address := range addresses {
					send(dialTLS(t, address, trusted("app.example")), "hello")
				}
				send(dialTLS(t, addresses[0], trusted("expired.example")), "HTTP/1.1 ")
				send(dialTLS(t, addresses[0], trusted("closed.example")), "502 Bad Gateway")
			}
			eventually(t, "all connections are recorded", func() error {
				data, err := os.ReadFile(recording)
				if err == nil && bytes.Count(data, []byte("\n")) < connections {
					err = fmt.Errorf("%d records", bytes.Count(data, []byte("\n")))
				}
				return err
			})
			outputs := map[string]string{}
			for _, path := range []string{"/", "/connections", "/metrics", "/readyz?verbose"} {
				_, outputs["admin "+path] = p.admin(path)
			}
			p.terminate()
			p.exitCode()
			data, err := os.ReadFile(recording)
			if err != nil {
				t.Fatal(err)
			}
			outputs["recording"], outputs["standard output"], outputs["standard error"] = string(data), p.stdout.String(), p.stderr.String()
			for where, text := range outputs {
				if text == "" {
					t.Errorf("%s is empty", where)
				}
				for _, set := range []map[string][]byte{secrets, authority} {
					for what, secret := range set {
						if form := finds(text, secret); form != "" {
							t.Errorf("%s: the %s stands there %s", where, what, form)
						}
					}
				}
			}
		})
	}
}

// addKey adds what makes out a private key: its file's text, line by line, and the secret number itself.
func addKey(t *testing.T, secrets map[string][]byte, what, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatalf("%s: no PEM", file)
	}
	// Every certificate shows the public half; what is secret is the scalar, 32 bytes after the octet string's header (RFC 5915).
	at := bytes.Index(block.Bytes, []byte{0x02, 0x01, 0x01, 0x04, 0x20})
	if at < 0 {
		t.Fatalf("%s: no ECDSA P-256 key", file)
	}
	if _, err := x509.ParsePKCS8PrivateKey(block.Bytes); err != nil {
		if _, err := x509.ParseECPrivateKey(block.Bytes); err != nil {
			t.Fatal(err)
		}
	}
	secrets[what] = block.Bytes[at+5 : at+37]
	secrets[what+"'s file"] = []byte(strings.Split(string(data), "\n")[1])
}

// addresses of all listeners, in the order in which they are told.
func (p *process) addresses() []string {
	p.t.Helper()
	var list []string
	for _, entry := range p.logLines() {
		if entry["msg"] == "listening" {
			list = append(list, entry["address"].(string))
		}
	}
	return list
}

// plainBackend speaks no TLS: whatever comes, it answers with the same bytes.
func plainBackend(t *testing.T, answer string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if _, err := c.Read(make([]byte, 4096)); err != nil && !errors.Is(err, io.EOF) {
					return
				}
				io.WriteString(c, answer)
			}()
		}
	}()
	return l.Addr().String()
}
