package recording

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Bounds on what a Tally keeps. What does not fit is counted, and said, but cannot be judged.
const (
	maxShapeBytes    = 256 << 20 // of sample hellos and what belongs to them
	maxNameBytes     = 32 << 20  // of server names
	maxProblems      = 100       // errors that are kept; the others are counted
	maxAddresses     = 8         // of clients, for each shape
	shapeOverhead    = 1 << 10   // what a shape takes beside its hello, about
	nameOverhead     = 64        // what a name takes beside its letters, about
	maxAddressLength = 64        // what is longer is no address
)

// Tally counts recorded clients by what they offer. The zero value is ready.
//
// A policy's answer depends on what is in the shape, on whether there is a server name, and for a policy that names its names on
// the name: one evaluation for every shape, or for every name of a shape, is exact.
type Tally struct {
	Connections int64     // hellos that were counted
	Beyond      int64     // of them: of shapes beyond the bound, which are not in Shapes
	First, Last time.Time // of the connections that have a time; zero: none has
	Skipped     Skipped
	Problems    []*Error // the first entries that are damaged, in order

	shapes     map[string]*entry
	shapeCount int
	shapeBytes int
	nameBytes  int
	files      int32 // that were begun
	scratch    []byte
}

// Skipped are entries that give no client, by reason.
type Skipped struct {
	Malformed   int64 `json:"malformed"`
	NoHello     int64 `json:"no_hello"`
	Incomplete  int64 `json:"incomplete"`
	BrokenHello int64 `json:"broken_hello"`
	OfCanary    int64 `json:"of_canary,omitempty"`
}

func (s *Skipped) count(r Reason) {
	switch r {
	case Malformed:
		s.Malformed++
	case NoHello:
		s.NoHello++
	case Incomplete:
		s.Incomplete++
	case BrokenHello:
		s.BrokenHello++
	case OfCanary:
		s.OfCanary++
	}
}

func (s *Skipped) add(o Skipped) {
	s.Malformed += o.Malformed
	s.NoHello += o.NoHello
	s.Incomplete += o.Incomplete
	s.BrokenHello += o.BrokenHello
	s.OfCanary += o.OfCanary
}

// Shape is what one kind of client offers, and how often it came.
type Shape struct {
	Name        string // fingerprint.Shape of the sample; of a rebuilt one as its record has it
	JA4         string // of the sample
	Hello       *wire.ClientHello
	Rebuilt     bool // the sample was rebuilt from a record's lists
	EventID     string
	Connections int64
	OtherNames  int64  // connections whose server name was beyond the bound, and is not in Names
	Names       []Name // in lower case, the most frequent first
	Addresses   []string
	First, Last time.Time
}

// Name is a server name that clients of a shape asked for; empty: they asked for none.
type Name struct {
	Name        string
	Connections int64
}

// entry is a Shape that is being counted.
type entry struct {
	Shape
	names   map[string]*int64
	at      position
	another *entry // of the same shape's name, and different in what it offers
}

// position is where a sample stands, so that the first one is kept whoever counted it.
type position struct {
	file   int32
	offset int64
}

func (p position) before(o position) bool {
	return p.file < o.file || p.file == o.file && p.offset < o.offset
}

// Add counts a client, of which it keeps copies.
func (t *Tally) Add(c *Client) { t.add(c, position{file: t.files, offset: c.Offset}) }

// Refuse counts an entry that gave no client.
func (t *Tally) Refuse(e *Error) {
	t.Skipped.count(e.Reason)
	if e.Reason == Malformed && len(t.Problems) < maxProblems {
		t.Problems = append(t.Problems, e)
	}
}

func (t *Tally) add(c *Client, at position) {
	n := c.Connections()
	t.Connections += n
	t.span(c.Time)
	if c.Compacted != nil {
		t.span(c.Compacted.First)
		t.span(c.Compacted.Last)
	}
	e := t.find(c)
	if e == nil {
		if e = t.begin(c, at); e == nil {
			t.Beyond += n
			return
		}
	} else if at.before(e.at) {
		e.sample(c, at)
	}
	e.Connections += n
	if c.Compacted == nil {
		t.name(e, c.Hello.ServerName, 1)
	} else {
		t.addCompacted(e, c.Hello.ServerName, c.Compacted)
	}
	if len(e.Addresses) < maxAddresses {
		e.address(c.Address)
	}
	if !c.Time.IsZero() {
		e.span(c.Time, c.Time)
	}
}

func (t *Tally) span(at time.Time) {
	if at.IsZero() {
		return
	}
	if t.First.IsZero() || at.Before(t.First) {
		t.First = at
	}
	if at.After(t.Last) {
		t.Last = at
	}
}

func (t *Tally) find(c *Client) *entry {
	for e := t.shapes[string(c.Shape)]; e != nil; e = e.another {
		if sameOffer(e.Hello, c.Hello) {
			return e
		}
	}
	return nil
}

