package report

import (
	"strings"
	"unicode/utf8"
)

// Labels stand in a column of their own.
const (
	indent     = "    "
	labelWidth = 13
)

// row writes one labelled line, wrapped at the width asked for. Its text must be clean.
func (t *Text) row(b *strings.Builder, label, text string) {
	pad := strings.Repeat(" ", max(1, labelWidth-utf8.RuneCountInString(label)))
	room := t.o.Width - len(indent) - labelWidth
	if t.o.Width <= 0 || room < 20 {
		room = 0
	}
	for i, line := range wrap(text, room) {
		if i == 0 {
			b.WriteString(indent + t.paint(cyan, label) + pad + line + "\n")
			continue
		}
		b.WriteString(indent + strings.Repeat(" ", labelWidth) + line + "\n")
	}
}

// code writes lines that a person may copy: below the row, indented, never wrapped.
func (t *Text) code(b *strings.Builder, snippet string) {
	for _, line := range strings.Split(snippet, "\n") {
		b.WriteString(indent + strings.Repeat(" ", labelWidth+2) + t.paint(bold, clean(line)) + "\n")
	}
}

// wrap breaks text at spaces into lines of at most room columns; a longer word gets a line of its own. Room 0: one line.
func wrap(text string, room int) []string {
	if room <= 0 || utf8.RuneCountInString(text) <= room {
		return []string{text}
	}
	var lines []string
	line, width := "", 0
	for _, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		if width > 0 && width+1+n > room {
			lines, line, width = append(lines, line), "", 0
		}
		if width > 0 {
			line, width = line+" ", width+1
		}
		line, width = line+word, width+n
	}
	return append(lines, line)
}
