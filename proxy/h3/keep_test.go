package h3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/keylog"
	"github.com/tlstriage/tlstriage/inspect/quicwire"
	"github.com/tlstriage/tlstriage/proxy"
)

// transcribed are a connection's record and its datagrams.
type transcribed struct {
	record *inspect.Connection
	kept   *proxy.Transcript
}

// transcripts makes a proxy hand over the datagrams of its connections.
func transcripts(to *chan transcribed) func(*rig) {
	return func(r *rig) {
		*to = make(chan transcribed, 16)
		r.tcp.OnTranscript = func(c *inspect.Connection, kept *proxy.Transcript) { *to <- transcribed{c, kept} }
	}
}

// reread reads a connection's datagrams once more, as somebody does who has the secrets that stand beside them.
func reread(t *testing.T, from chan transcribed) (*inspect.Connection, *quicwire.Flow, *proxy.Exchange) {
	t.Helper()
	var x transcribed
	select {
	case x = <-from:
	case <-time.After(patience):
		t.Fatal("no transcript came")
	}
	f := reads(t, x.kept.Client)
	return x.record, f, x.kept.Client
}

// reads reads the datagrams of a leg.
func reads(t *testing.T, leg *proxy.Exchange) *quicwire.Flow {
	t.Helper()
	if leg == nil || leg.Transport != inspect.TransportQUIC {
		t.Fatalf("no datagrams: %+v", leg)
	}
	var keys keylog.Store
	if err := keys.AddAll(leg.KeyLog); err != nil {
		t.Fatal(err)
	}
	f := &quicwire.Flow{Secrets: func(random []byte) quicwire.Secrets {
		return quicwire.Secrets{ClientHandshake: keys.Secret(random, keylog.ClientHandshakeTraffic), ServerHandshake: keys.Secret(random, keylog.ServerHandshakeTraffic)}
	}}
	var m quicwire.Message
	for _, chunk := range leg.Chunks {
		side := quicwire.FromClient
		if chunk.From == inspect.FromServer {
			side = quicwire.FromServer
		}
		_ = f.Datagram(side, chunk.Data)
		for f.Next(&m) {
		}
	}
	return f
}

