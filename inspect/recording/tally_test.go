package recording

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/report"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// mixed is a recording of several thousand clients with damaged lines between them.
func mixed(t testing.TB) []byte {
	r := newRand(21)
	offers := make([]offer, 60)
	for i := range offers {
		offers[i] = randomOffer(r)
	}
	var text []byte
	for i := range 3000 {
		o := offers[r.IntN(len(offers))]
		o.name = []string{"", "a.example", "B.Example", "b.example"}[r.IntN(4)]
		raw := report.RawAll
		if i%97 == 0 {
			raw = report.RawNone
		}
		text = append(text, record(t, o.hello(r), i, raw)...)
		if i%501 == 0 {
			text = append(text, "{\"schema\":1,\n"...)
		}
	}
	return text
}

// TestTallyCountsWhatEachGives adds clients up by hand.
func TestTallyCountsWhatEachGives(t *testing.T) {
	text := mixed(t)
	var tally Tally
	if err := tally.Read(bytes.NewReader(text), ""); err != nil {
		t.Fatal(err)
	}
	byShape, byName := make(map[string]int64), make(map[string]int64)
	var first, last time.Time
	for c, err := range Each(bytes.NewReader(text), "") {
		if err != nil {
			continue
		}
		byShape[string(c.Shape)]++
		byName[string(c.Shape)+strings.ToLower(string(c.Hello.ServerName))]++
		if first.IsZero() || c.Time.Before(first) {
			first = c.Time
		}
		if c.Time.After(last) {
			last = c.Time
		}
	}
	for _, s := range tally.Shapes() {
		byShape[s.Name] -= s.Connections
		names := int64(0)
		for _, n := range s.Names {
			byName[s.Name+n.Name] -= n.Connections
			names += n.Connections
		}
		if names != s.Connections || s.EventID == "" || s.JA4 == "" || len(s.Addresses) == 0 || s.First.Before(first) || s.Last.After(last) {
			t.Errorf("shape %+v", s)
		}
	}
	for key, n := range byShape {
		if n != 0 {
			t.Errorf("shape %s is off by %d", key, n)
		}
	}
	for key, n := range byName {
		if n != 0 {
			t.Errorf("name %s is off by %d", key, n)
		}
	}
	if tally.Connections != 3000 || tally.Skipped != (Skipped{Malformed: 6}) || !tally.First.Equal(first) || !tally.Last.Equal(last) {
		t.Errorf("%d connections, %+v, %s to %s, want %s to %s", tally.Connections, tally.Skipped, tally.First, tally.Last, first, last)
	}
}

func TestTallyIsTheSameOnAnyNumberOfProcessors(t *testing.T) {
	text := mixed(t)
	read := func(processors int) *Tally {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
		tally := new(Tally)
		for range 2 {
			if err := tally.Read(bytes.NewReader(text), "x"); err != nil {
				t.Fatal(err)
			}
		}
		return tally
	}
	one, many := read(1), read(5)
	a, b := one.Shapes(), many.Shapes()
	for i := range a {
		a[i].Addresses, b[i].Addresses = nil, nil // of many only some are kept
	}
	if !reflect.DeepEqual(a, b) {
		t.Error("the shapes differ")
	}
	if !slices.EqualFunc(one.Problems, many.Problems, func(a, b *Error) bool { return a.Error() == b.Error() && a.Offset == b.Offset }) {
		t.Errorf("the problems differ: %v, %v", one.Problems, many.Problems)
	}
}

// TestShapesThatCollideAreKeptApart gives two hellos the same shape's name, as somebody may who searches long enough.
func TestShapesThatCollideAreKeptApart(t *testing.T) {
	r := newRand(22)
	o := randomOffer(r)
	o.alpn, o.versions, o.shares, o.shuffle = []string{"h2"}, []uint16{0x304, 0x303}, o.groups[:1], false
	parse := func(o offer) *wire.ClientHello {
		h := new(wire.ClientHello)
		if err := wire.ParseClientHello(o.hello(r), h); err != nil {
			t.Fatal(err)
		}
		return h
	}
	change := func(f func(*offer)) offer {
		c := o
		f(&c)
		return c
	}
	others := map[string]offer{
		"suites":     change(func(o *offer) { o.suites = o.suites[1:] }),
		"groups":     change(func(o *offer) { o.groups = append(slices.Clone(o.groups), 0x100) }),
		"schemes":    change(func(o *offer) { o.schemes = o.schemes[1:] }),
		"versions":   change(func(o *offer) { o.versions = []uint16{0x304} }),
		"shares":     change(func(o *offer) { o.shares = nil }),
		"share":      change(func(o *offer) { o.shares = []uint16{0x100} }),
		"protocols":  change(func(o *offer) { o.alpn = []string{"h3"} }),
		"name":       change(func(o *offer) { o.name = "a" }),
		"extensions": change(func(o *offer) { o.extra = append(slices.Clone(o.extra), 0x1234) }),
	}
	for what, other := range others {
		var tally Tally
		for range 2 {
			tally.Add(&Client{Hello: parse(o), Shape: []byte("s1_0000000000000000")})
			tally.Add(&Client{Hello: parse(other), Shape: []byte("s1_0000000000000000")})
		}
		var sum Tally
		sum.merge(&tally)
		sum.merge(&tally)
		if shapes := sum.Shapes(); tally.Len() != 2 || len(shapes) != 2 || shapes[0].Connections != 4 || shapes[1].Connections != 4 {
			t.Errorf("%s: %d shapes, added up %+v", what, tally.Len(), shapes)
		}
	}
	o.shuffle = true
	var tally Tally
	for i := range 50 {
		tally.Add(&Client{Hello: parse(o), Shape: []byte("s1_0000000000000000"), Offset: int64(i)})
	}
	if tally.Len() != 1 {
		t.Errorf("GREASE and the order of extensions make %d shapes of one", tally.Len())
	}
}

