package main

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
	"github.com/tlstriage/tlstriage/inspect/report"
)

// captureSummary is what a capture holds, counted.
type captureSummary struct {
	connections, failed, warned int
	refused                     int // that went well, and that the policy would refuse
	shapes                      map[string]bool
	versions                    map[string]int
	causes                      map[string]*causeSummary
}

// causeSummary is one cause, counted.
type causeSummary struct {
	connections int
	title       string
	noise       bool // nobody must act
	shapes      map[string]bool
	servers     map[string]int
}

// The most servers that are counted for a cause.
const maxServers = 1 << 12

// The most distinct clients that are counted.
const maxShapes = 1 << 20

func (s *captureSummary) add(c *inspect.Connection) {
	if s.shapes == nil {
		s.shapes, s.versions, s.causes = map[string]bool{}, map[string]int{}, map[string]*causeSummary{}
	}
	s.connections++
	switch c.Verdict {
	case inspect.Failed:
		if report.OnPaper(c) {
			s.refused++
		} else {
			s.failed++
		}
	case inspect.Warning:
		s.warned++
	}
	shape := ""
	if leg := c.ClientLeg; leg != nil && leg.TLS != nil {
		if h := leg.TLS.Client; h != nil && h.Shape != "" && len(s.shapes) < maxShapes {
			shape = h.Shape
			s.shapes[shape] = true
		}
		s.versions[cmp.Or(leg.TLS.Version, "none agreed")]++
	}
	if c.Cause == "" {
		return
	}
	cause := s.causes[c.Cause]
	if cause == nil {
		cause = &causeSummary{shapes: map[string]bool{}, servers: map[string]int{}}
		s.causes[c.Cause] = cause
	}
	cause.connections++
	cause.noise = c.Fault == inspect.FaultNoise
	for _, f := range c.Findings {
		if f.ID == c.Cause {
			cause.title = f.Title
		}
	}
	if shape == "" { // it said nothing that tells clients apart
		shape = c.Client.Address
	}
	if len(cause.shapes) < maxServers {
		cause.shapes[shape] = true
	}
	if where := server(c); cause.servers[where] > 0 || len(cause.servers) < maxServers {
		cause.servers[where]++
	}
}

// server is what a client asked for: a name, else an address.
func server(c *inspect.Connection) string {
	if leg := c.ClientLeg; leg != nil && leg.TLS != nil && leg.TLS.Client != nil && leg.TLS.Client.ServerName != "" {
		return leg.TLS.Client.ServerName
	}
	return net.JoinHostPort(c.Server.Address, strconv.Itoa(c.Server.Port))
}

// where names the server of most of a cause's connections, and how many others there are.
func (s *causeSummary) where() string {
	most := ""
	for _, name := range slices.Sorted(maps.Keys(s.servers)) {
		if most == "" || s.servers[name] > s.servers[most] {
			most = name
		}
	}
	if others := len(s.servers) - 1; others > 0 {
		return fmt.Sprintf("%s and %d more", most, others)
	}
	return most
}

// text is the summary for a terminal: what was seen, then the causes, the most frequent first and noise last.
func (s *captureSummary) text(stats capture.Stats) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s, %s; %d failed, %d with warnings", many(stats.Packets, "packet"), many(uint64(s.connections), "connection"),
		many(uint64(len(s.shapes)), "distinct client"), s.failed, s.warned)
	if s.refused > 0 {
		fmt.Fprintf(&b, ", %d that the policy would refuse", s.refused)
	}
	b.WriteString("\n")
	if len(s.versions) > 0 {
		b.WriteString("versions ")
		for _, v := range slices.Sorted(maps.Keys(s.versions)) {
			fmt.Fprintf(&b, "  %s %d", v, s.versions[v])
		}
		b.WriteString("\n")
	}
	if len(s.causes) > 0 {
		w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
		fmt.Fprint(w, "connections\tclients\tcause\twhat\twhere\n")
		ids := slices.SortedFunc(maps.Keys(s.causes), func(x, y string) int {
			a, b := s.causes[x], s.causes[y]
			if a.noise != b.noise {
				return map[bool]int{true: 1, false: -1}[a.noise]
			}
			return cmp.Or(b.connections-a.connections, cmp.Compare(x, y))
		})
		for _, id := range ids {
			cause := s.causes[id]
			fmt.Fprintf(w, "%11d\t%7d\t%s\t%s\t%s\n", cause.connections, len(cause.shapes), id, cause.title, shown(cause.where()))
		}
		_ = w.Flush() // into memory
	}
	return printable(b.String())
}

// many is a number of things.
func many(n uint64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// strangeTraffic says what of a capture could not be read, or was not: nothing of it is lost in silence.
func strangeTraffic(s capture.Stats) string {
	var b strings.Builder
	say := func(n uint64, what string) {
		if n > 0 {
			fmt.Fprintf(&b, "tlstriage: %d %s\n", n, what)
		}
	}
	for _, link := range slices.Sorted(maps.Keys(s.Refused)) {
		say(s.Refused[link], fmt.Sprintf("packets of link type %d, which is not read here", link))
	}
	say(s.CutPackets, "packets were cut short by the capture's snapshot length")
	say(s.Malformed, "packets whose headers do not fit their length")
	say(s.Opaque, "TLS connections of which nothing but encrypted records is in the capture")
	say(s.Evicted, "connections left the table early because it was full")
	say(s.Hurried, "records were cut short because too many waited for them")
	say(uint64(max(s.LostBytes, 0)), "bytes of handshakes are not in the capture")
	say(uint64(s.OtherSecrets), "blocks of secrets are of protocols that are not read here")
	say(s.Dropped, "packets were dropped by the kernel because they were not read in time")
	return b.String()
}
