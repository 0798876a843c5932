package keylog

import "encoding/binary"

// firstWithHeader is the first draft that authenticates the record's header.
const firstWithHeader = 25

// stages are the keys of one side of a TLS 1.3 connection in the order of their use (RFC 8446, Section 7.1).
type stages struct {
	all    []*stage
	now    int
	seq    uint64
	update bool // the last of all is the application's, which has successors
}

// stage is a traffic secret with what it opens.
type stage struct {
	suite  suite
	secret []byte
	opener sealed
}

func (s *Store) forTLS13(c *Connection, info suite, draft int, from Side) (*Opener, error) {
	order := []Label{ServerHandshakeTraffic, ServerTraffic0}
	if from == FromClient {
		order = []Label{ClientEarlyTraffic, ClientHandshakeTraffic, ClientTraffic0}
	}
	all := &stages{}
	for _, l := range order {
		secret := s.Secret(c.ClientRandom, l)
		if secret == nil {
			continue
		}
		// Early data has the suite of the connection that it resumes (RFC 8446, Section 4.2.10): mostly the same.
		if st := newStage(info, secret, draft == 0 || draft >= firstWithHeader); st != nil {
			all.all = append(all.all, st)
			all.update = l == ClientTraffic0 || l == ServerTraffic0
		}
	}
	if len(all.all) == 0 {
		return nil, ErrNoSecret
	}
	return &Opener{modern: all}, nil
}

// newStage derives the keys of a traffic secret (RFC 8446, Section 7.3); nil if the secret is not as long as the suite's hash.
func newStage(info suite, secret []byte, header bool) *stage {
	if len(secret) != info.prf.Size() {
		return nil
	}
	key, err := expandLabel(info.prf, secret, "key", info.key)
	if err != nil {
		return nil
	}
	iv, err := expandLabel(info.prf, secret, "iv", nonceSize)
	if err != nil {
		return nil
	}
	aead, ok := newAEAD(info, key)
	if !ok {
		return nil
	}
	return &stage{suite: info, secret: secret, opener: sealed{aead: aead, iv: [nonceSize]byte(iv), header: header}}
}

// next is the stage after a key update (RFC 8446, Section 7.2).
func (s *stage) next() *stage {
	secret, err := expandLabel(s.suite.prf, s.secret, "traffic upd", s.suite.prf.Size())
	if err != nil {
		return nil
	}
	return newStage(s.suite, secret, s.opener.header)
}

// open tries the keys in use and those that may follow: a key that is not the record's fails, whatever the record says. So nothing has to be
// read of the messages that announce a change, and a secret that is missing closes no more than what it protects.
func (s *stages) open(buf *[]byte, contentType uint8, version uint16, payload []byte) (inner uint8, plaintext []byte, err error) {
	for i := s.now; i < len(s.all); i++ {
		seq := uint64(0)
		if i == s.now {
			seq = s.seq
		}
		if b, ok := s.all[i].opener.open((*buf)[:0], seq, contentType, version, payload); ok {
			s.now, s.seq = i, seq+1
			return unpad(buf, b)
		}
	}
	if !s.update || s.now != len(s.all)-1 {
		return 0, nil, ErrNotOpened
	}
	// A key update follows at least one record, the KeyUpdate message.
	if next := s.all[s.now].next(); next != nil && s.seq > 0 {
		if b, ok := next.opener.open((*buf)[:0], 0, contentType, version, payload); ok {
			s.all[s.now], s.seq = next, 1
			return unpad(buf, b)
		}
	}
	return 0, nil, ErrNotOpened
}

// unpad takes the padding and the content type off (RFC 8446, Section 5.4).
func unpad(buf *[]byte, b []byte) (inner uint8, plaintext []byte, err error) {
	*buf = b[:0]
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] != 0 {
			return b[i], b[:i:i], nil
		}
	}
	return 0, nil, ErrNotOpened
}

// sealed opens records of TLS 1.3 (RFC 8446, Section 5.2).
type sealed struct {
	aead   aead
	iv     [nonceSize]byte
	header bool // the record's header is authenticated
}

func (p *sealed) open(dst []byte, seq uint64, contentType uint8, version uint16, payload []byte) ([]byte, bool) {
	nonce := p.iv
	xorSequence(&nonce, seq)
	header := [5]byte{contentType}
	binary.BigEndian.PutUint16(header[1:], version)
	binary.BigEndian.PutUint16(header[3:], uint16(len(payload)))
	if !p.header {
		return p.aead.open(dst, nonce[:], payload, nil)
	}
	return p.aead.open(dst, nonce[:], payload, header[:])
}

// xorSequence makes a record's nonce of the connection's (RFC 8446, Section 5.3; RFC 7905, Section 2).
func xorSequence(nonce *[nonceSize]byte, seq uint64) {
	for i := range 8 {
		nonce[nonceSize-1-i] ^= byte(seq >> (8 * i))
	}
}
