package scan

import (
	"crypto/tls"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// insideNamespace says that this process has a network of its own, in which long packets to port 9443 are lost.
const insideNamespace = "TLSTRIAGE_TEST_PATH_MTU"

// TestALostSegmentIsNamed scans behind a path on which packets of more than 1300 bytes vanish without an ICMP message, as behind a
// tunnel whose path MTU discovery is filtered.
func TestALostSegmentIsNamed(t *testing.T) {
	t.Parallel()
	if os.Getenv(insideNamespace) != "" {
		lostSegments(t)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("a network namespace needs root")
	}
	for _, program := range []string{"unshare", "ip", "nft"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	const setup = `ip link set lo up && nft add table ip lost && nft 'add chain ip lost out { type filter hook output priority 0; }' &&
nft add rule ip lost out tcp dport 9443 meta length gt 1300 drop && exec "$0" -test.run '^TestALostSegmentIsNamed$' -test.v`
	cmd := exec.Command("unshare", "-n", "sh", "-c", setup, os.Args[0])
	cmd.Env = append(os.Environ(), insideNamespace+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil && (strings.Contains(string(out), "Operation not permitted") || strings.Contains(string(out), "Could not process rule")) {
		t.Skipf("this machine makes no such network: %s", out)
	}
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func lostSegments(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:9443")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	config := &tls.Config{Certificates: []tls.Certificate{certificate(t)}}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_ = tls.Server(c, config).Handshake()
			}()
		}
	}()
	r := scanned(t, l.Addr().String())
	const packet, headers = 1300, 20 + 32 + 5 // IPv4, TCP with timestamps, the record's
	if r.HelloLimit == nil || r.HelloLimit.Answered != packet-headers {
		t.Fatalf("limit %+v, want %d; layers %+v; versions %v", r.HelloLimit, packet-headers, r.Layers, r.Versions)
	}
	for _, f := range r.Findings() {
		if f.ID == FindingLargeHello {
			if f.Severity != "error" || !strings.Contains(f.Detail, "path MTU") || f.Fixes[0].Target != "network" {
				t.Errorf("finding %+v", f)
			}
			return
		}
	}
	t.Errorf("no finding %s", FindingLargeHello)
}
