package why

import (
	"slices"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// event is one answered hello of the experiment, as it was sent.
type event struct {
	x     *probe.Exchange
	proxy *probe.ProxyHeader
	works bool
}

// remember keeps an exchange, for causes to be held against.
func (r *run) remember(t trial, a answer) {
	r.history = append(r.history, event{a.x, t.proxy, a.works})
}

// refutedBy is the first accepted hello that a cause says would be refused. A cause is a statement on all hellos of a kind: one
// that was accepted is enough to show that it is not true.
func (r *run) refutedBy(f found) (*probe.Exchange, bool) {
	if f.denies == nil {
		return nil, false
	}
	for _, e := range r.history {
		if e.works && len(e.x.Hello.Layout.Records) == 0 && e.proxy == r.working.proxy && !e.x.Hello.SSLv2 && (f.axis == AxisServerName || e.x.Hello.ServerName() == r.working.hello.ServerName()) && f.denies(e.x) {
			return e.x, true
		}
	}
	return nil, false
}

// consistent takes back the causes that a hello of the experiment contradicts, whenever it was sent.
func (r *run) consistent() {
	causes, described := r.causes, r.result.Causes
	r.causes, r.result.Causes = nil, nil
	for i, f := range causes {
		if x, refuted := r.refutedBy(f); refuted {
			r.doubt(f, x)
			continue
		}
		r.causes, r.result.Causes = append(r.causes, f), append(r.result.Causes, described[i])
	}
}

// doubt keeps what was suspected, and why it is not so.
func (r *run) doubt(f found, x *probe.Exchange) {
	text := "suspected: " + f.id + ": " + f.evidence
	if x != nil {
		text += "; but a hello of which that is true was accepted: " + x.Describe()
	}
	r.result.Tried = append(r.result.Tried, text)
}

// contradiction reports whether one and the same hello was both accepted and refused by an endpoint that does not limit connections.
func (r *run) contradiction() (good, bad int, broken answer, t trial, found bool) {
	if r.blocked {
		return
	}
	for i, e := range r.history {
		if e.works || e.x.Hello.Layout.SegmentSize > 0 || timedOut(e.x) || e.x.Outcome == probe.OutcomeNotConnected {
			continue
		}
		good, bad = 0, 0
		for _, o := range r.history {
			if o.proxy != e.proxy || !same(o.x.Hello, e.x.Hello) {
				continue
			}
			if o.works {
				good++
			} else {
				bad++
			}
		}
		if good > 0 {
			return good, bad, answer{r.history[i].x, false}, trial{e.x.Hello, e.proxy}, true
		}
	}
	return 0, 0, answer{}, trial{}, false
}

// alike reports whether two exchanges came to speak the same version: what is asked of one says nothing about the other.
func (r *run) alike(x *probe.Exchange) bool { return x.Version == r.accepted.x.Version }

// within reports whether a list has nothing but what another one has, reserved values aside.
func within[T ~uint16](some, all []T) bool {
	return !slices.ContainsFunc(some, func(v T) bool { return !wire.IsGREASE(v) && !slices.Contains(all, v) })
}

// deniesVersions is true of hellos that offer nothing but these versions.
func deniesVersions(offered []wire.Version) func(*probe.Exchange) bool {
	return func(x *probe.Exchange) bool { return within(versionsOf(x.Hello), offered) }
}

// deniesSuites is true of hellos that offer nothing but these suites, signals aside.
func deniesSuites(offered []wire.CipherSuite) func(*probe.Exchange) bool {
	return func(x *probe.Exchange) bool { return within(lessSignals(x.Hello.CipherSuites), offered) }
}

func lessSignals(suites []wire.CipherSuite) []wire.CipherSuite {
	return slices.DeleteFunc(slices.Clone(suites), func(s wire.CipherSuite) bool { info, ok := s.Info(); return ok && info.Signal() })
}

// undecided keeps what is suspected of an axis, and says nothing: which part of it the endpoint minds could not be told. The walk goes on with
// what works.
func (r *run) undecided(f found) bool {
	r.doubt(f, nil)
	r.causal[f.axis] = true
	return true
}
