// Package chain takes a presented certificate chain apart: every fault of it at once as typed data, and the right chain
// where it can be built. It judges certificates and nothing else, does no I/O, reads no clock (the time is an option)
// and imports nothing of this project.
package chain

import (
	"crypto/x509"
	"time"
)

// FaultID names a kind of fault; it is also the id of the finding that is made of it.
type FaultID string

// Faults of a chain.
const (
	Expired             FaultID = "cert-expired"
	NotYetValid         FaultID = "cert-not-yet-valid"
	ExpiringSoon        FaultID = "cert-expiring-soon"
	NameMismatch        FaultID = "cert-name-mismatch"
	SelfSigned          FaultID = "cert-self-signed"
	MissingIntermediate FaultID = "chain-missing-intermediate"
	WrongOrder          FaultID = "chain-wrong-order"
	Unrelated           FaultID = "chain-unrelated-certificate"
	UntrustedRoot       FaultID = "chain-untrusted-root"
	IntermediateExpired FaultID = "chain-intermediate-expired"
	WeakKey             FaultID = "cert-weak-key"
	WeakSignature       FaultID = "cert-weak-signature"
	WrongUsage          FaultID = "cert-wrong-usage"
	Malformed           FaultID = "cert-malformed"
)

// Fault is one thing that is wrong with a presented chain.
type Fault struct {
	ID     FaultID
	Index  int    // of the certificate in Presented it is about; -1 when it is about the chain
	Fatal  bool   // a verifying client refuses the chain because of it
	Detail string // one sentence with the values seen; strangers' strings in it are bounded but not escaped

	Names   []string // NameMismatch: the names the certificate has, nearest first. Otherwise nil
	Missing string   // MissingIntermediate: the subject of the certificate that lacks, as its child names it; UntrustedRoot: of the root, where it was not sent
}

// Options say against what a chain is examined.
type Options struct {
	Name         string              // DNS name or IP address the client asked for; empty: names are not checked
	Roots        *x509.CertPool      // nil: the system's roots
	Time         time.Time           // when to judge; must be set
	ExpiringSoon time.Duration       // remaining life below which ExpiringSoon is reported; 0: 30 days, negative: never
	Usages       []x509.ExtKeyUsage  // nil: server authentication
	Known        []*x509.Certificate // certificates that may help to name what lacks: CA bundles, roots. Never trusted
}

// Report is the result of an examination.
type Report struct {
	Presented []*x509.Certificate   // as sent, leaf first; nil where one does not parse
	Raw       [][]byte              // as sent
	Faults    []Fault               // worst first
	Trusted   bool                  // some path leads to a root, names and times aside
	Valid     bool                  // no fatal fault
	Verified  [][]*x509.Certificate // every path to a trusted root that crypto/x509 finds; where none holds, those that do with times, names and usages aside
	Right     []*x509.Certificate   // the chain to send instead (leaf first, no root), when it can be built from what is here
	Err       error                 // what crypto/x509 says first; nil when it accepts
}
