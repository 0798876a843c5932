package monitor

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/proxy"
)

// Each step changes the world, lets an hour pass, and says what the monitor must have told.
func TestEveryChangeIsAnEvent(t *testing.T) {
	const a, b = "192.0.2.1", "192.0.2.2"
	type step struct {
		name   string
		change func(*world)
		want   []string
	}
	for _, tt := range []struct {
		name  string
		nodes []string
		steps []step
	}{
		{"nothing", []string{a}, []step{{"first", nil, nil}, {"second", nil, nil}}},
		{"renewal", []string{a}, []step{
			{"first", nil, nil},
			{"new leaf", func(w *world) { w.nodes[a].serial = "02" }, []string{"certificate_changed 192.0.2.1:443"}},
			{"new intermediate", func(w *world) { w.nodes[a].extra = []string{"99"} }, []string{"certificate_changed 192.0.2.1:443"}},
			{"quiet", nil, nil},
		}},
		{"wrong from the start", []string{a, b}, []step{
			{"first", func(w *world) {
				w.nodes[a].verdict, w.nodes[a].cause = inspect.Failed, "cert-expired"
				w.nodes[a].notAfter = time.Now().Add(-day)
				w.nodes[b].down = true
			}, []string{"expiry_threshold 192.0.2.1:443 -1", "verdict_changed 192.0.2.1:443", "availability_changed 192.0.2.2:443", "node_differs 192.0.2.2:443 up"}},
			{"quiet", nil, nil},
		}},
		{"down and up", []string{a}, []step{
			{"first", nil, nil},
			{"down", func(w *world) { w.nodes[a].down = true }, []string{"availability_changed 192.0.2.1:443"}},
			{"up with another certificate", func(w *world) { w.nodes[a].down = false; w.nodes[a].serial = "02" }, []string{"certificate_changed 192.0.2.1:443", "availability_changed 192.0.2.1:443"}},
		}},
		{"verdict", []string{a}, []step{
			{"first", nil, nil},
			{"warning", func(w *world) { w.nodes[a].verdict, w.nodes[a].cause = inspect.Warning, "cert-expiring-soon" }, []string{"verdict_changed 192.0.2.1:443"}},
			{"another cause", func(w *world) { w.nodes[a].cause = "chain-wrong-order" }, []string{"verdict_changed 192.0.2.1:443"}},
			{"right again", func(w *world) { w.nodes[a].verdict, w.nodes[a].cause = inspect.OK, "" }, []string{"verdict_changed 192.0.2.1:443"}},
		}},
		{"addresses", []string{a}, []step{
			{"first", nil, nil},
			{"one more", func(w *world) { w.names["backend.test"] = []string{b, a, b}; w.nodes[b] = w.node() }, []string{"address_appeared 192.0.2.2:443"}},
			{"one less, perhaps for a moment", func(w *world) { w.names["backend.test"] = []string{b} }, nil},
			{"it is back", func(w *world) { w.names["backend.test"] = []string{a, b} }, nil},
			{"gone", func(w *world) { w.names["backend.test"] = []string{b} }, nil},
			{"gone for good", nil, []string{"address_vanished 192.0.2.1:443"}},
		}},
		{"resolution", []string{a}, []step{
			{"first", nil, nil},
			{"fails", func(w *world) { w.err = errNoSuchName }, []string{"resolution_failed"}},
			{"what is known is checked all the same", func(w *world) { w.nodes[a].serial = "02" }, []string{"certificate_changed 192.0.2.1:443"}},
			{"and not given up", nil, nil},
			{"works", func(w *world) { w.err = nil }, []string{"resolution_restored"}},
			{"is empty", func(w *world) { w.names["backend.test"] = nil }, []string{"resolution_failed"}},
		}},
		{"no name from the start", nil, []step{{"first", nil, []string{"resolution_failed"}}, {"quiet", nil, nil}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(tt.nodes...)
				for i, s := range tt.steps {
					if s.change != nil {
						w.edit(func() { s.change(w) })
					}
					if i == 0 {
						w.watch(t)
					} else {
						later(time.Hour)
					}
					events := w.taken()
					if got := kinds(events); !slices.Equal(got, append([]string{}, s.want...)) {
						t.Errorf("%s: %q, want %q", s.name, got, s.want)
					}
					for _, e := range events {
						if e.Backend != "edge/default" || !e.At.Equal(time.Now()) || e.Detail == "" || e.Address != "" && e.Old == nil && e.New == nil {
							t.Errorf("%s: %+v", s.name, e)
						}
					}
				}
			})
		})
	}
}

