package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// namedBackend serves a certificate for one name, another to hellos without a name, and refuses all other names, as
// strict front ends do. It counts the handshakes that were tried.
func namedBackend(t *testing.T, pki *certstest.PKI, served string, tried *atomic.Int64) string {
	site, fallback := pki.Make(certstest.Healthy, served).TLS(), pki.Make(certstest.Healthy, "default.example.net").TLS()
	config := &tls.Config{NextProtos: []string{"h2"}, GetCertificate: func(chi *tls.ClientHelloInfo) (*tls.Certificate, error) {
		switch chi.ServerName {
		case served:
			return site, nil
		case "":
			return fallback, nil
		}
		return nil, nil // unrecognized_name
	}}
	return listen(t, func(c net.Conn) {
		tried.Add(1)
		s := tls.Server(c, config)
		if s.Handshake() == nil {
			echo(s)
		}
	})
}

// A backend that refuses the client's name is looked at again: which name gets which certificate stands in the record of the first
// connection already, and in those of later ones without a single further connection.
func TestSecondLookTellsWhichNameGetsWhat(t *testing.T) {
	pki := certstest.New(t)
	var tried, asked atomic.Int64
	address := namedBackend(t, pki, "right.example.com", &tried)
	backend := &Backend{Address: address, ServerName: "wrong.example.com"}
	r := &rig{t: t, pki: pki, records: make(chan *inspect.Connection, 16)}
	r.server = &Server{
		Limits:       shortLimits(),
		OnConnection: func(c *inspect.Connection) { r.records <- c },
		LookAgain:    func(c *inspect.Connection) bool { asked.Add(1); return c.Event.Outcome == inspect.Failure },
	}
	r.server.looker.patience = patience
	l := &Listener{Address: "127.0.0.1:0", Routes: []*Route{{Name: "default", Backend: backend, GetCertificate: serves(pki.Make(certstest.Healthy, testName))}}}
	if err := r.server.Start([]*Listener{l}); err != nil {
		t.Fatal(err)
	}
	r.address = r.at(l)
	visit := func() *inspect.Connection {
		c := tls.Client(r.tcp(), r.clientConfig(named("right.example.com"), protocols("h2"), func(c *tls.Config) { c.InsecureSkipVerify = true }))
		c.Handshake()
		c.Close()
		return r.record()
	}
	first := visit()
	wantError(t, first.BackendLeg, inspect.ErrorAlertReceived, inspect.PhaseHandshake)
	type outcome struct {
		name, origin, subject, alert string
		established                  bool
	}
	want := []outcome{
		{"", inspect.LookWithoutName, "default.example.net", "", true},
		{"right.example.com", inspect.LookClientName, "right.example.com", "", true},
		{"wrong.example.com", inspect.LookConfigured, "", "unrecognized_name", false},
		{"wrong.example.com", inspect.LookOtherProtocol, "", "unrecognized_name", false},
	}
	check := func(c *inspect.Connection) {
		t.Helper()
		if len(c.BackendLeg.Looks) != len(want) {
			t.Fatalf("looks: %+v", c.BackendLeg.Looks)
		}
		for i, look := range c.BackendLeg.Looks {
			got := outcome{name: look.ServerName, origin: look.Origin, established: look.Established}
			if look.Certificate != nil {
				if got.subject = look.Certificate.AlternativeNames[0]; len(look.Certificate.Raw) > 0 {
					t.Error("raw bytes of a certificate are kept")
				}
			}
			if look.Alert != nil {
				got.alert = look.Alert.Description
			}
			if got != want[i] {
				t.Errorf("look %d: got %+v, want %+v", i, got, want[i])
			}
			if (look.Error == nil) != look.Established {
				t.Errorf("look %d: established %v, %+v", i, look.Established, look.Error)
			}
		}
	}
	check(first)
	if n := tried.Load(); n != 5 {
		t.Errorf("%d connections to the backend, want the client's and 4", n)
	}
	check(visit())
	if n := tried.Load(); n != 6 {
		t.Errorf("%d connections to the backend after the second client, want 6", n)
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("LookAgain was asked %d times", n)
	}
	// Records of Check share what is known.
	record := r.server.Check(t.Context(), backend, "right.example.com", []string{"h2"})
	if !r.server.SecondLook(t.Context(), backend, record) || len(record.BackendLeg.Looks) != 3 {
		t.Errorf("a check without a client: %+v", record.BackendLeg.Looks)
	}
	r.none()
}

