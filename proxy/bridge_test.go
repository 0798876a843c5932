package proxy

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// backends are the three kinds that a bridge leads to.
var backendKinds = []struct {
	name    string
	plain   bool
	version uint16
}{{"TLS 1.2", false, tls.VersionTLS12}, {"TLS 1.3", false, tls.VersionTLS13}, {"plain", true, 0}}

// halfCloser is a stream whose sending side ends before the other.
type halfCloser interface {
	net.Conn
	CloseWrite() error
}

// backendOf makes a backend of a kind.
func backendOf(t *testing.T, pki *certstest.PKI, plain bool, version uint16, handle func(halfCloser)) *Backend {
	if plain {
		return &Backend{Plain: true, Address: listen(t, func(c net.Conn) { handle(c.(*net.TCPConn)) })}
	}
	return tlsBackend(t, pki, func(c *tls.Conn) { handle(c) }, only(version))
}

func TestBridgeCarriesBytesBothWays(t *testing.T) {
	pki := certstest.New(t)
	for _, kind := range backendKinds {
		t.Run(kind.name, func(t *testing.T) {
			r := bridged(t, pki, backendOf(t, pki, kind.plain, kind.version, func(c halfCloser) {
				io.Copy(c, c)
				c.CloseWrite()
			}))
			c := r.tls(protocols("http/1.1"))
			exchange(t, c, "a")
			exchange(t, c, repeat("0123456789", 20_000))
			c.Close()
			record := r.record()
			wantOutcome(t, record, inspect.Success)
			if record.Listener != "edge" || record.Route != "default" || record.Transport != inspect.TransportTCP {
				t.Errorf("listener %q, route %q", record.Listener, record.Route)
			}
			client, backend := record.ClientLeg, record.BackendLeg
			if client.TLS.Version != "TLSv1.3" || client.TLS.Client.ServerName != testName || client.TLS.Handshake.DurationMS <= 0 || len(client.TLS.Server.CertificateChain) != 3 {
				t.Errorf("client leg: %+v", client.TLS)
			}
			if backend.Plain != kind.plain || backend.Port == 0 || backend.Address != "127.0.0.1" || backend.ServerName != testName {
				t.Errorf("backend leg: %+v", backend)
			}
			if !kind.plain {
				if want := wire.Version(kind.version).String(); backend.TLS.Version != want || !backend.TLS.Established {
					t.Errorf("backend: version %s, want %s", backend.TLS.Version, want)
				}
				if backend.TLS.Client.Message.Raw != nil {
					t.Error("the record holds the bytes of our own hello")
				}
			}
			if runtime.GOOS == "linux" && (client.TCP == nil || client.TCP.MSS == 0 || backend.TCP == nil || backend.TCP.MSS == 0) {
				t.Errorf("TCP facts: %+v, %+v", client.TCP, backend.TCP)
			}
			r.none()
		})
	}
}

// A client that has said all closes its sending side and still reads the answer.
func TestHalfCloseReachesTheBackendAndTheAnswerComesBack(t *testing.T) {
	pki := certstest.New(t)
	for _, kind := range backendKinds {
		for _, client := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(kind.name+" from "+wire.Version(client).String(), func(t *testing.T) {
				r := bridged(t, pki, backendOf(t, pki, kind.plain, kind.version, func(c halfCloser) {
					body, err := io.ReadAll(c)
					if err == nil {
						c.Write(append([]byte("got "), body...))
					}
					c.CloseWrite()
				}))
				c := r.tls(only(client))
				io.WriteString(c, "question")
				if err := c.CloseWrite(); err != nil {
					t.Fatal(err)
				}
				answer, err := io.ReadAll(c)
				if string(answer) != "got question" || err != nil {
					t.Fatalf("got %q, %v", answer, err)
				}
				wantOutcome(t, r.record(), inspect.Success)
			})
		}
	}
}

// A backend may end its side first; the client goes on sending, and the backend reads it.
func TestBackendEndsFirst(t *testing.T) {
	pki := certstest.New(t)
	for _, kind := range backendKinds {
		t.Run(kind.name, func(t *testing.T) {
			got := make(chan string, 1)
			r := bridged(t, pki, backendOf(t, pki, kind.plain, kind.version, func(c halfCloser) {
				io.WriteString(c, "greeting")
				c.CloseWrite()
				body, _ := io.ReadAll(c)
				got <- string(body)
			}))
			c := r.tls()
			greeting, err := io.ReadAll(c)
			if string(greeting) != "greeting" || err != nil {
				t.Fatalf("got %q, %v", greeting, err)
			}
			io.WriteString(c, "late words")
			c.Close()
			if late := <-got; late != "late words" {
				t.Errorf("the backend read %q", late)
			}
			wantOutcome(t, r.record(), inspect.Success)
		})
	}
}

