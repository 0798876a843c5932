package wire_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/fingerprint"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// truth is what is known of a ClientHello in a capture.
type truth struct {
	Repo              string   `json:"repo"`
	File              string   `json:"file"`
	Frame             int      `json:"frame"`
	Stream            string   `json:"stream"`
	Kind              string   `json:"kind"`
	Proto             string   `json:"proto"`
	Random            string   `json:"random"`
	LegacyVersion     string   `json:"legacy_version"`
	RecordVersion     string   `json:"record_version"`
	SupportedVersions []string `json:"supported_versions"`
	SNI               *string  `json:"sni"`
	Ciphers           []string `json:"ciphers"`
	Extensions        []string `json:"extensions"`
	ALPN              []string `json:"alpn_hex"`
	Groups            []string `json:"groups"`
	Schemes           []string `json:"sig_algs"`
	KeyShares         []string `json:"key_shares"`
	PointFormats      []int    `json:"ec_point_formats"`
	Compression       []int    `json:"compression"`
	SessionIDLength   int      `json:"session_id_len"`
	Length            int      `json:"msg_len"` // without the four bytes of the header
	JA3               string   `json:"ja3"`
	JA3Text           string   `json:"ja3_full"`
	JA4               string   `json:"spec_ja4"`
	JA4Raw            string   `json:"spec_ja4_r"`
	V2Kinds           []string `json:"v2_cipherspecs"`
}

func (x truth) path() string { return x.Repo + "/" + x.File }

// differing are captures whose hellos are not all found or not all read as the truth says, with the reason and the number.
var differing = map[string]struct {
	missing, different int
	why                string
}{
	"ntop+nDPI/tests/cfgs/default/pcap/tls_esni_sni_both.pcap":                  {different: 2, why: "the truth lists the key share inside encrypted_server_name among those of key_share"},
	"ntop+nDPI/tests/cfgs/default/pcap/no_sni.pcap":                             {different: 4, why: "the truth lists the key share inside encrypted_server_name among those of key_share"},
	"arkime+arkime/tests/pcap/arkime_synthetic.pcap":                            {different: 1, why: "made by hand: ec_point_formats without a format, which we report"},
	"OISF+suricata-verify/tests/tls-duplicate-hello/input.pcap":                 {different: 1, why: "made by hand: supported_versions renamed to cookie, so that the cookie is malformed, which we report"},
	"cisco+mercury/test/data/top_100_fingerprints.pcap":                         {different: 4, why: "made from fingerprints: pre_shared_key without content, which we report"},
	"ntop+nDPI/tests/cfgs/default/pcap/tls_cipher_lens.pcap":                    {different: 4, why: "malformed on purpose: lengths of cipher_suites that are 0 or too large; JA3 of such hellos is not defined"},
	"seladb+PcapPlusPlus/Tests/Packet++Test/PacketExamples/ssl-malformed1.pcap": {different: 1, why: "malformed on purpose: the second extension goes beyond the block; the truth counts it all the same"},
	"cisco+mercury/unit_tests/pcaps/openvpn_tcp_multi.pcap":                     {different: 2, why: "TLS inside OpenVPN, whose headers lie in the middle of the hello"},
}

