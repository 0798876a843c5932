package admin

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/porttest"
)

func contextWithLocalAddr(r *http.Request, local net.Addr) context.Context {
	return context.WithValue(r.Context(), http.LocalAddrContextKey, local)
}

func TestServeAnswersUntilTheContextEnds(t *testing.T) {
	listener, err := net.Listen("tcp", porttest.FreeAddress(t)) // which is nobody's afterwards
	if err != nil {
		t.Fatal(err)
	}
	a := New(Options{})
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- a.Serve(ctx, listener) }()
	url := "http://" + listener.Addr().String()

	response, err := http.Get(url + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	response.Body.Close()
	if response.StatusCode != 200 || string(body) != "ok\n" {
		t.Errorf("%d %q", response.StatusCode, body)
	}

	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "evil.example"
	if response, err = http.DefaultClient.Do(request); err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusForbidden {
		t.Errorf("a rebound name got %d over a real loopback connection", response.StatusCode)
	}

	cancel()
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := net.DialTimeout("tcp", listener.Addr().String(), time.Second); err == nil {
		t.Error("the address still takes connections")
	}
}

func TestServeReportsAListenerThatBreaks(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	if err := New(Options{}).Serve(t.Context(), listener); err == nil {
		t.Error("no error")
	}
}

// pipeListener accepts connections that live in memory, so that their time can be the test's.
type pipeListener struct {
	accept chan net.Conn
	done   chan struct{}
	once   sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{accept: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accept:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9090} }

func TestASilentClientIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listener := newPipeListener()
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- New(Options{}).Serve(ctx, listener) }()
		client, server := net.Pipe()
		started := time.Now()
		listener.accept <- server
		if _, err := client.Write([]byte("GET /healthz HTTP/1.1\r\nHost: lo")); err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, client)
		if waited := time.Since(started); waited < readHeaderTimeout || waited > 2*readHeaderTimeout {
			t.Errorf("closed after %v, want about %v", waited, readHeaderTimeout)
		}
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

func TestConnectionsBeyondTheBoundWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := newPipeListener()
		bounded := newBoundedListener(inner, 2)
		accepted := make(chan net.Conn, 3)
		go func() {
			for {
				c, err := bounded.Accept()
				if err != nil {
					close(accepted)
					return
				}
				accepted <- c
			}
		}()
		offer := func() {
			_, server := net.Pipe()
			select {
			case inner.accept <- server:
			case <-inner.done:
			}
		}
		go func() { offer(); offer(); offer() }()
		synctest.Wait()
		if len(accepted) != 2 {
			t.Fatalf("%d accepted, want 2 while nobody closes", len(accepted))
		}
		first := <-accepted
		first.Close()
		first.Close() // gives one slot back, not two
		synctest.Wait()
		if len(accepted) != 2 {
			t.Fatalf("%d accepted after one was closed, want 2", len(accepted))
		}
		bounded.Close()
		<-accepted
		<-accepted
		if _, open := <-accepted; open {
			t.Error("accepted after Close")
		}
	})
}

func TestObserveIsSafeForConcurrentUse(t *testing.T) {
	a := New(Options{Recent: 8})
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 200 {
				a.Observe(healthy("x"))
				a.SetReady(true, "")
				a.recent.latest(8, func(*inspect.Connection) bool { return true })
			}
		})
	}
	wait.Wait()
	if got := len(a.recent.latest(100, func(*inspect.Connection) bool { return true })); got != 8 {
		t.Errorf("%d kept, want 8", got)
	}
}

func BenchmarkObserve(b *testing.B) {
	a := New(Options{})
	c := failed("x")
	for b.Loop() {
		a.Observe(c)
	}
}
