// Package porttest gives tests ports for programs that cannot choose one themselves, and ports on which nobody is. Only tests import it.
package porttest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strconv"
	"testing"
)

// first is the lowest port that is given; below it are those of well-known services.
const first = 15000

// Free is a port, of TCP and of UDP, on which nobody listens. Until the test ends, no other test is given it, in whichever process, and the
// system gives it to no socket that wants just any: it is none of those that the system takes for these, as a port that was listened on
// with 0 and closed would be, which somebody else may have by the time that it is used.
func Free(t testing.TB) int {
	t.Helper()
	for range 1000 {
		port := first + rand.IntN(ephemeral()-first)
		release, ok := reserve(port)
		if !ok {
			continue
		}
		if !idle(port) {
			release()
			continue
		}
		t.Cleanup(release)
		return port
	}
	t.Fatal("no port is free")
	return 0
}

// FreeAddress is 127.0.0.1 with a port of Free.
func FreeAddress(t testing.TB) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(Free(t)))
}

// ephemeral is the first port that the system gives out by itself.
func ephemeral() int {
	b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	var low int
	if _, scanned := fmt.Sscan(string(b), &low); err == nil && scanned == nil && low > first+1000 {
		return low
	}
	return 32768 // Linux's own; others begin at 49152 (RFC 6335, Section 6)
}

// reserve keeps a port from the other tests, until it is released or the process ends. A name in Linux's abstract namespace is as good as a
// lock for that, and belongs to the same network namespace as the port. Elsewhere chance must do.
func reserve(port int) (release func(), ok bool) {
	if runtime.GOOS != "linux" {
		return func() {}, true
	}
	l, err := net.Listen("unix", "@tlstriage-test-port-"+strconv.Itoa(port))
	if err != nil {
		return nil, false
	}
	return func() { l.Close() }, true
}

// idle reports whether a port can be listened on, on the loopback and on every address.
func idle(port int) bool {
	for _, host := range []string{"127.0.0.1", ""} {
		address := net.JoinHostPort(host, strconv.Itoa(port))
		tcp, err := net.Listen("tcp", address)
		if err != nil {
			return false
		}
		tcp.Close()
		udp, err := net.ListenPacket("udp", address)
		if err != nil {
			return false
		}
		udp.Close()
	}
	return true
}
