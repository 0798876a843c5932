package diagnose

import (
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// What is said of connections between strangers must be true of them: nothing about this program's own certificates, no certificate
// that was not shown, no TLS where it did not come so far.
func TestConnectionsBetweenStrangers(t *testing.T) {
	history := func(version, letters string, resumed bool) func(*inspect.Connection) {
		return func(c *inspect.Connection) {
			c.ClientLeg.TLS.Version, c.ClientLeg.TLS.Resumed = version, resumed
			c.ClientLeg.TLS.Handshake, c.ClientLeg.TLS.Server = &inspect.Handshake{History: letters}, nil
		}
	}
	quic := func(c *inspect.Connection) { c.Transport = inspect.TransportQUIC }
	says := func(words string) func(*inspect.Connection) {
		return func(c *inspect.Connection) { c.ClientLeg.Error.Message = words }
	}
	byClient := shows(inspect.Capture{End: inspect.EndFINClient})
	expired := func(c *inspect.Connection) {
		c.ClientLeg.TLS.Server.CertificateChain[0].NotAfter = noon.AddDate(0, 0, -1)
	}
	pki := certstest.NewAt(t, noon)
	untrusted := func(c *inspect.Connection) {
		c.ClientLeg.Error, c.ClientLeg.TLS.Server = nil, &inspect.Server{CertificateChain: inspect.Certificates(pki.Make(certstest.Healthy, siteName).Raw())}
	}
	for _, tt := range []struct {
		name   string
		in     *inspect.Connection
		cause  string
		fault  inspect.Fault
		words  string // in the cause's title or detail
		silent string // nowhere in the cause
	}{
		{"the client closes at the certificate", captured(fails(inspect.ErrorClosed), byClient), "client-aborted", inspect.FaultClient, "after the server's certificate", "tlstriage ca"},
		{"it is expired, too", captured(fails(inspect.ErrorClosed), byClient, expired), "cert-expired", inspect.FaultBackend, "The server's certificate is expired", "backend"},
		{"the certificate is encrypted", captured(fails(inspect.ErrorClosed), byClient, history("TLSv1.3", "Csid", false)), "client-aborted", inspect.FaultClient, "after the server's certificate", ""},
		{"an abbreviated handshake has none", captured(fails(inspect.ErrorClosed), byClient, history("TLSv1.2", "Csif", true)), "client-aborted", inspect.FaultClient, "holds no certificate", "after the server's certificate"},
		{"it did not come so far", captured(fails(inspect.ErrorReset), shows(inspect.Capture{End: inspect.EndResetClient}), history("TLSv1.2", "Cs", false)), "client-aborted", inspect.FaultClient, "holds no certificate", "after the server's certificate"},
		{"the client leaves in the middle of the answer", captured(fails(inspect.ErrorClosed), shows(inspect.Capture{End: inspect.EndFINClient, Unheard: &inspect.Unheard{Received: 2842, Records: 2100, Sent: 3907}}), history("TLSv1.0", "Csxn", false)), "client-aborted", inspect.FaultClient, "when 2842 of the 3907 bytes", "most often"},
		{"the client leaves when it has the ServerHello alone", captured(fails(inspect.ErrorClosed), shows(inspect.Capture{End: inspect.EndFINClient, Unheard: &inspect.Unheard{Received: 1048, Records: 109, Sent: 3674}}), history("TLSv1.2", "Csxukn", false)), "client-aborted", inspect.FaultNoise, "1048 of 3674 bytes", "most often"},
		{"another protocol in disguise", captured(unanswered(inspect.ErrorNotTLS), edit(func(h *inspect.Hello) { h.Message.SSLv2 = true }), func(c *inspect.Connection) {
			c.ClientLeg.Error.Phase, c.ClientLeg.FirstBytes = inspect.PhasePeek, &inspect.FirstBytes{Protocol: "unknown"}
		}), "not-tls-other", inspect.FaultNoise, "in disguise", "SSLv2Hello"},
		{"a capture of one side", captured(unanswered(""), func(c *inspect.Connection) { c.ClientLeg.Error = nil }, shows(inspect.Capture{OneWay: inspect.FromClient})), "handshake-unexplained", inspect.FaultNoise, "only packets of the client", "no error"},
		{"a capture with a hole", captured(unanswered(""), func(c *inspect.Connection) { c.ClientLeg.Error = nil }, shows(inspect.Capture{Server: inspect.CaptureSide{LostBytes: 1448}})), "handshake-unexplained", inspect.FaultNoise, "1448 bytes", "no error"},
		{"a capture that is over", captured(unanswered(""), func(c *inspect.Connection) { c.ClientLeg.Error = nil }, shows(inspect.Capture{End: inspect.EndOpen})), "handshake-unexplained", inspect.FaultNoise, "ends in the middle", "no error"},
		{"Google's QUIC", captured(unanswered(""), quic, func(c *inspect.Connection) {
			c.ClientLeg.Error, c.ClientLeg.FirstBytes, c.ClientLeg.TLS.Client.Message = nil, &inspect.FirstBytes{Protocol: "gquic", Summary: "Q039 CHLO example.org"}, nil
		}), "", "", "Q039 CHLO example.org", "capture the whole"},
		{"a reset in the client's name", captured(fails(inspect.ErrorReset), shows(inspect.Capture{End: inspect.EndResetClient, Client: inspect.CaptureSide{TTL: 64, ResetTTL: 51}}), history("TLSv1.2", "Csxkn", false)), "client-aborted", inspect.FaultNetwork, "a TTL of 51, those of the client before it had 64", "accept"},
		{"a reset in the server's name", captured(unanswered(inspect.ErrorReset), edit(func(h *inspect.Hello) { h.Message.Segments = 1 }), shows(inspect.Capture{End: inspect.EndResetServer, Server: inspect.CaptureSide{TTL: 51, ResetTTL: 255}})), "backend-reset", inspect.FaultNetwork, "a TTL of 255, those of the server before it had 51", ""},
		{"a small segment that is lost", captured(unanswered(inspect.ErrorStuck), shows(inspect.Capture{Stuck: &inspect.StuckSegment{From: inspect.FromClient, Size: 184, Times: 13, Duration: 47911}})), "segment-lost", inspect.FaultNetwork, "not its size", "large"},
		{"a small segment that is lost, no MTU", captured(unanswered(inspect.ErrorStuck), shows(inspect.Capture{Stuck: &inspect.StuckSegment{From: inspect.FromClient, Size: 184, Times: 13, Duration: 47911}})), "segment-lost", inspect.FaultNetwork, "184 bytes", "MTU"},
		{"a long segment that is lost, and longer ones are not", captured(unanswered(inspect.ErrorStuck), shows(inspect.Capture{Stuck: &inspect.StuckSegment{From: inspect.FromServer, Size: 900, Acked: 1448, Times: 4, Duration: 9000}})), "segment-lost", inspect.FaultNetwork, "not its size", "A large"},
		{"a large segment, and a router says why", captured(unanswered(inspect.ErrorStuck), shows(inspect.Capture{Stuck: &inspect.StuckSegment{From: inspect.FromClient, Size: 1448, Times: 5, Duration: 9000}, Undelivered: &inspect.Undelivered{Said: inspect.FragmentationNeeded, From: "198.51.100.1", Packet: 7, MTU: 1280}})),
			"segment-lost", inspect.FaultNetwork, "ICMP fragmentation needed, at most 1280 bytes pass (from 198.51.100.1, packet 7)", "find the size"},
		{"a router says that a segment which is not large is too large", captured(unanswered(inspect.ErrorStuck), shows(inspect.Capture{Stuck: &inspect.StuckSegment{From: inspect.FromClient, Size: 500, Times: 5, Duration: 9000}, Undelivered: &inspect.Undelivered{Said: inspect.PacketTooBig, From: "2001:db8::9", Packet: 7}})),
			"segment-lost", inspect.FaultNetwork, "A large segment", "not its size"},
		{"a firewall forbids the hello", captured(unanswered(inspect.ErrorStuck), shows(inspect.Capture{Stuck: &inspect.StuckSegment{From: inspect.FromClient, Size: 1448, Times: 5, Duration: 9000}, Undelivered: &inspect.Undelivered{Said: "administratively prohibited", From: "198.51.100.1", Packet: 7}})),
			"segment-lost", inspect.FaultNetwork, "ICMP administratively prohibited (from 198.51.100.1, packet 7)", "large"},
		{"no way to the server, says a router", captured(unanswered(inspect.ErrorUnreachable), says("ICMP host unreachable from 198.51.100.1 (packet 2)"), shows(inspect.Capture{Undelivered: &inspect.Undelivered{Said: "host unreachable", From: "198.51.100.1", Packet: 2}})),
			"backend-unreachable", inspect.FaultNetwork, "ICMP host unreachable from 198.51.100.1 (packet 2)", "this machine"},
		{"nothing listens for QUIC", captured(unanswered(inspect.ErrorRefused), quic, says("ICMP port unreachable from 192.0.2.1 (packet 2)"), shows(inspect.Capture{Undelivered: &inspect.Undelivered{Said: "port unreachable", From: "192.0.2.1", Packet: 2}})),
			"backend-refused", inspect.FaultBackend, "ICMP port unreachable from 192.0.2.1 (packet 2)", "tlstriage proxy"},
		{"QUIC that is too large for the way", captured(unanswered(inspect.ErrorNoAnswer), quic, shows(inspect.Capture{Undelivered: &inspect.Undelivered{Said: inspect.PacketTooBig, From: "2001:db8::9", Packet: 7, MTU: 1280}})),
			"no-answer", inspect.FaultNetwork, "ICMP packet too big, at most 1280 bytes pass", ""},
		{"QUIC without an answer", captured(unanswered(inspect.ErrorClosed), quic, shows(inspect.Capture{End: inspect.EndFINClient, Client: inspect.CaptureSide{Packets: 6}}), says("CONNECTION_CLOSE NO_ERROR from the client: No recent network activity")),
			"no-answer", inspect.FaultNetwork, "No recent network activity", "certificate"},
		{"a client of QUIC that leaves in a packet that nobody can read", captured(unanswered(""), quic, func(c *inspect.Connection) { c.ClientLeg.Error = nil }, shows(inspect.Capture{Inferred: []inspect.Inference{{Kind: inspect.InferredCertificateRefused, Basis: "with Handshake packets alone"}}})),
			"server-cert-rejected-by-client", inspect.FaultClient, "leaves out the rest, looks the same", ""},
		{"QUIC of which one side was captured", captured(unanswered(inspect.ErrorClosed), quic, shows(inspect.Capture{End: inspect.EndFINClient, OneWay: inspect.FromClient, Client: inspect.CaptureSide{Packets: 6}})),
			"client-aborted", inspect.FaultClient, "", "nothing came back"},
		{"no version of QUIC in common, an old server", captured(unanswered(inspect.ErrorNoCommonVersion), quic, says("QUIC version negotiation: the server speaks draft-29, draft-28")),
			"version-no-overlap", inspect.FaultBackend, "version of QUIC", "ssl_protocols"},
		{"no version of QUIC in common, an old client", captured(unanswered(inspect.ErrorNoCommonVersion), quic, says("QUIC version negotiation: the server speaks v1, draft-29")),
			"version-no-overlap", inspect.FaultClient, "version of QUIC", "TLS 1.2"},
		{"a hello that only the server cannot read", captured(fails(inspect.ErrorAlertSent), clientAlert(inspect.FromServer, alertDecodeError, "decode_error")),
			"client-hello-malformed", inspect.FaultClient, "here it can be read", "does not parse"},
		{"a hello without a name, and no reason", captured(fails(inspect.ErrorAlertSent), edit(func(h *inspect.Hello) { h.ServerName = "" }), clientAlert(inspect.FromServer, alertHandshakeFailure, "handshake_failure")),
			"sni-missing", inspect.FaultClient, "which gives no reason", "the server needs one"},
		{"record_overflow over QUIC", captured(fails(inspect.ErrorAlertReceived), quic, clientAlert(inspect.FromClient, alertRecordOverflow, "record_overflow")),
			"client-alert", inspect.FaultClient, "one of the two libraries", "middlebox"},
		{"a capture that ends in the middle, and an old client", captured(unanswered(""), func(c *inspect.Connection) { c.ClientLeg.Error = nil }, hello(oldHello("TLSv1.0"))),
			"client-legacy-version", inspect.FaultClient, "TLSv1.0", ""},
		{"a capture that ends at a certificate that is not trusted here", captured(fails(""), untrusted), "handshake-unexplained", inspect.FaultNoise, "does not show", ""},
		{"an expired certificate that the client never saw", captured(fails(inspect.ErrorClosed), shows(inspect.Capture{End: inspect.EndFINClient, Unheard: &inspect.Unheard{Sent: 3907}}), expired), "client-aborted", inspect.FaultNoise, "cannot have been about", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			new(Diagnoser).Diagnose(tt.in)
			if tt.in.Cause != tt.cause || tt.in.Fault != tt.fault {
				t.Fatalf("cause %s, fault %s; want %s, %s: %+v", tt.in.Cause, tt.in.Fault, tt.cause, tt.fault, tt.in.Findings)
			}
			f := tt.in.Findings[0]
			if said := f.Title + "; " + f.Detail; !strings.Contains(said, tt.words) {
				t.Errorf("%q does not say %q", said, tt.words)
			}
			all := f.Title + f.Detail
			for _, x := range f.Fixes {
				all += x.Action + x.Snippet
			}
			if tt.silent != "" && strings.Contains(all, tt.silent) {
				t.Errorf("%q says %q", all, tt.silent)
			}
		})
	}
}

