package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleBackendTimeout = Rule{
	ID: "backend-timeout", Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultNetwork,
	Title:    "The backend did not answer in time",
	Citation: "RFC 9293, Section 3.8.3",
	Explanation: "The phase says where to look. Dial: packets are dropped on the way (security group, firewall, wrong address). Handshake: the connection stands but no ServerHello comes: a service that does not speak TLS and waits, " +
		"one that is overloaded, or a path that loses large packets. Check: `openssl s_client -connect HOST:PORT` from this machine.",
	check: func(e *evidence) *match {
		if !e.backend.is(inspect.ErrorTimeout) {
			return nil
		}
		m := &match{ended: true, detail: backendWords(e.backend) + " (phase " + or(string(e.backend.phase()), "unknown") + ")"}
		if e.backend.phase() == inspect.PhaseHandshake {
			m.fault = inspect.FaultBackend
			m.fixes = []inspect.Fix{
				fix(forBackend, "see whether it speaks TLS on this port and how loaded it is", "openssl s_client -connect HOST:PORT -servername NAME"),
				fix(forNetwork, "if small requests pass and large ones do not, the path's MTU is at fault", "ping -M do -s 1472 HOST"),
			}
			return m
		}
		m.fixes = []inspect.Fix{
			fix(forNetwork, "open the way: security group, firewall, route", "nc -vz HOST PORT"),
			fix(forALB, "the targets' security group must let the load balancer in", "aws ec2 authorize-security-group-ingress --group-id TARGET_SG --protocol tcp --port PORT --source-group LB_SG"),
		}
		return m
	},
}
