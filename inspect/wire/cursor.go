package wire

// cursor walks over the bytes of one message or extension, field by field in the order of its RFC's picture. The first
// thing that does not fit is kept as err; from then on every read gives zero values, and vectors what is left of them. A
// failed cursor is empty, so a loop over its rest ends.
type cursor struct {
	rest []byte
	path string
	err  *ParseError
}

// fail keeps the first error.
func (c *cursor) fail(field string, kind ParseErrorKind, got, want int) {
	c.rest = nil
	if c.err != nil {
		return
	}
	path := c.path
	if field != "" {
		path += ": " + field
	}
	c.err = &ParseError{Path: path, Kind: kind, Got: got, Want: want}
}

func (c *cursor) short(field string, want int) { c.fail(field, ErrShort, len(c.rest), want) }

func (c *cursor) u8(field string) byte {
	if len(c.rest) < 1 {
		c.short(field, 1)
		return 0
	}
	v := c.rest[0]
	c.rest = c.rest[1:]
	return v
}

func (c *cursor) u16(field string) uint16 {
	if len(c.rest) < 2 {
		c.short(field, 2)
		return 0
	}
	v := uint16(c.rest[0])<<8 | uint16(c.rest[1])
	c.rest = c.rest[2:]
	return v
}

func (c *cursor) u24(field string) int {
	if len(c.rest) < 3 {
		c.short(field, 3)
		return 0
	}
	v := int(c.rest[0])<<16 | int(c.rest[1])<<8 | int(c.rest[2])
	c.rest = c.rest[3:]
	return v
}

func (c *cursor) u32(field string) uint32 {
	if len(c.rest) < 4 {
		c.short(field, 4)
		return 0
	}
	v := uint32(c.rest[0])<<24 | uint32(c.rest[1])<<16 | uint32(c.rest[2])<<8 | uint32(c.rest[3])
	c.rest = c.rest[4:]
	return v
}

// bytes takes n bytes; if there are fewer it fails and gives those.
func (c *cursor) bytes(field string, n int) []byte {
	if n > len(c.rest) {
		b := c.rest
		c.short(field, n)
		return b
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	return b
}

// vector takes n bytes that a length field announced; if there are fewer it fails and gives those.
func (c *cursor) vector(field string, n int) []byte {
	if n > len(c.rest) {
		b := c.rest
		c.fail(field, ErrLength, n, len(b))
		return b
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	return b
}

func (c *cursor) vector8(field string) []byte {
	if c.err != nil {
		c.rest = nil
		return nil
	}
	n := int(c.u8(field))
	return c.vector(field, n)
}

func (c *cursor) vector16(field string) []byte {
	if c.err != nil {
		c.rest = nil
		return nil
	}
	n := int(c.u16(field))
	return c.vector(field, n)
}

func (c *cursor) vector24(field string) []byte {
	if c.err != nil {
		c.rest = nil
		return nil
	}
	n := c.u24(field)
	return c.vector(field, n)
}

// codes8 takes a vector of 16-bit code points with a one-byte length. It must not be empty.
func codes8[T ~uint16](c *cursor, field string) List[T] { return codes[T](c, field, c.vector8(field)) }

// codes16 is codes8 with a two-byte length.
func codes16[T ~uint16](c *cursor, field string) List[T] {
	return codes[T](c, field, c.vector16(field))
}

func codes[T ~uint16](c *cursor, field string, b []byte) List[T] {
	switch {
	case len(b)%2 != 0:
		c.fail(field, ErrUneven, len(b), 2)
		b = b[:len(b)-1]
	case len(b) == 0:
		c.fail(field, ErrEmpty, 0, 1)
	}
	return List[T](b)
}

// filled takes b for a vector that must not be empty.
func (c *cursor) filled(field string, b []byte) []byte {
	if len(b) == 0 {
		c.fail(field, ErrEmpty, 0, 1)
	}
	return b
}

// end fails if bytes are left.
func (c *cursor) end(field string) {
	if len(c.rest) != 0 {
		c.fail(field, ErrTrailing, len(c.rest), 0)
	}
}

// error gives err as an error, nil as nil.
func (c *cursor) error() error {
	if c.err == nil {
		return nil
	}
	return c.err
}

// keep takes over another cursor's error unless there is one already.
func (c *cursor) keep(err *ParseError) {
	if c.err == nil && err != nil {
		c.err, c.rest = err, nil
	}
}

// message opens the cursor on a handshake message: type, three bytes of length (RFC 8446, Section 4), body. A message that
// is shorter or longer than its header says is refused, but what there is of the body is read.
func (c *cursor) message(msg []byte, want HandshakeType) {
	c.rest = msg
	if len(msg) < 4 {
		c.short("header", 4)
		return
	}
	if HandshakeType(msg[0]) != want {
		c.fail("header", ErrType, int(msg[0]), int(want))
		return
	}
	n := int(msg[1])<<16 | int(msg[2])<<8 | int(msg[3])
	body := msg[4:]
	switch {
	case n > len(body):
		c.fail("header", ErrLength, n, len(body))
	case n < len(body):
		c.fail("header", ErrTrailing, len(body)-n, 0)
		body = body[:n]
	}
	c.rest = body
}
