package diagnose

import (
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
)

// experimentExplained is the verdict of an experiment that found the cause.
const experimentExplained = "explained"

var ruleBackendExplained = Rule{
	ID: idBackendExplained, Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:     backendRefuses,
	Title:    "An experiment shows why the backend refuses the hello",
	Citation: "docs/why.md",
	Explanation: "The backend failed the handshake for no certain reason, and `--explain-backend` sent it other hellos until it was known what about this one it refuses. What an experiment shows goes before what an alert hints at: " +
		"the findings that only guess are left out. Who must act follows from the cause: the proxy where a name, a header or a certificate is missing, the network where a size or the way a hello is cut matters, otherwise the backend. Check: `tlstriage why --to HOST:PORT --from FILE --id ID` makes the experiment again.",
	check: func(e *evidence) *match {
		if e.backendBy != idBackendExplained {
			return nil
		}
		causes := e.backend.leg.Experiment.Causes
		first := &causes[0]
		m := &match{ended: true, fault: experimentFault(first), title: experimentTitle(first.Sentence)}
		var details []string
		for i := range causes {
			c := &causes[i]
			details = append(details, c.Sentence+" ("+c.ID+": "+c.Evidence+")")
			m.fixes = append(m.fixes, experimentFixes(c)...)
		}
		m.detail = strings.Join(details, " ")
		return m
	},
}

// explainedByExperiment reports whether it is known from an experiment why the backend leg failed.
func (e *evidence) explainedByExperiment() bool {
	if !e.backend.failed() || e.backend.leg == nil {
		return false
	}
	x := e.backend.leg.Experiment
	return x != nil && x.Verdict == experimentExplained && len(x.Causes) > 0
}

// experimentTitle is a sentence as far as it fits a title: up to where it goes on to explain.
func experimentTitle(sentence string) string {
	for _, end := range []string{"; ", ": ", ". ", " ("} {
		if cut, _, ok := strings.Cut(sentence, end); ok && len(cut) > 24 {
			sentence = cut
		}
	}
	return strings.TrimSuffix(sentence, ".")
}

// experimentFault is who must act about a cause.
func experimentFault(c *inspect.Cause) inspect.Fault {
	switch c.Axis {
	case "sni":
		switch c.ID {
		case "server-name-filtered":
			return inspect.FaultNetwork
		case "server-name-required", "server-name-case":
			return inspect.FaultProxy
		}
	case "proxy_protocol", "client_certificate":
		return inspect.FaultProxy
	case "size", "segmentation", "record_version":
		return inspect.FaultNetwork
	case "not_tls":
		if c.ID == "starttls-required" {
			return inspect.FaultProxy
		}
	case "network":
		if c.ID != "incomplete-answer" && c.ID != "endless-answer" && c.ID != "silent" {
			return inspect.FaultNetwork
		}
	}
	return inspect.FaultBackend
}

// experimentFixes are what to change about a cause: as the experiment has it, and with the flags of this program where it can help itself.
func experimentFixes(c *inspect.Cause) []inspect.Fix {
	target := forBackend
	switch experimentFault(c) {
	case inspect.FaultProxy:
		target = forSelf
	case inspect.FaultNetwork:
		target = forNetwork
	}
	var fixes []inspect.Fix
	own := func(action, snippet string) { fixes = append(fixes, fix(forSelf, action, snippet)) }
	switch c.ID {
	case "server-name-required", "server-name-unknown", "server-name-case":
		own("ask for a name that the backend knows", "tlstriage proxy --backend-sni NAME …")
	case "proxy-header-required":
		own("send the header", "tlstriage proxy --backend-proxy-protocol v2 …")
	case "proxy-header-unexpected":
		own("send no header", "tlstriage proxy --backend-proxy-protocol none …")
	case "client-certificate-required", "client-certificate-refused":
		own("show a certificate that the backend's authority issued", "tlstriage proxy --backend-cert FILE --backend-key FILE …")
	}
	if c.Fix != "" && (target != forSelf || len(fixes) == 0) {
		fixes = append(fixes, fix(target, c.Fix, ""))
	}
	return fixes
}
