package recording

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Collection gathers recorded clients as a Tally does, compacted recordings included, and keeps of the first client of each kind
// how its hello was sent: what it takes to send it again, or to write it down once for all of its kind. The zero value is ready.
type Collection struct {
	Tally Tally

	details map[*entry]Detail
}

// Detail is how a sample came.
type Detail struct {
	RecordVersion wire.Version // of the TLS record's header; zero: not known, or SSLv2 format
	Records       int          // TLS records that the hello came in; zero: not known
	Transport     string       // inspect.TransportTCP or one of its siblings
	Origin        *Origin      // nil: seen by an eye of this program, or not known
}

// Collected is a kind of client and how its sample came.
type Collected struct {
	Shape
	Detail
}

// detailed is what a line says beside what every reader of records wants.
type detailed struct {
	Transport string  `json:"transport"`
	Origin    *Origin `json:"origin"`
	Leg       struct {
		TLS struct {
			Hello struct {
				RecordVersion string `json:"record_version"`
				Message       struct {
					Records int `json:"records"`
				} `json:"hello"`
			} `json:"client"`
		} `json:"tls"`
	} `json:"client_leg"`
}

// Read adds the clients of a recording, whatever its form, in order; file names it in errors. The error is a *FormError, or what
// reading returned; what was counted before it stays.
func (c *Collection) Read(r io.Reader, file string) error {
	in, form, err := open(r)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	defer func() { c.Tally.files++ }()
	s := stream{file: file}
	s.yield = func(client *Client, err error) bool {
		var refused *Error
		if errors.As(err, &refused) {
			c.Tally.Refuse(refused)
		} else {
			c.add(client, nil)
		}
		return true
	}
	if form != FormRecords {
		return s.readForm(in, form)
	}
	return s.lines(in, func(line []byte, number, offset int64) error {
		switch {
		case blank(line):
			return nil
		case ofCanary(line):
			c.Tally.Skipped.count(OfCanary)
			return nil
		}
		reason, err := s.decoder.record(line)
		if reason != entryAccepted {
			return s.refuse(reason, err, number, offset)
		}
		s.decoder.client.Line, s.decoder.client.Offset = number, offset
		c.add(&s.decoder.client, line)
		return nil
	})
}

// Add adds one client that was sent as d says.
func (c *Collection) Add(client *Client, d Detail) {
	if e, begun := c.count(client); begun {
		c.keep(e, d)
	}
}

// add counts a client, from its line if it came in one.
func (c *Collection) add(client *Client, line []byte) {
	e, begun := c.count(client)
	if !begun {
		return
	}
	d := detailed{}
	if line != nil && json.Unmarshal(line, &d) != nil {
		d = detailed{} // of other types than ours: it was a hello all the same
	}
	version, _ := wire.VersionByName(d.Leg.TLS.Hello.RecordVersion)
	c.keep(e, Detail{RecordVersion: version, Records: max(0, d.Leg.TLS.Hello.Message.Records), Transport: d.Transport, Origin: d.Origin})
}

// count counts a client; begun: it is the first of its kind. e is nil where there was no room for it.
func (c *Collection) count(client *Client) (e *entry, begun bool) {
	before := c.Tally.shapeCount
	c.Tally.Add(client)
	return c.Tally.find(client), c.Tally.shapeCount > before
}

func (c *Collection) keep(e *entry, d Detail) {
	if c.details == nil {
		c.details = make(map[*entry]Detail)
	}
	if d.Transport == "" {
		d.Transport = inspect.TransportTCP
	}
	c.details[e] = d
}

// Kinds are the kinds of clients, the most frequent first. The hellos belong to the collection.
func (c *Collection) Kinds() []Collected {
	byHello := make(map[*wire.ClientHello]Detail, len(c.details))
	for e, d := range c.details {
		byHello[e.Hello] = d
	}
	var kinds []Collected
	for _, s := range c.Tally.Shapes() {
		kinds = append(kinds, Collected{Shape: s, Detail: byHello[s.Hello]})
	}
	return slices.Clip(kinds)
}
