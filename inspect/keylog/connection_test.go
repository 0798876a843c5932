package keylog_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/keylog"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// tap is a connection that keeps what goes either way.
type tap struct {
	net.Conn
	mu         sync.Mutex
	sent, read bytes.Buffer
}

func (c *tap) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read.Write(b[:n])
	return n, err
}

func (c *tap) Write(b []byte) (int, error) {
	c.mu.Lock()
	c.sent.Write(b)
	c.mu.Unlock()
	return c.Conn.Write(b)
}

// relay accepts one connection and passes it on to a server; what goes either way is returned when both are done.
func relay(t *testing.T, to string) (address string, done <-chan [2][]byte) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	result := make(chan [2][]byte, 1)
	go func() {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		defer client.Close()
		server, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		defer server.Close()
		var there, back bytes.Buffer
		var both sync.WaitGroup
		pass := func(from, to net.Conn, keep *bytes.Buffer) {
			_, _ = io.Copy(io.MultiWriter(keep, to), from) // ends with either side
			_ = to.(*net.TCPConn).CloseWrite()
		}
		both.Go(func() { pass(client, server, &there) })
		both.Go(func() { pass(server, client, &back) })
		both.Wait()
		result <- [2][]byte{there.Bytes(), back.Bytes()}
	}()
	return listener.Addr().String(), result
}

// record is a record as it went over the wire.
type record struct {
	contentType byte
	version     uint16
	payload     []byte
}

// records splits a stream; what is behind the last whole record is left out.
func records(b []byte) (all []record) {
	for len(b) >= 5 {
		n := 5 + int(binary.BigEndian.Uint16(b[3:]))
		if n > len(b) {
			break
		}
		all = append(all, record{b[0], binary.BigEndian.Uint16(b[1:]), b[5:n]})
		b = b[n:]
	}
	return all
}

// hello gives the first handshake message of a type that is no HelloRetryRequest.
func hello(all []record, want wire.HandshakeType) []byte {
	var b []byte
	for _, r := range all {
		if r.contentType != byte(wire.ContentTypeHandshake) {
			if len(b) > 0 && r.contentType == byte(wire.ContentTypeChangeCipherSpec) {
				continue
			}
			break
		}
		b = append(b, r.payload...)
	}
	for len(b) >= 4 {
		n := 4 + int(b[1])<<16 + int(b[2])<<8 + int(b[3])
		if n > len(b) {
			return nil
		}
		var s wire.ServerHello
		if b[0] == byte(want) && (want != wire.HandshakeTypeServerHello || wire.ParseServerHello(b[:n], &s) == nil && !s.HelloRetryRequest) {
			return b[:n]
		}
		b = b[n:]
	}
	return nil
}

// negotiated reads from both streams what the openers need.
func negotiated(streams [2][]byte) (keylog.Connection, error) {
	var client wire.ClientHello
	var server wire.ServerHello
	if err := wire.ParseClientHello(hello(records(streams[0]), wire.HandshakeTypeClientHello), &client); err != nil {
		return keylog.Connection{}, err
	}
	if err := wire.ParseServerHello(hello(records(streams[1]), wire.HandshakeTypeServerHello), &server); err != nil {
		return keylog.Connection{}, err
	}
	return keylog.Connection{
		Version: uint16(server.Version), Suite: uint16(server.CipherSuite), ClientRandom: client.Random, ServerRandom: server.Random,
		EncryptThenMAC: server.Extensions.Has(wire.ExtensionEncryptThenMAC),
	}, nil
}

// opened is what was in a side's encrypted records.
type opened struct {
	handshakes map[wire.HandshakeType]int
	alerts     []wire.AlertDescription
	data       bytes.Buffer
	records    int
	handshake  bytes.Buffer
}

// open opens the encrypted records of a side.
func open(store *keylog.Store, c keylog.Connection, from keylog.Side, stream []byte) (*opened, error) {
	opener, err := store.ForTLS(c, from)
	if err != nil {
		return nil, err
	}
	out := &opened{handshakes: map[wire.HandshakeType]int{}}
	changed := c.Version == uint16(wire.VersionTLS13)
	for _, r := range records(stream) {
		switch {
		case c.Version == uint16(wire.VersionTLS13) && r.contentType != byte(wire.ContentTypeApplicationData):
			continue
		case !changed:
			changed = r.contentType == byte(wire.ContentTypeChangeCipherSpec)
			continue
		}
		inner, b, err := opener.Open(r.contentType, r.version, r.payload)
		if err != nil {
			return out, fmt.Errorf("record %d of %s, %d bytes: %w", out.records, wire.ContentType(r.contentType), len(r.payload), err)
		}
		out.records++
		switch wire.ContentType(inner) {
		case wire.ContentTypeHandshake:
			out.handshake.Write(b)
		case wire.ContentTypeAlert:
			if len(b) != 2 {
				return out, errors.New("an alert that is not two bytes")
			}
			out.alerts = append(out.alerts, wire.AlertDescription(b[1]))
		case wire.ContentTypeApplicationData:
			out.data.Write(b)
		default:
			return out, fmt.Errorf("content type %d", inner)
		}
	}
	for b := out.handshake.Bytes(); len(b) >= 4; {
		n := 4 + int(b[1])<<16 + int(b[2])<<8 + int(b[3])
		if n > len(b) {
			return out, errors.New("a message that is cut")
		}
		out.handshakes[wire.HandshakeType(b[0])]++
		b = b[n:]
	}
	return out, nil
}

// check opens both sides of a connection and wants of each its Finished and what it said.
func check(t *testing.T, store *keylog.Store, streams [2][]byte, said [2]string) (c keylog.Connection, sides [2]*opened) {
	t.Helper()
	c, err := negotiated(streams)
	if err != nil {
		t.Fatalf("hellos: %v", err)
	}
	for from := range sides {
		side, err := open(store, c, keylog.Side(from), streams[from])
		if err != nil {
			t.Fatalf("version %s, suite %s, side %d: %v", wire.Version(c.Version), wire.CipherSuite(c.Suite), from, err)
		}
		if side.handshakes[wire.HandshakeTypeFinished] != 1 {
			t.Errorf("side %d: messages %v, want one Finished", from, side.handshakes)
		}
		if !bytes.Contains(side.data.Bytes(), []byte(said[from])) {
			t.Errorf("side %d said %q, want %q", from, side.data.Bytes(), said[from])
		}
		if c.Version == uint16(wire.VersionTLS13) && from == 1 && side.handshakes[wire.HandshakeTypeEncryptedExtensions] != 1 {
			t.Errorf("messages %v, want EncryptedExtensions", side.handshakes)
		}
		sides[from] = side
	}
	return c, sides
}
