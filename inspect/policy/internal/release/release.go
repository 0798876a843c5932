// Package release compares the releases of programs, as people write them: "1.26", "v1.9.4", "2.6.2-1+deb12".
package release

import (
	"strconv"
	"strings"
)

// AtLeast reports whether version is bound or newer. An empty version, and one that is no number, is the newest that is known.
func AtLeast(version, bound string) bool {
	if !Known(version) {
		return true
	}
	have, want := numbers(version), numbers(bound)
	for i := range max(len(have), len(want)) {
		var a, b int
		if i < len(have) {
			a = have[i]
		}
		if i < len(want) {
			b = want[i]
		}
		if a != b {
			return a > b
		}
	}
	return true
}

// Known reports whether version begins with a number, with or without a "v".
func Known(version string) bool { return len(numbers(version)) > 0 }

// numbers are up to four numbers between dots. What follows them is left out.
func numbers(version string) []int {
	var out []int
	rest := strings.TrimPrefix(strings.TrimSpace(version), "v")
	for len(out) < 4 {
		end := 0
		for end < len(rest) && rest[end] >= '0' && rest[end] <= '9' {
			end++
		}
		n, err := strconv.Atoi(rest[:end])
		if err != nil {
			break
		}
		out = append(out, n)
		if rest = rest[end:]; !strings.HasPrefix(rest, ".") {
			break
		}
		rest = rest[1:]
	}
	return out
}
