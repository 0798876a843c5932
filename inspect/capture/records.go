package capture

import "github.com/tlstriage/tlstriage/inspect"

// slot is a record's place in line.
type slot struct {
	next    *slot
	flow    *flow // until it is done
	done    bool
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

func (r *records) add(f *flow) *slot {
	s := r.spare
	if s == nil {
		s = &slot{}
	} else {
		r.spare = s.next
		r.spares--
	}
	*s = slot{flow: f}
	if r.tail != nil {
		r.tail.next = s
	} else {
		r.head = s
	}
	r.tail = s
	r.n++
	return s
}

// emit hands out the records at the head of the line that are done.
func (t *Tracker) emit() {
	for s := t.waiting.head; s != nil && s.done; s = t.waiting.head { // nothing refers to one that is done but the line
		if t.waiting.head = s.next; s.next == nil {
			t.waiting.tail = nil
		}
		t.waiting.n--
		if s.record != nil {
			t.stats.Connections++
			if t.o.OnConnection != nil {
				t.o.OnConnection(s.record)
			}
			if t.o.OnPackets != nil {
				t.o.OnPackets(s.record, s.packets)
			}
		}
		t.held -= s.kept
		t.waiting.give(s)
	}
}
