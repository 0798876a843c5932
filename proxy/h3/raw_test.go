package h3

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/quicwire"
)

// rawClient sends what a test wants to a proxy, in Initial packets of its own making.
type rawClient struct {
	t       testing.TB
	udp     *net.UDPConn
	to      *net.UDPAddr
	version quicwire.Version
	header  quicwire.Header
	keys    *quicwire.Keys
	number  uint64
}

func newRawClient(t testing.TB, to *net.UDPAddr) *rawClient {
	t.Helper()
	return (&rawClient{t: t, udp: udpSocket(t), to: to}).again()
}

// again begins another connection from the same address.
func (c *rawClient) again() *rawClient {
	c.t.Helper()
	ids := make([]byte, 16)
	rand.Read(ids)
	next := &rawClient{t: c.t, udp: c.udp, to: c.to, version: quicwire.Version1}
	next.header = quicwire.Header{Type: quicwire.PacketInitial, Version: quicwire.Version1, DestinationID: ids[:8], SourceID: ids[8:]}
	keys, _, err := quicwire.InitialKeys(quicwire.Version1, ids[:8])
	if err != nil {
		c.t.Fatal(err)
	}
	next.keys = keys
	return next
}

// initial is a datagram of a size with a part of a hello.
func (c *rawClient) initial(offset int, part []byte, size int) []byte {
	frames := quicwire.AppendCrypto(nil, offset, part)
	overhead := len(c.keys.Seal(nil, &c.header, c.number, make([]byte, 1024))) - 1024
	for len(frames)+overhead < size {
		frames = append(frames, 0)
	}
	c.number++
	return c.keys.Seal(nil, &c.header, c.number-1, frames)
}

func (c *rawClient) send(b []byte) {
	c.t.Helper()
	if _, err := c.udp.WriteToUDP(b, c.to); err != nil {
		c.t.Fatal(err)
	}
}

// answer is the next datagram that comes; nil: none did for a while.
func (c *rawClient) answer(within time.Duration) []byte {
	c.t.Helper()
	b := make([]byte, 1<<16)
	c.udp.SetReadDeadline(time.Now().Add(within))
	n, err := c.udp.Read(b)
	if err != nil {
		return nil
	}
	return b[:n]
}

// read reads what came for this client's connection.
func (c *rawClient) read(sent [][]byte, answers ...[]byte) *quicwire.Flow {
	c.t.Helper()
	f := &quicwire.Flow{}
	for _, b := range sent {
		_ = f.Datagram(quicwire.FromClient, b)
	}
	for _, b := range answers {
		_ = f.Datagram(quicwire.FromServer, b)
	}
	return f
}

// hello is the ClientHello of crypto/tls over QUIC, of a client whose own connection id is source.
func hello(t testing.TB, config *tls.Config, source ...byte) []byte {
	t.Helper()
	config = config.Clone()
	config.MinVersion = tls.VersionTLS13
	c := tls.QUICClient(&tls.QUICConfig{TLSConfig: config})
	c.SetTransportParameters(slices.Concat(
		[]byte{0x0f, byte(len(source))}, source, // initial_source_connection_id
		[]byte{0x01, 0x02, 0x67, 0x10, 0x04, 0x04, 0x80, 0x10, 0x00, 0x00})) // max_idle_timeout, initial_max_data
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := c.Start(ctx); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for {
		switch e := c.NextEvent(); e.Kind {
		case tls.QUICWriteData:
			return append([]byte(nil), e.Data...)
		case tls.QUICNoEvent:
			t.Fatal("no hello")
		}
	}
}

// await waits until a condition holds.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	every := time.NewTicker(5 * time.Millisecond)
	defer every.Stop()
	late := time.After(patience)
	for !holds() {
		select {
		case <-every.C:
		case <-late:
			t.Fatal("never: " + what)
		}
	}
}
