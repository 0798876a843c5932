package keylog

import "bytes"

const defaultMaxClients = 1 << 16

// Store keeps secrets by the random of the ClientHello that they belong to. The zero value is empty and ready. It is not safe for
// concurrent use.
type Store struct {
	// MaxClients is how many ClientHellos' secrets are kept; 0: 65536, which is about 40 MB. Beyond that the oldest are forgotten.
	MaxClients int

	clients map[[randomSize]byte]*secrets
	order   [][randomSize]byte // in which they came: a ring once it is full
	oldest  int
	stats   Stats
}

// secrets are what is known of one connection. A slice for each label would cost more than the secrets.
type secrets struct {
	have  [labels]uint8  // length of a secret; 0: absent
	ends  [labels]uint16 // where in bytes it ends
	bytes []byte
}

// Stats counts what a Store was given.
type Stats struct {
	Lines     int
	Secrets   int // lines that were kept, be it only for a while
	Clients   int // ClientHellos whose secrets are kept now
	Legacy    int // lines that begin with RSA, which are found by what no record shows, and are left out
	Unknown   int // lines with labels that are not known
	Malformed int
	Evicted   int // ClientHellos that were forgotten for newer ones
}

// Add takes one line, with or without its end. Comments, empty lines, labels that are not known and the old RSA lines are counted and left
// out. The error is a *LineError.
func (s *Store) Add(line []byte) error {
	s.stats.Lines++
	parsed, kind, err := parseLine(line)
	if err != nil {
		s.stats.Malformed++
		err.Number = s.stats.Lines
		return err
	}
	switch kind {
	case lineLegacy:
		s.stats.Legacy++
	case lineUnknown:
		s.stats.Unknown++
	case lineSecret:
		s.stats.Secrets++
		// ECH secrets do not open records, and lead from the outer hello's random only.
		if parsed.label < ECHSecret {
			s.client(parsed.random).set(parsed.label, parsed.secret)
		}
	}
	return nil
}

// AddAll takes many lines: a file, or what a pcapng file has in a decryption secrets block. The error is that of the first bad line; the
// others are taken all the same.
func (s *Store) AddAll(b []byte) error {
	var first error
	for len(b) > 0 {
		line := b
		if end := bytes.IndexByte(b, '\n'); end >= 0 {
			line, b = b[:end], b[end+1:]
		} else {
			b = nil
		}
		if err := s.Add(line); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// client is the entry of a random; the oldest one gives way if there is no room.
func (s *Store) client(random [randomSize]byte) *secrets {
	if c := s.clients[random]; c != nil {
		return c
	}
	limit := s.MaxClients
	if limit <= 0 {
		limit = defaultMaxClients
	}
	if s.clients == nil {
		s.clients = map[[randomSize]byte]*secrets{}
	}
	if len(s.order) < limit {
		s.order = append(s.order, random)
	} else {
		delete(s.clients, s.order[s.oldest])
		s.order[s.oldest] = random
		s.oldest = (s.oldest + 1) % len(s.order)
		s.stats.Evicted++
	}
	c := &secrets{}
	s.clients[random] = c
	return c
}

// set keeps a secret. The first one of a label stays: a connection has no other, and no second line may blow the entry up.
func (c *secrets) set(l Label, secret []byte) {
	if c.have[l] != 0 {
		return
	}
	c.bytes = append(c.bytes, secret...)
	c.have[l] = uint8(len(secret))
	c.ends[l] = uint16(len(c.bytes))
}

func (c *secrets) secret(l Label) []byte {
	if c == nil || c.have[l] == 0 {
		return nil
	}
	end := int(c.ends[l])
	return c.bytes[end-int(c.have[l]) : end : end]
}

// Secret is the secret of a label for the connection of a ClientHello; nil if there is none. It must not be changed.
func (s *Store) Secret(clientRandom []byte, l Label) []byte {
	if len(clientRandom) != randomSize || l >= labels {
		return nil
	}
	return s.clients[[randomSize]byte(clientRandom)].secret(l)
}

// Stats is what the store was given so far.
func (s *Store) Stats() Stats {
	stats := s.stats
	stats.Clients = len(s.clients)
	return stats
}