// "One of four nodes serves the old certificate."
func TestTheNodeThatWasForgottenIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::4")
		m := w.watch(t)
		w.edit(func() {
			for a, n := range w.nodes {
				if a != "2001:db8::4" {
					n.serial, n.began = "02", time.Now()
				}
			}
		})
		later(time.Hour)
		events := w.taken()
		if got := kinds(events); len(got) != 4 || got[3] != "node_differs [2001:db8::4]:443 certificate" {
			t.Fatalf("events %q", got)
		}
		detail := events[3].Detail
		for _, want := range []string{"this node of 4", "serial 01", "3 have", "serial 02"} {
			if !strings.Contains(detail, want) {
				t.Errorf("%q does not say %q", detail, want)
			}
		}
		if d := m.States()[0].Differs; len(d) != 1 || d[0].Count != 3 || d[0].Value != hash("01") || d[0].Others != hash("02") {
			t.Errorf("differs: %+v", d)
		}
		w.edit(func() { w.nodes["2001:db8::4"].serial = "02" })
		later(time.Hour)
		if got := kinds(w.taken()); !slices.Equal(got, []string{"certificate_changed [2001:db8::4]:443", "node_agrees [2001:db8::4]:443 certificate"}) {
			t.Errorf("then %q", got)
		}
	})
}

func TestDifferencesOfEveryAspect(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	base := func(edit func(*Address)) Address {
		a := Address{Up: true, CheckedAt: now, SeenAt: now, Version: "TLSv1.3", NextProtocol: "h2", Verdict: inspect.OK,
			Certificate: &inspect.Certificate{Hash: inspect.Hashes{SHA256: "x"}, NotBefore: now}, Chain: []string{"x", "y"}}
		edit(&a)
		return a
	}
	same := func(*Address) {}
	for _, tt := range []struct {
		name string
		edit func(*Address)
		want string
	}{
		{"none", same, "[]"},
		{"up", func(a *Address) { a.Up, a.SeenAt, a.Version = false, now.Add(-day), "" }, "[up:down]"},
		{"refused with its certificate", func(a *Address) {
			a.Up = false
			a.Certificate = &inspect.Certificate{Hash: inspect.Hashes{SHA256: "old"}}
		}, "[up:down certificate:old]"},
		{"certificate", func(a *Address) {
			a.Certificate, a.Chain = &inspect.Certificate{Hash: inspect.Hashes{SHA256: "z"}}, []string{"z"}
		}, "[certificate:z]"},
		{"chain", func(a *Address) { a.Chain = []string{"x"} }, "[chain:]"},
		{"version", func(a *Address) { a.Version = "TLSv1.2" }, "[version:TLSv1.2]"},
		{"protocol", func(a *Address) { a.NextProtocol = "" }, "[protocol:]"},
		{"verdict", func(a *Address) { a.Verdict = inspect.Warning }, "[verdict:warning]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := []string{}
			for _, d := range differences([]Address{base(same), base(tt.edit), base(same)}) {
				got = append(got, fmt.Sprintf("%s:%s", d.Aspect, d.Value))
			}
			if fmt.Sprint(got) != tt.want {
				t.Errorf("got %v, want %s", got, tt.want)
			}
		})
	}
	// Of two the older certificate is the one that was forgotten.
	older := base(func(a *Address) {
		a.Address, a.Certificate = "older", &inspect.Certificate{Hash: inspect.Hashes{SHA256: "0"}, NotBefore: now.Add(-day)}
	})
	for _, list := range [][]Address{{older, base(same)}, {base(same), older}} {
		if d := differences(list); len(d) != 1 || d[0].Address != "older" {
			t.Errorf("%+v", d)
		}
	}
	if d := differences([]Address{older}); d != nil {
		t.Errorf("one alone differs: %+v", d)
	}
}

