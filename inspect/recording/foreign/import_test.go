package foreign

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/clients"
	"github.com/tlstriage/tlstriage/inspect/recording"
)

// simulations is a file in the form of testssl.sh's client simulations, with hellos of this project's own captures.
func simulations(t *testing.T, names ...string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("# This file contains client handshake data\n\n")
	for _, name := range names {
		s, err := clients.One(name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "     names+=(\"%-20s\")\n     short+=(\"x\")\n     ch_ciphers+=(\"AES128-SHA\")\n     ch_sni+=(\"$SNI\")\n     warning+=(\"\")\n     handshakebytes+=(\"%x\")\n     minDhBits+=(-1)\n     requiresSha2+=(false)\n\n", name, s.Record)
	}
	return b.String()
}

func imported(t *testing.T, kind Kind, text string) (records []*recording.Record, problems []error) {
	t.Helper()
	for r, err := range Import(kind, strings.NewReader(text), "file") {
		if err != nil {
			problems = append(problems, err)
			continue
		}
		records = append(records, r)
	}
	return records, problems
}

func TestSimulationsOfTestSSL(t *testing.T) {
	names := []string{"java6", "nginx-proxy_pass", "go-default"}
	records, problems := imported(t, TestSSL, simulations(t, names...)+"#     names+=(\"Old\")\n#     handshakebytes+=(\"16\")\n     names+=(\"Nobody 1\")\n     handshakebytes+=(\"\")\n     names+=(\"Broken 2\")\n     handshakebytes+=(\"16030100050100\")\n")
	if len(records) != len(names) {
		t.Fatalf("%d records, %v", len(records), problems)
	}
	for i, r := range records {
		s, err := clients.One(names[i])
		if err != nil {
			t.Fatal(err)
		}
		h, err := s.Hello()
		if err != nil {
			t.Fatal(err)
		}
		hello := r.ClientLeg.TLS.Client
		if !bytes.Equal(hello.Message.Raw, h.Raw) || r.Origin.Name != names[i] || r.Origin.Note != "" || hello.RecordVersion != "" != (s.RecordVersion() != 0) {
			t.Errorf("%s: %+v, record version %q", names[i], r.Origin, hello.RecordVersion)
		}
	}
	if len(problems) != 2 || !strings.Contains(problems[0].Error(), `"Nobody 1": handshakebytes is missing`) || !strings.Contains(problems[1].Error(), `"Broken 2": no whole ClientHello`) {
		t.Errorf("problems: %q", problems)
	}
	if _, problems := imported(t, TestSSL, "nothing\n"); len(problems) != 1 || !strings.Contains(problems[0].Error(), "no client is in it") {
		t.Errorf("an empty file: %q", problems)
	}
}

func TestUserAgentsOfSSLLabs(t *testing.T) {
	s, err := clients.One("openssl-1.0.1e")
	if err != nil {
		t.Fatal(err)
	}
	with := map[string]any{"name": "OpenSSL", "version": "1.0.1l", "hexHandshakeBytes": hex.EncodeToString(s.Record), "handshakeFormat": "v3"}
	lists := map[string]any{
		"name": "Browser", "version": "7", "platform": "OS 10", "lowestProtocol": 769, "highestProtocol": 772, "suiteIds": []int{4865, 49199, 47, 65664}, "ellipticCurves": []int{29, 23},
		"signatureAlgorithms": []int{1027, 2052}, "alpnProtocols": []string{"h2", "http/1.1"}, "npnProtocols": []string{}, "supportsSni": true, "supportsTickets": true, "supportsStapling": true, "supportsRi": true,
	}
	old := map[string]any{"name": "Old", "version": "1", "lowestProtocol": 512, "highestProtocol": 768, "suiteIds": []int{5, 4, 10}}
	text, err := json.Marshal([]any{with, lists, old, map[string]any{"name": "Empty", "version": "0"}, map[string]any{"suiteIds": "no list"}})
	if err != nil {
		t.Fatal(err)
	}
	records, problems := imported(t, SSLLabs, string(text))
	if len(records) != 3 || len(problems) != 2 {
		t.Fatalf("%d records, %q", len(records), problems)
	}
	h, err := s.Hello()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(records[0].ClientLeg.TLS.Client.Message.Raw, h.Raw) {
		t.Error("the bytes of a hello are not taken as they are")
	}
	built := records[1].ClientLeg.TLS.Client
	for what, got := range map[string]bool{
		"versions": slices.Equal(built.SupportedVersions, []string{"TLSv1.3", "TLSv1.2", "TLSv1.1", "TLSv1.0"}),
		"suites":   slices.Equal(built.SupportedCiphers, []string{"TLS_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_RSA_WITH_AES_128_CBC_SHA"}),
		"groups":   slices.Equal(built.SupportedGroups, []string{"x25519", "secp256r1"}) || slices.Equal(built.SupportedGroups, []string{"X25519", "secp256r1"}),
		"share":    len(built.KeyShareGroups) == 1,
		"alpn":     slices.Equal(built.ALPNProtocols, []string{"h2", "http/1.1"}),
		"sni":      built.ServerName == "client.example",
		"note":     strings.Contains(records[1].Origin.Note, "order of extensions"),
		"name":     records[1].Origin.Name == "Browser 7 / OS 10",
		"sslv3":    records[2].ClientLeg.TLS.Client.LegacyVersion == "SSLv3" && len(records[2].ClientLeg.TLS.Client.Extensions) == 0,
	} {
		if !got {
			t.Errorf("%s: %+v, %+v", what, built, records[1].Origin)
		}
	}
	if _, problems := imported(t, SSLLabs, "<html>"); len(problems) != 1 {
		t.Errorf("no JSON: %q", problems)
	}
}