// What the backend's certificate is like says nothing about why a client refuses the one that this program serves.
func TestClientsDoNotSeeTheBackendsCertificate(t *testing.T) {
	for name, refuses := range map[string]func(*inspect.Connection){
		"server-cert-rejected-by-client": clientAlert(inspect.FromClient, alertUnknownCA, "unknown_ca"),
		"client-aborted":                 func(c *inspect.Connection) { c.ClientLeg.Error.Type = inspect.ErrorClosed },
	} {
		c := with(fails(inspect.ErrorAlertReceived))
		c.BackendLeg.TLS.Server.CertificateChain[0].NotAfter = noon.AddDate(0, 0, -1)
		c.BackendLeg.TLS.Server.Validation = nil
		refuses(c)
		new(Diagnoser).Diagnose(c)
		if c.Cause != name || len(c.Findings[0].CausedBy) > 0 || c.Fault != inspect.FaultClient {
			t.Errorf("cause %s, fault %s: %+v", c.Cause, c.Fault, c.Findings)
		}
		if len(c.Findings) < 2 || c.Findings[1].ID != "cert-expired" {
			t.Errorf("%s: what is wrong with the backend's certificate is not said", name)
		}
	}
}

// Of a listener with several sites, each connection is held against the policy of its own.
func TestSitesOfAListenerHavePoliciesOfTheirOwn(t *testing.T) {
	strict := &policy.Policy{Name: "nginx.conf#endpoint=strict", Versions: []wire.Version{wire.VersionTLS13}}
	lax := &policy.Policy{Name: "nginx.conf#endpoint=lax", Versions: []wire.Version{wire.VersionTLS12, wire.VersionTLS13}}
	d := Diagnoser{Policy: lax, Policies: []*policy.Policy{lax, strict}}
	for _, p := range d.Policies {
		c := with(func(c *inspect.Connection) {
			c.BackendLeg.TLS.Version = "TLSv1.2"
			c.Policy = &inspect.PolicyOutcome{Name: p.Name, Accepted: true}
		})
		d.Diagnose(c)
		if below := slices.ContainsFunc(c.Findings, func(f inspect.Finding) bool { return f.ID == "backend-below-policy" }); below != (p == strict) {
			t.Errorf("%s: %+v", p.Name, c.Findings)
		}
	}
	c := captured(fails(inspect.ErrorAlertSent), hello(oldHello("TLSv1.1")), clientAlert(inspect.FromServer, 70, "protocol_version"))
	c.Policy = &inspect.PolicyOutcome{Name: strict.Name, Accepted: true}
	if d.Diagnose(c); !slices.Equal(c.Findings[0].Accepted, []string{"TLSv1.3"}) || !strings.Contains(c.Findings[0].Detail, "policy "+strict.Name+" accepts TLSv1.3") {
		t.Errorf("%+v", c.Findings[0])
	}
}

