package why

import (
	"fmt"
	"sync"
	"time"

	"github.com/tlstriage/tlstriage/inspect/probe"
)

// dialogueTimeout bounds the dialogues that are tried with an endpoint that answers no hello.
const dialogueTimeout = time.Second

// quietProtocols are those in which the client speaks first: a server of another one says who it is.
func quietProtocols() []probe.StartTLS {
	return []probe.StartTLS{probe.StartTLSPostgres, probe.StartTLSLDAP, probe.StartTLSXMPP, probe.StartTLSRDP}
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
