package wire_test

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// serverTruth is what is known of a message that is no ClientHello.
type serverTruth struct {
	Repo         string   `json:"repo"`
	File         string   `json:"file"`
	Stream       string   `json:"stream"`
	Kind         string   `json:"kind"`
	Proto        string   `json:"proto"`
	Random       string   `json:"random"`
	Version      string   `json:"version"`
	Cipher       string   `json:"cipher"`
	Extensions   []string `json:"extensions"`
	KeyShares    []string `json:"key_shares"`
	ALPN         []string `json:"alpn_hex"`
	Curve        string   `json:"curve"`
	Scheme       string   `json:"sig_alg"`
	Schemes      []string `json:"sig_algs"`
	Encrypted    bool     `json:"encrypted"`
	Level        int      `json:"level"`
	Description  int      `json:"description"`
	Certificates []struct {
		SHA256 string `json:"sha256"`
	} `json:"certs"`
}

// line is the fact as a line that can be counted; empty: nothing that we could see, too.
func (x serverTruth) line() string {
	switch x.Kind {
	case "server_hello", "hello_retry_request":
		return fmt.Sprintf("%s %s %s %s %v %v", x.Kind, x.Random, x.Version, x.Cipher, x.Extensions, x.KeyShares)
	case "certificate":
		var hashes []string
		for _, c := range x.Certificates {
			hashes = append(hashes, c.SHA256)
		}
		return fmt.Sprintf("certificate %v", hashes)
	case "server_key_exchange":
		return "server_key_exchange " + x.Curve
	case "certificate_request":
		return fmt.Sprintf("certificate_request %v", x.Schemes)
	case "certificate_status", "new_session_ticket", "server_hello_done", "client_key_exchange":
		return x.Kind
	case "alert":
		if !x.Encrypted {
			return fmt.Sprintf("alert %d %d", x.Level, x.Description)
		}
	}
	return ""
}

// knownServer are captures in which we see other server messages than the truth, with the reason.
var knownServer = map[string]string{
	"CESNET+FlowTest/pcap/tls_malformed_cert.pcap":          "malformed on purpose: certificates that do not parse, which the truth leaves out, and lost segments",
	"arkime+arkime/tests/pcap/arkime_synthetic.pcap":        "made by hand: a ServerHello with every extension type, none of them with content",
	"cisco+mercury/unit_tests/pcaps/openvpn_tcp_multi.pcap": "TLS inside OpenVPN, whose headers lie in the middle of the messages",
	"cisco+mercury/unit_tests/pcaps/capture2.pcap":          "the server's packets are there twice, with two series of sequence numbers, as before and behind a firewall",
	"ntop+nDPI/tests/cfgs/default/pcap/443-opvn.pcap":       "TLS inside OpenVPN, whose headers lie in the middle of the messages",
}