// signature is of a browser that does not exist.
const signature = `# written for this test
browser:
  name: examplefox
  os: plan9
  version: 1.2
signature:
  options:
    tls_permute_extensions: true
  http2:
    frames:
    - frame_type: HEADERS
      headers:
      - 'user-agent: Mozilla/5.0 (X)
        Example/1.2'
      pseudo_headers:
      - :method
      - :path
  tls_client_hello:
    ciphersuites:
    - GREASE
    - 4865
    - 49199
    comp_methods:
    - 0
    extensions:
    - length: 0
      type: GREASE
    - type: server_name
    - length: 6
      supported_groups:
      - GREASE
      - 29
      type: supported_groups
    - ec_point_formats:
      - 0
      length: 2
      type: ec_point_formats
    - alpn_list:
      - h2
      length: 5
      type: application_layer_protocol_negotiation
    - key_shares:
      - group: GREASE
        length: 1
      - group: 29
        length: 32
      length: 43
      type: keyshare
    - length: 5
      supported_versions:
      - TLS_VERSION_1_3
      - TLS_VERSION_1_2
      type: supported_versions
    - length: 4
      sig_hash_algs:
      - 1027
      type: signature_algorithms
    - algorithms:
      - 2
      length: 3
      type: compress_certificate
    - length: 0
      type: encrypted_client_hello
    - data: !!binary |
        AA==
      length: 1
      type: GREASE
    - type: padding
    handshake_version: TLS_VERSION_1_2
    record_version: TLS_VERSION_1_0
    session_id_length: 32
third_party:
  user_agent: Mozilla/5.0 (Example, of two
    lines)
`

func TestSignaturesOfCurlImpersonate(t *testing.T) {
	records, problems := imported(t, CurlImpersonate, signature+"---\n"+strings.Replace(signature, "1.2\nsignature", "1.3\nsignature", 1))
	if len(problems) > 0 || len(records) != 2 {
		t.Fatalf("%d records, %q", len(records), problems)
	}
	h := records[0].ClientLeg.TLS.Client
	if records[0].Origin.Name != "examplefox 1.2 / plan9" || records[1].Origin.Name != "examplefox 1.3 / plan9" {
		t.Errorf("origin %+v", records[0].Origin)
	}
	for what, got := range map[string]bool{
		"suites":     slices.Equal(h.SupportedCiphers, []string{"TLS_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}),
		"grease":     h.Message.GREASE,
		"versions":   slices.Equal(h.SupportedVersions, []string{"TLSv1.3", "TLSv1.2"}),
		"record":     h.RecordVersion == "TLSv1.0",
		"alpn":       slices.Equal(h.ALPNProtocols, []string{"h2"}),
		"shares":     len(h.KeyShareGroups) == 1,
		"extensions": len(h.Extensions) == 10 && h.Extensions[0] == "server_name" && h.Extensions[9] == "padding",
		"ech":        h.ECH == "grease_or_outer",
	} {
		if !got {
			t.Errorf("%s: %+v", what, h)
		}
	}
}

func TestWhatSignaturesAreNotIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"no signature":      "browser:\n  name: x\n",
		"unknown extension": strings.Replace(signature, "type: server_name", "type: nonsense", 1),
		"version":           strings.Replace(signature, "record_version: TLS_VERSION_1_0", "record_version: 7", 1),
		"suite":             strings.Replace(signature, "    - 4865", "    - 99999", 1),
		"length":            strings.Replace(signature, "session_id_length: 32", "session_id_length: 33", 1),
		"flow":              "signature: {tls_client_hello: {}}\n",
		"anchor":            "signature: &a\n",
		"tab":               "signature:\n\ta: b\n",
		"indent":            "a:\n    b: c\n  d: e\n",
		"twice":             "a: b\na: c\n",
		"quote":             "a: 'b\n",
		"deep":              strings.Repeat("- ", 50) + "a: b\n",
	} {
		records, problems := imported(t, CurlImpersonate, text)
		if len(records) != 0 || len(problems) != 1 {
			t.Errorf("%s: %d records, problems %q", name, len(records), problems)
			continue
		}
		var ours *Error
		if !errors.As(problems[0], &ours) || ours.File != "file" {
			t.Errorf("%s: %v", name, problems[0])
		}
	}
}

func FuzzImport(f *testing.F) {
	f.Add(uint8(0), "names+=(\"a\")\nhandshakebytes+=(\"16030100\")\n")
	f.Add(uint8(1), `[{"name":"a","suiteIds":[1,2],"highestProtocol":772,"alpnProtocols":["h2"],"ellipticCurves":[29]}]`)
	f.Add(uint8(2), signature)
	f.Fuzz(func(t *testing.T, kind uint8, text string) {
		k := Kinds()[int(kind)%len(Kinds())]
		for r, err := range Import(k, strings.NewReader(text), "file") {
			if (r == nil) == (err == nil) {
				t.Fatal("neither a record nor an error, or both")
			}
			if r != nil && r.ClientLeg.TLS.Client.Message.Raw == nil {
				t.Fatal("a record without a hello")
			}
		}
	})
}
