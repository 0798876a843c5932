package proxy

import (
	"net"
	"net/http"
	"reflect"
)

// switchedConn is a client's connection after a switch of protocols, with what the client sent before it knew of that. What goes over it
// is counted as the bodies of the request and its answer are.
type switchedConn struct {
	net.Conn
	early []byte
	q     *httpRequest
}

func (c *switchedConn) Read(b []byte) (n int, err error) {
	if len(c.early) > 0 {
		n = copy(b, c.early)
		c.early = c.early[n:]
	} else {
		n, err = c.Conn.Read(b)
	}
	c.q.received.Add(int64(n))
	return n, err
}

func (c *switchedConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.q.sent.Add(int64(n))
	return n, err
}

// CloseWrite ends what is sent, because the backend ended it.
func (c *switchedConn) CloseWrite() error {
	front := c.Conn.(*frontConn)
	front.session.c.ends(endOfBackend)
	return front.CloseWrite()
}

// awaitsContinue reports whether a client of HTTP/2 waits to be told to send its body. net/http takes that out of the header, and
// keeps it where nobody else can see it.
func awaitsContinue(r *http.Request) bool {
	if r.ProtoMajor != 2 {
		return false
	}
	body := reflect.ValueOf(r.Body)
	if body.Kind() != reflect.Pointer || body.Elem().Kind() != reflect.Struct {
		return false
	}
	field := body.Elem().FieldByName("needsContinue")
	return field.Kind() == reflect.Bool && field.Bool()
}
