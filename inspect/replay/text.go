package replay

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxRows bounds the rows of a table; what is beyond is counted.
const maxRows = 40

// Text says what one side takes and loses, for a terminal.
func Text(subjects []*Subject, side Side) string {
	var b strings.Builder
	lost, undetermined, common := Losses(subjects, side)
	var all Amount
	for _, s := range subjects {
		all.add(s)
	}
	taken := Amount{Shapes: all.Shapes - lost.Shapes - undetermined.Shapes, Connections: all.Connections - lost.Connections - undetermined.Connections}
	verb := "takes"
	if side.Predicted {
		verb = "would take"
	}
	fmt.Fprintf(&b, "%s %s %s of %s, %s.\n", clean(side.Label), verb, count(taken.Shapes, "hello"), number(int64(all.Shapes)), connections(taken.Connections, all.Connections))
	if lost.Shapes > 0 {
		fmt.Fprintf(&b, "Lost: %s, %s.\n", count(lost.Shapes, "hello"), connections(lost.Connections, all.Connections))
	}
	if undetermined.Shapes > 0 {
		fmt.Fprintf(&b, "Undetermined: %s, %s.\n", count(undetermined.Shapes, "hello"), connections(undetermined.Connections, all.Connections))
	}
	writeCommons(&b, common, all.Connections)
	writeOutcomes(&b, subjects, side, all.Connections)
	return b.String()
}

func writeCommons(b *strings.Builder, common []Common, all int64) {
	for _, c := range common {
		fmt.Fprintf(b, "  %s, %s: %s%s\n", count(c.Amount.Shapes, "hello"), connections(c.Amount.Connections, all), c.Sentence, likely(c.Clients))
	}
}

func likely(names []string) string {
	if len(names) == 0 {
		return ""
	}
	cleaned := make([]string, len(names))
	for i, n := range names {
		cleaned[i] = clean(n)
	}
	return "; likely " + strings.Join(cleaned, ", ")
}

// outcome is a row of the table of outcomes.
type outcome struct {
	text    string
	fate    string
	amount  Amount
	clients []*Subject
}

// writeOutcomes is the table of what came back, by weight: losses first.
func writeOutcomes(b *strings.Builder, subjects []*Subject, side Side, all int64) {
	rows := make(map[string]*outcome)
	for i, s := range subjects {
		a := side.Answers[i]
		fate := "taken"
		switch {
		case a.Undetermined != "":
			fate = "?"
		case !a.Accepted:
			fate = "LOST"
		}
		key := fate + a.String()
		if rows[key] == nil {
			rows[key] = &outcome{text: a.String(), fate: fate}
		}
		rows[key].amount.add(s)
		rows[key].clients = append(rows[key].clients, s)
	}
	list := make([]*outcome, 0, len(rows))
	for _, row := range rows {
		list = append(list, row)
	}
	order := []string{"LOST", "?", "taken"}
	slices.SortFunc(list, func(a, b *outcome) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.fate), slices.Index(order, b.fate)), cmp.Compare(b.amount.Connections, a.amount.Connections), cmp.Compare(a.text, b.text))
	})
	t := table{head: []string{"", "connections", "share", "hellos", "answer", "clients"}}
	for i, row := range list {
		if i == maxRows {
			t.note = fmt.Sprintf("%d more outcomes", len(list)-maxRows)
			break
		}
		t.rows = append(t.rows, []string{row.fate, number(row.amount.Connections), share(row.amount.Connections, all), number(int64(row.amount.Shapes)), clean(row.text), clientsOf(row.clients)})
	}
	b.WriteString("\n")
	t.write(b)
}

