package capture

// recordMark is one record of TLS, by what can be seen of it from outside.
type recordMark struct {
	packet uint64
	at     int64
	length uint16
	kind   byte // content type
	side   uint8
	first  byte // of the payload
}

// maxMarks is how many records of a connection are remembered for what their lengths tell.
const maxMarks = 96

// recordReader finds the records of one direction without looking into them.
type recordReader struct {
	header [6]byte // and the payload's first byte
	n      int
	left   int  // of the payload
	lost   bool // the place of the next header is not known
	bad    bool // what came is no record
	begun  bool
}

// plausible reports whether b begins a record.
func plausible(b []byte) bool {
	return len(b) >= 5 && b[0] >= 20 && b[0] <= 24 && b[1] == 3 && b[2] <= 4 && int(b[3])<<8|int(b[4]) <= 1<<14+2048
}

// feed reads on and gives each record as soon as its header and first byte are there, with what of the payload follows in b.
func (r *recordReader) feed(b []byte, found func(header [6]byte, length int, rest []byte)) {
	for len(b) > 0 && !r.bad && !r.lost {
		if r.left > 0 {
			n := min(r.left, len(b))
			r.left -= n
			b = b[n:]
			continue
		}
		if r.n == 0 && len(b) >= len(r.header) { // as nearly always: it is whole
			r.header, r.n = [6]byte(b), len(r.header)
			b = b[len(r.header):]
		} else {
			n := copy(r.header[r.n:], b)
			r.n += n
			b = b[n:]
		}
		if r.n < 5 {
			return
		}
		length := int(r.header[3])<<8 | int(r.header[4])
		if r.header[0]&0x80 != 0 && !r.begun { // a hello in the format of SSLv2
			r.begun = true
			r.left, r.n = max(0, int(r.header[0]&0x7F)<<8+int(r.header[1])+2-r.n), 0
			continue
		}
		if !plausible(r.header[:5]) {
			r.bad = true
			return
		}
		r.begun = true
		if length > 0 && r.n < 6 {
			return
		}
		if length == 0 && r.n == 6 { // the sixth byte begins the next record
			next := r.header[5]
			found(r.header, 0, nil)
			r.header[0], r.n = next, 1
			continue
		}
		found(r.header, length, b[:min(max(0, length-1), len(b))])
		r.left, r.n = max(0, length-1), 0
	}
}

// inside reports whether the last record, or its header, is not whole.
func (r *recordReader) inside() bool { return !r.bad && !r.lost && (r.left > 0 || r.n > 0) }

// skip goes on behind n bytes that are missing, and tells whether it still knows where it is.
func (r *recordReader) skip(n int) bool {
	if r.n == 0 && n <= r.left {
		r.left -= n
		return true
	}
	r.lost = true
	return false
}
