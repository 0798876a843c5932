package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// cable joins two hosts, each in a network namespace of its own.
type cable struct {
	t         *testing.T
	near, far string
}

const (
	nearAddress = "10.78.0.1"
	farAddress  = "10.78.0.2"
)

func newCable(t *testing.T) *cable {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("no network namespace without root")
	}
	need(t, "ip", "nft", "openssl", "curl")
	w := &cable{t, fmt.Sprintf("tlstriage-near-%d", os.Getpid()), fmt.Sprintf("tlstriage-far-%d", os.Getpid())}
	must := func(args ...string) {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Skipf("%v: %v: %s", args, err, out)
		}
	}
	for _, name := range []string{w.near, w.far} {
		must("ip", "netns", "add", name)
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", name).Run() })
	}
	must("ip", "link", "add", "wire0", "netns", w.near, "type", "veth", "peer", "name", "wire0", "netns", w.far)
	for name, address := range map[string]string{w.near: nearAddress, w.far: farAddress} {
		must("ip", "-n", name, "addr", "add", address+"/24", "dev", "wire0")
		must("ip", "-n", name, "link", "set", "lo", "up")
		must("ip", "-n", name, "link", "set", "wire0", "up", "gso_max_segs", "1") // packets as a cable would have them
	}
	return w
}

// in is a program in one of the namespaces.
func (w *cable) in(ctx context.Context, name string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", name}, args...)...)
}

// rules puts a firewall in front of the far host, or takes it away.
func (w *cable) rules(rules string) {
	w.t.Helper()
	text := "flush ruleset\n"
	if rules != "" {
		text += "table ip t {\n chain arrives {\n type filter hook input priority 0;\n" + rules + "\n}\n}\n"
	}
	command := w.in(w.t.Context(), w.far, "nft", "-f", "-")
	command.Stdin = strings.NewReader(text)
	if out, err := command.CombinedOutput(); err != nil {
		w.t.Skipf("nft: %v: %s", err, out)
	}
}

// speak runs a client for as long as it takes, at most for a while, and tells whether it was content.
func (w *cable) speak(most time.Duration, args ...string) bool {
	ctx, cancel := context.WithTimeout(w.t.Context(), most)
	defer cancel()
	command := w.in(ctx, w.near, args...)
	command.Stdin = strings.NewReader("")
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGKILL) }
	return command.Run() == nil
}

// counter is how many packets the firewall has counted.
var counter = regexp.MustCompile(`counter packets (\d+)`)

// speakUntil runs a client until the firewall has counted so many packets.
func (w *cable) speakUntil(packets int, args ...string) bool {
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	counting := make(chan struct{})
	go func() {
		defer close(counting)
		again := time.NewTicker(50 * time.Millisecond)
		defer again.Stop()
		for ctx.Err() == nil {
			out, _ := w.in(ctx, w.far, "nft", "list", "ruleset").Output()
			if m := counter.FindSubmatch(out); m != nil {
				if n, _ := strconv.Atoi(string(m[1])); n >= packets {
					cancel()
				}
			}
			<-again.C
		}
	}()
	command := w.in(ctx, w.near, args...)
	command.Stdin = strings.NewReader("")
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGKILL) }
	content := command.Run() == nil
	cancel()
	<-counting
	return content
}

// watcher is `tlstriage pcap -i`.
type watcher struct {
	*exec.Cmd
	lines chan *inspect.Connection
}

func (w *cable) watch(args ...string) *watcher {
	w.t.Helper()
	p := &watcher{w.in(context.Background(), w.near, append([]string{program, "pcap", "-i", "wire0", "-o", "json", "--fail-on", "never"}, args...)...), make(chan *inspect.Connection, 256)}
	out, err := p.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = p.Process.Kill(); _ = p.Wait() })
	go func() {
		defer close(p.lines)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 4<<20)
		for lines.Scan() {
			c := &inspect.Connection{}
			if json.Unmarshal(lines.Bytes(), c) == nil {
				p.lines <- c
			}
		}
	}()
	return p
}

// sees makes connections until one that went well is a record: when the two programs are ready nobody tells.
func (p *watcher) sees(t *testing.T, connect func()) {
	t.Helper()
	deadline := time.After(patience)
	for {
		connect()
		for more := true; more; {
			select {
			case c := <-p.lines:
				if c != nil && c.Event.Outcome == inspect.Success {
					return
				}
			case <-deadline:
				t.Fatal("no connection that went well was seen")
			case <-time.After(200 * time.Millisecond):
				more = false
			}
		}
	}
}

// end stops the watching and gives the records that had not come yet.
func (p *watcher) end() (rest []*inspect.Connection) {
	_ = p.Process.Signal(syscall.SIGINT)
	for c := range p.lines {
		rest = append(rest, c)
	}
	return rest
}

