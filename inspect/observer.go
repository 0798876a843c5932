package inspect

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Observer watches one leg: it is fed the bytes of both directions, in any portions, and turns what they say in the clear
// into a TLS. It keeps copies of what it needs and bounds them; bytes of application data are counted, never kept. It is
// not safe for concurrent use.
type Observer struct {
	describer      *Describer
	transport      string
	client, server stream
	history        history

	hello, retry    helloSeen
	store           wire.ClientHello // hello's
	helloErr        error
	retryRequest    bool // a HelloRetryRequest came
	chosen          selection
	group           wire.NamedGroup
	scheme          wire.SignatureScheme
	protocol        string
	chain           []Certificate // TLS 1.2 and before: as presented
	chainSent       int           // how many came, those beyond the bound included
	clientLeaf      []byte        // of the client's chain
	clientPresented bool          // the client answered with a Certificate message, be it empty
	request         *CertificateRequest
	stapled         bool
	alerts          []Alert
	sslv2           bool // the server answered in SSLv2
	began, finished time.Time
}

// helloSeen is a hello of the client: own bytes, and how they came.
type helloSeen struct {
	message           *wire.ClientHello // nil: none came
	recordVersion     wire.Version      // of the record that it began in
	records, segments int
}

// selection is what a ServerHello says, or a HelloRetryRequest until the ServerHello comes.
type selection struct {
	seen, final bool // final: the ServerHello itself
	version     wire.Version
	tls13       bool
	cipher      wire.CipherSuite
	cipherName  string
	shortTag    bool // the suite's authentication tag has 8 bytes instead of 16
	longHash    bool // the suite's hash has 48 bytes instead of 32
	psk         bool // TLS 1.3: a pre-shared key was accepted
	scts        int
}

// stream is one direction.
type stream struct {
	reader    wire.Reader
	first     []byte // the first bytes, until they make a message
	notTLS    bool   // the first bytes begin no record
	named     *FirstBytes
	messages  int // messages and records that were read
	segments  int
	changed   bool // ChangeCipherSpec was seen
	done      bool // ServerHelloDone was seen
	encrypted bool // an encrypted handshake record was seen (TLS 1.2 and before: Finished)
	flight    bool // TLS 1.3: an encrypted record that can be no alert
	data      bool // application data, or what looks like it
	err       error
}

// over reports that nothing more can be read from the stream.
func (s *stream) over() bool { return s.named != nil || s.err != nil }

// Bounds on what is kept for naming what is not TLS, and on a handshake message behind the first one. crypto/tls takes
// certificates of up to 256 KiB, OpenSSL of up to 100 KiB.
const (
	maxFirstBytes = 256
	maxFirstLine  = 120
	maxMessage    = 256<<10 + 4
)

// NewObserver makes an Observer. Those that share a Describer share what it remembers; nil gives it one of its own.
func NewObserver(d *Describer) *Observer {
	o := &Observer{}
	o.client.reader.FromClient = true
	o.client.reader.MaxMessage, o.server.reader.MaxMessage = maxMessage, maxMessage
	o.server.reader.MaxHello = maxMessage
	o.Reset(d)
	return o
}

// Reset makes the observer ready for another leg. What TLS and FirstBytes gave out stays as it is; what ClientHello gave out
// does not.
func (o *Observer) Reset(d *Describer) {
	if d == nil {
		d = &Describer{}
	}
	client, server := &o.client.reader, &o.server.reader
	client.Reset()
	server.Reset()
	*o = Observer{describer: d, transport: TransportTCP, client: stream{reader: *client}, server: stream{reader: *server}}
}

// SetTransport says what carries the bytes, where it is not TransportTCP: fingerprints tell it.
func (o *Observer) SetTransport(transport string) { o.transport = transport }

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
	if s.named != nil {
		return
	}
	if !s.notTLS && s.err == nil {
		var m wire.Message
		s.reader.Feed(b)
		for s.reader.Next(&m) {
			s.messages++
			o.message(from, s, &m, t)
		}
	}
	if s.messages > 0 {
		s.first = nil
	} else if len(s.first) < maxFirstBytes {
		s.first = append(s.first, b[:min(len(b), maxFirstBytes-len(s.first))]...)
	}
	if s.notTLS {
		s.name(false)
	} else if err := s.reader.Err(); err != nil && s.err == nil {
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
	if from == FromClient && o.hello.message == nil && o.helloErr == nil {
		o.helloErr = err
	}
}