// Each threshold is told once, in time and not up to an hour later; a new certificate begins anew.
func TestExpiryThresholds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("192.0.2.1")
		end := time.Now().Add(40*day + 17*time.Minute)
		w.nodes["192.0.2.1"].notAfter = end
		m := w.watch(t)
		var got []string
		for range 42 * 24 {
			later(time.Hour)
			for _, e := range w.taken() {
				left := end.Sub(e.At)
				got = append(got, fmt.Sprintf("%s %d at %v", e.Kind, e.Threshold, left.Round(time.Minute)))
			}
		}
		want := []string{"expiry_threshold 30 at 720h0m0s", "expiry_threshold 14 at 336h0m0s", "expiry_threshold 7 at 168h0m0s", "expiry_threshold 1 at 24h0m0s", "expiry_threshold -1 at 0s"}
		if !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
		if s := m.States()[0]; s.DaysLeft != -2 || s.Addresses[0].Threshold != Expired {
			t.Errorf("%d days left, %+v", s.DaysLeft, s.Addresses[0])
		}
		w.edit(func() {
			w.nodes["192.0.2.1"].serial, w.nodes["192.0.2.1"].notAfter = "02", time.Now().Add(6*day)
		})
		later(time.Hour)
		if got := kinds(w.taken()); !slices.Equal(got, []string{"certificate_changed 192.0.2.1:443"}) {
			t.Errorf("a short-lived successor: %q", got)
		}
		w.edit(func() { w.nodes["192.0.2.1"].down = true })
		for range 6 * 24 {
			later(time.Hour)
		}
		if got := kinds(w.taken()); !slices.Equal(got, []string{"availability_changed 192.0.2.1:443", "expiry_threshold 192.0.2.1:443 1", "expiry_threshold 192.0.2.1:443 -1"}) {
			t.Errorf("a node that is down: %q", got)
		}
	})
}

func TestEndsDecidesWhatEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("192.0.2.1")
		w.nodes["192.0.2.1"].extra = []string{"99"} // ended long ago
		m := w.watch(t)
		if s := m.States()[0]; s.DaysLeft != 90 {
			t.Errorf("by default %d days, want the leaf's", s.DaysLeft)
		}
		m = w.watch(t, func(o *Options) {
			o.Ends = func(*inspect.Connection) time.Time { return time.Now().Add(3*day + time.Hour) }
		})
		if s := m.States()[0]; s.DaysLeft != 3 || s.Addresses[0].Threshold != 7 {
			t.Errorf("%+v", s)
		}
	})
}

// Rounds come at the start, every hour, and when clients see something else; then once a minute at most.
func TestSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("192.0.2.1")
		m := w.watch(t)
		if n := w.count(); n != 1 {
			t.Fatalf("%d checks at the start", n)
		}
		later(59 * time.Minute)
		if n := w.count(); n != 1 {
			t.Errorf("%d checks within the hour", n)
		}
		later(time.Minute)
		if n := w.count(); n != 2 {
			t.Errorf("%d checks after an hour", n)
		}
		client := func(serial, name, address string) {
			c := &inspect.Connection{BackendLeg: &inspect.Leg{Address: address, Port: 443, ServerName: name, TLS: &inspect.TLS{Server: &inspect.Server{
				CertificateChain: []inspect.Certificate{{Hash: inspect.Hashes{SHA256: hash(serial)}}}}}}}
			m.Observe("edge/default", c)
			m.Observe("edge/other", c)
		}
		steps := []struct {
			name                  string
			serial, asks, address string
			want                  int
		}{
			{"the same", "01", "api.example.com", "192.0.2.1", 2},
			{"another name", "02", "other.example.com", "192.0.2.1", 2},
			{"another certificate", "02", "api.example.com", "192.0.2.1", 3},
			{"another address", "01", "api.example.com", "192.0.2.9", 4},
		}
		// A check takes its time, so that all ten clients have come before it is over: one that came later would have another made.
		w.edit(func() { w.nodes["192.0.2.1"].slow = time.Second })
		for _, s := range steps {
			for range 10 {
				client(s.serial, s.asks, s.address)
			}
			later(2 * time.Minute)
			if n := w.count(); n != s.want {
				t.Errorf("%s: %d checks, want %d", s.name, n, s.want)
			}
		}
		w.edit(func() { w.nodes["192.0.2.1"].slow = 0 })
		client("02", "api.example.com", "192.0.2.1")
		later(time.Second)
		for range 600 { // clients keep seeing it
			client("02", "api.example.com", "192.0.2.1")
			later(time.Second)
		}
		if n := w.count(); n < 13 || n > 16 {
			t.Errorf("%d checks in ten minutes, want one a minute", n)
		}
		m.Observe("edge/default", &inspect.Connection{})
		m.Observe("edge/default", &inspect.Connection{BackendLeg: &inspect.Leg{}})
	})
}

