package why_test

import (
	"crypto/tls"
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/servertest"
	"github.com/tlstriage/tlstriage/inspect/why"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// finishedCutter is a server whose connections are ended when the client's Finished comes, for the hellos that the condition is true of.
func finishedCutter(t *testing.T, how reaction, condition func(*wire.ClientHello) bool) string {
	return lateCutter(t, how, condition, func(int) time.Duration { return 0 })
}

// lateCutter takes its time to end a connection, by its number.
func lateCutter(t *testing.T, how reaction, condition func(*wire.ClientHello) bool, late func(n int) time.Duration) string {
	config := &tls.Config{Certificates: []tls.Certificate{identityOf(t, "ecdsa").Certificate}, MinVersion: tls.VersionTLS10}
	return servertest.Serve(t, func(number int, conn net.Conn) {
		hello, err := servertest.ReadHello(conn)
		if err != nil || hello.Message.SSLv2 {
			return
		}
		through := servertest.Replayed(conn, hello.Raw)
		if condition(&hello.ClientHello) {
			through = &servertest.Cutter{Conn: through, TCP: conn, How: how, Late: late(number)}
		}
		servertest.Echo(through, config)
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
	address := servertest.Serve(t, func(_ int, conn net.Conn) {
		c := tls.Server(conn, config)
		if c.Handshake() == nil {
			_, _ = c.Read(make([]byte, 1)) // whatever it is: a request, or the end
		}
		servertest.React(conn, reset)
	})
	r := (&why.Experiment{Target: probe.Target{Address: address}, Hello: modern(serverName, nil)}).Run(t.Context())
	if r.Verdict != why.NoFailure || len(r.Causes) != 0 || !strings.Contains(r.Sentence, "reset as soon as anything follows it") || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "HTTP request behind the handshake") {
		text, _ := json.MarshalIndent(r, "", " ")
		t.Errorf("%s", text)
	}
}
