package diagnose

import (
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

var ruleClientLegacyVersion = Rule{
	ID: "client-legacy-version", Severity: inspect.SeverityWarning, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	Title:       "The client knows no TLS version newer than 1.1",
	Citation:    "RFC 8996, Section 2",
	Explanation: "The connection works, or fails for another reason, but the client offers only versions that are deprecated. Every server that follows current advice will refuse it; find it before the next policy change does.",
	CausedBy:    []string{"sslv2-hello"},
	check: func(e *evidence) *match {
		h := e.client.hello
		if len(h.SupportedVersions) == 0 || e.refusal == policy.DimensionVersion || e.rejects(policy.DimensionVersion) {
			return nil // a graver finding says so already
		}
		for _, v := range h.SupportedVersions {
			if !legacyVersion(v) {
				return nil
			}
		}
		return &match{offered: h.SupportedVersions, detail: "newest version offered: " + newest(h.SupportedVersions), fixes: []inspect.Fix{updateClient(newest(h.SupportedVersions))}}
	},
}
