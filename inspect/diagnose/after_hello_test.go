package diagnose

import (
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
)

// An alert behind the ServerHello is about nothing that the hellos settled, whatever it is called; one before it is.
func TestAlertsBehindTheServerHello(t *testing.T) {
	names := map[uint8]string{40: "handshake_failure", 70: "protocol_version", 71: "insufficient_security", 80: "internal_error", 112: "unrecognized_name", 116: "certificate_required", 120: "no_application_protocol"}
	refused := func(history, version string, code uint8, change ...func(*inspect.Connection)) *inspect.Connection {
		c := backFails(inspect.ErrorAlertReceived, inspect.PhaseHandshake, backendAlert(code, names[code]))
		c.BackendLeg.TLS.Handshake, c.BackendLeg.TLS.Version = &inspect.Handshake{History: history}, version
		for _, f := range change {
			f(c)
		}
		return c
	}
	foreign := func(history, version string, code uint8) *inspect.Connection {
		c := captured(fails(inspect.ErrorAlertSent), clientAlert(inspect.FromServer, code, names[code]))
		c.ClientLeg.TLS.Handshake, c.ClientLeg.TLS.Version = &inspect.Handshake{History: history}, version
		return c
	}
	warned := func(c *inspect.Connection) { // it fell back to a default, and closed later on
		c.BackendLeg.TLS.Alerts[0].Level, c.BackendLeg.Error.Type = "warning", inspect.ErrorClosed
	}
	guilty := []string{"backend-cipher-no-overlap", "backend-version-no-overlap", "sni-required-by-backend", "backend-alpn-mismatch", "backend-stricter-than-proxy"}
	for _, tt := range []struct {
		name  string
		in    *inspect.Connection
		cause string
		words string // in the detail of the cause
		never []string
	}{
		{"handshake_failure", refused("CsxknGIFl", "TLSv1.2", 40), "backend-alert", "CsxknGIFl", guilty},
		{"protocol_version", refused("CsxknGIFl", "TLSv1.2", 70), "backend-alert", "TLSv1.2", guilty},
		{"insufficient_security", refused("CsxknGIFl", "TLSv1.2", 71), "backend-alert", "", guilty},
		{"unrecognized_name", refused("CsxknGIFl", "TLSv1.2", 112), "backend-alert", "nor about the server name", guilty},
		{"unrecognized_name whatever the name", refused("CsxknGIFl", "TLSv1.2", 112, withLooks(refusedLook(inspect.LookWithoutName, "", 112, "unrecognized_name"))), "backend-alert", "", guilty},
		{"no_application_protocol", refused("CsxknGIFl", "TLSv1.2", 120), "backend-alert", "", guilty},
		{"handshake_failure in TLS 1.3", refused("Cs", "TLSv1.3", 40), "backend-alert", "signature schemes", guilty},
		{"internal_error", refused("Csxkn", "TLSv1.2", 80), "backend-alert", "it had answered the hello", guilty},
		{"certificate_required", refused("Csd", "TLSv1.3", 116), "backend-requires-client-cert", "", guilty},
		{"handshake_failure behind a request for a certificate", refused("CsxkrnXGIFl", "TLSv1.2", 40, asked(false)), "backend-requires-client-cert", "", guilty},
		{"no_application_protocol in TLS 1.3, whose server says it only there", refused("Cs", "TLSv1.3", 120), "backend-alpn-mismatch", "", []string{"backend-alert"}},
		{"the name decides all the same", refused("CsxknGIFl", "TLSv1.2", 40, withLooks(tookLook(inspect.LookWithoutName, "", certificateFor("aa", siteName)))), "sni-required-by-backend", "", []string{"backend-alert"}},
		{"a warning before it", refused("ClsxknGIF", "TLSv1.2", 112, warned), "backend-closed", "", append(guilty, "backend-alert")},
		{"a warning before it, and an alert behind", refused("ClsxknGIFl", "TLSv1.2", 112, warned, backendAlert(80, "internal_error")), "backend-alert", "internal_error", guilty},

		{"handshake_failure in its place", refused("Cl", "", 40), "backend-cipher-no-overlap", "", []string{"backend-alert"}},
		{"protocol_version in its place", refused("Cl", "", 70), "backend-version-no-overlap", "", []string{"backend-alert"}},
		{"unrecognized_name in its place", refused("Cl", "", 112), "sni-required-by-backend", "", []string{"backend-alert"}},
		{"no_application_protocol in its place", refused("Cl", "", 120), "backend-alpn-mismatch", "", []string{"backend-alert"}},

		{"between strangers, protocol_version", foreign("CsxknGIFl", "TLSv1.2", 70), "server-alert", "", []string{"version-no-overlap"}},
		{"between strangers, unrecognized_name", foreign("CsxknGIFl", "TLSv1.2", 112), "server-alert", "", []string{"sni-unknown", "sni-missing"}},
		{"between strangers, no_application_protocol", foreign("CsxknGIFl", "TLSv1.2", 120), "server-alert", "", []string{"alpn-no-overlap"}},
		{"between strangers, protocol_version in its place", foreign("Cl", "", 70), "version-no-overlap", "", []string{"server-alert"}},
		{"between strangers, no_application_protocol in TLS 1.3", foreign("Cs", "TLSv1.3", 120), "alpn-no-overlap", "", []string{"server-alert"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := tt.in
			(&Diagnoser{}).Diagnose(c)
			if c.Cause != tt.cause || !strings.Contains(c.Findings[0].Detail, tt.words) {
				t.Errorf("cause %s, want %s; nothing of %q in %q", c.Cause, tt.cause, tt.words, c.Findings[0].Detail)
			}
			for _, f := range c.Findings {
				for _, id := range tt.never {
					if f.ID == id {
						t.Errorf("%s: %s", f.ID, f.Detail)
					}
				}
			}
		})
	}
}
