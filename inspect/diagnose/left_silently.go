package diagnose

import (
	"strings"

	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

// maxNames is where the record's list of a certificate's names ends: a longer one is not known to lack any.
const maxNames = 100

// leftSilently is about a client that did the handshake, was shown a certificate of this program that has not the name it asked for, and
// left without a byte: libpq, libldap and others look at the name behind the handshake, and say nothing of it on the wire. A check that looks
// at nothing leaves in the same way, so that it is a warning. Nil: it is nothing of that kind.
func (e *evidence) leftSilently() *match {
	v := e.client
	if e.foreign() || !v.established() || !v.leg.Silent || e.backend.failed() || v.tls.Resumed || v.alert(inspect.FromClient) != nil || v.alert(inspect.FromServer) != nil {
		return nil
	}
	name := v.hello.ServerName
	if name == "" || len(v.server.CertificateChain) == 0 {
		return nil
	}
	leaf := &v.server.CertificateChain[0]
	names := leaf.AlternativeNames
	// The common name counts for some of those who look late.
	if common := commonNames(leaf.Subject); leaf.Error != "" || len(names) >= maxNames || covers(names, name) || covers(common, name) {
		return nil
	} else if len(names) == 0 {
		names = common
	}
	return &match{
		severity: inspect.SeverityWarning, fault: inspect.FaultProxy,
		title: "The client seems to refuse the certificate that this proxy serves: it is for another name",
		detail: "the client asked for " + bound(name) + ", was shown a certificate for " + enumerate(names) + ", finished the handshake and left without a byte of data, as those do who look at the name last (libpq, libldap); " +
			"a check that does no more than the handshake looks like this, too",
		offered: names, accepted: []string{name},
		fixes: e.serveAnother(&chain.Fault{ID: chain.NameMismatch}),
	}
}

// commonNames are those of a distinguished name as the record spells it.
func commonNames(subject string) []string {
	var names []string
	for _, part := range strings.FieldsFunc(subject, func(r rune) bool { return r == ',' || r == '+' }) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(part), "CN="); ok {
			names = append(names, name)
		}
	}
	return names
}
