package capture

import "slices"

// Bounds of a direction's reassembly.
const (
	maxWaiting  = 256     // segments that wait
	gapPackets  = 32      // packets that came after a gap that the peer acknowledged: it will not be filled any more
	gapTime     = 2e9     // or so many nanoseconds
	maxPadding  = 6       // bytes by which an Ethernet frame of a bare ACK is filled up
	minProgress = 1e6     // nanoseconds within which the same segment is a second copy, not sent again
	mostDetour  = 100e6   // likewise of the same packet by its identification; some give all their packets the same one
	maxJump     = 1 << 24 // bytes by which a number may be off; beyond it belongs to another numbering
	maxStrays   = 64      // packets in a row of such, after which nothing more is expected
)

// half is one direction of a TCP connection: what has come of it, in order as far as possible.
type half struct {
	begun     bool
	asked     bool   // its SYN was seen: where it begins is known
	placed    bool   // where it begins is known from its SYN, or from what its peer acknowledged before it had said anything
	next      uint32 // the number of the byte that is delivered next
	acked     uint32 // the highest number that the peer acknowledged
	hasAck    bool
	acks      bool   // it acknowledged something itself
	firstAck  uint32 // what, at first
	delivered int64  // bytes, what was lost included

	cut    bool   // the capture does not have all bytes of some segment
	cutEnd uint32 // the number behind it

	waiting []waitingSegment // ahead of next, ordered
	bytes   int              // of them
	gapAt   int64            // since when there is a gap; 0: none
	gapSeen int              // packets since

	padding    uint32 // zeros that were taken for padding came at this number
	paddingLen int

	spoke   uint64 // the packet of the last bytes that were new, and when it came
	spokeAt int64

	fin       bool
	finEnd    uint32 // the number behind the FIN
	finPacket uint64
	rst       bool

	closedAt     int64 // when its FIN or RST came, and with which packet; 0: none did
	closedPacket uint64

	strays                  int // packets in a row with numbers that are far off
	packets                 uint64
	payload                 uint64
	retransmits, outOfOrder int
	lost                    int64
	largest, largestAcked   int
	mss                     uint16
	ttl, resetTTL           uint8
	sent                    [4]sentSegment // the last ones
	sentAt                  int
	stuck                   stuck
}

// lostAtTheEnd is how many bytes behind the last ones that were seen must have been sent: the end of the stream stands behind them, the
// peer acknowledged them, or the snapshot length cut them off.
func (h *half) lostAtTheEnd() int64 {
	if !h.begun {
		return 0
	}
	missing := int32(0)
	if h.fin {
		missing = int32(h.finEnd - 1 - h.next)
	} else if h.hasAck {
		missing = int32(h.acked - h.next)
	}
	if h.cut && !h.fin {
		missing = max(missing, int32(h.cutEnd-h.next))
	}
	return int64(max(0, missing))
}

type waitingSegment struct {
	seq  uint32
	data []byte
	at   int64
	num  uint64
}

type sentSegment struct {
	seq    uint32
	len    uint16
	id     uint16
	at     int64
	number uint64
	used   bool
}

// stuck is a segment that was sent more than once and is not acknowledged.
type stuck struct {
	seq     uint32
	size    int
	times   int
	first   int64
	last    int64
	packets []uint64
}

const maxStuckPackets = 8

// note counts a segment, and tells copies and repetitions from what is new.
func (h *half) note(s *segment, peer *half) {
	h.packets++
	if h.packets == 1 {
		h.ttl = s.ttl
	}
	size := len(s.payload) + s.missing
	h.payload += uint64(size)
	h.largest = max(h.largest, size)
	if s.has(flagSYN) {
		h.mss = s.mss
	}
	if s.has(flagACK) {
		if !h.acks {
			h.acks, h.firstAck = true, s.ack
		}
		if peer.begun {
			peer.acknowledge(s.ack)
		}
	}
	if s.missing > 0 && !h.far(s.end()) {
		h.cut, h.cutEnd = true, s.end()
	}
	if size == 0 || h.begun && size == 1 && s.seq == h.next-1 { // a keep-alive
		return
	}
	for i := range h.sent {
		x := &h.sent[i]
		if x.seq == s.seq && x.used && int(x.len) == min(size, 0xFFFF) && (s.id != 0 && x.id == s.id && s.at-x.at < mostDetour || s.at-x.at < minProgress) {
			return // the same packet, captured twice
		}
	}
	if h.begun && int32(s.end()-h.next) <= 0 && int32(s.seq-h.next) < 0 {
		h.retransmits++
		h.repeat(s, size, h.sentBefore(s))
	}
	h.sent[h.sentAt] = sentSegment{s.seq, uint16(min(size, 0xFFFF)), s.id, s.at, s.number, true}
	h.sentAt = (h.sentAt + 1) % len(h.sent)
}

// sentBefore is the segment that began with the same byte, as far as that is remembered.
func (h *half) sentBefore(s *segment) (first sentSegment) {
	for _, x := range h.sent {
		if x.used && x.seq == s.seq && (!first.used || x.number < first.number) {
			first = x
		}
	}
	return first
}

