package recording

import (
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/fingerprint"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Client is one recorded client: its hello, and what is known of the connection that it came on. All slices are views that are
// valid until the next client.
type Client struct {
	Hello     *wire.ClientHello
	Shape     []byte    // fingerprint.Shape; of a rebuilt hello as the record has it
	EventID   []byte    // of the record; nil: the hello came without one
	Address   []byte    // the client's, as recorded
	Time      time.Time // first byte of the connection; zero: not recorded
	Transport string    // inspect.TransportTCP or inspect.TransportQUIC
	Rebuilt   bool      // from the record's lists, without the bytes: (*inspect.Hello).ClientHello
	Index     int64     // 0-based, of the entry in its recording; entries that give no client count, too
	Line      int64     // 1-based; 0: the form has no lines
	Offset    int64     // where in the (decompressed) stream the entry begins

	Compacted *Compacted // the connections that the entry stands for; nil: one
}

// Connections is how many the entry stands for.
func (c *Client) Connections() int64 {
	if c.Compacted == nil {
		return 1
	}
	return c.Compacted.Connections
}

// JA4 is the hello's JA4 fingerprint.
func (c *Client) JA4() string {
	layer := fingerprint.TCP
	if c.Transport == inspect.TransportQUIC {
		layer = fingerprint.QUIC
	}
	return string(fingerprint.AppendJA4(nil, c.Hello, layer))
}
