package main

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
)

// helloOf is the first record that crypto/tls sends.
func helloOf(t *testing.T, c *tls.Config) []byte {
	t.Helper()
	client, server := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = tls.Client(client, c).Handshake() // ends when the server's end is closed
	}()
	head := make([]byte, 5)
	if _, err := io.ReadFull(server, head); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, binary.BigEndian.Uint16(head[3:]))
	if _, err := io.ReadFull(server, body); err != nil {
		t.Fatal(err)
	}
	_ = server.Close()
	<-done
	return append(head, body...)
}

// A capture is read where recorded clients are: each connection counts, compressed and from the standard input, too.
func TestPoliciesAreTriedOnCaptures(t *testing.T) {
	var packets bytes.Buffer
	w := capture.NewWriter(&packets)
	for i, c := range []*tls.Config{
		{ServerName: "a.example", MaxVersion: tls.VersionTLS12},
		{ServerName: "b.example"},
		{ServerName: "c.example"},
	} {
		if err := w.AddExchange(&capture.Exchange{
			Client: netip.AddrPortFrom(netip.MustParseAddr("198.51.100.7"), uint16(20000+i)), Server: netip.MustParseAddrPort("192.0.2.1:443"),
			Began: time.Date(2026, 11, 21, 0, 0, i, 0, time.UTC), Chunks: []capture.Chunk{{From: inspect.FromClient, Data: helloOf(t, c)}}, End: inspect.EndFINClient,
		}); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	plain, squeezed, cut := filepath.Join(dir, "x.pcapng"), filepath.Join(dir, "x.pcapng.gz"), filepath.Join(dir, "cut.pcapng")
	var small bytes.Buffer
	z := gzip.NewWriter(&small)
	if _, err := z.Write(packets.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{plain: packets.Bytes(), squeezed: small.Bytes(), cut: packets.Bytes()[:packets.Len()-9]} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const modern, older = "mozilla/modern-5.7", "mozilla/intermediate-5.7"
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"policy", "check", "--policy", modern, "--from", plain}, 0, "1 connection of 1 client shape would be lost"},
		{[]string{"policy", "check", "--policy", modern, "--from", squeezed}, 0, "1 connection of 1 client shape would be lost"},
		{[]string{"policy", "check", "--policy", modern, "--from", "-"}, 0, "1 connection of 1 client shape would be lost"},
		{[]string{"policy", "check", "--policy", modern, "--from", plain, "--from", squeezed, "--each"}, 0, `{"index":5,`},
		{[]string{"policy", "diff", older, modern, "--from", plain}, 0, "1 connection"},
		{[]string{"policy", "recommend", "--provider", "aws/alb", "--from", squeezed}, 0, "3 connections"},
		{[]string{"policy", "check", "--policy", modern, "--from", cut}, exitFailed, ""},
	} {
		t.Run(strings.ReplaceAll(fmt.Sprint(tt.args), dir, ""), func(t *testing.T) {
			var out, said bytes.Buffer
			code := run(t.Context(), tt.args, bytes.NewReader(packets.Bytes()), &out, &said)
			if code != tt.code || !strings.Contains(out.String(), tt.want) {
				t.Errorf("exit code %d, want %d, with %q; got\n%s%s", code, tt.code, tt.want, out.String(), said.String())
			}
		})
	}
}