// begin makes an entry for a client that is the first of its kind; nil: there is no room.
func (t *Tally) begin(c *Client, at position) *entry {
	size := len(c.Hello.Raw) + shapeOverhead
	if c.Rebuilt {
		size += len(c.Hello.CipherSuites) + len(c.Hello.Extensions)
	}
	if t.shapeBytes+size > maxShapeBytes {
		return nil
	}
	if t.shapes == nil {
		t.shapes = make(map[string]*entry)
	}
	t.shapeBytes += size
	t.shapeCount++
	e := &entry{names: make(map[string]*int64)}
	e.sample(c, at)
	e.another = t.shapes[e.Name]
	t.shapes[e.Name] = e
	return e
}

// sample makes c the entry's example.
func (e *entry) sample(c *Client, at position) {
	e.at = at
	e.Name, e.JA4, e.EventID, e.Rebuilt = string(c.Shape), c.JA4(), string(c.EventID), c.Rebuilt
	e.Hello = keep(c.Hello)
}

// keep copies a hello out of the memory that it was read in. Of one that was rebuilt only the parts that a decoder uses again need it.
func keep(h *wire.ClientHello) *wire.ClientHello {
	own := new(wire.ClientHello)
	if len(h.Raw) == 0 {
		*own = *h
		own.ServerName, own.Extensions = bytes.Clone(h.ServerName), bytes.Clone(h.Extensions)
		return own
	}
	read := wire.ParseClientHello
	if h.SSLv2 {
		read = wire.ParseSSLv2ClientHello
	}
	if read(bytes.Clone(h.Raw), own) != nil {
		*own = *h // cannot be: it was read from the same bytes before
	}
	return own
}

// name counts a server name.
func (t *Tally) name(e *entry, name []byte, n int64) {
	if slices.ContainsFunc(name, func(c byte) bool { return 'A' <= c && c <= 'Z' }) {
		t.scratch = append(t.scratch[:0], name...)
		for i, c := range t.scratch {
			if 'A' <= c && c <= 'Z' {
				t.scratch[i] = c + 'a' - 'A'
			}
		}
		name = t.scratch
	}
	if count, ok := e.names[string(name)]; ok {
		*count += n
		return
	}
	if t.nameBytes += len(name) + nameOverhead; t.nameBytes > maxNameBytes {
		t.nameBytes -= len(name) + nameOverhead
		e.OtherNames += n
		return
	}
	count := n
	e.names[string(name)] = &count
}

func (e *entry) address(a []byte) {
	if len(a) == 0 || len(a) > maxAddressLength {
		return
	}
	for _, known := range e.Addresses {
		if known == string(a) {
			return
		}
	}
	e.Addresses = append(e.Addresses, string(a))
}

func (e *entry) span(first, last time.Time) {
	if !first.IsZero() && (e.First.IsZero() || first.Before(e.First)) {
		e.First = first
	}
	if last.After(e.Last) {
		e.Last = last
	}
}

// merge adds what another tally counted.
func (t *Tally) merge(o *Tally) {
	t.Connections += o.Connections
	t.Beyond += o.Beyond
	t.span(o.First)
	t.span(o.Last)
	t.Skipped.add(o.Skipped)
	t.Problems = append(t.Problems, o.Problems...)
	for _, first := range o.shapes {
		for theirs := first; theirs != nil; theirs = theirs.another {
			t.mergeShape(theirs)
		}
	}
}

func (t *Tally) mergeShape(theirs *entry) {
	c := Client{Hello: theirs.Hello, Shape: []byte(theirs.Name), Rebuilt: theirs.Rebuilt}
	e := t.find(&c)
	if e == nil {
		if e = t.begin(&c, theirs.at); e == nil {
			t.Beyond += theirs.Connections
			return
		}
		e.JA4, e.EventID = theirs.JA4, theirs.EventID
	} else if theirs.at.before(e.at) {
		e.at, e.JA4, e.EventID, e.Hello, e.Rebuilt = theirs.at, theirs.JA4, theirs.EventID, theirs.Hello, theirs.Rebuilt
	}
	e.Connections += theirs.Connections
	e.OtherNames += theirs.OtherNames
	for name, n := range theirs.names {
		t.name(e, []byte(name), *n)
	}
	for _, a := range theirs.Addresses {
		if len(e.Addresses) < maxAddresses {
			e.address([]byte(a))
		}
	}
	e.span(theirs.First, theirs.Last)
}

// Len is the number of shapes.
func (t *Tally) Len() int { return t.shapeCount }

// Shapes are the kinds of clients, the most frequent first. The hellos belong to the tally.
func (t *Tally) Shapes() []Shape {
	shapes := make([]Shape, 0, t.shapeCount)
	for _, e := range t.shapes {
		for ; e != nil; e = e.another {
			s := e.Shape
			s.Addresses = slices.Sorted(slices.Values(e.Addresses))
			s.Names = make([]Name, 0, len(e.names))
			for name, n := range e.names {
				s.Names = append(s.Names, Name{Name: name, Connections: *n})
			}
			slices.SortFunc(s.Names, func(a, b Name) int {
				return cmp.Or(cmp.Compare(b.Connections, a.Connections), cmp.Compare(a.Name, b.Name))
			})
			shapes = append(shapes, s)
		}
	}
	slices.SortFunc(shapes, func(a, b Shape) int {
		return cmp.Or(cmp.Compare(b.Connections, a.Connections), cmp.Compare(a.Name, b.Name), bytes.Compare(a.Hello.Raw, b.Hello.Raw))
	})
	return shapes
}
