package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleProxyOverloaded = Rule{
	ID: "proxy-overloaded", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultProxy,
	when:        legDown,
	Title:       "This program's bound on connections was reached",
	Citation:    "tlstriage, configuration of listeners",
	Explanation: "The connection was refused because as many as are allowed were open already. Raise the bound if memory and descriptors allow it, or find out who holds connections open. On the backend leg: the operating system gives this program no more file descriptors; a connection takes two.",
	check: func(e *evidence) *match {
		if e.backend.exists() && e.backend.is(inspect.ErrorOverloaded) {
			return &match{
				ended: true, leg: inspect.LegBackend, title: "This program is out of file descriptors", detail: or(e.backend.message(), "no descriptor for a connection to the backend"),
				fixes: []inspect.Fix{
					fix(forSelf, "raise the limit of open files to more than twice the listener's bound on connections", "ulimit -n 65536  # systemd: LimitNOFILE=65536"),
					fix(forSelf, "or take fewer connections at once", "tlstriage proxy --limit-connections 1000 …"),
				},
			}
		}
		if !e.client.is(inspect.ErrorOverloaded) {
			return nil
		}
		m := &match{ended: true, detail: or(e.client.message(), "no slot was free"), fixes: []inspect.Fix{
			fix(forSelf, "raise the listener's bound on connections, and the limit of open files to more than twice as many", "tlstriage proxy --limit-connections N …  # and ulimit -n, or LimitNOFILE= of systemd"),
		}}
		if e.c.Client.Address != "" && e.c.Client.Address == e.c.Server.Address {
			m.fixes = append([]inspect.Fix{
				fix(forNetwork, "the client is a program on this machine: if it is another proxy, see that its backend and this one's do not lead to each other in a ring", "ss -tnp dst "+plain(e.c.Server.Address, "ADDRESS")),
			}, m.fixes...)
		}
		return m
	},
}
