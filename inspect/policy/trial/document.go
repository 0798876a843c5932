package trial

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// document is a result in the form that text and Markdown are made of.
type document struct{ parts []any }

// heading is a part's title; ours, not a stranger's.
type heading string

// paragraph is a line of prose.
type paragraph []span

// span is a piece of a line: prose, or a value, which a stranger may have chosen.
type span struct {
	text  string
	value bool
	code  bool // our own, and to be copied as it is
}

// table has columns; those of numbers are set right.
type table struct {
	head  []string
	right []bool
	rows  [][][]span
}

// entry is a line with labelled lines below it.
type entry struct {
	title  []span
	fields []labelled
}

// listing is text of several lines to be copied as it is.
type listing string

type labelled struct {
	label string
	text  []span
}

func (d *document) add(part any) { d.parts = append(d.parts, part) }

func (d *document) say(spans ...span) { d.add(paragraph(spans)) }

func prose(format string, args ...any) span { return span{text: fmt.Sprintf(format, args...)} }

func value(s string) span { return span{text: s, value: true} }

func code(s string) span { return span{text: s, code: true} }

// values are a bounded list of values, with how many there are beyond.
func values(list []string, most int) []span {
	var out []span
	for i, s := range list[:min(len(list), most)] {
		if i > 0 {
			out = append(out, prose(" "))
		}
		out = append(out, value(s))
	}
	if n := len(list) - most; n > 0 {
		out = append(out, prose(" and %d more", n))
	}
	return out
}

// number has its thousands apart.
func number[T ~int | ~int64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	for at := len(s) - 3; at > 0; at -= 3 {
		if s[at-1] == '-' {
			break
		}
		s = s[:at] + "," + s[at:]
	}
	return s
}

// share is a part of a whole in per cent, never rounded to nothing or to all.
func share(part, whole int64) string {
	switch {
	case whole <= 0 || part <= 0:
		return "0 %"
	case part >= whole:
		return "100 %"
	}
	percent := 100 * float64(part) / float64(whole)
	switch {
	case percent < 0.001:
		return "<0.001 %"
	case percent < 0.995:
		return strconv.FormatFloat(percent, 'g', 2, 64) + " %" // two digits that count, like those of 1.7 %
	case percent > 99.9:
		return ">99.9 %"
	}
	return strconv.FormatFloat(percent, 'f', 1, 64) + " %"
}

// plural is "1 connection", "2 connections".
func plural[T ~int | ~int64](n T, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return number(n) + " " + noun + "s"
}

func (a Amount) words() string {
	return plural(a.Connections, "connection") + " of " + plural(a.Shapes, "client shape")
}

// text renders the document for a terminal.
func (d *document) text() string {
	var b strings.Builder
	for i, part := range d.parts {
		switch part := part.(type) {
		case heading:
			if i > 0 {
				b.WriteByte('\n')
			}
			b.WriteString(strings.ToUpper(string(part)) + "\n")
		case paragraph:
			b.WriteString(plainText(part) + "\n")
		case table:
			part.text(&b)
		case listing:
			b.WriteString("\n" + strings.TrimRight(string(part), "\n") + "\n")
		case entry:
			b.WriteString("  " + plainText(part.title) + "\n")
			for _, f := range part.fields {
				b.WriteString("      " + pad(f.label, 10, false) + "  " + plainText(f.text) + "\n")
			}
		}
	}
	return b.String()
}

func plainText(spans []span) string {
	var b strings.Builder
	for _, s := range spans {
		if s.value {
			b.WriteString(clean(s.text))
		} else {
			b.WriteString(s.text)
		}
	}
	return b.String()
}

func (t table) text(b *strings.Builder) {
	cells := make([][]string, 0, len(t.rows)+1)
	cells = append(cells, make([]string, len(t.head)))
	for i, h := range t.head {
		cells[0][i] = strings.ToUpper(h)
	}
	for _, row := range t.rows {
		line := make([]string, len(row))
		for i, cell := range row {
			line[i] = plainText(cell)
		}
		cells = append(cells, line)
	}
	widths := make([]int, len(t.head))
	for _, line := range cells {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, line := range cells {
		text := ""
		for i, cell := range line {
			text += "  " + pad(cell, widths[i], t.right[i])
		}
		b.WriteString(strings.TrimRight(text, " ") + "\n")
	}
}

func pad(s string, width int, right bool) string {
	space := strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
	if right {
		return space + s
	}
	return s + space
}

// markdown renders the document for a ticket (GitHub Flavored Markdown). Values stand in code spans, where nothing is a link, a
// mention or markup.
func (d *document) markdown() string {
	var b strings.Builder
	for i, part := range d.parts {
		if i > 0 {
			if _, item := part.(entry); !item {
				b.WriteByte('\n')
			}
		}
		switch part := part.(type) {
		case heading:
			b.WriteString("### " + string(part) + "\n")
		case paragraph:
			b.WriteString(markdownText(part) + "\n")
		case table:
			part.markdown(&b)
		case listing:
			b.WriteString("```\n" + strings.TrimRight(string(part), "\n") + "\n```\n")
		case entry:
			b.WriteString("- " + markdownText(part.title) + "\n")
			for _, f := range part.fields {
				b.WriteString("  - " + f.label + ": " + markdownText(f.text) + "\n")
			}
		}
	}
	return b.String()
}

func (t table) markdown(b *strings.Builder) {
	b.WriteString("| " + strings.Join(t.head, " | ") + " |\n|")
	for _, right := range t.right {
		if right {
			b.WriteString(" ---: |")
		} else {
			b.WriteString(" --- |")
		}
	}
	b.WriteByte('\n')
	for _, row := range t.rows {
		for _, cell := range row {
			b.WriteString("| " + markdownText(cell) + " ")
		}
		b.WriteString("|\n")
	}
}

func markdownText(spans []span) string {
	var b strings.Builder
	for _, s := range spans {
		switch {
		case s.value:
			b.WriteString(codeSpan(s.text))
		case s.code:
			b.WriteString("`" + s.text + "`")
		default:
			b.WriteString(s.text)
		}
	}
	return b.String()
}
