package h3

import (
	"net"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/quicwire"
	"github.com/tlstriage/tlstriage/proxy"
)

// Whatever comes in a datagram: it is looked at without a panic, and what is kept of it stays within its bounds, and not for ever.
func FuzzDatagrams(f *testing.F) {
	pki := certstest.New(f)
	const limit = 8
	small := func(r *rig) {
		r.udp.Limits.Hellos = limit
		r.tcp.OnTranscript = func(_ *inspect.Connection, kept *proxy.Transcript) {
			total := 0
			for _, chunk := range kept.Client.Chunks {
				total += len(chunk.Data)
			}
			if total > 64<<10 || len(kept.Client.Chunks) > 64 {
				panic("more is kept than was said")
			}
		}
	}
	r := newRig(f, pki, &proxy.Listener{Name: "edge", Mode: proxy.HTTP, Routes: []*proxy.Route{{Name: "default", Backend: &proxy.Backend{Address: "127.0.0.1:1", Plain: true}, GetCertificate: serves(pki.Make(certstest.Healthy, testName))}}},
		small)
	passes := newRig(f, pki, &proxy.Listener{Name: "through", Mode: proxy.Passthrough, Routes: []*proxy.Route{{Name: "one", ServerNames: []string{"nobody.example"}, Backend: &proxy.Backend{Address: "127.0.0.1:1"}}}},
		small)
	asks := newRig(f, pki, &proxy.Listener{Name: "asking", Mode: proxy.HTTP, QUICRetry: proxy.RetryAlways, Routes: []*proxy.Route{{Name: "default", Backend: &proxy.Backend{Address: "127.0.0.1:1", Plain: true}}}},
		small)
	c := newRawClient(f, r.address())
	whole := hello(f, r.clientConfig())
	f.Add(c.initial(0, whole[:900], 1200))
	f.Add(c.initial(900, whole[900:], 1200))
	f.Add(c.initial(0, whole, 1800))
	c.header.Token = []byte("token")
	f.Add(c.initial(0, whole, 1800))
	other := c.initial(0, whole[:10], 1200)
	copy(other[1:], []byte{0xff, 0, 0, 29})
	f.Add(other)
	f.Add([]byte{0x40, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	f.Add([]byte{0xc0, 0, 0, 0, 1, 20})
	addr := udpSocket(f).LocalAddr().(*net.UDPAddr) // what it is answered, nobody reads
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, r := range []*rig{r, passes, asks} {
			s := r.udp.sockets[keyOf(r.listener)]
			s.hand(b, nil, addr)
			for _, ok := s.hellos.next(); ok; _, ok = s.hellos.next() {
			}
			s.hellos.mu.Lock()
			if n := len(s.hellos.flows); n > limit || n != s.hellos.order.Len() {
				t.Errorf("%d flows, %d in order", n, s.hellos.order.Len())
			}
			s.hellos.mu.Unlock()
			s.hellos.expire(time.Now().Add(time.Hour))
			if n := s.keeping.open.Load(); n != 0 || len(s.keeping.by) != 0 {
				t.Errorf("the datagrams of %d clients are kept", n)
			}
		}
		var h quicwire.Header
		_, _ = quicwire.ParseHeader(b, &h)
		for len(r.records) > 0 {
			<-r.records
		}
	})
}
