package openssl

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

const groupList = "groups"

// maxGroups is how many groups OpenSSL takes in one list.
const maxGroups = 40

// groupRow is a group that OpenSSL has for TLS.
type groupRow struct {
	group wire.NamedGroup
	bits  int      // security bits, which a security level asks for
	names []string // as OpenSSL spells them
}

// groupTable is what the providers of 3.0 bring, with the security bits that 3.0 gives the groups.
func groupTable() []groupRow {
	return []groupRow{
		{wire.GroupX25519, 128, []string{"X25519", "x25519"}},
		{wire.GroupSecp256r1, 128, []string{"P-256", "prime256v1", "secp256r1"}},
		{wire.GroupX448, 224, []string{"X448", "x448"}},
		{wire.GroupSecp521r1, 256, []string{"P-521", "secp521r1"}},
		{wire.GroupSecp384r1, 192, []string{"P-384", "secp384r1"}},
		{wire.GroupFfdhe2048, 112, []string{"ffdhe2048"}},
		{wire.GroupFfdhe3072, 128, []string{"ffdhe3072"}},
		{wire.GroupFfdhe4096, 128, []string{"ffdhe4096"}},
		{wire.GroupFfdhe6144, 128, []string{"ffdhe6144"}},
		{wire.GroupFfdhe8192, 192, []string{"ffdhe8192"}},
		{wire.GroupSect163k1, 80, []string{"K-163", "sect163k1"}},
		{wire.GroupSect163r1, 80, []string{"sect163r1"}},
		{wire.GroupSect163r2, 80, []string{"B-163", "sect163r2"}},
		{wire.GroupSect193r1, 80, []string{"sect193r1"}},
		{wire.GroupSect193r2, 80, []string{"sect193r2"}},
		{wire.GroupSect233k1, 112, []string{"K-233", "sect233k1"}},
		{wire.GroupSect233r1, 112, []string{"B-233", "sect233r1"}},
		{wire.GroupSect239k1, 112, []string{"sect239k1"}},
		{wire.GroupSect283k1, 128, []string{"K-283", "sect283k1"}},
		{wire.GroupSect283r1, 128, []string{"B-283", "sect283r1"}},
		{wire.GroupSect409k1, 192, []string{"K-409", "sect409k1"}},
		{wire.GroupSect409r1, 192, []string{"B-409", "sect409r1"}},
		{wire.GroupSect571k1, 256, []string{"K-571", "sect571k1"}},
		{wire.GroupSect571r1, 256, []string{"B-571", "sect571r1"}},
		{wire.GroupSecp160k1, 80, []string{"secp160k1"}},
		{wire.GroupSecp160r1, 80, []string{"secp160r1"}},
		{wire.GroupSecp160r2, 80, []string{"secp160r2"}},
		{wire.GroupSecp192k1, 80, []string{"secp192k1"}},
		{wire.GroupSecp192r1, 80, []string{"P-192", "prime192v1", "secp192r1"}},
		{wire.GroupSecp224k1, 112, []string{"secp224k1"}},
		{wire.GroupSecp224r1, 112, []string{"P-224", "secp224r1"}},
		{wire.GroupSecp256k1, 128, []string{"secp256k1"}},
		{wire.GroupBrainpoolP256r1, 128, []string{"brainpoolP256r1"}},
		{wire.GroupBrainpoolP384r1, 192, []string{"brainpoolP384r1"}},
		{wire.GroupBrainpoolP512r1, 256, []string{"brainpoolP512r1"}},
		{wire.GroupX25519MLKEM768, 192, []string{"X25519MLKEM768"}}, // 3.5
		{wire.GroupSecP256r1MLKEM768, 192, []string{"SecP256r1MLKEM768"}},
		{wire.GroupSecP384r1MLKEM1024, 256, []string{"SecP384r1MLKEM1024"}},
		{wire.GroupMLKEM512, 128, []string{"MLKEM512"}},
		{wire.GroupMLKEM768, 192, []string{"MLKEM768"}},
		{wire.GroupMLKEM1024, 256, []string{"MLKEM1024"}},
	}
}

// DefaultGroups are the groups of a release in its order where none are set.
func DefaultGroups(o Options) ([]wire.NamedGroup, error) {
	rel, err := releaseOf(o.Version)
	if err != nil {
		return nil, err
	}
	return defaultGroups(rel), nil
}

