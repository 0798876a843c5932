package capture_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// shared gives the path of a file that is kept beside the module, and skips the test where it is not.
func shared(tb testing.TB, elem ...string) string {
	tb.Helper()
	path := filepath.Join(append([]string{"..", "..", "..", "shared"}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		tb.Skipf("the shared facts are not here: %v", err)
	}
	return path
}

// truthMessage is a handshake message or alert as the collection has it.
type truthMessage struct {
	Repo         string   `json:"repo"`
	File         string   `json:"file"`
	Frame        uint64   `json:"frame"`
	Stream       string   `json:"stream"`
	Source       string   `json:"src"`
	Destination  string   `json:"dst"`
	Kind         string   `json:"kind"`
	Proto        string   `json:"proto"`
	SNI          *string  `json:"sni"`
	Ciphers      []string `json:"ciphers"`
	Extensions   []string `json:"extensions"`
	Groups       []string `json:"groups"`
	Versions     []string `json:"supported_versions"`
	ALPN         []string `json:"alpn_hex"`
	Legacy       string   `json:"legacy_version"`
	JA3          string   `json:"ja3"`
	JA3Spec      string   `json:"spec_ja3"`
	JA4          string   `json:"ja4"`
	JA4Spec      string   `json:"spec_ja4"`
	Version      string   `json:"version"`
	Cipher       string   `json:"cipher"`
	Encrypted    bool     `json:"encrypted"`
	Level        int      `json:"level"`
	Description  int      `json:"description"`
	Certificates []struct {
		SHA256 string `json:"sha256"`
	} `json:"certs"`
}

// eachLine decodes the lines of a file of the collection.
func eachLine[T any](tb testing.TB, name string, do func(*T)) {
	tb.Helper()
	b, err := os.ReadFile(shared(tb, "captures", name))
	if err != nil {
		tb.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	if strings.HasSuffix(name, ".gz") {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			tb.Fatal(err)
		}
		lines = bufio.NewScanner(z)
	}
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		x := new(T)
		if err := json.Unmarshal(lines.Bytes(), x); err != nil {
			tb.Fatal(err)
		}
		do(x)
	}
	if lines.Err() != nil {
		tb.Fatal(lines.Err())
	}
}

// readCapture reads a file of the collection.
func readCapture(tb testing.TB, path string, o capture.Options) ([]*inspect.Connection, capture.Stats) {
	tb.Helper()
	f, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	var records []*inspect.Connection
	o.OnConnection = func(c *inspect.Connection) { records = append(records, c) }
	stats, err := capture.Read(tb.Context(), f, filepath.Base(path), o)
	if err != nil {
		tb.Logf("%v", err)
	}
	return records, stats
}

func ends(c *inspect.Connection) (client, server string) {
	text := func(e inspect.Endpoint) string {
		return netip.AddrPortFrom(netip.MustParseAddr(e.Address), uint16(e.Port)).String()
	}
	return text(c.Client), text(c.Server)
}

// found are the facts that a record has, as lines.
func found(c *inspect.Connection) map[string]bool {
	lines := map[string]bool{}
	if c.ClientLeg == nil || c.ClientLeg.TLS == nil {
		return lines
	}
	t := c.ClientLeg.TLS
	client, server := ends(c)
	hello := func(h *inspect.Hello) {
		if h == nil || h.Message == nil || !h.Message.Complete {
			return
		}
		parsed, err := h.ClientHello()
		if err != nil && parsed == nil {
			parsed = &wire.ClientHello{}
			_ = wire.ParseClientHello(h.Message.Raw, parsed)
		}
		prefix := client + " hello "
		if h.Message.SSLv2 {
			lines[prefix+"sslv2"] = true
		}
		lines[prefix+"sni "+h.ServerName] = true
		lines[prefix+"ja3 "+h.JA3] = true
		lines[prefix+"ja4 "+h.JA4] = true
		lines[prefix+"legacy "+hex(parsed.LegacyVersion)] = true
		lines[prefix+"ciphers "+list(parsed.CipherSuites)] = true
		lines[prefix+"groups "+list(parsed.SupportedGroups)] = true
		lines[prefix+"versions "+list(parsed.SupportedVersions)] = true
		var extensions, protocols []string
		for x := range parsed.Extensions.All() {
			extensions = append(extensions, hex(x))
		}
		for x := range parsed.ALPN.All() {
			protocols = append(protocols, fmt.Sprintf("%x", x))
		}
		lines[prefix+"extensions "+strings.Join(extensions, " ")] = true
		lines[prefix+"alpn "+strings.Join(protocols, " ")] = true
	}
	hello(t.Client)
	if t.Client != nil {
		hello(t.Client.Retry)
		if t.Client.Certificate != nil {
			lines[client+" certificate "+t.Client.Certificate.Hash.SHA256] = true
		}
	}
	if v, ok := wire.VersionByName(t.Version); ok {
		lines[server+" version "+hex(v)] = true
	}
	if v, ok := wire.CipherSuiteByName(t.Cipher); ok {
		lines[server+" cipher "+hex(v)] = true
	}
	if t.HelloRetryRequest {
		lines[server+" hello_retry_request"] = true
	}
	if t.Server != nil {
		var hashes []string
		for _, x := range t.Server.CertificateChain {
			hashes = append(hashes, x.Hash.SHA256)
		}
		lines[server+" certificate "+strings.Join(hashes, " ")] = true
	}
	for _, a := range t.Alerts {
		from := client
		if a.From == inspect.FromServer {
			from = server
		}
		lines[fmt.Sprintf("%s alert %d %d", from, map[string]int{"warning": 1, "fatal": 2}[a.Level], a.Code)] = true
	}
	return lines
}

