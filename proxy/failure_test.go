package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Each way in which a client can fail after its hello, and what the record says of it.
func TestClientFailures(t *testing.T) {
	pki := certstest.New(t)
	aesOnly := []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
	raw := func(edit func([]byte) []byte, then func(*net.TCPConn)) func(*rig) {
		return func(r *rig) {
			c := r.tcp()
			hello := helloOf(t, r.clientConfig())
			if edit != nil {
				hello = edit(hello)
			}
			c.Write(hello)
			then(c)
		}
	}
	handshake := func(edit ...func(*tls.Config)) func(*rig) {
		return func(r *rig) {
			if c, err := r.try(edit...); err == nil {
				io.ReadAll(c)
			}
		}
	}
	awaitAnswer := func(c *net.TCPConn) { c.Read(make([]byte, 100)) }
	for _, tt := range []struct {
		name   string
		route  func(*Route)
		limits func(*Limits)
		client func(*rig)
		kind   inspect.ErrorType
		phase  inspect.Phase
		alert  wire.AlertDescription
		from   inspect.Side
	}{
		{name: "versions", client: handshake(only(tls.VersionTLS12)), route: func(r *Route) { r.MinVersion = tls.VersionTLS13 },
			kind: inspect.ErrorNoCommonVersion, phase: inspect.PhaseHandshake, alert: wire.AlertProtocolVersion, from: inspect.FromServer},
		{name: "suites, as Decide says", client: handshake(only(tls.VersionTLS12), func(c *tls.Config) { c.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384} }),
			route: func(r *Route) {
				r.CipherSuites, r.MaxVersion = aesOnly, tls.VersionTLS12
				r.Decide = func(*wire.ClientHello) Action { return Action{OwnRejected: inspect.ErrorNoCommonCipher} }
			},
			kind: inspect.ErrorNoCommonCipher, phase: inspect.PhaseHandshake, alert: wire.AlertHandshakeFailure, from: inspect.FromServer},
		{name: "suites, without Decide", client: handshake(only(tls.VersionTLS12), func(c *tls.Config) { c.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384} }),
			route: func(r *Route) { r.CipherSuites, r.MaxVersion = aesOnly, tls.VersionTLS12 },
			kind:  inspect.ErrorAlertSent, phase: inspect.PhaseHandshake, alert: wire.AlertHandshakeFailure, from: inspect.FromServer},
		{name: "policy", client: handshake(), route: func(r *Route) {
			r.Decide = func(*wire.ClientHello) Action {
				return Action{Policy: &inspect.PolicyOutcome{Name: "p"}, Refuse: true, Alert: wire.AlertHandshakeFailure}
			}
		}, kind: inspect.ErrorPolicy, phase: inspect.PhaseDecide, alert: wire.AlertHandshakeFailure, from: inspect.FromServer},
		{name: "no route", client: handshake(named("other.example.com")), route: func(r *Route) { r.ServerNames = []string{testName} },
			kind: inspect.ErrorNoRoute, phase: inspect.PhaseDecide, alert: wire.AlertUnrecognizedName, from: inspect.FromServer},
		{name: "no route without a name", client: handshake(named("192.0.2.1")), route: func(r *Route) { r.ServerNames = []string{testName} },
			kind: inspect.ErrorNoRoute, phase: inspect.PhaseDecide, alert: wire.AlertUnrecognizedName, from: inspect.FromServer},
		{name: "no certificate", client: handshake(), route: func(r *Route) {
			r.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errors.New("not for them") }
		}, kind: inspect.ErrorNoCertificate, phase: inspect.PhaseHandshake, alert: wire.AlertInternalError, from: inspect.FromServer},
		{name: "no certificate and no error", client: handshake(), route: func(r *Route) {
			r.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }
		}, kind: inspect.ErrorNoCertificate, phase: inspect.PhaseHandshake, alert: wire.AlertUnrecognizedName, from: inspect.FromServer},
		{name: "no GetCertificate", client: handshake(), route: func(r *Route) { r.GetCertificate = nil },
			kind: inspect.ErrorNoCertificate, phase: inspect.PhaseHandshake, alert: wire.AlertInternalError, from: inspect.FromServer},
		{name: "our certificate, TLS 1.3", client: handshake(only(tls.VersionTLS13), func(c *tls.Config) { c.RootCAs = certificatePool() }),
			kind: inspect.ErrorAlertReceived, phase: inspect.PhaseHandshake, alert: wire.AlertBadCertificate, from: inspect.FromClient},
		{name: "our certificate, TLS 1.2", client: handshake(only(tls.VersionTLS12), func(c *tls.Config) { c.RootCAs = certificatePool() }),
			kind: inspect.ErrorAlertReceived, phase: inspect.PhaseHandshake, alert: wire.AlertBadCertificate, from: inspect.FromClient},
		{name: "closes after its hello", client: raw(nil, func(c *net.TCPConn) { awaitAnswer(c); c.CloseWrite(); io.Copy(io.Discard, c) }),
			kind: inspect.ErrorClosed, phase: inspect.PhaseHandshake},
		{name: "resets after its hello", client: raw(nil, func(c *net.TCPConn) { awaitAnswer(c); c.SetLinger(0); c.Close() }),
			kind: inspect.ErrorReset, phase: inspect.PhaseHandshake},
		{name: "says nothing after its hello", limits: func(l *Limits) { l.Timeouts.ClientHandshake = 100 * time.Millisecond },
			client: raw(nil, func(c *net.TCPConn) { io.Copy(io.Discard, c) }), kind: inspect.ErrorTimeout, phase: inspect.PhaseHandshake},
		{name: "garbage after its hello", client: raw(nil, func(c *net.TCPConn) {
			awaitAnswer(c)
			c.Write(append([]byte{23, 3, 3, 0, 40}, make([]byte, 40)...))
			io.Copy(io.Discard, c)
		}), kind: inspect.ErrorAlertSent, phase: inspect.PhaseHandshake, alert: wire.AlertBadRecordMAC, from: inspect.FromServer},
		{name: "our certificate, TLS 1.3, in the clear as OpenSSL does", client: raw(nil, func(c *net.TCPConn) {
			awaitAnswer(c)
			c.Write([]byte{21, 3, 3, 0, 2, 2, byte(wire.AlertUnknownCA)})
			io.Copy(io.Discard, c)
		}), kind: inspect.ErrorAlertReceived, phase: inspect.PhaseHandshake, alert: wire.AlertUnknownCA, from: inspect.FromClient},
		{name: "a hello that only crypto/tls refuses", client: raw(func(hello []byte) []byte {
			return []byte(strings.Replace(string(hello), testName, testName[:len(testName)-1]+".", 1)) // a trailing dot
		}, func(c *net.TCPConn) { io.Copy(io.Discard, c) }), kind: inspect.ErrorAlertSent, phase: inspect.PhaseHandshake, alert: wire.AlertDecodeError, from: inspect.FromServer},
		{name: "an SSLv2 hello", client: func(r *rig) {
			c := r.tcp()
			c.Write(append([]byte{0x80, 28, 1, 3, 1, 0, 3, 0, 0, 0, 16, 0, 0, 0x2F}, make([]byte, 16)...))
			io.Copy(io.Discard, c)
		}, route: func(r *Route) {
			r.Decide = func(*wire.ClientHello) Action {
				return Action{Unservable: "SSLv2", OwnRejected: inspect.ErrorUnsupported}
			}
		},
			kind: inspect.ErrorUnsupported, phase: inspect.PhaseHandshake, alert: wire.AlertProtocolVersion, from: inspect.FromServer},
		{name: "early data", client: raw(func(hello []byte) []byte { return withExtension(hello, 42, nil) }, func(c *net.TCPConn) { io.Copy(io.Discard, c) }),
			kind: inspect.ErrorUnsupported, phase: inspect.PhaseHandshake, alert: wire.AlertUnsupportedExtension, from: inspect.FromServer},
	} {
		t.Run(tt.name, func(t *testing.T) {
			limits := shortLimits()
			if tt.limits != nil {
				tt.limits(&limits)
			}
			closed := make(chan error, 1)
			backend := tlsBackend(t, pki, func(c *tls.Conn) {
				_, err := io.ReadAll(c)
				closed <- err
			})
			route := &Route{Name: "r", Backend: backend, GetCertificate: serves(pki.Make(certstest.Healthy, testName))}
			if tt.route != nil {
				tt.route(route)
			}
			r := newRig(t, pki, limits, &Listener{Routes: []*Route{route}})
			tt.client(r)
			record := r.record()
			wantError(t, record.ClientLeg, tt.kind, tt.phase)
			wantOutcome(t, record, inspect.Failure)
			if tt.from != "" {
				wantAlert(t, record.ClientLeg, tt.alert, tt.from)
			}
			if record.ClientLeg.TLS.Client == nil {
				t.Error("no hello in the record")
			}
			if tt.name == "early data" && !record.ClientLeg.TLS.Client.EarlyData {
				t.Error("the early data is not in the record")
			}
			if tt.kind == inspect.ErrorPolicy && (record.Policy == nil || !record.Policy.Enforced) {
				t.Errorf("policy: %+v", record.Policy)
			}
			if tt.phase == inspect.PhaseDecide {
				if record.BackendLeg != nil {
					t.Error("the backend was dialled for a client that was refused before")
				}
				return
			}
			if !record.BackendLeg.Established() {
				t.Errorf("backend leg: %+v", record.BackendLeg.Error)
			}
			if err := <-closed; err != nil {
				t.Errorf("the backend's leg, which was in order, ended with %v", err)
			}
		})
	}
}

