package why_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"math"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/servertest"
	"github.com/tlstriage/tlstriage/inspect/why"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// One connection that is cut in the middle, as by a limit, is no answer to what was sent: whichever it is, the cause is the same.
func TestOneConnectionTooManyChangesNothing(t *testing.T) {
	t.Parallel()
	hello := modern(serverName, func(h *probe.Hello) { h.SetGroups(wire.GroupSecp256r1); h.SetKeyShares(wire.GroupSecp256r1) })
	for cut := 6; cut < 28; cut++ {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			t.Parallel()
			address := goFront(func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.CurveP384} }, when(reset, func(s *seen) bool { return s.Number == cut }))(t)
			r := (&why.Experiment{Target: probe.Target{Address: address}, Hello: hello}).Run(t.Context())
			if len(r.Causes) != 1 || r.Cause != why.NoCommonGroup || !slices.Equal(r.Causes[0].Accepted, []string{"secp384r1"}) {
				t.Errorf("%s: %+v; tried %q", r.Verdict, r.Causes, r.Tried)
			}
			at := slices.IndexFunc(r.Probes, func(p why.Probe) bool { return p.Outcome == probe.OutcomeReset })
			known := at >= 0 && r.Probes[at].Change == "" // the hello in question, of which it is known that it is refused
			if noted := len(r.Notes) == 1 && strings.Contains(r.Notes[0], "were cut without a word"); at >= 0 && !known && !noted {
				t.Errorf("notes %q", r.Notes)
			}
		})
	}
}

// An endpoint that accepts a hello now and then, and mostly refuses it for what it holds, is not said to refuse it always.
func TestRefusedNearlyAlwaysIsNotAlways(t *testing.T) {
	t.Parallel()
	for _, d := range []reaction{reset, alert(wire.AlertHandshakeFailure)} {
		var n atomic.Int32
		address := goFront(func(c *tls.Config) { c.NextProtos = []string{"h2"} }, when(d, func(s *seen) bool {
			return s.ALPN.Contains("h2") && n.Add(1) != 18
		}))(t)
		r := (&why.Experiment{Target: probe.Target{Address: address}, Hello: modern(serverName, func(h *probe.Hello) { h.SetALPN("h2", "http/1.1") })}).Run(t.Context())
		if n.Load() < 18 {
			t.Fatalf("only %d hellos with h2", n.Load())
		}
		if r.Verdict == why.Explained && r.Cause != why.Flapping || r.Verdict == why.NoFailure {
			t.Errorf("%s: %+v", r.Verdict, r.Causes)
		}
	}
}

// A connection that is cut late when the Finished comes is cut all the same.
func TestHandshakesThatAreCutLate(t *testing.T) {
	t.Parallel()
	address := lateCutter(t, reset, func(*wire.ClientHello) bool { return true }, func(n int) time.Duration {
		if n == 5 || n == 9 {
			return 600 * time.Millisecond
		}
		return 0
	})
	client := &probe.Client{Timeouts: probe.Timeouts{Finish: 20 * time.Second}}
	r := (&why.Experiment{Client: client, Target: probe.Target{Address: address}, Hello: modern(serverName, nil)}).Run(t.Context())
	if len(r.Causes) != 1 || r.Cause != why.HandshakeCut {
		t.Errorf("%s: %+v", r.Verdict, r.Causes)
	}
}

// An endpoint whose retry comes at once and whose answer to the second hello takes long is slow: what is missing is waited for.
func TestAnswersThatAreBegunAtOnceAndTakeLong(t *testing.T) {
	t.Parallel()
	config := &tls.Config{Certificates: []tls.Certificate{identityOf(t, "ecdsa").Certificate}, CurvePreferences: []tls.CurveID{tls.CurveP384}}
	address := servertest.Serve(t, func(n int, conn net.Conn) {
		slow := &slowAtSecond{Conn: conn, pause: 1300 * time.Millisecond}
		if n == 0 {
			slow.pause = forever // longer than is waited, however long that is
		}
		servertest.Echo(slow, config)
	})
	client := &probe.Client{Timeouts: probe.Timeouts{Answer: time.Second}}
	r := (&why.Experiment{Client: client, Target: probe.Target{Address: address}, Hello: modern(serverName, nil)}).Run(t.Context())
	if r.Verdict != why.NoFailure || len(r.Notes) == 0 {
		t.Errorf("%s, %+v, %q", r.Verdict, r.Causes, r.Notes)
	}
}