// What the backend says at the end, and how, is what the client gets: a cut must never look like an end.
func TestTruncationIsMirrored(t *testing.T) {
	pki := certstest.New(t)
	reset := func(c net.Conn) { c.(*net.TCPConn).SetLinger(0); c.Close() }
	for _, tt := range []struct {
		name  string
		plain bool
		end   func(t *testing.T, c halfCloser)
		clean bool
		noted inspect.ErrorType
		peer  inspect.PeerEnd
	}{
		{"close_notify", false, func(_ *testing.T, c halfCloser) { c.Close() }, true, "", inspect.PeerCloseNotify},
		{"FIN without close_notify", false, func(_ *testing.T, c halfCloser) { c.(*tls.Conn).NetConn().(*net.TCPConn).CloseWrite() }, false, "", inspect.PeerTruncated},
		{"FIN in the middle of a record", false, func(t *testing.T, c halfCloser) {
			raw := c.(*tls.Conn).NetConn().(*net.TCPConn)
			raw.Write([]byte{23, 3, 3, 1, 0, 1, 2, 3})
			raw.CloseWrite()
		}, false, inspect.ErrorClosed, inspect.PeerTruncated},
		{"reset", false, func(_ *testing.T, c halfCloser) { reset(c.(*tls.Conn).NetConn()) }, false, inspect.ErrorReset, inspect.PeerReset},
		{"record that cannot be decrypted", false, func(_ *testing.T, c halfCloser) {
			c.(*tls.Conn).NetConn().Write(append([]byte{23, 3, 3, 0, 64}, make([]byte, 64)...))
			io.Copy(io.Discard, c.(*tls.Conn).NetConn())
		}, false, inspect.ErrorAlertSent, ""},
		{"FIN of a plain backend", true, func(_ *testing.T, c halfCloser) { c.CloseWrite() }, true, "", inspect.PeerFIN},
		{"reset of a plain backend", true, func(_ *testing.T, c halfCloser) { reset(c) }, false, inspect.ErrorReset, inspect.PeerReset},
	} {
		t.Run(tt.name, func(t *testing.T) {
			release := make(chan struct{})
			r := bridged(t, pki, backendOf(t, pki, tt.plain, tls.VersionTLS13, func(c halfCloser) {
				io.WriteString(c, "half of the body")
				<-release
				tt.end(t, c)
				io.Copy(io.Discard, c)
			}))
			below := &endWatcher{Conn: r.tcp()}
			c := tls.Client(below, r.clientConfig())
			half := make([]byte, len("half of the body"))
			if _, err := io.ReadFull(c, half); err != nil {
				t.Fatal(err)
			}
			close(release)
			_, err := io.ReadAll(c)
			if tt.clean && (err != nil || below.fin) {
				t.Errorf("a clean end came as %v, FIN before close_notify: %v", err, below.fin)
			}
			if !tt.clean && err == nil && !below.fin {
				t.Error("a cut body came with a close_notify")
			}
			c.Close()
			record := r.record()
			wantOutcome(t, record, inspect.Success)
			by := inspect.EndedByBackend
			if tt.noted == inspect.ErrorAlertSent {
				by = inspect.EndedByProxy
			}
			if got := record.BackendLeg.PeerEnd; got != tt.peer || record.Event.End != by {
				t.Errorf("the backend's end is %q, want %q, and %q ended it", got, tt.peer, record.Event.End)
			}
			if tt.noted == "" {
				if record.BackendLeg.Error != nil {
					t.Errorf("backend leg: %+v", record.BackendLeg.Error)
				}
				return
			}
			wantError(t, record.BackendLeg, tt.noted, inspect.PhaseTransfer)
		})
	}
}

