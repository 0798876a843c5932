package probe_test

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/probe"
)

// sleeping is a connection of a process that is stopped each time that it waits for what it is to read, and goes on when that lies there and
// the time that it gave itself is over.
type sleeping struct {
	net.Conn
	until time.Time
	lies  []byte // what came while it was stopped
	end   error
	slept bool
}

func (s *sleeping) SetDeadline(t time.Time) error {
	_ = s.SetReadDeadline(t)
	return s.SetWriteDeadline(t)
}

func (s *sleeping) SetReadDeadline(t time.Time) error {
	s.until = t
	return nil
}

func (s *sleeping) Write(b []byte) (int, error) {
	s.slept = false
	return s.Conn.Write(b)
}

func (s *sleeping) Read(b []byte) (int, error) {
	if !s.slept {
		room := make([]byte, 1<<16)
		n, err := s.Conn.Read(room)
		s.lies, s.end, s.slept = append(s.lies, room[:n]...), err, true
		over := time.NewTimer(time.Until(s.until))
		defer over.Stop()
		<-over.C
	}
	switch {
	case !time.Now().Before(s.until):
		return 0, os.ErrDeadlineExceeded
	case len(s.lies) == 0 && s.end == nil:
		return s.Conn.Read(b)
	}
	n := copy(b, s.lies)
	if s.lies = s.lies[n:]; len(s.lies) > 0 {
		return n, nil
	}
	return n, s.end
}

// A process that was stopped while it waited finds what came meanwhile: the server was not silent.
func TestWhatComesWhileTheProcessIsStoppedIsNoSilence(t *testing.T) {
	t.Parallel()
	id := ecdsaIdentity(t, "stopped.example")
	client := &probe.Client{
		Timeouts: probe.Timeouts{Answer: 300 * time.Millisecond, Preface: 300 * time.Millisecond, Finish: 300 * time.Millisecond},
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			return &sleeping{Conn: conn}, err
		},
	}
	address := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{id.Certificate}})
	x := client.Exchange(t.Context(), probe.Target{Address: address}, probe.Modern("stopped.example"), probe.Options{Until: probe.UntilFinished})
	if x.Error != nil || !x.Finished || x.Tickets == 0 {
		t.Errorf("%s: %+v, finished %v, %d tickets", x.Outcome, x.Error, x.Finished, x.Tickets)
	}
	over := serveQUIC(t, &tls.Config{Certificates: []tls.Certificate{id.Certificate}, NextProtos: []string{"h3"}}, false)
	hello := probe.Modern("stopped.example").ForQUIC(0)
	hello.SetALPN("h3")
	x = client.Exchange(t.Context(), probe.Target{Address: over, QUIC: true}, hello, probe.Options{})
	if x.Error != nil || !x.Flight {
		t.Errorf("over QUIC %s: %+v", x.Outcome, x.Error)
	}
}
