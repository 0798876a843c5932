package proxy

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// fragmented is the same handshake message in records of at most size bytes.
func fragmented(record []byte, size int) []byte {
	var out []byte
	for part := range slices.Chunk(record[5:], size) {
		out = append(out, record[0], record[1], record[2], byte(len(part)>>8), byte(len(part)))
		out = append(out, part...)
	}
	return out
}

// peekRecord is a listener with a route for a name and none for others: a hello whose name is lost is told "no route", one
// that is read well is refused by Decide with an alert of its own, so that no handshake is needed to tell.
func peekListener(seen func(*wire.ClientHello)) *Listener {
	return &Listener{Routes: []*Route{{
		Name: "api", ServerNames: []string{testName}, Backend: &Backend{Address: "127.0.0.1:1"},
		Decide: func(h *wire.ClientHello) Action {
			seen(h)
			return Action{Refuse: true, Alert: wire.AlertAccessDenied}
		},
	}}}
}

// described is what the record says of a hello but for the pieces it came in.
func described(t *testing.T, c *inspect.Connection) string {
	t.Helper()
	if c.ClientLeg.TLS == nil || c.ClientLeg.TLS.Client == nil {
		t.Fatalf("no hello in the record: %+v", c.ClientLeg)
	}
	hello := *c.ClientLeg.TLS.Client
	message := *hello.Message
	message.Records, message.Segments = 0, 0
	hello.Message = &message
	b, err := json.Marshal(hello)
	if err != nil {
		t.Fatal(err)
	}
	return c.Route + " " + string(b)
}

// Threat 1: however a hello is cut into records and segments, the route, the decision and the record are the same.
func TestHelloCutAnywhereIsReadTheSame(t *testing.T) {
	pki := certstest.New(t)
	hello := helloOf(t, &tls.Config{ServerName: testName, NextProtos: []string{"h2", "http/1.1"}})
	r := newRig(t, pki, shortLimits(), peekListener(func(*wire.ClientHello) {}))
	send := func(flight []byte, segment int) *inspect.Connection {
		c := r.tcp()
		(&slicer{TCPConn: c, size: segment}).Write(flight)
		if alert := readAlert(t, c); alert != wire.AlertAccessDenied {
			t.Fatalf("alert %s: the hello was not read", alert)
		}
		c.Close() // or its end would be waited for
		return r.record()
	}
	whole := send(hello, len(hello))
	want := described(t, whole)
	if whole.Route != "api" || whole.ClientLeg.TLS.Client.Message.Records != 1 {
		t.Fatalf("route %q, %+v", whole.Route, whole.ClientLeg.TLS.Client.Message)
	}
	wantError(t, whole.ClientLeg, inspect.ErrorPolicy, inspect.PhaseDecide)
	for size := 1; size < len(hello); size++ {
		if size > 64 && size%97 != 0 && size < len(hello)-8 {
			continue
		}
		c := send(fragmented(hello, size), 1<<20)
		if got := described(t, c); got != want {
			t.Fatalf("records of %d bytes:\n%s\nwant\n%s", size, got, want)
		}
		if got, want := c.ClientLeg.TLS.Client.Message.Records, (len(hello)-5+size-1)/size; got != want {
			t.Errorf("records of %d bytes: %d records counted, want %d", size, got, want)
		}
		if got := described(t, send(hello, size)); got != want {
			t.Fatalf("segments of %d bytes:\n%s\nwant\n%s", size, got, want)
		}
	}
	if got := described(t, send(fragmented(hello, 3), 2)); got != want {
		t.Fatalf("small records in small segments:\n%s\nwant\n%s", got, want)
	}
}

// The same through a whole handshake: crypto/tls, too, reads the hello as the observer did.
func TestFragmentedHelloIsServed(t *testing.T) {
	pki := certstest.New(t)
	r := bridged(t, pki, tlsBackend(t, pki, echo), func(l *Listener) { l.Routes[0].ServerNames = []string{testName} })
	for _, size := range []int{1, 3, 4, 5, 64, 500} {
		c := tls.Client(&helloCutter{Conn: r.tcp(), size: size}, r.clientConfig())
		exchange(t, c, "hello")
		c.Close()
		record := r.record()
		wantOutcome(t, record, inspect.Success)
		if record.ClientLeg.TLS.Client.ServerName != testName || record.ClientLeg.TLS.Client.Message.Records < 2 {
			t.Errorf("records of %d bytes: %+v", size, record.ClientLeg.TLS.Client.Message)
		}
	}
}

// helloCutter cuts the first flight into records of a size.
type helloCutter struct {
	net.Conn
	size int
	done bool
}