// repeat notes a segment that was sent again without having been acknowledged.
func (h *half) repeat(s *segment, size int, first sentSegment) {
	if h.hasAck && int32(h.acked-s.seq) > 0 {
		return
	}
	if h.stuck.times == 0 || h.stuck.seq != s.seq {
		h.stuck = stuck{seq: s.seq, times: 1, first: s.at}
		if first.used {
			h.stuck.first, h.stuck.packets = first.at, []uint64{first.number}
		}
	}
	h.stuck.times++
	h.stuck.size = max(h.stuck.size, size)
	h.stuck.last = s.at
	if len(h.stuck.packets) < maxStuckPackets {
		h.stuck.packets = append(h.stuck.packets, s.number)
	}
}

// acknowledge notes what the peer has received.
func (h *half) acknowledge(ack uint32) {
	if h.hasAck && int32(ack-h.acked) <= 0 {
		return
	}
	if h.far(ack) {
		return
	}
	for i := range h.sent {
		if x := &h.sent[i]; int(x.len) > h.largestAcked && x.used && int32(ack-(x.seq+uint32(x.len))) >= 0 {
			h.largestAcked = int(x.len)
		}
	}
	h.acked, h.hasAck = ack, true
	if h.stuck.times > 0 && int32(ack-h.stuck.seq) > 0 {
		h.stuck = stuck{}
	}
}

// far reports whether a number cannot be one of this direction. A device that numbers anew is captured on both of its sides,
// or what was captured has a hole in it.
func (h *half) far(seq uint32) bool {
	d := int32(seq - h.next)
	return d > maxJump || d < -maxJump
}

// isPadding reports whether a payload is the padding of a bare ACK's Ethernet frame that a broken length made payload of.
func isPadding(s *segment) bool {
	if len(s.payload) > maxPadding || s.flags&(flagPSH|flagFIN|flagSYN) != 0 {
		return false
	}
	for _, b := range s.payload {
		if b != 0 {
			return false
		}
	}
	return true
}

// begin is the number of the first byte that was delivered.
func (h *half) begin() uint32 { return h.next - uint32(h.delivered) - h.finSize() }

// lostBefore is how many bytes before the first that were captured must have been sent while the connection was captured: the peer had not
// received them at first.
func (h *half) lostBefore(peer *half) int64 {
	if !h.begun || h.asked || h.placed || !peer.acks {
		return 0
	}
	missing := int32(h.begin() - peer.firstAck)
	if missing > maxJump {
		return 0
	}
	return int64(max(0, missing))
}

// insert keeps a segment that came before its turn. What is there already stays.
func (h *half) insert(seq uint32, data []byte, at int64, num uint64) (kept int) {
	i, _ := slices.BinarySearchFunc(h.waiting, seq, func(w waitingSegment, seq uint32) int { return int(int32(w.seq - seq)) })
	if i < len(h.waiting) && h.waiting[i].seq == seq && len(h.waiting[i].data) >= len(data) {
		return 0
	}
	h.waiting = slices.Insert(h.waiting, i, waitingSegment{seq, slices.Clone(data), at, num})
	h.bytes += len(data)
	return len(data)
}

// ready gives the waiting bytes whose turn has come.
func (h *half) ready() (w waitingSegment, ok bool) {
	for len(h.waiting) > 0 {
		w = h.waiting[0]
		ahead := int32(w.seq - h.next)
		if ahead > 0 {
			return waitingSegment{}, false
		}
		h.waiting = slices.Delete(h.waiting, 0, 1)
		h.bytes -= len(w.data)
		if int32(w.seq+uint32(len(w.data))-h.next) > 0 {
			w.data = w.data[-ahead:]
			return w, true
		}
	}
	return waitingSegment{}, false
}

// gapOver reports whether the bytes before what waits will not come any more.
func (h *half) gapOver(now int64) bool {
	if len(h.waiting) == 0 {
		return false
	}
	acknowledged := h.hasAck && int32(h.acked-h.waiting[0].seq) >= 0
	return acknowledged && (h.gapSeen > gapPackets || now-h.gapAt > gapTime) || len(h.waiting) >= maxWaiting
}

// spokeEnd is the number behind the last byte that was said, without the FIN's.
func (h *half) spokeEnd() uint32 {
	if h.finished() {
		return h.finEnd - 1
	}
	return h.next
}

// close notes when a side ended the connection, as far as it is concerned.
func (h *half) close(s *segment) {
	if h.closedPacket == 0 {
		h.closedAt, h.closedPacket = s.at, s.number
	}
}

// finished reports whether all up to the FIN was delivered.
func (h *half) finished() bool { return h.fin && int32(h.next-h.finEnd) >= 0 }

// finSize is the number that a delivered FIN takes up.
func (h *half) finSize() uint32 {
	if h.finished() {
		return 1
	}
	return 0
}
