package main

import (
	"bytes"
	"context"
	"net"
	"strings"
	"testing"
)

// A run that is interrupted ends with what was learnt so far, with exit code 3, and in words that say so.
func TestReplayThatIsInterruptedSaysSo(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	held := make(chan net.Conn)
	go func() {
		defer close(held)
		for {
			c, err := l.Accept() // nobody is ever answered
			if err != nil {
				return
			}
			cancel()
			held <- c
		}
	}()
	conns := make(chan []net.Conn)
	go func() {
		var all []net.Conn
		for c := range held {
			all = append(all, c)
		}
		conns <- all
	}()
	var out, said bytes.Buffer
	code := run(ctx, []string{"replay", "--clients", "curl", "--to", l.Addr().String(), "--timeout", "10m"}, strings.NewReader(""), &out, &said)
	_ = l.Close()
	for _, c := range <-conns {
		_ = c.Close()
	}
	if code != exitFailed || !strings.Contains(said.String(), "tlstriage: the replay was interrupted: ") || strings.Contains(said.String(), "context") {
		t.Errorf("exit code %d, %s", code, said.String())
	}
	if !strings.Contains(out.String(), "not sent") {
		t.Errorf("the hellos that were not sent are not in\n%s", out.String())
	}
}

// What is interrupted before it begins says so as well.
func TestReplayThatIsInterruptedAtOnceSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, said bytes.Buffer
	code := run(ctx, []string{"replay", "--clients", "curl", "--to", "name.invalid:443"}, strings.NewReader(""), &out, &said)
	if code != exitFailed || !strings.Contains(said.String(), "tlstriage: the replay was interrupted before anything was sent") || strings.Contains(said.String(), "context") {
		t.Errorf("exit code %d, %s", code, said.String())
	}
}
