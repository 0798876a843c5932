package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleCanaryRefuses = Rule{
	ID: "canary-refuses", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultBackend,
	when:     canaried,
	Title:    "A client that is served here would fail at the canary",
	Citation: "docs/replay.md",
	Explanation: "The hello of a client that got through was sent to the canary, with fresh randoms and key shares, and the canary did not take it. Whoever moves these clients there loses them. " +
		"The other findings of the record say what the canary holds against the hello. Check: `tlstriage why --to CANARY --from RECORDING --id ID`.",
	check: func(e *evidence) *match {
		k := e.c.Canary
		if k == nil || k.Class != inspect.CanaryWorse {
			return nil
		}
		return &match{
			ended:  true,
			detail: "live: " + bound(k.Live) + "; " + bound(k.To) + ": " + bound(k.Canary),
			fixes: []inspect.Fix{
				fix(forBackend, "let the canary accept what the endpoint of today accepts, or tell these clients before the move", ""),
				fix(forSelf, "find out what it is about this hello", "tlstriage why --to "+bound(k.To)+" --from RECORDING --id "+bound(k.EventID)),
			},
		}
	},
}
