package proxy

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

func passed(t testing.TB, pki *certstest.PKI, backend *Backend, edit ...func(*Limits)) *rig {
	limits := shortLimits()
	for _, e := range edit {
		e(&limits)
	}
	return newRig(t, pki, limits, &Listener{Name: "edge", Mode: Passthrough, Routes: []*Route{{Name: "default", Backend: backend}}})
}

func TestPassthroughTouchesNothing(t *testing.T) {
	pki := certstest.New(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(wire.Version(version).String(), func(t *testing.T) {
			r := passed(t, pki, tlsBackend(t, pki, echo, only(version), protocols("h2")))
			c := r.tls(protocols("h2"))
			exchange(t, c, "x")
			exchange(t, c, repeat("0123456789abcdef", 30_000))
			// More than fits into the buffers, so that the kernel moves it.
			const size = 40 << 20
			go func() {
				c.Write(make([]byte, size))
				c.CloseWrite()
			}()
			n, err := io.Copy(io.Discard, c)
			if n != size || err != nil {
				t.Errorf("%d bytes came back, %v", n, err)
			}
			c.Close()
			record := r.record()
			wantOutcome(t, record, inspect.Success)
			leg := record.ClientLeg
			if !leg.Passthrough || !leg.TLS.Established || leg.TLS.Version != wire.Version(version).String() || leg.TLS.Client.ServerName != testName || !record.BackendLeg.Passthrough {
				t.Errorf("client leg %+v", leg.TLS)
			}
			r.none()
		})
	}
}

// What was read before the decision is handed on byte by byte as it came, and nothing is added.
func TestPassthroughReplaysWhatWasPeeked(t *testing.T) {
	pki := certstest.New(t)
	hello := helloOf(t, &tls.Config{ServerName: testName})
	flight := append(fragmented(hello, 7), 20, 3, 3, 0, 1, 1, 23, 3, 3, 0, 3, 9, 9, 9) // and what some clients send right behind it
	for name, listener := range map[string]func(*Backend) *Listener{
		"mode": func(b *Backend) *Listener {
			return &Listener{Mode: Passthrough, Routes: []*Route{{Backend: b}}}
		},
		"fallback": func(b *Backend) *Listener {
			return &Listener{Fallback: true, Routes: []*Route{{Backend: b, Decide: func(*wire.ClientHello) Action { return Action{Unservable: "a test"} }}}}
		},
		"fallback for early data": func(b *Backend) *Listener {
			flight = withExtension(hello, 42, nil)
			return &Listener{Fallback: true, Routes: []*Route{{Backend: b}}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := make(chan []byte, 1)
			l := listener(&Backend{Address: listen(t, func(c net.Conn) {
				b, _ := io.ReadAll(c)
				got <- b
			})})
			want := bytes.Clone(flight)
			r := newRig(t, pki, shortLimits(), l)
			c := r.tcp()
			(&slicer{c, 11}).Write(want)
			c.CloseWrite()
			sameBytes(t, "replayed", <-got, want)
			io.Copy(io.Discard, c)
			record := r.record()
			if !record.ClientLeg.Passthrough || record.ClientLeg.TLS.Client.ServerName != testName {
				t.Errorf("client leg %+v", record.ClientLeg)
			}
			wantError(t, record.ClientLeg, inspect.ErrorClosed, inspect.PhaseHandshake)
		})
	}
}

// What is no TLS passes, too; there a cut must be told by a reset.
func TestPassthroughOfOtherProtocols(t *testing.T) {
	pki := certstest.New(t)
	for name, abort := range map[string]bool{"clean end": false, "reset": true} {
		t.Run(name, func(t *testing.T) {
			r := passed(t, pki, &Backend{Address: listen(t, func(c net.Conn) {
				b := make([]byte, 18)
				io.ReadFull(c, b)
				c.Write(b)
				c.Read(b[:1])
				if abort {
					c.(*net.TCPConn).SetLinger(0)
				}
			})})
			c := r.tcp()
			exchange(t, c, "GET / HTTP/1.0\r\n\r\n")
			c.Write([]byte("x"))
			_, err := io.ReadAll(c)
			if isReset(err) != abort || !abort && err != nil {
				t.Errorf("the client saw %v", err)
			}
			c.Close()
			record := r.record()
			wantError(t, record.ClientLeg, inspect.ErrorNotTLS, inspect.PhasePeek)
			if record.ClientLeg.FirstBytes.Protocol != "http" {
				t.Errorf("first bytes %+v", record.ClientLeg.FirstBytes)
			}
			if abort {
				wantError(t, record.BackendLeg, inspect.ErrorReset, inspect.PhaseTransfer)
			}
		})
	}
}

