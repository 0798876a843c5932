package chain

import (
	"bytes"
	"fmt"
	"strings"
)

// impostor is a presented certificate that has the name of c's issuer and did not issue it: it is of another generation
// of the authority, or another authority's. It is nil where none was presented.
func (e *examination) impostor(c *cert) *cert {
	for _, k := range e.certs {
		if k != c && bytes.Equal(k.RawSubject, c.RawIssuer) && !e.links.signed(c.Certificate, k.Certificate) {
			return k
		}
	}
	return nil
}

// namesake says of a certificate without a part in the chain that it has the name of one that would have it: nothing where it has not.
func (e *examination) namesake(c *cert) string {
	for _, child := range e.certs {
		if child != c && child.inPath && bytes.Equal(child.RawIssuer, c.RawSubject) {
			return fmt.Sprintf(": it has the name of the issuer of certificate %d, but did not sign it", child.index)
		}
	}
	return ""
}

// otherKey continues a sentence that ends with the name of the issuer of c: what was sent under that name did not sign c.
func otherKey(c, sent *cert) string {
	which := fmt.Sprintf("and certificate %d, which was sent under this name,", sent.index)
	if len(c.AuthorityKeyId) > 0 && len(sent.SubjectKeyId) > 0 && !bytes.Equal(c.AuthorityKeyId, sent.SubjectKeyId) {
		return fmt.Sprintf("%s has another key (its key identifier is %s, and that of the issuer %s)", which, keyID(sent.SubjectKeyId), keyID(c.AuthorityKeyId))
	}
	return which + " did not sign it: the signature does not verify with its key"
}

// keyID writes the beginning of a key identifier as OpenSSL does: enough to tell two apart.
func keyID(id []byte) string {
	const most = 8
	var b strings.Builder
	for i, x := range id[:min(len(id), most)] {
		if i > 0 {
			b.WriteByte(':')
		}
		fmt.Fprintf(&b, "%02X", x)
	}
	if len(id) > most {
		b.WriteString("…")
	}
	return b.String()
}