// The same in the other direction: a client that was cut off is no client that has finished.
func TestCutClientIsNoFinishedClient(t *testing.T) {
	pki := certstest.New(t)
	for _, kind := range backendKinds {
		t.Run(kind.name, func(t *testing.T) {
			ended := make(chan error, 1)
			var fin bool
			handle := func(c halfCloser) {
				io.WriteString(c, "go on") // so that the client knows that its handshake is over at the other end, too
				_, err := io.ReadAll(c)
				ended <- err
			}
			backend := backendOf(t, pki, kind.plain, kind.version, handle)
			if !kind.plain {
				chain := pki.Make(certstest.Healthy, testName).TLS()
				backend = &Backend{Address: listen(t, func(c net.Conn) {
					below := &endWatcher{Conn: c}
					s := tls.Server(below, &tls.Config{Certificates: []tls.Certificate{*chain}, MaxVersion: kind.version})
					io.WriteString(s, "go on")
					_, err := io.ReadAll(s)
					fin = below.fin
					ended <- err
				})}
			}
			r := bridged(t, pki, backend)
			c := r.tls()
			if _, err := io.ReadFull(c, make([]byte, len("go on"))); err != nil {
				t.Fatal(err)
			}
			io.WriteString(c, "half of the upl")
			raw := c.NetConn().(*net.TCPConn)
			raw.SetLinger(0)
			raw.Close()
			err := <-ended
			if kind.plain && !isReset(err) {
				t.Errorf("the plain backend saw %v, want a reset", err)
			}
			if !kind.plain && err == nil && !fin {
				t.Error("the backend saw a close_notify")
			}
			wantError(t, r.record().ClientLeg, inspect.ErrorReset, inspect.PhaseTransfer)
		})
	}
}

// An answer that is larger than what the sockets hold: all of it comes, and then the close_notify.
func TestLargeAnswerComesWholeWithItsEnd(t *testing.T) {
	pki := certstest.New(t)
	const size = 24 << 20
	for _, kind := range backendKinds {
		t.Run(kind.name, func(t *testing.T) {
			r := bridged(t, pki, backendOf(t, pki, kind.plain, kind.version, func(c halfCloser) {
				c.Write(make([]byte, size))
				c.CloseWrite()
				io.Copy(io.Discard, c)
			}))
			below := &endWatcher{Conn: r.tcp()}
			c := tls.Client(below, r.clientConfig())
			n, err := io.Copy(io.Discard, c)
			if err != nil || n != size || below.fin {
				t.Errorf("got %d of %d bytes, %v, FIN before close_notify: %v", n, size, err, below.fin)
			}
			c.Close()
			wantOutcome(t, r.record(), inspect.Success)
		})
	}
}

// crypto/tls gives a close_notify five seconds. A client that reads slowly needs longer to come to it.
func TestCloseNotifyWaitsForASlowReader(t *testing.T) {
	certificate := *certstest.New(t).Make(certstest.Healthy, testName).TLS()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		server := tls.Server(&tap{Conn: near, held: true}, &tls.Config{Certificates: []tls.Certificate{certificate}})
		client := tls.Client(far, &tls.Config{InsecureSkipVerify: true})
		ended := make(chan error, 1)
		go func() {
			if err := server.Handshake(); err != nil {
				ended <- err
				return
			}
			ended <- server.CloseWrite()
		}()
		if err := client.Handshake(); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Hour) // of the bubble's own time
		if _, err := io.ReadAll(client); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		near.Close()
		far.Close()
	})
}

// A backend that answers before it has read all and closes, as servers do with uploads that are too large: the answer must
// not drown in a reset.
func TestEarlyAnswerToAnUploadArrives(t *testing.T) {
	pki := certstest.New(t)
	for _, kind := range backendKinds {
		t.Run(kind.name, func(t *testing.T) {
			r := bridged(t, pki, backendOf(t, pki, kind.plain, kind.version, func(c halfCloser) {
				io.ReadFull(c, make([]byte, 1000))
				io.WriteString(c, "too large")
				c.CloseWrite()
				io.CopyN(io.Discard, c, 1<<20) // and then closes with data unread
			}))
			c := r.tls()
			upload := make(chan error, 1)
			go func() {
				var err error
				for chunk := make([]byte, 16<<10); err == nil; _, err = c.Write(chunk) {
				}
				upload <- err
			}()
			answer := make([]byte, 9)
			_, err := io.ReadFull(c, answer)
			if string(answer) != "too large" {
				t.Errorf("got %q, %v", answer, err)
			}
			if err := <-upload; err == nil {
				t.Error("the upload went on for ever")
			}
			r.record()
		})
	}
}

// The client hears why its garbage was refused.
func TestAlertInTransferReachesTheClient(t *testing.T) {
	pki := certstest.New(t)
	r := bridged(t, pki, tlsBackend(t, pki, echo))
	c := r.tls()
	exchange(t, c, "first")
	c.NetConn().Write(append([]byte{23, 3, 3, 0, 64}, make([]byte, 64)...))
	c.NetConn().Write(make([]byte, 100_000)) // and more, which nobody reads
	_, err := io.ReadAll(c)
	if code, ok := remoteAlert(err); !ok || code != wire.AlertBadRecordMAC {
		t.Errorf("the client saw %v, want bad_record_mac", err)
	}
	record := r.record()
	wantError(t, record.ClientLeg, inspect.ErrorAlertSent, inspect.PhaseTransfer)
	wantAlert(t, record.ClientLeg, wire.AlertBadRecordMAC, inspect.FromServer)
}