// What cannot help is not looked at.
func TestSecondLookOnlyWhereItCanHelp(t *testing.T) {
	leg := func(edit func(*inspect.Leg)) *inspect.Connection {
		l := &inspect.Leg{Address: "192.0.2.1", Port: 443, TLS: &inspect.TLS{Client: &inspect.Hello{ServerName: "a.example.com"}}}
		edit(l)
		return &inspect.Connection{BackendLeg: l}
	}
	tls := &Backend{Address: "192.0.2.1:443"}
	for _, tt := range []struct {
		name    string
		backend *Backend
		record  *inspect.Connection
		want    bool
	}{
		{"a leg of TLS", tls, leg(func(*inspect.Leg) {}), true},
		{"no leg", tls, &inspect.Connection{}, false},
		{"no backend", nil, leg(func(*inspect.Leg) {}), false},
		{"plain", &Backend{Address: "192.0.2.1:80", Plain: true}, leg(func(*inspect.Leg) {}), false},
		{"refused", tls, leg(func(l *inspect.Leg) { l.Error = &inspect.Error{Type: inspect.ErrorRefused, Phase: inspect.PhaseDial} }), false},
		{"no address", tls, leg(func(l *inspect.Leg) { l.Error = &inspect.Error{Phase: inspect.PhaseResolve} }), false},
		{"alert", tls, leg(func(l *inspect.Leg) {
			l.Error = &inspect.Error{Type: inspect.ErrorAlertReceived, Phase: inspect.PhaseHandshake}
		}), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := canLook(tt.backend, tt.record); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestNamesToLookFor(t *testing.T) {
	for _, tt := range []struct {
		name string
		key  lookKey
		want string
	}{
		{"nothing is known", lookKey{backend: &Backend{Address: "192.0.2.1:443"}}, "[{ none}]"},
		{"each once", lookKey{backend: &Backend{Address: "a.example.com:443", ServerName: "A.example.com."}, client: "a.example.com"}, "[{ none} {a.example.com client}]"},
		{"all", lookKey{backend: &Backend{Address: "host:443", ServerName: "conf"}, client: "asked", sent: "conf", alpn: true}, "[{ none} {asked client} {conf configured} {host host} {conf no_alpn}]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := fmt.Sprint(tt.key.names()); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
	for given, want := range map[string]string{
		"": "", "192.0.2.1": "", "2001:db8::1": "", "A.Example.COM.": "a.example.com", "a b": "", "\x00": "", "ä.example": "", repeat("a", 254): "", "xn--4ca.example": "xn--4ca.example",
	} {
		if got := nameToSend(given); got != want {
			t.Errorf("%q is sent as %q, want %q", given, got, want)
		}
	}
}

// lookRig is a server that delivers records and whose looks are the test's.
func lookRig(t *testing.T, look func(context.Context, lookKey) []inspect.Look) (*Server, func(*Backend, string) ended, chan *inspect.Connection) {
	records := make(chan *inspect.Connection, 1000)
	s := &Server{
		OnConnection: func(c *inspect.Connection) { records <- c },
		LookAgain:    func(*inspect.Connection) bool { return true },
		queue:        make(chan ended, 8), pressed: make(chan struct{}, 1), emptied: make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(t.Context())
	s.looker.look = func(ctx context.Context, key lookKey, _ []string) []inspect.Look { return look(ctx, key) }
	item := func(b *Backend, name string) ended {
		return ended{backend: b, record: &inspect.Connection{Event: inspect.Event{ID: name},
			BackendLeg: &inspect.Leg{Address: "192.0.2.1", Port: 443, TLS: &inspect.TLS{Client: &inspect.Hello{ServerName: name}}}}}
	}
	return s, item, records
}

func stop(s *Server) {
	close(s.queue)
	<-s.emptied
	s.cancel()
	s.looker.running.Wait()
}

// One look for a backend and its names in an interval, however many records ask; another when the interval is over.
func TestSecondLookOnceInAnInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looked atomic.Int64
		s, item, records := lookRig(t, func(context.Context, lookKey) []inspect.Look {
			return []inspect.Look{{ServerName: fmt.Sprint(looked.Add(1))}}
		})
		go s.deliver()
		b := &Backend{Address: "192.0.2.1:443"}
		for round, want := range []string{"1", "1", "1", "2", "2"} {
			if round == 3 {
				time.Sleep(5 * time.Minute)
			}
			s.queue <- item(b, "a.example.com")
			if c := <-records; len(c.BackendLeg.Looks) != 1 || c.BackendLeg.Looks[0].ServerName != want {
				t.Errorf("round %d: %+v, want look %s", round, c.BackendLeg.Looks, want)
			}
		}
		s.queue <- item(&Backend{Address: "192.0.2.1:443"}, "a.example.com")
		if c := <-records; c.BackendLeg.Looks[0].ServerName != "3" {
			t.Error("another backend shares the look")
		}
		stop(s)
	})
}

// A look that takes long holds a record up for two seconds and no longer; records stay in order; the answer is there for later ones.
func TestSecondLookHoldsRecordsForABoundedTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, item, records := lookRig(t, func(ctx context.Context, _ lookKey) []inspect.Look {
			time.Sleep(5 * time.Second)
			return []inspect.Look{{}}
		})
		go s.deliver()
		b := &Backend{Address: "192.0.2.1:443"}
		start := time.Now()
		s.queue <- item(b, "a.example.com")
		s.queue <- ended{record: &inspect.Connection{Event: inspect.Event{ID: "healthy"}}}
		c := <-records
		if waited := time.Since(start); waited != lookPatience || c.BackendLeg.Looks != nil {
			t.Errorf("handed over after %v with %d looks", waited, len(c.BackendLeg.Looks))
		}
		if c := <-records; c.Event.ID != "healthy" || time.Since(start) > lookPatience+gathering {
			t.Errorf("then %s after %v", c.Event.ID, time.Since(start))
		}
		time.Sleep(5 * time.Second)
		start = time.Now()
		s.queue <- item(b, "a.example.com")
		if c := <-records; len(c.BackendLeg.Looks) != 1 || time.Since(start) > gathering {
			t.Errorf("a later one: %d looks after %v", len(c.BackendLeg.Looks), time.Since(start))
		}
		stop(s)
	})
}

