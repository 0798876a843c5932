package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
)

// captureSummary is what a capture holds, counted.
type captureSummary struct {
	connections, failed, warned int
	shapes                      map[string]bool
	versions, causes            map[string]int
	titles                      map[string]string // of causes
}

// The most distinct clients that are counted.
const maxShapes = 1 << 20

func (s *captureSummary) add(c *inspect.Connection) {
	if s.shapes == nil {
		s.shapes, s.versions, s.causes, s.titles = map[string]bool{}, map[string]int{}, map[string]int{}, map[string]string{}
	}
	s.connections++
	switch c.Verdict {
	case inspect.Failed:
		s.failed++
	case inspect.Warning:
		s.warned++
	}
	if leg := c.ClientLeg; leg != nil && leg.TLS != nil {
		if h := leg.TLS.Client; h != nil && h.Shape != "" && len(s.shapes) < maxShapes {
			s.shapes[h.Shape] = true
		}
		s.versions[cmp.Or(leg.TLS.Version, "none")]++
	}
	if c.Cause != "" {
		s.causes[c.Cause]++
		for _, f := range c.Findings {
			if f.ID == c.Cause {
				s.titles[c.Cause] = f.Title
			}
		}
	}
}

// text is the summary for a terminal: what was seen, then the causes, the most frequent first.
func (s *captureSummary) text(stats capture.Stats) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d packets, %d connections, %d distinct clients; %d failed, %d with warnings\n", stats.Packets, s.connections, len(s.shapes), s.failed, s.warned)
	if len(s.versions) > 0 {
		b.WriteString("versions ")
		for _, v := range slices.Sorted(maps.Keys(s.versions)) {
			fmt.Fprintf(&b, "  %s %d", v, s.versions[v])
		}
		b.WriteString("\n")
	}
	if len(s.causes) > 0 {
		w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
		ids := slices.SortedFunc(maps.Keys(s.causes), func(x, y string) int { return cmp.Or(s.causes[y]-s.causes[x], cmp.Compare(x, y)) })
		for _, id := range ids {
			fmt.Fprintf(w, "%7d\t%s\t%s\n", s.causes[id], id, s.titles[id])
		}
		_ = w.Flush() // into memory
	}
	return printable(b.String())
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
	say(s.Dropped, "packets were dropped by the kernel because they were not read in time")
	return b.String()
}
