package capture_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
)

// framesOf are the packet records of a file of newBuilder, headers included.
func framesOf(file []byte) (header []byte, packets [][]byte) {
	header, rest := file[:24], file[24:]
	for len(rest) > 0 {
		n := 16 + int(binary.LittleEndian.Uint32(rest[8:]))
		packets, rest = append(packets, rest[:n]), rest[n:]
	}
	return header, packets
}

// TestWhatACaptureLacksIsNobodysFault takes one packet after the other out of a conversation in which nothing failed.
func TestWhatACaptureLacksIsNobodysFault(t *testing.T) {
	certificate := selfSigned(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		file := played(t, &tls.Config{ServerName: "live.example.com", InsecureSkipVerify: true, MaxVersion: version}, &tls.Config{Certificates: []tls.Certificate{certificate}}, func(c, s *tls.Conn) {
			c.Write([]byte("request"))
			s.Read(make([]byte, 100))
			s.Write([]byte("response"))
			c.Read(make([]byte, 100))
			c.CloseWrite()
			s.CloseWrite()
		})
		header, packets := framesOf(file)
		if len(packets) < 12 {
			t.Fatalf("only %d packets", len(packets))
		}
		for left := -1; left < len(packets); left++ {
			rest := append([]byte(nil), header...)
			for i, p := range packets {
				if i != left {
					rest = append(rest, p...)
				}
			}
			var records []*inspect.Connection
			if _, err := capture.Read(t.Context(), bytes.NewReader(rest), "dropped", capture.Options{OnConnection: func(c *inspect.Connection) { records = append(records, c) }}); err != nil {
				t.Fatal(err)
			}
			for _, r := range records {
				if r.ClientLeg.Error != nil || r.Event.Outcome == inspect.Failure || r.Capture != nil && len(r.Capture.Inferred) > 0 {
					t.Errorf("%s without packet %d of %d: %s, %+v", fmt.Sprintf("%x", version), left+1, len(packets), r.Event.Outcome, r.ClientLeg.Error)
				}
			}
			if left < 0 && (len(records) != 1 || records[0].Event.Outcome != inspect.Success) {
				t.Errorf("with all of them: %d records", len(records))
			}
		}
	}
}

// TestOnePacketLess takes packets out of captures of others, one at a time: what did not fail must not seem to have failed then.
func TestOnePacketLess(t *testing.T) {
	const most = 120
	tried := 0
	_ = filepath.WalkDir(shared(t, "captures", "files"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		packets := ipPackets(t, path)
		if len(packets) < 2 || len(packets) > most {
			return nil
		}
		whole := failuresOf(t, littlePcap(packets))
		for i := range packets {
			tried++
			for ends, failure := range failuresOf(t, littlePcap(slices.Concat(packets[:i], packets[i+1:]))) {
				if was, known := whole[ends]; known && was == "" && failure != "" && !fewerDiffer[filepath.Base(path)] {
					t.Errorf("%s without packet %d: %s: %s", path, i+1, ends, failure)
				}
			}
		}
		return nil
	})
	if tried < 100 {
		t.Errorf("only %d were tried", tried)
	}
}

// fewerDiffer are captures that with a packet less show a failure.
var fewerDiffer = map[string]bool{
	// Of their connections only the first packets were kept: without the last of these the server seems to owe an answer.
	"steam.pcapng": true, "gaijin_mobile_mixed.pcap": true,
	"dtls.pcap": true, // both sides say hello, and one refuses the other's: without that one its own is refused
}

// failuresOf says of each connection how it failed; empty: it did not, or that is not seen.
func failuresOf(t *testing.T, file []byte) map[string]string {
	t.Helper()
	all := map[string]string{}
	records, _ := recordsOf(t, file, capture.Options{})
	for _, r := range records {
		failure := ""
		if r.ClientLeg.Error != nil {
			failure = fmt.Sprint(r.ClientLeg.Error.Type, " ", r.ClientLeg.Error.Message)
		}
		all[fmt.Sprint(r.Transport, r.Client, r.Server, r.Capture.SYNs > 0)] = failure
	}
	return all
}
