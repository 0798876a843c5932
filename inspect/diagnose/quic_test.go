package diagnose

import (
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
)

// quic is a client over QUIC that was not served.
func quic(t inspect.ErrorType, phase inspect.Phase, facts inspect.QUIC, change ...func(*inspect.Connection)) *inspect.Connection {
	return frontFails(t, phase, append([]func(*inspect.Connection){func(c *inspect.Connection) {
		c.Transport = inspect.TransportQUIC
		c.ClientLeg.QUIC = &facts
		c.ClientLeg.TLS.Client.Message.Records = 0
	}}, change...)...)
}

// served is a client over QUIC that was served.
func served(f func(*inspect.Connection)) *inspect.Connection {
	return with(func(c *inspect.Connection) {
		c.Transport = inspect.TransportQUIC
		c.ClientLeg.QUIC = &inspect.QUIC{Version: "v1", Datagrams: 2}
		c.ClientLeg.TLS.NextProtocol, c.ClientLeg.TLS.Client.ALPNProtocols = "h3", []string{"h3"}
		c.HTTP = &inspect.HTTP{Protocol: "HTTP/3.0", BackendProtocol: "HTTP/2.0", Requests: 3, BackendConnections: 1}
		f(c)
	})
}

// onWire is a client over QUIC that was not served, as a capture has it.
func onWire(t inspect.ErrorType, phase inspect.Phase, facts inspect.QUIC, change ...func(*inspect.Connection)) *inspect.Connection {
	return quic(t, phase, facts, append([]func(*inspect.Connection){func(c *inspect.Connection) {
		c.Event.Source, c.Listener, c.Capture = inspect.SourceCapture, "", &inspect.Capture{}
	}}, change...)...)
}

func part(size, came int) func(*inspect.Connection) {
	return edit(func(h *inspect.Hello) {
		*h = inspect.Hello{Message: &inspect.HelloBytes{Size: size, Raw: make([]byte, came)}}
	})
}

