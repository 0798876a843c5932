package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleProxyShutdown = Rule{
	ID: "proxy-shutdown", Severity: inspect.SeverityWarning, Leg: inspect.LegClient, Fault: inspect.FaultProxy,
	when:        hasError,
	Title:       "This program was shutting down",
	Citation:    "tlstriage, draining",
	Explanation: "The connection was cut because this program was told to stop and its time for draining was over.",
	check: func(e *evidence) *match {
		for _, v := range []view{e.client, e.backend} {
			if v.exists() && v.leg.Error != nil && v.leg.Error.Type == inspect.ErrorShutdown {
				return &match{ended: v.failed(), detail: or(e.client.message(), "cut at the end of draining"), fixes: []inspect.Fix{
					fix(forSelf, "give draining more time, or ignore it: the client will connect again", ""),
				}}
			}
		}
		return nil
	},
}