// A clock that was never set makes every certificate one of the future: nobody has to change a certificate for it.
func TestCaptureWhoseClockIsWrong(t *testing.T) {
	pki := certstest.NewAt(t, noon)
	chain := inspect.Certificates(pki.Make(certstest.Healthy, siteName).Raw())
	for name, tt := range map[string]struct {
		change  func(*inspect.Connection)
		verdict inspect.Verdict
	}{
		"all of them are": {func(*inspect.Connection) {}, inspect.OK},
		"the leaf alone is": {func(c *inspect.Connection) {
			c.ClientLeg.TLS.Server.CertificateChain[1].NotBefore = noon.AddDate(-30, 0, 0)
		}, inspect.Warning},
		"the client refused it": {func(c *inspect.Connection) { fails(inspect.ErrorAlertReceived)(c) }, inspect.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			c := captured(func(c *inspect.Connection) {
				c.ClientLeg.TLS.Server = &inspect.Server{CertificateChain: append([]inspect.Certificate(nil), chain...), Validation: &inspect.Validation{Status: inspect.ValidationNotChecked}}
				c.Timestamp = noon.AddDate(-20, 0, 0)
				tt.change(c)
			})
			new(Diagnoser).Diagnose(c)
			said := slices.ContainsFunc(c.Findings, func(f inspect.Finding) bool { return f.ID == "cert-not-yet-valid" })
			if c.Verdict != tt.verdict || !said {
				t.Errorf("%s: %+v", c.Verdict, c.Findings)
			}
		})
	}
}
