package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
)

// hostileTexts are what a stranger may put where a name belongs: terminal sequences, line breaks that forge lines, NUL, text that
// runs the other way, bytes that are no text, and more of it than anyone wants to read.
func hostileTexts() map[string]string {
	return map[string]string{
		"ansi":       "a\x1b[31m\x1b]0;owned\a.example",
		"line break": "a.example\r\n{\"verdict\":\"ok\",\"forged\":true}\ntlstriage: forged",
		"nul":        "a\x00b.example",
		"bidi":       "a\u202egnp.exe\u2066\u200f.example",
		"c1":         "a\u009b31m\u0085.example",
		"no utf-8":   "a\xff\xfe\x9b31m.example",
		"html":       "<script>alert(1)</script>&amp;'\".example",
	}
}

// Whatever strangers put into the fields that they own, a line of text acts on no terminal, and a record stays one line of JSON.
func TestHostileTextStaysText(t *testing.T) {
	s := newSite(t)
	const name = "app.example"
	healthy := s.web(certstest.Healthy, name, "hello")
	for _, output := range []string{"text", "json"} {
		t.Run(output, func(t *testing.T) {
			s := &site{t: t, pki: s.pki, root: s.root, roots: s.roots}
			dir := t.TempDir()
			recording := filepath.Join(dir, "record.ndjson")
			routes := fmt.Sprintf("      - {backend: {url: \"tls://%s\", ca: %q}, policy: mozilla/mozilla-modern-5.7}\n", healthy, s.root)
			for what, text := range hostileTexts() {
				host := strings.ReplaceAll(what, " ", "-") + ".backend"
				subject := strings.ToValidUTF8(text, "?") // no certificate can hold anything else; self-signed, so that it is talked about
				certificate := s.pki.SelfSign(certs.Template{CommonName: subject, Organization: subject, Names: []string{host}})
				routes += fmt.Sprintf("      - {server_names: [%q], backend: {url: \"tls://%s\", ca: %q}}\n", host, servePair(t, certificate), s.root)
				plain := plainBackend(t, "HTTP/1.1 400 "+text+"\r\n\r\n")
				routes += fmt.Sprintf("      - {server_names: [%q], backend: {url: \"tls://%s\", ca: %q}}\n", "plain-"+host, plain, s.root)
			}
			file := filepath.Join(dir, "proxy.yaml")
			certstest.WriteFile(t, file, fmt.Appendf(nil, "record: {file: %q}\nca_dir: ca\nlog: {level: debug}\noutput: %s\nlisteners:\n  - address: 127.0.0.1:0\n    routes:\n%s",
				recording, output, routes))
			p := startProxy(t, nil, "--config", file)
			address := p.address("default")

			connections := 0
			try := func(config *tls.Config) {
				connections++
				config.InsecureSkipVerify = true
				raw := dialTCP(t, address)
				defer raw.Close()
				c := tls.Client(raw, config)
				if c.Handshake() == nil {
					io.WriteString(c, "GET / HTTP/1.1\r\nHost: "+name+"\r\nConnection: close\r\n\r\n")
					io.Copy(io.Discard, c)
				}
			}
			write := func(data string) {
				connections++
				c := dialTCP(t, address)
				defer c.Close()
				io.WriteString(c, data)
				c.(*net.TCPConn).CloseWrite()
				io.Copy(io.Discard, c)
			}
			long := strings.Repeat("\x1b[31mlong\u202e", 5000) // 60 kB, near the bound on a hello
			for what, text := range hostileTexts() {
				host := strings.ReplaceAll(what, " ", "-") + ".backend"
				try(&tls.Config{ServerName: text})
				try(&tls.Config{ServerName: name, NextProtos: []string{text, "h2", "http/1.1"}})
				try(&tls.Config{ServerName: host})
				try(&tls.Config{ServerName: "plain-" + host})
				write("GET /" + text + " HTTP/1.1\r\nHost: " + text + "\r\n\r\n")
				write("SSH-2.0-" + text + "\r\n")
				write(text)
			}
			try(&tls.Config{ServerName: long})
			var many []string
			for i := range 250 {
				many = append(many, fmt.Sprintf("\x1b[3%dm%s", i, strings.Repeat("x", 230)))
			}
			try(&tls.Config{ServerName: name, NextProtos: many})
			write("GET /" + long + " HTTP/1.1\r\n\r\n")

			eventually(t, "all connections are recorded", func() error {
				data, err := os.ReadFile(recording)
				if err == nil && strings.Count(string(data), "\n") < connections {
					err = fmt.Errorf("%d of %d records", strings.Count(string(data), "\n"), connections)
				}
				return err
			})
			_, latest := p.admin("/connections")
			p.terminate()
			p.exitCode()
			data, err := os.ReadFile(recording)
			if err != nil {
				t.Fatal(err)
			}
			objects, err := ndjson(data)
			if err != nil {
				t.Fatal(err)
			}
			if len(objects) != connections {
				t.Errorf("%d records of %d connections", len(objects), connections)
			}
			for _, object := range objects {
				if object["forged"] != nil || object["schema"] == nil {
					t.Errorf("no record of ours: %v", object)
				}
			}
			if output == "json" {
				if p.stdout.String() == "" || strings.Count(p.stdout.String(), "\n") != connections {
					t.Errorf("%d lines on standard output, %d connections", strings.Count(p.stdout.String(), "\n"), connections)
				}
			}
			for where, text := range map[string]string{"recording": string(data), "standard output": p.stdout.String(), "standard error": p.stderr.String(), "/connections": latest} {
				if at := firstControl(text); at != "" {
					t.Errorf("%s: %s", where, at)
				}
				if strings.Contains(text, "\ntlstriage: forged") || strings.Contains(text, "\n{\"verdict\":\"ok\",\"forged\"") {
					t.Errorf("%s: a line is forged", where)
				}
			}
			for line := range strings.Lines(p.stdout.String()) {
				if len(line) > 600_000 {
					t.Errorf("a line of %d bytes", len(line))
				}
			}
		})
	}
}

// servePair is a TLS server with this very certificate.
func servePair(t *testing.T, pair *certs.Pair) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	config := &tls.Config{Certificates: []tls.Certificate{*pair.TLS()}}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				c := tls.Server(conn, config)
				if c.Handshake() == nil {
					c.CloseWrite()
				}
			}()
		}
	}()
	return l.Addr().String()
}