// What clients meet with has a backend looked at that is thought to be down, or up; then once a minute at most, and not for what is known.
func TestClientsShowWhetherABackendIsUp(t *testing.T) {
	plain := func() *inspect.Leg { return &inspect.Leg{Address: "192.0.2.1", Port: 443, Plain: true} }
	encrypted := func() *inspect.Leg {
		return &inspect.Leg{Address: "192.0.2.1", Port: 443, ServerName: "api.example.com", TLS: &inspect.TLS{Established: true, Resumed: true}}
	}
	refused := func() *inspect.Leg {
		return &inspect.Leg{Address: "192.0.2.1", Port: 443, Error: &inspect.Error{Type: inspect.ErrorRefused, Phase: inspect.PhaseDial}}
	}
	for name, established := range map[string]func() *inspect.Leg{"plain": plain, "resumed": encrypted} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld("192.0.2.1")
				w.nodes["192.0.2.1"].down = true
				m := w.watch(t)
				up := func() bool { return m.States()[0].Up }
				clients := func(leg func() *inspect.Leg) {
					for range 10 {
						m.Observe("edge/default", &inspect.Connection{BackendLeg: leg()})
						later(time.Second)
					}
				}
				clients(refused) // which is known
				later(2 * time.Minute)
				if n := w.count(); n != 1 || up() {
					t.Errorf("%d checks, up %t, of a backend that is down as is known", n, up())
				}
				w.edit(func() { w.nodes["192.0.2.1"].down = false })
				clients(established)
				if n := w.count(); n != 2 || !up() {
					t.Errorf("%d checks, up %t, though clients were served", n, up())
				}
				later(2 * time.Minute)
				clients(established)
				later(2 * time.Minute)
				if n := w.count(); n != 2 {
					t.Errorf("%d checks of a backend that is up as is known", n)
				}
				w.edit(func() { w.nodes["192.0.2.1"].down = true })
				clients(refused)
				if n := w.count(); n != 3 || up() {
					t.Errorf("%d checks, up %t, though clients were refused", n, up())
				}
				// The check sees something else than clients do, for whatever reason: once a minute, and not with every client.
				for range 30 {
					clients(established)
				}
				if n := w.count(); n < 6 || n > 9 {
					t.Errorf("%d checks in five minutes, want one a minute", n-3)
				}
				if got := kinds(w.taken()); !slices.Equal(got[:3], []string{"availability_changed 192.0.2.1:443", "availability_changed 192.0.2.1:443", "availability_changed 192.0.2.1:443"}) {
					t.Errorf("events %q", got)
				}
			})
		})
	}
}

// An address with a zone is known although records have it without.
func TestAddressesWithAZoneAreKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.nodes["fe80::1%eth0"] = w.node()
		m := w.watch(t)
		zoned := target("edge/default")
		zoned.Backend = &proxy.Backend{Address: "[fe80::1%eth0]:443"}
		m.Watch([]Target{zoned})
		synctest.Wait()
		before := w.count()
		later(2 * time.Minute)
		m.Observe("edge/default", &inspect.Connection{BackendLeg: &inspect.Leg{Address: "fe80::1", Port: 443, Plain: true}})
		later(2 * time.Minute)
		if n := w.count(); n != before || !m.States()[0].Up {
			t.Errorf("%d checks, want %d; %+v", n, before, m.States()[0])
		}
		m.Observe("edge/default", &inspect.Connection{BackendLeg: &inspect.Leg{Address: "fe80::2", Port: 443, Plain: true}})
		later(2 * time.Minute)
		if n := w.count(); n != before+1 {
			t.Errorf("%d checks, want %d", n, before+1)
		}
	})
}

