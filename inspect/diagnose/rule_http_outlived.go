package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleHTTPOutlived = Rule{
	ID: "http-outlived", Severity: inspect.SeverityWarning, Leg: inspect.LegClient, Fault: inspect.FaultProxy,
	when:     requestsFailed,
	Title:    "A request was cut because its connection became too old",
	Citation: "tlstriage, --timeout-lifetime",
	Explanation: "The connection was as old as `--timeout-lifetime` lets connections become, however busy they are, and a request was under way on it. " +
		"Check: how long requests take (`duration_ms` in the access log) against that time.",
	check: func(e *evidence) *match {
		detail := e.httpFailures(inspect.HTTPOutlived)
		if detail == "" {
			return nil
		}
		return &match{detail: detail, fixes: []inspect.Fix{
			fix(forSelf, "give connections longer than requests take", "tlstriage proxy --timeout-lifetime 24h …"),
		}}
	},
}
