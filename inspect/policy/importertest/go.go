package importertest

import (
	"crypto/tls"
	"net"
	"sync"
	"testing"
	"time"
)

// ServeGo serves handshakes with crypto/tls until the test ends.
func ServeGo(t testing.TB, config *tls.Config) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				defer conn.Close()
				if conn.SetDeadline(time.Now().Add(patience)) == nil {
					_ = tls.Server(conn, config).Handshake() // the client sees how it ends
				}
			})
		}
	})
	t.Cleanup(func() { listener.Close(); open.Wait() })
	return listener.Addr().String()
}
