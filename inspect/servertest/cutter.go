package servertest

import (
	"io"
	"net"
	"time"
)

// Cutter ends a connection when the client's second flight comes: what follows the server's own, and is no second hello.
type Cutter struct {
	net.Conn               // what is read and written
	TCP      net.Conn      // what is ended
	How      Reaction      // in which way
	Late     time.Duration // after which it is

	written bool
	record  []byte // that is being read
}

func (c *Cutter) Write(b []byte) (int, error) {
	c.written = true
	return c.Conn.Write(b)
}

func (c *Cutter) Read(b []byte) (int, error) {
	if len(c.record) == 0 {
		header := make([]byte, 5)
		if _, err := io.ReadFull(c.Conn, header); err != nil {
			return 0, err
		}
		c.record = append(header, make([]byte, int(header[3])<<8|int(header[4]))...)
		if _, err := io.ReadFull(c.Conn, c.record[5:]); err != nil {
			return 0, err
		}
		again := c.record[0] == 20 || c.record[0] == 22 && len(c.record) > 5 && c.record[5] == 1 // another hello, for a HelloRetryRequest
		if c.written && !again {
			if c.Late > 0 {
				<-time.After(c.Late)
			}
			React(c.TCP, c.How)
			c.TCP.Close()
			return 0, net.ErrClosed
		}
	}
	n := copy(b, c.record)
	c.record = c.record[n:]
	return n, nil
}