// A client that breaks the connection off with an alert after the handshake, as those do that verify late.
func TestAlertOfTheClientAfterTheHandshake(t *testing.T) {
	pki := certstest.New(t)
	r := bridged(t, pki, tlsBackend(t, pki, echo))
	raw := r.tcp()
	secrets := &secretLog{}
	c := tls.Client(raw, r.clientConfig(only(tls.VersionTLS13), func(c *tls.Config) { c.KeyLogWriter = secrets }))
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	records := newRecords(t, secrets.client())
	raw.Write(records.seal(21, []byte{2, byte(wire.AlertCertificateUnknown)}))
	record := r.record()
	wantError(t, record.ClientLeg, inspect.ErrorAlertReceived, inspect.PhaseTransfer)
	wantAlert(t, record.ClientLeg, wire.AlertCertificateUnknown, inspect.FromClient)
	wantOutcome(t, record, inspect.Failure)
}

// An alert that comes after data, or after the end was told, is kept and refuses nothing.
func TestLateAlertsRefuseNothing(t *testing.T) {
	pki := certstest.New(t)
	t.Run("client", func(t *testing.T) {
		r := bridged(t, pki, tlsBackend(t, pki, echo))
		raw, secrets := r.tcp(), &secretLog{}
		c := tls.Client(raw, r.clientConfig(logged(secrets)))
		c.Handshake()
		records := newRecords(t, secrets.client())
		raw.Write(records.seal(23, []byte("x")))
		if _, err := c.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		raw.Write(records.seal(21, []byte{2, byte(wire.AlertDecodeError)}))
		record := r.record()
		wantOutcome(t, record, inspect.Success)
		wantAlert(t, record.ClientLeg, wire.AlertDecodeError, inspect.FromClient)
		if record.ClientLeg.Error != nil {
			t.Errorf("client leg: %+v", record.ClientLeg.Error)
		}
	})
	t.Run("backend", func(t *testing.T) {
		secrets := &secretLog{}
		r := bridged(t, pki, tlsBackend(t, pki, func(c *tls.Conn) {
			io.ReadAll(c)
			c.NetConn().Write(newRecords(t, secrets.server()).seal(21, []byte{2, byte(wire.AlertDecodeError)}))
			io.Copy(io.Discard, c.NetConn())
		}, logged(secrets)))
		c := r.tls()
		c.Close()
		record := r.record()
		wantOutcome(t, record, inspect.Success)
		wantAlert(t, record.BackendLeg, wire.AlertDecodeError, inspect.FromServer)
	})
}

func TestServerSpeaksFirst(t *testing.T) {
	pki := certstest.New(t)
	ca := pki.Roots()
	for _, tt := range []struct {
		name string
		edit func(*tls.Config)
	}{
		{"at once", func(*tls.Config) {}},
		{"after a client certificate was asked for", func(c *tls.Config) { c.ClientAuth, c.ClientCAs = tls.RequestClientCert, ca }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			greeting := repeat("220 mail.example.com ready. ", 1000)
			r := bridged(t, pki, tlsBackend(t, pki, func(c *tls.Conn) {
				io.WriteString(c, greeting)
				echo(c)
			}, tt.edit))
			c := r.tls()
			got := make([]byte, len(greeting))
			if _, err := io.ReadFull(c, got); err != nil || string(got) != greeting {
				t.Fatalf("greeting: %v, %d bytes", err, len(got))
			}
			exchange(t, c, "EHLO")
			c.Close()
			record := r.record()
			wantOutcome(t, record, inspect.Success)
		})
	}
}

func TestIdleConnectionIsEnded(t *testing.T) {
	pki := certstest.New(t)
	for _, kind := range backendKinds {
		t.Run(kind.name, func(t *testing.T) {
			limits := shortLimits()
			limits.Timeouts.Idle = 100 * time.Millisecond
			l := &Listener{Routes: []*Route{{Backend: backendOf(t, pki, kind.plain, kind.version, func(c halfCloser) { io.Copy(c, c) }), GetCertificate: serves(pki.Make(certstest.Healthy, testName))}}}
			r := newRig(t, pki, limits, l)
			c := r.tls()
			io.ReadAll(c)
			c.Close()
			record := r.record()
			wantError(t, record.ClientLeg, inspect.ErrorTimeout, inspect.PhaseTransfer)
			wantOutcome(t, record, inspect.Success)
			if record.Event.End != inspect.EndedIdle {
				t.Errorf("%q ended it", record.Event.End)
			}
			r.none()
		})
	}
}

