package proxy

import (
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// narrow is a connection that takes some bytes of a write and then runs out of time, once.
type narrow struct {
	net.Conn
	room  int
	taken []byte
}

func (n *narrow) Write(b []byte) (int, error) {
	if n.room < 0 {
		n.taken = append(n.taken, b...)
		return len(b), nil
	}
	took := min(n.room, len(b))
	n.taken, n.room = append(n.taken, b[:took]...), -1
	return took, os.ErrDeadlineExceeded
}

func (*narrow) SetWriteDeadline(time.Time) error { return nil }

// What comes behind half a record is taken for its other half, and what comes behind one of which nothing went out has the wrong number:
// "bad record MAC".
func TestNothingIsWrittenBehindHalfARecord(t *testing.T) {
	for _, tt := range []struct {
		name string
		room int
		want string
	}{{"half of it", 3, "rec"}, {"nothing", 0, ""}} {
		t.Run(tt.name, func(t *testing.T) {
			to := &narrow{room: tt.room}
			x := &tap{Conn: to, peer: inspect.FromClient, self: inspect.FromServer}
			if n, err := io.WriteString(x, "record"); n != tt.room || err == nil {
				t.Errorf("%d, %v", n, err)
			}
			if _, err := io.WriteString(x, "close_notify"); err == nil {
				t.Error("something was written behind it")
			}
			if string(to.taken) != tt.want {
				t.Errorf("%q", to.taken)
			}
		})
	}
}
