package imported

import "fmt"

// Collector gathers what an importer finds in one configuration, within bounds. An importer makes one for each run.
type Collector struct {
	Result       Result
	System       string // of the endpoints, where they do not say it themselves
	Version      string // the same
	MaxEndpoints int
	MaxProblems  int

	told map[Problem]bool
	full bool // and told so
}

// Tell adds a problem, once: a line that holds for many endpoints is looked at for each of them. Beyond the bound one problem more
// says so.
func (c *Collector) Tell(p Problem) {
	switch told := len(c.Result.Problems); {
	case told > c.MaxProblems || c.told[p]:
		return
	case told == c.MaxProblems:
		p.Text = fmt.Sprintf("more than %d problems: the others are not told", c.MaxProblems)
	}
	if c.told == nil {
		c.told = make(map[Problem]bool)
	}
	c.told[p] = true
	c.Result.Problems = append(c.Result.Problems, p)
}

// Problem tells what was not understood, or cannot be said by a policy.
func (c *Collector) Problem(file string, line int, format string, args ...any) {
	c.Tell(Problem{File: file, Line: line, Text: fmt.Sprintf(format, args...)})
}

// Refuse tells a problem for which the system does not start, where it is sure that the system reads the line.
func (c *Collector) Refuse(sure bool, file string, line int, format string, args ...any) {
	c.Tell(Problem{File: file, Line: line, Text: fmt.Sprintf(format, args...), Refused: sure})
}

// Full reports whether no endpoint can be added any more, so that none is worked out in vain, and tells it.
func (c *Collector) Full(file string) bool {
	if len(c.Result.Endpoints) < c.MaxEndpoints {
		return false
	}
	if !c.full {
		c.full = true
		c.Problem(file, 0, "more than %d endpoints: the rest is left out", c.MaxEndpoints)
	}
	return true
}

// Add adds an endpoint that stands in file.
func (c *Collector) Add(file string, e *Endpoint) {
	if c.Full(file) {
		return
	}
	if e.System == "" {
		e.System = c.System
	}
	if e.Version == "" {
		e.Version = c.Version
	}
	c.Result.Endpoints = append(c.Result.Endpoints, e)
}

// Assume adds a fact that no line states: a default, and where it is documented or was measured.
func (e *Endpoint) Assume(setting, value, source string) {
	e.Facts = append(e.Facts, Fact{Setting: setting, Value: value, Default: true, Source: source})
}
