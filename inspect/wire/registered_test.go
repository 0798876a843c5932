package wire_test

import (
	"testing"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// TestKnownCodePointsAreThoseOfInfo: what is listed is all that Info knows, each once.
func TestKnownCodePointsAreThoseOfInfo(t *testing.T) {
	suites, groups, schemes := map[wire.CipherSuite]int{}, map[wire.NamedGroup]int{}, map[wire.SignatureScheme]int{}
	for s := range wire.KnownCipherSuites() {
		suites[s]++
	}
	for g := range wire.KnownGroups() {
		groups[g]++
	}
	for s := range wire.KnownSignatureSchemes() {
		schemes[s]++
	}
	for i := range 1 << 16 {
		if _, ok := wire.CipherSuite(i).Info(); ok != (suites[wire.CipherSuite(i)] == 1) {
			t.Errorf("suite %04x: known %v, listed %d times", i, ok, suites[wire.CipherSuite(i)])
		}
		if _, ok := wire.NamedGroup(i).Info(); ok != (groups[wire.NamedGroup(i)] == 1) {
			t.Errorf("group %04x: known %v, listed %d times", i, ok, groups[wire.NamedGroup(i)])
		}
		if _, ok := wire.SignatureScheme(i).Info(); ok != (schemes[wire.SignatureScheme(i)] == 1) {
			t.Errorf("scheme %04x: known %v, listed %d times", i, ok, schemes[wire.SignatureScheme(i)])
		}
	}
	for range wire.KnownCipherSuites() {
		break // it may be left early
	}
}
