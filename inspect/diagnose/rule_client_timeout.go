package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleClientTimeout = Rule{
	ID: "client-timeout", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultNetwork,
	when:     clientLegDown,
	Title:    "The client leg timed out during the handshake",
	Citation: "RFC 9293, Section 3.8.3",
	Explanation: "The client opened the connection and then nothing more came in time: no hello, only a part of it, or no answer to the server's flight. A path that loses large packets (MTU) looks like this, " +
		"so does a client that connects ahead of need, and one that hangs. The detail names the phase.",
	CausedBy: []string{"client-hello-fragmented", idQUICDatagramTooSmall, idQUICRetryLoop},
	check: func(e *evidence) *match {
		if !e.client.is(inspect.ErrorTimeout) || e.unanswered() {
			return nil
		}
		if m := e.silentInDialogue(); m != nil {
			return m
		}
		m := &match{ended: true, fixes: []inspect.Fix{
			fix(forNetwork, "look for lost large packets: a capture at both ends, and the path's MTU", "ping -M do -s 1472 "+clientHost(e.c)),
			fix(forClient, "if the client only connects (a probe, a preconnect), this is harmless", ""),
		}}
		switch {
		case e.client.spoke && e.client.hello.Message != nil && !e.client.hello.Message.Complete:
			m.detail = "only a part of the hello came: " + helloSize(e.client.hello)
		case e.client.spoke:
			m.detail = "the hello came, and then nothing: " + or(string(e.client.phase()), "handshake") + " timed out"
		default:
			m.detail = "not one byte of a hello came in time"
			e.waitsForGreeting(m)
		}
		return m
	},
}
