package clients

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// UnknownError says that no sample has a name.
type UnknownError struct {
	Name    string
	Nearest []string // names that look like it, the nearest first; empty: none does
	Why     string   // why one that is asked for by many is not there; empty: it is not one of those
}

func (e *UnknownError) Error() string {
	text := fmt.Sprintf("no client %q is known", e.Name)
	if e.Why != "" {
		text += ": " + e.Why
	}
	if len(e.Nearest) > 0 {
		text += "; the nearest are " + strings.Join(e.Nearest, ", ")
	}
	return text
}

// AmbiguousError says that a name stands for several samples where one is wanted.
type AmbiguousError struct {
	Name    string
	Samples []string
}

func (e *AmbiguousError) Error() string {
	const shown = 8
	text := strings.Join(e.Samples[:min(shown, len(e.Samples))], ", ")
	if more := len(e.Samples) - shown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("%q is several clients: %s", e.Name, text)
}

// Select finds the samples of a list: names and groups, separated by commas, each sample once, in the order of the list. A name is
//
//   - a sample's own: "haproxy-2.6.12-1+deb12u4-sni";
//   - that without the release: "haproxy-sni";
//   - a release that a sample stands for: "openssl-1.0.1e" is in "openssl-1.0.1a", which was captured from 1.0.1a to 1.0.1e;
//   - the beginning of names, whole words: "openssl-0.9.8", "curl", "java".
//
// The error is an *UnknownError.
func Select(list string) ([]Sample, error) {
	var chosen []Sample
	taken := make(map[int]bool)
	for name := range strings.SplitSeq(list, ",") {
		found := match(name)
		if len(found) == 0 {
			return nil, unknown(name)
		}
		for _, i := range found {
			if !taken[i] {
				taken[i] = true
				chosen = append(chosen, gallery[i].sample())
			}
		}
	}
	return chosen, nil
}

// lack is a client that many ask for and that the gallery has not.
type lack struct {
	name    string
	why     string
	nearest []string // samples
}

// recordIt is what to do about a client that is not there.
const recordIt = "its hello was not to be captured here: record one (tlstriage proxy --record, tlstriage pcap) and take it with --from"

func lacks() []lack {
	return []lack{
		{"java8", "no JDK 8 was at hand, and a later one set up like it says another hello: " + recordIt, []string{"java-17.0.15-tls12", "java7"}},
		{"java11", "no JDK 11 was at hand: " + recordIt, []string{"java-17.0.15-sslsocket"}},
		{"envoy", "it has BoringSSL with settings of its own, and " + recordIt, []string{"boringssl-chromium-stable", "nginx-proxy_pass", "haproxy"}},
		{"traefik", "it is a program in Go, and says what Go's library says", []string{"go-1.26.8-http"}},
		{"firefox", recordIt, []string{"chromium"}}, {"safari", recordIt, []string{"chromium"}}, {"schannel", recordIt, []string{"chromium"}}, {"windows", recordIt, []string{"chromium"}},
		{"aws", "what AWS's load balancers say to their targets is not published: " + recordIt, []string{"nginx-proxy_pass", "haproxy"}}, {"alb", "what AWS's load balancers say to their targets is not published: " + recordIt, []string{"nginx-proxy_pass", "haproxy"}},
		{"f5", recordIt, []string{"openssl-1.0.1e", "haproxy"}},
	}
}

// unknown is the error for a name that no sample has.
func unknown(name string) *UnknownError {
	e := &UnknownError{Name: strings.TrimSpace(name), Nearest: nearest(name)}
	for _, l := range lacks() {
		if folded := fold(name); folded == l.name || begins(folded, l.name) || begins(strings.ReplaceAll(folded, "-", ""), l.name) {
			e.Why = l.why
			e.Nearest = slices.Compact(append(slices.Clone(l.nearest), e.Nearest...))
			e.Nearest = e.Nearest[:min(maxNearest, len(e.Nearest))]
			return e
		}
	}
	return e
}