func (h *helloCutter) Write(b []byte) (int, error) {
	if h.done {
		return h.Conn.Write(b)
	}
	h.done = true
	if _, err := h.Conn.Write(fragmented(b, h.size)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// How a connection can end before there is a hello: each has a name, and an answer where one makes sense.
func TestConnectionsWithoutHello(t *testing.T) {
	pki := certstest.New(t)
	hello := helloOf(t, &tls.Config{ServerName: testName})
	malformed := bytes.Clone(hello)
	malformed[5+4+2+32] = 200 // the session id is longer than any may be
	large := []byte{22, 3, 1, 0x40, 0, 1, 2, 0, 0}
	large = append(large, make([]byte, 1<<14-4)...)
	alerts := bytes.Repeat([]byte{21, 3, 1, 0, 2, 1, 90}, 20_000)
	for _, tt := range []struct {
		name    string
		send    []byte
		stay    bool // the client does not close its side
		kind    inspect.ErrorType
		answer  string
		partial int // bytes of the hello in the record
		named   string
	}{
		{"nothing", nil, false, inspect.ErrorEmpty, "", 0, ""},
		{"nothing for too long", nil, true, inspect.ErrorTimeout, "", 0, ""},
		{"one byte", hello[:1], false, inspect.ErrorIncompleteHello, "", 1, ""},
		{"a header", hello[:5], false, inspect.ErrorIncompleteHello, "", 5, ""},
		{"all but one byte", hello[:len(hello)-1], false, inspect.ErrorIncompleteHello, "", len(hello) - 6, ""},
		{"one byte, and waits", hello[:1], true, inspect.ErrorTimeout, "", 1, ""},
		{"a header, and waits", hello[:5], true, inspect.ErrorTimeout, "", 5, ""},
		{"all but one byte, and waits", hello[:len(hello)-1], true, inspect.ErrorTimeout, "", len(hello) - 6, ""},
		{"malformed", malformed, true, inspect.ErrorMalformedHello, "\x15\x03\x03\x00\x02\x02\x32", len(hello) - 5, ""},
		{"too large", large, true, inspect.ErrorHelloTooLarge, "\x15\x03\x03\x00\x02\x02\x16", -1, ""},
		{"alerts without end", alerts, true, inspect.ErrorMalformedHello, "\x15\x03\x03\x00\x02\x02\x32", -1, ""},
		{"plain HTTP", []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), true, inspect.ErrorNotTLS, "HTTP/1.1 400 Bad Request\r\n", -1, "http"},
		{"SSH", []byte("SSH-2.0-x\r\n"), true, inspect.ErrorNotTLS, "", -1, "ssh"},
		{"three unknown bytes", []byte{1, 2, 3}, true, inspect.ErrorNotTLS, "", -1, "unknown"},
		{"three unknown bytes and the end", []byte{1, 2, 3}, false, inspect.ErrorNotTLS, "", -1, "unknown"},
		{"endless garbage", bytes.Repeat([]byte{0xAA, 0, 1, 7}, 100_000), true, inspect.ErrorNotTLS, "", -1, "unknown"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			limits := shortLimits()
			if tt.kind == inspect.ErrorTimeout {
				limits.Timeouts.ClientHello = 3 * time.Second // until it was taken in what was sent
			}
			r := newRig(t, pki, limits, peekListener(func(*wire.ClientHello) { t.Error("a decision without a hello") }))
			c := r.tcp()
			go func() {
				c.Write(tt.send)
				if !tt.stay {
					c.CloseWrite()
				}
			}()
			answer, err := io.ReadAll(c)
			if err != nil && tt.name != "endless garbage" && tt.name != "alerts without end" {
				t.Errorf("the answer ended with %v", err)
			}
			if err == nil && !bytes.HasPrefix(answer, []byte(tt.answer)) || tt.answer == "" && len(answer) > 0 {
				t.Errorf("answer %q, want %q", answer, tt.answer)
			}
			c.Close()
			record := r.record()
			wantError(t, record.ClientLeg, tt.kind, inspect.PhasePeek)
			wantOutcome(t, record, inspect.Failure)
			if record.BackendLeg != nil {
				t.Error("a backend was dialled")
			}
			if tt.named != "" && (record.ClientLeg.FirstBytes == nil || record.ClientLeg.FirstBytes.Protocol != tt.named) {
				t.Errorf("first bytes: %+v, want %s", record.ClientLeg.FirstBytes, tt.named)
			}
			if tt.partial > 0 {
				if message := record.ClientLeg.TLS.Client.Message; len(message.Raw) != tt.partial {
					t.Errorf("%d bytes of the hello are in the record, want %d", len(message.Raw), tt.partial)
				}
			}
		})
	}
}

// A peer that drips bytes has no more time than one that sends nothing, be it TLS or not.
func TestDrippingDoesNotBuyTime(t *testing.T) {
	pki := certstest.New(t)
	limits := shortLimits()
	limits.Timeouts.ClientHello = 400 * time.Millisecond
	r := newRig(t, pki, limits, peekListener(func(*wire.ClientHello) {}))
	hello := helloOf(t, &tls.Config{ServerName: testName})
	for name, bytes := range map[string][]byte{"TLS": hello, "unknown": make([]byte, 1000)} {
		t.Run(name, func(t *testing.T) {
			c := r.tcp()
			start := time.Now()
			tick := time.NewTicker(50 * time.Millisecond)
			defer tick.Stop()
			for _, b := range bytes {
				if _, err := c.Write([]byte{b}); err != nil {
					break
				}
				<-tick.C
			}
			if took := time.Since(start); took > patience/2 {
				t.Errorf("the connection lived for %s", took)
			}
			r.record()
		})
	}
}