// What a client and this program said in a handshake that failed can be read again, with its end.
func TestDatagramsOfHandshakesAreKept(t *testing.T) {
	pki := certstest.New(t)
	short := func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.X25519} }
	raw := func(t *testing.T, r *rig, b func(*rawClient, []byte) [][]byte, edit ...func(*tls.Config)) {
		c := newRawClient(t, r.address())
		for _, x := range b(c, hello(t, r.clientConfig(edit...), c.header.SourceID...)) {
			c.send(x)
		}
	}
	for _, test := range []struct {
		name   string
		rig    []func(*rig)
		client func(*testing.T, *rig)
		check  func(*inspect.Connection, *quicwire.Flow) bool
	}{
		{"refused at once", nil, func(t *testing.T, r *rig) {
			raw(t, r, func(c *rawClient, whole []byte) [][]byte { return [][]byte{c.initial(0, whole, 1200)} }, short, func(c *tls.Config) { c.NextProtos = []string{"doq"} })
		}, func(c *inspect.Connection, f *quicwire.Flow) bool {
			end := f.Close()
			return c.ClientLeg.Error.Type == inspect.ErrorNoCommonALPN && end != nil && end.From == quicwire.FromServer && end.Code == 0x178
		}},
		{"half a hello", []func(*rig){hurried}, func(t *testing.T, r *rig) {
			raw(t, r, func(c *rawClient, whole []byte) [][]byte {
				return [][]byte{c.initial(0, whole[:500], 1200), c.initial(0, whole[:500], 1200)}
			})
		}, func(c *inspect.Connection, f *quicwire.Flow) bool {
			have, whole := f.Partial(quicwire.FromClient)
			return c.ClientLeg.Error.Type == inspect.ErrorIncompleteHello && len(have) == 500 && whole > 500 && f.Stats(quicwire.FromClient).Datagrams == c.ClientLeg.QUIC.Datagrams
		}},
		{"small datagrams", []func(*rig){hurried}, func(t *testing.T, r *rig) {
			raw(t, r, func(c *rawClient, whole []byte) [][]byte { return [][]byte{c.initial(0, whole, 1100)} }, short)
		}, func(c *inspect.Connection, f *quicwire.Flow) bool {
			return c.ClientLeg.Error.Type == inspect.ErrorTimeout && f.Stats(quicwire.FromClient).ShortInitials == 1
		}},
		{"another version", []func(*rig){hurried}, func(t *testing.T, r *rig) {
			c := newRawClient(t, r.address())
			b := c.initial(0, []byte("whatever"), 1200)
			copy(b[1:], []byte{0xff, 0, 0, 0x1d})
			c.send(b)
			if c.answer(patience) == nil {
				t.Fatal("no answer")
			}
		}, func(c *inspect.Connection, f *quicwire.Flow) bool {
			return c.ClientLeg.Error.Type == inspect.ErrorNoCommonVersion && len(f.VersionNegotiation()) > 0 && f.FirstVersion() == quicwire.VersionDraft29
		}},
		{"Retry and no end", []func(*rig){hurried, func(r *rig) { r.listener.QUICRetry = proxy.RetryAlways }}, func(t *testing.T, r *rig) {
			c := newRawClient(t, r.address())
			for range retriesTold {
				c.send(c.initial(0, hello(t, r.clientConfig(short), c.header.SourceID...), 1200))
				if c.answer(patience) == nil {
					t.Fatal("no answer")
				}
			}
		}, func(c *inspect.Connection, f *quicwire.Flow) bool {
			return c.ClientLeg.QUIC.Retries == retriesTold && f.Stats(quicwire.FromServer).Retries == retriesTold && f.Stats(quicwire.FromClient).Datagrams == retriesTold
		}},
		{"a client that trusts nobody", []func(*rig){withSecrets}, func(t *testing.T, r *rig) { fails(t, r, func(c *tls.Config) { c.RootCAs = x509.NewCertPool() }) }, refusedByClient},
		{"a client that trusts nobody, after a Retry", []func(*rig){withSecrets, func(r *rig) { r.listener.QUICRetry = proxy.RetryAlways }}, func(t *testing.T, r *rig) {
			fails(t, r, func(c *tls.Config) { c.RootCAs = x509.NewCertPool() })
		}, func(c *inspect.Connection, f *quicwire.Flow) bool {
			return refusedByClient(c, f) && f.Retry() != nil && f.Retry().Valid && len(f.Token()) > 0
		}},
		{"a client certificate that is not there", []func(*rig){withSecrets, func(r *rig) {
			r.listener.Routes[0].ClientAuth, r.listener.Routes[0].ClientCAs = tls.RequireAndVerifyClientCert, pki.Roots()
		}}, func(t *testing.T, r *rig) { fails(t, r) }, func(c *inspect.Connection, f *quicwire.Flow) bool {
			end := f.Close()
			return end != nil && end.From == quicwire.FromServer && end.Level == quicwire.LevelHandshake && end.Code > 0x100 && c.Event.Outcome == inspect.Failure
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var all chan transcribed
			r := inHTTPMode(t, pki, answering(t, pki), append(test.rig, transcripts(&all))...)
			test.client(t, r)
			record, f, leg := reread(t, all)
			if !test.check(record, f) {
				t.Errorf("%+v, %+v; read again: %+v, client %+v, server %+v", record.ClientLeg.Error, record.ClientLeg.QUIC, f.Close(), f.Stats(quicwire.FromClient), f.Stats(quicwire.FromServer))
			}
			if to := netip.MustParseAddrPort(r.address().String()); leg.Server != to || leg.Client.Port() != uint16(record.Client.Port) || leg.Truncated {
				t.Errorf("between %v and %v, truncated: %v", leg.Client, leg.Server, leg.Truncated)
			}
			r.udp.mu.Lock()
			defer r.udp.mu.Unlock()
			for _, s := range r.udp.sockets {
				await(t, "nothing is kept any more", func() bool { return s.keeping.open.Load() == 0 })
			}
		})
	}
}

// withSecrets puts the secrets of handshakes beside their datagrams. A client tells of the end in Handshake packets alone once it has sent one of them, which
// it does when it is slow to look at a certificate (RFC 9001, Section 4.9.1).
func withSecrets(r *rig) { r.tcp.KeyLog = io.Discard }

func refusedByClient(c *inspect.Connection, f *quicwire.Flow) bool {
	end := f.Close()
	return c.ClientLeg.Error.Type == inspect.ErrorAlertReceived && end != nil && end.From == quicwire.FromClient && end.Code > 0x100 && f.Stats(quicwire.FromServer).Opened > 0
}

// fails is a client whose handshake does not come to its end.
func fails(t *testing.T, r *rig, edit ...func(*tls.Config)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	transport := &quic.Transport{Conn: udpSocket(t)}
	defer transport.Close()
	conn, err := transport.Dial(ctx, r.address(), r.clientConfig(edit...), patientQUIC())
	if err != nil {
		return
	}
	<-conn.Context().Done() // with a client certificate it learns of it late
	var refused *quic.TransportError
	if !errors.As(context.Cause(conn.Context()), &refused) {
		t.Errorf("the connection ended with %v", context.Cause(conn.Context()))
	}
}

