package inspect

import (
	"errors"
	"time"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Observer watches one leg: it is fed the bytes of both directions, in any portions, and turns what they say in the clear
// into a TLS. It keeps copies of what it needs and bounds them; bytes of application data are counted, never kept. It is
// not safe for concurrent use.
type Observer struct {
	describer      *Describer
	client, server stream
	history        history

	hello, retry    *wire.ClientHello // own copies
	helloErr        error
	helloVersion    wire.Version // of the record that the hello began in
	helloPieces     pieces
	retryPieces     pieces
	serverHello     *wire.ServerHello // own copy; the final one, or the HelloRetryRequest until it comes
	retryRequest    bool
	group           wire.NamedGroup
	scheme          wire.SignatureScheme
	protocol        string
	chain           [][]byte // TLS 1.2 and before: as presented
	clientChain     [][]byte
	request         *CertificateRequest
	stapled         bool
	alerts          []Alert
	sslv2           *wire.SSLv2ServerHello
	began, finished time.Time
}

type pieces struct{ records, segments int }

// stream is one direction.
type stream struct {
	reader    wire.Reader
	first     []byte // the first bytes, until it is clear whether they are TLS
	notTLS    bool   // the first bytes begin no record
	named     *FirstBytes
	messages  int // messages and records that were read
	segments  int
	changed   bool // ChangeCipherSpec was seen
	encrypted int  // encrypted handshake records (TLS 1.2 and before: Finished)
	flight    bool // TLS 1.3: an encrypted record too long to be an alert
	data      bool // application data, or what looks like it
	err       error
}

// How many of the first bytes are kept for naming what is not TLS.
const (
	maxFirstBytes = 256
	maxFirstLine  = 120
)

// An encrypted alert of TLS 1.3 is 2 bytes, a content type and a tag of 16 (RFC 8446, Section 5.2); the shortest Finished is
// 36 bytes before the same.
const shortestFinished = 36 + 1 + 8

// NewObserver makes an Observer. Those that share a Describer share what it remembers; nil gives it one of its own.
func NewObserver(d *Describer) *Observer {
	if d == nil {
		d = &Describer{}
	}
	o := &Observer{describer: d}
	o.client.reader.FromClient = true
	return o
}

func (o *Observer) side(from Side) *stream {
	if from == FromClient {
		return &o.client
	}
	return &o.server
}

// Feed shows the observer the next bytes of one direction; t is when they came. b is not kept.
func (o *Observer) Feed(from Side, b []byte, t time.Time) {
	if len(b) == 0 {
		return
	}
	if o.began.IsZero() {
		o.began = t
	}
	s := o.side(from)
	s.segments++
	if s.named != nil || s.err != nil {
		return
	}
	if s.messages == 0 && len(s.first) < maxFirstBytes {
		s.first = append(s.first, b[:min(len(b), maxFirstBytes-len(s.first))]...)
	}
	if s.notTLS {
		s.name(false)
		return
	}
	var m wire.Message
	s.reader.Feed(b)
	for s.reader.Next(&m) {
		s.messages++
		s.first = nil
		o.message(from, s, &m, t)
	}
	if err := s.reader.Err(); err != nil {
		o.broken(from, s, err)
	}
}

// broken notes that a direction cannot be read on. A stream that never was TLS is named by its first bytes.
func (o *Observer) broken(from Side, s *stream, err error) {
	var broken *wire.StreamError
	if s.messages == 0 && errors.As(err, &broken) && broken.Kind == wire.StreamNotTLS {
		s.notTLS = true
		s.name(false)
		return
	}
	s.err = err
	if from == FromClient && o.hello == nil && o.helloErr == nil {
		o.helloErr = err
	}
}

// name says what the first bytes are once that is certain, or at the end of what will come.
func (s *stream) name(end bool) {
	protocol, certain := wire.Sniff(s.first)
	if certain || end || len(s.first) == maxFirstBytes {
		s.named = &FirstBytes{Protocol: string(protocol), Summary: wire.FirstLine(s.first, maxFirstLine), Raw: s.first}
	}
}

// EndOfStream tells the observer that no more will come from a side. First bytes that were too few to tell are named then.
func (o *Observer) EndOfStream(from Side) {
	s := o.side(from)
	if s.messages == 0 && s.named == nil && len(s.first) > 0 && (s.notTLS || !s.reader.InRecord()) {
		s.name(true)
	}
}

// NotTLS reports that what a side sent is no TLS, be it that FirstBytes cannot name it yet.
func (o *Observer) NotTLS(from Side) bool { s := o.side(from); return s.notTLS || s.named != nil }

// FirstBytes is what a side sent where TLS was expected; nil when it sent TLS, nothing, or not enough to tell.
func (o *Observer) FirstBytes(from Side) *FirstBytes { return o.side(from).named }

// ClientHello is the client's first hello once it is whole. Its error says why it does not parse; both are nil before. The
// hello belongs to the observer.
func (o *Observer) ClientHello() (*wire.ClientHello, error) { return o.hello, o.helloErr }

// ServerHelloSeen reports whether the server chose parameters.
func (o *Observer) ServerHelloSeen() bool { return o.serverHello != nil }

// ServerChoseUnofferedVersion reports whether the server chose a version that the client did not offer. A hello without
// supported_versions offers its legacy version and all below.
func (o *Observer) ServerChoseUnofferedVersion() bool {
	if o.serverHello == nil || o.hello == nil {
		return false
	}
	chosen := o.serverHello.Version
	if o.hello.SupportedVersions.Len() > 0 {
		return !o.hello.SupportedVersions.Contains(chosen)
	}
	return chosen > o.hello.LegacyVersion
}

// ServerChoseUnofferedCipher reports whether the server chose a suite that the client did not offer.
func (o *Observer) ServerChoseUnofferedCipher() bool {
	return o.serverHello != nil && o.hello != nil && !o.hello.CipherSuites.Contains(o.serverHello.CipherSuite)
}

// Alert is the last fatal alert that one side sent in the clear.
func (o *Observer) Alert(from Side) (wire.AlertDescription, bool) {
	for i := len(o.alerts) - 1; i >= 0; i-- {
		if a := o.alerts[i]; a.From == from && a.Level == wire.AlertLevelFatal.String() {
			return wire.AlertDescription(a.Code), true
		}
	}
	return 0, false
}

// Established reports whether the handshake was done, as far as can be told from outside: both sides have sent what only
// comes with or after their Finished.
func (o *Observer) Established() bool {
	if o.serverHello == nil || o.serverHello.HelloRetryRequest {
		return false
	}
	if o.tls13() {
		return o.server.flight && o.client.flight
	}
	return o.client.encrypted > 0 && o.server.encrypted > 0
}

// Settled reports that nothing of interest will come in the clear any more.
func (o *Observer) Settled() bool {
	if o.client.notTLS || o.server.notTLS || o.client.err != nil || o.server.err != nil {
		return true
	}
	return o.Established() && (o.client.data || o.server.data)
}

func (o *Observer) tls13() bool {
	return o.serverHello != nil && (o.serverHello.Version == wire.VersionTLS13 || o.serverHello.Version.IsDraft())
}
