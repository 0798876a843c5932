package diagnose

import (
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
)

var ruleNameDiffersBetweenLegs = Rule{
	ID: "name-differs-between-legs", Severity: inspect.SeverityInfo, Leg: inspect.LegBetween, Fault: inspect.FaultProxy,
	when:        legDown | backendLegUp,
	Title:       "The backend is asked for another name than the client asked for",
	Citation:    "RFC 9110, Section 15.5.20",
	Explanation: "The proxy sends another server name than the client did, by configuration. The backend may then serve another certificate, and answer 404 or 421 because the Host header does not fit the name.",
	check: func(e *evidence) *match {
		asked, sent := e.client.hello.ServerName, e.backend.hello.ServerName
		if asked == "" || sent == "" || strings.EqualFold(asked, sent) {
			return nil
		}
		return &match{offered: []string{asked}, accepted: []string{sent}, detail: "client: " + bound(asked) + ", backend: " + bound(sent), fixes: []inspect.Fix{
			fix(forSelf, "if requests are answered with 404 or 421, pass the client's name on", "tlstriage proxy …  # without --backend-sni"),
		}}
	},
}
