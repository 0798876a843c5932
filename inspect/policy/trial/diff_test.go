package trial

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/recording"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// TestDiffSeesEveryField changes every field of a policy that says what is accepted. A field that is new is found here.
func TestDiffSeesEveryField(t *testing.T) {
	about := []string{"Name", "Provider", "Product", "Aliases", "Verified", "Source", "AsOf", "Notes"} // what a policy is called, not what it does
	base := func() *policy.Policy {
		p := lookup(t, "mozilla/intermediate-5.7")
		p.ALPN, p.Names, p.Certificates = []string{"h2", "http/1.1"}, []string{"a.example"}, []policy.CertificateType{policy.CertRSA}
		p.EqualPreference = [][]wire.CipherSuite{p.CipherSuites[:2]}
		p.BlockedVersions = []wire.Version{wire.VersionTLS10}
		return p
	}
	kind := reflect.TypeFor[policy.Policy]()
	for i := range kind.NumField() {
		name := kind.Field(i).Name
		if slices.Contains(about, name) {
			continue
		}
		a, b := base(), base()
		switch f := reflect.ValueOf(b).Elem().Field(i); f.Kind() {
		case reflect.Slice:
			if f.Len() == 0 {
				f.Set(reflect.MakeSlice(f.Type(), 1, 1))
			} else {
				f.Set(f.Slice(0, f.Len()-1))
			}
		case reflect.Bool:
			f.SetBool(!f.Bool())
		case reflect.String:
			f.SetString("other")
		case reflect.Int:
			f.SetInt(f.Int() + 1)
		case reflect.Uint8, reflect.Uint16:
			f.SetUint(f.Uint()%3 + 1)
		default:
			t.Fatalf("%s: a field of kind %s", name, f.Kind())
		}
		if d := Diff(On(a), On(b)); len(d.Changes) == 0 {
			t.Errorf("%s: the difference is not seen", name)
		}
		if d := Diff(On(a), On(base())); len(d.Changes) != 0 {
			t.Errorf("equal policies differ: %+v", d.Changes)
		}
	}
}

func TestDiffSaysWhatIsTakenAway(t *testing.T) {
	a, b := lookup(t, "aws/ELBSecurityPolicy-2016-08"), lookup(t, "aws/ELBSecurityPolicy-TLS13-1-2-2021-06")
	d := Diff(On(a), On(b))
	find := func(what string) Change {
		i := slices.IndexFunc(d.Changes, func(c Change) bool { return c.What == what })
		if i < 0 {
			t.Fatalf("no change of %s in %+v", what, d.Changes)
		}
		return d.Changes[i]
	}
	if c := find(WhatVersions); !slices.Equal(c.Added, []string{"TLSv1.3"}) || !slices.Contains(c.Removed, "TLSv1.0") || !slices.Contains(c.Removed, "TLSv1.1") {
		t.Errorf("versions: %+v", c)
	}
	if c := find(WhatCipherSuites); !slices.Contains(c.Removed, "TLS_RSA_WITH_AES_128_CBC_SHA") || !slices.Contains(c.Added, "TLS_AES_128_GCM_SHA256") {
		t.Errorf("suites: %+v", c)
	}
	back := Diff(On(b), On(a))
	for i, c := range d.Changes {
		if !slices.Equal(c.Removed, back.Changes[i].Added) || !slices.Equal(c.Added, back.Changes[i].Removed) || !slices.Equal(c.From, back.Changes[i].To) {
			t.Errorf("%s: there %+v, back %+v", c.What, c, back.Changes[i])
		}
	}
	swapped := *b
	swapped.CipherSuites = slices.Clone(b.CipherSuites)
	slices.Reverse(swapped.CipherSuites)
	if c := Diff(On(b), On(&swapped)).Changes; len(c) != 1 || c[0].What != WhatCipherOrder || !slices.Equal(c[0].To, texts(swapped.CipherSuites)) {
		t.Errorf("reversed: %+v", c)
	}
}

// TestDiffClientsPartitionsThem holds the sums of DiffClients against two checks.
func TestDiffClientsPartitionsThem(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 3))
	all := slices.Collect(policy.All())
	for i := range 150 {
		tally := randomCounts(t, r).tally(t)
		a, b := all[r.IntN(len(all))], all[r.IntN(len(all))]
		if i%3 == 0 {
			named := *b
			named.Names = []string{"backend.example"}
			b = &named
		}
		c := DiffClients(On(a), On(b), tally).Clients
		onlyA, onlyB := Check(tally, On(a)), Check(tally, On(b))
		if c.Refused.Connections+c.Gained.Connections != onlyA.Lost.Connections || c.Refused.Connections+c.Lost.Connections != onlyB.Lost.Connections {
			t.Errorf("%s to %s: %+v, but A refuses %d and B %d", a.Name, b.Name, c, onlyA.Lost.Connections, onlyB.Lost.Connections)
		}
		var losses, gains, changed int64
		for _, l := range c.Losses {
			losses += l.Connections
		}
		for _, l := range c.Gains {
			gains += l.Connections
		}
		for _, s := range c.Shifts {
			changed += s.Connections
		}
		if losses != c.Lost.Connections || gains != c.Gained.Connections || changed != c.Changed.Connections {
			t.Errorf("%s to %s: the lists have %d, %d, %d, the sums are %+v %+v %+v", a.Name, b.Name, losses, gains, changed, c.Lost, c.Gained, c.Changed)
		}
		if same := DiffClients(On(a), On(a), tally).Clients; same.Lost.Connections+same.Gained.Connections+same.Changed.Connections != 0 {
			t.Errorf("%s differs from itself: %+v", a.Name, same)
		}
	}
	var empty recording.Tally
	if c := DiffClients(On(all[0]), On(all[1]), &empty).Clients; c.Connections != 0 {
		t.Errorf("no clients: %+v", c)
	}
}
