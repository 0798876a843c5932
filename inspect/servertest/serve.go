package servertest

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a connection may take in all.
const patience = 20 * time.Second

// Serve gives every connection with its number to a handler, and closes it when that returns. When the test ends, all of them are closed,
// and the handlers are waited for.
func Serve(t testing.TB, handle func(n int, conn net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &open{}
	s.running.Go(func() {
		for n := 0; ; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.running.Go(func() {
				defer s.end(conn)
				if s.begin(conn) {
					_ = conn.SetDeadline(time.Now().Add(patience))
					handle(n, conn)
				}
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.endAll()
		s.running.Wait()
	})
	return l.Addr().String()
}

// open are the connections of a server.
type open struct {
	running sync.WaitGroup
	mu      sync.Mutex
	conns   map[net.Conn]bool
	over    bool
}

func (o *open) begin(conn net.Conn) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.conns == nil {
		o.conns = make(map[net.Conn]bool)
	}
	o.conns[conn] = true
	return !o.over
}

func (o *open) end(conn net.Conn) {
	conn.Close()
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.conns, conn)
}

func (o *open) endAll() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.over = true
	for conn := range o.conns {
		conn.Close()
	}
}

// Echo is a server of the standard library on one connection, that answers with one line of HTTP.
func Echo(conn net.Conn, config *tls.Config) {
	c := tls.Server(conn, config)
	if c.Handshake() != nil {
		return
	}
	if line, err := bufio.NewReader(c).ReadString('\n'); err == nil {
		fmt.Fprintf(c, "HTTP/1.0 200 OK\r\n\r\nyou said %q", strings.TrimSpace(line))
	}
	_ = c.Close()
}
