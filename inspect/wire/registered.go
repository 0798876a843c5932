package wire

import "iter"

// KnownCipherSuites are the suites that Info knows, by code point, signals among them.
func KnownCipherSuites() iter.Seq[CipherSuite] {
	return func(yield func(CipherSuite) bool) {
		for i := range suiteFacts {
			if !yield(suiteFacts[i].code) {
				return
			}
		}
	}
}

// KnownGroups are the groups that Info knows, by code point.
func KnownGroups() iter.Seq[NamedGroup] {
	return func(yield func(NamedGroup) bool) {
		for i := range groupFacts {
			if !yield(groupFacts[i].code) {
				return
			}
		}
	}
}

// KnownSignatureSchemes are the schemes that Info knows, by code point.
func KnownSignatureSchemes() iter.Seq[SignatureScheme] {
	return func(yield func(SignatureScheme) bool) {
		for i := range schemeFacts {
			if !yield(schemeFacts[i].code) {
				return
			}
		}
	}
}
