package why

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
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
		f.denies = func(x *probe.Exchange) bool { return x.Hello.ServerName() == "" }
	} else {
		if done, ok := r.siteOfItsOwn(next, a); done {
			return ok
		}
		if done, ok := r.nameInLowerCase(next, a); done {
			return ok
		}
		if r.filteredName(next, a) {
			return true
		}
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
func (r *run) presented() string { return presentedBy(r.accepted) }

func presentedBy(a answer) string {
	x := a.x
	if chain := inspect.Certificates(x.Certificates); len(chain) > 0 {
		return "a certificate for " + strings.Join(chain[0].AlternativeNames[:min(3, len(chain[0].AlternativeNames))], ", ") + " (" + chain[0].Subject + ")"
	}
	return x.Describe()
}

// siteOfItsOwn finds out whether the name itself is accepted, in a hello that offers more: then the endpoint has several sites with
// settings of their own, and the walk goes on from what the site of this name accepts.
func (r *run) siteOfItsOwn(next trial, last answer) (done, ok bool) {
	own := next.hello.ServerName()
	for _, c := range []control{
		{"a plain hello of many versions and suites, server name " + own, trial{broad(own), next.proxy}},
		{"the same with ALPN", trial{withALPN(broad(own)), next.proxy}},
	} {
		if same(c.trial.hello, next.hello) || r.spare() < 2 || len(c.trial.hello.ALPN()) > 0 && !alerted(last, wire.AlertNoApplicationProtocol) {
			continue
		}
		c.trial.hello.RecordVersion = r.working.hello.RecordVersion
		a := r.send(c.change, c.trial)
		if a.x == nil {
			return true, false
		}
		if last = a; a.works {
			r.keep(c.trial, a)
			// What worked with another name says nothing about this one.
			r.largest, r.sizes = a.x.Hello.Size(), []int{a.x.Hello.Size()}
			clear(r.most)
			r.result.Notes = append(r.result.Notes, fmt.Sprintf("With another name than %q, or without one, the same hello is accepted: it is not the name that is refused, but something that is asked for together with it.", inspect.Bounded(own)))
			return true, true
		}
	}
	return false, true
}

// nameInLowerCase finds out whether the name is accepted when it is written in small letters.
func (r *run) nameInLowerCase(next trial, a answer) (done, ok bool) {
	own := next.hello.ServerName()
	lower := strings.ToLower(own)
	if lower == own {
		return false, true
	}
	t := trial{next.hello.Clone(), next.proxy}
	t.hello.SetServerName(lower)
	p, ok := r.believe("with server name "+lower, t)
	if !ok || !p.works {
		return !ok, ok
	}
	r.keep(t, p)
	r.add(found{axis: AxisServerName, id: ServerNameCase, offered: []string{inspect.Bounded(own)}, accepted: []string{inspect.Bounded(lower)},
		evidence: fmt.Sprintf("with server name %q: %s; with %q: %s", inspect.Bounded(own), a.x.Describe(), inspect.Bounded(lower), r.presented()),
		sentence: fmt.Sprintf("The endpoint does not accept the server name %q, and accepts it in small letters: it compares names by their letters' case, which means nothing (RFC 6066, Section 3).", inspect.Bounded(own)),
		fix:      "Let the client ask for the name in small letters, as most do by themselves, or correct how the endpoint compares."})
	return true, true
}

// betweenSegments is how long the second part of a hello is held back.
const betweenSegments = 20 * time.Millisecond

// filteredName finds out whether the name is accepted when it is cut in two: then something that reads only the first record, or the
// first segment, refuses it, and no TLS server.
func (r *run) filteredName(next trial, a answer) bool {
	if alerted(a, wire.AlertUnrecognizedName, wire.AlertInternalError, wire.AlertNoApplicationProtocol) {
		return false // so answers a TLS server
	}
	own := next.hello.ServerName()
	message, err := next.hello.Message()
	at := bytes.Index(message, []byte(own))
	if err != nil || at < 0 || len(own) < 2 || len(next.hello.Layout.Records) > 0 || r.spare() < 4 {
		return false
	}
	at += len(own) / 2
	for _, cut := range []struct {
		where  string
		layout probe.Layout
	}{
		{"TLS records", probe.SplitAt(at)},
		{"TCP segments", probe.Layout{SegmentSize: at + recordHeader, Pause: betweenSegments}},
	} {
		t := trial{next.hello.Clone(), next.proxy}
		t.hello.Layout = cut.layout
		p := r.send("with its server name cut in two by "+cut.where, t)
		if p.x == nil || !p.works {
			continue
		}
		r.add(found{axis: AxisServerName, id: ServerNameFiltered, offered: []string{inspect.Bounded(own)},
			evidence: fmt.Sprintf("with server name %q: %s; with the name cut in two by %s: %s", inspect.Bounded(own), a.x.Describe(), cut.where, presentedBy(p)),
			sentence: fmt.Sprintf("Something before the endpoint refuses the server name %q: the endpoint itself accepts it, as is seen when it comes in two %s.", inspect.Bounded(own), cut.where),
			fix:      "Look for a filter of names before the endpoint (a firewall, a proxy, a provider) and have the name allowed there."})
		return true
	}
	return false
}

// alerted reports whether an answer is one of some alerts.
func alerted(a answer, some ...wire.AlertDescription) bool {
	return a.x != nil && a.x.Alert != nil && slices.Contains(some, a.x.Alert.Description)
}

// recordHeader are the bytes before a record's payload.
const recordHeader = 5
