//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
)

// descriptors that a process has open.
func (p *process) descriptors() int {
	p.t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	return len(entries)
}

// goroutines of a process, as it tells itself.
func (p *process) goroutines() int {
	p.t.Helper()
	n, err := strconv.Atoi(p.metric("go_goroutines"))
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

// Connections of every kind and end leave nothing open in the process: neither descriptor nor goroutine.
func TestNothingLeaks(t *testing.T) {
	s := newSite(t)
	const name = "app.example"
	backend := s.backend(certstest.Healthy, name, &tls.Config{MinVersion: tls.VersionTLS12}, echo)
	closed := freePort(t)
	p := startProxy(t, nil, s.flags(backend, name, "--timeout-client-hello", "300ms", "--timeout-handshake", "300ms", "--timeout-idle", "500ms", "--timeout-linger", "100ms", "--fail-on", "never")...)
	refusing := startProxy(t, nil, s.flags(closed, name, "--fail-on", "never")...)
	address := p.address("default")

	hello := recordOfHello(t)
	var good atomic.Int64 // not all of them, perhaps none, where the machine is slow: the deadlines are short
	// Each leaves its connection as it likes; none may wait for more than the proxy's own deadlines.
	kinds := map[string]func(net.Conn){
		"good": func(c net.Conn) {
			client := tls.Client(c, s.client(name))
			fmt.Fprintln(client, "hello")
			if n, _ := client.Read(make([]byte, 6)); n > 0 {
				good.Add(1)
			}
			client.Close()
		},
		"closed without goodbye": func(c net.Conn) {
			client := tls.Client(c, s.client(name))
			if client.Handshake() == nil {
				fmt.Fprintln(client, "hello")
			}
		},
		"reset in the middle": func(c net.Conn) {
			client := tls.Client(c, s.client(name))
			if client.Handshake() == nil {
				fmt.Fprintln(client, "hello")
			}
			c.(*net.TCPConn).SetLinger(0)
		},
		"idle":        func(c net.Conn) { tls.Client(c, s.client(name)).Handshake(); io.Copy(io.Discard, c) },
		"distrusting": func(c net.Conn) { tls.Client(c, &tls.Config{ServerName: name}).Handshake() },
		"too old": func(c net.Conn) {
			tls.Client(c, &tls.Config{ServerName: name, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}).Handshake()
		},
		"gone at once":  func(net.Conn) {},
		"reset at once": func(c net.Conn) { c.(*net.TCPConn).SetLinger(0) },
		"silent":        func(c net.Conn) { io.Copy(io.Discard, c) },
		"garbage": func(c net.Conn) {
			c.Write([]byte{0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4, 5, 6, 7, 8})
			io.Copy(io.Discard, c)
		},
		"plain HTTP":            func(c net.Conn) { io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); io.Copy(io.Discard, c) },
		"half a hello, silent":  func(c net.Conn) { c.Write(hello[:len(hello)/2]); io.Copy(io.Discard, c) },
		"half a hello, gone":    func(c net.Conn) { c.Write(hello[:len(hello)/2]) },
		"a hello, then silence": func(c net.Conn) { c.Write(hello); io.Copy(io.Discard, c) },
		"a hello, then gone":    func(c net.Conn) { c.Write(hello) },
		"a hello, then garbage": func(c net.Conn) { c.Write(hello); c.Write(make([]byte, 100)); io.Copy(io.Discard, c) },
		"half closed": func(c net.Conn) {
			c.Write(hello)
			c.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, c)
		},
	}
	all := func(address string) {
		var clients sync.WaitGroup
		for _, kind := range kinds {
			clients.Go(func() {
				c, err := net.DialTimeout("tcp", address, patience)
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				c.SetDeadline(time.Now().Add(patience))
				kind(c)
			})
		}
		clients.Wait()
	}
	at502 := func() {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if got := get(ctx, refusing.address("default"), name, s.roots); got != "HTTP/1.1 502 Bad Gateway" {
			t.Errorf("got %q", got)
		}
	}
	quiet := func(p *process) func() error {
		return func() error {
			if status, _ := p.admin("/readyz"); status != http.StatusOK {
				return fmt.Errorf("status %d", status)
			}
			if active := p.metric("tlstriage_connections_active"); active != "0" {
				return fmt.Errorf("%s connections are open", active)
			}
			return nil
		}
	}
	all(address) // what is made once and kept is no leak
	at502()
	eventually(t, "the warm-up ends", quiet(p))
	eventually(t, "the warm-up ends", quiet(refusing))
	type size struct{ descriptors, goroutines int }
	measure := func(p *process) size { return size{p.descriptors(), p.goroutines()} }
	before := measure(p)
	beforeRefusing := measure(refusing)

	rounds := 200/len(kinds) + 1
	for range rounds {
		all(address)
	}
	more := 0
	eventually(t, "a connection that is good", func() error {
		if good.Load() > 0 {
			return nil
		}
		more++
		c := dialTCP(t, address)
		defer c.Close()
		kinds["good"](c)
		return errors.New("this one was not")
	})
	for range 20 {
		at502()
	}
	same := func(p *process, before size) func() error {
		return func() error {
			if now := measure(p); now.descriptors > before.descriptors || now.goroutines > before.goroutines {
				return fmt.Errorf("%+v after %d connections, %+v before", now, rounds*len(kinds), before)
			}
			return nil
		}
	}
	eventually(t, "everything is given back", same(p, before))
	eventually(t, "everything is given back where the backend is closed", same(refusing, beforeRefusing))
	eventually(t, "every connection has a record", func() error {
		if got, want := len(p.records(1)), (rounds+1)*len(kinds)+more; got != want {
			return fmt.Errorf("%d records of %d connections", got, want)
		}
		return nil
	})
	p.terminate()
	if code := p.exitCode(); code != exitClean {
		t.Errorf("exit code %d", code)
	}
}

// recordOfHello is the first flight of crypto/tls.
func recordOfHello(t testing.TB) []byte {
	t.Helper()
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	go tls.Client(client, &tls.Config{ServerName: "app.example"}).Handshake()
	server.SetDeadline(time.Now().Add(patience))
	buffer := make([]byte, 16<<10)
	n, err := server.Read(buffer)
	if err != nil {
		t.Fatal(err)
	}
	return buffer[:n]
}
