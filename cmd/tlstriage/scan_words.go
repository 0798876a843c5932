package main

import (
	"regexp"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/scan"
)

// scanWords is what rules call things where a proxy stands before the server, and what a scan calls them. It is never changed.
var scanWords = strings.NewReplacer(
	"the proxy sent none", "none was sent", "The backend", "The server", "the backend", "the server", "the proxy's client certificate", "the client certificate",
	"this proxy", "this program", "the proxy's", "this program's",
)

// dialWords is how Go begins the text of an error of the network: "read tcp 127.0.0.1:41224->127.0.0.1:443: ".
var dialWords = regexp.MustCompile(`\b(?:read|write|dial) (?:tcp|udp)[46]? [^ ]+: (?:read: |write: |connect: )?`)

// checkWords is how a rule's fix asks again by another command.
var checkWords = regexp.MustCompile(`tlstriage certs check \S+ --(?:name|ca|revocation)\b`)

// reword says what a rule found in the words of a scan of a target.
func reword(f *inspect.Finding, target string, quic bool) {
	f.Detail = scanWords.Replace(f.Detail)
	if rest, ok := strings.CutPrefix(f.Detail, "backend "); ok {
		f.Detail = rest
	}
	f.Detail = dialWords.ReplaceAllString(f.Detail, "")
	f.Detail = strings.ReplaceAll(f.Detail, "i/o timeout (phase handshake)", "no answer in time")
	f.Detail = strings.ReplaceAll(f.Detail, "i/o timeout", "no answer in time")
	f.Detail = strings.ReplaceAll(f.Detail, ": EOF", ": closed without a word")
	if f.ID == "backend-requires-client-cert" {
		f.Fixes = slices.Insert(f.Fixes, 0, inspect.Fix{Target: "tlstriage", Action: "show a certificate that the server accepts", Snippet: "tlstriage scan " + target + " --client-cert FILE --client-key FILE"})
	}
	f.Fixes = slices.DeleteFunc(f.Fixes, func(x inspect.Fix) bool { return x.Snippet == "tlstriage scan "+target }) // that is what was done just now
	for i := range f.Fixes {
		x := &f.Fixes[i]
		x.Snippet = checkWords.ReplaceAllStringFunc(x.Snippet, func(command string) string {
			flag := command[strings.LastIndexByte(command, ' ')+1:]
			if flag == "--name" {
				flag = "--sni"
			}
			return "tlstriage scan " + target + " " + flag
		})
		x.Action = scanWords.Replace(x.Action)
		if quic {
			x.Snippet = strings.ReplaceAll(x.Snippet, "ss -ltnp", "ss -lunp")
		}
		if rest, ok := strings.CutPrefix(x.Action, "or "); ok && i == 0 {
			x.Action = rest
		}
	}
}

// onlyRequested reports whether a finding says no more than that the server asks for a client certificate and goes on without one: the
// report says so, and a note by the name of what requires one says it wrongly.
func onlyRequested(f inspect.Finding, r *scan.Report) bool {
	return f.ID == "backend-requires-client-cert" && f.Severity == inspect.SeverityInfo && r.ClientCertificate != nil && r.ClientCertificate.Request == scan.CertificateRequested
}

// ownCause makes a finding of the scan the cause, where it knows more than the record of one exchange says: what rules made of that is
// taken out.
func (s *scanned) ownCause() {
	for _, f := range s.Report.Findings() {
		switch f.ID {
		case scan.FindingNotTLSUpgrade, scan.FindingProxyRefused, scan.FindingProxyProtocol:
			s.Findings, s.Cause, s.Fault, s.Verdict = nil, f.ID, inspect.FaultBackend, ""
			if leg := s.record.BackendLeg; leg != nil && leg.Error != nil && leg.Error.Phase == inspect.PhaseProxyProtocol {
				e := *leg.Error
				e.Phase = inspect.PhaseHandshake
				leg.Error = &e
			}
		}
	}
}
