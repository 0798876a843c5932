package why_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/why"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// cutAtReply ends a connection when the client's second flight comes: what follows the server's own, and is no second hello.
type cutAtReply struct {
	net.Conn
	tcp     net.Conn
	how     reaction
	late    time.Duration // after which it does
	written bool
	record  []byte // that is being read
}

func (c *cutAtReply) Write(b []byte) (int, error) {
	c.written = true
	return c.Conn.Write(b)
}

func (c *cutAtReply) Read(b []byte) (int, error) {
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
			if c.late > 0 {
				<-time.After(c.late)
			}
			react(c.tcp, c.how)
			c.tcp.Close()
			return 0, net.ErrClosed
		}
	}
	n := copy(b, c.record)
	c.record = c.record[n:]
	return n, nil
}

// finishedCutter is a server whose connections are ended when the client's Finished comes, for the hellos that the condition is true of.
func finishedCutter(t *testing.T, how reaction, condition func(*wire.ClientHello) bool) string {
	return lateCutter(t, how, condition, func(int) time.Duration { return 0 })
}

// lateCutter takes its time to end a connection, by its number.
func lateCutter(t *testing.T, how reaction, condition func(*wire.ClientHello) bool, late func(n int) time.Duration) string {
	config := &tls.Config{Certificates: []tls.Certificate{identityOf(t, "ecdsa").Certificate}, MinVersion: tls.VersionTLS10}
	return serve(t, func(number int, conn net.Conn) {
		r := wire.Reader{FromClient: true}
		var m wire.Message
		var hello wire.ClientHello
		var raw []byte
		room := make([]byte, 16<<10)
		for {
			n, err := conn.Read(room)
			raw = append(raw, room[:n]...)
			r.Feed(bytes.Clone(room[:n]))
			if r.Next(&m) {
				break
			}
			if err != nil || r.Err() != nil {
				return
			}
		}
		if m.SSLv2 || wire.ParseClientHello(bytes.Clone(m.Bytes), &hello) != nil {
			return
		}
		var through net.Conn = &replayed{conn, raw}
		if condition(&hello) {
			through = &cutAtReply{Conn: through, tcp: conn, how: how, late: late(number)}
		}
		serveTLS(through, config)
	})
}

// An endpoint that answers and ends the connection when the handshake is about to be finished accepts no hello.
func TestHandshakesThatAreCutBehindTheFlight(t *testing.T) {
	t.Parallel()
	always := func(*wire.ClientHello) bool { return true }
	for _, test := range []struct {
		name      string
		how       reaction
		condition func(*wire.ClientHello) bool
		hello     *probe.Hello
		cause     string
		says      string
	}{
		{"TLS 1.3, reset", reset, always, modern(serverName, nil), why.HandshakeCut, "resets the connection as soon as the client's Finished comes"},
		{"TLS 1.3, closed", shut, always, modern(serverName, nil), why.HandshakeCut, "Finished comes"}, // with bytes unread, that is a reset, too
		{"TLS 1.2, reset", reset, always, older(nil), why.HandshakeCut, "resets the connection as soon as the client's Finished comes"},
		{"one group, reset", reset, func(h *wire.ClientHello) bool { return h.SupportedGroups.Contains(wire.GroupX25519MLKEM768) }, postQuantum(), why.GroupIntolerance, "X25519MLKEM768"},
		{"TLS 1.2 alone, reset", reset, func(h *wire.ClientHello) bool { return h.SupportedVersions.Len() == 0 }, older(nil), why.NoCommonVersion, "TLSv1.3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := (&why.Experiment{Target: probe.Target{Address: finishedCutter(t, test.how, test.condition)}, Hello: test.hello}).Run(t.Context())
			if r.Verdict != why.Explained || len(r.Causes) != 1 || r.Cause != test.cause || !strings.Contains(r.Sentence, test.says) || r.Probes[0].Works {
				text, _ := json.MarshalIndent(r, "", " ")
				t.Errorf("not %s: %s", test.cause, text)
			}
		})
	}
}

// One that finishes the handshake, and resets the connection when anything follows it, accepts the hello, and is not called well.
func TestConnectionsThatAreResetBehindTheHandshake(t *testing.T) {
	t.Parallel()
	config := &tls.Config{Certificates: []tls.Certificate{identityOf(t, "ecdsa").Certificate}, SessionTicketsDisabled: true}
	address := serve(t, func(_ int, conn net.Conn) {
		c := tls.Server(conn, config)
		if c.Handshake() == nil {
			_, _ = c.Read(make([]byte, 1)) // whatever it is: a request, or the end
		}
		react(conn, reset)
	})
	r := (&why.Experiment{Target: probe.Target{Address: address}, Hello: modern(serverName, nil)}).Run(t.Context())
	if r.Verdict != why.NoFailure || len(r.Causes) != 0 || !strings.Contains(r.Sentence, "reset as soon as anything follows it") || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "HTTP request behind the handshake") {
		text, _ := json.MarshalIndent(r, "", " ")
		t.Errorf("%s", text)
	}
}