// TestLiveWithRealTraffic has openssl and curl speak over a cable that is made worse in several ways.
func TestLiveWithRealTraffic(t *testing.T) {
	w := newCable(t)
	pki := certstest.New(t)
	cert, key := pki.Make(certstest.Healthy, site).WriteFiles(t)
	ca := pki.WriteRoot(t)
	address := farAddress + ":443"
	openssl := func(more ...string) []string {
		return append([]string{"openssl", "s_client", "-connect", address, "-servername", site, "-CAfile", ca, "-verify_return_error"}, more...)
	}
	curl := []string{"curl", "-sS", "-o", "/dev/null", "--cacert", ca, "--resolve", site + ":443:" + farAddress, "--max-time", "60", "https://" + site + "/"}

	for _, test := range []struct {
		name  string
		rules string
		speak func() bool
		well  bool   // the client must be content
		want  string // cause; empty: none that is a failure
		check func(*inspect.Connection) bool
	}{
		{name: "TLS 1.3", speak: func() bool { return w.speak(patience, openssl("-tls1_3")...) }, well: true},
		{name: "TLS 1.2", speak: func() bool { return w.speak(patience, openssl("-tls1_2")...) }, well: true,
			check: func(c *inspect.Connection) bool { return len(c.ClientLeg.TLS.Server.CertificateChain) > 0 }},
		{name: "curl", speak: func() bool { return w.speak(patience, curl...) }, well: true,
			check: func(c *inspect.Connection) bool { return c.ClientLeg.TLS.Client.ServerName == site }},
		{name: "every fourth packet is lost", rules: "tcp dport 443 numgen inc mod 4 0 drop", speak: func() bool { return w.speak(patience, curl...) }, well: true,
			check: func(c *inspect.Connection) bool { return c.Capture.Client.Retransmits > 0 || c.Capture.SYNs > 1 }},
		{name: "large packets vanish", rules: "tcp dport 443 ip length > 240 counter drop", speak: func() bool { return w.speakUntil(6, openssl()...) }, want: "segment-lost",
			check: func(c *inspect.Connection) bool {
				return c.Capture.Stuck != nil && c.Capture.Stuck.Times > 2 && c.Capture.Stuck.From == inspect.FromClient
			}},
		{name: "a reset for the hello", rules: "tcp dport 443 ip length > 240 reject with tcp reset", speak: func() bool { return w.speak(patience, openssl()...) }, want: "backend-reset"},
		{name: "nobody answers", rules: "tcp dport 443 counter drop", speak: func() bool { return w.speakUntil(3, openssl()...) }, want: "no-answer",
			check: func(c *inspect.Connection) bool { return c.Capture.SYNs > 1 && c.Fault == inspect.FaultNetwork }},
		{name: "refused", rules: "tcp dport 443 reject with tcp reset", speak: func() bool { return w.speak(patience, openssl()...) }, want: "backend-refused"},
		{name: "an alert of the server", speak: func() bool { return w.speak(patience, openssl("-tls1_1", "-cipher", "ALL:@SECLEVEL=0")...) }, want: "server-alert",
			check: func(c *inspect.Connection) bool { return len(c.ClientLeg.TLS.Alerts) == 1 }},
		{name: "the client trusts nobody", speak: func() bool {
			return w.speak(patience, "openssl", "s_client", "-connect", address, "-servername", site, "-verify_return_error", "-no-CAfile", "-no-CApath", "-no-CAstore", "-tls1_2")
		}, want: "server-cert-rejected-by-client"},
		{name: "the client trusts nobody, TLS 1.3", speak: func() bool {
			return w.speak(patience, "openssl", "s_client", "-connect", address, "-servername", site, "-verify_return_error", "-no-CAfile", "-no-CApath", "-no-CAstore", "-tls1_3")
		}, want: "server-cert-rejected-by-client"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w.rules("")
			// It serves one client after the other, so that each case has one of its own.
			server := w.in(context.Background(), w.far, "openssl", "s_server", "-accept", address, "-www", "-quiet", "-cert", cert, "-cert_chain", cert, "-key", key)
			if err := server.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
			watcher := w.watch("--ca", ca)
			watcher.sees(t, func() { w.speak(patience, curl...) })
			w.rules(test.rules)
			marked := time.Now()
			if content := test.speak(); content != test.well {
				t.Errorf("the client was content: %t", content)
			}
			watched := watcher.end() // before the fault is over: what a client that was stopped left behind is sent again, and would be answered
			w.rules("")
			var all []*inspect.Connection
			for _, c := range watched {
				if c.Timestamp.After(marked) && !c.Capture.Midstream { // what a client that was stopped left behind is sent again for a while
					all = append(all, c)
				}
			}
			if len(all) != 1 {
				for _, c := range all {
					t.Logf("%s, cause %q: %+v %+v", c.Verdict, c.Cause, c.ClientLeg, c.Capture)
				}
				t.Fatalf("%d records", len(all))
			}
			c := all[0]
			if test.want == "" && c.Verdict == inspect.Failed || test.want != "" && c.Cause != test.want {
				t.Errorf("%s, cause %q, want %q: %+v %+v %+v", c.Verdict, c.Cause, test.want, c.ClientLeg.Error, c.ClientLeg.TLS, c.Capture)
			}
			if test.check != nil && !test.check(c) {
				t.Errorf("%+v %+v %+v", c.ClientLeg.Error, c.Capture, c.Capture.Stuck)
			}
		})
	}
}