// An endpoint that refuses a handshake without a certificate late requires one all the same.
func TestCertificatesThatAreRequiredLate(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := &tls.Config{Certificates: []tls.Certificate{identityOf(t, "ecdsa").Certificate}, ClientAuth: tls.RequestClientCert, MinVersion: version, MaxVersion: version}
		address := servertest.Serve(t, func(_ int, conn net.Conn) {
			c := tls.Server(conn, config)
			if c.Handshake() != nil {
				return
			}
			if n, err := c.Read(make([]byte, 1024)); n == 0 || err != nil {
				return
			}
			<-time.After(600 * time.Millisecond)
			_, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nNo required SSL certificate was sent"))
			c.Close()
		})
		client := &probe.Client{Timeouts: probe.Timeouts{Finish: 300 * time.Millisecond, Answer: 10 * time.Second}}
		r := (&why.Experiment{Client: client, Target: probe.Target{Address: address}, Hello: modern(serverName, nil)}).Run(t.Context())
		if len(r.Causes) != 1 || r.Cause != why.ClientCertificateRequired {
			t.Errorf("%s: %s: %+v", tls.VersionName(version), r.Verdict, r.Causes)
		}
	}
}

// What a stranger says is made printable once.
func TestBytesAreEscapedOnce(t *testing.T) {
	refusal := "\x1f\x00\x00\x00\xffj\x04Host is not allowed to connect"
	r := (&why.Experiment{Target: probe.Target{Address: text(t, refusal, "")}, Hello: modern(serverName, nil)}).Run(t.Context())
	if r.Cause != why.OtherProtocol || !strings.Contains(r.Causes[0].Evidence, `"\x1F\x00\x00\x00\xFFj\x04Host is`) {
		t.Errorf("%s: %+v", r.Verdict, r.Causes)
	}
}

// forever is until the client gives up.
const forever time.Duration = math.MaxInt64

// slowAtSecond takes its time with the hello that follows a HelloRetryRequest.
type slowAtSecond struct {
	net.Conn
	pause  time.Duration
	hellos int
}

func (s *slowAtSecond) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	rest := bytes.TrimPrefix(b[:n], []byte{20, 3, 3, 0, 1, 1})
	if len(rest) > 5 && rest[0] == 22 && rest[5] == 1 {
		if s.hellos++; s.hellos > 1 && s.pause == forever {
			servertest.React(s.Conn, silence)
			return 0, net.ErrClosed
		}
		if s.hellos > 1 {
			<-time.After(s.pause)
		}
	}
	return n, err
}

// What is begun at once and takes long is no silence either where the hello in question gets none: how long silence is waited for then has
// nothing to do with it.
func TestAnswersThatTakeLongWhereSilenceIsWaitedForShortly(t *testing.T) {
	t.Parallel()
	config := &tls.Config{Certificates: []tls.Certificate{identityOf(t, "ecdsa").Certificate}, CurvePreferences: []tls.CurveID{tls.CurveP384}}
	address := servertest.Serve(t, func(n int, conn net.Conn) {
		s, err := servertest.ReadHello(conn)
		var pause time.Duration
		if n%5 == 4 {
			pause = 600 * time.Millisecond
		}
		switch {
		case err != nil:
		case s.Extensions.Has(wire.ExtensionEncryptThenMAC):
			servertest.React(conn, silence)
		default:
			servertest.Echo(&slowAtSecond{Conn: servertest.Replayed(conn, s.Raw), pause: pause}, config)
		}
	})
	client := &probe.Client{Timeouts: probe.Timeouts{Answer: time.Second}}
	hello := modern(serverName, func(h *probe.Hello) {
		h.SetGroups(wire.GroupX25519, wire.GroupSecp384r1)
		h.SetKeyShares(wire.GroupX25519)
	})
	r := (&why.Experiment{Client: client, Target: probe.Target{Address: address}, Hello: hello}).Run(t.Context())
	if len(r.Causes) != 1 || r.Cause != why.ExtensionIntolerance || !strings.Contains(r.Sentence, "encrypt_then_mac") {
		t.Errorf("%s: %+v; tried %q", r.Verdict, r.Causes, r.Tried)
	}
}
