package trial

// Text is the difference for a terminal.
func (d *Difference) Text() string { return d.document().text() }

// Markdown is the difference for a ticket.
func (d *Difference) Markdown() string { return d.document().markdown() }

func (d *Difference) document() *document {
	var doc document
	doc.add(heading("Policy difference"))
	doc.say(prose("from "), value(d.A), prose(" to "), value(d.B))
	if len(d.Changes) == 0 {
		doc.say(prose("The two accept the same."))
	}
	for _, c := range d.Changes {
		e := entry{title: []span{prose("%s", c.What)}}
		if c.Block != "" {
			e.title = append(e.title, prose(" of "), value(c.Block))
		}
		add := func(label string, list []string) {
			if len(list) > 0 {
				e.fields = append(e.fields, labelled{label, values(list, len(list))})
			}
		}
		add("taken away", c.Removed)
		add("given", c.Added)
		add("from", c.From)
		add("to", c.To)
		doc.add(e)
	}
	if d.Clients != nil {
		d.Clients.document(&doc)
	}
	return &doc
}

func (c *Between) document(d *document) {
	d.add(heading("Recorded clients"))
	d.say(prose("%s", Amount{c.Connections, c.Shapes}.words()))
	t := table{head: []string{"", "connections", "share", "shapes"}, right: []bool{false, true, true, true}}
	for _, row := range [...]struct {
		what string
		Amount
	}{{"lost by the change", c.Lost}, {"gained by the change", c.Gained}, {"negotiate something else", c.Changed}, {"refused before and after", c.Refused}} {
		t.rows = append(t.rows, [][]span{
			{prose("%s", row.what)}, {prose("%s", number(row.Connections))}, {prose("%s", share(row.Connections, c.Connections))}, {prose("%s", number(row.Shapes))},
		})
	}
	d.add(t)
	if c.AtRisk.Connections > 0 {
		d.say(prose("Beside these, %s may be lost: that depends on what the new policy does not state.", c.AtRisk.words()))
	}
	if c.Unjudged > 0 {
		d.say(prose("%s could not be judged: of so many kinds of clients or names no more is kept.", plural(c.Unjudged, "connection")))
	}
	if len(c.Losses) > 0 {
		d.add(heading("Lost by the change"))
		addLosses(d, c.Losses, c.Connections)
	}
	if len(c.Gains) > 0 {
		d.add(heading("Gained by the change, refused until now"))
		addLosses(d, c.Gains, c.Connections)
	}
	if len(c.Shifts) > 0 {
		d.add(heading("Negotiate something else"))
		t := table{head: []string{"connections", "shapes", "from", "to"}, right: []bool{true, true, false, false}}
		for _, s := range c.Shifts[:min(len(c.Shifts), maxListedChoices)] {
			t.rows = append(t.rows, [][]span{{prose("%s", number(s.Connections))}, {prose("%s", number(s.Shapes))}, s.From.spans(), s.To.spans()})
		}
		d.add(t)
		sayMore(d, len(c.Shifts)-maxListedChoices, "change")
	}
}

func (o Outcome) spans() []span {
	out := []span{value(o.Version), prose(" "), value(o.Cipher)}
	for _, s := range [...]string{o.Curve, o.NextProtocol} {
		if s != "" {
			out = append(out, prose(" "), value(s))
		}
	}
	return out
}
