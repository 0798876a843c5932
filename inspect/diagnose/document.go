package diagnose

import (
	"fmt"
	"io"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
)

// WriteCatalogue writes docs/findings.md: every rule, by leg, in the order in which rules claim to be the root cause.
func WriteCatalogue(w io.Writer) error {
	var b strings.Builder
	b.WriteString(findingsPreface)
	for _, leg := range []struct{ id, title, about string }{
		{inspect.LegClient, "The client leg", "Between the client and the proxy; in a capture, between the client and the server. The policy's findings belong here, too: they say what the real endpoint would have made of the client's hello."},
		{inspect.LegBackend, "The backend leg", "Between the proxy and the backend. In a capture, and in what a probe saw, faults of the server's chain are reported on the client leg, which is the only one."},
		{inspect.LegBetween, "Between the legs", "What only shows when both legs are seen together."},
	} {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| finding | severity | who must act | what |\n|---|---|---|---|\n", leg.title, leg.about)
		for _, r := range catalog {
			if r.Leg == leg.id {
				fmt.Fprintf(&b, "| [`%s`](#%s) | %s | %s | %s |\n", r.ID, r.ID, r.Severity, r.Fault, r.Title)
			}
		}
		for _, r := range catalog {
			if r.Leg != leg.id {
				continue
			}
			fmt.Fprintf(&b, "\n### %s\n\n**%s.** %s\n\n", r.ID, r.Title, r.Explanation)
			fmt.Fprintf(&b, "Severity %s; %s must act. %s.\n", r.Severity, who(r.Fault), r.Citation)
			if len(r.CausedBy) > 0 {
				b.WriteString("\nA consequence of: `" + strings.Join(r.CausedBy, "`, `") + "`.\n")
			}
		}
	}
	writeScanCatalogue(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

func who(f inspect.Fault) string {
	switch f {
	case inspect.FaultNoise:
		return "nobody (noise)"
	case inspect.FaultPolicy:
		return "the owner of the policy"
	case inspect.FaultProxy:
		return "whoever runs this proxy"
	case inspect.FaultNetwork:
		return "the network"
	}
	return "the " + string(f)
}

const findingsPreface = `# Findings

<!-- Written from the rules by go generate ./inspect/diagnose. Do not edit. -->

Everything that tlstriage can find, by id. Ids are never renamed. Severity and who must act are the usual ones; a finding may have
others, and its detail then says why. [runbook.md](runbook.md) leads here from what a person sees.

How a record's summary comes about:

- **verdict** is ` + "`failed`" + ` when a leg that was tried was not established, or when a finding of severity error stands although the traffic went on;
  ` + "`warning`" + ` when the worst finding is a warning; else ` + "`ok`" + `.
- **cause** is the id of the root cause: the first finding that is no other's consequence. What ended a leg comes before what merely stands beside it, an error
  before a warning, and among equals the order below decides. What ended the backend leg is the cause of what then happened to the client.
- **fault** is who must act on the cause: ` + "`client`, `policy`, `backend`, `network`, `proxy` or `noise`" + `.

Decisions that a reader may wonder about:

- A connection that is opened and closed without a byte (` + "`connection-empty`" + `) tried no TLS: its verdict is ` + "`warning`" + `, its fault ` + "`noise`" + `. One that brought other bytes
  (` + "`not-tls-other`" + `) has the verdict ` + "`failed`" + `, for it was answered as a handshake that failed, and is noise all the same; a PROXY protocol header is not: that is this proxy's configuration.
- A client is at fault when all that it offers in the dimension is outdated: versions below TLS 1.2, no suite with forward secrecy and authenticated encryption, only SHA-1 or
  MD5 signatures, no server name. Whoever refuses something current is at fault otherwise: the policy where one is given, the server in a capture, this proxy else.
- A client that Go's crypto/tls cannot serve is ` + "`proxy-cannot-serve`" + `, this proxy's fault, and judged against the policy all the same. An SSLv2-format hello is the client's: no TLS client may send it.
- With ` + "`--enforce`" + ` the cause is ` + "`policy-rejects-…`" + ` (but for an SSLv2-format hello, which no policy could help). Without, and when the leg failed in fact, it is ` + "`…-no-overlap`" + `, and what the policy says stands beside it.
- A backend whose name does not resolve is this proxy's configuration (` + "`proxy`" + `). Resets and timeouts are the network's, unless something says otherwise: a backend that accepts the connection and never
  answers the hello is the backend's.
- Where a foreign server says nothing at all to a whole hello, the end of the connection is reported as the server's (` + "`backend-closed`, `backend-reset`, `backend-timeout`" + ` on the client leg), not as the client's.
- In a capture the client has judged the chain with its own roots: where it went on, or what became of it is not in the capture, faults of the chain are warnings at most.
- A client that closes at the server's certificate without a word is ` + "`client-aborted`" + `; where that certificate has a fault that every client sees (it is expired, for another name, self-signed), this fault is the cause. Whether its issuer is trusted depends on the client's roots, and explains no silence.
- What is wrong with the backend's certificate is no reason for which a client refuses the one that the proxy serves.
- Where a capture ends before the handshake does, ` + "`handshake-unexplained`" + ` (noise) is the cause only if nothing else is found.
- Where there is one server and no proxy before it (captures, replays, scans, ` + "`certs check`" + `), titles say "server" for "backend".
- A backend that demands a client certificate does what it is there for: ` + "`backend-requires-client-cert`" + ` and ` + "`backend-rejects-client-cert`" + ` are for whoever runs the proxy to settle (` + "`proxy`" + `), by an identity that the backend knows or by passing through.
- What is merely worth knowing (severity info) is never the cause of a warning or an error.
- Where the proxy looked at the backend a second time, under other names and under none, that decides: ` + "`sni-required-by-backend`" + ` stands only if the name made the difference, and no name is suggested that a look has refuted.
- Public certificates are those that say so themselves, by a policy of the CA/Browser Forum or by embedded timestamps. Only these are held to the Forum's validity and to certificate transparency; a private authority is free to do as it likes.
`