// Threat 2: where crypto/tls reads another name, other protocols or other versions, nothing is served.
func TestSameView(t *testing.T) {
	parse := func(config *tls.Config) *wire.ClientHello {
		var h wire.ClientHello
		if err := wire.ParseClientHello(helloOf(t, config)[5:], &h); err != nil {
			t.Fatal(err)
		}
		return &h
	}
	hello := parse(&tls.Config{ServerName: testName, NextProtos: []string{"h2", "http/1.1"}, MinVersion: tls.VersionTLS12})
	old := parse(&tls.Config{ServerName: testName, MaxVersion: tls.VersionTLS12})
	old.SupportedVersions = nil
	same := tls.ClientHelloInfo{ServerName: testName, SupportedProtos: []string{"h2", "http/1.1"}, SupportedVersions: []uint16{0x304, 0x303}}
	for _, tt := range []struct {
		name  string
		edit  func(*tls.ClientHelloInfo)
		hello *wire.ClientHello
		want  bool
	}{
		{"the same", func(*tls.ClientHelloInfo) {}, hello, true},
		{"no hello", func(*tls.ClientHelloInfo) {}, nil, false},
		{"another name", func(c *tls.ClientHelloInfo) { c.ServerName = "admin.example.com" }, hello, false},
		{"the name in capitals", func(c *tls.ClientHelloInfo) { c.ServerName = "API.example.com" }, hello, false},
		{"a trailing dot", func(c *tls.ClientHelloInfo) { c.ServerName += "." }, hello, false},
		{"no name", func(c *tls.ClientHelloInfo) { c.ServerName = "" }, hello, false},
		{"no protocols", func(c *tls.ClientHelloInfo) { c.SupportedProtos = nil }, hello, false},
		{"other protocols", func(c *tls.ClientHelloInfo) { c.SupportedProtos = []string{"h2", "http/1.0"} }, hello, false},
		{"protocols in another order", func(c *tls.ClientHelloInfo) { c.SupportedProtos = []string{"http/1.1", "h2"} }, hello, false},
		{"an empty protocol", func(c *tls.ClientHelloInfo) { c.SupportedProtos = []string{"h2", ""} }, hello, false},
		{"fewer versions", func(c *tls.ClientHelloInfo) { c.SupportedVersions = []uint16{0x304} }, hello, false},
		{"other versions", func(c *tls.ClientHelloInfo) { c.SupportedVersions = []uint16{0x304, 0x302} }, hello, false},
		{"versions derived", func(c *tls.ClientHelloInfo) {
			c.SupportedProtos, c.SupportedVersions = nil, []uint16{0x303, 0x302, 0x301}
		}, old, true},
		{"an extension that only crypto/tls sees", func(c *tls.ClientHelloInfo) { c.SupportedProtos, c.SupportedVersions = nil, []uint16{0x304, 0x303} }, old, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			chi := same
			tt.edit(&chi)
			if got := sameView(&chi, tt.hello); got != tt.want {
				t.Errorf("sameView = %v, want %v", got, tt.want)
			}
		})
	}
}

// What crypto/tls makes of the odd hellos is what we make of them, or it refuses.
func TestDifferentViewsAreRefusedAndReported(t *testing.T) {
	pki := certstest.New(t)
	served := false
	l := &Listener{Routes: []*Route{{Backend: tlsBackend(t, pki, discard), GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		served = true
		return nil, nil
	}}}}
	r := newRig(t, pki, shortLimits(), l)
	conn := r.tcp()
	record := helloOf(t, &tls.Config{ServerName: testName})
	// The connection below the route: its own parser is made to have read another name.
	near, far := net.Pipe()
	c := &connection{server: r.server, route: l.Routes[0], conn: near, limits: shortLimits(), clientObserver: inspect.NewObserver(nil)}
	c.client = &tap{Conn: near, connection: c, observer: c.clientObserver, prefix: record, peer: inspect.FromClient, self: inspect.FromServer}
	var hello wire.ClientHello
	if err := wire.ParseClientHello(bytes.Clone(record[5:]), &hello); err != nil {
		t.Fatal(err)
	}
	copy(hello.ServerName, "evil")
	c.hello = &hello
	answer := make(chan []byte)
	go func() {
		b, _ := io.ReadAll(far)
		answer <- b
	}()
	if c.handshake("") {
		t.Error("the handshake was done")
	}
	near.Close()
	if c.clientErr.Type != inspect.ErrorViewsDiffer || served {
		t.Errorf("error %+v, certificate asked for: %v", c.clientErr, served)
	}
	if b := <-answer; len(b) != 7 || b[6] != byte(wire.AlertInternalError) {
		t.Errorf("answer %x", b)
	}
	conn.Close()
	r.record()
}
