package why

import (
	"fmt"
	"slices"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// draftVersion is one that was never published, which is ignored: draft 23 of TLS 1.3.
const draftVersion = wire.Version(0x7F17)

// refineVersionList: each of the versions is accepted alone, and the list of them is not. again has the list, refused is the answer to it,
// and first the version that the endpoint takes: which of the others does it mind beside that, or how many?
func (r *run) refineVersionList(again trial, offered []wire.Version, first wire.Version, refused answer) bool {
	f := found{axis: AxisVersion, id: VersionIntolerance, offered: names(offered)}
	f.evidence = fmt.Sprintf("with %s: %s; with each of them alone: accepted", listed(offered), refused.x.Describe())
	if len(offered) < 2 || len(again.hello.Versions()) == 0 {
		return r.undecided(f)
	}
	list := func(versions ...wire.Version) trial {
		t := trial{again.hello.Clone(), again.proxy}
		t.hello.SetVersions(versions...)
		makeSound(t.hello, r.failing.hello)
		return t
	}
	try := func(versions ...wire.Version) (trial, answer) {
		t := list(versions...)
		if r.spare() < 3 {
			r.cut = true
			return t, answer{}
		}
		return t, r.send("with the versions "+listed(versions), t)
	}
	taken, minded := []wire.Version{first}, []wire.Version{}
	for _, v := range offered {
		if v == first {
			continue
		}
		more := meet(offered, append(slices.Clone(taken), v))
		t, p := try(more...)
		switch {
		case p.x == nil:
			return false
		case p.works:
			taken = more
			r.keep(t, p)
		default:
			minded = append(minded, v)
		}
	}
	if len(minded) == 0 {
		return r.undecided(f)
	}
	f.accepted = names(taken)
	f.fix = fmt.Sprintf("Update the endpoint, or what stands before it; until then limit the client to %s.", listed(taken))
	// So many others: is it the number?
	others := []wire.Version{draftVersion}
	for _, v := range [...]wire.Version{wire.VersionTLS11, wire.VersionTLS10, wire.VersionSSLv3} {
		if !slices.Contains(offered, v) {
			others = append(others, v)
		}
	}
	number := len(taken) > 1 || len(others) > 1
	if len(taken) > 1 {
		_, p := try(first, minded[0])
		if p.x == nil {
			return false
		}
		number = p.works // no more than were taken
	}
	for _, v := range others[:min(2, len(others))] {
		if !number {
			break
		}
		_, p := try(append(slices.Clone(taken), v)...)
		if p.x == nil {
			return false
		}
		number = !p.works
	}
	if number {
		f.limit = len(taken)
		f.evidence = fmt.Sprintf("with %s: %s, also with others in their place; with %s: accepted", listed(offered), refused.x.Describe(), listed(taken))
		f.sentence = fmt.Sprintf("The endpoint fails when more than %s offered, whichever they are; the client offers %d.", versionsAre(len(taken)), len(r.failing.hello.Versions()))
		f.denies = func(x *probe.Exchange) bool { return len(x.Hello.Versions()) > f.limit }
		r.addAlone(f, fmt.Sprintf("more than %s", versionsOfNumber(len(taken))), list(append(slices.Clone(taken), minded[0])...), 0, 0)
		return !r.cut
	}
	beside := []wire.Version{first}
	if len(taken) == 1 && len(minded) > 1 {
		t, p := try(minded...)
		if p.x == nil {
			return false
		}
		if p.works { // it is the one that was taken for good
			taken, minded, beside = minded, taken, minded
			r.keep(t, p)
			f.accepted = names(taken)
			f.fix = fmt.Sprintf("Update the endpoint, or what stands before it; until then limit the client to %s.", listed(taken))
		}
	}
	bad := list(meet(offered, []wire.Version{beside[0], minded[0]})...)
	f.evidence = fmt.Sprintf("with %s: %s; with %s: accepted; with %s alone: accepted", listed(offered), refused.x.Describe(), listed(taken), listed(minded))
	f.sentence = fmt.Sprintf("The endpoint fails when %s is offered beside %s (supported_versions), and takes the one without the other.", eitherOf(minded), eitherOf(beside))
	f.denies = func(x *probe.Exchange) bool {
		versions := x.Hello.Versions()
		return slices.Contains(versions, minded[0]) && slices.Contains(versions, beside[0])
	}
	r.addAlone(f, "the versions "+listed(bad.hello.Versions()), bad, 0, 0)
	return !r.cut
}

// eitherOf names one of several, where there are several.
func eitherOf(versions []wire.Version) string {
	if len(versions) == 1 {
		return versions[0].String()
	}
	return "one of " + listed(versions)
}

func versionsOfNumber(n int) string {
	if n == 1 {
		return "one version"
	}
	return fmt.Sprintf("%d versions", n)
}

func versionsAre(n int) string {
	if n == 1 {
		return versionsOfNumber(n) + " is"
	}
	return versionsOfNumber(n) + " are"
}