func defaultGroups(rel release) []wire.NamedGroup {
	switch rel {
	case release111:
		return []wire.NamedGroup{wire.GroupX25519, wire.GroupSecp256r1, wire.GroupX448, wire.GroupSecp521r1, wire.GroupSecp384r1}
	case release35:
		return []wire.NamedGroup{
			wire.GroupX25519MLKEM768, wire.GroupX25519, wire.GroupSecp256r1, wire.GroupX448, wire.GroupSecp384r1, wire.GroupSecp521r1,
			wire.GroupFfdhe2048, wire.GroupFfdhe3072,
		}
	}
	return []wire.NamedGroup{
		wire.GroupX25519, wire.GroupSecp256r1, wire.GroupX448, wire.GroupSecp521r1, wire.GroupSecp384r1,
		wire.GroupFfdhe2048, wire.GroupFfdhe3072, wire.GroupFfdhe4096, wire.GroupFfdhe6144, wire.GroupFfdhe8192,
	}
}

// Groups reads a list of groups as SSL_CTX_set1_groups_list does: names separated by colons, in order. "auto" and the empty
// string, with which programs mean that they set none, give the default of the release. What stands twice is refused, as
// OpenSSL does, and so is a name that the release does not know or does not spell like this. OpenSSL 3.3 and above know
// optional names ("?"), and 3.5 key share marks ("*"), removal ("-"), DEFAULT and tuples ("/"); those of a tuple follow each other here.
func Groups(list string, o Options) ([]wire.NamedGroup, error) {
	rel, err := releaseOf(o.Version)
	if err != nil {
		return nil, err
	}
	if list == "" || list == "auto" {
		return defaultGroups(rel), nil
	}
	if len(list) > maxString {
		return nil, refuse(groupList, list, -1, "", ErrTooLong)
	}
	if rel == release35 {
		return groups35(list)
	}
	table := groupTable()
	var out []wire.NamedGroup
	at := 0
	for word := range strings.SplitSeq(list, ":") {
		name := trimSpace(word)
		optional := rel == release33 && strings.HasPrefix(name, "?")
		if optional {
			name = name[1:]
		}
		group, ok := groupNamed(table, name, rel)
		switch {
		case !ok && optional:
		case !ok, slices.Contains(out, group), len(out) == maxGroups:
			return nil, refuse(groupList, list, at, word, ErrNotUnderstood)
		default:
			out = append(out, group)
		}
		at += len(word) + 1
	}
	if len(out) == 0 {
		return nil, refuse(groupList, list, -1, "", ErrNotUnderstood)
	}
	return out, nil
}

// groups35 reads the list of OpenSSL 3.5, in which a duplicate is skipped rather than refused.
func groups35(list string) ([]wire.NamedGroup, error) {
	table := groupTable()
	var out []wire.NamedGroup
	at := 0
	for word := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ':' || r == '/' }) {
		at = strings.Index(list[at:], word) + at
		name := trimSpace(word)
		flags := name[:len(name)-len(strings.TrimLeft(name, "?*-"))]
		name = trimSpace(name[len(flags):])
		group, ok := groupNamed(table, name, release35)
		remove := strings.Contains(flags, "-")
		switch {
		case strings.EqualFold(name, "DEFAULT") && !remove:
			for _, g := range defaultGroups(release35) {
				if !slices.Contains(out, g) {
					out = append(out, g)
				}
			}
		case !ok && strings.Contains(flags, "?"):
		case !ok, len(out) >= maxGroups:
			return nil, refuse(groupList, list, at, word, ErrNotUnderstood)
		case remove:
			out = slices.DeleteFunc(out, func(g wire.NamedGroup) bool { return g == group })
		case !slices.Contains(out, group):
			out = append(out, group)
		}
		at += len(word)
	}
	if len(out) == 0 {
		return nil, refuse(groupList, list, -1, "", ErrNotUnderstood)
	}
	return out, nil
}

// groupNamed finds a group that a release has by a name that it knows. 1.1.1 has the objects' names and NIST's, and no
// finite fields; 3.5 minds no case.
func groupNamed(table []groupRow, name string, rel release) (wire.NamedGroup, bool) {
	for _, row := range table {
		pq := row.group >= wire.GroupMLKEM512
		if pq && rel != release35 || rel == release111 && row.group >= wire.GroupFfdhe2048 {
			continue
		}
		for _, known := range row.names {
			if rel == release111 && (known == "x25519" || known == "x448" || known == "secp256r1" || known == "secp192r1") {
				continue
			}
			if known == name || rel == release35 && strings.EqualFold(known, name) {
				return row.group, true
			}
		}
	}
	return 0, false
}

// groupBits are the security bits of a group; 0: OpenSSL does not have it.
func groupBits(group wire.NamedGroup) int {
	for _, row := range groupTable() {
		if row.group == group {
			return row.bits
		}
	}
	return 0
}
