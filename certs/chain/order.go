package chain

import "fmt"

// judgeOrder reports certificates that no path needs and certificates that come before what they certify.
//
// RFC 5246, Section 7.4.2: "Each following certificate MUST directly certify the one preceding it." RFC 8446, Section
// 4.4.2, softens it to SHOULD because cross-signed certificates stand side by side, and asks clients to bear disorder; so
// a certificate is in order when something that it certifies comes before it, and disorder above the leaf is not fatal.
func (e *examination) judgeOrder() {
	if e.leaf.index > 0 && e.r.Presented[0] != nil {
		e.add(Fault{ID: WrongOrder, Index: e.leaf.index, Fatal: true, Detail: fmt.Sprintf(
			"the server's certificate (%s) is number %d; clients take number 1 (%s, a CA) for it", Subject(e.leaf.Certificate), e.leaf.index+1, Subject(e.r.Presented[0]))})
	}
	for _, c := range e.certs {
		switch {
		case c == e.leaf || c.index < e.leaf.index:
		case !c.inPath:
			e.add(Fault{ID: Unrelated, Index: c.index, Detail: fmt.Sprintf("certificate %d (%s) has no part in the chain of %s", c.index+1, Subject(c.Certificate), Subject(e.leaf.Certificate))})
		case e.beforeItsChildren(c):
			e.add(Fault{ID: WrongOrder, Index: c.index, Detail: fmt.Sprintf("certificate %d (%s) comes before the certificate that it certifies", c.index+1, Subject(c.Certificate))})
		}
	}
}

// beforeItsChildren says whether everything that c certifies comes after c. What certifies nothing that was sent (its link is
// missing) is not out of order.
func (e *examination) beforeItsChildren(c *cert) bool {
	after := false
	for _, k := range e.certs {
		if k != c && k.inPath && e.links.signed(k.Certificate, c.Certificate) {
			if k.index < c.index {
				return false
			}
			after = true
		}
	}
	return after
}
