package diagnose

import (
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
)

func TestClientsThatAreServedNothing(t *testing.T) {
	ended := func(end inspect.PeerEnd, change ...func(*inspect.Connection)) *inspect.Connection {
		c := healthy()
		c.Event.End, c.BackendLeg.PeerEnd, c.BackendLeg.Unanswered = inspect.EndedByBackend, end, true
		for _, f := range change {
			f(c)
		}
		return c
	}
	for _, tt := range []struct {
		name    string
		in      *inspect.Connection
		verdict inspect.Verdict
	}{
		{"truncated", ended(inspect.PeerTruncated), inspect.Failed},
		{"close_notify", ended(inspect.PeerCloseNotify), inspect.Failed},
		{"something came", ended(inspect.PeerTruncated, func(c *inspect.Connection) { c.BackendLeg.Unanswered = false }), inspect.OK},
		{"the client left first", ended(inspect.PeerTruncated, func(c *inspect.Connection) { c.Event.End = inspect.EndedByClient }), inspect.OK},
		{"no protocol that answers", ended(inspect.PeerCloseNotify, func(c *inspect.Connection) {
			c.ClientLeg.TLS.NextProtocol, c.BackendLeg.TLS.NextProtocol = "mqtt", "mqtt"
		}), inspect.OK},
	} {
		c := tt.in
		(&Diagnoser{}).Diagnose(c)
		if c.Verdict != tt.verdict || tt.verdict == inspect.Failed && (c.Cause != "backend-truncated" || c.Fault != inspect.FaultBackend || !strings.Contains(c.Findings[0].Detail, "nothing at all")) {
			t.Errorf("%s: %s %s %s %+v", tt.name, c.Verdict, c.Cause, c.Fault, c.Findings)
		}
	}
}

// What clients are told of signatures, key exchange and UDP is no more than what was seen.
func TestNoMoreThanWasSeen(t *testing.T) {
	onlyRSA := edit(func(h *inspect.Hello) {
		h.SupportedVersions, h.SupportedCiphers = []string{"TLSv1.3"}, []string{"TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256"}
		h.SignatureAlgorithms = []string{"rsa_pss_rsae_sha256"}
	})
	refused := func(change ...func(*inspect.Connection)) *inspect.Connection {
		c := captured(append([]func(*inspect.Connection){unanswered(inspect.ErrorAlertSent), clientAlert(inspect.FromServer, 40, "handshake_failure")}, change...)...)
		c.Event.Source, c.ClientLeg.Passthrough = inspect.SourceProxy, true
		c.BackendLeg = &inspect.Leg{Address: "198.51.100.7", Port: 8443, Passthrough: true}
		return c
	}
	left := func(history string) *inspect.Connection {
		return frontFails(inspect.ErrorClosed, inspect.PhaseHandshake, func(c *inspect.Connection) {
			c.ClientLeg.TLS.Version, c.ClientLeg.TLS.Handshake = "TLSv1.2", &inspect.Handshake{History: history}
			c.ClientLeg.TLS.Server = &inspect.Server{CertificateChain: []inspect.Certificate{{Subject: "CN=" + siteName, Issuer: "CN=x", AlternativeNames: []string{siteName}}}}
		})
	}
	overUDP := func(passed bool) *inspect.Connection {
		c := backFails(inspect.ErrorRefused, inspect.PhaseDial)
		c.BackendLeg.TLS = nil
		if c.BackendLeg.Passthrough = passed; passed {
			c.Transport, c.ClientLeg.Passthrough = inspect.TransportQUIC, true
		}
		return c
	}
	for _, tt := range []struct {
		name          string
		in            *inspect.Connection
		cause         string
		words, silent string
	}{
		{"TLS 1.3 with the suite that all have, and RSA alone", refused(onlyRSA), "signature-no-overlap", "rsa_pss_rsae_sha256", ""},
		{"and ECDSA, too", refused(onlyRSA, edit(func(h *inspect.Hello) {
			h.SignatureAlgorithms = append(h.SignatureAlgorithms, "ecdsa_secp256r1_sha256")
		})), "cipher-no-overlap", "", ""},
		{"TLS 1.2 as well", refused(onlyRSA, edit(func(h *inspect.Hello) { h.SupportedVersions = []string{"TLSv1.3", "TLSv1.2"} })), "cipher-no-overlap", "", ""},
		{"gone behind the key exchange", left("CsxknGI"), "client-aborted", "its part of the key exchange", "does not accept"},
		{"gone behind the certificate", left("Csxkn"), "client-aborted", "does not accept", "key exchange"},
		{"nobody on UDP", overUDP(true), "backend-refused", "ss -lunp", "ss -ltnp"},
		{"nobody on TCP", overUDP(false), "backend-refused", "ss -ltnp", "ss -lunp"},
	} {
		c := tt.in
		(&Diagnoser{}).Diagnose(c)
		said := c.Findings[0].Title + c.Findings[0].Detail
		for _, x := range c.Findings[0].Fixes {
			said += x.Snippet
		}
		if c.Cause != tt.cause || !strings.Contains(said, tt.words) || tt.silent != "" && strings.Contains(said, tt.silent) {
			t.Errorf("%s: %s; want %s with %q and without %q: %s", tt.name, c.Cause, tt.cause, tt.words, tt.silent, said)
		}
	}
}