func TestPassthroughFailures(t *testing.T) {
	pki := certstest.New(t)
	t.Run("backend refused", func(t *testing.T) {
		r := passed(t, pki, &Backend{Address: freePort(t)})
		if _, err := r.try(); err == nil {
			t.Error("a handshake with nobody")
		}
		wantError(t, r.record().BackendLeg, inspect.ErrorRefused, inspect.PhaseDial)
	})
	t.Run("alert of the backend", func(t *testing.T) {
		r := passed(t, pki, rawBackend(t, func(c *net.TCPConn) {
			c.Write([]byte{21, 3, 3, 0, 2, 2, 40})
			c.CloseWrite()
			io.Copy(io.Discard, c)
		}))
		c, err := r.try()
		if code, ok := remoteAlert(err); !ok || code != wire.AlertHandshakeFailure {
			t.Errorf("the client saw %v", err)
		}
		c.NetConn().Close()
		record := r.record()
		wantError(t, record.ClientLeg, inspect.ErrorAlertSent, inspect.PhaseHandshake)
		wantAlert(t, record.ClientLeg, wire.AlertHandshakeFailure, inspect.FromServer)
	})
	t.Run("alert of the client", func(t *testing.T) {
		r := passed(t, pki, tlsBackend(t, pki, discard, only(tls.VersionTLS12)))
		if c, err := r.try(func(c *tls.Config) { c.RootCAs = certificatePool() }); err == nil {
			c.Close()
		} else {
			c.NetConn().Close()
		}
		record := r.record()
		wantError(t, record.ClientLeg, inspect.ErrorAlertReceived, inspect.PhaseHandshake)
		wantAlert(t, record.ClientLeg, wire.AlertBadCertificate, inspect.FromClient)
	})
	for name, answer := range map[string]string{"http_response": "HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n<html>", "ssh": "SSH-2.0-OpenSSH_9.2\r\n"} {
		t.Run("a backend in the clear, "+name, func(t *testing.T) {
			r := passed(t, pki, rawBackend(t, func(c *net.TCPConn) {
				io.WriteString(c, answer)
				c.CloseWrite()
				io.Copy(io.Discard, c)
			}))
			c, err := r.try()
			if err == nil {
				t.Error("a handshake with who speaks no TLS")
			}
			c.NetConn().(*net.TCPConn).SetLinger(0) // as some clients leave
			c.NetConn().Close()
			record := r.record()
			wantError(t, record.BackendLeg, inspect.ErrorNotTLS, inspect.PhaseHandshake)
			if first := record.BackendLeg.FirstBytes; first == nil || first.Protocol != name {
				t.Errorf("first bytes %+v", first)
			}
			wantOutcome(t, record, inspect.Failure)
			if record.ClientLeg.FirstBytes != nil || record.ClientLeg.TLS.Client == nil {
				t.Errorf("client leg %+v", record.ClientLeg)
			}
		})
	}
	t.Run("no route", func(t *testing.T) {
		r := newRig(t, pki, shortLimits(), &Listener{Mode: Passthrough, Routes: []*Route{{ServerNames: []string{"other.example.com"}, Backend: &Backend{Address: freePort(t)}}}})
		_, err := r.try()
		if code, ok := remoteAlert(err); !ok || code != wire.AlertUnrecognizedName {
			t.Errorf("the client saw %v", err)
		}
		wantError(t, r.record().ClientLeg, inspect.ErrorNoRoute, inspect.PhaseDecide)
	})
	t.Run("malformed hello", func(t *testing.T) {
		r := passed(t, pki, &Backend{Address: listen(t, func(net.Conn) { t.Error("a hello that does not parse was passed on") })})
		c := r.tcp()
		c.Write([]byte{22, 3, 1, 0, 5, 1, 0, 0, 1, 7})
		if alert := readAlert(t, c); alert != wire.AlertDecodeError {
			t.Errorf("alert %s", alert)
		}
		wantError(t, r.record().ClientLeg, inspect.ErrorMalformedHello, inspect.PhasePeek)
	})
}

