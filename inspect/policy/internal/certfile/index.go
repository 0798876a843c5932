package certfile

import "strings"

// Index finds certificates by name without walking all of them. The zero value is empty.
type Index struct {
	exact    map[string][]int // by a name as it stands in the certificate, wildcards included
	wildcard map[string][]int // by what follows "*."
	count    int
}

// Add puts a certificate at the end of the index; its number is how many were added before.
func (x *Index) Add(l *Leaf) {
	if x.exact == nil {
		x.exact, x.wildcard = make(map[string][]int), make(map[string][]int)
	}
	for _, name := range l.Names {
		name = strings.ToLower(name)
		x.exact[name] = append(x.exact[name], x.count)
		if rest, ok := strings.CutPrefix(name, "*."); ok {
			x.wildcard[rest] = append(x.wildcard[rest], x.count)
		}
	}
	x.count++
}

// Find gives the numbers of the certificates that cover a name (see Leaf.Covers), those with the very name first.
func (x *Index) Find(name string) []int {
	name = strings.ToLower(name)
	found := x.exact[name]
	if first, domain, ok := strings.Cut(name, "."); ok && first != "" && len(x.wildcard[domain]) > 0 && first != "*" {
		found = append(found[:len(found):len(found)], x.wildcard[domain]...)
	}
	return found
}
