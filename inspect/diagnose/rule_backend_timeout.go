package diagnose

import (
	"fmt"

	"github.com/tlstriage/tlstriage/inspect"
)

var ruleBackendTimeout = Rule{
	ID: "backend-timeout", Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultNetwork,
	when:     legDown,
	Title:    "The backend did not answer in time",
	Citation: "RFC 9293, Section 3.8.3",
	Explanation: "The phase says where to look. Dial: packets are dropped on the way (security group, firewall, wrong address). Handshake: the connection stands but no ServerHello comes: a service that does not speak TLS and waits, " +
		"one that is overloaded, or a path that loses large packets. Check: `openssl s_client -connect HOST:PORT` from this machine.",
	CausedBy: []string{"client-hello-fragmented", idBackendExplained},
	check: func(e *evidence) *match {
		v, leg := e.far()
		if !e.givenUp() && (!v.is(inspect.ErrorTimeout) || leg == inspect.LegClient && !e.unanswered() && v.phase() != inspect.PhaseDial) {
			return nil
		}
		m := &match{ended: true, leg: leg, detail: backendWords(v) + " (phase " + or(string(v.phase()), "unknown") + ")"}
		if s := v.leg.StartTLS; s != nil && v.phase() == inspect.PhaseStartTLS && leg == inspect.LegBackend && startTLSGreets(s.Protocol) {
			m.fault = inspect.FaultBackend
			m.title = "The backend did not say a word in the protocol in which it is asked for TLS"
			m.detail += "; a server of " + bound(s.Protocol) + " speaks first: one that is silent waits to be spoken to, in another protocol, or is overloaded"
			m.fixes = []inspect.Fix{
				fix(forSelf, "see what the port speaks, and ask in that", "tlstriage proxy --backend-starttls postgres …  # or ldap; tls://HOST:PORT alone where it speaks TLS at once"),
				fix(forBackend, "if it is one of "+bound(s.Protocol)+", see how loaded it is", "nc -v "+hostOf(v)+" "+portOf(v)),
			}
			return m
		}
		if v.phase() != inspect.PhaseDial {
			if leg == inspect.LegBackend || e.passed() {
				m.fault = inspect.FaultBackend
			}
			if e.givenUp() {
				m.detail += fmt.Sprintf("; it had accepted the connection, and the hello was not answered until the client gave up, %.1f s after it had connected", e.c.Event.DurationMS/1000)
			}
			m.fixes = []inspect.Fix{
				fix(forBackend, "see whether it speaks TLS on this port and how loaded it is", showCerts(v, v.hello.ServerName)),
				fix(forNetwork, "if small requests pass and large ones do not, the path's MTU is at fault", "ping -M do -s 1472 "+hostOf(v)),
			}
			return m
		}
		m.fixes = []inspect.Fix{
			fix(forNetwork, "open the way: security group, firewall, route", "nc -vz "+hostOf(v)+" "+portOf(v)),
			fix(forALB, "the targets' security group must let the load balancer in", "aws ec2 authorize-security-group-ingress --group-id TARGET_SG --protocol tcp --port PORT --source-group LB_SG"),
		}
		return m
	},
}
