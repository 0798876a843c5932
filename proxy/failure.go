package proxy

import (
	"context"
	"crypto/tls"
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
	errNoClientCertificate = errors.New("client certificate required, none in the resumed session")
	errViewsDiffer         = errors.New("crypto/tls and our parser read the hello differently")
	errNoCertificate       = errors.New("no certificate for this name")
)

// transportErrorType tells the faults of the transport; ErrorOther for an error that is not one.
func transportErrorType(err error) inspect.ErrorType {
	var netErr net.Error
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && !dns.IsTimeout:
		return inspect.ErrorUnresolvable
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return inspect.ErrorTimeout
	case errors.Is(err, context.Canceled), errors.Is(err, net.ErrClosed):
		return inspect.ErrorShutdown
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

// remoteAlert is the alert that the peer sent, when that is what err says. crypto/tls has no exported type for it, only
// the net.OpError around a byte that names itself.
func remoteAlert(err error) (wire.AlertDescription, bool) {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" {
		return 0, false
	}
	v := reflect.ValueOf(op.Err)
	if v.Kind() != reflect.Uint8 {
		return 0, false
	}
	return wire.AlertDescription(v.Uint()), true
}

func newAlert(code wire.AlertDescription, from inspect.Side) inspect.Alert {
	return inspect.NewAlert(wire.AlertLevelFatal, code, from)
}

// clientHandshakeError says why the handshake with the client failed.
func (c *connection) clientHandshakeError(err error) *inspect.Error {
	result := &inspect.Error{Type: inspect.ErrorAlertSent, Message: err.Error(), Phase: inspect.PhaseHandshake}
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate), errors.Is(err, errNoClientCertificate):
		result.Type = inspect.ErrorClientCertificate
		return result
	case errors.Is(err, errViewsDiffer):
		result.Type = inspect.ErrorViewsDiffer
		return result
	case errors.Is(err, errNoCertificate):
		result.Type = inspect.ErrorNoCertificate
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
	// crypto/tls refused the client, with an alert that is in the clear unless the handshake had come to the certificates.
	if alert, ok := c.clientObserver.Alert(inspect.FromServer); ok {
		switch alert {
		case wire.AlertProtocolVersion:
			result.Type = inspect.ErrorNoCommonVersion
		case wire.AlertNoApplicationProtocol:
			result.Type = inspect.ErrorNoCommonALPN
		case wire.AlertUnrecognizedName:
			result.Type = inspect.ErrorNoCertificate
		default:
			if c.action.OwnRejected != "" {
				result.Type = c.action.OwnRejected
			}
		}
		if result.Type != inspect.ErrorAlertSent {
			return result
		}
	}
	if c.route.ClientAuth >= tls.RequireAnyClientCert && c.clientObserver.ServerHelloSeen() {
		result.Type = inspect.ErrorClientCertificate
	} else if c.action.OwnRejected != "" {
		result.Type = c.action.OwnRejected
	}
	return result
}
