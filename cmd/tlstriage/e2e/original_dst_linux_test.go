package e2e

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// insideNamespace says that this process has a network of its own.
const insideNamespace = "E2E_ORIGINAL_DST"

// TestConnectionsThatWereRedirected puts the program on the way of clients that know nothing of it, by the firewall, in a network of its
// own: a machine with clients, this one, and one with the service, in a row.
func TestConnectionsThatWereRedirected(t *testing.T) {
	if os.Getenv(insideNamespace) == "" {
		t.Parallel()
		need(t, "unshare", "nsenter", "setpriv", "ip", "nft", "curl")
		if os.Geteuid() != 0 {
			t.Skip("a network namespace needs root")
		}
		cmd := exec.Command("unshare", "-n", os.Args[0], "-test.run", "^TestConnectionsThatWereRedirected$", "-test.v", "-test.timeout", "5m")
		cmd.Env = append(os.Environ(), insideNamespace+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil && (strings.Contains(string(out), "Operation not permitted") || strings.Contains(string(out), "Could not process rule")) {
			t.Skipf("this machine makes no such network: %s", out)
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	n := newNetwork(t)
	pki := certstest.New(t)
	ca := pki.WriteRoot(t)
	for _, address := range []string{"10.78.2.2:443", "[fd78:2::2]:443"} {
		n.within(t, n.service, func() {
			l, err := net.Listen("tcp", address)
			if err != nil {
				t.Error(err)
				return
			}
			serveHTTP(t, tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{*pki.Make(certstest.Healthy, site).TLS()}, NextProtos: []string{"h2", "http/1.1"}}))
		})
	}

	// As a sidecar: the clients run on this machine, and the program's own connections are left out by its user.
	t.Run("sidecar", func(t *testing.T) {
		n.rules(t, `table inet tlstriage {
	chain output {
		type nat hook output priority -100;
		meta skuid != 0 tcp dport 443 redirect to :8443
	}
}`)
		p := startAt(t, ":8443", "--original-dst", "--backend-ca", ca)
		for _, c := range n.addresses() {
			if got := n.ask(t, "", c.service); got.code != 0 || got.out != greeting {
				t.Errorf("%s: exit %d: %s", c.service, got.code, got.out)
			}
			r := p.nextFor(t)
			expect(t, r, fine)
			wentTo(t, r, c.service)
		}
		// Nobody is where this client wanted to go.
		if got := n.ask(t, "", "10.78.2.9"); got.code == 0 && !strings.Contains(got.out, "502 Bad Gateway") {
			t.Errorf("somebody answered: %s", got.out)
		}
		r := p.nextFor(t)
		if r.Verdict != inspect.Failed || r.BackendLeg == nil || r.BackendLeg.Address != "10.78.2.9" {
			t.Errorf("%s", r)
		}
		// And this one was not redirected.
		if got := client(t, "", "curl", "-sS", "-k", "--connect-to", site+":443:127.0.0.1:8443", "https://"+site+"/hello"); got.code == 0 {
			t.Errorf("the program serves itself: %s", got.out)
		}
		expect(t, p.nextFor(t), want{cause: "proxy-loop", fault: inspect.FaultProxy, verdict: inspect.Failed, outcome: inspect.Failure})
	})

	t.Run("sidecar that catches itself", func(t *testing.T) {
		n.rules(t, `table inet tlstriage {
	chain output {
		type nat hook output priority -100;
		tcp dport 443 redirect to :8443
	}
}`)
		p := startAt(t, ":8443", "--original-dst", "--backend-ca", ca)
		if got := n.ask(t, "", "10.78.2.2"); got.code == 0 && !strings.Contains(got.out, "502 Bad Gateway") {
			t.Errorf("exit %d: %s", got.code, got.out)
		}
		for range 2 { // the client's connection, and the program's own
			expect(t, p.nextFor(t), want{cause: "proxy-loop", fault: inspect.FaultProxy, verdict: inspect.Failed, outcome: inspect.Failure})
		}
	})

	// The program was told of one backend and of no firewall, which sends its connections back all the same.
	t.Run("sidecar that catches itself unawares", func(t *testing.T) {
		n.rules(t, `table inet tlstriage {
	chain output {
		type nat hook output priority -100;
		tcp dport 443 redirect to :8443
	}
}`)
		for _, c := range n.addresses() {
			p := startAt(t, ":8443", "--backend", "tls://"+net.JoinHostPort(c.service, "443"), "--backend-ca", ca)
			if got := n.ask(t, "", c.service); got.code == 0 && !strings.Contains(got.out, "502 Bad Gateway") {
				t.Errorf("exit %d: %s", got.code, got.out)
			}
			for range 2 { // the client's connection and the program's own, or those of its look at the backend at the start
				expect(t, p.nextFor(t), want{cause: "proxy-loop", fault: inspect.FaultProxy, verdict: inspect.Failed, outcome: inspect.Failure})
			}
			more := 0
			p.rest(func(*record) { more++ })
			if more > 2 {
				t.Errorf("%s: %d connections", c.service, more+2)
			}
		}
	})

	// As a gateway: clients come through this machine.
	t.Run("gateway", func(t *testing.T) {
		n.rules(t, `table inet tlstriage {
	chain prerouting {
		type nat hook prerouting priority -100;
		iifname "clients" tcp dport 443 redirect to :8443
	}
}`)
		p := startAt(t, ":8443", "--original-dst=redirect", "--backend-ca", ca)
		for _, c := range n.addresses() {
			if got := n.ask(t, n.clients, c.service); got.code != 0 || got.out != greeting {
				t.Errorf("%s: exit %d: %s", c.service, got.code, got.out)
			}
			r := p.nextFor(t)
			expect(t, r, fine)
			wentTo(t, r, c.service)
			if r.Client.Address != c.client {
				t.Errorf("the client is %s, want %s", r.Client.Address, c.client)
			}
		}
	})

	t.Run("TPROXY", func(t *testing.T) {
		n.rules(t, `table inet tlstriage {
	chain prerouting {
		type filter hook prerouting priority mangle;
		iifname "clients" meta nfproto ipv4 tcp dport 443 tproxy ip to 127.0.0.1:8444 meta mark set 1 accept
		iifname "clients" meta nfproto ipv6 tcp dport 443 tproxy ip6 to [::1]:8444 meta mark set 1 accept
	}
}`)
		for _, c := range n.addresses() {
			listen := "127.0.0.1:8444"
			if strings.Contains(c.service, ":") {
				listen = "[::1]:8444"
			}
			p := startAt(t, listen, "--original-dst=tproxy", "--backend-ca", ca, "--policy", strict)
			if got := n.ask(t, n.clients, c.service); got.code != 0 || got.out != greeting {
				t.Errorf("%s: exit %d: %s", c.service, got.code, got.out)
			}
			r := p.nextFor(t)
			expect(t, r, want{verdict: inspect.OK, outcome: inspect.Success, policy: "accepted"})
			wentTo(t, r, c.service)
			if r.Client.Address != c.client {
				t.Errorf("the client is %s, want %s", r.Client.Address, c.client)
			}
			p.stop()
		}
	})

	t.Run("HTTP", func(t *testing.T) {
		n.rules(t, `table inet tlstriage {
	chain prerouting {
		type nat hook prerouting priority -100;
		iifname "clients" tcp dport 443 redirect to :8443
	}
}`)
		p := startAt(t, ":8443", "--original-dst", "--mode", "http", "--backend-ca", ca)
		for _, c := range n.addresses() {
			if got := n.ask(t, n.clients, c.service); got.code != 0 || got.out != greeting {
				t.Errorf("%s: exit %d: %s", c.service, got.code, got.out)
			}
			r := p.nextFor(t)
			expect(t, r, want{verdict: inspect.OK, outcome: inspect.Success})
			wentTo(t, r, c.service)
		}
	})

	t.Run("passed through", func(t *testing.T) {
		n.rules(t, `table inet tlstriage {
	chain prerouting {
		type nat hook prerouting priority -100;
		iifname "clients" tcp dport 443 redirect to :8443
	}
}`)
		p := startAt(t, ":8443", "--original-dst", "--mode", "passthrough")
		if got := n.ask(t, n.clients, "10.78.2.2", "--cacert", n.copied(t, ca)); got.code != 0 || got.out != greeting {
			t.Errorf("exit %d: %s", got.code, got.out)
		}
		r := p.nextFor(t)
		expect(t, r, want{verdict: inspect.OK, outcome: inspect.Success})
		wentTo(t, r, "10.78.2.2")
	})
}

// wentTo wants both what the client connected to and where the backend leg went to be the service.
func wentTo(t *testing.T, r *record, service string) {
	t.Helper()
	if r.Server.Address != service || r.Server.Port != 443 || r.BackendLeg == nil || r.BackendLeg.Address != service || r.BackendLeg.Port != 443 {
		t.Errorf("the server is %s:%d, the backend %+v; want %s:443\n%s", r.Server.Address, r.Server.Port, r.BackendLeg, service, r)
	}
}

// startAt is startProxy on a certain address.
func startAt(t *testing.T, listen string, args ...string) *proxy {
	t.Helper()
	return startProxy(t, append(args, "--listen", listen)...)
}

// network is three machines in a row: clients, this one, and the service. The first and the last are known by a process in each.
type network struct {
	clients, service string
	ca               string // the authority's certificate, for whoever may not read it where it lies
}

func newNetwork(t *testing.T) *network {
	t.Helper()
	n := &network{clients: neighbour(t), service: neighbour(t)}
	n.ca = n.copied(t, authorityCA)
	must(t, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
	must(t, "ip", "link", "set", "lo", "up")
	for i, m := range []struct{ pid, link string }{{n.clients, "clients"}, {n.service, "service"}} {
		ip := func(args ...string) { must(t, "nsenter", append([]string{"-t", m.pid, "-n", "ip"}, args...)...) }
		must(t, "ip", "link", "add", m.link, "type", "veth", "peer", "name", "uplink", "netns", m.pid)
		must(t, "ip", "addr", "add", fmt.Sprintf("10.78.%d.1/24", i+1), "dev", m.link)
		must(t, "ip", "addr", "add", fmt.Sprintf("fd78:%d::1/64", i+1), "dev", m.link, "nodad")
		must(t, "ip", "link", "set", m.link, "up")
		ip("link", "set", "lo", "up")
		ip("addr", "add", fmt.Sprintf("10.78.%d.2/24", i+1), "dev", "uplink")
		ip("addr", "add", fmt.Sprintf("fd78:%d::2/64", i+1), "dev", "uplink", "nodad")
		ip("link", "set", "uplink", "up")
		ip("route", "add", "default", "via", fmt.Sprintf("10.78.%d.1", i+1))
		ip("route", "add", "default", "via", fmt.Sprintf("fd78:%d::1", i+1))
	}
	// For TPROXY: what is marked is delivered here, whatever its address.
	for _, family := range []string{"-4", "-6"} {
		must(t, "ip", family, "rule", "add", "fwmark", "1", "lookup", "100")
		must(t, "ip", family, "route", "add", "local", "default", "dev", "lo", "table", "100")
	}
	return n
}

type path struct{ client, service string }

func (n *network) addresses() []path {
	return []path{{"10.78.1.2", "10.78.2.2"}, {"fd78:1::2", "fd78:2::2"}}
}

// copied is a file where everybody can read it.
func (n *network) copied(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "tlstriage-ca-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// neighbour is another machine: a process with a network of its own, by its id.
func neighbour(t *testing.T) string {
	t.Helper()
	cmd := exec.Command("unshare", "-n", "sh", "-c", "echo ready; exec cat")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); cmd.Wait() })
	if _, err := out.Read(make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(cmd.Process.Pid)
}

// within calls f in the network of a neighbour.
func (n *network) within(t *testing.T, pid string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with this goroutine
		ns, err := os.Open("/proc/" + pid + "/ns/net")
		if err != nil {
			t.Error(err)
			return
		}
		defer ns.Close()
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		f()
	}()
	<-done
}

// rules are those of the firewall until the end of the test.
func (n *network) rules(t *testing.T, text string) {
	t.Helper()
	cmd := exec.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("nft: %v\n%s", err, out)
	}
	t.Cleanup(func() { must(t, "nft", "delete", "table", "inet", "tlstriage") })
}

// ask asks the service as a user that is not root, from this machine or from that of the clients.
func (n *network) ask(t *testing.T, from, service string, more ...string) ran {
	t.Helper()
	if strings.Contains(service, ":") {
		service = "[" + service + "]"
	}
	args := []string{"setpriv", "--reuid", "65531", "--regid", "65531", "--clear-groups", "curl", "-sS", "-m", "60", "--cacert", n.ca, "--connect-to", site + ":443:" + service + ":443", "https://" + site + "/hello"}
	args = append(args, more...)
	if from != "" {
		args = append([]string{"nsenter", "-t", from, "-n"}, args...)
	}
	return client(t, "", args[0], args[1:]...)
}

func must(t *testing.T, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
}