// Of what follows a handshake nothing is kept but that it did; with the secrets that stand beside it nobody reads a request.
func TestDatagramsBehindTheHandshakeAreNotKept(t *testing.T) {
	pki := certstest.New(t)
	backend := saying(t, pki, testName)
	for name, open := range map[string]func(...func(*rig)) *rig{
		"http": func(edit ...func(*rig)) *rig {
			return inHTTPMode(t, pki, answering(t, pki), append(edit, func(r *rig) { r.tcp.KeyLog = io.Discard })...)
		},
		"passthrough": func(edit ...func(*rig)) *rig {
			return passing(t, pki, map[string]*proxy.Backend{testName: backend}, append(edit, func(r *rig) {
				r.tcp.Limits.Timeouts.Idle, r.udp.Limits.Timeouts.Idle = 3*time.Second, 3*time.Second
			})...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var all chan transcribed
			r := open(transcripts(&all))
			c := r.client()
			for range 3 {
				fetch(t, c, http.MethodPost, "https://"+testName+"/", strings.NewReader(strings.Repeat("a secret ", 10_000)))
			}
			closeClient(c)
			record, f, leg := reread(t, all)
			if record.Event.Outcome != inspect.Success || f.Stats(quicwire.FromClient).OneRTT == 0 || f.Stats(quicwire.FromServer).OneRTT == 0 || f.Stats(quicwire.FromServer).Handshake == 0 {
				t.Errorf("%s, client %+v, server %+v", record.Event.Outcome, f.Stats(quicwire.FromClient), f.Stats(quicwire.FromServer))
			}
			total := 0
			for _, chunk := range leg.Chunks {
				total += len(chunk.Data)
				if chunk.Data[0]&0x80 == 0 && len(chunk.Data) > 41 || chunk.Size < len(chunk.Data) {
					t.Errorf("%d of %d bytes of a packet behind the handshake", len(chunk.Data), chunk.Size)
				}
			}
			if len(leg.Chunks) > 64 || total > 64<<10 || strings.Contains(string(leg.KeyLog), "CLIENT_TRAFFIC") || (name == "http") != strings.Contains(string(leg.KeyLog), "CLIENT_HANDSHAKE") {
				t.Errorf("%d datagrams, %d bytes, keys %q", len(leg.Chunks), total, leg.KeyLog)
			}
		})
	}
}

// Of a backend that is asked in HTTP/3 the datagrams are kept as well.
func TestDatagramsOfBackendsAreKept(t *testing.T) {
	pki := certstest.New(t)
	refusing := http3Backend(t, pki, nil, func(c *tls.Config) {
		c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, errors.New("no") }
	})
	refused := http3Backend(t, pki, nil)
	refused.VerifyPeer = func(*proxy.BackendPeer) error { return errors.New("not this one") }
	for _, test := range []struct {
		name    string
		backend *proxy.Backend
		check   func(*quicwire.Flow) bool
	}{
		{"nothing listens", &proxy.Backend{Address: nobody(t), Protocol: proxy.HTTP3, HTTP3: Dial}, func(f *quicwire.Flow) bool {
			return f.Stats(quicwire.FromServer).Datagrams == 0 && f.Stats(quicwire.FromClient).Opened > 0
		}},
		{"the backend refuses", refusing, func(f *quicwire.Flow) bool {
			end := f.Close()
			return end != nil && end.From == quicwire.FromServer && end.Code == 0x150
		}},
		{"the backend is refused", refused, func(f *quicwire.Flow) bool {
			end := f.Close()
			return end != nil && end.From == quicwire.FromClient && end.Code == 0x12a && len(f.Whole(quicwire.FromServer, quicwire.LevelHandshake)) > 0
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var all chan transcribed
			r := inHTTPMode(t, pki, test.backend, transcripts(&all), func(r *rig) { r.tcp.KeyLog = io.Discard })
			c := r.client()
			fetch(t, c, http.MethodGet, "https://"+testName+"/", nil)
			closeClient(c)
			select {
			case x := <-all:
				leg := x.kept.Backend
				if f := reads(t, leg); !test.check(f) {
					t.Errorf("%+v; read again: %+v, client %+v, server %+v", x.record.BackendLeg.Error, f.Close(), f.Stats(quicwire.FromClient), f.Stats(quicwire.FromServer))
				}
				if leg.Server.String() != test.backend.Address || !leg.Client.IsValid() {
					t.Errorf("between %v and %v", leg.Client, leg.Server)
				}
			case <-time.After(patience):
				t.Fatal("no transcript came")
			}
		})
	}
}

// Where nobody wants datagrams, none are.
func TestDatagramsThatNobodyWantsAreNotKept(t *testing.T) {
	pki := certstest.New(t)
	r := inHTTPMode(t, pki, answering(t, pki))
	r.works()
	if record := r.record(); record.ClientLeg.Error != nil {
		t.Errorf("%+v", record.ClientLeg.Error)
	}
	r.udp.mu.Lock()
	defer r.udp.mu.Unlock()
	for _, s := range r.udp.sockets {
		if n := s.keeping.open.Load(); n != 0 || s.keeping.by != nil {
			t.Errorf("%d are kept", n)
		}
	}
}
