package capture_test

import (
	"bytes"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
)

// recordsOfFiles reads several captures as one.
func recordsOfFiles(t *testing.T, files ...[]byte) (records []*inspect.Connection) {
	t.Helper()
	tracker := capture.New(capture.Options{OnConnection: func(c *inspect.Connection) { records = append(records, c) }})
	for _, file := range files {
		if err := tracker.Read(t.Context(), bytes.NewReader(file), "made"); err != nil {
			t.Fatal(err)
		}
	}
	tracker.Close()
	return records
}

// TestFilesOfAnotherTime ends a capture in the middle of a handshake, and reads one of another year behind it: that nothing more came is
// no news, and the clock of the first is not that of the second.
func TestFilesOfAnotherTime(t *testing.T) {
	talk := ecdhe(t)
	const year = 365 * 86400 * second
	// unfinished is a client that does not answer the server's flight; goingOn lets others talk for as long behind it.
	unfinished := func(n int, later uint64, goingOn uint64) []byte {
		w := newBuilder()
		w.at += later
		c, s := client(n), server()
		w.open(c, s)
		w.segment(c, s, psh|ack, talk[0].data, 10)
		for _, x := range talk[1:] {
			if x.client {
				break
			}
			w.segment(s, c, psh|ack, x.data, 10)
			w.segment(c, s, ack, nil, 10)
		}
		for at := uint64(0); at < goingOn; at += second {
			w.segment(client(n+1000), server(), ack, []byte("something else"), second)
		}
		return w.b
	}
	for name, test := range map[string]struct {
		files [][]byte
		ends  []inspect.CaptureEnd
	}{
		"later":                     {[][]byte{unfinished(1, 0, 0), unfinished(2, year, 0)}, []inspect.CaptureEnd{inspect.EndOpen, inspect.EndOpen}},
		"earlier":                   {[][]byte{unfinished(1, year, 0), unfinished(2, 0, 0)}, []inspect.CaptureEnd{inspect.EndOpen, inspect.EndOpen}},
		"earlier, and it goes on":   {[][]byte{unfinished(1, year, 0), unfinished(2, 0, 100*second)}, []inspect.CaptureEnd{inspect.EndOpen, inspect.EndIdle}},
		"a moment later":            {[][]byte{unfinished(1, 0, 0), unfinished(2, second, 0)}, []inspect.CaptureEnd{inspect.EndOpen, inspect.EndOpen}},
		"later, and it goes on":     {[][]byte{unfinished(1, 0, 0), unfinished(2, 30*second, 100*second)}, []inspect.CaptureEnd{inspect.EndIdle, inspect.EndIdle}},
		"the same connection later": {[][]byte{unfinished(1, 0, 0), unfinished(1, year, 0)}, []inspect.CaptureEnd{inspect.EndOpen, inspect.EndOpen}},
	} {
		t.Run(name, func(t *testing.T) {
			records := recordsOfFiles(t, test.files...)
			if len(records) != len(test.ends) {
				t.Fatalf("%d records", len(records))
			}
			for i, r := range records {
				if r.Capture.End != test.ends[i] {
					t.Errorf("connection %d: end %s, want %s", i, r.Capture.End, test.ends[i])
				}
				if stalled := r.ClientLeg.Error != nil; stalled != (test.ends[i] == inspect.EndIdle) {
					t.Errorf("connection %d: %+v", i, r.ClientLeg.Error)
				}
			}
		})
	}
}

// TestFilesThatContinueEachOther splits a capture in the middle of a handshake, and reads two that were made at the same time on both
// sides of a device.
func TestFilesThatContinueEachOther(t *testing.T) {
	packets := packetsOf(t, conversationOf(pieces(ecdhe(t), 2000), 1000))
	file := func(packets []capture.Packet) []byte { return pcapFile(littleEndian, 0xA1B2C3D4, packets) }
	for name, files := range map[string][][]byte{
		"split": {file(packets[:5]), file(packets[5:])},
		"twice": {file(packets), file(packets)},
	} {
		records := recordsOfFiles(t, files...)
		if len(records) != 1 || !records[0].ClientLeg.Established() {
			t.Errorf("%s: %d records", name, len(records))
		}
	}
}
