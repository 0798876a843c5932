package trial

import (
	"reflect"
	"slices"
	"strings"
)

// Text is the recommendation for a terminal.
func (r *Recommendation) Text() string { return r.document().text() }

// Markdown is the recommendation for a ticket.
func (r *Recommendation) Markdown() string { return r.document().markdown() }

func (r *Recommendation) document() *document {
	var d document
	if r.Tried == 0 { // only something tailored was asked for
		d.say(prose("%s, a loss of %s accepted", Amount{r.Connections, r.Shapes}.words(), r.MaxLoss))
		for i := range r.Tailored {
			r.Tailored[i].document(&d, r.Connections, r.Tailored[:i])
		}
		return &d
	}
	d.add(heading("Recommended policy"))
	d.say(prose("%s, %s tried, a loss of %s accepted", Amount{r.Connections, r.Shapes}.words(), policies(r.Tried), r.MaxLoss))
	switch {
	case r.Best != nil && r.Best.Lost.Connections == 0:
		d.say(value(r.Best.Policy), prose(" is the strictest that loses nobody%s.", mark(r.Best)))
	case r.Best != nil:
		d.say(value(r.Best.Policy), prose(" is the strictest that loses no more: %s, %s%s.", r.Best.Lost.words(), share(r.Best.Lost.Connections, r.Connections), mark(r.Best)))
	case r.Cheapest != nil:
		d.say(prose("Every policy loses more. Least is lost by "), value(r.Cheapest.Policy), prose(": %s, %s%s.", r.Cheapest.Lost.words(), share(r.Cheapest.Lost.Connections, r.Connections), mark(r.Cheapest)))
	}
	if b := r.Best; b != nil && b.WithoutTLS13.Connections > 0 {
		d.say(prose("It has no TLS 1.3 for %s, %s, that do: they would be served in an older version.", b.WithoutTLS13.words(), share(b.WithoutTLS13.Connections, r.Connections)))
	}
	if r.Best != nil && r.Best.Uncertain > 0 {
		d.say(prose("Not certain for %s: the policy does not state what their answer depends on.", plural(r.Best.Uncertain, "connection")))
	}
	if r.Best != nil && len(r.Best.Losses) > 0 {
		d.add(heading("What it costs"))
		addLosses(&d, r.Best.Losses, r.Connections)
		sayMore(&d, r.Best.MoreLosses, "kind")
	}
	if r.Best != nil {
		addChoices(&d, "Negotiated with it", r.Best.Negotiated, r.Connections)
	}
	r.candidates(&d, "Stricter ones, which lose more or are not verified", r.Stricter)
	r.candidates(&d, "Runners-up, less strict", r.Others)
	if len(r.Unservable) > 0 {
		d.add(heading("Lost whatever the policy"))
		addLosses(&d, r.Unservable, r.Connections)
	}
	for i := range r.Tailored {
		r.Tailored[i].document(&d, r.Connections, r.Tailored[:i])
	}
	return &d
}

func policies(n int) string {
	if n == 1 {
		return "1 policy"
	}
	return number(n) + " policies"
}

func mark(c *Candidate) string {
	if c.Unverified {
		return " (not all of its facts are checked against a second source)"
	}
	return ""
}

func (r *Recommendation) candidates(d *document, title string, list []Candidate) {
	if len(list) == 0 {
		return
	}
	d.add(heading(title))
	t := table{
		head:  []string{"policy", "lost", "share", "shapes", "no TLS 1.3", "versions", "suites", "no FS", "no AEAD", "largest loss"},
		right: []bool{false, true, true, true, true, false, true, true, true, false},
	}
	for _, c := range list {
		name := []span{value(c.Policy)}
		if c.Unverified {
			name = append(name, prose(" (unverified)"))
		}
		s := c.Strictness
		t.rows = append(t.rows, [][]span{
			name, {prose("%s", number(c.Lost.Connections))}, {prose("%s", share(c.Lost.Connections, r.Connections))}, {prose("%s", number(c.Lost.Shapes))},
			{prose("%s", number(c.WithoutTLS13.Connections))}, {prose("%s to %s", s.MinVersion, s.MaxVersion)}, {prose("%d", s.Suites)}, {prose("%d", s.NoForwardSecrecy)}, {prose("%d", s.NotAEAD)}, c.why(),
		})
	}
	d.add(t)
}

// why names the largest loss.
func (c *Candidate) why() []span {
	if len(c.Losses) == 0 {
		return []span{prose("-")}
	}
	return []span{value(c.Losses[0].Client), prose(": %s", c.Losses[0].Reason)}
}

// document adds what was tailored. What it has in common with one of those before it is not said again.
func (t *Tailored) document(d *document, of int64, before []Tailored) {
	d.add(heading("Tailored for " + string(t.System)))
	var like *Tailored
	for i := range before {
		b := &before[i]
		if slices.Equal(t.Ciphers, b.Ciphers) && slices.Equal(t.Groups, b.Groups) && slices.Equal(t.Schemes, b.Schemes) {
			like = b
			break
		}
	}
	if t.Snippet != "" {
		like = nil
	}
	if t.Lost.Connections == 0 {
		d.say(prose("loses nobody"))
	} else {
		d.say(prose("loses %s, %s", t.Lost.words(), share(t.Lost.Connections, of)))
	}
	e := entry{title: []span{prose("what the recorded clients need")}}
	e.fields = append(e.fields, labelled{"versions", values(t.words(), len(t.Versions))})
	if like != nil {
		e.fields = append(e.fields, labelled{"the rest", []span{prose("the same suites, groups and signatures as for %s", like.System)}})
	} else {
		e.fields = append(e.fields, labelled{"suites", values(t.Ciphers, len(t.Ciphers))}, labelled{"groups", values(t.Groups, len(t.Groups))},
			labelled{"signatures", values(t.Schemes, len(t.Schemes))})
	}
	if len(t.OpenSSL) > 0 && t.System.openSSLNames() && (like == nil || !like.System.openSSLNames() || !slices.Equal(t.OpenSSL, like.OpenSSL)) {
		e.fields = append(e.fields, labelled{"OpenSSL", []span{code(strings.Join(t.OpenSSL, ":"))}})
	}
	for _, n := range t.Notes {
		if like == nil || !slices.Contains(like.Notes, n) {
			e.fields = append(e.fields, labelled{"note", []span{prose("%s", n)}})
		}
	}
	if like != nil && slices.EqualFunc(t.Losses, like.Losses, func(a, b Loss) bool { return reflect.DeepEqual(a, b) }) {
		if len(t.Losses) > 0 {
			e.fields = append(e.fields, labelled{"lost", []span{prose("the same as for %s", like.System)}})
		}
		d.add(e)
		return
	}
	for _, l := range t.Losses[:min(len(t.Losses), maxCandidateLosses)] {
		e.fields = append(e.fields, labelled{"lost", []span{prose("%s: ", plural(l.Connections, "connection")), value(l.Client), prose(", %s", l.Reason)}})
	}
	d.add(e)
	sayMore(d, len(t.Losses)-maxCandidateLosses, "kind")
	if t.Snippet != "" {
		d.add(listing(t.Snippet))
	}
}

// words are the versions as the system writes them.
func (t *Tailored) words() []string {
	out := make([]string, 0, len(t.Policy.Versions))
	for _, v := range t.Policy.Versions {
		out = append(out, t.System.word(v))
	}
	return out
}

// openSSLNames reports whether the system's configuration has OpenSSL's names of suites.
func (s System) openSSLNames() bool { return s != SystemGo }
