package capture_test

import (
	"bytes"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
)

// TestRefusalOverDTLSIsSoonTold refuses a hello of DTLS: nothing is expected behind the alert, and the record does not wait for
// the time after which a silent connection is over.
func TestRefusalOverDTLSIsSoonTold(t *testing.T) {
	w := newBuilder()
	c, s := client(5), server()
	s.port = 4433
	m := handshakeMessages(t, ecdhe(t))[0].data
	at := 4 + 2 + 32 + 1 + int(m[4+34])
	m = cat(m[:at], []byte{0}, m[at:]) // no cookie
	m[4], m[5] = 0xFE, 0xFD
	head := cat(m[:1], []byte{byte((len(m) - 4) >> 16), byte((len(m) - 4) >> 8), byte(len(m) - 4)}, be16(0), []byte{0, 0, 0}, []byte{byte((len(m) - 4) >> 16), byte((len(m) - 4) >> 8), byte(len(m) - 4)})
	w.udpDatagram(c, s, dtlsRecord(22, 0, 0, nil, cat(head, m[4:])), 50)
	w.udpDatagram(s, c, dtlsRecord(21, 0, 0, nil, []byte{2, 40}), 50)
	w.open(client(6), server())
	w.at += 7e6
	w.open(client(7), server())
	records, _ := recordsOf(t, w.b, capture.Options{})
	if len(records) != 1 || records[0].ClientLeg.Error == nil || records[0].ClientLeg.Error.Type != "alert_sent" {
		t.Fatalf("%d records: %+v", len(records), records)
	}
	told := false
	tracker := capture.New(capture.Options{OnConnection: func(*inspect.Connection) { told = true }})
	if err := tracker.Read(t.Context(), bytes.NewReader(w.b), "made"); err != nil || !told {
		t.Errorf("not told before the end: %v", err)
	}
	tracker.Close()
}