// A reload keeps what is known, checks at once, and forgets what is no longer named.
func TestWatchExchangesTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("192.0.2.1")
		m := w.watch(t)
		w.edit(func() { w.nodes["192.0.2.1"].serial = "02" })
		m.Watch([]Target{target("edge/default"), target("edge/second")})
		synctest.Wait()
		if got := kinds(w.taken()); !slices.Equal(got, []string{"certificate_changed 192.0.2.1:443"}) {
			t.Errorf("events %q", got)
		}
		if s := m.States(); len(s) != 2 || s[0].Name != "edge/default" || s[1].Name != "edge/second" || s[1].CheckedAt.IsZero() {
			t.Errorf("states %+v", s)
		}
		// The round of a target that goes away meanwhile tells nothing.
		w.edit(func() { w.nodes["192.0.2.1"].slow = 10 * time.Second; w.nodes["192.0.2.1"].serial = "03" })
		m.Watch([]Target{target("edge/default")})
		later(time.Second)
		m.Watch(nil)
		later(time.Minute)
		if len(m.States()) != 0 || len(w.taken()) != 0 {
			t.Error("what is not watched is told of")
		}
		moved := target("edge/default")
		moved.Backend = &proxy.Backend{Address: "192.0.2.1:8443"}
		m.Watch([]Target{moved})
		later(time.Minute)
		if s := m.States(); len(s) != 1 || s[0].Addresses[0].Address != "192.0.2.1:8443" {
			t.Errorf("states %+v", s)
		}
	})
}

// A name without an address gives a record, too, and a state that is down.
func TestANameWithoutAddressesHasARecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		var judged []string
		m := w.watch(t, func(o *Options) {
			o.Judge = func(_ Target, c *inspect.Connection) { w.edit(func() { judged = append(judged, c.Cause) }) }
		})
		s := m.States()[0]
		if w.records != 1 || len(judged) != 1 || s.Up || s.Verdict != inspect.Failed || s.Error == "" || len(s.Addresses) != 0 {
			t.Errorf("%d records, judged %q, %+v", w.records, judged, s)
		}
	})
}

func TestChecksAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var addresses []string
		for i := range 100 {
			addresses = append(addresses, fmt.Sprintf("192.0.2.%d", i))
		}
		w := newWorld(addresses...)
		for _, n := range w.nodes {
			n.slow = time.Second
		}
		m := w.watch(t)
		later(time.Minute)
		if w.most != 4 || w.count() != 64 {
			t.Errorf("%d at once, %d in all", w.most, w.count())
		}
		if s := m.States()[0]; s.Unchecked != 36 || len(s.Addresses) != 64 {
			t.Errorf("%d unchecked of %d", s.Unchecked, len(s.Addresses))
		}
	})
}

// The end cuts what runs, and tells nothing of it: what was cut says nothing about a backend.
func TestTheEndIsNoNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("192.0.2.1", "192.0.2.2")
		for _, n := range w.nodes {
			n.slow, n.down = time.Hour, true
		}
		w.watch(t, func(o *Options) { o.Concurrency = 1 })
		w.end()
		if w.count() == 0 || len(w.taken()) != 0 || len(w.states) != 0 || w.records != 0 {
			t.Errorf("%d states, %d records", len(w.states), w.records)
		}
	})
}

// What is handed out has a stable JSON form and no raw certificate in it.
func TestStateAsJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("192.0.2.1")
		w.nodes["192.0.2.1"].verdict, w.nodes["192.0.2.1"].cause = inspect.Failed, "cert-name-mismatch"
		m := w.watch(t)
		b, err := json.Marshal(m.States())
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{`"name":"edge/default"`, `"up":true`, `"verdict":"failed"`, `"days_left":90`, `"address":"192.0.2.1:443"`, `"id":"cert-name-mismatch"`, `"serial_number":"01"`} {
			if !strings.Contains(string(b), want) {
				t.Errorf("%s lacks %s", b, want)
			}
		}
		if strings.Contains(string(b), `"raw"`) {
			t.Error("raw bytes are kept")
		}
		if w.records != 1 || len(w.states) != 1 {
			t.Errorf("%d records, %d states", w.records, len(w.states))
		}
	})
}