func hex[T ~uint16](v T) string { return fmt.Sprintf("%04x", uint16(v)) }

func list[T ~uint16](l wire.List[T]) string {
	var s []string
	for v := range l.All() {
		s = append(s, hex(v))
	}
	return strings.Join(s, " ")
}

// wanted are the facts that a message of the truth has.
func (m *truthMessage) wanted() []string {
	first := func(a, b string) string {
		if a != "" {
			return a
		}
		return b
	}
	switch m.Kind {
	case "client_hello":
		name := ""
		if m.SNI != nil {
			name = *m.SNI
		}
		prefix := m.Source + " hello "
		return []string{
			prefix + "sni " + name, prefix + "ja3 " + first(m.JA3Spec, m.JA3), prefix + "ja4 " + first(m.JA4Spec, m.JA4),
			prefix + "legacy " + m.Legacy, prefix + "ciphers " + strings.Join(m.Ciphers, " "), prefix + "groups " + strings.Join(m.Groups, " "),
			prefix + "versions " + strings.Join(m.Versions, " "), prefix + "extensions " + strings.Join(m.Extensions, " "), prefix + "alpn " + strings.Join(m.ALPN, " "),
		}
	case "sslv2_client_hello":
		return []string{m.Source + " hello sslv2"}
	case "hello_retry_request":
		return []string{m.Source + " hello_retry_request"}
	case "server_hello":
		return []string{m.Source + " version " + m.Version, m.Source + " cipher " + m.Cipher}
	case "certificate":
		var hashes []string
		for _, x := range m.Certificates {
			hashes = append(hashes, x.SHA256)
		}
		if len(hashes) == 0 {
			return nil
		}
		return []string{m.Source + " certificate " + strings.Join(hashes, " ")}
	case "alert":
		if !m.Encrypted {
			return []string{fmt.Sprintf("%s alert %d %d", m.Source, m.Level, m.Description)}
		}
	}
	return nil
}

// knownDifferences are captures whose records differ from the truth, with the reason.
var knownDifferences = map[string]string{
	"CESNET+FlowTest/pcap/tls_malformed_cert.pcap":                              "malformed on purpose: a certificate that does not parse, which the truth leaves out, and segments sent again under other numbers",
	"arkime+arkime/tests/pcap/arkime_synthetic.pcap":                            "a supported_versions without content, in whose place the truth reads the next extension's type",
	"ntop+nDPI/tests/cfgs/default/pcap/tls_cipher_lens.pcap":                    "a hello with a length of cipher suites that is wrong on purpose",
	"seladb+PcapPlusPlus/Tests/Packet++Test/PacketExamples/ssl-malformed1.pcap": "a hello that is malformed on purpose",
}

func TestPublicSet(t *testing.T) {
	byFile := map[string][]truthMessage{}
	eachLine(t, "messages.jsonl.gz", func(m *truthMessage) {
		byFile[m.Repo+"/"+m.File] = append(byFile[m.Repo+"/"+m.File], *m)
	})
	facts := map[string]int{}
	missing := map[string]int{}
	for _, path := range slices.Sorted(maps.Keys(byFile)) {
		t.Run(path, func(t *testing.T) {
			records, _ := readCapture(t, shared(t, "captures", "files", filepath.FromSlash(path)), capture.Options{})
			have := map[string]bool{}
			for _, r := range records {
				maps.Copy(have, found(r))
			}
			faults, clients := map[string]bool{}, map[string]bool{}
			for _, m := range byFile[path] {
				if strings.HasSuffix(m.Kind, "client_hello") {
					clients[m.Source] = true
				}
			}
			for _, m := range byFile[path] {
				for _, line := range m.wanted() {
					kind := m.Proto + " " + m.Kind
					if m.Kind == "certificate" && clients[m.Source] { // of a client's chain the record has the leaf
						line = m.Source + " certificate " + m.Certificates[0].SHA256
					}
					if have[line] {
						facts[kind]++
						continue
					}
					missing[kind]++
					faults[fmt.Sprintf("%s frame %d: %s: %s", m.Stream, m.Frame, m.Proto, line)] = true
				}
			}
			why, known := knownDifferences[path]
			switch lines := slices.Sorted(maps.Keys(faults)); {
			case len(lines) == 0 && known:
				t.Errorf("it does not differ any more: %s", why)
			case len(lines) > 0 && known:
				t.Logf("%s\n%s", why, strings.Join(lines, "\n"))
			case len(lines) > 0:
				t.Errorf("missing:\n%s", strings.Join(lines, "\n"))
			}
		})
	}
	t.Logf("found %v, missing %v", facts, missing)
}
