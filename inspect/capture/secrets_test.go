package capture_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
)

// cutOut writes those connections of a capture that are wanted, with what opens them.
func cutOut(t *testing.T, file []byte, keys []byte, wanted func(*inspect.Connection) bool) []byte {
	t.Helper()
	var cut bytes.Buffer
	w := capture.NewWriter(&cut)
	_, _ = recordsOf(t, file, capture.Options{
		KeyLog: keys,
		OnSecrets: func(c *inspect.Connection, lines []byte) {
			if wanted(c) {
				if err := w.AddSecrets(lines); err != nil {
					t.Error(err)
				}
			}
		},
		OnPackets: func(c *inspect.Connection, packets []capture.Packet) {
			if wanted(c) {
				if err := w.Add(packets, ""); err != nil {
					t.Error(err)
				}
			}
		},
	})
	return cut.Bytes()
}

// TestSecretsOfWhatIsCutOut cuts one of two connections out: what opens its handshake goes with it, and nothing else.
func TestSecretsOfWhatIsCutOut(t *testing.T) {
	serving := &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			var log bytes.Buffer
			w := newBuilder()
			for i := range 2 {
				talk := spoken(t, &tls.Config{ServerName: "live.example.com", InsecureSkipVerify: true, MinVersion: version, MaxVersion: version, KeyLogWriter: &log}, serving, func(c, s *tls.Conn) {
					_, _ = c.Write([]byte("a request with a password"))
					_, _ = s.Read(make([]byte, 100))
					_ = c.CloseWrite()
					_, _ = io.Copy(io.Discard, s)
				})
				c, s := client(i+1), server()
				w.whole(c, s, talk)
			}
			var randoms []string
			records, _ := recordsOf(t, w.b, capture.Options{})
			for _, r := range records {
				randoms = append(randoms, fmt.Sprintf("%x", r.ClientLeg.TLS.Client.Message.Raw[6:38]))
			}
			if len(randoms) != 2 || randoms[0] == randoms[1] {
				t.Fatalf("randoms %v", randoms)
			}
			second := func(c *inspect.Connection) bool { return c.Client.Address == "10.0.0.2" }
			cut := cutOut(t, w.b, log.Bytes(), second)
			if !bytes.Contains(cut, []byte(randoms[1])) || bytes.Contains(cut, []byte(randoms[0])) {
				t.Error("not the secrets of what is cut out")
			}
			if bytes.Contains(cut, []byte("TRAFFIC_SECRET_0")) || bytes.Contains(cut, []byte("EXPORTER")) {
				t.Error("what opens application data is in it")
			}
			records, stats := recordsOf(t, cut, capture.Options{})
			if want := map[uint16]int{tls.VersionTLS12: 1, tls.VersionTLS13: 2}[version]; len(records) != 1 || stats.Secrets != want {
				t.Fatalf("%d records, %d secrets", len(records), stats.Secrets)
			}
			r := records[0]
			if !r.ClientLeg.TLS.Established || len(r.ClientLeg.TLS.Server.CertificateChain) != 1 || !r.Capture.Decrypted {
				t.Errorf("%+v, %+v", r.ClientLeg.TLS, r.Capture)
			}
			if shut := cutOut(t, w.b, nil, second); bytes.Contains(shut, []byte(randoms[1])) {
				t.Error("secrets that nobody gave")
			}
			opensElsewhere(t, cut)
		})
	}
}

// opensElsewhere has another program open a handshake: of what is encrypted nobody knows that it is a Finished.
func opensElsewhere(t *testing.T, file []byte) {
	t.Helper()
	if _, err := exec.LookPath("tshark"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Log("tshark is not installed")
		return
	}
	name := filepath.Join(t.TempDir(), "cut.pcapng")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "tshark", "-r", name, "-T", "fields", "-e", "tls.handshake.type").Output()
	if err != nil {
		t.Fatal(err)
	}
	finished := 0
	for kind := range strings.FieldsFuncSeq(string(out), func(r rune) bool { return r < '0' || r > '9' }) {
		if kind == "20" {
			finished++
		}
	}
	if finished != 2 {
		t.Errorf("%d times Finished in %q", finished, out)
	}
}

// TestSecretsOfTheCaptureAreCutOut cuts QUIC out of a capture that brings its own secrets.
func TestSecretsOfTheCaptureAreCutOut(t *testing.T) {
	file, err := os.ReadFile(shared(t, "captures", "files", "ntop+nDPI", "tests", "cfgs", "default", "pcap", "quic-33.pcapng"))
	if err != nil {
		t.Fatal(err)
	}
	whole, _ := recordsOf(t, file, capture.Options{})
	cut, _ := recordsOf(t, cutOut(t, file, nil, func(*inspect.Connection) bool { return true }), capture.Options{})
	if len(whole) != len(cut) || len(whole) == 0 {
		t.Fatalf("%d of %d records", len(cut), len(whole))
	}
	opened := 0
	for i, r := range cut {
		if r.Capture.Decrypted != whole[i].Capture.Decrypted {
			t.Errorf("%d: opened: %v", i, r.Capture.Decrypted)
		}
		if r.Capture.Decrypted {
			opened++
		}
	}
	if opened == 0 {
		t.Error("nothing was opened")
	}
}
