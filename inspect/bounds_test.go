package inspect_test

import (
	"bytes"
	"runtime"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

func TestAlertsAreBoundedAndTheFatalOneIsKept(t *testing.T) {
	o := inspect.NewObserver(nil)
	o.Feed(inspect.FromServer, bytes.Repeat(record(21, 1, 90), 10_000), time.Time{})
	o.Feed(inspect.FromServer, record(21, 2, 40), time.Time{})
	if got := o.TLS().Alerts; len(got) != 16 || got[15].Description != "handshake_failure" {
		t.Errorf("%d alerts, the last of them %+v", len(got), got[len(got)-1])
	}
	if code, ok := o.Alert(inspect.FromServer); !ok || code != 40 {
		t.Errorf("alert %v", code)
	}
}

// certificateMessage is a Certificate of TLS 1.2.
func certificateMessage(chain ...[]byte) []byte {
	var list []byte
	for _, der := range chain {
		n := len(der)
		list = append(append(list, byte(n>>16), byte(n>>8), byte(n)), der...)
	}
	n := len(list)
	return message(11, append([]byte{byte(n >> 16), byte(n >> 8), byte(n)}, list...)...)
}

func TestChainIsBounded(t *testing.T) {
	leaf := identity(t, "x").Certificate[0]
	chain := make([][]byte, 130)
	for i := range chain {
		chain[i] = leaf
	}
	o := inspect.NewObserver(nil)
	o.Feed(inspect.FromServer, joined(serverHello(0xC02B, nil), records(certificateMessage(chain...))), time.Time{})
	if s := o.TLS().Server; len(s.CertificateChain) != 100 || s.CertificatesSent != 130 {
		t.Errorf("%d certificates of %d", len(s.CertificateChain), s.CertificatesSent)
	}
	var s inspect.Server
	if s.Present(&inspect.Describer{}, chain); len(s.CertificateChain) != 100 || s.CertificatesSent != 130 {
		t.Errorf("described: %d certificates of %d", len(s.CertificateChain), s.CertificatesSent)
	}
	if s.Present(&inspect.Describer{}, chain[:100]); len(s.CertificateChain) != 100 || s.CertificatesSent != 0 {
		t.Errorf("at the bound: %d certificates of %d", len(s.CertificateChain), s.CertificatesSent)
	}
	o = inspect.NewObserver(nil)
	o.Feed(inspect.FromServer, joined(serverHello(0xC02B, nil), records(certificateMessage(make([]byte, 300<<10)))), time.Time{})
	if !o.ServerHelloSeen() || o.TLS().Server != nil {
		t.Errorf("a chain beyond the bound was kept: %+v", o.TLS().Server)
	}
}

func TestCertificatesBeforeAFaultAreKept(t *testing.T) {
	leaf := identity(t, "x").Certificate[0]
	m := certificateMessage(leaf, leaf)
	m[3+3+1+len(leaf)+3]++ // the length of the second one
	o := inspect.NewObserver(nil)
	o.Feed(inspect.FromServer, joined(serverHello(0xC02B, nil), records(m)), time.Time{})
	if s := o.TLS().Server; s == nil || len(s.CertificateChain) != 1 {
		t.Errorf("got %+v", s)
	}
}

// heapOf is how many bytes of the heap are in use behind what make made.
func heapOf(make func() any) int64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	kept := make()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(kept)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc)
}

func TestObserverHoldsLittleOfMuchGarbage(t *testing.T) {
	const much = 10 << 20
	small := records(bytes.Repeat(message(99, make([]byte, 1000)...), 16))
	large := records(message(11, make([]byte, 250<<10)...))
	authorities := func() []byte {
		name := []byte{0, 16, 0x30, 14, 0x31, 12, 0x30, 10, 6, 3, 0x55, 4, 3, 0x0C, 3, 'a', 'b', 'c'}
		list := bytes.Repeat(name, 3000)
		return records(message(13, append([]byte{1, 64, 0, 2, 4, 3, byte(len(list) >> 8), byte(len(list))}, list...)...))
	}()
	for name, garbage := range map[string][]byte{
		"small messages": small, "large messages": large, "authorities": authorities, "data": record(23, make([]byte, 1<<14)...),
		"warnings": bytes.Repeat(record(21, 1, 0), 100), "ccs": bytes.Repeat(record(20, 1), 100),
	} {
		t.Run(name, func(t *testing.T) {
			held := heapOf(func() any {
				o := inspect.NewObserver(nil)
				o.Feed(inspect.FromClient, clientHello(nil), time.Time{})
				o.Feed(inspect.FromServer, serverHello(0xC02B, nil), time.Time{})
				for fed := 0; fed < much; fed += 2 * len(garbage) {
					o.Feed(inspect.FromServer, garbage, time.Time{})
					o.Feed(inspect.FromClient, garbage, time.Time{})
				}
				return o
			})
			t.Logf("%d bytes held", held)
			if held > 800<<10 {
				t.Errorf("%d bytes held of %d", held, much)
			}
		})
	}
}

func TestBoundedCutsBetweenCharacters(t *testing.T) {
	tests := map[string]string{
		"":                               "",
		"api.example.com":                "api.example.com",
		"\xFF\xFEx":                      "\uFFFDx",
		string(make([]byte, 1024)):       string(make([]byte, 1024)),
		string(make([]byte, 1025)):       string(make([]byte, 1024)) + "…",
		string(make([]byte, 1023)) + "é": string(make([]byte, 1023)) + "…",
		string(make([]byte, 1022)) + "é": string(make([]byte, 1022)) + "é",
	}
	for in, want := range tests {
		if got := inspect.Bounded(in); got != want {
			t.Errorf("%d bytes: %q, want %q", len(in), got, want)
		}
	}
	if got := inspect.Bounded(string(bytes.Repeat([]byte{0x80}, 5000))); len(got) > 1100 {
		t.Errorf("%d bytes", len(got))
	}
}
