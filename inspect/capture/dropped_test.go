package capture_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
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