func TestNamesAndShapesAreBounded(t *testing.T) {
	r := newRand(23)
	o := randomOffer(r)
	h := new(wire.ClientHello)
	o.name = "x"
	if err := wire.ParseClientHello(o.hello(r), h); err != nil {
		t.Fatal(err)
	}
	tally := Tally{nameBytes: maxNameBytes - 3*(nameOverhead+4)}
	for i := range 10 {
		h.ServerName = fmt.Appendf(nil, "n%03d", i)
		tally.Add(&Client{Hello: h, Shape: []byte("s1_0000000000000000")})
	}
	if s := tally.Shapes()[0]; len(s.Names) != 3 || s.OtherNames != 7 || s.Connections != 10 {
		t.Errorf("%d names, %d others", len(s.Names), s.OtherNames)
	}
	tally = Tally{shapeBytes: maxShapeBytes - 2*(len(h.Raw)+shapeOverhead)}
	for i := range 10 {
		tally.Add(&Client{Hello: h, Shape: fmt.Appendf(nil, "s1_%016d", i%5)})
	}
	if tally.Len() != 2 || tally.Beyond != 6 || tally.Connections != 10 {
		t.Errorf("%d shapes, %d beyond", tally.Len(), tally.Beyond)
	}
}

// TestNoAllocationInTheSteadyState counts a client that was seen before.
func TestNoAllocationInTheSteadyState(t *testing.T) {
	r := newRand(24)
	o := randomOffer(r)
	o.name = "a.example"
	msg := o.hello(r)
	for _, raw := range []report.Raw{report.RawAll, report.RawNone} {
		line := bytes.TrimSpace(record(t, msg, 1, raw))
		var tally Tally
		w := worker{tally: &tally}
		w.record(line, 1, 0)
		if n := testing.AllocsPerRun(100, func() { w.record(line, 2, 100) }); n != 0 {
			t.Errorf("raw %s: %v allocations a record", raw, n)
		}
		if tally.Len() != 1 || tally.Connections < 100 {
			t.Errorf("raw %s: %d shapes, %d connections", raw, tally.Len(), tally.Connections)
		}
	}
}

func TestConnectionsWithoutAHelloAreToldApart(t *testing.T) {
	for text, want := range map[string]Skipped{
		`{"schema":1}`:                 {NoHello: 1},
		`{"schema":1,"client_leg":{}}`: {NoHello: 1},
		`{"schema":1,"client_leg":{"tls":{"established":false}}}`:                                                                               {NoHello: 1},
		`{"schema":1,"client_leg":{"tls":{"client":{"legacy_version":"TLSv1.2","hello":{"complete":false}}}}}`:                                  {Incomplete: 1},
		`{"schema":1,"client_leg":{"tls":{"client":{"hello":{"complete":false,"raw":"AQ=="}}}}}`:                                                {Incomplete: 1},
		`{"schema":1,"client_leg":{"tls":{"client":{"hello":{"complete":true,"raw":"` + base64.StdEncoding.EncodeToString([]byte{1}) + `"}}}}}`: {BrokenHello: 1},
		`{"schema":1,"client_leg":{"tls":{"client":{"legacy_version":"TLSv1.2","supported_ciphers":["no such suite"]}}}}`:                       {Malformed: 1},
		`{"schema":2}`: {Malformed: 1},
	} {
		var tally Tally
		if err := tally.Read(strings.NewReader(text), ""); err != nil || tally.Skipped != want || tally.Connections != 0 {
			t.Errorf("%s: %+v, %d connections, %v", text, tally.Skipped, tally.Connections, err)
		}
	}
}
