package foreign

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/recording"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Kind is a foreign form.
type Kind string

// Kinds.
const (
	TestSSL         Kind = "testssl"          // etc/client-simulation.txt of testssl.sh
	SSLLabs         Kind = "ssllabs"          // the JSON list of the SSL Labs API's getClients
	CurlImpersonate Kind = "curl-impersonate" // a signature in YAML
)

// Kinds are all of them.
func Kinds() []Kind { return []Kind{TestSSL, SSLLabs, CurlImpersonate} }

// maxFile bounds a file: the largest collections have a few megabytes.
const maxFile = 64 << 20

// Error is what is wrong with a file of a foreign form.
type Error struct {
	File  string
	Line  int    // 1-based; 0: the form has no lines
	Entry string // the client's name in the file, where it is known
	Err   error
}

func (e *Error) Error() string {
	place := e.File
	if e.Line > 0 {
		place = fmt.Sprintf("%s:%d", place, e.Line)
	}
	if e.Entry != "" {
		place += fmt.Sprintf(": %q", inspect.Bounded(e.Entry))
	}
	return place + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Import reads the hellos of a file. An *Error with an Entry is about one client, behind which reading goes on; any other error is
// the last.
func Import(kind Kind, r io.Reader, file string) iter.Seq2[*recording.Record, error] {
	return func(yield func(*recording.Record, error) bool) {
		data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
		switch {
		case err != nil:
			yield(nil, &Error{File: file, Err: err})
			return
		case len(data) > maxFile:
			yield(nil, &Error{File: file, Err: fmt.Errorf("larger than the bound of %d bytes", maxFile)})
			return
		}
		read := map[Kind]func([]byte, func(client) bool) error{TestSSL: testSSL, SSLLabs: sslLabs, CurlImpersonate: curlImpersonate}[kind]
		if read == nil {
			yield(nil, &Error{File: file, Err: fmt.Errorf("unknown kind %q", kind)})
			return
		}
		stopped := false
		err = read(data, func(c client) bool {
			record, err := c.record(kind)
			if err != nil {
				stopped = !yield(nil, &Error{File: file, Line: c.line, Entry: c.name, Err: err})
			} else {
				stopped = !yield(record, nil)
			}
			return !stopped
		})
		if err != nil && !stopped {
			var wrapped *Error
			if !errors.As(err, &wrapped) {
				wrapped = &Error{Err: err}
			}
			wrapped.File = file
			yield(nil, wrapped)
		}
	}
}

// client is one client of a file.
type client struct {
	name  string
	line  int
	bytes []byte // of the hello as sent, record header included; nil: offer has what is known
	offer *offer
	err   error // what is wrong with it
}

// record makes the record of a client.
func (c client) record(kind Kind) (*recording.Record, error) {
	if c.err != nil {
		return nil, c.err
	}
	origin := &recording.Origin{Kind: string(kind), Name: inspect.Bounded(c.name)}
	sent := c.bytes
	if sent == nil {
		if c.offer == nil {
			return nil, errors.New("neither the bytes of a hello nor what it offers")
		}
		var err error
		if sent, err = c.offer.bytes(); err != nil {
			return nil, err
		}
		origin.Note = "built from what the source lists: " + c.offer.made()
	}
	reader := wire.Reader{FromClient: true}
	reader.Feed(sent)
	var m wire.Message
	if !reader.Next(&m) || m.HandshakeType != wire.HandshakeTypeClientHello {
		if err := reader.Err(); err != nil {
			return nil, fmt.Errorf("no whole ClientHello: %w", err)
		}
		return nil, fmt.Errorf("no whole ClientHello in %d bytes", len(sent))
	}
	parse := wire.ParseClientHello
	if m.SSLv2 {
		parse = wire.ParseSSLv2ClientHello
	}
	h := new(wire.ClientHello)
	if err := parse(slices.Clone(m.Bytes), h); err != nil {
		return nil, err
	}
	var version wire.Version
	if !m.SSLv2 {
		version = wire.Version(sent[1])<<8 | wire.Version(sent[2])
	}
	r := &recording.Record{Origin: origin}
	r.Schema, r.Transport = inspect.SchemaVersion, inspect.TransportTCP
	r.Event = inspect.Event{Source: recording.SourceRecording, Outcome: inspect.Unknown}
	hello := inspect.DescribeHello(h, version, inspect.TransportTCP)
	hello.Message.Records = 1
	r.ClientLeg = &inspect.Leg{TLS: &inspect.TLS{Client: hello}}
	return r, nil
}

// digits are the bytes in hexadecimal digits, however they are grouped.
func digits(text string) ([]byte, error) {
	text = strings.Map(func(r rune) rune {
		switch r {
		case ' ', '\t', ',', ':', '\n', '\r':
			return -1
		}
		return r
	}, text)
	text = strings.ReplaceAll(text, "x", "") // \x16\x03 and x16,x03
	return hex.DecodeString(strings.ReplaceAll(text, `\`, ""))
}
