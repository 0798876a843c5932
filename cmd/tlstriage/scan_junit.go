package main

import (
	"encoding/xml"
	"io"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/scan"
)

// The form that CI systems read: a suite a target, a case a layer and a finding.
type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Name    string       `xml:"name,attr"`
		Tests   int          `xml:"tests,attr"`
		Failed  int          `xml:"failures,attr"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name    string      `xml:"name,attr"`
		Tests   int         `xml:"tests,attr"`
		Failed  int         `xml:"failures,attr"`
		Skipped int         `xml:"skipped,attr"`
		Seconds float64     `xml:"time,attr"`
		Cases   []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Failure *junitMessage `xml:"failure,omitempty"`
		Skipped *junitMessage `xml:"skipped,omitempty"`
		Out     string        `xml:"system-out,omitempty"`
	}
	junitMessage struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

// writeJUnit writes one document about all targets. Errors and warnings are failures; information stands with its case.
func writeJUnit(w io.Writer, results []*scanned) error {
	all := junitSuites{Name: "tlstriage scan"}
	for _, s := range results {
		suite := junitSuite{Name: shown(s.Target), Seconds: s.DurationMS / 1000}
		for _, l := range s.Layers {
			c := junitCase{Class: suite.Name, Name: "layer " + string(l.Name), Out: shown(l.Sentence)}
			switch l.Status {
			case scan.Broken:
				c.Failure = &junitMessage{Message: shown(l.Sentence), Type: "layer"}
			case scan.Unclear:
				c.Skipped = &junitMessage{Message: shown(l.Sentence)}
			}
			suite.add(c)
		}
		for _, f := range s.Findings {
			c := junitCase{Class: suite.Name, Name: f.ID}
			text := shown(f.Title + ". " + f.Detail)
			for _, fix := range f.Fixes {
				text += "\n" + shown(fix.Target+": "+fix.Action)
				if fix.Snippet != "" {
					text += "\n" + strings.TrimRight(printable(fix.Snippet), "\n")
				}
			}
			if f.Severity == inspect.SeverityInfo {
				c.Out = text
			} else {
				c.Failure = &junitMessage{Message: shown(f.Title), Type: string(f.Severity), Text: text}
			}
			suite.add(c)
		}
		all.Tests, all.Failed = all.Tests+suite.Tests, all.Failed+suite.Failed
		all.Suites = append(all.Suites, suite)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (s *junitSuite) add(c junitCase) {
	s.Tests++
	if c.Failure != nil {
		s.Failed++
	}
	if c.Skipped != nil {
		s.Skipped++
	}
	s.Cases = append(s.Cases, c)
}
