package recording

// fields are what a record says about its client, as text of the line.
type fields struct {
	seen      uint32 // one bit a field
	time      []byte
	eventID   []byte
	transport []byte
	address   []byte
	raw       []byte // base64
	complete  bool
	sslv2     bool

	// For a hello without bytes: the text of what it is rebuilt from, and of the whole of it.
	hello            []byte
	parts            [partCount][]byte
	large, largeKeys [3][]byte // objects that nothing is rebuilt from, as text, and their keys
	odd              bool      // something in the hello is not of the type that it should have, or comes twice, or is rare
}

// place is an object of a record in which a field of interest lies.
type place uint8

const (
	elsewhere place = iota
	inRecord
	inEvent
	inClient
	inLeg
	inTLS
	inHello
	inMessage
)

// field is a field of interest.
type field uint8

const (
	none field = iota
	fieldSchema
	fieldTime
	fieldTransport
	fieldEvent
	fieldClient
	fieldLeg
	fieldTLS
	fieldHello
	fieldMessage
	fieldEventID
	fieldAddress
	fieldRaw
	fieldComplete
	fieldSSLv2
)

// fieldOf finds a key's field in its object. strange is a key that encoding/json might take for one of them in another spelling.
func fieldOf(in place, key []byte) (f field, strange bool) {
	switch in {
	case inRecord:
		switch string(key) {
		case "schema":
			return fieldSchema, false
		case "@timestamp":
			return fieldTime, false
		case "transport":
			return fieldTransport, false
		case "event":
			return fieldEvent, false
		case "client":
			return fieldClient, false
		case "client_leg":
			return fieldLeg, false
		case "compacted":
			return none, true // rare, and of a form of its own: the plain way
		}
	case inEvent:
		if string(key) == "id" {
			return fieldEventID, false
		}
	case inClient:
		if string(key) == "address" {
			return fieldAddress, false
		}
	case inLeg:
		if string(key) == "tls" {
			return fieldTLS, false
		}
	case inTLS:
		if string(key) == "client" {
			return fieldHello, false
		}
	case inHello:
		if string(key) == "hello" {
			return fieldMessage, false
		}
	case inMessage:
		switch string(key) {
		case "raw":
			return fieldRaw, false
		case "complete":
			return fieldComplete, false
		case "sslv2":
			return fieldSSLv2, false
		}
	}
	for _, c := range key {
		if 'A' <= c && c <= 'Z' {
			return none, true
		}
	}
	return none, false
}

// scanRecord finds the fields of a line that is a whole record, in the form that our own encoder gives it. False says nothing
// about the line but that it must go the plain way: what is malformed, what repeats a field or spells it in another way, what has
// a value of another type, and whose hello can neither be read nor rebuilt from what is here.
func scanRecord(line []byte, f *fields) bool {
	*f = fields{}
	s := scan{text: line}
	if s.next() != '{' || !s.object(f, inRecord) || s.next() != 0 || s.at != len(line) {
		return false
	}
	if f.seen&(1<<fieldSchema) == 0 {
		return false
	}
	return f.raw != nil || f.seen&(1<<fieldMessage) != 0 && f.complete && !f.odd
}

// object takes an object; outside of elsewhere its fields of interest go to f.
func (s *scan) object(f *fields, in place) bool {
	if s.depth++; s.depth > maxDepth {
		return false
	}
	s.at++
	if s.next() == '}' {
		s.at++
		s.depth--
		return true
	}
	for {
		if s.next() != '"' {
			return false
		}
		key, plain, ok := s.str()
		if !ok || s.next() != ':' {
			return false
		}
		s.at++
		if in == elsewhere {
			ok = s.value()
		} else {
			ok = plain && s.member(f, in, key)
		}
		if !ok {
			return false
		}
		switch s.next() {
		case ',':
			s.at++
		case '}':
			s.at++
			s.depth--
			return true
		default:
			return false
		}
	}
}

// member takes the value of a key.
func (s *scan) member(f *fields, in place, key []byte) bool {
	which, strange := fieldOf(in, key)
	if which == none {
		return !strange && s.unread(f, in, key)
	}
	if f.seen&(1<<which) != 0 {
		return false
	}
	f.seen |= 1 << which
	switch which {
	case fieldSchema:
		c := s.next()
		s.at++
		return c == '1' && s.at < len(s.text) && (s.text[s.at] == ',' || s.text[s.at] == '}')
	case fieldTime:
		return s.plain(&f.time)
	case fieldTransport:
		return s.plain(&f.transport)
	case fieldEventID:
		return s.plain(&f.eventID)
	case fieldAddress:
		return s.plain(&f.address)
	case fieldRaw:
		return s.plain(&f.raw) && len(f.raw) > 0
	case fieldComplete:
		return s.flag(&f.complete)
	case fieldSSLv2:
		return s.flag(&f.sslv2)
	}
	if s.next() != '{' {
		return false
	}
	start := s.at
	if !s.object(f, inside(which)) {
		return false
	}
	if which == fieldHello {
		f.hello = s.text[start:s.at]
	}
	return true
}

// inside is the object that is a field's value.
func inside(f field) place {
	switch f {
	case fieldEvent:
		return inEvent
	case fieldClient:
		return inClient
	case fieldLeg:
		return inLeg
	case fieldTLS:
		return inTLS
	case fieldHello:
		return inHello
	}
	return inMessage
}

// plain takes a string whose text is its value.
func (s *scan) plain(v *[]byte) bool {
	if s.next() != '"' {
		return false
	}
	value, plain, ok := s.str()
	*v = value
	return ok && plain
}

func (s *scan) flag(v *bool) bool {
	if s.next() == 't' {
		*v = true
		return s.word("true")
	}
	return s.word("false")
}