// name says what the first bytes are once that is certain, or at the end of what will come.
func (s *stream) name(end bool) {
	protocol, certain := wire.Sniff(s.first)
	if certain || end || len(s.first) == maxFirstBytes {
		kept := withoutSecrets(protocol, s.first)
		s.named = &FirstBytes{Protocol: string(protocol), Summary: wire.FirstLine(kept, maxFirstLine), Raw: kept}
	}
}

// withoutSecrets leaves of an HTTP message its first line, and of its target the path: tokens and cookies stand in the query
// and in the fields behind it.
func withoutSecrets(p wire.Protocol, first []byte) []byte {
	switch p {
	case wire.ProtocolHTTP, wire.ProtocolHTTPResponse, wire.ProtocolRTSP, wire.ProtocolSIP:
	default:
		return first
	}
	line, _, _ := bytes.Cut(first, []byte("\n"))
	if target, rest, ok := bytes.Cut(line, []byte("?")); ok && p != wire.ProtocolHTTPResponse {
		_, version, _ := bytes.Cut(rest, []byte(" "))
		line = slices.Concat(target, []byte("?... "), version)
	}
	return line
}

// EndOfStream tells the observer that no more will come from a side. First bytes that were too few to tell are named then.
func (o *Observer) EndOfStream(from Side) {
	if s := o.side(from); s.notTLS && s.named == nil {
		s.name(true)
	}
}

// NotTLS reports that what a side sent is no TLS, be it that FirstBytes cannot name it yet.
func (o *Observer) NotTLS(from Side) bool { return o.side(from).notTLS }

// FirstBytes is what a side sent where TLS was expected; nil when it sent TLS, nothing, or not enough to tell.
func (o *Observer) FirstBytes(from Side) *FirstBytes { return o.side(from).named }

// FirstMessageError says that a client did not begin with a ClientHello.
type FirstMessageError struct {
	ContentType   wire.ContentType
	HandshakeType wire.HandshakeType // of a handshake message in the clear
}

func (e *FirstMessageError) Error() string {
	if e.ContentType == wire.ContentTypeHandshake {
		return fmt.Sprintf("inspect: the client's first message is %s, not client_hello", e.HandshakeType)
	}
	return fmt.Sprintf("inspect: the client's first record is %s, not a client_hello", e.ContentType)
}

// ClientHello is the client's first hello once it is whole; both are nil before. The error says why it does not parse (a
// *wire.ParseError, beside as much of the hello as could be read), why it will never be whole (*wire.StreamError), or what
// came in its place (*FirstMessageError). The hello belongs to the observer.
func (o *Observer) ClientHello() (*wire.ClientHello, error) { return o.hello.message, o.helloErr }

// ServerHelloSeen reports whether the server chose parameters.
func (o *Observer) ServerHelloSeen() bool { return o.chosen.seen }

// ServerChoseUnofferedVersion reports whether the server chose a version that the client did not offer. A hello without
// supported_versions offers its legacy version and all below.
func (o *Observer) ServerChoseUnofferedVersion() bool {
	hello := o.hello.message
	if !o.chosen.seen || hello == nil {
		return false
	}
	if hello.SupportedVersions.Len() > 0 {
		return !hello.SupportedVersions.Contains(o.chosen.version)
	}
	return o.chosen.version > hello.LegacyVersion
}

// ServerChoseUnofferedCipher reports whether the server chose a suite that the client did not offer.
func (o *Observer) ServerChoseUnofferedCipher() bool {
	return o.chosen.seen && o.hello.message != nil && !o.hello.message.CipherSuites.Contains(o.chosen.cipher)
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
// comes with or after their Finished. Of an SSLv2 handshake nothing can be told.
func (o *Observer) Established() bool {
	if !o.chosen.final {
		return false
	}
	if o.chosen.tls13 {
		return o.server.flight && o.client.flight
	}
	return o.client.encrypted && o.server.encrypted
}

// Settled reports that nothing of interest will come in the clear any more: the handshake is over and bytes flow, or neither
// side can be read on. While one of them can, it may still say in an alert why.
func (o *Observer) Settled() bool {
	if o.sslv2 || o.Established() && (o.client.data || o.server.data) {
		return true
	}
	return (o.client.over() || o.client.data) && (o.server.over() || o.server.data)
}
