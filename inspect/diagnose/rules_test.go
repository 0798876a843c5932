package diagnose

import (
	"slices"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// ruleCase is a connection with what must be said of it.
type ruleCase struct {
	name    string
	in      *inspect.Connection
	cause   string
	fault   inspect.Fault
	verdict inspect.Verdict
	also    []string   // other ids that must be found
	never   []string   // ids that must not be found
	d       *Diagnoser // nil: the zero value
}

func ruleCases() []ruleCase {
	return []ruleCase{
		// The proxy itself.
		{name: "no slot free", in: silentFront(inspect.ErrorOverloaded, "", ""), cause: "proxy-overloaded", fault: inspect.FaultProxy, verdict: inspect.Failed},
		{name: "the certificate is still being ordered", in: frontFails(inspect.ErrorCertificatePending, inspect.PhaseHandshake), cause: "listener-certificate-missing", fault: inspect.FaultProxy, verdict: inspect.Failed, never: []string{"sni-unknown", "handshake-unexplained"}},
		{name: "a segment that never arrives", in: captured(unanswered(inspect.ErrorStuck), shows(inspect.Capture{Stuck: &inspect.StuckSegment{From: inspect.FromClient, Size: 1448, Times: 6, Acked: 517, Duration: 12000}})), cause: "segment-lost", fault: inspect.FaultNetwork, verdict: inspect.Failed, never: []string{"handshake-unexplained", "backend-timeout"}},
		{name: "nobody answers", in: captured(unanswered(inspect.ErrorNoAnswer), shows(inspect.Capture{SYNs: 5})), cause: "no-answer", fault: inspect.FaultNetwork, verdict: inspect.Failed, never: []string{"handshake-unexplained"}},
		{name: "the answer never arrives", in: captured(unanswered(inspect.ErrorUnacknowledged), shows(inspect.Capture{SYNs: 5})), cause: "answer-lost", fault: inspect.FaultNetwork, verdict: inspect.Failed, never: []string{"handshake-unexplained", "no-answer", "backend-refused"}},
		{name: "it stands still", in: captured(unanswered(inspect.ErrorStalled)), cause: "handshake-stalled", fault: inspect.FaultBackend, verdict: inspect.Failed, never: []string{"handshake-unexplained"}},
		{name: "the client closes before any answer, in a capture", in: captured(unanswered(inspect.ErrorClosed), shows(inspect.Capture{End: inspect.EndFINClient})), cause: "client-aborted", fault: inspect.FaultNoise, verdict: inspect.Warning, never: []string{"backend-closed", "handshake-unexplained"}},
		{name: "the client closes before the answer reaches it, in a capture", in: captured(fails(inspect.ErrorClosed), shows(inspect.Capture{End: inspect.EndFINClient, Server: inspect.CaptureSide{Bytes: 3600}, Unheard: &inspect.Unheard{Sent: 3600}}), func(c *inspect.Connection) { c.ClientLeg.TLS.Handshake = &inspect.Handshake{History: "Csxkn"} }), cause: "client-aborted", fault: inspect.FaultNoise, verdict: inspect.Warning, never: []string{"backend-closed", "handshake-unexplained"}},
		{name: "the client's own reset before the answer reaches it, in a capture", in: captured(fails(inspect.ErrorReset), shows(inspect.Capture{End: inspect.EndResetClient, Client: inspect.CaptureSide{TTL: 64, ResetTTL: 64}, Unheard: &inspect.Unheard{Sent: 3600}})), cause: "client-aborted", fault: inspect.FaultNoise, verdict: inspect.Warning},
		{name: "a reset from elsewhere before the answer reaches the client, in a capture", in: captured(fails(inspect.ErrorReset), shows(inspect.Capture{End: inspect.EndResetClient, Client: inspect.CaptureSide{TTL: 64, ResetTTL: 51}, Unheard: &inspect.Unheard{Sent: 3600}})), cause: "client-aborted", fault: inspect.FaultNetwork, verdict: inspect.Failed},
		{name: "the answer comes when the client has given up, in a capture", in: captured(fails(inspect.ErrorStalled), shows(inspect.Capture{End: inspect.EndFINClient, Unheard: &inspect.Unheard{Sent: 3600}}), func(c *inspect.Connection) { c.ClientLeg.TLS.Handshake = &inspect.Handshake{History: "Csxkn"} }), cause: "handshake-stalled", fault: inspect.FaultBackend, verdict: inspect.Failed},
		{name: "connect, and the server closes after a while, in a capture", in: captured(fails(inspect.ErrorEmpty), func(c *inspect.Connection) { c.ClientLeg.TLS = nil }, shows(inspect.Capture{End: inspect.EndFINServer})), cause: "connection-empty", fault: inspect.FaultNoise, verdict: inspect.Warning, never: []string{"backend-closed"}},
		{name: "the server closes behind its flight, in a capture", in: captured(fails(inspect.ErrorClosed), shows(inspect.Capture{End: inspect.EndFINServer}), func(c *inspect.Connection) { c.ClientLeg.TLS.Handshake = &inspect.Handshake{History: "Csxkn"} }), cause: "backend-closed", fault: inspect.FaultBackend, verdict: inspect.Failed, never: []string{"client-aborted"}},
		{name: "an encrypted alert in place of Finished", in: captured(fails(inspect.ErrorClosed), shows(inspect.Capture{Inferred: []inspect.Inference{{Kind: inspect.InferredCertificateRefused, Basis: "19 bytes after the server's flight"}}})), cause: "server-cert-rejected-by-client", fault: inspect.FaultClient, verdict: inspect.Failed},
		{name: "an encrypted alert after an empty certificate message", in: captured(fails(inspect.ErrorAlertSent), shows(inspect.Capture{Inferred: []inspect.Inference{{Kind: inspect.InferredClientCertificateMissing, Basis: "25 bytes before Finished"}}})), cause: "client-cert-missing", fault: inspect.FaultClient, verdict: inspect.Failed},
		{name: "an encrypted alert after the client's certificate", in: captured(fails(inspect.ErrorClosed), shows(inspect.Capture{Inferred: []inspect.Inference{{Kind: inspect.InferredClientCertificateRefused, Basis: "19 bytes after Finished"}}})), cause: "client-cert-untrusted", fault: inspect.FaultClient, verdict: inspect.Failed},
		{name: "perhaps an encrypted alert after an empty certificate message", in: captured(func(c *inspect.Connection) { c.ClientLeg.TLS.Established, c.Event.Outcome = false, inspect.Unknown }, shows(inspect.Capture{Inferred: []inspect.Inference{{Kind: inspect.InferredClientCertificateMissing, Basis: "one record of 19 bytes"}}})), cause: "client-cert-missing", fault: inspect.FaultClient, verdict: inspect.Warning, never: []string{"handshake-unexplained", "client-aborted", "backend-closed"}},
		{name: "perhaps an encrypted alert after the client's certificate", in: captured(func(c *inspect.Connection) { c.ClientLeg.TLS.Established, c.Event.Outcome = false, inspect.Unknown }, shows(inspect.Capture{Inferred: []inspect.Inference{{Kind: inspect.InferredClientCertificateRefused, Basis: "one record of 19 bytes"}}})), cause: "client-cert-untrusted", fault: inspect.FaultClient, verdict: inspect.Warning, never: []string{"handshake-unexplained", "client-aborted", "backend-closed"}},
		{name: "handshake_failure behind an empty certificate whose request is not in the capture", in: captured(fails(inspect.ErrorAlertSent), clientAlert(inspect.FromServer, 40, "handshake_failure"), func(c *inspect.Connection) { c.ClientLeg.TLS.Handshake = &inspect.Handshake{History: "CsXGIF"} }, shows(inspect.Capture{Server: inspect.CaptureSide{LostBytes: 598}})), cause: "client-cert-missing", fault: inspect.FaultClient, verdict: inspect.Failed, never: []string{"cipher-no-overlap", "server-alert"}},
		{name: "handshake_failure behind a ServerHello, with the client's answer not in the capture", in: captured(fails(inspect.ErrorAlertSent), clientAlert(inspect.FromServer, 40, "handshake_failure"), func(c *inspect.Connection) { c.ClientLeg.TLS.Handshake = &inspect.Handshake{History: "Csxkrn"} }, func(c *inspect.Connection) {
			c.ClientLeg.TLS.Server = &inspect.Server{CertificateRequest: &inspect.CertificateRequest{CertificateSent: false}}
		}, shows(inspect.Capture{Client: inspect.CaptureSide{LostBytes: 1178}})), cause: "server-alert", verdict: inspect.Failed, fault: inspect.FaultBackend, never: []string{"cipher-no-overlap", "client-cert-missing", "sni-missing"}},
		{name: "insufficient_security behind a ServerHello", in: captured(fails(inspect.ErrorAlertSent), clientAlert(inspect.FromServer, 71, "insufficient_security"), func(c *inspect.Connection) { c.ClientLeg.TLS.Handshake = &inspect.Handshake{History: "Csxkn"} }), cause: "server-alert", verdict: inspect.Failed, fault: inspect.FaultBackend, never: []string{"cipher-no-overlap"}},
		{name: "unknown_ca, and the packet with the certificate is not in the capture", in: captured(fails(inspect.ErrorAlertSent), clientAlert(inspect.FromServer, 48, "unknown_ca"), func(c *inspect.Connection) { c.ClientLeg.TLS.Handshake = &inspect.Handshake{History: "Csxkrn"} }, func(c *inspect.Connection) {
			c.ClientLeg.TLS.Server = &inspect.Server{CertificateRequest: &inspect.CertificateRequest{CertificateSent: false}}
		}, shows(inspect.Capture{Client: inspect.CaptureSide{LostBytes: 1178}})), cause: "client-cert-untrusted", fault: inspect.FaultClient, verdict: inspect.Failed, never: []string{"client-cert-missing"}},
		{name: "bad_certificate, and what the client sent is not in the capture", in: captured(fails(inspect.ErrorAlertSent), clientAlert(inspect.FromServer, 42, "bad_certificate"), func(c *inspect.Connection) { c.ClientLeg.TLS.Handshake = &inspect.Handshake{History: "Csxkrn"} }, func(c *inspect.Connection) {
			c.ClientLeg.TLS.Server = &inspect.Server{CertificateRequest: &inspect.CertificateRequest{CertificateSent: false}}
		}, shows(inspect.Capture{Client: inspect.CaptureSide{LostBytes: 1178}})), cause: "client-cert-untrusted", fault: inspect.FaultClient, verdict: inspect.Failed, never: []string{"client-cert-missing"}},
		{name: "bad_certificate to a client that sent none", in: captured(fails(inspect.ErrorAlertSent), clientAlert(inspect.FromServer, 42, "bad_certificate"), func(c *inspect.Connection) { c.ClientLeg.TLS.Handshake = &inspect.Handshake{History: "CsxkrnX"} }, func(c *inspect.Connection) {
			c.ClientLeg.TLS.Server = &inspect.Server{CertificateRequest: &inspect.CertificateRequest{CertificateSent: false}}
		}, shows(inspect.Capture{})), cause: "client-cert-missing", fault: inspect.FaultClient, verdict: inspect.Failed, never: []string{"client-cert-untrusted"}},
		{name: "no certificate, and the handshake is done", in: captured(func(c *inspect.Connection) { c.ClientLeg.TLS.Handshake = &inspect.Handshake{History: "CsxkrnXGIFif"} }, func(c *inspect.Connection) {
			c.ClientLeg.TLS.Server = &inspect.Server{CertificateRequest: &inspect.CertificateRequest{CertificateSent: false}}
		}, shows(inspect.Capture{})), also: []string{"client-cert-missing"}, verdict: inspect.OK},
		{name: "a certificate, and the handshake is done", in: captured(func(c *inspect.Connection) { c.ClientLeg.TLS.Handshake = &inspect.Handshake{History: "CsxkrnXGYIFif"} }, func(c *inspect.Connection) {
			c.ClientLeg.TLS.Server = &inspect.Server{CertificateRequest: &inspect.CertificateRequest{CertificateSent: true}}
		}, shows(inspect.Capture{})), verdict: inspect.OK, never: []string{"client-cert-missing"}},
		{name: "half a ServerHello", in: captured(unanswered(inspect.ErrorStalled), shows(inspect.Capture{End: inspect.EndFINClient, Server: inspect.CaptureSide{Bytes: 51}})), cause: "handshake-stalled", fault: inspect.FaultBackend, verdict: inspect.Failed, never: []string{"client-aborted"}},
		{name: "STARTTLS refused in a capture", in: captured(unanswered(inspect.ErrorStartTLS), shows(inspect.Capture{Upgrade: "smtp", End: inspect.EndResetServer}), func(c *inspect.Connection) {
			c.ClientLeg.StartTLS = &inspect.StartTLS{Protocol: "smtp", Refused: true, Answer: "502 no"}
		}), cause: "backend-starttls-refused", fault: inspect.FaultBackend, verdict: inspect.Failed, never: []string{"client-starttls-missing", "backend-reset", "handshake-unexplained"}},
		{name: "a PROXY header that is answered in plain text, in a capture", in: captured(unanswered(inspect.ErrorNotTLS), shows(inspect.Capture{Upgrade: "proxy_protocol", End: inspect.EndFINServer}), func(c *inspect.Connection) {
			c.ClientLeg.ProxyProtocol, c.ClientLeg.FirstBytes = "v1", &inspect.FirstBytes{Protocol: "http_response", Summary: "HTTP/1.1 400 Bad Request"}
		}), cause: "backend-not-tls", fault: inspect.FaultClient, verdict: inspect.Failed, never: []string{"backend-closed", "handshake-unexplained"}},
		{name: "no PROXY header", in: silentFront(inspect.ErrorProxyProtocol, "", ""), cause: "proxy-protocol-missing", fault: inspect.FaultProxy, verdict: inspect.Failed},
		{name: "redirected to itself", in: silentFront(inspect.ErrorLoop, "", ""), cause: "proxy-loop", fault: inspect.FaultProxy, verdict: inspect.Failed, never: []string{"handshake-unexplained"}},
		{name: "early data", in: frontFails(inspect.ErrorUnsupported, inspect.PhaseHandshake, edit(func(h *inspect.Hello) { h.EarlyData = true })), cause: "early-data-refused", fault: inspect.FaultProxy, verdict: inspect.Failed, also: []string{"proxy-cannot-serve"}},
		{name: "the client goes on in plain text", in: inPlainText("smtp", "MAIL", true), cause: "client-starttls-missing", fault: inspect.FaultClient, verdict: inspect.Failed, never: []string{"handshake-unexplained", "not-tls-other"}},
		{name: "the client speaks TLS at once", in: inPlainText("imap", "a TLS handshake", false), cause: "client-starttls-missing", fault: inspect.FaultClient, verdict: inspect.Failed},
		{name: "a query is cancelled", in: inPlainText("postgres", "CancelRequest", true), also: []string{"client-starttls-missing"}, verdict: inspect.OK, never: []string{"handshake-unexplained"}},
		{name: "the backend refuses STARTTLS, and the client hears it", in: with(func(c *inspect.Connection) {
			c.Event.Outcome = inspect.Failure
			c.ClientLeg = &inspect.Leg{StartTLS: &inspect.StartTLS{Protocol: "smtp"}, Error: &inspect.Error{Type: inspect.ErrorStartTLS, Phase: inspect.PhaseStartTLS}}
			c.BackendLeg.TLS, c.BackendLeg.StartTLS = nil, &inspect.StartTLS{Protocol: "smtp", Refused: true, Answer: "454 4.7.0 TLS not available"}
			c.BackendLeg.Error = &inspect.Error{Type: inspect.ErrorStartTLS, Phase: inspect.PhaseStartTLS, Message: "454 4.7.0 TLS not available"}
		}), cause: "backend-starttls-refused", fault: inspect.FaultBackend, verdict: inspect.Failed, never: []string{"client-starttls-missing", "backend-not-tls", "handshake-unexplained"}},
		{name: "the backend cannot be reached before STARTTLS", in: with(func(c *inspect.Connection) {
			c.Event.Outcome = inspect.Failure
			c.ClientLeg = &inspect.Leg{StartTLS: &inspect.StartTLS{Protocol: "smtp"}, Error: &inspect.Error{Type: inspect.ErrorStartTLS, Phase: inspect.PhaseStartTLS}}
			c.BackendLeg.TLS = nil
			c.BackendLeg.Error = &inspect.Error{Type: inspect.ErrorRefused, Phase: inspect.PhaseDial}
		}), cause: "backend-refused", fault: inspect.FaultBackend, verdict: inspect.Failed, never: []string{"client-starttls-missing", "backend-starttls-refused", "handshake-unexplained"}},
		{name: "the backend ends without close_notify", in: with(func(c *inspect.Connection) {
			c.Event.End, c.BackendLeg.PeerEnd = inspect.EndedByBackend, inspect.PeerTruncated
		}), verdict: inspect.OK, also: []string{"backend-truncated"}},
		{name: "the backend resets in the middle", in: with(func(c *inspect.Connection) {
			c.Event.End, c.BackendLeg.PeerEnd = inspect.EndedByBackend, inspect.PeerReset
			c.BackendLeg.Error = &inspect.Error{Type: inspect.ErrorReset, Phase: inspect.PhaseTransfer}
		}), cause: "backend-reset-midway", fault: inspect.FaultBackend, verdict: inspect.Warning, never: []string{"backend-reset", "backend-truncated", "peer-breaks-tls"}},
		{name: "the backend resets instead of answering", in: with(func(c *inspect.Connection) {
			c.Event.End, c.BackendLeg.PeerEnd, c.BackendLeg.Unanswered = inspect.EndedByBackend, inspect.PeerReset, true
			c.BackendLeg.Error = &inspect.Error{Type: inspect.ErrorReset, Phase: inspect.PhaseTransfer}
		}), cause: "backend-reset-midway", fault: inspect.FaultBackend, verdict: inspect.Failed},
		{name: "the backend resets when the client has gone", in: with(func(c *inspect.Connection) {
			c.Event.End, c.BackendLeg.PeerEnd = inspect.EndedByClient, inspect.PeerReset
		}), verdict: inspect.OK, never: []string{"backend-reset-midway"}},
		{name: "the client renegotiates", in: with(func(c *inspect.Connection) {
			c.ClientLeg.Error = &inspect.Error{Type: inspect.ErrorAlertSent, Phase: inspect.PhaseTransfer, Message: "tls: received unexpected handshake message of type *tls.clientHelloMsg when waiting for *tls.helloRequestMsg"}
		}), cause: "peer-breaks-tls", fault: inspect.FaultProxy, verdict: inspect.Failed, never: []string{"handshake-unexplained"}},
		{name: "a flood of KeyUpdates", in: with(func(c *inspect.Connection) {
			c.ClientLeg.Error = &inspect.Error{Type: inspect.ErrorAlertSent, Phase: inspect.PhaseTransfer, Message: "tls: too many non-advancing records"}
		}), cause: "peer-breaks-tls", fault: inspect.FaultClient, verdict: inspect.Failed},
		{name: "the backend's records cannot be decrypted", in: with(func(c *inspect.Connection) {
			c.BackendLeg.Error = &inspect.Error{Type: inspect.ErrorAlertSent, Phase: inspect.PhaseTransfer, Message: "local error: tls: bad record MAC"}
		}), cause: "peer-breaks-tls", fault: inspect.FaultBackend, verdict: inspect.Failed, never: []string{"backend-protocol-error"}},
		{name: "the backend cuts an answer whose end nobody can tell", in: with(func(c *inspect.Connection) {
			c.Event.End, c.BackendLeg.PeerEnd, c.BackendLeg.OpenEnded = inspect.EndedByBackend, inspect.PeerTruncated, true
		}), cause: "backend-truncated", fault: inspect.FaultBackend, verdict: inspect.Warning},
		{name: "shut down in the handshake", in: frontFails(inspect.ErrorShutdown, inspect.PhaseHandshake), cause: "proxy-shutdown", fault: inspect.FaultProxy, verdict: inspect.Failed},

		// First bytes.
		{name: "connect and close", in: silentFront(inspect.ErrorEmpty, "", ""), cause: "connection-empty", fault: inspect.FaultNoise, verdict: inspect.Warning, never: []string{"handshake-unexplained"}},
		{name: "plain HTTP", in: silentFront(inspect.ErrorNotTLS, "http", "GET / HTTP/1.1"), cause: "not-tls-http", fault: inspect.FaultClient, verdict: inspect.Failed, never: []string{"not-tls-other"}},
		{name: "SSH banner", in: silentFront(inspect.ErrorNotTLS, "ssh", "SSH-2.0-OpenSSH_9.2"), cause: "not-tls-other", fault: inspect.FaultNoise, verdict: inspect.Failed, never: []string{"not-tls-http"}},
		{name: "unexpected PROXY header", in: silentFront(inspect.ErrorNotTLS, "proxy_protocol", "PROXY TCP4 …"), cause: "not-tls-other", fault: inspect.FaultProxy, verdict: inspect.Failed},
		{name: "broken hello", in: frontFails(inspect.ErrorMalformedHello, inspect.PhasePeek), cause: "client-hello-malformed", fault: inspect.FaultClient, verdict: inspect.Failed},
		{name: "an alert in the place of a hello", in: frontFails(inspect.ErrorMalformedHello, inspect.PhasePeek, hello(nil), clientAlert(inspect.FromClient, 40, "handshake_failure")), cause: "client-alert", fault: inspect.FaultClient, verdict: inspect.Failed, never: []string{"client-hello-malformed", "client-aborted"}},
		{name: "an alert about certificates in the place of a hello", in: frontFails(inspect.ErrorMalformedHello, inspect.PhasePeek, hello(nil), clientAlert(inspect.FromClient, 48, "unknown_ca")), cause: "client-alert", fault: inspect.FaultClient, verdict: inspect.Failed, never: []string{"client-hello-malformed", "server-cert-rejected-by-client"}},
		{name: "a goodbye in the place of a hello", in: frontFails(inspect.ErrorMalformedHello, inspect.PhasePeek, hello(nil), clientAlert(inspect.FromClient, 0, "close_notify")), cause: "client-alert", fault: inspect.FaultClient, verdict: inspect.Failed, never: []string{"client-hello-malformed"}},
		{name: "huge hello", in: frontFails(inspect.ErrorHelloTooLarge, inspect.PhasePeek), cause: "client-hello-malformed", fault: inspect.FaultClient, verdict: inspect.Failed},
		{name: "hello cut short", in: frontFails(inspect.ErrorIncompleteHello, inspect.PhasePeek, edit(func(h *inspect.Hello) { h.Message.Complete = false })), cause: "client-hello-incomplete", fault: inspect.FaultClient, verdict: inspect.Failed},
		{name: "two readings", in: frontFails(inspect.ErrorViewsDiffer, inspect.PhaseHandshake), cause: "proxy-name-views-differ", fault: inspect.FaultClient, verdict: inspect.Failed},
		{name: "SSLv2 hello refused", in: frontFails(inspect.ErrorUnsupported, inspect.PhaseDecide, hello(oldHello("TLSv1.0")), edit(func(h *inspect.Hello) { h.Message.SSLv2 = true })),
			cause: "sslv2-hello", fault: inspect.FaultClient, verdict: inspect.Failed, also: []string{"proxy-cannot-serve"}},
		{name: "SSLv2 hello passed through", in: with(func(c *inspect.Connection) {
			c.ClientLeg.Passthrough, c.ClientLeg.TLS.Version = true, "TLSv1.2"
			c.ClientLeg.TLS.Client = modernHello()
			c.ClientLeg.TLS.Client.Message.SSLv2 = true
			c.BackendLeg = &inspect.Leg{Passthrough: true, Address: "127.0.0.1", Port: 8443}
		}), cause: "sslv2-hello", fault: inspect.FaultClient, verdict: inspect.Warning, never: []string{"proxy-cannot-serve", "handshake-unexplained"}},

		// The backend.
		{name: "no such host", in: backFails(inspect.ErrorUnresolvable, inspect.PhaseResolve), cause: "backend-unresolvable", fault: inspect.FaultProxy, verdict: inspect.Failed},
		{name: "closed port", in: backFails(inspect.ErrorRefused, inspect.PhaseDial), cause: "backend-refused", fault: inspect.FaultBackend, verdict: inspect.Failed},
		{name: "closed port, plain backend", in: backFails(inspect.ErrorRefused, inspect.PhaseDial, func(c *inspect.Connection) { c.BackendLeg.Plain, c.BackendLeg.TLS = true, nil }), cause: "backend-refused", fault: inspect.FaultBackend, verdict: inspect.Failed},
		{name: "no route", in: backFails(inspect.ErrorUnreachable, inspect.PhaseDial), cause: "backend-unreachable", fault: inspect.FaultNetwork, verdict: inspect.Failed},
		{name: "dial timeout", in: backFails(inspect.ErrorTimeout, inspect.PhaseDial), cause: "backend-timeout", fault: inspect.FaultNetwork, verdict: inspect.Failed},
		{name: "silent backend", in: backFails(inspect.ErrorTimeout, inspect.PhaseHandshake), cause: "backend-timeout", fault: inspect.FaultBackend, verdict: inspect.Failed},
		{name: "backend resets", in: backFails(inspect.ErrorReset, inspect.PhaseHandshake), cause: "backend-reset", fault: inspect.FaultNetwork, verdict: inspect.Failed},
		{name: "backend closes", in: backFails(inspect.ErrorClosed, inspect.PhaseHandshake), cause: "backend-closed", fault: inspect.FaultBackend, verdict: inspect.Failed, never: []string{"backend-requires-client-cert"}},
		{name: "plain HTTP backend", in: backFails(inspect.ErrorNotTLS, inspect.PhaseHandshake, func(c *inspect.Connection) {
			c.BackendLeg.FirstBytes = &inspect.FirstBytes{Protocol: "http", Summary: "HTTP/1.1 400 Bad Request"}
		}), cause: "backend-not-tls", fault: inspect.FaultBackend, verdict: inspect.Failed, never: []string{"not-tls-http"}},
		{name: "our PROXY header spoils the backend's TLS", in: backFails(inspect.ErrorNotTLS, inspect.PhaseHandshake, func(c *inspect.Connection) {
			c.BackendLeg.ProxyProtocol = "v1"
			c.BackendLeg.FirstBytes = &inspect.FirstBytes{Protocol: "http_response", Summary: "HTTP/1.1 400 Bad Request"}
		}), cause: "backend-not-tls", fault: inspect.FaultProxy, verdict: inspect.Failed},
		{name: "a certificate alert to a hello, no certificate asked for", in: backFails(inspect.ErrorAlertReceived, inspect.PhaseHandshake, backendAlert(42, "bad_certificate")), cause: "backend-alert", fault: inspect.FaultBackend, verdict: inspect.Failed,
			never: []string{"backend-rejects-client-cert"}},
		{name: "we offer less than we could", in: backFails(inspect.ErrorAlertReceived, inspect.PhaseHandshake, backendAlert(70, "protocol_version"), func(c *inspect.Connection) {
			c.BackendLeg.TLS.Client.SupportedVersions = []string{"TLSv1.2"}
		}), cause: "backend-version-no-overlap", fault: inspect.FaultProxy, verdict: inspect.Failed},
		{name: "plain backend and the client gives up", in: backFails(inspect.ErrorNotTLS, inspect.PhaseHandshake, fails(inspect.ErrorClosed)), cause: "backend-not-tls", fault: inspect.FaultBackend, verdict: inspect.Failed, also: []string{"client-aborted"}},
		{name: "backend version", in: backFails(inspect.ErrorAlertReceived, inspect.PhaseHandshake, backendAlert(70, "protocol_version")), cause: "backend-version-no-overlap", fault: inspect.FaultBackend, verdict: inspect.Failed, also: []string{"backend-stricter-than-proxy"}},
		{name: "backend chose an old version", in: backFails(inspect.ErrorNoCommonVersion, inspect.PhaseHandshake), cause: "backend-version-no-overlap", fault: inspect.FaultBackend, verdict: inspect.Failed},
		{name: "backend suites", in: backFails(inspect.ErrorAlertReceived, inspect.PhaseHandshake, backendAlert(40, "handshake_failure")), cause: "backend-cipher-no-overlap", fault: inspect.FaultBackend, verdict: inspect.Failed},
		{name: "backend takes our hello for a fallback", in: backFails(inspect.ErrorAlertReceived, inspect.PhaseHandshake, backendAlert(86, "inappropriate_fallback")), cause: "backend-alert", fault: inspect.FaultBackend, verdict: inspect.Failed, never: []string{"backend-version-no-overlap"}},
		{name: "backend refuses a real fallback", in: backFails(inspect.ErrorAlertReceived, inspect.PhaseHandshake, backendAlert(86, "inappropriate_fallback"), func(c *inspect.Connection) {
			c.BackendLeg.TLS.Client.SupportedVersions = []string{"TLSv1.2"}
			c.BackendLeg.TLS.Client.SupportedCiphers = append(c.BackendLeg.TLS.Client.SupportedCiphers, "TLS_FALLBACK_SCSV")
		}), cause: "backend-version-no-overlap", fault: inspect.FaultProxy, verdict: inspect.Failed},
		{name: "backend misses an extension, and the name was sent", in: backFails(inspect.ErrorAlertReceived, inspect.PhaseHandshake, backendAlert(109, "missing_extension")), cause: "backend-alert", fault: inspect.FaultBackend, verdict: inspect.Failed, never: []string{"backend-cipher-no-overlap"}},
		{name: "backend misses an extension: the name", in: backFails(inspect.ErrorAlertReceived, inspect.PhaseHandshake, backendAlert(109, "missing_extension"), func(c *inspect.Connection) { c.BackendLeg.TLS.Client.ServerName = "" }), cause: "sni-required-by-backend", fault: inspect.FaultProxy, verdict: inspect.Failed},
		{name: "backend refuses a nameless hello, and gives no reason", in: backFails(inspect.ErrorAlertReceived, inspect.PhaseHandshake, backendAlert(40, "handshake_failure"), func(c *inspect.Connection) { c.BackendLeg.TLS.Client.ServerName = "" }), cause: "backend-alert", fault: inspect.FaultBackend, never: []string{"sni-required-by-backend", "backend-cipher-no-overlap"}, verdict: inspect.Failed},
		{name: "backend knows no such name", in: backFails(inspect.ErrorAlertReceived, inspect.PhaseHandshake, backendAlert(112, "unrecognized_name")), cause: "sni-required-by-backend", fault: inspect.FaultBackend, verdict: inspect.Failed},
		{name: "backend wants a certificate, TLS 1.2", in: backFails(inspect.ErrorAlertReceived, inspect.PhaseHandshake, asked(false), backendAlert(42, "bad_certificate")), cause: "backend-requires-client-cert", fault: inspect.FaultProxy, verdict: inspect.Failed},
		{name: "backend wants a certificate, TLS 1.3", in: with(func(c *inspect.Connection) {
			asked(false)(c)
			backendAlert(116, "certificate_required")(c)
			c.BackendLeg.Error = &inspect.Error{Type: inspect.ErrorAlertReceived, Phase: inspect.PhaseTransfer}
		}), cause: "backend-requires-client-cert", fault: inspect.FaultProxy, verdict: inspect.Failed},
		{name: "backend wants a certificate and closes", in: backFails(inspect.ErrorClosed, inspect.PhaseHandshake, asked(false)), cause: "backend-requires-client-cert", fault: inspect.FaultProxy, verdict: inspect.Failed, never: []string{"backend-closed"}},
		{name: "backend rejects ours", in: backFails(inspect.ErrorAlertReceived, inspect.PhaseHandshake, asked(true), backendAlert(48, "unknown_ca")), cause: "backend-rejects-client-cert", fault: inspect.FaultProxy, verdict: inspect.Failed},
		{name: "backend ALPN", in: backFails(inspect.ErrorAlertReceived, inspect.PhaseHandshake, backendAlert(120, "no_application_protocol")), cause: "backend-alpn-mismatch", fault: inspect.FaultBackend, verdict: inspect.Failed},
		{name: "gRPC client, HTTP/1 backend", in: with(func(c *inspect.Connection) {
			c.ClientLeg.TLS.Client.ALPNProtocols, c.BackendLeg.TLS.Client.ALPNProtocols = []string{"h2"}, []string{"h2"}
			c.ClientLeg.TLS.NextProtocol, c.BackendLeg.TLS.NextProtocol = "", ""
		}), cause: "backend-alpn-mismatch", fault: inspect.FaultBackend, verdict: inspect.Warning},
		{name: "libpq speaks TLS at once to a PostgreSQL without ALPN, and leaves", in: with(func(c *inspect.Connection) {
			c.ClientLeg.TLS.Client.ALPNProtocols, c.BackendLeg.TLS.Client.ALPNProtocols = []string{"postgresql"}, []string{"postgresql"}
			c.ClientLeg.TLS.NextProtocol, c.BackendLeg.TLS.NextProtocol, c.ClientLeg.Silent = "", "", true
		}), cause: "backend-alpn-mismatch", fault: inspect.FaultBackend, verdict: inspect.Warning},
		{name: "another client of PostgreSQL goes on", in: with(func(c *inspect.Connection) {
			c.ClientLeg.TLS.Client.ALPNProtocols, c.BackendLeg.TLS.Client.ALPNProtocols = []string{"postgresql"}, []string{"postgresql"}
			c.ClientLeg.TLS.NextProtocol, c.BackendLeg.TLS.NextProtocol = "", ""
		}), also: []string{"backend-alpn-mismatch"}, verdict: inspect.OK},
		{name: "a protocol of its own that a server without ALPN may speak", in: with(func(c *inspect.Connection) {
			c.ClientLeg.TLS.Client.ALPNProtocols, c.BackendLeg.TLS.Client.ALPNProtocols = []string{"xmpp-client"}, []string{"xmpp-client"}
			c.ClientLeg.TLS.NextProtocol, c.BackendLeg.TLS.NextProtocol = "", ""
		}), also: []string{"backend-alpn-mismatch"}, verdict: inspect.OK},
		{name: "backend trouble", in: backFails(inspect.ErrorAlertReceived, inspect.PhaseHandshake, backendAlert(80, "internal_error")), cause: "backend-alert", fault: inspect.FaultBackend, verdict: inspect.Failed},
		{name: "backend breaks the protocol", in: backFails(inspect.ErrorAlertSent, inspect.PhaseHandshake), cause: "backend-protocol-error", fault: inspect.FaultBackend, verdict: inspect.Failed},
		{name: "backend certificate fails for a reason of its own", in: backFails(inspect.ErrorCertificate, inspect.PhaseHandshake), cause: "cert-rejected", fault: inspect.FaultBackend, verdict: inspect.Failed},

		// The client leg's handshake.
		{name: "TLS 1.0 client", in: frontFails(inspect.ErrorNoCommonVersion, inspect.PhaseHandshake, hello(oldHello("TLSv1.0"))), cause: "version-no-overlap", fault: inspect.FaultClient, verdict: inspect.Failed, never: []string{"client-legacy-version", "client-weak-ciphers", "proxy-cannot-serve"}},
		{name: "TLS 1.0 client, seen in a capture", in: captured(fails(inspect.ErrorAlertSent), hello(oldHello("TLSv1.0")), clientAlert(inspect.FromServer, 70, "protocol_version")), cause: "version-no-overlap", fault: inspect.FaultClient, verdict: inspect.Failed},
		{name: "TLS 1.3 server and TLS 1.2 client, seen in a capture", in: captured(fails(inspect.ErrorAlertSent), edit(func(h *inspect.Hello) { h.SupportedVersions = []string{"TLSv1.2"} }), clientAlert(inspect.FromServer, 70, "protocol_version")), cause: "version-no-overlap", fault: inspect.FaultBackend, verdict: inspect.Failed},
		{name: "SSLv3 client", in: frontFails(inspect.ErrorNoCommonVersion, inspect.PhaseHandshake, hello(oldHello("SSLv3"))), cause: "proxy-cannot-serve", fault: inspect.FaultProxy, verdict: inspect.Failed, never: []string{"version-no-overlap"}},
		{name: "DHE-only client", in: frontFails(inspect.ErrorAlertSent, inspect.PhaseHandshake, edit(func(h *inspect.Hello) {
			h.SupportedVersions, h.SupportedCiphers = []string{"TLSv1.2"}, []string{"TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"}
		}), clientAlert(inspect.FromServer, 40, "handshake_failure")), cause: "proxy-cannot-serve", fault: inspect.FaultProxy, verdict: inspect.Failed, never: []string{"cipher-no-overlap", "client-weak-ciphers"}},
		{name: "3DES client", in: frontFails(inspect.ErrorNoCommonCipher, inspect.PhaseHandshake, edit(func(h *inspect.Hello) {
			h.SupportedVersions, h.SupportedCiphers = []string{"TLSv1.2"}, []string{"TLS_RSA_WITH_3DES_EDE_CBC_SHA"}
		})), cause: "cipher-no-overlap", fault: inspect.FaultClient, verdict: inspect.Failed},
		{name: "handshake_failure in a capture", in: captured(fails(inspect.ErrorAlertSent), clientAlert(inspect.FromServer, 40, "handshake_failure")), cause: "cipher-no-overlap", fault: inspect.FaultBackend, verdict: inspect.Failed},
		{name: "handshake_failure without a name in a capture", in: captured(fails(inspect.ErrorAlertSent), edit(func(h *inspect.Hello) { h.ServerName = "" }), clientAlert(inspect.FromServer, 40, "handshake_failure")), cause: "sni-missing", fault: inspect.FaultClient, verdict: inspect.Failed},
		{name: "old curve", in: frontFails(inspect.ErrorNoCommonGroup, inspect.PhaseHandshake, edit(func(h *inspect.Hello) { h.SupportedGroups = []string{"secp256r1"} })), cause: "group-no-overlap", fault: inspect.FaultProxy, verdict: inspect.Failed},
		{name: "SHA-1 client", in: frontFails(inspect.ErrorNoCommonSignature, inspect.PhaseHandshake, edit(func(h *inspect.Hello) { h.SignatureAlgorithms = []string{"rsa_pkcs1_sha1", "ecdsa_sha1"} })), cause: "signature-no-overlap", fault: inspect.FaultClient, verdict: inspect.Failed},
		{name: "odd ALPN", in: frontFails(inspect.ErrorNoCommonALPN, inspect.PhaseHandshake, edit(func(h *inspect.Hello) { h.ALPNProtocols = []string{"mqtt"} })), cause: "alpn-no-overlap", fault: inspect.FaultProxy, verdict: inspect.Failed},
		{name: "no name, no route", in: frontFails(inspect.ErrorNoRoute, inspect.PhaseDecide, edit(func(h *inspect.Hello) { h.ServerName = "" })), cause: "sni-missing", fault: inspect.FaultClient, verdict: inspect.Failed},
		{name: "unknown name", in: frontFails(inspect.ErrorNoRoute, inspect.PhaseDecide), cause: "sni-unknown", fault: inspect.FaultProxy, verdict: inspect.Failed},
		{name: "unknown name in a capture", in: captured(fails(inspect.ErrorAlertSent), clientAlert(inspect.FromServer, 112, "unrecognized_name")), cause: "sni-unknown", fault: inspect.FaultBackend, verdict: inspect.Failed},
		{name: "client distrusts the local authority", in: with(func(c *inspect.Connection) {
			c.ClientLeg.TLS.Server = &inspect.Server{CertificateChain: []inspect.Certificate{{Subject: "CN=" + siteName, Issuer: "CN=tlstriage local authority", AlternativeNames: []string{siteName}, NotBefore: noon, NotAfter: noon.AddDate(0, 3, 0)}}}
			fails(inspect.ErrorAlertReceived)(c)
			clientAlert(inspect.FromClient, 48, "unknown_ca")(c)
		}), cause: "server-cert-rejected-by-client", fault: inspect.FaultClient, verdict: inspect.Failed, never: []string{"client-cert-untrusted", "client-alert"}},
		{name: "we serve an expired certificate", in: with(func(c *inspect.Connection) {
			c.ClientLeg.TLS.Server = &inspect.Server{CertificateChain: []inspect.Certificate{{Subject: "CN=" + siteName, AlternativeNames: []string{siteName}, NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(0, 0, -1)}}}
			fails(inspect.ErrorAlertReceived)(c)
			clientAlert(inspect.FromClient, 45, "certificate_expired")(c)
		}), cause: "server-cert-rejected-by-client", fault: inspect.FaultProxy, verdict: inspect.Failed},
		{name: "we serve an expired certificate, and the client goes on", in: with(func(c *inspect.Connection) {
			c.ClientLeg.TLS.Server = &inspect.Server{CertificateChain: []inspect.Certificate{{Subject: "CN=" + siteName, AlternativeNames: []string{siteName}, NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(0, 0, -1)}}}
		}), cause: "listener-certificate-expired", fault: inspect.FaultProxy, verdict: inspect.Warning, never: []string{"server-cert-rejected-by-client"}},
		{name: "we serve a certificate for another name, and the client leaves without a byte", in: silent(), cause: "server-cert-rejected-by-client", fault: inspect.FaultProxy, verdict: inspect.Warning, never: []string{"client-aborted", "cert-name-mismatch"}},
		{name: "a certificate that was ordered because of the connection", in: with(func(c *inspect.Connection) {
			c.Event.DurationMS = 2500
			c.ClientLeg.TLS.Server = &inspect.Server{CertificateChain: []inspect.Certificate{{AlternativeNames: []string{siteName}, NotBefore: noon.Add(2 * time.Second), NotAfter: noon.AddDate(0, 0, 90)}}}
		}), verdict: inspect.OK, never: []string{"listener-certificate-expired"}},
		{name: "a certificate of an authority whose clock is ahead", in: with(func(c *inspect.Connection) {
			c.ClientLeg.TLS.Server = &inspect.Server{CertificateChain: []inspect.Certificate{{AlternativeNames: []string{siteName}, NotBefore: noon.Add(clockSkew), NotAfter: noon.AddDate(0, 0, 90)}}}
		}), verdict: inspect.OK, never: []string{"listener-certificate-expired"}},
		{name: "a client that distrusts what was ordered because of it", in: with(func(c *inspect.Connection) {
			c.Event.DurationMS = 2500
			c.ClientLeg.TLS.Server = &inspect.Server{CertificateChain: []inspect.Certificate{{AlternativeNames: []string{siteName}, NotBefore: noon.Add(2 * time.Second), NotAfter: noon.AddDate(0, 0, 90)}}}
			fails(inspect.ErrorAlertReceived)(c)
			clientAlert(inspect.FromClient, 48, "unknown_ca")(c)
		}), cause: "server-cert-rejected-by-client", fault: inspect.FaultClient, verdict: inspect.Failed},
		{name: "we serve a certificate long before its time", in: with(func(c *inspect.Connection) {
			c.Event.DurationMS = 1e9 // a connection that stood for days
			c.ClientLeg.TLS.Server = &inspect.Server{CertificateChain: []inspect.Certificate{{AlternativeNames: []string{siteName}, NotBefore: noon.Add(time.Hour), NotAfter: noon.AddDate(0, 0, 90)}}}
		}), cause: "listener-certificate-expired", fault: inspect.FaultProxy, verdict: inspect.Warning},
		{name: "an expired certificate in a capture is the server's", in: captured(func(c *inspect.Connection) {
			c.ClientLeg.TLS.Server.CertificateChain[0].NotAfter = noon.AddDate(0, 0, -1)
		}), cause: "cert-expired", fault: inspect.FaultBackend, verdict: inspect.Warning, never: []string{"listener-certificate-expired"}},
		{name: "no certificate yet, as the client hears it", in: frontFails(inspect.ErrorCertificatePending, inspect.PhaseHandshake, clientAlert(inspect.FromServer, 80, "internal_error")), cause: "listener-certificate-missing", fault: inspect.FaultProxy, verdict: inspect.Failed, also: []string{"server-alert"}},
		{name: "no client certificate", in: frontFails(inspect.ErrorClientCertificate, inspect.PhaseHandshake), cause: "client-cert-missing", fault: inspect.FaultClient, verdict: inspect.Failed, never: []string{"server-cert-rejected-by-client"}},
		{name: "no client certificate, in a capture", in: captured(fails(inspect.ErrorAlertSent), clientAlert(inspect.FromServer, 116, "certificate_required")), cause: "client-cert-missing", fault: inspect.FaultClient, verdict: inspect.Failed},
		{name: "expired client certificate", in: frontFails(inspect.ErrorClientCertificate, inspect.PhaseHandshake, edit(func(h *inspect.Hello) {
			h.Certificate = &inspect.Certificate{Subject: "CN=device", Issuer: "CN=Clients", NotBefore: noon.AddDate(-2, 0, 0), NotAfter: noon.AddDate(-1, 0, 0)}
		})), cause: "client-cert-expired", fault: inspect.FaultClient, verdict: inspect.Failed},
		{name: "foreign client certificate", in: frontFails(inspect.ErrorClientCertificate, inspect.PhaseHandshake, edit(func(h *inspect.Hello) {
			h.Certificate = &inspect.Certificate{Subject: "CN=device", Issuer: "CN=Strangers", NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(1, 0, 0)}
		})), cause: "client-cert-untrusted", fault: inspect.FaultClient, verdict: inspect.Failed},
		{name: "revoked client certificate", in: frontFails(inspect.ErrorClientCertificate, inspect.PhaseHandshake, edit(func(h *inspect.Hello) {
			h.Certificate = &inspect.Certificate{Subject: "CN=device", NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(1, 0, 0)}
		}), clientAlert(inspect.FromServer, 44, "certificate_revoked")), cause: "client-cert-revoked", fault: inspect.FaultClient, verdict: inspect.Failed},
		{name: "client refuses our choice", in: with(func(c *inspect.Connection) {
			fails(inspect.ErrorAlertReceived)(c)
			clientAlert(inspect.FromClient, 47, "illegal_parameter")(c)
		}), cause: "client-alert", fault: inspect.FaultClient, verdict: inspect.Failed, never: []string{"server-cert-rejected-by-client"}},
		{name: "server trouble in a capture", in: captured(fails(inspect.ErrorAlertSent), clientAlert(inspect.FromServer, 80, "internal_error")), cause: "server-alert", fault: inspect.FaultBackend, verdict: inspect.Failed},
		{name: "silent client", in: silentFront(inspect.ErrorTimeout, "", ""), cause: "client-timeout", fault: inspect.FaultNetwork, verdict: inspect.Failed},
		{name: "client closes", in: frontFails(inspect.ErrorClosed, inspect.PhaseHandshake), cause: "client-aborted", fault: inspect.FaultClient, verdict: inspect.Failed},
		{name: "client resets", in: frontFails(inspect.ErrorReset, inspect.PhaseHandshake), cause: "client-aborted", fault: inspect.FaultNetwork, verdict: inspect.Failed},
		{name: "hello in many records", in: with(edit(func(h *inspect.Hello) { h.Message.Records = 12 })), verdict: inspect.OK, also: []string{"client-hello-fragmented"}},
		{name: "large hello, then silence, in a capture", in: captured(unanswered(inspect.ErrorTimeout)), cause: "client-hello-fragmented", fault: inspect.FaultNetwork, verdict: inspect.Failed, also: []string{"backend-timeout"}, never: []string{"client-timeout"}},
		{name: "no reason at all", in: frontFails(inspect.ErrorOther, inspect.PhaseHandshake), cause: "handshake-unexplained", fault: inspect.FaultProxy, verdict: inspect.Failed},

		{name: "server says nothing and closes, in a capture", in: captured(unanswered(inspect.ErrorClosed)), cause: "backend-closed", fault: inspect.FaultBackend, verdict: inspect.Failed, never: []string{"client-aborted"}},
		{name: "reset after a small hello, in a capture", in: captured(unanswered(inspect.ErrorReset), edit(func(h *inspect.Hello) { h.Message.Segments = 1 })), cause: "backend-reset", fault: inspect.FaultNetwork, verdict: inspect.Failed, never: []string{"client-aborted"}},
		{name: "client closes after the certificate, in a capture", in: captured(fails(inspect.ErrorClosed), func(c *inspect.Connection) { c.ClientLeg.TLS.Handshake = &inspect.Handshake{History: "Csxkn"} }), cause: "client-aborted", fault: inspect.FaultClient, verdict: inspect.Failed, never: []string{"backend-closed"}},
		{name: "server speaks HTTP, in a capture", in: captured(fails(inspect.ErrorNotTLS), func(c *inspect.Connection) {
			c.ClientLeg.FirstBytes = &inspect.FirstBytes{Protocol: "http_response", Summary: "HTTP/1.1 400 Bad Request"}
		}), cause: "backend-not-tls", fault: inspect.FaultBackend, verdict: inspect.Failed, never: []string{"not-tls-http", "not-tls-other"}},
		{name: "HTTP/2 without TLS", in: silentFront(inspect.ErrorNotTLS, "http2", "PRI * HTTP/2.0"), cause: "not-tls-http", fault: inspect.FaultClient, verdict: inspect.Failed},
		{name: "SSLv2 and nothing newer", in: silentFront(inspect.ErrorNotTLS, "sslv2", ""), cause: "sslv2-hello", fault: inspect.FaultClient, verdict: inspect.Failed, never: []string{"not-tls-other"}},
		{name: "backend resets what passes through", in: with(func(c *inspect.Connection) {
			c.ClientLeg.Passthrough = true
			c.BackendLeg = &inspect.Leg{Passthrough: true, Address: "127.0.0.1", Port: 8443, Error: &inspect.Error{Type: inspect.ErrorReset, Phase: inspect.PhaseTransfer}}
			fails(inspect.ErrorClosed)(c)
		}), cause: "backend-reset", fault: inspect.FaultNetwork, verdict: inspect.Failed},
		{name: "replay: nothing listens", in: replayed(func(c *inspect.Connection) {
			c.ClientLeg.TLS = nil
			c.ClientLeg.Error = &inspect.Error{Type: inspect.ErrorRefused, Phase: inspect.PhaseDial}
		}), cause: "backend-refused", fault: inspect.FaultBackend, verdict: inspect.Failed},
		{name: "replay: an answer is enough", in: replayed(func(c *inspect.Connection) { c.ClientLeg.TLS.Established = false }), verdict: inspect.OK, never: []string{"handshake-unexplained"}},

		// The policy.
		{name: "policy enforced on an SSLv2 hello", in: frontFails(inspect.ErrorPolicy, inspect.PhaseDecide, hello(oldHello("TLSv1.0")), edit(func(h *inspect.Hello) { h.Message.SSLv2 = true }), refusedBy("version", []string{"TLSv1.0"}, []string{"TLSv1.2"}), enforced),
			cause: "sslv2-hello", fault: inspect.FaultClient, verdict: inspect.Failed, also: []string{"policy-rejects-version"}},
		{name: "policy: version", in: with(refusedBy("version", []string{"TLSv1.0"}, []string{"TLSv1.2", "TLSv1.3"})), cause: "policy-rejects-version", fault: inspect.FaultClient, verdict: inspect.Failed},
		{name: "policy: a current version", in: with(refusedBy("version", []string{"TLSv1.2"}, []string{"TLSv1.3"})), cause: "policy-rejects-version", fault: inspect.FaultPolicy, verdict: inspect.Failed},
		{name: "policy enforced", in: frontFails(inspect.ErrorPolicy, inspect.PhaseDecide, hello(oldHello("TLSv1.0")), refusedBy("version", []string{"TLSv1.0"}, []string{"TLSv1.2"}), enforced, clientAlert(inspect.FromServer, 70, "protocol_version")),
			cause: "policy-rejects-version", fault: inspect.FaultClient, verdict: inspect.Failed, never: []string{"version-no-overlap", "handshake-unexplained", "server-alert"}},
		{name: "policy: suites", in: with(refusedBy("cipher", []string{"TLS_RSA_WITH_RC4_128_SHA"}, []string{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"})), cause: "policy-rejects-cipher", fault: inspect.FaultClient, verdict: inspect.Failed},
		{name: "policy: current suites", in: with(refusedBy("cipher", []string{"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"}, []string{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"})), cause: "policy-rejects-cipher", fault: inspect.FaultPolicy, verdict: inspect.Failed},
		{name: "policy: groups", in: with(refusedBy("curve", []string{"x25519"}, []string{"secp256r1"})), cause: "policy-rejects-group", fault: inspect.FaultPolicy, verdict: inspect.Failed},
		{name: "policy: signatures", in: with(refusedBy("signature", []string{"rsa_pkcs1_sha1"}, []string{"rsa_pss_rsae_sha256"})), cause: "policy-rejects-signature", fault: inspect.FaultClient, verdict: inspect.Failed},
		{name: "policy: no name", in: with(func(c *inspect.Connection) {
			c.ClientLeg.TLS.Client.ServerName = ""
			refusedBy("server_name", nil, []string{siteName})(c)
		}), cause: "policy-rejects-sni", fault: inspect.FaultClient, verdict: inspect.Failed},
		{name: "policy: another name", in: with(refusedBy("server_name", []string{"other.example"}, []string{siteName})), cause: "policy-rejects-sni", fault: inspect.FaultPolicy, verdict: inspect.Failed},
		{name: "policy: ALPN", in: with(refusedBy("alpn", []string{"h2"}, []string{"http/1.1"})), cause: "policy-rejects-alpn", fault: inspect.FaultPolicy, verdict: inspect.Failed},
		{name: "policy: client certificate", in: with(refusedBy("client_certificate", nil, []string{"require"})), cause: "policy-rejects-client-cert", fault: inspect.FaultClient, verdict: inspect.Failed},
		{name: "policy refuses, and the leg really failed", in: frontFails(inspect.ErrorNoCommonVersion, inspect.PhaseHandshake, hello(oldHello("TLSv1.0")), refusedBy("version", []string{"TLSv1.0"}, []string{"TLSv1.2"})), cause: "version-no-overlap", fault: inspect.FaultClient, verdict: inspect.Failed, also: []string{"policy-rejects-version"}},

		// Between the legs.
		{name: "TLS 1.1 behind TLS 1.3", in: with(func(c *inspect.Connection) {
			c.BackendLeg.TLS.Version, c.BackendLeg.TLS.Cipher = "TLSv1.1", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"
		}), cause: "version-downgrade-between-legs", fault: inspect.FaultBackend, verdict: inspect.Warning},
		{name: "TLS 1.2 behind TLS 1.3", in: with(func(c *inspect.Connection) { c.BackendLeg.TLS.Version = "TLSv1.2" }), verdict: inspect.OK, never: []string{"version-downgrade-between-legs"}},
		{name: "below the policy", in: with(func(c *inspect.Connection) {
			c.BackendLeg.TLS.Version, c.BackendLeg.TLS.Cipher = "TLSv1.0", "TLS_RSA_WITH_AES_128_CBC_SHA"
			c.Policy = &inspect.PolicyOutcome{Name: "aws/ELBSecurityPolicy-TLS13-1-2-2021-06", Accepted: true}
		}), cause: "backend-below-policy", fault: inspect.FaultBackend, verdict: inspect.Warning, also: []string{"version-downgrade-between-legs"}},
		{name: "translated protocols", in: with(func(c *inspect.Connection) { c.BackendLeg.TLS.NextProtocol = "http/1.1" }), verdict: inspect.OK, also: []string{"alpn-differs-between-legs"}},
		{name: "another name behind", in: with(func(c *inspect.Connection) {
			c.BackendLeg.TLS.Client.ServerName = "internal.example"
			c.BackendLeg.ServerName = siteName
		}), verdict: inspect.OK, also: []string{"name-differs-between-legs"}},
		{name: "the real endpoint would take it", in: frontFails(inspect.ErrorNoCommonSignature, inspect.PhaseHandshake, func(c *inspect.Connection) {
			c.Policy = &inspect.PolicyOutcome{Name: "own", Accepted: true, Version: "TLSv1.2"}
		}), cause: "signature-no-overlap", fault: inspect.FaultProxy, verdict: inspect.Failed, also: []string{"proxy-stricter-than-backend"}},

		// What works and should be better.
		{name: "old client that works", in: with(func(c *inspect.Connection) {
			hello(oldHello("TLSv1.1"))(c)
			c.ClientLeg.TLS.Version, c.ClientLeg.TLS.NextProtocol, c.BackendLeg.TLS.NextProtocol = "TLSv1.1", "", ""
		}), cause: "client-legacy-version", fault: inspect.FaultClient, verdict: inspect.Warning, also: []string{"client-weak-ciphers"}},
		{name: "only CBC suites", in: with(edit(func(h *inspect.Hello) {
			h.SupportedVersions, h.SupportedCiphers = []string{"TLSv1.2"}, []string{"TLS_RSA_WITH_AES_128_CBC_SHA"}
		})), cause: "client-weak-ciphers", fault: inspect.FaultClient, verdict: inspect.Warning},
		{name: "backend asks and goes on", in: with(asked(false)), verdict: inspect.OK, also: []string{"backend-requires-client-cert"}},

		// Certificates, from the record's fields alone.
		{name: "broken certificate", in: with(func(c *inspect.Connection) {
			c.BackendLeg.TLS.Server.Validation = nil
			c.BackendLeg.TLS.Server.CertificateChain[0].Error = "x509: malformed"
		}), cause: "cert-malformed", fault: inspect.FaultBackend, verdict: inspect.Failed},
		{name: "expired, from a recording", in: with(func(c *inspect.Connection) {
			c.BackendLeg.TLS.Server.Validation = nil
			c.BackendLeg.TLS.Server.CertificateChain[0].NotAfter = noon.AddDate(0, 0, -1)
		}), cause: "cert-expired", fault: inspect.FaultBackend, verdict: inspect.Failed},
	}
}

func TestRules(t *testing.T) {
	for _, tt := range ruleCases() {
		t.Run(tt.name, func(t *testing.T) {
			var d Diagnoser
			d.Diagnose(tt.in)
			check(t, tt.in, tt)
		})
	}
}

// check holds a diagnosed connection against a case.
func check(t *testing.T, c *inspect.Connection, want ruleCase) {
	t.Helper()
	if c.Cause != want.cause || c.Fault != want.fault || c.Verdict != want.verdict {
		t.Errorf("cause %q fault %q verdict %q; want %q %q %q", c.Cause, c.Fault, c.Verdict, want.cause, want.fault, want.verdict)
	}
	ids := map[string]inspect.Finding{}
	for _, f := range c.Findings {
		ids[f.ID] = f
	}
	for _, id := range want.also {
		if _, ok := ids[id]; !ok {
			t.Errorf("%s not found", id)
		}
	}
	for _, id := range want.never {
		if _, ok := ids[id]; ok {
			t.Errorf("%s found", id)
		}
	}
	for i, f := range c.Findings {
		if f.Title == "" || f.Detail == "" || f.Citation == "" || f.Severity == "" || f.Leg == "" {
			t.Errorf("%s: incomplete finding", f.ID)
		}
		if i == 0 && c.Cause != "" && (f.ID != c.Cause || len(f.CausedBy) > 0) {
			t.Errorf("the first finding is %s (caused by %v), the cause %s", f.ID, f.CausedBy, c.Cause)
		}
		if f.Severity == inspect.SeverityError && len(f.Fixes) == 0 {
			t.Errorf("%s: an error without a fix", f.ID)
		}
	}
	if t.Failed() {
		for _, f := range c.Findings {
			t.Logf("%s %s %s: %s (caused by %v)", f.Severity, f.Leg, f.ID, f.Detail, f.CausedBy)
		}
	}
}

func TestHealthyConnectionsGiveNoFinding(t *testing.T) {
	for name, c := range map[string]*inspect.Connection{
		"proxied": healthy(), "captured": captured(),
		"resumed": with(func(c *inspect.Connection) { c.ClientLeg.TLS.Resumed = true }),
		"plain backend": with(func(c *inspect.Connection) {
			c.BackendLeg = &inspect.Leg{Address: "127.0.0.1", Port: 8080, Plain: true}
		}),
		"passed through": with(func(c *inspect.Connection) {
			c.ClientLeg.Passthrough = true
			c.BackendLeg = &inspect.Leg{Address: "127.0.0.1", Port: 8443, Passthrough: true}
		}),
		"policy accepts": with(func(c *inspect.Connection) { c.Policy = &inspect.PolicyOutcome{Name: "own", Accepted: true} }),
		"reset after the handshake": with(func(c *inspect.Connection) {
			c.ClientLeg.Error = &inspect.Error{Type: inspect.ErrorReset, Phase: inspect.PhaseTransfer}
		}),
		"goodbyes": with(func(c *inspect.Connection) {
			c.ClientLeg.TLS.Alerts = []inspect.Alert{{Level: "warning", Code: 0, Description: "close_notify", From: inspect.FromClient}}
		}),
		"TLS 1.2": with(edit(func(h *inspect.Hello) { h.SupportedVersions = []string{"TLSv1.2"} })),
	} {
		var d Diagnoser
		d.Diagnose(c)
		if c.Verdict != inspect.OK || c.Cause != "" || len(c.Findings) != 0 {
			t.Errorf("%s: verdict %s cause %s findings %v", name, c.Verdict, c.Cause, c.Findings)
		}
	}
}

func TestEveryRuleIsTriggeredByACaseAndSilentInAnother(t *testing.T) {
	seen := map[string]int{}
	cases := ruleCases()
	for _, tt := range slices.Concat(cases, chainCases(t), formCases(t), revocationCases(t), lookCases(t), clientCertCases(t), httpCases(), canaryCases(), experimentCases(), quicCases()) {
		d := tt.diagnoser()
		d.Diagnose(tt.in)
		for _, f := range tt.in.Findings {
			seen[f.ID]++
		}
	}
	for _, r := range Rules() {
		if seen[r.ID] == 0 {
			t.Errorf("no case triggers %s", r.ID)
		}
		if seen[r.ID] >= len(cases) {
			t.Errorf("%s is found everywhere", r.ID)
		}
	}
}

func TestCatalogueIsWellFormed(t *testing.T) {
	ids := map[string]bool{}
	for _, r := range Rules() {
		if ids[r.ID] {
			t.Errorf("%s is listed twice", r.ID)
		}
		ids[r.ID] = true
		if r.Title == "" || r.Citation == "" || len(r.Explanation) < 40 || r.Severity == "" || r.Leg == "" || r.Fault == "" || r.check == nil {
			t.Errorf("%s: incomplete rule", r.ID)
		}
	}
	for _, r := range Rules() {
		for _, id := range r.CausedBy {
			if !ids[id] {
				t.Errorf("%s is caused by %s, which is no rule", r.ID, id)
			}
		}
	}
}
