package monitor

import (
	"context"
	"crypto/tls"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect/porttest"
	"github.com/tlstriage/tlstriage/proxy"
)

// serve terminates TLS on an address until the test ends.
func serve(t *testing.T, address string, certificate *tls.Certificate) {
	l, err := tls.Listen("tcp", address, &tls.Config{Certificates: []tls.Certificate{*certificate}, NextProtos: []string{"h2"}})
	if err != nil && runtime.GOOS != "linux" { // there the loopback is a network
		t.Skip("another loopback address cannot be had: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				c.SetDeadline(time.Now().Add(10 * time.Second))
				c.Read(make([]byte, 1))
				c.Close()
			})
		}
	})
	t.Cleanup(func() { l.Close(); running.Wait() })
}

// Real handshakes with four real nodes, of which one was forgotten at the renewal and one is down.
func TestRealNodes(t *testing.T) {
	pki := certstest.New(t)
	const name = "api.example.com"
	fresh := pki.Issue(pki.Root, certs.Template{Names: []string{name}, NotBefore: pki.Now.Add(-time.Hour)}).TLS()
	old := pki.Issue(pki.Root, certs.Template{Names: []string{name}, NotBefore: pki.Now.Add(-80 * day), NotAfter: pki.Now.Add(10 * day)}).TLS()
	port := strconv.Itoa(porttest.Free(t)) // on every address of the loopback
	serve(t, "127.0.0.1:"+port, fresh)
	serve(t, "127.0.0.2:"+port, old)
	serve(t, "127.0.0.3:"+port, fresh)
	server := &proxy.Server{}
	var events []Event
	checked := make(chan State, 1)
	m := New(Options{
		Check: server.CheckAddress,
		Resolve: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("127.0.0.4"), netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::ffff:127.0.0.2"), netip.MustParseAddr("127.0.0.3")}, nil
		},
		OnChange: func(e Event) { events = append(events, e) },
		OnCheck:  func(s State) { checked <- s },
	})
	m.Watch([]Target{{Name: "edge/default", Backend: &proxy.Backend{Address: "backend.test:" + port}, ServerName: name, Protocols: []string{"h2"}}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { m.Run(ctx); close(ended) }()
	s := <-checked
	cancel()
	<-ended
	want := []string{"expiry_threshold 127.0.0.2:" + port + " 14", "availability_changed 127.0.0.4:" + port, "node_differs 127.0.0.4:" + port + " up", "node_differs 127.0.0.2:" + port + " certificate"}
	if got := kinds(events); !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
	if s.Up || len(s.Addresses) != 4 || s.DaysLeft != 9 && s.DaysLeft != 10 {
		t.Errorf("%+v", s)
	}
	for _, a := range s.Addresses[:3] {
		if !a.Up || a.NextProtocol != "h2" || a.Version != "TLSv1.3" || a.Certificate == nil || a.Record == "" {
			t.Errorf("%+v", a)
		}
	}
	for _, e := range events {
		if e.Kind == NodeDiffers && !strings.Contains(e.Detail, "node of 4") {
			t.Errorf("detail %q", e.Detail)
		}
	}
}
