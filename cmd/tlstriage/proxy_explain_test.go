package main

import (
	"net"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/why"
)

// What could not be told is said, with what was tried.
func TestExperimentsWithoutACauseAreLogged(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
				if _, err := conn.Read(make([]byte, 16<<10)); err == nil {
					_, _ = conn.Write([]byte{21, 3, 3, 0, 2, 2, 80})
					_ = conn.(*net.TCPConn).CloseWrite()
					_, _ = conn.Read(make([]byte, 16<<10))
				}
			}()
		}
	}()
	core, logs := observer.New(zap.WarnLevel)
	x := &explainer{ctx: t.Context(), log: zap.New(core)}
	e := &experiment{done: make(chan struct{})}
	x.run(e, &why.Experiment{Target: probe.Target{Address: l.Addr().String()}, Hello: probe.Modern("shop.example")})
	<-e.done
	entries := logs.All()
	if len(entries) != 1 || e.result.Verdict != string(why.Undetermined) {
		t.Fatalf("verdict %s, logged: %v", e.result.Verdict, entries)
	}
	if tried, ok := entries[0].ContextMap()["tried"].([]any); !ok || len(tried) == 0 {
		t.Errorf("logged: %v", entries[0].ContextMap())
	}
}
