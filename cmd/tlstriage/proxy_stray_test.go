package main

import (
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// What net/http says of a backend that sends too much goes to our own log, without the backend's bytes.
func TestBytesBehindAnAnswerAreSaidInOurLog(t *testing.T) {
	core, said := observer.New(zap.InfoLevel)
	before := log.Writer()
	undo := quietTransport(zap.New(core))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	more := make(chan struct{})
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = conn.Read(make([]byte, 4096))
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		<-more
		_, _ = io.WriteString(conn, "secret")
		_, _ = io.Copy(io.Discard, conn)
	}()
	client := &http.Client{Transport: new(http.Transport)}
	response, err := client.Get("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	close(more)
	tick, late := time.NewTicker(5*time.Millisecond), time.After(30*time.Second)
	defer tick.Stop()
	for said.Len() == 0 {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("nothing was said")
		}
	}
	undo()
	if got := said.All()[0].Message; !strings.Contains(got, "behind the end") || strings.Contains(got, "secret") {
		t.Error(got)
	}
	if log.Writer() != before {
		t.Error("the log is not what it was")
	}
}
