package diagnose

import (
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
)

// TestRefusalOfAHelloThatTheCaptureDoesNotShow blames nobody for what a hello offers of which nothing, or not all, was read.
func TestRefusalOfAHelloThatTheCaptureDoesNotShow(t *testing.T) {
	missing := func(c *inspect.Connection) { c.ClientLeg.TLS.Client = nil }
	cut := func(c *inspect.Connection) {
		c.ClientLeg.TLS.Client = &inspect.Hello{Message: &inspect.HelloBytes{Size: 512, Records: 1, Segments: 1}}
	}
	for name, hello := range map[string]func(*inspect.Connection){"missing": missing, "cut": cut} {
		for code, alert := range map[uint8]string{40: "handshake_failure", 70: "protocol_version", 71: "insufficient_security", 109: "missing_extension", 112: "unrecognized_name", 120: "no_application_protocol"} {
			c := captured(fails(inspect.ErrorAlertSent), hello, clientAlert(inspect.FromServer, code, alert))
			(&Diagnoser{}).Diagnose(c)
			if c.Cause != "server-alert" || c.Fault != inspect.FaultNetwork || c.Verdict != inspect.Failed {
				t.Errorf("%s, %s: %s, %s", name, alert, c.Cause, c.Fault)
			}
			for _, f := range c.Findings {
				if strings.Contains(f.Detail, "offers none") {
					t.Errorf("%s, %s: %+v", name, alert, f)
				}
			}
		}
	}
	whole := captured(fails(inspect.ErrorAlertSent), clientAlert(inspect.FromServer, 112, "unrecognized_name"))
	if (&Diagnoser{}).Diagnose(whole); whole.Cause != "sni-unknown" {
		t.Errorf("with the hello: %s", whole.Cause)
	}
}

// TestAlertsThatAnswerWhatIsNoTLS has servers that answer by an alert what is no TLS: it says nothing of a hello that was never sent.
func TestAlertsThatAnswerWhatIsNoTLS(t *testing.T) {
	for protocol, want := range map[string]string{"unknown": "not-tls-other", "http": "not-tls-http"} {
		for code := range 256 {
			c := captured(fails(inspect.ErrorNotTLS), func(c *inspect.Connection) {
				c.ClientLeg.Error.Phase, c.ClientLeg.TLS.Client, c.ClientLeg.TLS.Server = inspect.PhasePeek, nil, nil
				c.ClientLeg.TLS.Version, c.ClientLeg.TLS.Cipher = "", ""
				c.ClientLeg.FirstBytes = &inspect.FirstBytes{Protocol: protocol, Raw: []byte("\n")}
			}, clientAlert(inspect.FromServer, uint8(code), "an alert"))
			if (&Diagnoser{}).Diagnose(c); c.Cause != want {
				t.Errorf("%s, alert %d: %s", protocol, code, c.Cause)
			}
			for _, f := range c.Findings {
				if f.ID != want && f.Severity == inspect.SeverityError {
					t.Errorf("%s, alert %d: %s, %s", protocol, code, f.ID, f.Detail)
				}
			}
		}
	}
}

