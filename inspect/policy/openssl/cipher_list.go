package openssl

import (
	"slices"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// operator is what an item does with the suites that it selects.
type operator byte

const (
	opAdd     operator = 'A' // to the end, where they are not in use yet
	opOrder   operator = '+' // those in use to the end
	opRemove  operator = '-' // those in use to the head and out of use, whence a later item may take them again
	opKill    operator = '!' // out for good
	opSpecial operator = '@'
	opBump    operator = 'B' // those in use to the head; only for the list that everything starts with
)

// entry is a suite in the list; those in use are what the string comes to.
type entry struct {
	*suite
	active bool
}

// apply does one operation. All of them keep the order of what they move, and of what they leave.
func apply(list []entry, op operator, chosen selection) []entry {
	return move(list, op, func(s *suite) bool {
		return (chosen.code == 0 || s.code == chosen.code) && s.matches(chosen.properties)
	})
}

func move(list []entry, op operator, chosen func(*suite) bool) []entry {
	stay, moved := make([]entry, 0, len(list)), []entry(nil)
	for _, e := range list {
		takes := op == opKill || e.active == (op != opAdd)
		if !takes || !chosen(e.suite) {
			stay = append(stay, e)
			continue
		}
		e.active = op != opRemove
		moved = append(moved, e)
	}
	switch op {
	case opKill:
		return stay
	case opRemove, opBump:
		return append(moved, stay...)
	}
	return append(stay, moved...)
}

// sortByStrength puts the suites in use behind all others, the strongest first.
func sortByStrength(list []entry) []entry {
	stay, moved := make([]entry, 0, len(list)), []entry(nil)
	for _, e := range list {
		if e.active {
			moved = append(moved, e)
		} else {
			stay = append(stay, e)
		}
	}
	slices.SortStableFunc(moved, func(a, b entry) int { return int(b.bits) - int(a.bits) })
	return append(stay, moved...)
}

// in reports whether a build has the suite.
func (s *suite) in(rel release, weak bool) bool {
	switch s.build {
	case with111, withIDEA:
		return rel == release111 && (s.build == with111 || weak)
	case withWeak:
		return weak
	case withRC4:
		return weak && rel == release111
	}
	return true
}

// baseList is the list that every string starts with: nothing in use, in OpenSSL's own order of preference. That order
// is made by the same operations, from the suites by descending code point: ephemeral elliptic curves first, then by cipher,
// then by strength, and at last TLS 1.2, AEAD and ephemeral keys to the head.
func baseList(rel release, weak bool) []entry {
	list := make([]entry, 0, len(suiteTable))
	for i := range suiteTable {
		if suiteTable[i].in(rel, weak) {
			list = append(list, entry{suite: &suiteTable[i]})
		}
	}
	const aes = encAES128 | encAES256 | encAES128CCM | encAES256CCM | encAES128CCM8 | encAES256CCM8
	const ephemeral = kxDHE | kxECDHE
	for _, step := range [...]struct {
		op operator
		p  properties
	}{
		{opAdd, properties{kx: kxECDHE, au: auECDSA}}, {opAdd, properties{kx: kxECDHE}}, {opRemove, properties{kx: kxECDHE}},
		{opAdd, properties{enc: encAES128GCM | encAES256GCM}}, {opAdd, properties{enc: encCHACHA20POLY1305}}, {opAdd, properties{enc: aes}}, {opAdd, properties{}},
		{opOrder, properties{mac: macMD5}}, {opOrder, properties{au: auNULL}}, {opOrder, properties{kx: kxRSA}}, {opOrder, properties{kx: kxPSK}}, {opOrder, properties{enc: encRC4}},
	} {
		list = apply(list, step.op, selection{properties: step.p})
	}
	list = sortByStrength(list)
	list = move(list, opBump, func(s *suite) bool { return s.min == wire.VersionTLS12 })
	for _, p := range [...]properties{{mac: macAEAD}, {kx: ephemeral}, {kx: ephemeral, mac: macAEAD}} {
		list = apply(list, opBump, selection{properties: p})
	}
	return apply(list, opRemove, selection{})
}
