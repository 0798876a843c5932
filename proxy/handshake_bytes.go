package proxy

import (
	"bytes"
	"encoding/binary"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Lines of a key log that open handshakes. All others open what was said behind them (RFC 8446, Section 7.1).
var handshakeSecrets = [...]string{"CLIENT_HANDSHAKE_TRAFFIC_SECRET ", "SERVER_HANDSHAKE_TRAFFIC_SECRET ", masterSecret}

// masterSecret begins the line of a session of TLS 1.2 or older, of which it opens everything.
const masterSecret = "CLIENT_RANDOM "

// recordHeader is the length of a record's header: type, version, length.
const recordHeader = 5

// longestAlertRecord is an encrypted alert of TLS 1.3: level, description, content type, and the tag of the AEAD.
const longestAlertRecord = 2 + 1 + 16

// handshakeKeys are the lines of a key log that a transcript may hold.
func handshakeKeys(log []byte) (kept []byte) {
	for line := range bytes.Lines(log) {
		for _, prefix := range handshakeSecrets {
			if bytes.HasPrefix(line, []byte(prefix)) {
				kept = append(kept, line...)
			}
		}
	}
	return kept
}

// handshakeCut takes application data out of a leg's bytes: a request has cookies and passwords in it. The rest of a direction
// behind the first such record goes with it.
type handshakeCut struct {
	data bool // records of application data are that: those of TLS 1.3 can be of the handshake

	header   [2][recordHeader]byte
	have     [2]int // bytes of header
	missing  [2]int // bytes of the record still to come
	plain    [2]bool
	finished [2]bool // nothing more is kept
}

// keep is how many bytes of a chunk belong to the handshake; over says that the handshake was over before.
func (h *handshakeCut) keep(from inspect.Side, b []byte, over bool) int {
	i := 0
	if from == inspect.FromServer {
		i = 1
	}
	at := 0 // the end of what is kept
	for n := 0; n < len(b) && !h.finished[i]; {
		if h.missing[i] > 0 {
			step := min(h.missing[i], len(b)-n)
			h.missing[i] -= step
			n += step
			at = n
			continue
		}
		if h.plain[i] {
			if h.finished[i] = over; over {
				break
			}
			return len(b)
		}
		step := copy(h.header[i][h.have[i]:], b[n:])
		h.have[i] += step
		n += step
		if h.have[i] < len(h.header[i]) {
			at = n // whose it is shows with the rest
			break
		}
		h.have[i] = 0
		kind, length := wire.ContentType(h.header[i][0]), int(binary.BigEndian.Uint16(h.header[i][3:]))
		switch {
		case h.header[i][1] != 3 || kind < wire.ContentTypeChangeCipherSpec || kind > wire.ContentTypeApplicationData:
			h.plain[i] = true // no records: the hello of SSLv2, or what no TLS is
			h.finished[i] = over
			if !over {
				at = n
			}
		case kind == wire.ContentTypeApplicationData && (h.data || over && length > longestAlertRecord):
			h.finished[i] = true
		default:
			h.missing[i] = length
			at = n
		}
	}
	return at
}