// One finds the sample of a name as Select does. Where a name is several, it is the one that the program sends as it comes:
// "haproxy" is HAProxy's server line without more. The error is an *UnknownError or, where none is that, an *AmbiguousError.
func One(name string) (Sample, error) {
	found := match(name)
	switch len(found) {
	case 0:
		return Sample{}, unknown(name)
	case 1:
		return gallery[found[0]].sample(), nil
	}
	wanted := fold(name)
	for _, i := range found {
		if k := &gallery[i]; stands(k, wanted) || k.program() == wanted+"-"+defaultMode(wanted) {
			return k.sample(), nil
		}
	}
	var names []string
	for _, i := range found {
		names = append(names, gallery[i].name)
	}
	return Sample{}, &AmbiguousError{Name: strings.TrimSpace(name), Samples: names}
}

// defaultMode is how a program that has no "default" of its own is mostly run.
func defaultMode(program string) string {
	switch program {
	case "nginx":
		return "proxy_pass"
	case "apache":
		return "proxypass"
	case "openssl":
		return "s_client-default"
	case "gnutls":
		return "cli-default"
	case "java":
		return "sslsocket"
	case "node":
		return "tls"
	}
	return "default"
}

// match are the indexes of the samples that a name stands for.
func match(name string) []int {
	name = fold(name)
	if name == "" {
		return nil
	}
	for _, matches := range []func(k *kept) bool{
		func(k *kept) bool { return name == GroupAll || slices.Contains(k.groups, name) },
		func(k *kept) bool { return fold(k.name) == name },
		func(k *kept) bool { return k.program() == name },
		func(k *kept) bool { return stands(k, name) || begins(fold(k.name), name) || begins(k.program(), name) },
	} {
		var found []int
		for i := range gallery {
			if matches(&gallery[i]) {
				found = append(found, i)
			}
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

func fold(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// begins reports whether name begins with whole words or numbers of a release: "openssl-0.9.8" begins "openssl-0.9.8zf", and
// "openssl-1.0" does not begin "openssl-1.01".
func begins(name, prefix string) bool {
	rest, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return false
	}
	return rest == "" || !digit(rest[0]) && (digit(prefix[len(prefix)-1]) || !letter(rest[0]))
}

func digit(c byte) bool  { return '0' <= c && c <= '9' }
func letter(c byte) bool { return 'a' <= c && c <= 'z' }

// stands reports whether a sample stands for the release in name: "openssl-1.0.1e".
func stands(k *kept, name string) bool {
	library, _, ok := strings.Cut(k.name, "-")
	if !ok || len(k.versions) == 0 {
		return false
	}
	release, ok := strings.CutPrefix(name, fold(library)+"-")
	return ok && slices.ContainsFunc(k.versions, func(v string) bool { return fold(v) == release })
}

// program is a name without its words that begin with a digit: "haproxy-2.6.12-1+deb12u4-sni" is "haproxy-sni". A sample that
// stands for releases of a library has none.
func (k *kept) program() string {
	if len(k.versions) > 0 {
		return ""
	}
	var words []string
	for word := range strings.SplitSeq(fold(k.name), "-") {
		if word != "" && !digit(word[0]) {
			words = append(words, word)
		}
	}
	return strings.Join(words, "-")
}

// maxNearest is how many names an UnknownError lists.
const maxNearest = 5

// nearest are the names and groups most like one that is unknown.
func nearest(name string) []string {
	type candidate struct {
		name     string
		distance int
	}
	name = fold(name)
	var found []candidate
	add := func(n string) {
		d := distance(name, fold(n))
		if d <= max(2, len(name)/3) || name != "" && strings.Contains(fold(n), name) {
			found = append(found, candidate{n, d})
		}
	}
	for _, g := range Groups() {
		add(g)
	}
	seen := make(map[string]bool)
	for i := range gallery {
		k := &gallery[i]
		family, _, _ := strings.Cut(k.name, "-")
		for _, n := range []string{k.name, k.program(), family} {
			if n != "" && !seen[n] {
				seen[n] = true
				add(n)
			}
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) })
	var names []string
	for _, c := range found[:min(maxNearest, len(found))] {
		names = append(names, c.name)
	}
	return names
}

// distance is the number of letters to put in, take out or change (Levenshtein). What is long is far from everything.
func distance(a, b string) int {
	const most = 64
	if len(a) > most || len(b) > most {
		return most
	}
	var row [most + 1]int
	for j := range len(b) + 1 {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(row[j+1]+1, row[j]+1, diagonal+cost)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
