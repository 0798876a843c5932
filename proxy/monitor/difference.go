package monitor

import (
	"cmp"
	"slices"
)

// Aspect is in what respect nodes of one backend differ.
type Aspect string

// Aspects.
const (
	AspectUp          Aspect = "up"
	AspectCertificate Aspect = "certificate" // another leaf
	AspectChain       Aspect = "chain"       // the same leaf with other certificates behind it
	AspectVersion     Aspect = "version"     // of TLS, negotiated with the same hello
	AspectProtocol    Aspect = "protocol"    // of ALPN
	AspectVerdict     Aspect = "verdict"
)

// Difference is a node that is not as the most of the nodes of its backend.
type Difference struct {
	Address string `json:"address"`
	Aspect  Aspect `json:"aspect"`
	Value   string `json:"value"`  // what it has: a hash, a version, …
	Others  string `json:"others"` // what the most have
	Count   int    `json:"count"`  // how many have that
}

// differences compares the nodes of a backend. A node that is down differs in that alone.
func differences(addresses []Address) []Difference {
	if len(addresses) < 2 {
		return nil
	}
	var found []Difference
	compare := func(aspect Aspect, of func(*Address) (string, bool)) {
		most, count := majority(addresses, of)
		for i := range addresses {
			if v, ok := of(&addresses[i]); ok && v != most {
				found = append(found, Difference{addresses[i].Address, aspect, v, most, count})
			}
		}
	}
	leaf := func(a *Address) (string, bool) {
		if a.Certificate == nil || !a.SeenAt.Equal(a.CheckedAt) {
			return "", false
		}
		return a.Certificate.Hash.SHA256, true
	}
	usual, _ := majority(addresses, leaf)
	compare(AspectUp, func(a *Address) (string, bool) {
		if a.Up {
			return "up", true
		}
		return "down", true
	})
	compare(AspectCertificate, leaf)
	compare(AspectChain, func(a *Address) (string, bool) {
		if v, ok := leaf(a); !ok || v != usual {
			return "", false
		}
		return join(a.Chain[1:]), true
	})
	compare(AspectVersion, func(a *Address) (string, bool) { return a.Version, a.Up })
	compare(AspectProtocol, func(a *Address) (string, bool) { return a.NextProtocol, a.Up })
	compare(AspectVerdict, func(a *Address) (string, bool) { return string(a.Verdict), a.Up })
	return found
}

// majority is the value that the most addresses have. Of two that as many have it is the one whose certificate began later: the
// other one was forgotten.
func majority(addresses []Address, of func(*Address) (string, bool)) (value string, count int) {
	type group struct {
		value string
		count int
		began int64
	}
	var groups []group
	for i := range addresses {
		v, ok := of(&addresses[i])
		if !ok {
			continue
		}
		at := slices.IndexFunc(groups, func(g group) bool { return g.value == v })
		if at < 0 {
			at, groups = len(groups), append(groups, group{value: v})
		}
		groups[at].count++
		if c := addresses[i].Certificate; c != nil {
			groups[at].began = max(groups[at].began, c.NotBefore.Unix())
		}
	}
	if len(groups) == 0 {
		return "", 0
	}
	most := slices.MaxFunc(groups, func(a, b group) int {
		return cmp.Or(cmp.Compare(a.count, b.count), cmp.Compare(a.began, b.began), -cmp.Compare(a.value, b.value))
	})
	return most.value, most.count
}
