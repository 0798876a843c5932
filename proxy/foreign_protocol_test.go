package proxy

import (
	"crypto/tls"
	"io"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// Protocols that nobody here knows are agreed on by the two that do, whatever bytes their names are of.
func TestUnknownProtocolsAreBridged(t *testing.T) {
	pki := certstest.New(t)
	for _, name := range []string{"postgresql", "acme-internal/7", "\x00\xff binary", "mqtt"} {
		r := bridged(t, pki, tlsBackend(t, pki, echo, protocols("other", name)))
		c := r.tls(protocols("unheard-of", name))
		if got := c.ConnectionState().NegotiatedProtocol; got != name {
			t.Errorf("%q was agreed on, want %q", got, name)
		}
		exchange(t, c, "a line")
		c.Close()
		record := r.record()
		wantOutcome(t, record, inspect.Success)
		if record.BackendLeg.TLS.NextProtocol == "" || record.BackendLeg.TLS.NextProtocol != record.ClientLeg.TLS.NextProtocol {
			t.Errorf("%q and %q in the record", record.ClientLeg.TLS.NextProtocol, record.BackendLeg.TLS.NextProtocol)
		}
	}
}

// A server of MySQL speaks first, in packets of its own: behind TLS at once, as proxies and cloud services serve it, they pass unchanged.
func TestMySQLGreetingComesThrough(t *testing.T) {
	const greeting = "\x4a\x00\x00\x00\x0a8.0.36\x00\x2a\x00\x00\x00abcdefgh\x00\xff\xf7\xff\x02\x00\xff\x8f\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00ijklmnopqrst\x00mysql_native_password\x00"
	const login = "\x20\x00\x00\x01\x05\xa2\x3a\x00\x00\x00\x00\x01\x2d"
	const ok = "\x07\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00"
	pki := certstest.New(t)
	for _, kind := range backendKinds {
		r := bridged(t, pki, backendOf(t, pki, kind.plain, kind.version, func(c halfCloser) {
			io.WriteString(c, greeting)
			io.ReadFull(c, make([]byte, len(login)))
			io.WriteString(c, ok)
			c.CloseWrite()
			io.Copy(io.Discard, c)
		}))
		c := r.tls(func(c *tls.Config) {})
		c.SetDeadline(time.Now().Add(patience))
		got := make([]byte, len(greeting))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != greeting {
			t.Fatalf("%s: %q, %v", kind.name, got, err)
		}
		io.WriteString(c, login)
		if rest, err := io.ReadAll(c); err != nil || string(rest) != ok {
			t.Errorf("%s: %q, %v", kind.name, rest, err)
		}
		c.Close()
		record := r.record()
		wantOutcome(t, record, inspect.Success)
		if record.Event.End != inspect.EndedByBackend {
			t.Errorf("%s: %q ended it", kind.name, record.Event.End)
		}
	}
}