// What is wrong at the first look was not well before, and what is wrong after an outage is not swallowed by the news that the
// backend answers again.
func TestWhatIsWrongAfterAnOutageIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const a = "192.0.2.1"
		w := newWorld(a)
		w.nodes[a].verdict, w.nodes[a].cause = inspect.Warning, "cert-expiring-soon"
		w.watch(t)
		details := func() string {
			var all []string
			for _, e := range w.taken() {
				all = append(all, string(e.Kind)+": "+e.Detail)
			}
			return strings.Join(all, "; ")
		}
		if got := details(); !strings.Contains(got, "at the first look") || strings.Contains(got, "was ok") {
			t.Errorf("at the first look: %s", got)
		}
		for _, s := range []struct {
			name   string
			change func(*node)
			want   []string
			not    string
		}{
			{"well", func(n *node) { n.verdict, n.cause = inspect.OK, "" }, []string{"was warning"}, ""},
			{"down", func(n *node) { n.down = true }, []string{"availability_changed: it does not answer"}, ""},
			{"back, with something new", func(n *node) { n.down, n.verdict, n.cause = false, inspect.Failed, "chain-missing-intermediate" },
				[]string{"it answers again", "chain-missing-intermediate", "now that it answers"}, ""},
			{"down again", func(n *node) { n.down = true }, []string{"it does not answer"}, ""},
			{"back and well", func(n *node) { n.down, n.verdict, n.cause = false, inspect.OK, "" }, []string{"it answers again", "ok, was failed (chain-missing-intermediate)"}, "now that"},
			{"down once more", func(n *node) { n.down = true }, []string{"it does not answer"}, ""},
			{"back as it was", func(n *node) { n.down = false }, []string{"it answers again"}, "verdict_changed"},
		} {
			w.edit(func() { s.change(w.nodes[a]) })
			later(time.Hour)
			got := details()
			for _, want := range s.want {
				if !strings.Contains(got, want) {
					t.Errorf("%s: %q does not say %q", s.name, got, want)
				}
			}
			if s.not != "" && strings.Contains(got, s.not) {
				t.Errorf("%s: %q", s.name, got)
			}
		}
	})
}

// Who follows the events alone knows the verdict after an outage, whatever it was before and however often the outage changed its looks.
func TestVerdictsOverAnOutage(t *testing.T) {
	well := node{verdict: inspect.OK}
	ending := node{verdict: inspect.Warning, cause: "cert-expiring-soon"}
	broken := node{verdict: inspect.Failed, cause: "chain-missing-intermediate"}
	for _, tt := range []struct {
		name         string
		before, then node
		silent       bool   // down from the first look on
		looks        string // another reason why it does not answer, in the middle of the outage
		want         string // the verdict told when it answers again; empty: none
	}{
		{name: "well, well", before: well, then: well},
		{name: "well, warning", before: well, then: ending, want: "warning (cert-expiring-soon), now that it answers"},
		{name: "well, failed", before: well, then: broken, want: "failed (chain-missing-intermediate), now that it answers"},
		{name: "warning, well", before: ending, then: well, want: "ok, was warning (cert-expiring-soon)"},
		{name: "warning, warning", before: ending, then: ending, want: "warning (cert-expiring-soon), now that it answers"},
		{name: "warning, failed", before: ending, then: broken, want: "failed (chain-missing-intermediate), now that it answers"},
		{name: "failed, well", before: broken, then: well, want: "ok, was failed (chain-missing-intermediate)"},
		{name: "failed, warning", before: broken, then: ending, want: "warning (cert-expiring-soon), now that it answers"},
		{name: "down at first, well", silent: true, then: well},
		{name: "down at first, warning", silent: true, then: ending, want: "warning (cert-expiring-soon), now that it answers"},
		{name: "the outage changes, well", before: well, looks: "backend-timeout", then: well, want: "ok, was failed (backend-timeout)"},
		{name: "the outage changes, well after a warning", before: ending, looks: "backend-timeout", then: well, want: "ok, was failed (backend-timeout)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const a = "192.0.2.1"
				w := newWorld(a)
				is := func(n node) func() {
					return func() { w.nodes[a].down, w.nodes[a].verdict, w.nodes[a].cause = false, n.verdict, n.cause }
				}
				gone := func() { w.nodes[a].down, w.nodes[a].cause = true, "" }
				is(tt.before)()
				if tt.silent {
					gone()
				}
				w.watch(t)
				for range 2 {
					w.edit(gone)
					later(time.Hour)
				}
				if tt.looks != "" {
					w.edit(func() { w.nodes[a].cause = tt.looks })
					later(time.Hour)
				}
				w.taken()
				w.edit(is(tt.then))
				later(time.Hour)
				told := ""
				for _, e := range w.taken() {
					if e.Kind == VerdictChanged {
						told += e.Detail
					}
				}
				if told != tt.want {
					t.Errorf("told %q, want %q", told, tt.want)
				}
			})
		})
	}
}
