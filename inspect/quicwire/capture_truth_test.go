package quicwire_test

import (
	"bufio"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/quicwire"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// truth is what is known of a QUIC packet or message in a capture.
type truth struct {
	Repo         string   `json:"repo"`
	File         string   `json:"file"`
	Frame        int      `json:"frame"`
	Stream       string   `json:"stream"`
	Source       string   `json:"src"`
	Kind         string   `json:"kind"`
	Proto        string   `json:"proto"`
	Random       string   `json:"random"`
	SNI          *string  `json:"sni"`
	Ciphers      []string `json:"ciphers"`
	Extensions   []string `json:"extensions"`
	Length       int      `json:"msg_len"` // without the four bytes of the header
	Version      string   `json:"quic_version"`
	GQUICVersion string   `json:"gquic_version"`
	UserAgent    any      `json:"uaid"`
	DCID         string   `json:"dcid"`
	Versions     []string `json:"versions"`
	Code         []string `json:"code"`
	Reason       []string `json:"reason"`
	Parameters   any      `json:"quic_transport_parameters"`
}

func truths(tb testing.TB) map[string][]truth {
	tb.Helper()
	f, err := os.Open(shared(tb, "captures", "messages.jsonl.gz"))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	byFile := map[string][]truth{}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var x truth
		if err := json.Unmarshal(lines.Bytes(), &x); err != nil {
			tb.Fatal(err)
		}
		if x.Proto == "quic" || x.Proto == "gquic" {
			byFile[x.Repo+"/"+x.File] = append(byFile[x.Repo+"/"+x.File], x)
		}
	}
	if lines.Err() != nil || len(byFile) == 0 {
		tb.Fatalf("%d captures with QUIC, error %v", len(byFile), lines.Err())
	}
	return byFile
}

func TestRealCaptures(t *testing.T) {
	counts := map[string]int{}
	for path, want := range truths(t) {
		t.Run(path, func(t *testing.T) {
			conversations := converse(t, datagrams(t, shared(t, "captures", "files", filepath.FromSlash(path))), nil)
			for _, x := range want {
				if err := find(conversations, x); err != nil {
					t.Errorf("frame %d, %s, %s: %s: %v", x.Frame, x.Stream, x.Version+x.GQUICVersion, x.Kind, err)
					continue
				}
				counts[x.Kind]++
			}
			for _, c := range conversations {
				for i, err := range c.errors {
					if i < 3 {
						t.Logf("%s: %v", c.firsts[0].from, err)
					}
				}
			}
		})
	}
	t.Logf("found as the truth has them: %v", counts)
	for kind, least := range map[string]int{"client_hello": 580, "server_hello": 45, "gquic_chlo": 20, "quic_version_negotiation": 40, "quic_connection_close": 3} {
		if counts[kind] < least {
			t.Errorf("only %d of %s", counts[kind], kind)
		}
	}
}

// find looks for what the truth speaks of.
func find(all []*conversation, x truth) error {
	last := errors.New("not found")
	for _, c := range all {
		switch x.Kind {
		case "client_hello", "server_hello":
			for _, m := range c.messages {
				if len(m.Bytes) < 38 || hex.EncodeToString(m.Bytes[6:38]) != x.Random || m.src != x.Source {
					continue
				}
				if last = sameHello(m, x); last == nil {
					return nil
				}
			}
		case "gquic_chlo":
			for _, f := range c.flows {
				if h := f.GQUIC(); h != nil && x.SNI != nil && string(h.SNI) == *x.SNI && (x.GQUICVersion == "" || h.Version.String() == x.GQUICVersion) {
					return nil
				}
			}
		case "quic_version_negotiation":
			for _, h := range c.headers {
				var versions []string
				for _, v := range h.Versions {
					versions = append(versions, fmt.Sprintf("%08x", uint32(v)))
				}
				if h.src == x.Source && slices.Equal(versions, x.Versions) {
					if c.flows[0].VersionNegotiation() == nil {
						return errors.New("not kept by its flow")
					}
					return nil
				}
			}
		case "quic_connection_close":
			for _, f := range c.flows {
				if cl := f.Close(); cl != nil && fmt.Sprint([]string{string(cl.Reason)}) == fmt.Sprint(x.Reason) && fmt.Sprintf("[Error code: %s (%d)]", cl.CodeName(), cl.Code) == fmt.Sprint(x.Code) {
					return nil
				}
			}
		case "quic_first_long_header":
			for _, h := range c.headers {
				if hex.EncodeToString(h.DestinationID) == x.DCID && h.src == x.Source {
					return nil
				}
			}
		default:
			return errors.New("of an unknown kind")
		}
	}
	return last
}

// sameHello compares a hello with the truth.
func sameHello(m message, x truth) error {
	if len(m.Bytes)-4 != x.Length {
		return fmt.Errorf("length %d, want %d", len(m.Bytes)-4, x.Length)
	}
	if got := fmt.Sprintf("%08x", uint32(m.Version)); got != x.Version {
		return fmt.Errorf("version %s, want %s", got, x.Version)
	}
	if x.Kind == "server_hello" {
		var h wire.ServerHello
		if err := wire.ParseServerHello(m.Bytes, &h); err != nil {
			return err
		}
		if got := fmt.Sprintf("[%04x]", uint16(h.CipherSuite)); got != fmt.Sprint(x.Ciphers) {
			return fmt.Errorf("suite %s, want %s", got, x.Ciphers)
		}
		return nil
	}
	var h wire.ClientHello
	if err := wire.ParseClientHello(m.Bytes, &h); err != nil {
		return err
	}
	var suites, extensions []string
	for c := range h.CipherSuites.All() {
		suites = append(suites, fmt.Sprintf("%04x", uint16(c)))
	}
	for e := range h.Extensions.All() {
		extensions = append(extensions, fmt.Sprintf("%04x", uint16(e)))
	}
	sni := ""
	if x.SNI != nil {
		sni = *x.SNI
	}
	if string(h.ServerName) != sni || fmt.Sprint(suites) != fmt.Sprint(x.Ciphers) || fmt.Sprint(extensions) != fmt.Sprint(x.Extensions) {
		return fmt.Errorf("name %q, suites %s, extensions %s, want %q, %s, %s", h.ServerName, suites, extensions, sni, x.Ciphers, x.Extensions)
	}
	return readableParameters(m, &h)
}

// readableParameters wants the transport parameters of a hello to be read whole, and to have what every client sends.
func readableParameters(m message, h *wire.ClientHello) error {
	body, ok := h.Extensions.Find(wire.ExtensionType(quicwire.ExtensionTransportParameters))
	if !ok {
		body, ok = h.Extensions.Find(wire.ExtensionType(quicwire.ExtensionTransportParametersDraft))
	}
	if !ok {
		return errors.New("no transport parameters")
	}
	all, err := quicwire.ParseTransportParameters(m.Version, body)
	if err != nil {
		return err
	}
	for _, p := range all {
		if n, ok := p.Integer(); p.Name() == "initial_max_data" && ok && n > 0 {
			return nil
		}
	}
	return fmt.Errorf("transport parameters without initial_max_data: %v", all)
}