// A connection lives as long as bytes move in either direction, and the idle time longer.
func TestIdleTimeCountsFromTheLastByte(t *testing.T) {
	certificate := *certstest.New(t).Make(certstest.Healthy, testName).TLS()
	synctest.Test(t, func(t *testing.T) {
		records := make(chan *inspect.Connection, 1)
		s := &Server{OnConnection: func(c *inspect.Connection) { records <- c }, ctx: t.Context(), queue: make(chan ended, 1), emptied: make(chan struct{})}
		go s.deliver()
		near, client := net.Pipe()
		backend, far := net.Pipe()
		c := &connection{server: s, listener: &Listener{}, limits: Limits{Timeouts: Timeouts{Idle: time.Minute}}.withDefaults(), conn: near, record: &inspect.Connection{}, clientObserver: inspect.NewObserver(nil)}
		c.client = &tap{Conn: near, connection: c}
		c.clientTLS = tls.Server(c.client, &tls.Config{Certificates: []tls.Certificate{certificate}})
		c.backend = &backendLeg{backend: &Backend{Plain: true}, tap: &tap{Conn: backend}}
		s.handling.Add(1)
		go func() {
			if c.clientTLS.Handshake() == nil {
				state := c.clientTLS.ConnectionState()
				c.clientState = &state
				c.bridge()
			}
		}()
		conn := tls.Client(client, &tls.Config{InsecureSkipVerify: true})
		start := time.Now()
		for i := range 6 { // in turns, each 50 seconds after the other
			from, to := net.Conn(conn), far
			if i%2 == 1 {
				from, to = far, conn
			}
			go from.Write([]byte("x"))
			if _, err := io.ReadFull(to, make([]byte, 1)); err != nil {
				t.Fatalf("after %s: %v", time.Since(start), err)
			}
			<-time.After(50 * time.Second)
		}
		go io.Copy(io.Discard, conn)
		record := <-records
		if took := time.Since(start); took < 310*time.Second || took > 315*time.Second {
			t.Errorf("ended after %s, want 310 s", took)
		}
		wantError(t, record.ClientLeg, inspect.ErrorTimeout, inspect.PhaseTransfer)
		close(s.queue)
		far.Close()
		client.Close()
		synctest.Wait()
	})
}

// Every way in which records can lie in segments: whole, cut anywhere, one byte each.
func TestRecordsCutAnywhere(t *testing.T) {
	pki := certstest.New(t)
	r := bridged(t, pki, tlsBackend(t, pki, echo))
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, size := range []int{1, 2, 4, 5, 6, 7, 21, 1000, 16 << 10, 16<<10 + 5} {
			raw := &slicer{TCPConn: r.tcp(), size: size}
			c := tls.Client(raw, r.clientConfig(only(version)))
			exchange(t, c, "x")
			exchange(t, c, repeat("x", 100))
			if size > 20 {
				exchange(t, c, repeat("0123456789abcdef", 10_000))
			}
			c.Close()
			wantOutcome(t, r.record(), inspect.Success)
		}
	}
}

// slicer writes in segments of a size.
type slicer struct {
	*net.TCPConn
	size int
}

func (s *slicer) Write(b []byte) (int, error) {
	total := 0
	for len(b) > 0 {
		n, err := s.TCPConn.Write(b[:min(s.size, len(b))])
		total += n
		if err != nil {
			return total, err
		}
		b = b[n:]
	}
	return total, nil
}

// frame is the same whatever portions it sees.
func TestFrameFollowsRecordsInAnyPortions(t *testing.T) {
	var stream bytes.Buffer
	var boundaries []int
	for _, n := range []int{0, 1, 2, 5, 300, 0, 0, 16384} {
		stream.Write([]byte{23, 3, 3, byte(n >> 8), byte(n)})
		stream.Write(make([]byte, n))
		boundaries = append(boundaries, stream.Len())
	}
	for size := 1; size <= 400; size++ {
		at, next := 0, 0
		var t2 tap
		for b := stream.Bytes(); len(b) > 0; {
			n := min(size, len(b))
			t2.frame(b[:n])
			b, at = b[n:], at+n
			for next < len(boundaries) && boundaries[next] < at {
				next++
			}
			boundary := next < len(boundaries) && boundaries[next] == at
			if (t2.have == 0) != boundary {
				t.Fatalf("portions of %d: at byte %d boundary = %v, want %v", size, at, t2.have == 0, boundary)
			}
		}
	}
}
