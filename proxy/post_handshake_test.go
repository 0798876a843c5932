package proxy

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// logged is a configuration of TLS 1.3 whose secrets are caught.
func logged(secrets *secretLog) func(*tls.Config) {
	return func(c *tls.Config) {
		c.MinVersion, c.KeyLogWriter, c.SessionTicketsDisabled = tls.VersionTLS13, secrets, true
	}
}

// A KeyUpdate between data is answered, and the data goes on in both directions.
func TestKeyUpdateIsFollowed(t *testing.T) {
	pki := certstest.New(t)
	r := bridged(t, pki, tlsBackend(t, pki, echo))
	secrets := &secretLog{}
	c := r.tls(logged(secrets))
	own := newRecords(t, secrets.client())
	raw := c.NetConn()
	for i := range 10 {
		raw.Write(own.keyUpdate(i%2 == 0))
		for _, b := range own.seal(23, []byte("0123456789")) { // one byte a segment
			raw.Write([]byte{b})
		}
		got := make([]byte, 10)
		c.SetDeadline(time.Now().Add(patience))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != "0123456789" {
			t.Fatalf("update %d: %q, %v", i, got, err)
		}
	}
	raw.Write(own.seal(21, []byte{1, 0})) // close_notify
	if _, err := io.ReadAll(c); err != nil {
		t.Error(err)
	}
	wantOutcome(t, r.record(), inspect.Success)
}

// Also after the other side was told the end: an answer to a KeyUpdate is still owed then.
func TestKeyUpdateAfterHalfClose(t *testing.T) {
	pki := certstest.New(t)
	secrets := &secretLog{}
	r := bridged(t, pki, tlsBackend(t, pki, func(c *tls.Conn) {
		io.ReadAll(c)
		own := newRecords(t, secrets.server())
		c.NetConn().Write(own.keyUpdate(true))
		c.NetConn().Write(own.seal(23, []byte("the answer")))
		c.NetConn().Write(own.seal(21, []byte{1, 0}))
		io.Copy(io.Discard, c.NetConn())
	}, logged(secrets)))
	c := r.tls()
	io.WriteString(c, "question")
	c.CloseWrite()
	answer, err := io.ReadAll(c)
	if string(answer) != "the answer" || err != nil {
		t.Errorf("got %q, %v", answer, err)
	}
	c.Close()
	record := r.record()
	wantOutcome(t, record, inspect.Success)
	if record.BackendLeg.Error != nil {
		t.Errorf("backend leg: %+v", record.BackendLeg.Error)
	}
}

// Threat 16: KeyUpdates and tickets without end, from either side, end the connection.
func TestFloodsAfterTheHandshakeEnd(t *testing.T) {
	pki := certstest.New(t)
	const flood = 2_000_000 // more than the sockets hold
	t.Run("client", func(t *testing.T) {
		r := bridged(t, pki, tlsBackend(t, pki, echo))
		secrets := &secretLog{}
		c := r.tls(logged(secrets))
		own := newRecords(t, secrets.client())
		sent := 0
		for ; sent < flood; sent++ {
			if _, err := c.NetConn().Write(own.keyUpdate(sent%2 == 0)); err != nil {
				break
			}
		}
		if sent == flood {
			t.Error("all KeyUpdates were taken")
		}
		record := r.record()
		wantError(t, record.ClientLeg, inspect.ErrorAlertSent, inspect.PhaseTransfer)
		if record.Event.End != inspect.EndedByProxy {
			t.Errorf("%q ended it", record.Event.End)
		}
	})
	ticket := append([]byte{4, 0, 0, 15, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 2}, 1, 2, 0, 0)
	for name, message := range map[string]func(*records) []byte{
		"KeyUpdates": func(r *records) []byte { return r.keyUpdate(false) },
		"tickets":    func(r *records) []byte { return r.seal(22, ticket) },
	} {
		t.Run("backend sends "+name, func(t *testing.T) {
			secrets := &secretLog{}
			sent := make(chan int, 1)
			r := bridged(t, pki, tlsBackend(t, pki, func(c *tls.Conn) {
				own := newRecords(t, secrets.server())
				n := 0
				for ; n < flood; n++ {
					if _, err := c.NetConn().Write(message(own)); err != nil {
						break
					}
				}
				sent <- n
			}, logged(secrets)))
			c := r.tls()
			if _, err := io.ReadAll(c); err == nil && c.ConnectionState().Version == 0 {
				t.Error("no end")
			}
			c.Close()
			if n := <-sent; n == flood {
				t.Error("all of them were taken")
			}
			record := r.record()
			wantError(t, record.BackendLeg, inspect.ErrorAlertSent, inspect.PhaseTransfer)
			if record.Event.End != inspect.EndedByProxy {
				t.Errorf("%q ended it", record.Event.End)
			}
		})
	}
}

// A client that asks for renegotiation is refused and told so; crypto/tls as a client of the backend refuses, too.
func TestRenegotiationIsRefused(t *testing.T) {
	pki := certstest.New(t)
	backend := listen(t, func(c net.Conn) {
		s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*pki.Make(certstest.Healthy, testName).TLS()}, MaxVersion: tls.VersionTLS12})
		if s.Handshake() == nil {
			io.Copy(s, s)
		}
	})
	r := bridged(t, pki, &Backend{Address: backend})
	openssl := startOpenSSL(t, r.address, "-tls1_2", "-legacy_renegotiation", "-servername", testName)
	openssl.write("R\n") // s_client: renegotiate
	output := openssl.wait()
	record := r.record()
	if record.ClientLeg.TLS.Version != "TLSv1.2" {
		t.Errorf("version %s", record.ClientLeg.TLS.Version)
	}
	wantError(t, record.ClientLeg, inspect.ErrorAlertSent, inspect.PhaseTransfer)
	if !strings.Contains(output, "unexpected message") && !strings.Contains(output, "unexpected_message") {
		t.Errorf("the client was not told: %s", output)
	}
}

// The data path allocates nothing for each record: what a transfer of many records allocates does not grow with it.
func TestBulkDoesNotAllocatePerRecord(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	pki := certstest.New(t)
	r := bridged(t, pki, tlsBackend(t, pki, echo))
	c := r.tls()
	const size, records = 1000, 500
	text, got := make([]byte, size), make([]byte, size)
	for range 20 { // the buffers of the pools are made
		c.Write(text)
		io.ReadFull(c, got)
	}
	allocated := testing.AllocsPerRun(records, func() {
		c.SetDeadline(time.Now().Add(patience))
		c.Write(text)
		if _, err := io.ReadFull(c, got); err != nil {
			t.Fatal(err)
		}
	})
	// crypto/tls allocates a small reader whenever it fills its buffer: once in each of the four connections, and once more
	// where the proxy asks whether there is another record before it lets go of its own buffer.
	if allocated > 6.5 {
		t.Errorf("%.1f allocations for a record and its echo, want the 6 of crypto/tls", allocated)
	}
}
