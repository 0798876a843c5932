package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/diagnose"
)

func TestAltSvcInVainIsNoticed(t *testing.T) {
	var came uint64
	listens := true
	w := altSvcWatch{datagrams: func(string) (uint64, bool) { return came, listens }}
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	number := 0
	connect := func(client string) *inspect.Connection {
		number++
		now = now.Add(2 * time.Second)
		c := &inspect.Connection{
			Timestamp: now, Transport: inspect.TransportTCP, Listener: "edge", Event: inspect.Event{ID: fmt.Sprint(number), Outcome: inspect.Success},
			Client:    inspect.Endpoint{Address: client},
			ClientLeg: &inspect.Leg{TLS: &inspect.TLS{Established: true, Client: &inspect.Hello{Shape: "s"}}},
			HTTP:      &inspect.HTTP{Protocol: "HTTP/2.0", AltSvc: &inspect.AltSvc{Sent: true}},
		}
		w.note(c)
		w.note(c) // records are judged more than once
		return c
	}
	said := func(n int, client string) (when []int) {
		for i := range n {
			if c := connect(client); c.HTTP.AltSvc.Returned > 0 {
				when = append(when, i)
				(&diagnose.Diagnoser{}).Diagnose(c)
				if len(c.Findings) != 1 || c.Findings[0].ID != "quic-alt-svc-unused" {
					t.Errorf("findings %+v", c.Findings)
				}
			}
		}
		return when
	}
	for i := range 100 {
		if c := connect(fmt.Sprint("192.0.2.", i)); c.HTTP.AltSvc.Returned > 0 {
			t.Fatal("clients that come for the first time were told of nothing yet")
		}
	}
	if when := said(inVain+50, "192.0.2.1"); len(when) != 1 || when[0] != inVain-1 {
		t.Errorf("said at %v", when)
	}
	now = now.Add(saidAgain)
	if when := said(1, "192.0.2.1"); len(when) != 1 {
		t.Error("not said again")
	}
	now = now.Add(saidAgain)
	came++
	if when := said(inVain-1, "192.0.2.1"); len(when) != 0 {
		t.Errorf("said at %v although somebody came over QUIC", when)
	}
	listens = false
	now = now.Add(saidAgain)
	if when := said(3*inVain, "192.0.2.1"); len(when) != 0 {
		t.Errorf("said at %v of what another program serves", when)
	}
	if sent := w.sent.Load(); sent != uint64(number) {
		t.Errorf("%d counted, %d sent", sent, number)
	}
}
