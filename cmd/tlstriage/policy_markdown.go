package main

import (
	"fmt"
	"strings"
)

// codeSpan is a value as a code span of Markdown that fits into a table, too. A code span knows no escapes, so that what would end it or
// the cell is spelled out.
func codeSpan(s string) string {
	s = strings.NewReplacer("`", `\x60`, "|", `\x7c`).Replace(shown(s))
	if strings.TrimSpace(s) == "" {
		return "(empty)"
	}
	return "`" + s + "`"
}

func codeSpans(values []string) string {
	var spans []string
	for _, v := range values {
		spans = append(spans, codeSpan(v))
	}
	return strings.Join(spans, " ")
}

// fenced is text of several lines, to be copied as it is.
func fenced(text string) string {
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fence + "\n" + strings.TrimRight(text, "\n") + "\n" + fence + "\n"
}

func policyTableMarkdown(rows []policyRow) string {
	var b strings.Builder
	b.WriteString("| name | versions | suites | facts | product |\n| --- | --- | ---: | --- | --- |\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s | %d | %s | %s |\n", codeSpan(r.Name), codeSpan(versionRange(r.Versions)), r.Ciphers, standing(r.Verified), codeSpan(r.Product))
	}
	return b.String()
}

func (v policyView) markdown() string {
	return "### Policy " + codeSpan(v.Name) + "\n\n" + v.markdownTable()
}

func (v policyView) markdownTable() string {
	var b strings.Builder
	b.WriteString("| | |\n| --- | --- |\n")
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "| %s | %s |\n", name, value)
		}
	}
	one := func(name, value string) {
		if value != "" {
			row(name, codeSpan(value))
		}
	}
	stated := func(name string, values []string) {
		if len(values) == 0 {
			row(name, "not stated by any source")
			return
		}
		row(name, codeSpans(values))
	}
	one("product", v.Product)
	row("also", codeSpans(v.Aliases))
	if v.Provider != "" && v.AsOf != "" {
		row("facts", standing(v.Verified)+" "+codeSpan(v.AsOf))
	}
	row("versions", codeSpans(v.Versions))
	one("suite order", v.CipherPreference)
	row("ciphers", codeSpans(v.Ciphers))
	stated("groups", v.Groups)
	stated("signatures", v.SignatureAlgorithms)
	row("certificates", codeSpans(v.Certificates))
	row("alpn", codeSpans(v.ALPN))
	row("server names", codeSpans(v.ServerNames))
	one("client auth", v.ClientAuth)
	one("notes", v.Notes)
	row("source", codeSpans(v.Source))
	return b.String()
}

func (v importView) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s, read as %s\n", codeSpan(v.File), codeSpan(v.Kind))
	if v.short {
		b.WriteString("\n| endpoint | side | listens on, or connects to | versions | suites | certificates |\n| --- | --- | --- | --- | ---: | --- |\n")
		for _, e := range v.Endpoints {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %d | %s |\n", codeSpan(e.Name), e.Side, codeSpans(e.Listen), codeSpan(versionRange(e.Policy.Versions)), len(e.Policy.Ciphers), codeSpans(e.Policy.Certificates))
		}
	} else {
		for _, e := range v.Endpoints {
			fmt.Fprintf(&b, "\n#### %s %s\n\n%s", e.what(), codeSpan(e.Name), e.Policy.markdownTable())
			b.WriteString("\n| rests on | | |\n| --- | --- | --- |\n")
			for _, f := range e.Facts {
				fmt.Fprintf(&b, "| %s | %s | %s |\n", codeSpan(f.Setting), codeSpan(f.Value), codeSpan(origin(f)))
			}
		}
	}
	if len(v.Problems) > 0 {
		b.WriteString("\n#### Not understood, or beyond what a policy says\n\n")
		for _, p := range v.Problems {
			b.WriteString("- " + codeSpan(placed(p)) + "\n")
		}
	}
	return b.String()
}

func (v exportView) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "### Policy %s for %s\n\n", codeSpan(v.Policy), v.System)
	b.WriteString(fenced(v.Text))
	for i, l := range v.told() {
		if i == 0 {
			b.WriteString("\n")
		}
		b.WriteString("- " + codeSpan(l) + "\n")
	}
	return b.String()
}
