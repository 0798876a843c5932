package scan

import (
	"cmp"
	"slices"

	"github.com/tlstriage/tlstriage/inspect"
)

// Ids of the findings of a scan. What inspect/diagnose has an id for, it judges itself, from Report.Connection.
const (
	FindingObsoleteVersion = "server-obsolete-version"
	FindingWeakCiphers     = "server-weak-ciphers"
	FindingForwardSecrecy  = "server-no-forward-secrecy"
	FindingWeakDH          = "server-weak-dh"
	FindingWeakGroup       = "server-weak-group"
	FindingWeakSignature   = "server-weak-signature"
	FindingSHA1In13        = "server-sha1-in-tls13"
	FindingBreaksOff       = "server-version-breaks-off"
	FindingRenegotiation   = "server-insecure-renegotiation"
	FindingCompression     = "server-compression"
	FindingHeartbeat       = "server-heartbeat"
	FindingFallback        = "server-no-fallback-scsv"
	FindingNoTLS13         = "server-no-tls13"
	FindingNoPostQuantum   = "server-no-post-quantum"
	FindingEarlyData       = "server-early-data"
	FindingLargeHello      = "server-large-hello-dropped"
	FindingIntolerance     = "server-hello-intolerance"
	FindingNameForm        = "server-name-form-refused"
	FindingNameRequired    = "server-name-required"
	FindingProxyProtocol   = "server-expects-proxy-protocol"
	FindingProxyRefused    = "server-refuses-proxy-protocol"
	FindingNotTLSUpgrade   = "server-starttls-failed"
	FindingAddressesDiffer = "server-addresses-differ"
	FindingPreShared       = "server-only-pre-shared-keys"
	FindingUnsteady        = "server-closes-at-random"
	FindingStopped         = "server-stops-answering"
	FindingInconclusive    = "scan-inconclusive"
)

// Findings are what is to be thought of a report: the worst first.
func (r *Report) Findings() []inspect.Finding {
	var out []inspect.Finding
	for _, rule := range rules() {
		if f := rule(r); f != nil {
			f.Leg = inspect.LegBackend
			out = append(out, *f)
		}
	}
	SortFindings(out)
	return out
}

// SortFindings puts the worst first, and leaves the rest of the order as it is.
func SortFindings(findings []inspect.Finding) {
	rank := map[inspect.Severity]int{inspect.SeverityError: 0, inspect.SeverityWarning: 1, inspect.SeverityInfo: 2}
	slices.SortStableFunc(findings, func(a, b inspect.Finding) int { return cmp.Compare(rank[a.Severity], rank[b.Severity]) })
}

// rules are all of them, in the order in which they are told.
func rules() []func(r *Report) *inspect.Finding {
	return []func(r *Report) *inspect.Finding{
		proxyProtocolExpected, proxyProtocolRefused, startTLSFailed, breaksOff, stopsAnswering, closesAtRandom, onlyPreShared, largeHelloDropped, intolerance, obsoleteVersion, weakCiphers, noForwardSecrecy, weakDH, weakGroup, weakSignature, sha1In13,
		insecureRenegotiation, compression, heartbeat, noFallback, nameForm, nameRequired, earlyData, noTLS13, noPostQuantum, inconclusive,
	}
}
