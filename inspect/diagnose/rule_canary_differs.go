package diagnose

import (
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
)

var ruleCanaryDiffers = Rule{
	ID: "canary-differs", Severity: inspect.SeverityInfo, Leg: inspect.LegClient, Fault: inspect.FaultBackend,
	when:        canaried,
	Title:       "The canary answers a client otherwise than the endpoint of today",
	Citation:    "docs/replay.md",
	Explanation: "The hello of a live client was sent to the canary, too, which takes it and chooses something else, or takes a client that is refused today. That is often what the change is for; it is told so that it does not come as a surprise. Check: the two answers in the detail.",
	check: func(e *evidence) *match {
		k := e.c.Canary
		if k == nil || k.Class != inspect.CanaryDifferent && k.Class != inspect.CanaryBetter {
			return nil
		}
		detail := "live: " + bound(k.Live) + "; " + bound(k.To) + ": " + bound(k.Canary)
		if len(k.Differs) > 0 {
			detail += "; differs in " + bound(strings.Join(k.Differs, ", "))
		}
		return &match{detail: detail, fixes: []inspect.Fix{fix(forBackend, "nothing, if that is what the change is for", "")}}
	},
}
