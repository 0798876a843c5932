package capture

import "github.com/tlstriage/tlstriage/inspect"

// slot is a record's place in line.
type slot struct {
	next    *slot
	earlier *slot // in the line of those that are late
	flow    *flow // until it is done
	at      int64 // when it took its place
	done    bool
	late    bool                // later ones have overtaken it
	record  *inspect.Connection // nil: there is nothing to tell
	packets []Packet
	kept    int64 // bytes of packets
}

// records is the line, in the order of the connections' first packets.
type records struct {
	head, tail *slot
	n          int
	spare      *slot // places that can be used again, and how many
	spares     int
}

// give takes back a place whose record was handed out.
func (r *records) give(s *slot) {
	*s = slot{}
	if r.spares < maxSpare {
		s.next, r.spare = r.spare, s
		r.spares++
	}
}

// add gives a connection a place at the end of the line.
func (r *records) add(f *flow, at int64) *slot {
	s := r.spare
	if s == nil {
		s = &slot{}
	} else {
		r.spare = s.next
		r.spares--
	}
	*s = slot{flow: f, at: at}
	r.push(s)
	return s
}

func (r *records) push(s *slot) {
	if s.next, s.earlier = nil, r.tail; r.tail != nil {
		r.tail.next = s
	} else {
		r.head = s
	}
	r.tail = s
	r.n++
}

// remove takes a place out of the line, wherever it is.
func (r *records) remove(s *slot) {
	if s.earlier != nil {
		s.earlier.next = s.next
	} else {
		r.head = s.next
	}
	if s.next != nil {
		s.next.earlier = s.earlier
	} else {
		r.tail = s.earlier
	}
	s.next, s.earlier = nil, nil
	r.n--
}

// earliest is the connection that began first of those that have no record yet.
func (t *Tracker) earliest() *flow {
	if t.late.head != nil {
		return t.late.head.flow
	}
	return t.waiting.head.flow
}

// overdue reports whether a connection that goes on holds up those behind it for too long.
func (t *Tracker) overdue(s *slot) bool {
	return s != nil && !s.done && t.limits.Wait > 0 && t.now-s.at > int64(t.limits.Wait)
}

// emit hands out the records at the head of the line that are done.
func (t *Tracker) emit() {
	for s := t.waiting.head; s != nil && (s.done || t.overdue(s)); s = t.waiting.head {
		t.waiting.remove(s)
		if !s.done { // its record comes when there is one
			s.late = true
			t.late.push(s)
			continue
		}
		t.hand(s)
	}
}

// hand hands out a record. Nothing refers to its place any more.
func (t *Tracker) hand(s *slot) {
	if s.record != nil {
		t.stats.Connections++
		if t.o.OnConnection != nil {
			t.o.OnConnection(s.record)
		}
		if t.o.OnSecrets != nil && len(s.packets) > 0 {
			if lines := t.keys.handshake(s.record); len(lines) > 0 {
				t.o.OnSecrets(s.record, lines)
			}
		}
		if t.o.OnPackets != nil {
			t.o.OnPackets(s.record, s.packets)
		}
	}
	t.held -= s.kept
	t.waiting.give(s)
}
