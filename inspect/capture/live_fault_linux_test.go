package capture_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
)

// TestLiveLargeHelloThatNeverArrives joins two namespaces by a link that takes small packets only and says so to nobody: the
// three packets of the handshake of TCP pass, a hello with a post-quantum key share does not.
func TestLiveLargeHelloThatNeverArrives(t *testing.T) {
	ip, err := exec.LookPath("ip")
	if err != nil {
		t.Skipf("no program to make links with: %v", err)
	}
	if os.Getuid() != 0 {
		t.Skip("no network namespace without root")
	}
	near, far := newNamespace(t), newNamespace(t)
	run := func(ns *namespace, args ...string) {
		t.Helper()
		if err := ns.do(func() error {
			out, err := exec.Command(ip, args...).CombinedOutput()
			if err != nil {
				return fmt.Errorf("ip %v: %w: %s", args, err, out)
			}
			return nil
		}); err != nil {
			t.Skipf("no link: %v", err)
		}
	}
	run(near, "link", "add", "near0", "type", "veth", "peer", "name", "far0", "netns", fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), far.fd))
	run(near, "addr", "add", "10.77.0.1/24", "dev", "near0")
	run(near, "link", "set", "near0", "up", "gso_max_segs", "1") // packets as the wire would see them
	run(far, "addr", "add", "10.77.0.2/24", "dev", "far0")
	run(far, "link", "set", "far0", "up", "mtu", "1000")
	run(far, "route", "change", "10.77.0.0/24", "dev", "far0", "src", "10.77.0.2", "advmss", "1460")
	var listener net.Listener
	if err := far.do(func() (err error) {
		listener, err = net.Listen("tcp", "10.77.0.2:443")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			defer c.Close()
		}
	}()
	records := make(chan *inspect.Connection, 16)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- near.do(func() error {
			_, err := capture.Live(ctx, "near0", capture.Options{OnConnection: func(c *inspect.Connection) { records <- c }})
			return err
		})
	}()
	deadline := time.After(2 * time.Minute)
	hold := 3 * time.Second // long enough for some retransmissions, unless the machine stands still meanwhile
	for {
		err := near.do(func() error {
			raw, err := net.DialTimeout("tcp", "10.77.0.2:443", 5*time.Second)
			if err != nil {
				return err
			}
			defer raw.Close()
			if err := raw.SetDeadline(time.Now().Add(hold)); err != nil {
				return err
			}
			if tls.Client(raw, &tls.Config{ServerName: "large.example.com", CurvePreferences: []tls.CurveID{tls.X25519MLKEM768}}).Handshake() == nil {
				return errors.New("the hello arrived")
			}
			// A reset in place of the FIN, which would wait behind the hello for ever.
			return raw.(*net.TCPConn).SetLinger(0)
		})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case c := <-records:
			if c.Capture.Midstream || c.Capture.SYNs == 0 {
				continue
			}
			k := c.Capture.Stuck
			if k == nil {
				t.Logf("not stuck: %+v %+v", c.ClientLeg.Error, c.Capture) // the first connection may come while the link does
				continue
			}
			if k.Times < 3 {
				t.Logf("sent %d times in %v", k.Times, hold)
				hold *= 2
				continue
			}
			if c.ClientLeg.Error == nil || c.ClientLeg.Error.Type != inspect.ErrorStuck || k.From != inspect.FromClient || k.Size < 1000 {
				t.Errorf("%+v %+v", c.ClientLeg.Error, k)
			}
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			return
		case err := <-ended:
			if errors.Is(err, unix.EPERM) {
				t.Skipf("no packet socket: %v", err)
			}
			t.Fatalf("it ended: %v", err)
		case <-deadline:
			t.Fatal("no record")
		case <-time.After(2 * time.Second):
		}
	}
}
