package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"reflect"
	"syscall"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

var (
	errViewsDiffer   = errors.New("crypto/tls and our parser read the hello differently")
	errNoCertificate = errors.New("no certificate for this name")
)

// transportErrorType tells the faults of the transport; ErrorOther for an error that is not one.
func transportErrorType(err error) inspect.ErrorType {
	var netErr net.Error
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE): // no descriptor, be it for the question after a name
		return inspect.ErrorOverloaded
	case errors.Is(err, context.Canceled), errors.Is(err, net.ErrClosed):
		return inspect.ErrorShutdown
	case errors.As(err, &dns) && !dns.IsTimeout:
		return inspect.ErrorUnresolvable
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return inspect.ErrorTimeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return inspect.ErrorRefused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNABORTED):
		return inspect.ErrorReset
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTDOWN):
		return inspect.ErrorUnreachable
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return inspect.ErrorClosed
	}
	return inspect.ErrorOther
}

func transportError(err error, phase inspect.Phase) *inspect.Error {
	return &inspect.Error{Type: transportErrorType(err), Message: err.Error(), Phase: phase}
}

func dialError(err error) *inspect.Error {
	e := transportError(err, inspect.PhaseDial)
	var dns *net.DNSError
	if errors.As(err, &dns) {
		e.Phase = inspect.PhaseResolve
	}
	return e
}

// remoteAlert is the alert that the peer sent, when that is what err says.
func remoteAlert(err error) (wire.AlertDescription, bool) { return alertIn(err, "remote error") }

// localAlert is the alert that crypto/tls sent, when that is all that err says.
func localAlert(err error) (wire.AlertDescription, bool) { return alertIn(err, "local error") }

// alertIn finds an alert in an error of crypto/tls, which has no exported type for it, only the net.OpError around a byte
// that names itself.
func alertIn(err error, op string) (wire.AlertDescription, bool) {
	var o *net.OpError
	if !errors.As(err, &o) || o.Op != op {
		return 0, false
	}
	v := reflect.ValueOf(o.Err)
	if v.Kind() != reflect.Uint8 {
		return 0, false
	}
	return wire.AlertDescription(v.Uint()), true
}

// transferError says how reading from a leg that was established ended, and which alerts tell so; nil for a clean end and
// for what this program did itself: deadlines and closing.
func transferError(err error, peer inspect.Side) (*inspect.Error, []inspect.Alert) {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, errDrained) {
		return nil, nil
	}
	e := &inspect.Error{Message: err.Error(), Phase: inspect.PhaseTransfer}
	if code, ok := remoteAlert(err); ok {
		e.Type = inspect.ErrorAlertReceived
		return e, []inspect.Alert{newAlert(code, peer)}
	}
	switch e.Type = transportErrorType(err); e.Type {
	case inspect.ErrorTimeout, inspect.ErrorShutdown:
		return nil, nil
	case inspect.ErrorOther:
	default:
		return e, nil
	}
	e.Type = inspect.ErrorAlertSent // crypto/tls found fault with what came
	if code, ok := localAlert(err); ok {
		self := inspect.FromClient
		if peer == inspect.FromClient {
			self = inspect.FromServer
		}
		return e, []inspect.Alert{newAlert(code, self)}
	}
	return e, nil
}

func newAlert(code wire.AlertDescription, from inspect.Side) inspect.Alert {
	return inspect.NewAlert(wire.AlertLevelFatal, code, from)
}

// clientHandshakeError says why the handshake with the client failed.
func (c *connection) clientHandshakeError(err error) *inspect.Error {
	result := &inspect.Error{Type: inspect.ErrorAlertSent, Message: err.Error(), Phase: inspect.PhaseHandshake}
	switch {
	case c.refusedCertificate(err):
		result.Type = inspect.ErrorClientCertificate
		return result
	case errors.Is(err, errViewsDiffer):
		result.Type = inspect.ErrorViewsDiffer
		return result
	case errors.Is(err, errNoCertificate):
		result.Type = inspect.ErrorNoCertificate
		if temporary := interface{ Temporary() bool }(nil); errors.As(err, &temporary) && temporary.Temporary() {
			result.Type = inspect.ErrorCertificatePending
		}
		return result
	}
	if code, ok := remoteAlert(err); ok {
		result.Type = inspect.ErrorAlertReceived
		c.clientAlerts = append(c.clientAlerts, newAlert(code, inspect.FromClient))
		return result
	}
	if t := transportErrorType(err); t != inspect.ErrorOther {
		result.Type = t
		return result
	}
	if code, ok := localAlert(err); ok {
		c.clientAlerts = append(c.clientAlerts, newAlert(code, inspect.FromServer))
		if alert, refused := c.clientObserver.Alert(inspect.FromClient); refused && code == wire.AlertBadRecordMAC {
			// OpenSSL's clients refuse a certificate of TLS 1.3 in the clear, which crypto/tls takes for a record that it cannot decrypt.
			result.Type, result.Message = inspect.ErrorAlertReceived, "remote error: tls: "+alert.String()+", sent in the clear"
		}
		return result // what came was wrong in itself: it could not be decrypted, or did not parse
	}
	// crypto/tls refused the client, with an alert that is in the clear unless the handshake had come to the certificates.
	if alert, ok := c.clientObserver.Alert(inspect.FromServer); ok {
		result.Type = c.refusedFor(alert)
	}
	return result
}

// refusedFor is the reason behind an alert of crypto/tls in the clear.
func (c *connection) refusedFor(alert wire.AlertDescription) inspect.ErrorType {
	switch alert {
	case wire.AlertNoApplicationProtocol:
		return inspect.ErrorNoCommonALPN
	case wire.AlertUnrecognizedName:
		return inspect.ErrorNoCertificate
	case wire.AlertUnsupportedExtension:
		if hello, _ := c.clientObserver.ClientHello(); hello != nil && hello.EarlyData {
			return inspect.ErrorUnsupported
		}
	case wire.AlertHandshakeFailure, wire.AlertProtocolVersion, wire.AlertInsufficientSecurity, wire.AlertIllegalParameter, wire.AlertMissingExtension:
		if c.action.OwnRejected != "" {
			return c.action.OwnRejected
		}
		if alert == wire.AlertProtocolVersion {
			return inspect.ErrorNoCommonVersion
		}
	}
	return inspect.ErrorAlertSent
}