// Threat 4: the deadline for the handshake holds when the handshake is another's.
func TestPassthroughHandshakeHasADeadline(t *testing.T) {
	pki := certstest.New(t)
	quick := func(l *Limits) { l.Timeouts.ClientHandshake = 300 * time.Millisecond }
	t.Run("client stops", func(t *testing.T) {
		r := passed(t, pki, tlsBackend(t, pki, discard), quick)
		c := r.tcp()
		c.Write(helloOf(t, r.clientConfig()))
		io.Copy(io.Discard, c)
		c.Close()
		wantError(t, r.record().ClientLeg, inspect.ErrorTimeout, inspect.PhaseHandshake)
		r.none()
	})
	t.Run("backend stops", func(t *testing.T) {
		r := passed(t, pki, rawBackend(t, func(c *net.TCPConn) { io.Copy(io.Discard, c) }), quick)
		if _, err := r.try(); err == nil {
			t.Error("a handshake with nobody")
		}
		wantError(t, r.record().ClientLeg, inspect.ErrorTimeout, inspect.PhaseHandshake)
	})
	t.Run("idle", func(t *testing.T) {
		r := passed(t, pki, tlsBackend(t, pki, echo), func(l *Limits) { l.Timeouts.Idle = 300 * time.Millisecond })
		c := r.tls()
		c.Write([]byte("x"))
		io.Copy(io.Discard, c)
		c.Close()
		record := r.record()
		wantError(t, record.ClientLeg, inspect.ErrorTimeout, inspect.PhaseTransfer)
		wantOutcome(t, record, inspect.Success)
		r.none()
	})
}

// A transfer that is slow but moves is not idle, also when the kernel moves it.
func TestSlowTransferIsNotIdle(t *testing.T) {
	pki := certstest.New(t)
	const bulk, idle = 8 << 20, 2500 * time.Millisecond
	// slow reports what went wrong, and the longest time in which nothing moved: on a machine that stands still for that long the end is right.
	slow := func() (pause time.Duration, wrong error) {
		step := make(chan struct{})
		r := passed(t, pki, tlsBackend(t, pki, func(c *tls.Conn) {
			c.Write(make([]byte, bulk))
			for range step {
				c.Write([]byte("x"))
			}
			c.Close()
		}), func(l *Limits) { l.Timeouts.Idle = idle })
		over := sync.OnceFunc(func() { close(step) })
		defer over()
		c := r.tls()
		defer c.Close()
		if _, err := io.CopyN(io.Discard, c, bulk); err != nil {
			return 0, err
		}
		tick := time.NewTicker(700 * time.Millisecond)
		defer tick.Stop()
		moved := time.Now()
		for i := range 6 { // four seconds and more
			<-tick.C
			step <- struct{}{}
			_, err := io.ReadFull(c, make([]byte, 1))
			pause, moved = max(pause, time.Since(moved)), time.Now()
			if err != nil {
				return pause, fmt.Errorf("byte %d: %w", i, err)
			}
		}
		over()
		if _, err := io.ReadAll(c); err != nil {
			return 0, err
		}
		c.Close()
		record := r.record()
		wantOutcome(t, record, inspect.Success)
		if record.ClientLeg.Error != nil {
			return 0, fmt.Errorf("%+v", record.ClientLeg.Error)
		}
		return pause, nil
	}
	for deadline := time.Now().Add(patience); ; {
		pause, err := slow()
		if err == nil {
			return
		}
		if pause < idle/2 || time.Now().After(deadline) {
			t.Fatalf("nothing moved for %s at most, and yet: %v", pause, err)
		}
	}
}
