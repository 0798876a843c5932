//go:build unix

package proxy

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// stalls are the phases in which a client may stop. Each is given a fresh connection and returns when it has come to its phase.
func stalls(t testing.TB, r *rig) map[string]func(*net.TCPConn) {
	hello := helloOf(t, r.clientConfig())
	handshake := func(c *net.TCPConn) *tls.Conn {
		s := tls.Client(c, r.clientConfig())
		if err := s.Handshake(); err != nil {
			t.Error(err)
		}
		return s
	}
	return map[string]func(*net.TCPConn){
		"before the hello":    func(*net.TCPConn) {},
		"in the hello":        func(c *net.TCPConn) { c.Write(hello[:len(hello)/2]) },
		"in the handshake":    func(c *net.TCPConn) { c.Write(hello); io.ReadFull(c, make([]byte, 5)) },
		"after the handshake": func(c *net.TCPConn) { handshake(c) },
		"reading":             func(c *net.TCPConn) { c.SetReadBuffer(4096); io.WriteString(handshake(c), "much, please") },
	}
}

// muchBackend answers "much, please" with more than anybody's buffers hold, and anything else with itself.
func muchBackend(t testing.TB, pki *certstest.PKI) *Backend {
	return tlsBackend(t, pki, func(c *tls.Conn) {
		first := make([]byte, 12)
		n, err := io.ReadAtLeast(c, first, 1)
		if err != nil {
			return
		}
		if string(first[:n]) == "much, please" {
			c.Write(make([]byte, 32<<20))
			return
		}
		c.Write(first[:n])
		io.Copy(c, c)
	})
}

// Clients that stop, hundreds in each phase, are in nobody's way: a good one is served as ever, and when they are gone, so is all
// that was held for them.
func TestStalledClientsAreInNobodysWay(t *testing.T) {
	many := 40 // in each phase
	if testing.Short() || raceEnabled {
		many = 10
	}
	pki := certstest.New(t)
	limits := shortLimits()
	limits.Timeouts.ClientHello, limits.Timeouts.ClientHandshake, limits.Timeouts.Idle = patience, patience, patience
	l := &Listener{Routes: []*Route{{Backend: muchBackend(t, pki), GetCertificate: serves(pki.Make(certstest.Healthy, testName))}}}
	r := newRig(t, pki, limits, l)
	good := r.tls()
	exchange(t, good, "warm up") // what is made once is there
	goroutines, descriptors := runtime.NumGoroutine(), openDescriptors(t)
	var open []*net.TCPConn
	for _, stall := range stalls(t, r) {
		var all sync.WaitGroup
		for range many {
			c := r.tcp()
			open = append(open, c)
			all.Go(func() { stall(c) })
		}
		all.Wait()
		exchange(t, good, "still there")
		fresh := r.tls()
		exchange(t, fresh, "new")
		fresh.Close()
	}
	for _, c := range open {
		c.SetLinger(0)
		c.Close()
	}
	await(t, "connections end", func() bool { return r.server.Active() == 1 })
	await(t, "goroutines and descriptors are as before", func() bool {
		for len(r.records) > 0 {
			<-r.records
		}
		return runtime.NumGoroutine() <= goroutines+2 && openDescriptors(t) <= descriptors+2
	})
	exchange(t, good, "and still there")
}

// await waits until something holds.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("%s: not within %v; %d goroutines", what, patience, runtime.NumGoroutine())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// openDescriptors is how many this process has open; 0 where that cannot be known.
func openDescriptors(t testing.TB) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

// Each phase has its own end and its own name.
func TestStalledClientsAreEnded(t *testing.T) {
	pki := certstest.New(t)
	want := map[string]inspect.Phase{"before the hello": inspect.PhasePeek, "in the hello": inspect.PhasePeek, "in the handshake": inspect.PhaseHandshake,
		"after the handshake": inspect.PhaseTransfer, "reading": inspect.PhaseTransfer}
	route := &Route{Backend: muchBackend(t, pki), GetCertificate: serves(pki.Make(certstest.Healthy, testName))}
	for name, phase := range want {
		t.Run(name, func(t *testing.T) {
			limits := shortLimits() // the phases before this one take as long as they must
			switch phase {
			case inspect.PhasePeek:
				limits.Timeouts.ClientHello = 300 * time.Millisecond
			case inspect.PhaseHandshake:
				limits.Timeouts.ClientHandshake = 300 * time.Millisecond
			default:
				limits.Timeouts.Idle = 300 * time.Millisecond
			}
			r := newRig(t, pki, limits, &Listener{Routes: []*Route{route}})
			stalls(t, r)[name](r.tcp())
			wantError(t, r.record().ClientLeg, inspect.ErrorTimeout, phase)
			r.none()
		})
	}
}