func TestServerMessagesOfRealCaptures(t *testing.T) {
	f, err := os.Open(shared(t, "captures", "messages.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]map[string]int{}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var x serverTruth
		if err := json.Unmarshal(lines.Bytes(), &x); err != nil {
			t.Fatal(err)
		}
		path := x.Repo + "/" + x.File
		if line := x.line(); line != "" && x.Proto == "tls" && strings.HasPrefix(x.Stream, "tcp:") {
			if want[path] == nil {
				want[path] = map[string]int{}
			}
			want[path][line]++
		}
	}
	if lines.Err() != nil {
		t.Fatal(lines.Err())
	}
	seen := 0
	for _, path := range slices.Sorted(maps.Keys(want)) {
		t.Run(path, func(t *testing.T) {
			got := map[string]int{}
			for _, stream := range tcpStreams(t, shared(t, "captures", "files", filepath.FromSlash(path))) {
				serverLines(stream, got)
			}
			var faults []string
			for line, n := range want[path] {
				seen += min(n, got[line])
				if got[line] < n {
					faults = append(faults, fmt.Sprintf("%d of %d: %s", got[line], n, line))
				}
			}
			for line, n := range got {
				if n > want[path][line] {
					faults = append(faults, fmt.Sprintf("%d, known are %d: %s", n, want[path][line], line))
				}
			}
			if why, known := knownServer[path]; known != (len(faults) > 0) {
				slices.Sort(faults)
				t.Errorf("%q\n%s", why, strings.Join(faults, "\n"))
			}
		})
	}
	t.Logf("%d messages seen as the truth has them", seen)
	if seen < 2400 {
		t.Errorf("only %d messages seen", seen)
	}
}

// serverLines reads one direction of a connection and counts the facts.
func serverLines(stream []byte, lines map[string]int) {
	for at := 0; at+5 < len(stream); {
		b := stream[at:]
		if !(b[0] >= 20 && b[0] <= 23 && b[1] == 3 && b[2] <= 4 && int(b[3])<<8|int(b[4]) <= 1<<14+2048) {
			at++
			continue
		}
		r := wire.Reader{}
		r.Feed(b)
		var m wire.Message
		var hello wire.ServerHello
		for r.Next(&m) {
			if line := serverLine(&m, &hello); line != "" {
				lines[line]++
			}
		}
		at += max(1, int(r.Offset()))
	}
}

func serverLine(m *wire.Message, hello *wire.ServerHello) string {
	switch {
	case m.ContentType == wire.ContentTypeAlert && !m.Encrypted:
		return fmt.Sprintf("alert %d %d", m.Level, m.Description)
	case m.ContentType != wire.ContentTypeHandshake || m.Encrypted:
		return ""
	}
	switch m.HandshakeType {
	case wire.HandshakeTypeServerHello:
		if err := wire.ParseServerHello(slices.Clone(m.Bytes), hello); err != nil {
			return err.Error()
		}
		kind := "server_hello"
		if hello.HelloRetryRequest {
			kind = "hello_retry_request"
		}
		extensions, shares := []string{}, []string{}
		for e := range hello.Extensions.All() {
			extensions = append(extensions, fmt.Sprintf("%04x", uint16(e)))
		}
		if hello.Group != 0 {
			shares = append(shares, fmt.Sprintf("%04x", uint16(hello.Group)))
		}
		return fmt.Sprintf("%s %x %04x %04x %v %v", kind, hello.Random, uint16(hello.Version), uint16(hello.CipherSuite), extensions, shares)
	case wire.HandshakeTypeCertificate:
		var c wire.Certificate
		if err := wire.ParseCertificate(m.Bytes, hello.Version, &c); err != nil {
			return err.Error()
		}
		var hashes []string
		for entry := range c.All() {
			sum := sha256.Sum256(entry.DER)
			hashes = append(hashes, hex.EncodeToString(sum[:]))
		}
		return fmt.Sprintf("certificate %v", hashes)
	case wire.HandshakeTypeServerKeyExchange:
		var k wire.ServerKeyExchange
		if err := wire.ParseServerKeyExchange(m.Bytes, hello.Version, hello.CipherSuite, &k); err != nil {
			return err.Error()
		}
		if k.Group == 0 {
			return "server_key_exchange "
		}
		return fmt.Sprintf("server_key_exchange %04x", uint16(k.Group))
	case wire.HandshakeTypeCertificateRequest:
		var c wire.CertificateRequest
		if err := wire.ParseCertificateRequest(m.Bytes, hello.Version, &c); err != nil {
			return err.Error()
		}
		return fmt.Sprintf("certificate_request %v", codes(c.SignatureSchemes))
	case wire.HandshakeTypeCertificateStatus:
		if response, err := wire.ParseCertificateStatus(m.Bytes); err != nil || len(response) == 0 {
			return fmt.Sprint(err)
		}
		return "certificate_status"
	case wire.HandshakeTypeNewSessionTicket:
		var n wire.NewSessionTicket
		if err := wire.ParseNewSessionTicket(m.Bytes, hello.Version, &n); err != nil {
			return err.Error()
		}
		return "new_session_ticket"
	case wire.HandshakeTypeServerHelloDone, wire.HandshakeTypeClientKeyExchange:
		return m.HandshakeType.String()
	}
	return ""
}
