package replay

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// schemeTraits are what the signature schemes of losers may have in common.
func schemeTraits(c chosen) []trait {
	list := []trait{{sentence: "all offer signature schemes with SHA-1 or MD5 alone", kind: traitOffer, has: func(s *Subject) bool {
		return onlySchemes(s.View, func(scheme wire.SignatureScheme) bool {
			info, ok := scheme.Info()
			return ok && (info.Hash == "SHA1" || info.Hash == "MD5")
		})
	}}}
	if slices.ContainsFunc(c.keys, func(key string) bool { return kindsOf(key) == nil }) || len(c.keys) == 0 {
		return list
	}
	noun := "the key of the certificate that was"
	if len(c.keys) > 1 {
		noun = "the keys of the certificates that were"
	}
	return append(list, trait{sentence: "none offers a signature scheme for " + strings.Join(c.keys, " or ") + ", " + noun + " sent to the others", kind: traitOffer, has: func(s *Subject) bool {
		return onlySchemes(s.View, func(scheme wire.SignatureScheme) bool { return !fitsKey(scheme, c.keys) })
	}})
}

// onlySchemes reports whether a hello names signature schemes, each of which is as is says. Reserved values are none.
func onlySchemes(h *wire.ClientHello, is func(wire.SignatureScheme) bool) bool {
	some := false
	for scheme := range h.SignatureSchemes.All() {
		if wire.IsGREASE(scheme) {
			continue
		}
		if !is(scheme) {
			return false
		}
		some = true
	}
	return some
}

// kindsOf are the kinds of signatures that a certificate's key makes; nil: it is not known.
func kindsOf(key string) []wire.SignatureKind {
	switch key {
	case "RSA":
		return []wire.SignatureKind{wire.SignatureRSAPKCS1, wire.SignatureRSAPSSRSAE}
	case "RSASSA-PSS":
		return []wire.SignatureKind{wire.SignatureRSAPSSPSS}
	case "ECDSA":
		return []wire.SignatureKind{wire.SignatureECDSA}
	case "Ed25519", "Ed448":
		return []wire.SignatureKind{wire.SignatureEdDSA}
	}
	return nil
}

// fitsKey reports whether one of the keys can make signatures of a scheme.
func fitsKey(scheme wire.SignatureScheme, keys []string) bool {
	info, ok := scheme.Info()
	return ok && slices.ContainsFunc(keys, func(key string) bool { return slices.Contains(kindsOf(key), info.Kind) })
}

// schemesOfAll are the schemes for the keys that were seen (any, where none was) that each of the subjects offers that names any.
func schemesOfAll(subjects []*Subject, c chosen) []wire.SignatureScheme {
	var schemes []wire.SignatureScheme
	some := false
	for _, s := range subjects {
		own := s.View.SignatureSchemes.Slice()
		switch {
		case len(own) == 0:
			continue
		case !some:
			schemes = slices.DeleteFunc(slices.Clone(own), func(scheme wire.SignatureScheme) bool {
				return wire.IsGREASE(scheme) || len(c.keys) > 0 && !fitsKey(scheme, c.keys)
			})
		default:
			schemes = slices.DeleteFunc(schemes, func(scheme wire.SignatureScheme) bool { return !slices.Contains(own, scheme) })
		}
		some = true
	}
	return schemes
}
