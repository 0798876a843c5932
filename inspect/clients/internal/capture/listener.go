package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// listener takes the hello of the first client that comes.
type listener struct{ net.Listener }

func listen(ctx context.Context) (*listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		err = l.(*net.TCPListener).SetDeadline(deadline)
	}
	return &listener{l}, err
}

func (l *listener) port() string {
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// freePort is a port that nobody listens on now.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// hello is the whole hello of the first connection that brings one, as sent. The client is refused with an alert.
func (l *listener) hello() ([]byte, error) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return nil, err
		}
		sent, err := readHello(conn)
		conn.Close()
		if !errors.Is(err, errNothing) {
			return sent, err
		}
	}
}

// errNothing is a connection without a byte: a health check, or a port that is tried.
var errNothing = errors.New("the client sent nothing")

func readHello(conn net.Conn) ([]byte, error) {
	if err := conn.SetDeadline(time.Now().Add(15 * time.Second)); err != nil {
		return nil, err
	}
	reader := wire.Reader{FromClient: true}
	var sent []byte
	buf := make([]byte, 16<<10)
	for {
		n, err := conn.Read(buf)
		sent = append(sent, buf[:n]...)
		reader.Feed(buf[:n])
		var m wire.Message
		if reader.Next(&m) {
			_, err := conn.Write([]byte{0x15, 3, 3, 0, 2, 2, 40}) // handshake_failure
			return sent, err
		}
		if err != nil {
			if len(sent) == 0 && errors.Is(err, io.EOF) {
				return nil, errNothing
			}
			return nil, fmt.Errorf("no hello in %d bytes: %w", len(sent), errors.Join(err, reader.Err()))
		}
	}
}

// ask makes a request to a proxy, as soon as it takes connections.
func ask(ctx context.Context, port string) {
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", "127.0.0.1:"+port)
		if err == nil {
			_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: backend.example\r\nConnection: close\r\n\r\n")
			_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			_, _ = io.Copy(io.Discard, conn)
			conn.Close()
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
	}
}
