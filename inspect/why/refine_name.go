package why

import (
	"fmt"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
)

func (r *run) refineProxy(a answer) bool {
	f := found{axis: AxisProxyProtocol}
	if r.working.proxy != nil {
		version := "1"
		if r.working.proxy.Version == 2 {
			version = "2"
		}
		f.id = ProxyHeaderRequired
		f.evidence = fmt.Sprintf("without a PROXY protocol header: %s; behind one of version %s: %s", a.x.Describe(), version, r.accepted.x.Describe())
		f.sentence = "The endpoint expects a PROXY protocol header before TLS, and the client sends none: it takes the hello for a broken header."
		f.fix = "Send the header (nginx: proxy_protocol on; HAProxy: send-proxy), or turn off at the endpoint that it expects one."
	} else {
		f.id = ProxyHeaderUnexpected
		f.evidence = fmt.Sprintf("behind a PROXY protocol header: %s; without: %s", a.x.Describe(), r.accepted.x.Describe())
		f.sentence = "The endpoint does not know the PROXY protocol: it takes the header for a broken hello."
		f.fix = "Do not send the header, or let the endpoint expect it (nginx: listen … proxy_protocol; HAProxy: accept-proxy)."
	}
	r.add(f)
	return true
}

func (r *run) refineName(next trial, a answer) bool {
	own, other := r.failing.hello.ServerName(), r.working.hello.ServerName()
	f := found{axis: AxisServerName}
	if own == "" {
		f.id = ServerNameRequired
		f.evidence = fmt.Sprintf("without a server name: %s; with %s: %s", a.x.Describe(), other, r.presented())
		f.sentence = "The endpoint needs a server name (SNI), and the client sends none."
		f.fix = "Let the client send the name (nginx: proxy_ssl_server_name on; HAProxy: sni str(…)), or give the endpoint a default certificate."
		f.accepted = []string{other}
	} else {
		f.id, f.offered = ServerNameUnknown, []string{inspect.Bounded(own)}
		f.evidence = fmt.Sprintf("with server name %q: %s; %s: %s", own, a.x.Describe(), nameOrNone(other), r.presented())
		f.sentence = fmt.Sprintf("The endpoint does not accept the server name %q; %s it answers.", own, nameOrNone(other))
		f.fix = "Configure the name at the endpoint, or let the client ask for one that it knows."
		r.addAlone(f, fmt.Sprintf("the server name %q", inspect.Bounded(own)), next, 0, 0)
		return !r.cut
	}
	r.add(f)
	return true
}

func nameOrNone(name string) string {
	if name == "" {
		return "without a name"
	}
	return fmt.Sprintf("with %q", name)
}

// presented is what the endpoint answers to the hello that works.
func (r *run) presented() string {
	x := r.accepted.x
	if chain := inspect.Certificates(x.Certificates); len(chain) > 0 {
		return "a certificate for " + strings.Join(chain[0].AlternativeNames[:min(3, len(chain[0].AlternativeNames))], ", ") + " (" + chain[0].Subject + ")"
	}
	return x.Describe()
}
