package trial

import "time"

// How much of a result its renderings list; JSON has all of it.
const (
	maxListedLosses  = 50
	maxListedChoices = 30
	maxListedValues  = 4
	maxListedNames   = 5
)

// Text is the report for a terminal.
func (r *Report) Text() string { return r.document().text() }

// Markdown is the report for a ticket.
func (r *Report) Markdown() string { return r.document().markdown() }

func (r *Report) document() *document {
	var d document
	d.add(heading("Policy check"))
	d.say(prose("policy "), value(r.Policy), prose(": tried on %s of %s", plural(r.Connections, "connection"), plural(r.Shapes, "client shape")), span{text: r.period()})
	if r.Lost.Connections == 0 {
		d.say(prose("No client would be lost."))
	} else {
		d.say(prose("%s would be lost: %s.", r.Lost.words(), share(r.Lost.Connections, r.Connections)))
	}
	if r.Elsewhere > 0 {
		d.say(prose("%s of these connections would never get here: another block of this listener answers for the names that they ask for. They were tried all the same.", number(r.Elsewhere)))
	}
	if r.AtRisk.Connections > 0 {
		d.say(prose("Beside these, %s may be lost: that depends on what the policy does not state.", r.AtRisk.words()))
	}
	if r.WithoutTLS13.Connections > 0 {
		d.say(prose("%s would be served below TLS 1.3, which the clients have.", r.WithoutTLS13.words()))
	}
	if r.Unverified {
		d.say(prose("The facts of this policy are not all checked against a second source."))
	}
	for _, doubt := range r.Uncertain {
		d.say(prose("Not certain for %s: %s.", doubt.words(), doubt.Reason))
	}
	if r.Unjudged > 0 {
		d.say(prose("%s could not be judged: of so many kinds of clients or names no more is kept.", plural(r.Unjudged, "connection")))
	}
	sayEntries(&d, r)
	r.blocks(&d)
	if len(r.Losses) > 0 {
		d.add(heading("Lost"))
		addLosses(&d, r.Losses, r.Connections)
	}
	addChoices(&d, "Negotiated with the others", r.Negotiated, r.Connections)
	return &d
}

// blocks lists those of a listener with several.
func (r *Report) blocks(d *document) {
	if len(r.Blocks) == 0 {
		return
	}
	d.add(heading("By the block that answers"))
	t := table{head: []string{"block", "connections", "lost", "share", "shapes", "most often"}, right: []bool{false, true, true, true, true, false}}
	for _, b := range r.Blocks {
		most := []span{prose("-")}
		if len(b.Negotiated) > 0 {
			most = []span{value(b.Negotiated[0].Version), prose(" "), value(b.Negotiated[0].Cipher)}
		}
		t.rows = append(t.rows, [][]span{
			{value(b.Name)}, {prose("%s", number(b.Connections))}, {prose("%s", number(b.Lost.Connections))}, {prose("%s", share(b.Lost.Connections, b.Connections))},
			{prose("%s", number(b.Shapes))}, most,
		})
	}
	d.add(t)
}

// addChoices lists what would be negotiated.
func addChoices(d *document, title string, choices []Choice, of int64) {
	if len(choices) == 0 {
		return
	}
	d.add(heading(title))
	t := table{head: []string{"connections", "share", "shapes", "version", "cipher suite", "group"}, right: []bool{true, true, true, false, false, false}}
	for _, c := range choices[:min(len(choices), maxListedChoices)] {
		t.rows = append(t.rows, [][]span{
			{prose("%s", number(c.Connections))}, {prose("%s", share(c.Connections, of))}, {prose("%s", number(c.Shapes))},
			{value(c.Version)}, {value(c.Cipher)}, groupCell(c.Curve),
		})
	}
	d.add(t)
	sayMore(d, len(choices)-maxListedChoices, "combination")
}

// sayEntries says which entries of the recording gave no client.
func sayEntries(d *document, r *Report) {
	for _, s := range [...]struct {
		n    int64
		noun string
	}{
		{r.Skipped.Malformed, "damaged entry"}, {r.Skipped.NoHello, "record without a ClientHello"},
		{r.Skipped.Incomplete, "record of an incomplete ClientHello"}, {r.Skipped.BrokenHello, "record of a ClientHello that does not parse"},
	} {
		if s.n > 0 {
			d.say(prose("Not tried: %s × %s.", number(s.n), s.noun))
		}
	}
}

func groupCell(curve string) []span {
	if curve == "" {
		return []span{prose("-")}
	}
	return []span{value(curve)}
}

func sayMore(d *document, n int, noun string) {
	if n > 0 {
		d.say(prose("… and %s", plural(n, "more "+noun)))
	}
}

func (r *Report) period() string {
	if r.First == nil {
		return ""
	}
	return ", " + r.First.UTC().Format(time.DateTime) + " to " + r.Last.UTC().Format(time.DateTime) + " UTC"
}

// addLosses lists losses, or what would be gained: who, how many, and what they and the policy do not agree in.
func addLosses(d *document, losses []Loss, of int64) {
	for _, l := range losses[:min(len(losses), maxListedLosses)] {
		d.add(l.entry(of))
	}
	sayMore(d, len(losses)-maxListedLosses, "kind")
}

func (l *Loss) entry(of int64) entry {
	e := entry{title: []span{prose("%s (%s)  ", plural(l.Connections, "connection"), share(l.Connections, of)), value(l.Client)}}
	if l.Confidence != "" {
		e.title = append(e.title, prose(", %s", l.Confidence))
	}
	add := func(label string, text ...span) {
		if len(text) > 0 {
			e.fields = append(e.fields, labelled{label, text})
		}
	}
	why := []span{prose("%s", l.Reason)}
	if l.Alert != "" {
		why = append(why, prose(", answered with alert "), value(l.Alert))
	}
	add("why", why...)
	if l.Block != "" {
		add("block", value(l.Block))
	}
	add("offers", values(l.Offered, maxListedValues)...)
	add("accepted", values(l.Accepts, maxListedValues)...)
	if l.Uncertain != "" {
		add("uncertain", prose("%s", l.Uncertain))
	}
	var names []span
	for i, n := range l.ServerNames[:min(len(l.ServerNames), maxListedNames)] {
		if i > 0 {
			names = append(names, prose(", "))
		}
		if n.Name == "" {
			names = append(names, prose("none (%s)", number(n.Connections)))
			continue
		}
		names = append(names, value(n.Name), prose(" (%s)", number(n.Connections)))
	}
	if n := len(l.ServerNames) - maxListedNames + l.MoreNames; n > 0 && len(l.ServerNames) >= maxListedNames {
		names = append(names, prose(" and %d more", n))
	}
	add("names", names...)
	add("from", values(l.Addresses, maxListedNames)...)
	shape := []span{value(l.Shape), prose("  ja4 "), value(l.JA4)}
	if l.EventID != "" {
		shape = append(shape, prose("  record "), value(l.EventID))
	}
	add("shape", shape...)
	return e
}