func quicCases() []ruleCase {
	nothing := func(c *inspect.Connection) { c.ClientLeg.TLS.Client = nil }
	peek, v1 := inspect.PhasePeek, []string{"v1", "v2"}
	quiet := []string{"handshake-unexplained", "client-timeout", "client-aborted", "version-no-overlap", "client-hello-incomplete"}
	return []ruleCase{
		{name: "QUIC of another version", in: quic(inspect.ErrorNoCommonVersion, peek, inspect.QUIC{Version: "draft-29", ServerVersions: v1, Datagrams: 3}, nothing),
			cause: "quic-version-negotiation", fault: inspect.FaultClient, verdict: inspect.Failed, never: quiet},
		{name: "a backend of drafts", in: quic(inspect.ErrorNoCommonVersion, inspect.PhaseHandshake, inspect.QUIC{Version: "v1", ServerVersions: []string{"draft-29"}}, func(c *inspect.Connection) { c.ClientLeg.Passthrough = true }),
			cause: "quic-version-negotiation", fault: inspect.FaultBackend, verdict: inspect.Failed},
		{name: "QUIC without HTTP/3", in: quic(inspect.ErrorNoCommonALPN, inspect.PhaseDecide, inspect.QUIC{Version: "v1", Datagrams: 1}, edit(func(h *inspect.Hello) { h.ALPNProtocols = []string{"doq"} }), clientAlert(inspect.FromServer, 120, "no_application_protocol")),
			cause: "quic-no-h3", fault: inspect.FaultClient, verdict: inspect.Failed, never: quiet},
		{name: "half a hello over QUIC", in: quic(inspect.ErrorIncompleteHello, peek, inspect.QUIC{Version: "v1", Datagrams: 5}, part(1750, 1162)),
			cause: "quic-hello-incomplete", fault: inspect.FaultNetwork, verdict: inspect.Failed, never: quiet},
		{name: "small datagrams", in: quic(inspect.ErrorTimeout, peek, inspect.QUIC{Version: "v1", Datagrams: 4, ShortDatagrams: 4}, nothing),
			cause: "quic-datagram-too-small", fault: inspect.FaultClient, verdict: inspect.Failed, never: []string{"handshake-unexplained", "quic-hello-incomplete"}},
		{name: "a Retry that is never answered", in: quic(inspect.ErrorTimeout, peek, inspect.QUIC{Version: "v1", Retries: 5}, nothing),
			cause: "quic-retry-loop", fault: inspect.FaultNetwork, verdict: inspect.Failed, never: []string{"handshake-unexplained"}},
		{name: "a Retry that is answered", in: served(func(c *inspect.Connection) { c.ClientLeg.QUIC.Retries, c.ClientLeg.QUIC.Token = 1, true }), verdict: inspect.OK, never: []string{"quic-retry-loop"}},
		{name: "one small datagram among others", in: served(func(c *inspect.Connection) { c.ClientLeg.QUIC.ShortDatagrams = 1 }), verdict: inspect.OK, never: []string{"quic-datagram-too-small"}},
		{name: "the client finds fault with the transport", in: quic(inspect.ErrorClosed, inspect.PhaseHandshake, inspect.QUIC{Version: "v1", Close: inspect.NewQUICClose(inspect.FromClient, false, 8, "no such parameter")}),
			cause: "quic-connection-closed", fault: inspect.FaultClient, verdict: inspect.Failed, never: []string{"handshake-unexplained"}},
		{name: "closed with an error of HTTP/3", in: served(func(c *inspect.Connection) {
			c.ClientLeg.Error = &inspect.Error{Type: inspect.ErrorClosed, Phase: inspect.PhaseTransfer}
			c.ClientLeg.QUIC.Close = inspect.NewQUICClose(inspect.FromClient, true, 0x105, "")
		}), cause: "quic-connection-closed", fault: inspect.FaultClient, verdict: inspect.Warning, never: []string{"handshake-unexplained", "client-aborted"}},
		{name: "a client that leaves in the handshake", in: quic(inspect.ErrorClosed, inspect.PhaseHandshake, inspect.QUIC{Version: "v1", Close: inspect.NewQUICClose(inspect.FromClient, false, 0x0c, "")}),
			cause: "client-aborted", fault: inspect.FaultClient, verdict: inspect.Failed, never: []string{"quic-connection-closed"}},
		{name: "a TLS alert over QUIC", in: quic(inspect.ErrorAlertReceived, inspect.PhaseHandshake, inspect.QUIC{Version: "v1", Close: inspect.NewQUICClose(inspect.FromClient, false, 0x100+48, "")}, clientAlert(inspect.FromClient, 48, "unknown_ca")),
			cause: "server-cert-rejected-by-client", fault: inspect.FaultClient, verdict: inspect.Failed, never: []string{"quic-connection-closed"}},
		{name: "captured: another version that no packet shows", in: onWire(inspect.ErrorNoCommonVersion, inspect.PhaseHandshake, inspect.QUIC{ServerVersions: v1}, nothing),
			cause: "quic-version-negotiation", fault: inspect.FaultClient, verdict: inspect.Failed, never: quiet},
		{name: "captured: refused for its protocols", in: onWire(inspect.ErrorAlertSent, inspect.PhaseHandshake, inspect.QUIC{Version: "v1", Datagrams: 1}, edit(func(h *inspect.Hello) { h.ALPNProtocols = []string{"h3-29"} }), clientAlert(inspect.FromServer, 120, "no_application_protocol")),
			cause: "quic-no-h3", fault: inspect.FaultClient, verdict: inspect.Failed},
		{name: "captured: refused although it offers h3", in: onWire(inspect.ErrorAlertSent, inspect.PhaseHandshake, inspect.QUIC{Version: "v1", Datagrams: 1}, edit(func(h *inspect.Hello) { h.ALPNProtocols = []string{"h3"} }), clientAlert(inspect.FromServer, 120, "no_application_protocol")),
			cause: "alpn-no-overlap", fault: inspect.FaultBackend, verdict: inspect.Failed, never: []string{"quic-no-h3"}},
		{name: "captured: small datagrams that nobody answers", in: onWire(inspect.ErrorNoAnswer, peek, inspect.QUIC{Version: "v1", Datagrams: 1, ShortDatagrams: 1}),
			cause: "quic-datagram-too-small", fault: inspect.FaultClient, verdict: inspect.Failed},
		{name: "captured: small datagrams, and it closes", in: onWire(inspect.ErrorClosed, inspect.PhaseHandshake, inspect.QUIC{Version: "v1", Datagrams: 1, ShortDatagrams: 1}, func(c *inspect.Connection) {
			c.Capture.End, c.Capture.Client.Packets = inspect.EndFINClient, 3
		}), cause: "quic-datagram-too-small", fault: inspect.FaultClient, verdict: inspect.Failed, never: []string{"client-aborted"}},
		{name: "captured: a Retry that is never answered", in: onWire(inspect.ErrorStalled, peek, inspect.QUIC{Version: "v1", Retries: 4}),
			cause: "quic-retry-loop", fault: inspect.FaultNetwork, verdict: inspect.Failed},
		{name: "captured: two Retry packets, and the handshake goes on", in: onWire(inspect.ErrorStalled, inspect.PhaseHandshake, inspect.QUIC{Version: "v1", Retries: 2, Token: true}, func(c *inspect.Connection) {
			c.ClientLeg.TLS.Handshake = &inspect.Handshake{History: "Cs"}
		}), cause: "handshake-stalled", fault: inspect.FaultNetwork, verdict: inspect.Failed, never: []string{"quic-retry-loop"}},
		{name: "captured: half a hello over QUIC", in: onWire(inspect.ErrorIncompleteHello, peek, inspect.QUIC{Version: "v1", Datagrams: 5}, part(1750, 1162)),
			cause: "quic-hello-incomplete", fault: inspect.FaultNetwork, verdict: inspect.Failed},
		{name: "captured: the server finds fault with the transport", in: onWire(inspect.ErrorClosed, inspect.PhaseHandshake, inspect.QUIC{Version: "v1", Close: inspect.NewQUICClose(inspect.FromServer, false, 2, "")}, func(c *inspect.Connection) {
			c.Capture.End = inspect.EndFINServer
		}), cause: "quic-connection-closed", fault: inspect.FaultBackend, verdict: inspect.Failed, never: []string{"handshake-unexplained"}},
		{name: "Alt-Svc in vain", in: with(func(c *inspect.Connection) {
			c.HTTP = &inspect.HTTP{Protocol: "HTTP/2.0", BackendProtocol: "HTTP/2.0", Requests: 1, BackendConnections: 1, AltSvc: &inspect.AltSvc{Sent: true, Returned: 40}}
		}), verdict: inspect.OK, also: []string{"quic-alt-svc-unused"}},
		{name: "Alt-Svc for the first time", in: with(func(c *inspect.Connection) {
			c.HTTP = &inspect.HTTP{Protocol: "HTTP/2.0", BackendProtocol: "HTTP/2.0", Requests: 1, BackendConnections: 1, AltSvc: &inspect.AltSvc{Sent: true}}
		}), verdict: inspect.OK, never: []string{"quic-alt-svc-unused"}},
		{name: "HTTP/3 that goes well", in: served(func(*inspect.Connection) {}), verdict: inspect.OK, never: []string{"quic-connection-closed", "alpn-differs-between-legs"}},
	}
}

func TestQUICFindingsTellTheNumbers(t *testing.T) {
	for _, tt := range []struct {
		in   *inspect.Connection
		want string
	}{
		{quic(inspect.ErrorIncompleteHello, inspect.PhasePeek, inspect.QUIC{Version: "v1", Datagrams: 5}, part(1750, 1162)), "1162 of 1750 bytes of the hello came, in 5 datagrams"},
		{quic(inspect.ErrorClosed, inspect.PhaseHandshake, inspect.QUIC{Version: "v1", Close: inspect.NewQUICClose(inspect.FromClient, false, 8, "no such parameter")}), "the client closed it with TRANSPORT_PARAMETER_ERROR (0x8): no such parameter"},
		{quic(inspect.ErrorNoCommonVersion, inspect.PhasePeek, inspect.QUIC{Version: "draft-29", ServerVersions: []string{"v1", "v2"}}), "the client speaks draft-29, the server v1, v2"},
	} {
		(&Diagnoser{}).Diagnose(tt.in)
		if len(tt.in.Findings) == 0 || !strings.HasPrefix(tt.in.Findings[0].Detail, tt.want) {
			t.Errorf("%+v, want %q", tt.in.Findings, tt.want)
		}
	}
}