// Records that press from behind are not dropped for the sake of one that waits, nor does an end of the server wait.
func TestSecondLookYieldsToAFullQueueAndTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, item, records := lookRig(t, func(ctx context.Context, _ lookKey) []inspect.Look {
			<-ctx.Done()
			return []inspect.Look{{}}
		})
		go s.deliver()
		b := &Backend{Address: "192.0.2.1:443"}
		start := time.Now()
		s.queue <- item(b, "a.example.com")
		synctest.Wait() // it is being waited for
		for range 6 {
			s.hand(ended{record: &inspect.Connection{}})
		}
		<-records
		if waited := time.Since(start); waited != 0 {
			t.Errorf("the queue was half full for %v", waited)
		}
		for range 6 {
			<-records
		}
		s.queue <- item(b, "b.example.com")
		synctest.Wait()
		start = time.Now()
		s.cancel()
		if c := <-records; time.Since(start) != 0 || c.BackendLeg.Looks != nil {
			t.Errorf("the end waited %v", time.Since(start))
		}
		stop(s)
		if len(s.looker.known) != 0 {
			t.Error("an answer that was cut is kept")
		}
	})
}

// Names are the client's to choose: neither a backend nor memory nor time is theirs without a bound.
func TestSecondLookIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most, looked atomic.Int64
		s, item, records := lookRig(t, func(ctx context.Context, _ lookKey) []inspect.Look {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			looked.Add(1)
			time.Sleep(time.Minute)
			return nil
		})
		go s.deliver()
		b := &Backend{Address: "192.0.2.1:443"}
		for i := range 100 {
			s.queue <- item(b, fmt.Sprintf("n%d.example.com", i))
			<-records
			if i%2 == 0 {
				time.Sleep(time.Second)
			}
		}
		if looked.Load() > maxLooksPerBackend || most.Load() > maxLooksAtOnce {
			t.Errorf("%d looks, %d at once", looked.Load(), most.Load())
		}
		time.Sleep(time.Minute)
		for i := range 2 * maxLooksKept {
			s.queue <- item(&Backend{Address: "192.0.2.1:443"}, fmt.Sprintf("n%d.example.com", i))
			<-records
		}
		if n := len(s.looker.known); n > maxLooksKept {
			t.Errorf("%d answers are kept", n)
		}
		stop(s)
	})
}

// A caller that waits for a look of its own may give up.
func TestSecondLookEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, item, _ := lookRig(t, func(ctx context.Context, _ lookKey) []inspect.Look {
			<-ctx.Done()
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				t.Error(ctx.Err())
			}
			return nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		e := item(&Backend{Address: "192.0.2.1:443"}, "a.example.com")
		start := time.Now()
		if s.SecondLook(ctx, e.backend, e.record) || time.Since(start) != time.Second {
			t.Errorf("after %v: %+v", time.Since(start), e.record.BackendLeg.Looks)
		}
		s.looker.running.Wait()
	})
}
