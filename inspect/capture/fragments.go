package capture

import "slices"

// Bounds on fragments (RFC 791, Section 3.2; RFC 8200, Section 4.5).
const (
	maxDatagram      = 65535
	maxDatagrams     = 256 // in the making, at once
	maxFragmentParts = 64
	fragmentLife     = 30e9 // nanoseconds
)

// fragments puts datagrams together.
type fragments struct {
	seen, whole uint64
	open        map[fragmentKey]*datagram
	order       []fragmentKey // oldest first
}

type fragmentKey struct {
	from, to address
	id       uint32
	proto    uint8
}

// datagram is one in the making. What comes first for a place stays: a later fragment cannot rewrite what was accepted.
type datagram struct {
	at    int64
	bytes []byte
	parts []span
	total int // -1: the last fragment has not come
}

type span struct{ from, to int }

// add takes a fragment and gives the datagram when it is whole.
func (f *fragments) add(s *segment, proto uint8, id uint32, offset int, more bool, b []byte) ([]byte, bool) {
	f.seen++
	if len(b) == 0 || offset+len(b) > maxDatagram {
		return nil, false
	}
	if f.open == nil {
		f.open = make(map[fragmentKey]*datagram)
	}
	key := fragmentKey{s.from.address, s.to.address, id, proto}
	d := f.open[key]
	if d != nil && s.at-d.at > fragmentLife {
		f.drop(key)
		d = nil
	}
	if d == nil {
		if len(f.order) == maxDatagrams {
			f.drop(f.order[0])
		}
		d = &datagram{at: s.at, total: -1}
		f.open[key] = d
		f.order = append(f.order, key)
	}
	if !d.place(offset, more, b) {
		return nil, false
	}
	f.drop(key)
	f.whole++
	return d.bytes[:d.total], true
}

func (f *fragments) drop(key fragmentKey) {
	delete(f.open, key)
	if i := slices.Index(f.order, key); i >= 0 {
		f.order = slices.Delete(f.order, i, i+1)
	}
}

// place puts the bytes where they belong and tells whether nothing is missing any more.
func (d *datagram) place(offset int, more bool, b []byte) bool {
	end := offset + len(b)
	if len(d.parts) == maxFragmentParts {
		return false
	}
	for _, part := range d.parts {
		if offset < part.to && part.from < end {
			return false // overlaps: RFC 5722 forbids it
		}
	}
	if !more {
		d.total = end
	}
	if end > len(d.bytes) {
		d.bytes = append(d.bytes, make([]byte, end-len(d.bytes))...)
	}
	copy(d.bytes[offset:], b)
	d.parts = append(d.parts, span{offset, end})
	sum := 0
	for _, part := range d.parts {
		sum += part.to - part.from
	}
	return d.total >= 0 && sum >= d.total && d.total <= len(d.bytes)
}
