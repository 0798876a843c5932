package proxy

import (
	"io"
	"net"
	"os"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// tap is a connection whose bytes an observer sees on their way, in both directions, until it is detached. It can hand
// out bytes that were read before (the peeked hello).
//
// It also knows whether its reader has consumed everything it was handed, in whole TLS records: then the reader can wait
// for the next byte without holding a buffer. A tap is used by one reader and one writer at a time.
type tap struct {
	net.Conn
	prefix   []byte            // read before; handed out first
	observer *inspect.Observer // nil: detached
	peer     inspect.Side      // who writes what we read
	self     inspect.Side

	connection *connection // for GetConfigForClient, which is handed the net.Conn only

	reads   int  // 0: any number; 1: one more, after which the reader is told that time is up; -1: no more
	ended   bool // the TCP connection was closed by the peer
	pending int  // whole records handed to the reader since it last asked for more
	missing int  // bytes that the record which was cut at the end still lacks, header included as far as it is known
	header  [5]byte
	have    int // bytes of header that were seen
}

func (t *tap) Read(b []byte) (int, error) {
	if len(t.prefix) > 0 {
		n := copy(b, t.prefix)
		t.prefix = t.prefix[n:]
		if len(t.prefix) == 0 {
			t.prefix = nil
		}
		t.frame(b[:n])
		return n, nil
	}
	switch t.reads {
	case 0:
	case 1:
		t.reads = -1
	default:
		return 0, os.ErrDeadlineExceeded
	}
	n, err := t.Conn.Read(b)
	if err == io.EOF {
		t.ended = true
	}
	if t.observer != nil && n > 0 {
		t.observer.Feed(t.peer, b[:n], time.Now())
	}
	t.frame(b[:n])
	return n, err
}

func (t *tap) Write(b []byte) (int, error) {
	if t.observer != nil {
		t.observer.Feed(t.self, b, time.Now())
	}
	return t.Conn.Write(b)
}

// detach ends the observation.
func (t *tap) detach() { t.observer = nil }

// frame follows the record boundaries in what is handed to the reader. A reader asks for more only when it has no whole
// record left, so what counted before is consumed.
func (t *tap) frame(b []byte) {
	t.pending = 0
	for len(b) > 0 {
		if t.have < len(t.header) {
			n := copy(t.header[t.have:], b)
			t.have += n
			b = b[n:]
			if t.have == len(t.header) {
				t.missing = int(t.header[3])<<8 | int(t.header[4])
				if t.missing == 0 {
					t.have = 0
					t.pending++
				}
			}
			continue
		}
		n := min(t.missing, len(b))
		t.missing -= n
		b = b[n:]
		if t.missing == 0 {
			t.have = 0
			t.pending++
		}
	}
}

// consumed notes that the reader has finished one record.
func (t *tap) consumed() {
	if t.pending > 0 {
		t.pending--
	}
}

// drained reports that the reader has nothing left of what it was handed: the next byte must come from the network.
// It may be false although it is so (records that carried no data), never the other way round.
func (t *tap) drained() bool { return t.pending == 0 && t.have == 0 && len(t.prefix) == 0 }

// CloseWrite closes the sending side of the TCP connection itself, below TLS.
func (t *tap) CloseWrite() error {
	if c, ok := t.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return t.Conn.Close()
}
