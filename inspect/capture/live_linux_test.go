package capture_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
)

// namespace is a network of its own, in which nothing but the test speaks.
type namespace struct{ fd int }

// newNamespace makes a network namespace with a loopback interface, and skips the test where that is not allowed.
func newNamespace(t *testing.T) *namespace {
	t.Helper()
	type made struct {
		fd  int
		err error
	}
	result := make(chan made)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			result <- made{err: err}
			return
		}
		fd, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = loopbackUp()
		}
		result <- made{fd, err}
	}()
	m := <-result
	if m.err != nil {
		if errors.Is(m.err, unix.EPERM) || errors.Is(m.err, unix.EACCES) {
			t.Skipf("no network namespace without root: %v", m.err)
		}
		t.Fatal(m.err)
	}
	t.Cleanup(func() { unix.Close(m.fd) })
	return &namespace{m.fd}
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
}

// do runs f on a thread in the namespace, and returns when it is done.
func (n *namespace) do(f func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread()
		if err := unix.Setns(n.fd, unix.CLONE_NEWNET); err != nil {
			result <- err
			return
		}
		result <- f()
	}()
	return <-result
}

func TestLiveSeesHandshakesOnLoopback(t *testing.T) {
	for _, iface := range []string{"lo", "any"} {
		t.Run(iface, func(t *testing.T) { testLive(t, iface) })
	}
}

func testLive(t *testing.T, iface string) {
	ns := newNamespace(t)
	var listener net.Listener
	if err := ns.do(func() (err error) {
		listener, err = net.Listen("tcp", "127.0.0.1:0")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	config := &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				s := tls.Server(c, config)
				if s.Handshake() == nil {
					_, _ = io.Copy(s, s)
				}
			}()
		}
	}()
	records := make(chan *inspect.Connection, 64)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- ns.do(func() error {
			stats, err := capture.Live(ctx, iface, capture.Options{OnConnection: func(c *inspect.Connection) { records <- c }})
			if err == nil && stats.Packets == 0 {
				err = errors.New("no packet was read")
			}
			return err
		})
	}()
	deadline := time.After(20 * time.Second)
	for attempt := 0; ; attempt++ {
		// Whether Live is already listening nobody tells: connections are made until one is seen.
		if err := ns.do(func() error { return speak(listener.Addr().String()) }); err != nil {
			t.Fatal(err)
		}
		select {
		case c := <-records:
			if c.Capture.Midstream {
				continue // it was under way already when Live began
			}
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if c.ClientLeg.TLS.Client.ServerName != "live.example.com" || !c.ClientLeg.TLS.Established || c.Event.Outcome != inspect.Success {
				t.Errorf("%+v", c.ClientLeg.TLS)
			}
			if r, all := c.Capture.Client.Retransmits+c.Capture.Server.Retransmits, c.Capture.Client.Packets+c.Capture.Server.Packets; r > int(all)/4 {
				t.Errorf("%d retransmissions on loopback: packets were counted twice", r)
			}
			return
		case err := <-ended:
			if errors.Is(err, unix.EPERM) {
				t.Skipf("no packet socket: %v", err)
			}
			t.Fatalf("it ended: %v", err)
		case <-deadline:
			t.Fatalf("no record of %d connections", attempt)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func speak(address string) error {
	raw, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer raw.Close()
	c := tls.Client(raw, &tls.Config{ServerName: "live.example.com", InsecureSkipVerify: true})
	if _, err := fmt.Fprint(c, "hello"); err != nil {
		return err
	}
	if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
		return err
	}
	return c.Close()
}

func TestLiveNamesAnInterfaceThatIsNotThere(t *testing.T) {
	_, err := capture.Live(t.Context(), "nothere0", capture.Options{})
	if err == nil || !strings.Contains(err.Error(), "nothere0") {
		t.Errorf("%v", err)
	}
	if os.Getuid() == 0 && err == nil {
		t.Error("no error")
	}
}
