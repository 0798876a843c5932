package diagnose

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
)

// shortcoming is a reason for which a backend will hardly take the certificate that this program shows it.
type shortcoming struct {
	fault  clientCertFault
	detail string
}

// maxAuthorities is where the record's list of a backend's authorities ends: a longer one is not known to lack any.
const maxAuthorities = 50

// shortcomings holds the certificate that was shown to the backend against what the backend asked for (RFC 8446, Section 4.4.2.3;
// RFC 5246, Section 7.4.4) and against the clock. Most backends say nothing of it in the handshake.
func (e *evidence) shortcomings() []shortcoming {
	x, asked := e.backend.hello.Certificate, e.backend.server.CertificateRequest
	if x == nil || asked == nil || !asked.CertificateSent || e.foreign() {
		return nil
	}
	var list []shortcoming
	add := func(fault clientCertFault, detail string) { list = append(list, shortcoming{fault, detail}) }
	switch {
	case !x.NotAfter.IsZero() && e.now.After(x.NotAfter):
		add(certOutOfDate, "it expired on "+day(x.NotAfter))
	case e.now.Before(x.NotBefore):
		add(certOutOfDate, "it is not valid before "+day(x.NotBefore))
	}
	if may, known := clientUsage(x); known && !may {
		add(certMisused, "its usages leave out clientAuth or digitalSignature")
	}
	switch kind := certificateType(x); {
	case !signs(x, e.backend):
		add(certUnsupported, "it has "+keyWords(x)+", and the backend takes signatures of "+enumerate(asked.SignatureAlgorithms)+" only")
	case kind != "" && len(asked.Types) > 0 && !slices.Contains(asked.Types, kind):
		add(certUnsupported, "it has "+keyWords(x)+", and the backend asks for certificates of kind "+enumerate(asked.Types)+" only")
	}
	if e.strange() {
		add(certUntrusted, "it was issued by "+bound(x.Issuer)+", and the backend names "+enumerate(asked.Authorities)+" as the authorities that it accepts")
	}
	return list
}

// strange reports whether none of the authorities that the backend names is above the certificate that was shown to it, as far as
// its chain was sent or the authorities above it are known here.
func (e *evidence) strange() bool {
	x, asked := e.backend.hello.Certificate, e.backend.server.CertificateRequest
	if x == nil || x.Issuer == "" || asked == nil || len(asked.Authorities) == 0 || len(asked.Authorities) >= maxAuthorities {
		return false
	}
	issuers := []string{x.Issuer}
	for _, c := range e.d.Shown {
		if name, ok := inspect.DistinguishedName(c.RawIssuer); ok {
			issuers = append(issuers, name)
		}
	}
	for again := 0; again < len(issuers) && again < maxLooks; again++ { // a known authority may stand in for one that was not sent
		for _, ca := range e.d.KnownCAs {
			if ca.Subject.String() == issuers[again] && !slices.Contains(issuers, ca.Issuer.String()) {
				issuers = append(issuers, ca.Issuer.String())
			}
		}
	}
	return !slices.ContainsFunc(issuers, func(name string) bool { return slices.Contains(asked.Authorities, name) })
}

// certificateType is the name of the kind of a client certificate in TLS 1.2 (RFC 5246, Section 7.4.4; RFC 8422, Section 5.5); empty
// for one that is not known.
func certificateType(x *inspect.Certificate) string {
	switch x.PublicKeyAlgorithm {
	case "RSA":
		return "rsa_sign"
	case "ECDSA", "Ed25519":
		return "ecdsa_sign"
	}
	return ""
}

// shownWords describes the certificate that was shown to the backend.
func (e *evidence) shownWords() string {
	x := e.backend.hello.Certificate
	if x == nil {
		return ""
	}
	return "sent: " + calledWhat(x) + ", issued by " + bound(x.Issuer) + ", valid until " + day(x.NotAfter)
}

// betterToShow says how to come by a certificate that the backend takes.
func (e *evidence) betterToShow(why clientCertFault) []inspect.Fix {
	use := func(action string) inspect.Fix {
		if e.d.Alone {
			return fix(forSelf, action, "tlstriage scan "+backendName(e.backend)+" --client-cert FILE --client-key FILE")
		}
		return fix(forSelf, action, "tlstriage proxy --backend-cert FILE --backend-key FILE …")
	}
	switch why {
	case certOutOfDate:
		return []inspect.Fix{use("renew the proxy's certificate, and check the clocks of both machines")}
	case certWithdrawn:
		return []inspect.Fix{use("use a new certificate; ask the authority why this one was revoked")}
	case certMisused:
		return []inspect.Fix{use("use a certificate with the usages clientAuth and digitalSignature; a server's will not do")}
	case certUnsupported:
		return []inspect.Fix{use("use a certificate with a key on P-256, which all servers take")}
	case certUnproven:
		return []inspect.Fix{use("give the proxy the key that belongs to its certificate")}
	}
	from := "of an authority that the backend accepts"
	if r := e.backend.server.CertificateRequest; r != nil && len(r.Authorities) > 0 {
		from = "issued by " + boundTo(strings.Join(r.Authorities[:min(len(r.Authorities), 3)], " or "), maxValue)
	}
	return []inspect.Fix{
		use("use a certificate " + from + ", with its intermediates in the file"),
		fix(forNginx, "or let the backend accept the authority", "ssl_client_certificate FILE;"),
		fix(forHAProxy, "or let the backend accept the authority", "bind :443 ssl crt FILE ca-file FILE verify required"),
		fix(forApache, "or let the backend accept the authority", "SSLCACertificateFile FILE"),
	}
}
