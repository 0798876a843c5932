package bundle

import (
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var context0 = cbasn1.Tag(0).ContextSpecific().Constructed()

// pkcs7 reads the certificates of a SignedData (RFC 2315, Section 9.1; RFC 5652, Section 5.1), which .p7b and .p7c files are. Its
// signatures are nobody's concern here. It says whether der is one at all.
func (r *reader) pkcs7(der []byte, at Source) bool {
	content, ok := contentInfo(der, oidSignedData)
	if !ok {
		return false
	}
	var signed, list cryptobyte.String
	var present bool
	if !content.ReadASN1(&signed, cbasn1.SEQUENCE) || !signed.SkipASN1(cbasn1.INTEGER) || !signed.SkipASN1(cbasn1.SET) ||
		!signed.SkipASN1(cbasn1.SEQUENCE) || !signed.ReadOptionalASN1(&list, &present, context0) {
		r.note(Unreadable, at, "a damaged PKCS #7 file")
		return true
	}
	if list.Empty() {
		r.note(Ignored, at, "a PKCS #7 file without certificates")
	}
	for n := 1; !list.Empty(); n++ {
		here := Source{File: at.File, Entry: at.Entry, Block: max(n, at.Block)}
		var one cryptobyte.String
		var tag cbasn1.Tag
		if !list.ReadAnyASN1Element(&one, &tag) {
			r.note(Unreadable, here, "a damaged PKCS #7 file")
			return true
		}
		if !r.another(here) {
			return true
		}
		if tag != cbasn1.SEQUENCE {
			r.note(Ignored, here, "a certificate of another kind than X.509")
			continue
		}
		r.der(one, here)
	}
	return true
}

// contentInfo opens a ContentInfo of the given type: SEQUENCE { type, [0] EXPLICIT content }.
func contentInfo(der []byte, want asn1.ObjectIdentifier) (content cryptobyte.String, ok bool) {
	s := cryptobyte.String(der)
	var outer cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !s.ReadASN1(&outer, cbasn1.SEQUENCE) || !outer.ReadASN1ObjectIdentifier(&oid) || !oid.Equal(want) {
		return nil, false
	}
	if !outer.ReadASN1(&content, context0) {
		return nil, false
	}
	// Inside a definite outer length there may still be BER.
	if der, _, err := toDER(content); err == nil && len(der) > 0 {
		content = der
	}
	return content, true
}
