package scan

import (
	"context"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Exchange answers a hello in the place of an endpoint.
type Exchange func(hello *probe.Hello, options probe.Options) *probe.Exchange

// Predict asks something that answers like an endpoint (a policy, on paper) the same questions as an endpoint is asked, as far as
// versions, suites, groups, schemes and protocols go, and gives what a scan of it would report. CompareAccepted holds that
// against what was measured.
func Predict(ctx context.Context, name string, answer Exchange, serverName string) *Report {
	r := NewReport(name)
	s := newSession(&Scanner{Concurrency: 1, MaxConnections: 1 << 20}, &Target{ServerName: serverName})
	s.paper = answer
	for _, v := range versions() {
		if v == wire.VersionSSLv2 {
			continue
		}
		if e := s.enumerate(ctx, v); e.answer.Reply == Yes {
			r.accept(e)
		}
	}
	if r.newest() == 0 {
		return r
	}
	r.GroupsByVersion = map[string][]string{}
	if e := r.enumerated[wire.VersionTLS13]; e != nil {
		r.noteGroups(wire.VersionTLS13, s.groupsOf(ctx, e).found)
	}
	if v, ok := r.oldest12(); ok && v > wire.VersionSSLv3 {
		r.noteGroups(v, s.groupsOf(ctx, r.enumerated[v]).found)
	}
	r.SchemesByVersion = map[string][]string{}
	if group, ok := r.shareable(); ok {
		r.noteSchemes(wire.VersionTLS13, s.schemesOf(ctx, wire.VersionTLS13, r.modern(), group))
	}
	r.noteSchemes(wire.VersionTLS12, s.schemesOf(ctx, wire.VersionTLS12, signing(r.suites(wire.VersionTLS12)), 0))
	s.alpn(ctx, r, func(string, Answer) {})
	return r
}

// accept notes a version that is spoken.
func (r *Report) accept(e *enumerated) {
	name := e.version.String()
	r.enumerated[e.version] = e
	r.Versions = append(r.Versions, name)
	r.Ciphers[name] = names(e.suites)
	if e.version == wire.VersionSSLv2 {
		r.Ciphers[name] = names(e.kinds)
	}
	if e.prefers != "" {
		r.CipherPreference[name] = e.prefers
	}
	if len(e.classes) > 0 {
		if r.CipherClasses == nil {
			r.CipherClasses = map[string]map[string]string{}
		}
		r.CipherClasses[name] = e.classes
	}
}

func (r *Report) noteSchemes(v wire.Version, found []signed) {
	var schemes []string
	for _, one := range found {
		schemes = append(schemes, one.scheme.String())
	}
	if schemes != nil {
		r.SchemesByVersion[v.String()] = schemes
	}
}

func (r *Report) noteGroups(v wire.Version, found []wire.NamedGroup) {
	r.groups[v] = found
	if len(found) > 0 {
		r.GroupsByVersion[v.String()] = names(found)
	}
}