// truths reads the ClientHellos over TCP that are known to be in the captures, by file.
func truths(t *testing.T) map[string][]truth {
	t.Helper()
	f, err := os.Open(shared(t, "captures", "messages.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	byFile := map[string][]truth{}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var x truth
		if err := json.Unmarshal(lines.Bytes(), &x); err != nil {
			t.Fatal(err)
		}
		if x.Proto == "tls" && strings.HasPrefix(x.Stream, "tcp:") && (x.Kind == "client_hello" || x.Kind == "sslv2_client_hello") {
			byFile[x.path()] = append(byFile[x.path()], x)
		}
	}
	if lines.Err() != nil || len(byFile) == 0 {
		t.Fatalf("%d captures with hellos, error %v", len(byFile), lines.Err())
	}
	return byFile
}

func TestHellosOfRealCaptures(t *testing.T) {
	found, missing, different := 0, 0, 0
	for path, want := range truths(t) {
		t.Run(path, func(t *testing.T) {
			hellos := capturedHellos(t, shared(t, "captures", "files", filepath.FromSlash(path)))
			missingHere, differentHere := 0, 0
			for _, x := range want {
				faults, ok := find(hellos, x)
				if !ok {
					missingHere++
					if differing[path].missing == 0 {
						t.Errorf("frame %d, %s: hello with random %s not found", x.Frame, x.Stream, x.Random)
					}
					continue
				}
				found++
				if len(faults) > 0 {
					differentHere++
					if differing[path].different == 0 {
						t.Errorf("frame %d, %s: %s", x.Frame, x.Stream, strings.Join(faults, "; "))
					}
				}
			}
			if d := differing[path]; d.missing != missingHere || d.different != differentHere {
				t.Errorf("%d hellos missing and %d different, known are %d and %d (%s)", missingHere, differentHere, d.missing, d.different, d.why)
			}
			missing += missingHere
			different += differentHere
		})
	}
	t.Logf("%d hellos found as the truth has them, %d of them with differences, %d not found", found, different, missing)
	if found < 800 {
		t.Errorf("only %d hellos found", found)
	}
}

// find looks for the hello that the truth speaks of and gives what differs. Of several with one random, in connections that
// were made by copying another one, the closest counts.
func find(hellos []captured, x truth) (faults []string, ok bool) {
	for i := range hellos {
		h := &hellos[i]
		if h.SSLv2 != (x.Kind == "sslv2_client_hello") {
			continue
		}
		if h.SSLv2 && (fmt.Sprintf("%04x", uint16(h.LegacyVersion)) != x.LegacyVersion || fmt.Sprintf("%x", h.SSLv2CipherKinds) != strings.Join(x.V2Kinds, "")) {
			continue
		}
		if !h.SSLv2 && (hex.EncodeToString(h.Random) != x.Random || len(h.Raw)-4 != x.Length) {
			continue
		}
		if f := compare(h, x); !ok || len(f) < len(faults) {
			faults, ok = f, true
		}
	}
	return faults, ok
}

// compare lists the fields that differ.
func compare(h *captured, x truth) []string {
	var faults []string
	check := func(field string, got, want any) {
		if fmt.Sprint(got) != fmt.Sprint(want) {
			faults = append(faults, fmt.Sprintf("%s %v, want %v", field, got, want))
		}
	}
	check("legacy version", fmt.Sprintf("%04x", uint16(h.LegacyVersion)), x.LegacyVersion)
	check("session id length", len(h.SessionID), x.SessionIDLength)
	if x.Kind == "sslv2_client_hello" {
		return faults
	}
	if h.err != nil {
		faults = append(faults, h.err.Error())
	}
	check("record version", fmt.Sprintf("%04x", uint16(h.record)), x.RecordVersion)
	sni := ""
	if x.SNI != nil {
		sni = *x.SNI
	}
	check("server name", string(h.ServerName), sni)
	check("suites", codes(h.CipherSuites), x.Ciphers)
	extensions := []string{}
	for e := range h.Extensions.All() {
		extensions = append(extensions, fmt.Sprintf("%04x", uint16(e)))
	}
	check("extensions", extensions, x.Extensions)
	check("versions", codes(h.SupportedVersions), x.SupportedVersions)
	check("groups", codes(h.SupportedGroups), x.Groups)
	check("schemes", codes(h.SignatureSchemes), x.Schemes)
	alpn := []string{}
	for name := range h.ALPN.All() {
		alpn = append(alpn, hex.EncodeToString(name))
	}
	check("ALPN", alpn, x.ALPN)
	shares := []string{}
	for g := range h.KeyShares.All() {
		shares = append(shares, fmt.Sprintf("%04x", uint16(g)))
	}
	check("key shares", shares, x.KeyShares)
	check("point formats", h.PointFormats, x.PointFormats)
	check("compression", h.CompressionMethods, x.Compression)
	ja3, text := fingerprint.JA3(&h.ClientHello)
	check("JA3", ja3, x.JA3)
	check("JA3 text", text, x.JA3Text)
	ja4, raw := fingerprint.JA4(&h.ClientHello, fingerprint.TCP)
	check("JA4", ja4, x.JA4)
	check("JA4 raw", raw, x.JA4Raw)
	return faults
}

func codes[T ~uint16](list wire.List[T]) []string {
	s := []string{}
	for v := range list.All() {
		s = append(s, fmt.Sprintf("%04x", uint16(v)))
	}
	return s
}

// captured is a hello in a capture.
type captured struct {
	wire.ClientHello
	record wire.Version
	err    error
}

// capturedHellos finds the hellos in a capture's TCP streams, also behind something else such as STARTTLS.
func capturedHellos(t *testing.T, path string) []captured {
	t.Helper()
	var hellos []captured
	for _, stream := range tcpStreams(t, path) {
		for at := 0; at+5 < len(stream); at++ {
			b := stream[at:]
			if at > 0 && !(b[0] == 22 && b[1] == 3 && b[2] <= 4 && b[5] == 1) {
				continue
			}
			r := wire.Reader{FromClient: true}
			r.Feed(b)
			var m wire.Message
			for r.Next(&m) {
				if m.HandshakeType != wire.HandshakeTypeClientHello || m.Bytes == nil {
					continue
				}
				h := captured{record: m.RecordVersion}
				if m.SSLv2 {
					h.err = wire.ParseSSLv2ClientHello(bytes.Clone(m.Bytes), &h.ClientHello)
				} else {
					h.err = wire.ParseClientHello(bytes.Clone(m.Bytes), &h.ClientHello)
				}
				hellos = append(hellos, h)
			}
		}
	}
	return hellos
}