// When descriptors run out, accepting waits rather than spins, and goes on when there are some again.
func TestDescriptorsRunOut(t *testing.T) {
	pki := certstest.New(t)
	backend := tlsBackend(t, pki, echo)
	r := bridged(t, pki, backend)
	good := r.tls()
	exchange(t, good, "warm up")
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Skip("no limit on descriptors here: ", err)
	}
	held := holdDescriptors(t, before)
	c, err := net.DialTimeout("tcp", r.address, patience) // with the one that was left
	if err != nil {
		held.release()
		t.Fatal(err)
	}
	defer c.Close()
	exchange(t, good, "one that is open already goes on")
	start, spent := time.Now(), processTime(t)
	await(t, "a while", func() bool { return time.Since(start) > 300*time.Millisecond })
	if spent = processTime(t) - spent; spent > 200*time.Millisecond {
		t.Errorf("%v of the processor's time went by in %v of waiting", spent, time.Since(start))
	}
	held.release()
	s := tls.Client(c, r.clientConfig())
	c.SetDeadline(time.Now().Add(patience))
	if err := s.Handshake(); err != nil {
		t.Fatalf("the connection that waited is not served: %v", err)
	}
	exchange(t, s, "served at last")
}

// descriptors are all that this process may open, but one.
type descriptors struct {
	held   []*os.File
	before unix.Rlimit
}

func holdDescriptors(t *testing.T, before unix.Rlimit) *descriptors {
	t.Helper()
	d := &descriptors{before: before}
	low := before
	low.Cur = min(before.Cur, uint64(openDescriptors(t)+64))
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Skip(err)
	}
	t.Cleanup(d.release)
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		d.held = append(d.held, f)
	}
	if len(d.held) == 0 {
		t.Fatal("no descriptor was free")
	}
	d.held[0].Close()
	d.held = d.held[1:]
	return d
}

func (d *descriptors) release() {
	for _, f := range d.held {
		f.Close()
	}
	d.held = nil
	unix.Setrlimit(unix.RLIMIT_NOFILE, &d.before)
}

// processTime is what this process took of the processor.
func processTime(t *testing.T) time.Duration {
	t.Helper()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(unix.TimevalToNsec(usage.Utime) + unix.TimevalToNsec(usage.Stime))
}

// A backend that stands still while it is read from, or written to, ends with the idle time, and its client with it.
func TestBackendsThatStandStill(t *testing.T) {
	pki := certstest.New(t)
	limits := shortLimits()
	limits.Timeouts.Idle = 400 * time.Millisecond
	for name, handle := range map[string]func(*tls.Conn){
		"silent":         func(c *tls.Conn) { io.Copy(io.Discard, c) },
		"never reads":    nil,
		"half an answer": func(c *tls.Conn) { io.WriteString(c, "half"); io.Copy(io.Discard, c) },
	} {
		release := make(chan struct{})
		backend := tlsBackend(t, pki, func(c *tls.Conn) {
			if name == "never reads" {
				<-release
				return
			}
			handle(c)
		})
		l := &Listener{Routes: []*Route{{Backend: backend, GetCertificate: serves(pki.Make(certstest.Healthy, testName))}}}
		r := newRig(t, pki, limits, l)
		c := r.tls()
		go c.Write(bytes.Repeat([]byte("x"), 8<<20))
		if name != "never reads" {
			io.Copy(io.Discard, c)
		}
		record := r.record()
		wantError(t, record.ClientLeg, inspect.ErrorTimeout, inspect.PhaseTransfer)
		if record.Event.End != inspect.EndedIdle {
			t.Errorf("%s: %q ended it", name, record.Event.End)
		}
		c.Close()
		close(release)
		r.none()
	}
}
