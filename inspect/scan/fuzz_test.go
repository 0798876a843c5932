package scan

import (
	"context"
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/probe"
)

// FuzzHostileEndpoint scans an endpoint that answers every hello with the same bytes, in two pieces, and then closes or is silent: nothing of
// it may end in a panic, a hang, or a finding out of bounds.
func FuzzHostileEndpoint(f *testing.F) {
	alert := []byte{21, 3, 3, 0, 2, 2, 40}
	hello := append([]byte{22, 3, 3, 0, 44, 2, 0, 0, 40, 3, 3}, make([]byte, 32)...)
	hello = append(hello, 0, 0xC0, 0x2F, 0, 0, 0)
	for _, seed := range [][]byte{nil, alert, hello, append(hello, alert...), []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), {0x80, 11, 4, 0, 1, 0, 2, 0, 0, 0, 3, 0, 0, 1, 0, 0x80}, {5, 0xFF}} {
		f.Add(seed, uint16(5), true)
		f.Add(seed, uint16(0), false)
	}
	f.Fuzz(func(t *testing.T, answer []byte, at uint16, closes bool) {
		if len(answer) > 4096 {
			return
		}
		dial := func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			go func() {
				defer server.Close()
				_ = server.SetDeadline(time.Now().Add(time.Second))
				if _, err := server.Read(make([]byte, 1<<16)); err != nil {
					return
				}
				n := min(int(at), len(answer))
				if _, err := server.Write(answer[:n]); err != nil {
					return
				}
				_, _ = server.Write(answer[n:])
				for !closes {
					if _, err := server.Read(make([]byte, 1<<12)); err != nil {
						return
					}
				}
			}()
			return client, nil
		}
		const bound = 200
		scanner := &Scanner{MaxConnections: bound, Client: &probe.Client{Dial: dial, Timeouts: probe.Timeouts{Answer: 2 * time.Millisecond, Finish: 2 * time.Millisecond, Idle: time.Millisecond}}}
		r := scanner.Address(t.Context(), Target{Endpoint: probe.Target{Address: "192.0.2.1:443"}, ServerName: "www.example.com"})
		if r.Connections > bound+2 { // beside: with another preface
			t.Errorf("%d connections, at most %d", r.Connections, bound)
		}
		r.Connection()
		r.Chains()
		r.Looks()
		for _, finding := range r.Findings() {
			if finding.ID == "" || finding.Title == "" {
				t.Errorf("%+v", finding)
			}
		}
		if _, err := json.Marshal(r); err != nil {
			t.Error(err)
		}
	})
}

// FuzzStoredReport compares what a file says that it is a report with itself, and with one that is empty.
func FuzzStoredReport(f *testing.F) {
	f.Add([]byte(`{"versions":["TLSv1.2"],"ciphers":{"TLSv1.2":["TLS_RSA_WITH_AES_128_CBC_SHA"]},"certificates":[{"certificate_chain":[]}],"client_certificate":{"request":"none"}}`))
	f.Add([]byte(`{"versions":null,"layers":[{"layer":"hello","status":"broken"}],"partial":true,"inconclusive_about":["alpn"]}`))
	f.Fuzz(func(t *testing.T, stored []byte) {
		var r Report
		if json.Unmarshal(stored, &r) != nil {
			return
		}
		for _, c := range Compare(&r, &r) {
			t.Errorf("a report differs from itself: %+v", c)
		}
		empty := NewReport("")
		for _, c := range append(Compare(&r, empty), Compare(empty, &r)...) {
			c.Sentence("the baseline")
		}
	})
}

// FuzzApplicationAnswer reads what applications answer.
func FuzzApplicationAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n<html><head><title>400 No required SSL certificate was sent</title>"))
	f.Add([]byte("HTTP/1.1 4"))
	f.Add([]byte("HTTP/1.1 403 \r\n\r\nclient certificate"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		status, refusal := httpStatus(answer), httpCertificateRefusal(answer)
		if refusal != "" && !strings.HasPrefix(status, "4") {
			t.Errorf("%q refuses a certificate: %q", status, refusal)
		}
		if len(refusal) > 1000 || strings.ContainsAny(refusal, "\r\n\x1b") {
			t.Errorf("%q is not for a line", refusal)
		}
	})
}
