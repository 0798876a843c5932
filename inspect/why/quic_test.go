package why_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/why"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// quicServer is a QUIC server, behind what decides whether a datagram arrives.
func quicServer(t *testing.T, edit func(*tls.Config), versions []quic.Version, lost func([]byte) bool) string {
	t.Helper()
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{identityOf(t, "ecdsa").Certificate}, NextProtos: []string{"h3"}, MinVersion: tls.VersionTLS13}
	if edit != nil {
		edit(config)
	}
	var conn net.PacketConn = udp
	if lost != nil {
		conn = &lossy{udp, lost}
	}
	transport := &quic.Transport{Conn: conn}
	listener, err := transport.Listen(config, &quic.Config{HandshakeIdleTimeout: time.Minute, Versions: versions})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			if _, err := listener.Accept(ctx); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { cancel(); _ = listener.Close(); _ = transport.Close(); _ = udp.Close(); <-done })
	return udp.LocalAddr().String()
}

// lossy loses datagrams on the way in.
type lossy struct {
	net.PacketConn
	lost func([]byte) bool
}

func (l *lossy) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := l.PacketConn.ReadFrom(b)
		if err != nil || !l.lost(b[:n]) {
			return n, from, err
		}
	}
}

func overQUIC(edit func(*probe.Hello)) *probe.Hello {
	h := probe.Modern(serverName).ForQUIC(0)
	h.SetALPN("h3")
	if edit != nil {
		edit(h)
	}
	return h
}

func TestCausesOverQUIC(t *testing.T) {
	t.Parallel()
	for _, e := range []endpoint{
		{name: "healthy", start: func(t *testing.T) string { return quicServer(t, nil, nil, nil) }, hello: overQUIC(nil)},
		{name: "one group only", start: func(t *testing.T) string {
			return quicServer(t, func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.CurveP384} }, nil, nil)
		}, hello: overQUIC(func(h *probe.Hello) { h.SetGroups(wire.GroupSecp256r1); h.SetKeyShares(wire.GroupSecp256r1) }), causes: []string{"group/no-common-group"}, accepts: "secp384r1"},
		{name: "another protocol", start: func(t *testing.T) string { return quicServer(t, nil, nil, nil) },
			hello: overQUIC(func(h *probe.Hello) { h.SetALPN("doq") }), causes: []string{"alpn/no-common-alpn"}, accepts: "h3"},
		{name: "a name is required", start: func(t *testing.T) string { return quicServer(t, needsNameOverQUIC, nil, nil) },
			hello: overQUIC(func(h *probe.Hello) { h.SetServerName("") }), names: []string{serverName}, causes: []string{"sni/server-name-required"}},
		{name: "nothing answers", start: func(t *testing.T) string { return quicServer(t, nil, nil, func([]byte) bool { return true }) },
			hello: overQUIC(nil), causes: []string{"network/silent"}, slow: true},
	} {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			client := &probe.Client{Timeouts: probe.Timeouts{Answer: 20 * time.Second}}
			if e.slow {
				client.Timeouts.Answer = 500 * time.Millisecond
			}
			r := (&why.Experiment{Client: client, Target: probe.Target{Address: e.start(t), QUIC: true}, Hello: e.hello, Names: e.names}).Run(t.Context())
			var got []string
			for _, c := range r.Causes {
				got = append(got, string(c.Axis)+"/"+c.ID)
			}
			if !slices.Equal(got, e.causes) || (len(e.causes) == 0) != (r.Verdict == why.NoFailure) {
				t.Errorf("%s, causes %v, want %v", r.Verdict, got, e.causes)
			}
			if e.accepts != "" && (len(r.Causes) == 0 || !slices.Contains(r.Causes[0].Accepted, e.accepts)) {
				t.Errorf("%s is not among what is accepted: %+v", e.accepts, r.Causes)
			}
			t.Logf("%d connections, %.0f ms: %s", r.Connections, r.DurationMS, r.Sentence)
		})
	}
}

func needsNameOverQUIC(c *tls.Config) {
	own := c.Clone()
	c.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		if h.ServerName != serverName {
			return nil, errors.New("no such name")
		}
		return own, nil
	}
}

// Behind a name there are two addresses, of which one refuses what the other accepts.
func TestAddressesThatDiffer(t *testing.T) {
	good := goServer(nil)(t)
	bad := goServer(func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.CurveP384} })(t)
	hello := modern(serverName, func(h *probe.Hello) { h.SetGroups(wire.GroupSecp256r1); h.SetKeyShares(wire.GroupSecp256r1) })
	run := func(addresses ...string) *why.Result {
		return (&why.Experiment{Target: probe.Target{Address: serverName + ":443"}, Hello: hello, Addresses: addresses}).Run(t.Context())
	}
	r := run(good, bad)
	if len(r.Causes) != 2 || r.Cause != why.AddressesDiffer || r.Causes[1].ID != why.NoCommonGroup || r.Address != bad || r.Verdict != why.Explained ||
		!strings.Contains(r.Causes[0].Evidence, good+": accepted") || !strings.Contains(r.Causes[0].Evidence, bad+": alert") {
		t.Errorf("%s at %s: %+v", r.Verdict, r.Address, r.Causes)
	}
	if r = run(bad, bad); len(r.Causes) != 1 || r.Cause != why.NoCommonGroup || len(r.Notes) == 0 {
		t.Errorf("%s: %+v, %v", r.Verdict, r.Causes, r.Notes)
	}
	if r = run(good, good, good); r.Verdict != why.NoFailure || len(r.Notes) == 0 || r.Connections > 8 {
		t.Errorf("%s: %+v, %v, %d connections", r.Verdict, r.Causes, r.Notes, r.Connections)
	}
	if r = run(good); r.Verdict != why.NoFailure || len(r.Notes) != 0 {
		t.Errorf("%s: %+v, %v", r.Verdict, r.Causes, r.Notes)
	}
}
