package why

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/probe"
)

// dialogueTimeout bounds the dialogues that are tried with an endpoint that answers no hello.
const dialogueTimeout = time.Second

// quietProtocols are those in which the client speaks first: a server of another one says who it is.
func quietProtocols() []probe.StartTLS {
	return []probe.StartTLS{probe.StartTLSPostgres, probe.StartTLSLDAP, probe.StartTLSXMPP, probe.StartTLSRDP}
}

// unasked reports whether a hello never was sent, for the dialogue before it came to nothing.
func (r *run) unasked(x *probe.Exchange) bool { return r.Target.StartTLS != "" && x.Sent == 0 }

// beginsWithTLS finds out whether an endpoint that does not take part in a dialogue speaks TLS without it.
func (r *run) beginsWithTLS(first answer) bool {
	if !r.unasked(first.x) || r.left() <= 0 {
		return false
	}
	target := r.Target
	target.Proxy, target.StartTLS = r.failing.proxy, ""
	client := *r.client
	client.Timeouts.Answer = r.patience // whatever was learnt from a dialogue that was silent
	x := client.Exchange(r.ctx, target, r.failing.hello.Fresh(), probe.Options{Until: probe.UntilFlight})
	r.note("without the dialogue of "+string(r.Target.StartTLS), r.failing, answer{x, works(x)})
	if x.ServerHello == nil && x.RetryRequest == nil && (x.Alert == nil || x.Sent == 0) {
		return false
	}
	r.add(found{axis: AxisNotTLS, id: StartTLSUnexpected,
		evidence: fmt.Sprintf("in the dialogue of %s: %s; a hello without it: %s", r.Target.StartTLS, dialogueEnd(first.x), x.Describe()),
		sentence: fmt.Sprintf("The endpoint speaks TLS from the first byte, and not %s before it.", r.Target.StartTLS),
		fix:      fmt.Sprintf("Do not ask for TLS here (no --starttls), or use the port on which %s begins without TLS.", r.Target.StartTLS)})
	return true
}

// noDialogue names an endpoint that does not come to speak TLS in the dialogue, whatever else was tried: no hello was ever sent to it.
func (r *run) noDialogue(first answer) {
	end := dialogueEnd(first.x)
	said := "it speaks something else, does not offer TLS, or is not well"
	if words, ok := strings.CutPrefix(end, fmt.Sprintf("starttls %s: ", r.Target.StartTLS)); ok {
		said = words
	}
	r.add(found{axis: AxisNotTLS, id: OtherProtocol,
		evidence: fmt.Sprintf("in the dialogue of %s: %s, each time", r.Target.StartTLS, end),
		sentence: fmt.Sprintf("The endpoint does not go over to TLS in the dialogue of %s, so that no hello was sent: %s.", r.Target.StartTLS, said),
		fix:      fmt.Sprintf("Look at what listens on this port, whether TLS is turned on in it for %s, and at its own log.", r.Target.StartTLS)})
}

// dialogueEnd is how a dialogue ended.
func dialogueEnd(x *probe.Exchange) string {
	if x.Error != nil && x.Outcome == probe.OutcomeNotTLS {
		return inspect.Bounded(x.Error.Message)
	}
	return x.Describe()
}

// asksForTLS finds out whether an endpoint that answers no hello speaks TLS once it is asked for in a protocol that begins without.
func (r *run) asksForTLS() bool {
	protocols := quietProtocols()
	if r.Target.QUIC || r.Target.StartTLS != "" || r.left() < len(protocols) {
		return false
	}
	client := *r.client
	client.Timeouts.Preface = dialogueTimeout
	answers := make([]answer, len(protocols))
	t := trial{broad(r.failing.hello.ServerName()), r.failing.proxy}
	var wait sync.WaitGroup
	for i, protocol := range protocols {
		wait.Go(func() {
			target := r.Target
			target.Proxy, target.StartTLS = t.proxy, protocol
			x := client.Exchange(r.ctx, target, t.hello.Fresh(), probe.Options{Until: probe.UntilFlight})
			answers[i] = answer{x, works(x)}
		})
	}
	wait.Wait()
	for i, a := range answers {
		r.note("a plain hello behind a dialogue of "+string(protocols[i]), t, a)
	}
	for i, a := range answers {
		if !a.works {
			continue
		}
		r.add(found{axis: AxisNotTLS, id: StartTLSRequired, accepted: []string{string(protocols[i])},
			evidence: fmt.Sprintf("a hello: %s; behind a request for TLS in %s: %s", r.failure.x.Describe(), protocols[i], a.x.Describe()),
			sentence: fmt.Sprintf("The endpoint speaks %s, which begins without TLS: it answers a hello when TLS was asked for.", protocols[i]),
			fix:      fmt.Sprintf("Let the client ask for TLS first (here: --starttls %s).", protocols[i])})
		return true
	}
	return false
}
