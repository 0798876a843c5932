package inspect_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// truthMessage is a handshake message or alert as the collection has it.
type truthMessage struct {
	Repo         string  `json:"repo"`
	File         string  `json:"file"`
	Stream       string  `json:"stream"`
	Source       string  `json:"src"`
	Kind         string  `json:"kind"`
	Proto        string  `json:"proto"`
	SNI          *string `json:"sni"`
	JA3          string  `json:"ja3"`
	JA3Spec      string  `json:"spec_ja3"`
	JA4          string  `json:"ja4"`
	JA4Spec      string  `json:"spec_ja4"`
	Version      string  `json:"version"`
	Cipher       string  `json:"cipher"`
	Encrypted    bool    `json:"encrypted"`
	Level        int     `json:"level"`
	Description  int     `json:"description"`
	Certificates []struct {
		SHA256 string `json:"sha256"`
	} `json:"certs"`
}

// truthConnection is a connection as the collection has it.
type truthConnection struct {
	Repo       string   `json:"repo"`
	File       string   `json:"file"`
	Stream     string   `json:"stream"`
	FirstFrame int      `json:"first_frame"`
	A          string   `json:"a"`
	Client     string   `json:"client"`
	Sequence   [][3]any `json:"sequence"` // side, frame, kind
	messages   []truthMessage
	failed     bool // the handshake did not finish in view
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

// truths are the TCP connections that carry TLS, by capture file.
func truths(tb testing.TB) map[string][]*truthConnection {
	tb.Helper()
	byStream := map[string]*truthConnection{}
	eachLine(tb, "conns.jsonl", func(c *truthConnection) {
		if strings.HasPrefix(c.Stream, "tcp:") {
			byStream[c.Repo+"/"+c.File+" "+c.Stream] = c
		}
	})
	eachLine(tb, "failures.jsonl", func(f *struct{ Repo, File, Stream string }) {
		if c := byStream[f.Repo+"/"+f.File+" "+f.Stream]; c != nil {
			c.failed = true
		}
	})
	eachLine(tb, "messages.jsonl.gz", func(m *truthMessage) {
		if c := byStream[m.Repo+"/"+m.File+" "+m.Stream]; c != nil && m.Proto == "tls" {
			c.messages = append(c.messages, *m)
		}
	})
	byFile := map[string][]*truthConnection{}
	for _, c := range byStream {
		if len(c.messages) > 0 {
			byFile[c.Repo+"/"+c.File] = append(byFile[c.Repo+"/"+c.File], c)
		}
	}
	for _, list := range byFile {
		slices.SortFunc(list, func(x, y *truthConnection) int { return x.FirstFrame - y.FirstFrame })
	}
	return byFile
}

// aIsClient reports whether the side that sent the first packet is the TLS client.
func (c *truthConnection) aIsClient() bool {
	for _, m := range c.messages {
		switch m.Kind {
		case "client_hello", "sslv2_client_hello", "client_key_exchange":
			return m.Source == c.A
		case "server_hello", "sslv2_server_hello", "server_hello_done", "server_key_exchange", "new_session_ticket":
			return m.Source != c.A
		}
	}
	return c.Client == "" || c.Client == c.A
}

// bothHellos reports whether the beginning of the handshake is in view on both sides. Where it is not, and in SSLv2, nobody
// can tell whether the handshake was done.
func (c *truthConnection) bothHellos() bool {
	has := func(kind string) bool {
		return slices.ContainsFunc(c.messages, func(m truthMessage) bool { return m.Kind == kind })
	}
	return has("server_hello") && (has("client_hello") || has("sslv2_client_hello"))
}

// facts are what a record must say of the connection, as lines that name themselves.
func (c *truthConnection) facts() []string {
	facts := map[string]string{"hello_retry_request": "false", "history": c.history()}
	if c.bothHellos() {
		facts["established"] = strconv.FormatBool(!c.failed)
	}
	once := func(key, value string) {
		if _, ok := facts[key]; !ok {
			facts[key] = value
		}
	}
	for _, m := range c.messages {
		from := "server"
		if (m.Source == c.A) == c.aIsClient() {
			from = "client"
		}
		switch {
		case m.Kind == "client_hello" && from == "client":
			name := ""
			if m.SNI != nil {
				name = *m.SNI
			}
			prefix := "hello "
			if _, ok := facts["hello sni"]; ok && facts["hello_retry_request"] == "true" {
				prefix = "retry "
			}
			once(prefix+"sni", name)
			once(prefix+"ja3", first(m.JA3Spec, m.JA3))
			once(prefix+"ja4", first(m.JA4Spec, m.JA4))
		case m.Kind == "sslv2_client_hello":
			once("hello sslv2", "true")
		case m.Kind == "hello_retry_request":
			facts["hello_retry_request"] = "true"
		case m.Kind == "server_hello" && from == "server":
			once("version", m.Version)
			once("cipher", m.Cipher)
		case m.Kind == "certificate" || m.Kind == "sslv2_server_hello":
			if m.Kind == "sslv2_server_hello" {
				once("version", m.Version)
			}
			var hashes []string
			for _, x := range m.Certificates {
				hashes = append(hashes, x.SHA256)
			}
			if from == "client" {
				hashes = hashes[:min(1, len(hashes))]
			}
			once(from+" certificates", strings.Join(hashes, " "))
		case m.Kind == "alert" && !m.Encrypted:
			facts["alerts"] += fmt.Sprintf("%s %d %d;", from, m.Level, m.Description)
		}
	}
	return factLines(facts)
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func factLines(facts map[string]string) []string {
	var lines []string
	for key, value := range facts {
		if value != "" {
			lines = append(lines, key+": "+value)
		}
	}
	slices.Sort(lines)
	return lines
}

// history is the sequence in the record's letters.
func (c *truthConnection) history() string {
	letters := map[string]string{
		"client_hello": "C", "sslv2_client_hello": "C", "server_hello": "S", "server_hello(dup)": "S", "sslv2_server_hello": "S", "hello_retry_request": "J",
		"encrypted_handshake": "F", "certificate": "X", "server_hello_done": "N", "server_key_exchange": "K", "client_key_exchange": "G",
		"new_session_ticket": "T", "certificate_request": "R", "certificate_verify": "Y", "certificate_status": "U",
	}
	var h strings.Builder
	for _, step := range c.Sequence {
		kind := fmt.Sprint(step[2])
		letter := letters[kind]
		if strings.HasPrefix(kind, "alert") {
			letter = "L"
		}
		if (step[0] == "a") != c.aIsClient() {
			letter = strings.ToLower(letter)
		}
		h.WriteString(letter)
	}
	return comparableHistory(h.String())
}

// comparableHistory drops what the truth does not have (application data, ChangeCipherSpec, heartbeats) and repetitions.
func comparableHistory(history string) string {
	var b []byte
	for _, letter := range []byte(history) {
		if !bytes.ContainsRune([]byte("IiDdBb"), rune(letter)) && (len(b) == 0 || b[len(b)-1] != letter) {
			b = append(b, letter)
		}
	}
	return string(b)
}

// observedFacts are the same lines of a record.
func observedFacts(t *inspect.TLS) []string {
	facts := map[string]string{
		"established": strconv.FormatBool(t.Established), "hello_retry_request": strconv.FormatBool(t.HelloRetryRequest),
		"history": comparableHistory(t.Handshake.History),
	}
	if v, ok := wire.VersionByName(t.Version); ok {
		facts["version"] = fmt.Sprintf("%04x", uint16(v))
	}
	if c, ok := wire.CipherSuiteByName(t.Cipher); ok {
		facts["cipher"] = fmt.Sprintf("%04x", uint16(c))
	}
	if h := t.Client; h != nil && h.Message.Complete {
		if h.Message.SSLv2 {
			facts["hello sslv2"] = "true"
		} else {
			facts["hello sni"], facts["hello ja3"], facts["hello ja4"] = h.ServerName, h.JA3, h.JA4
		}
		if h.Retry != nil {
			facts["retry sni"], facts["retry ja3"], facts["retry ja4"] = h.Retry.ServerName, h.Retry.JA3, h.Retry.JA4
		}
		if h.Certificate != nil {
			facts["client certificates"] = h.Certificate.Hash.SHA256
		}
	}
	if t.Server != nil {
		var hashes []string
		for _, x := range t.Server.CertificateChain {
			hashes = append(hashes, x.Hash.SHA256)
		}
		facts["server certificates"] = strings.Join(hashes, " ")
	}
	for _, a := range t.Alerts {
		level := map[string]int{"warning": 1, "fatal": 2}[a.Level]
		facts["alerts"] += fmt.Sprintf("%s %d %d;", a.From, level, a.Code)
	}
	return factLines(facts)
}

// observe feeds a conversation to an observer, from where TLS begins in each direction.
func observe(c *conversation, aIsClient bool) *inspect.Observer {
	o := inspect.NewObserver(nil)
	var plain [2][]byte // before TLS: STARTTLS, CONNECT, SOCKS
	var begun [2]bool
	for _, p := range c.portions {
		side, i := inspect.FromServer, 0
		if p.fromA == aIsClient {
			side, i = inspect.FromClient, 1
		}
		data := p.data
		if !begun[i] {
			plain[i] = append(plain[i], data...)
			at := recordAt(plain[i])
			if at < 0 {
				continue
			}
			begun[i], data = true, plain[i][at:]
		}
		o.Feed(side, data, p.at)
	}
	return o
}

// recordAt is where the first TLS record or SSLv2-format message begins; -1 when there is none yet.
func recordAt(b []byte) int {
	if p, _ := wire.Sniff(b); p == wire.ProtocolSSLv2 {
		return 0
	}
	for at := 0; at+5 <= len(b); at++ {
		if r := b[at:]; r[0] >= 20 && r[0] <= 23 && r[1] == 3 && r[2] <= 4 && int(r[3])<<8|int(r[4]) <= 1<<14+2048 {
			return at
		}
	}
	return -1
}

// knownRecords are captures, or single streams of theirs, whose records differ from the truth, with the reason.
var knownRecords = map[string]string{
	"CESNET+FlowTest/pcap/tls_malformed_cert.pcap":                              "malformed on purpose: a certificate that does not parse, which the truth leaves out, and segments sent again under other numbers",
	"arkime+arkime/tests/pcap/arkime_synthetic.pcap tcp:97":                     "a supported_versions without content, in whose place the truth reads the next extension's type",
	"cisco+mercury/unit_tests/pcaps/capture2.pcap":                              "the server's packets are there twice, with two series of sequence numbers, as before and behind a firewall; and connections of Skype, which only imitates records",
	"cisco+mercury/unit_tests/pcaps/openvpn_tcp_multi.pcap":                     "TLS inside OpenVPN, whose headers lie in the middle of the messages",
	"cisco+mercury/unit_tests/pcaps/quic_reordered_frames.pcap":                 "the truth takes the two directions of a connection, whose packets are out of order, for two connections",
	"ntop+nDPI/tests/cfgs/default/pcap/443-opvn.pcap":                           "TLS inside OpenVPN, whose headers lie in the middle of the messages",
	"ntop+nDPI/tests/cfgs/default/pcap/netflix.pcap":                            "lost segments: the truth reads on behind them",
	"ntop+nDPI/tests/cfgs/default/pcap/tls_2_reasms.pcapng":                     "a lost segment in the client's direction, after early data: its Finished is not in view",
	"ntop+nDPI/tests/cfgs/default/pcap/tls_cipher_lens.pcap":                    "a hello with a length of cipher suites that is wrong on purpose",
	"ntop+nDPI/tests/cfgs/default/pcap/webex.pcap":                              "lost segments: the truth reads on behind them",
	"seladb+PcapPlusPlus/Tests/Packet++Test/PacketExamples/ssl-malformed1.pcap": "a hello that is malformed on purpose",
}

func TestRecordsOfRealCaptures(t *testing.T) {
	byFile := truths(t)
	connections, facts := 0, 0
	differ := map[string]bool{}
	for _, path := range slices.Sorted(maps.Keys(byFile)) {
		t.Run(path, func(t *testing.T) {
			byFrame := map[int]*conversation{}
			for _, c := range conversations(t, shared(t, "captures", "files", filepath.FromSlash(path))) {
				byFrame[c.firstFrame] = c
			}
			for _, want := range byFile[path] {
				c := byFrame[want.FirstFrame]
				if c == nil {
					if _, known := knownRecords[path]; known {
						differ[path] = true
						continue
					}
					t.Errorf("%s: no connection begins with frame %d", want.Stream, want.FirstFrame)
					continue
				}
				observed := observe(c, want.aIsClient()).TLS()
				got := observedFacts(observed)
				var faults []string
				for _, line := range want.facts() {
					if slices.Contains(got, line) {
						facts++
						continue
					}
					faults = append(faults, "- "+line)
				}
				for _, line := range got {
					if !slices.Contains(want.facts(), line) && (want.bothHellos() || !strings.HasPrefix(line, "established")) {
						faults = append(faults, "+ "+line)
					}
				}
				connections++
				why, known := knownRecords[path+" "+want.Stream]
				if !known {
					why, known = knownRecords[path]
				}
				if len(faults) > 0 {
					differ[path], differ[path+" "+want.Stream] = true, true
				}
				if len(faults) > 0 && !known {
					t.Errorf("%s, %s\n%s", want.Stream, observed.Handshake.History, strings.Join(faults, "\n"))
				} else if len(faults) > 0 {
					t.Logf("%s: %s\n%s", want.Stream, why, strings.Join(faults, "\n"))
				}
			}
		})
	}
	for key, why := range knownRecords {
		if !differ[key] {
			t.Errorf("%s does not differ any more: %s", key, why)
		}
	}
	t.Logf("%d connections, %d facts as the truth has them", connections, facts)
	if connections < 850 || facts < 6700 {
		t.Errorf("only %d connections and %d facts", connections, facts)
	}
}
