package diagnose

import (
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// noon is when all test connections happen.
var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

const siteName = "api.example.com"

// healthy is a connection that nobody has anything to say about: a modern client, a modern backend.
func healthy() *inspect.Connection {
	leg := func() *inspect.TLS {
		return &inspect.TLS{
			Established: true, Version: "TLSv1.3", Cipher: "TLS_AES_128_GCM_SHA256", Curve: "X25519MLKEM768", NextProtocol: "h2",
			Client: modernHello(), Server: &inspect.Server{Validation: &inspect.Validation{Status: inspect.ValidationValid}},
		}
	}
	c := &inspect.Connection{
		Schema: inspect.SchemaVersion, Timestamp: noon, Transport: inspect.TransportTCP,
		Event:      inspect.Event{ID: "01", Source: inspect.SourceProxy, Outcome: inspect.Success},
		Client:     inspect.Endpoint{Address: "192.0.2.9", Port: 51234},
		Server:     inspect.Endpoint{Address: "192.0.2.1", Port: 443},
		ClientLeg:  &inspect.Leg{TLS: leg()},
		BackendLeg: &inspect.Leg{Address: "127.0.0.1", Port: 8443, ServerName: siteName, TLS: leg()},
	}
	c.BackendLeg.TLS.Server.CertificateChain = []inspect.Certificate{{
		Subject: "CN=" + siteName, Issuer: "CN=Issuing CA", AlternativeNames: []string{siteName},
		NotBefore: noon.AddDate(0, -2, 0), NotAfter: noon.AddDate(0, 10, 0),
	}}
	c.ClientLeg.TLS.Server = nil
	return c
}

func modernHello() *inspect.Hello {
	return &inspect.Hello{
		ServerName: siteName, LegacyVersion: "TLSv1.2", RecordVersion: "TLSv1.0", SupportedVersions: []string{"TLSv1.3", "TLSv1.2"},
		SupportedCiphers:    []string{"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_RSA_WITH_AES_128_CBC_SHA"},
		SupportedGroups:     []string{"X25519MLKEM768", "x25519", "secp256r1"},
		SignatureAlgorithms: []string{"ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256", "rsa_pkcs1_sha256"},
		ALPNProtocols:       []string{"h2", "http/1.1"}, CompressionMethods: []string{"null"},
		Message: &inspect.HelloBytes{Size: 1787, Records: 1, Segments: 2, Complete: true},
	}
}

// oldHello is that of a client of 2010.
func oldHello(version string) *inspect.Hello {
	return &inspect.Hello{
		ServerName: siteName, LegacyVersion: version, RecordVersion: version, SupportedVersions: []string{version}, SupportedVersionsDerived: true,
		SupportedCiphers: []string{"TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_WITH_3DES_EDE_CBC_SHA", "TLS_EMPTY_RENEGOTIATION_INFO_SCSV"},
		Message:          &inspect.HelloBytes{Size: 180, Records: 1, Segments: 1, Complete: true},
	}
}

// frontFails is a proxied connection whose client leg was not established; there was no backend leg yet.
func frontFails(t inspect.ErrorType, phase inspect.Phase, change ...func(*inspect.Connection)) *inspect.Connection {
	c := healthy()
	c.Event.Outcome = inspect.Failure
	c.BackendLeg = nil
	c.ClientLeg.TLS = &inspect.TLS{Client: c.ClientLeg.TLS.Client}
	c.ClientLeg.Error = &inspect.Error{Type: t, Phase: phase}
	for _, f := range change {
		f(c)
	}
	return c
}

// silentFront is one whose client said nothing that is TLS.
func silentFront(t inspect.ErrorType, protocol, line string) *inspect.Connection {
	c := frontFails(t, inspect.PhasePeek)
	c.ClientLeg.TLS = nil
	if protocol != "" {
		c.ClientLeg.FirstBytes = &inspect.FirstBytes{Protocol: protocol, Summary: line}
	}
	return c
}

// backFails is a proxied connection whose backend leg was not established; the client was told 502.
func backFails(t inspect.ErrorType, phase inspect.Phase, change ...func(*inspect.Connection)) *inspect.Connection {
	c := healthy()
	c.Event.Outcome = inspect.Failure
	c.BackendLeg.TLS = &inspect.TLS{Client: c.BackendLeg.TLS.Client}
	c.BackendLeg.Error = &inspect.Error{Type: t, Phase: phase}
	for _, f := range change {
		f(c)
	}
	return c
}

// captured is the client leg alone, between two strangers.
func captured(change ...func(*inspect.Connection)) *inspect.Connection {
	c := healthy()
	c.Event.Source = inspect.SourceCapture
	c.ClientLeg.TLS.Server = c.BackendLeg.TLS.Server
	c.BackendLeg = nil
	for _, f := range change {
		f(c)
	}
	return c
}

// shows adds what a capture shows of the packets.
func shows(what inspect.Capture) func(*inspect.Connection) {
	return func(c *inspect.Connection) { c.Capture = &what }
}

func with(f func(*inspect.Connection)) *inspect.Connection {
	c := healthy()
	f(c)
	return c
}

func hello(h *inspect.Hello) func(*inspect.Connection) {
	return func(c *inspect.Connection) { c.ClientLeg.TLS.Client = h }
}

func edit(f func(h *inspect.Hello)) func(*inspect.Connection) {
	return func(c *inspect.Connection) { f(c.ClientLeg.TLS.Client) }
}

func clientAlert(from inspect.Side, code uint8, name string) func(*inspect.Connection) {
	return func(c *inspect.Connection) {
		c.ClientLeg.TLS.Alerts = append(c.ClientLeg.TLS.Alerts, inspect.Alert{Level: "fatal", Code: code, Description: name, From: from})
	}
}

func backendAlert(code uint8, name string) func(*inspect.Connection) {
	return func(c *inspect.Connection) {
		c.BackendLeg.TLS.Alerts = append(c.BackendLeg.TLS.Alerts, inspect.Alert{Level: "fatal", Code: code, Description: name, From: inspect.FromServer})
	}
}

func asked(sent bool) func(*inspect.Connection) {
	return func(c *inspect.Connection) {
		c.BackendLeg.TLS.Server = &inspect.Server{CertificateRequest: &inspect.CertificateRequest{Authorities: []string{"CN=Clients CA"}, CertificateSent: sent}}
	}
}

func fails(t inspect.ErrorType) func(*inspect.Connection) {
	return func(c *inspect.Connection) {
		c.Event.Outcome = inspect.Failure
		c.ClientLeg.TLS = &inspect.TLS{Client: c.ClientLeg.TLS.Client, Server: c.ClientLeg.TLS.Server}
		c.ClientLeg.Error = &inspect.Error{Type: t, Phase: inspect.PhaseHandshake}
	}
}

// refusedBy gives the connection a policy that refuses it.
func refusedBy(dimension string, offered, accepts []string) func(*inspect.Connection) {
	return func(c *inspect.Connection) {
		c.Policy = &inspect.PolicyOutcome{Name: "aws/ELBSecurityPolicy-TLS13-1-2-2021-06", RejectedBy: dimension, Offered: offered, Accepts: accepts, Alert: "handshake_failure"}
	}
}

func enforced(c *inspect.Connection) { c.Policy.Enforced = true }

// replayed is a recorded hello that was sent again.
func replayed(change ...func(*inspect.Connection)) *inspect.Connection {
	c := captured(change...)
	c.Event.Source = inspect.SourceReplay
	return c
}

// unanswered ends the client leg after a hello to which the server said nothing.
func unanswered(t inspect.ErrorType) func(*inspect.Connection) {
	return func(c *inspect.Connection) {
		fails(t)(c)
		c.ClientLeg.TLS.Server = nil
	}
}

// inPlainText is a connection whose client began in plain text, on a listener where it has to ask for TLS, and came no further.
func inPlainText(protocol, answer string, refused bool) *inspect.Connection {
	c := silentFront(inspect.ErrorStartTLS, "", "")
	c.ClientLeg.Error.Phase = inspect.PhaseStartTLS
	c.ClientLeg.StartTLS = &inspect.StartTLS{Protocol: protocol, Refused: refused, Answer: answer}
	return c
}