// withExtension adds an extension to a hello in one record, in front of the others.
func withExtension(record []byte, kind uint16, body []byte) []byte {
	message := record[5:]
	at := 4 + 2 + 32
	at += 1 + int(message[at])
	at += 2 + int(message[at])<<8 + int(message[at+1])
	at += 1 + int(message[at])
	extension := append([]byte{byte(kind >> 8), byte(kind), byte(len(body) >> 8), byte(len(body))}, body...)
	total := int(message[at])<<8 + int(message[at+1]) + len(extension)
	out := append([]byte{}, message[:at]...)
	out = append(out, byte(total>>8), byte(total))
	out = append(out, extension...)
	out = append(out, message[at+2:]...)
	n := len(out) - 4
	out[1], out[2], out[3] = byte(n>>16), byte(n>>8), byte(n)
	return append([]byte{22, 3, 1, byte(len(out) >> 8), byte(len(out))}, out...)
}

// Errors of the transport, each by its name.
func TestTransportErrorTypes(t *testing.T) {
	wrap := func(err error) error {
		return fmt.Errorf("proxy: %w", &net.OpError{Op: "read", Err: os.NewSyscallError("read", err)})
	}
	for _, tt := range []struct {
		err  error
		want inspect.ErrorType
	}{
		{&net.DNSError{Err: "no such host", IsNotFound: true}, inspect.ErrorUnresolvable},
		{&net.DNSError{Err: "timeout", IsTimeout: true}, inspect.ErrorTimeout},
		{os.ErrDeadlineExceeded, inspect.ErrorTimeout},
		{context.DeadlineExceeded, inspect.ErrorTimeout},
		{wrap(syscall.ETIMEDOUT), inspect.ErrorTimeout},
		{context.Canceled, inspect.ErrorShutdown},
		{net.ErrClosed, inspect.ErrorShutdown},
		{wrap(syscall.ECONNREFUSED), inspect.ErrorRefused},
		{wrap(syscall.ECONNRESET), inspect.ErrorReset},
		{wrap(syscall.EPIPE), inspect.ErrorReset},
		{wrap(syscall.EHOSTUNREACH), inspect.ErrorUnreachable},
		{wrap(syscall.EMFILE), inspect.ErrorOverloaded},
		{wrap(&net.DNSError{Err: "x", UnwrapErr: syscall.EMFILE}), inspect.ErrorOverloaded},
		{wrap(syscall.ENETUNREACH), inspect.ErrorUnreachable},
		{io.EOF, inspect.ErrorClosed},
		{io.ErrUnexpectedEOF, inspect.ErrorClosed},
		{errors.New("else"), inspect.ErrorOther},
	} {
		if got := transportErrorType(tt.err); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.err, got, tt.want)
		}
	}
	if e := dialError(&net.DNSError{Err: "no such host", IsNotFound: true}); e.Phase != inspect.PhaseResolve {
		t.Errorf("phase %s", e.Phase)
	}
}