// clientsOf names the most frequent of some subjects.
func clientsOf(subjects []*Subject) string {
	const most = 3
	sorted := slices.Clone(subjects)
	slices.SortStableFunc(sorted, func(a, b *Subject) int { return cmp.Compare(b.Connections, a.Connections) })
	var names []string
	for _, s := range sorted {
		if n := clean(s.Label()); !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	if len(names) > most {
		names = append(names[:most], fmt.Sprintf("%d more", len(names)-most))
	}
	return strings.Join(names, ", ")
}

// Text says how the new side compares with the old one, for a terminal.
func (c *Comparison) Text() string {
	var b strings.Builder
	worse := c.Amounts[Worse]
	old, new := clean(c.Old.Label), clean(c.New.Label)
	if worse.Shapes > 0 {
		fmt.Fprintf(&b, "%s of %s, %s, succeed on %s and fail on %s:\n", number(int64(worse.Shapes)), count(c.All.Shapes, "hello"), connections(worse.Connections, c.All.Connections), old, new)
		writeCommons(&b, c.Commons, c.All.Connections)
	} else {
		fmt.Fprintf(&b, "No client that %s takes is lost on %s, of %s.\n", old, new, count(c.All.Shapes, "hello"))
	}
	b.WriteString("\n")
	t := table{head: []string{"", "connections", "share", "hellos", ""}}
	for _, row := range []struct {
		class Class
		means string
	}{
		{Worse, "taken by " + old + " only"}, {Undetermined, "no answer that counts"}, {Different, "taken by both, with another choice"},
		{Better, "taken by " + new + " only"}, {Same, fmt.Sprintf("the same (%s taken by neither)", number(int64(c.Refused.Shapes)))},
	} {
		a := c.Amounts[row.class]
		t.rows = append(t.rows, []string{string(row.class), number(a.Connections), share(a.Connections, c.All.Connections), number(int64(a.Shapes)), row.means})
	}
	t.write(&b)
	if len(c.Differences) > 0 {
		b.WriteString("\n")
		writeDifferences(&b, c.Differences, c.Old, c.New, c.All.Connections)
	}
	return b.String()
}

// shift is a row of differences: subjects that fare alike on both sides.
type shift struct {
	class, old, new string
	amount          Amount
	clients         []*Subject
}

func writeDifferences(b *strings.Builder, differences []Difference, old, new Side, all int64) {
	var rows []*shift
	known := make(map[string]*shift)
	for _, d := range differences {
		row := &shift{class: string(d.Class), old: d.Old.String(), new: d.New.String()}
		if len(d.Fields) > 0 {
			row.class = "other " + strings.Join(d.Fields, ", ")
		}
		key := row.class + "\x00" + row.old + "\x00" + row.new
		if known[key] == nil {
			known[key] = row
			rows = append(rows, row)
		}
		known[key].amount.add(d.Subject)
		known[key].clients = append(known[key].clients, d.Subject)
	}
	// The classes come in their order; in one the rows with the most connections first.
	first := make(map[string]int)
	for i, row := range rows {
		class, _, _ := strings.Cut(row.class, " ")
		if _, ok := first[class]; !ok {
			first[class] = i
		}
	}
	slices.SortStableFunc(rows, func(x, y *shift) int {
		xc, _, _ := strings.Cut(x.class, " ")
		yc, _, _ := strings.Cut(y.class, " ")
		return cmp.Or(cmp.Compare(first[xc], first[yc]), cmp.Compare(y.amount.Connections, x.amount.Connections))
	})
	t := table{head: []string{"", "connections", "share", "hellos", heading(old), heading(new), "clients"}}
	for i, row := range rows {
		if i == maxRows {
			t.note = fmt.Sprintf("%d more rows; -o json has every hello", len(rows)-maxRows)
			break
		}
		t.rows = append(t.rows, []string{row.class, number(row.amount.Connections), share(row.amount.Connections, all), number(int64(row.amount.Shapes)), clean(row.old), clean(row.new), clientsOf(row.clients)})
	}
	t.write(b)
}

func heading(s Side) string {
	if s.Predicted {
		return clean(s.Label) + " (predicted)"
	}
	return clean(s.Label)
}

// ContradictionsText shows where a prediction does not hold; empty: it holds everywhere.
func ContradictionsText(subjects []*Subject, predicted, measured Side) string {
	found := Contradictions(subjects, predicted, measured)
	if len(found) == 0 {
		return ""
	}
	var all Amount
	for _, s := range subjects {
		all.add(s)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s contradicts what %s predicts, in %s of %s:\n", clean(measured.Label), clean(predicted.Label), number(int64(len(found))), count(len(subjects), "hello"))
	for i := range found {
		switch found[i].Class {
		case Worse:
			found[i].Class = "refused"
		case Better:
			found[i].Class = "taken"
		}
	}
	writeDifferences(&b, found, predicted, measured, all.Connections)
	return b.String()
}

// table is set in columns; those of numbers are set right.
type table struct {
	head []string
	rows [][]string
	note string
}

func (t table) write(b *strings.Builder) {
	widths := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range append([][]string{t.head}, t.rows...) {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if name := t.head[i]; name == "connections" || name == "share" || name == "hellos" {
				line.WriteString("  " + pad + cell)
			} else {
				line.WriteString("  " + cell + pad)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	if t.note != "" {
		b.WriteString("  " + t.note + "\n")
	}
}

// clean is a stranger's text without what a terminal would obey.
func clean(s string) string {
	const most = 200
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return number(int64(n)) + " " + noun + "s"
}

func connections(part, all int64) string {
	noun := "connections"
	if part == 1 {
		noun = "connection"
	}
	return fmt.Sprintf("%s %s (%s)", number(part), noun, share(part, all))
}

// number has its thousands apart.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	for at := len(s) - 3; at > 0 && s[at-1] != '-'; at -= 3 {
		s = s[:at] + "," + s[at:]
	}
	return s
}

// share is a part of a whole in per cent, never rounded to nothing or to all.
func share(part, whole int64) string {
	percent := 100 * float64(part) / float64(max(whole, 1))
	switch {
	case part <= 0:
		return "0 %"
	case part >= whole:
		return "100 %"
	case percent < 0.05:
		return "<0.1 %"
	case percent >= 99.95:
		return ">99.9 %"
	}
	return strconv.FormatFloat(percent, 'f', 1, 64) + " %"
}
