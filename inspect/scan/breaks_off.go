package scan

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// breakingOff looks for versions that are chosen in a ServerHello behind which no certificate ever comes. No client falls back then: all that
// offer the version fail, whatever else is spoken.
func (s *session) breakingOff(ctx context.Context, r *Report, wholes ...*probe.Exchange) {
	for _, v := range versions() {
		e := r.enumerated[v]
		if v <= wire.VersionSSLv3 || !r.accepts(v) || len(e.leaves) > 0 || len(r.SchemesByVersion[v.String()]) > 0 {
			continue
		}
		x := e.first
		if i := slices.IndexFunc(wholes, func(x *probe.Exchange) bool { return x != nil && versionOf(x) == v }); i >= 0 {
			x = wholes[i]
		}
		if x == nil || !stopsShort(x) {
			continue
		}
		a := Answer{Reply: No, Attempts: 1, Evidence: x.Describe()}
		for _, hello := range []func() *probe.Hello{
			func() *probe.Hello { return s.whole(r, v) },
			func() *probe.Hello { // that of a usual client
				o := probe.Offer{ServerName: s.target.ServerName, Versions: []wire.Version{v}, ALPN: s.target.ALPN}
				if o.ALPN == nil && s.target.speaksHTTP() {
					o.ALPN = []string{"h2", "http/1.1"}
				}
				h := o.Hello()
				h.SetGroups(s.whole(r, v).Groups()...)
				return renegotiating(h)
			},
		} {
			y := s.ask(ctx, hello(), probe.Options{})
			a.Attempts++
			if versionOf(y) == v && !stopsShort(y) { // it went on, or it cannot be read here
				a = Answer{}
				break
			}
			if !stopsShort(y) { // silence, or a refusal of another kind
				a.Reply, a.Evidence = Inconclusive, a.Evidence+"; then "+y.Describe()
			}
		}
		if a.Reply == No && s.unsteady() {
			a.Reply = Inconclusive
			a.Evidence += "; but the endpoint answers the same hello in one way now and in another then"
		}
		switch a.Reply {
		case No:
			if r.BreaksOff == nil {
				r.BreaksOff = map[string]Answer{}
			}
			r.BreaksOff[v.String()] = a
		case Inconclusive:
			s.doubt("", fmt.Sprintf("whether a handshake of %s gets as far as a certificate: %s", v, a.Evidence))
		}
	}
}

// stopsShort reports whether the endpoint broke a handshake off between its ServerHello and its certificate. A suite that goes without one has none.
func stopsShort(x *probe.Exchange) bool {
	if x.ServerHello == nil || x.Flight || x.Unreadable || len(x.Certificates) > 0 {
		return false
	}
	if info, _ := x.ServerHello.CipherSuite.Info(); classOfSuite(x.ServerHello.CipherSuite) == classPreShare || info.Authentication == "anon" || info.Authentication == "NULL" {
		return false
	}
	return x.Alert != nil || x.Error != nil && (x.Error.Type == inspect.ErrorClosed || x.Error.Type == inspect.ErrorReset)
}

// breaksOff: what no client can go on from.
func breaksOff(r *Report) *inspect.Finding {
	f := &inspect.Finding{
		ID: FindingBreaksOff, Severity: inspect.SeverityError, Accepted: r.SignatureSchemes, Citation: "RFC 8446, Sections 4.2.3 and 4.4.2.2",
	}
	var broken, evidence []string
	var older wire.Version
	for _, v := range versions() {
		a, ok := r.BreaksOff[v.String()]
		switch {
		case ok:
			broken = append(broken, v.String())
			evidence = append(evidence, fmt.Sprintf("behind the ServerHello of %s, %d times of %d: %s", v, a.Attempts, a.Attempts, a.Evidence))
		case older == 0 && broken != nil && r.accepts(v):
			older = v
		}
	}
	if broken == nil {
		return refusesRightName(r)
	}
	f.Title = fmt.Sprintf("%s is chosen, and no handshake in it gets as far as the certificate", list(broken))
	f.Detail = strings.Join(evidence, "; ") + fmt.Sprintf(". Every client that offers %s fails", list(broken))
	if older != 0 {
		f.Detail += fmt.Sprintf(", although %s works: it is not chosen for a client that offers both", older)
	}
	f.Detail += "."
	if slices.Contains(broken, wire.VersionTLS13.String()) {
		f.Detail += r.unfitSchemes()
		f.Fixes = []inspect.Fix{
			{Target: "java", Action: "Leave the server a scheme that TLS 1.3 has, for its kind of key", Snippet: "-Djdk.tls.server.SignatureSchemes=rsa_pss_rsae_sha256,rsa_pkcs1_sha256,ecdsa_secp256r1_sha256"},
			{Target: "openssl", Action: "Leave it such a scheme, for its own signature and for those of clients", Snippet: "SignatureAlgorithms = ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256\nClientSignatureAlgorithms = ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256"},
		}
		if older != 0 {
			f.Fixes = append(f.Fixes, inspect.Fix{Target: "nginx", Action: "Until then, leave the version out", Snippet: "ssl_protocols TLSv1.2;"})
		}
	}
	f.Fixes = append(f.Fixes, inspect.Fix{Target: "server", Action: "Look into its log: it knows why it breaks off"})
	return f
}

// unfitSchemes says which schemes of TLS 1.2 there are no others than, and TLS 1.3 does not have; empty: there are others.
func (r *Report) unfitSchemes() string {
	unfit := func(schemes []string) bool {
		return len(schemes) > 0 && !slices.ContainsFunc(schemes, func(name string) bool {
			scheme, ok := wire.SignatureSchemeByName(name)
			info, _ := scheme.Info()
			return !ok || info.TLS13
		})
	}
	if signs := r.SchemesByVersion[wire.VersionTLS12.String()]; unfit(signs) {
		return fmt.Sprintf(" In TLSv1.2 it signs with nothing but %s, which no handshake of TLS 1.3 is signed with: it has no signature scheme for TLS 1.3.", list(signs))
	}
	if c := r.ClientCertificate; c != nil && unfit(c.Schemes) {
		return fmt.Sprintf(" It asks clients for certificates that sign with nothing but %s, which no handshake of TLS 1.3 is signed with: it has no CertificateRequest for TLS 1.3.", list(c.Schemes))
	}
	return " The likeliest reason is that it has no signature scheme for TLS 1.3 that fits its key, or none to ask clients for."
}

// refusesRightName: hellos are answered, and the one with the right name of a client that speaks everything is not.
func refusesRightName(r *Report) *inspect.Finding {
	i := slices.IndexFunc(r.SNI, func(n NameAnswer) bool { return n.Form == NameRight && n.Reply == No })
	if i < 0 || r.newest() == 0 || r.StoppedAfter > 0 || r.ClosedAtRandom+r.RefusedAtRandom+len(r.AnswersDiffer) > 0 || r.BrokenLayer() != nil {
		return nil
	}
	return &inspect.Finding{
		ID: FindingBreaksOff, Severity: inspect.SeverityError, Title: fmt.Sprintf("A usual hello with %s is refused", r.SNI[i].describe()),
		Detail: fmt.Sprintf("The hello of a client that offers all versions: %s. Other hellos are answered; usual clients fail.", r.SNI[i].Evidence),
		Fixes:  []inspect.Fix{{Target: "server", Action: "Look into its log: it knows why it breaks off"}}, Citation: "RFC 8446, Section 4.4.2.2",
	}
}