// TestHandshakeFailureOfANarrowHello suspects first what somebody has restricted in the client, whether it sends a name or not.
func TestHandshakeFailureOfANarrowHello(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*inspect.Hello)
		cause  string // without a name
		named  string
	}{
		"one suite": {func(h *inspect.Hello) {
			h.SupportedCiphers = []string{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_EMPTY_RENEGOTIATION_INFO_SCSV"}
		}, "cipher-no-overlap", "cipher-no-overlap"},
		"groups that few have":    {func(h *inspect.Hello) { h.SupportedGroups = []string{"secp521r1", "x448"} }, "group-no-overlap", "group-no-overlap"},
		"signatures of one kind":  {func(h *inspect.Hello) { h.SignatureAlgorithms = []string{"ecdsa_secp256r1_sha256"} }, "signature-no-overlap", "signature-no-overlap"},
		"no groups are said":      {func(h *inspect.Hello) { h.SupportedGroups = nil }, "sni-missing", "cipher-no-overlap"},
		"nothing of it is narrow": {func(*inspect.Hello) {}, "sni-missing", "cipher-no-overlap"},
		"one group that all have": {func(h *inspect.Hello) { h.SupportedGroups = []string{"secp256r1"} }, "sni-missing", "cipher-no-overlap"},
		"old versions, and a group": {func(h *inspect.Hello) {
			h.SupportedVersions, h.SupportedGroups = []string{"TLSv1.1"}, []string{"secp521r1"}
		}, "cipher-no-overlap", "cipher-no-overlap"},
	} {
		for _, nameless := range []bool{true, false} {
			c := captured(fails(inspect.ErrorAlertSent), clientAlert(inspect.FromServer, 40, "handshake_failure"), edit(test.change), edit(func(h *inspect.Hello) {
				if nameless {
					h.ServerName = ""
				}
			}))
			want := test.named
			if nameless {
				want = test.cause
			}
			if (&Diagnoser{}).Diagnose(c); c.Cause != want {
				t.Errorf("%s, nameless %v: %s, want %s: %+v", name, nameless, c.Cause, want, c.ClientLeg.TLS.Client)
			}
		}
	}
}

// TestWhoGaveUp tells the side that fell silent from the one that closed.
func TestWhoGaveUp(t *testing.T) {
	ended := func(end inspect.CaptureEnd) func(*inspect.Connection) { return shows(inspect.Capture{End: end}) }
	answered := func(c *inspect.Connection) { c.ClientLeg.TLS.Handshake = &inspect.Handshake{History: "Csxkn"} }
	for name, test := range map[string]struct {
		in    *inspect.Connection
		cause string
		fault inspect.Fault
	}{
		"the server never answers":       {captured(unanswered(inspect.ErrorStalled), ended(inspect.EndFINClient)), "handshake-stalled", inspect.FaultBackend},
		"the server stops":               {captured(fails(inspect.ErrorStalled), answered, ended(inspect.EndFINClient)), "handshake-stalled", inspect.FaultBackend},
		"the client stops":               {captured(fails(inspect.ErrorStalled), answered, ended(inspect.EndFINServer)), "handshake-stalled", inspect.FaultClient},
		"a segment was not acknowledged": {captured(unanswered(inspect.ErrorStalled), shows(inspect.Capture{End: inspect.EndFINClient, Stuck: &inspect.StuckSegment{}})), "handshake-stalled", inspect.FaultNetwork},
		"the server closes":              {captured(unanswered(inspect.ErrorClosed), ended(inspect.EndFINServer)), "backend-closed", inspect.FaultBackend},
	} {
		if (&Diagnoser{}).Diagnose(test.in); test.in.Cause != test.cause || test.in.Fault != test.fault {
			t.Errorf("%s: %s, %s", name, test.in.Cause, test.in.Fault)
		}
	}
	left := captured(unanswered(inspect.ErrorClosed), ended(inspect.EndFINClient))
	if (&Diagnoser{}).Diagnose(left); left.Cause == "backend-closed" || left.Fault == inspect.FaultBackend {
		t.Errorf("the client closes: %s, %s", left.Cause, left.Fault)
	}
}

// TestPolicyOnACapture does not speak of what this program let through where it only looked on.
func TestPolicyOnACapture(t *testing.T) {
	c := captured(func(c *inspect.Connection) {
		c.Policy = &inspect.PolicyOutcome{Name: "strict", RejectedBy: "cipher"}
	})
	(&Diagnoser{}).Diagnose(c)
	for _, f := range c.Findings {
		if strings.HasPrefix(f.ID, "policy-rejects") && (strings.Contains(f.Detail, "this program") || !strings.Contains(f.Detail, "the server of this connection")) {
			t.Errorf("%+v", f)
		}
	}
	if !strings.HasPrefix(c.Cause, "policy-rejects") {
		t.Errorf("%s", c.Cause)
	}
}
