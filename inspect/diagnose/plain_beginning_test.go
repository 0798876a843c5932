package diagnose

import (
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
)

// Where an option is missing, or too much, the first fix names it; where it is not the matter nobody is sent there.
func TestTheOptionThatIsMissingIsNamed(t *testing.T) {
	first := func(protocol, raw string, port int) *inspect.Connection {
		c := silentFront(inspect.ErrorNotTLS, protocol, "…")
		c.ClientLeg.FirstBytes.Raw, c.Server.Port = []byte(raw), port
		return c
	}
	silent := func(port int, asks *inspect.StartTLS, phase inspect.Phase) *inspect.Connection {
		c := silentFront(inspect.ErrorTimeout, "", "")
		c.Server.Port, c.ClientLeg.StartTLS, c.ClientLeg.Error.Phase = port, asks, phase
		return c
	}
	back := func(how inspect.ErrorType, change func(*inspect.Leg)) *inspect.Connection {
		return backFails(how, inspect.PhaseHandshake, func(c *inspect.Connection) {
			c.ClientLeg.StartTLS = &inspect.StartTLS{Protocol: "postgres"}
			change(c.BackendLeg)
		})
	}
	as := func(protocol string) func(*inspect.Leg) {
		return func(l *inspect.Leg) {
			l.TLS, l.FirstBytes = nil, &inspect.FirstBytes{Protocol: protocol, Summary: "220 mx"}
		}
	}
	header := func(l *inspect.Leg) { l.ProxyProtocol = "v2" }
	dialogue := func(s inspect.StartTLS) func(*inspect.Leg) {
		return func(l *inspect.Leg) { l.TLS, l.StartTLS, l.Error.Phase = nil, &s, inspect.PhaseStartTLS }
	}
	for _, tt := range []struct {
		name  string
		in    *inspect.Connection
		cause string
		fault inspect.Fault
		want  string // in the first fix
		not   string // in any
	}{
		{"psql on a listener of TLS", first("postgresql", sslRequest, 5432), "not-tls-other", inspect.FaultProxy, "--starttls postgres", ""},
		{"a scanner's, on another port", first("postgresql", sslRequest, 443), "not-tls-other", inspect.FaultNoise, "--starttls postgres", ""},
		{"PostgreSQL without the wish", first("postgresql", "\x00\x00\x00\x08\x04\xd2\x16\x2e", 5432), "not-tls-other", inspect.FaultNoise, "", "--starttls"},
		{"ldapsearch -ZZ", first("ldap", "\x30\x1d\x02\x01\x01\x77\x18\x80\x16"+ldapStartTLS, 389), "not-tls-other", inspect.FaultProxy, "--starttls ldap", ""},
		{"LDAP in plain text", first("ldap", "\x30\x0c\x02\x01\x05\x60\x07\x02\x01\x03\x04\x00\x80\x00", 389), "not-tls-other", inspect.FaultNoise, "", "--starttls"},
		{"a client of SMTP waits", silent(587, nil, inspect.PhasePeek), "client-timeout", inspect.FaultProxy, "--starttls smtp", ""},
		{"a client waits", silent(443, nil, inspect.PhasePeek), "client-timeout", inspect.FaultNetwork, "ping", ""},
		{"a client in the middle of asking", silent(587, &inspect.StartTLS{Protocol: "smtp"}, inspect.PhaseStartTLS), "client-timeout", inspect.FaultClient, "--ssl-reqd", "ping"},
		{"a backend of SMTP", back(inspect.ErrorNotTLS, as("smtp")), "backend-not-tls", inspect.FaultProxy, "--backend-starttls smtp", "tcp://"},
		{"a backend of FTP", back(inspect.ErrorNotTLS, as("ftp")), "backend-not-tls", inspect.FaultBackend, "", "--backend-starttls"},
		{"a backend of PostgreSQL", back(inspect.ErrorClosed, func(*inspect.Leg) {}), "backend-closed", inspect.FaultProxy, "--backend-starttls postgres", ""},
		{"a backend that closes", backFails(inspect.ErrorClosed, inspect.PhaseHandshake), "backend-closed", inspect.FaultBackend, "", "starttls"},
		{"a backend that takes no header, closing", back(inspect.ErrorClosed, header), "backend-closed", inspect.FaultBackend, "--backend-proxy-protocol none", "--backend-proxy-protocol v2"},
		{"a backend that takes no header, resetting", back(inspect.ErrorReset, header), "backend-reset", inspect.FaultNetwork, "--backend-proxy-protocol none", "--backend-proxy-protocol v2"},
		{"a backend that resets", backFails(inspect.ErrorReset, inspect.PhaseHandshake), "backend-reset", inspect.FaultNetwork, "--backend-proxy-protocol v2", "--backend-proxy-protocol none"},
		{"a backend of another protocol", back(inspect.ErrorStartTLS, dialogue(inspect.StartTLS{Protocol: "imap", Answer: "220 mx ESMTP Exim"})), "backend-starttls-refused", inspect.FaultProxy, "--backend-starttls smtp", "ssl = yes"},
		{"a backend of a protocol without the option", back(inspect.ErrorStartTLS, dialogue(inspect.StartTLS{Protocol: "imap", Answer: "SSH-2.0-OpenSSH"})), "backend-starttls-refused", inspect.FaultProxy, "the service", "ssl = yes"},
		{"a backend that refuses", back(inspect.ErrorStartTLS, dialogue(inspect.StartTLS{Protocol: "imap", Refused: true, Answer: "a NO"})), "backend-starttls-refused", inspect.FaultBackend, "ssl = yes", ""},
		{"a backend that does not greet", back(inspect.ErrorTimeout, dialogue(inspect.StartTLS{Protocol: "smtp"})), "backend-timeout", inspect.FaultBackend, "--backend-starttls postgres", "ping"},
		{"a backend that agrees and goes on in plain text", back(inspect.ErrorNotTLS, func(l *inspect.Leg) { as("smtp")(l); l.StartTLS = &inspect.StartTLS{Protocol: "smtp"} }), "backend-not-tls", inspect.FaultBackend, "openssl s_client -starttls smtp", "tcp://"},
		{"a backend that cannot just now", back(inspect.ErrorStartTLS, dialogue(inspect.StartTLS{Protocol: "smtp", Refused: true, Answer: "454 4.7.0 TLS not available due to local problem"})), "backend-starttls-refused", inspect.FaultBackend, "its log says what", "switch TLS on"},
		{"a backend that refuses the connection", back(inspect.ErrorStartTLS, dialogue(inspect.StartTLS{Protocol: "smtp", Refused: true, Answer: "554 5.7.1 no"})), "backend-starttls-refused", inspect.FaultBackend, "this proxy's address", "switch TLS on"},
		{"a backend that has too many connections", back(inspect.ErrorStartTLS, dialogue(inspect.StartTLS{Protocol: "smtp", Refused: true, Answer: "421-4.7.0 too many"})), "backend-starttls-refused", inspect.FaultBackend, "the next attempt", "switch TLS on"},
		{"a backend that says goodbye", back(inspect.ErrorStartTLS, dialogue(inspect.StartTLS{Protocol: "imap", Refused: true, Answer: "* BYE not you"})), "backend-starttls-refused", inspect.FaultBackend, "this proxy's address", "switch TLS on"},
		{"a backend that knows no STARTTLS", back(inspect.ErrorStartTLS, dialogue(inspect.StartTLS{Protocol: "smtp", Refused: true, Answer: "502 5.5.1 what?"})), "backend-starttls-refused", inspect.FaultBackend, "switch TLS on", ""},
		{"a client that asks before EHLO", inPlainText("smtp", "STARTTLS", false), "client-starttls-missing", inspect.FaultClient, "EHLO first", ""},
		{"a PROXY header that makes no sense", func() *inspect.Connection {
			c := silentFront(inspect.ErrorProxyProtocol, "proxy_protocol", "PROXY TCP6 fe80::1%eth0 fe80::2 1 2")
			c.ClientLeg.Error.Message = "proxy protocol: proxyproto: invalid address"
			return c
		}(), "proxy-protocol-missing", inspect.FaultProxy, "without a zone", "aws elbv2"},
		{"a PROXY header that is not there", silentFront(inspect.ErrorProxyProtocol, "", ""), "proxy-protocol-missing", inspect.FaultProxy, "aws elbv2", "zone"},
		{"out of descriptors", backFails(inspect.ErrorOverloaded, inspect.PhaseDial), "proxy-overloaded", inspect.FaultProxy, "LimitNOFILE", "tcpdump"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			new(Diagnoser).Diagnose(tt.in)
			if tt.in.Cause != tt.cause || tt.in.Fault != tt.fault {
				t.Fatalf("cause %q, fault %q, want %q, %q", tt.in.Cause, tt.in.Fault, tt.cause, tt.fault)
			}
			text := ""
			for i, f := range tt.in.Findings[0].Fixes {
				if line := f.Action + "\n" + f.Snippet + "\n"; i == 0 && !strings.Contains(line, tt.want) {
					t.Errorf("the first fix is %q, without %q", line, tt.want)
				} else {
					text += line
				}
			}
			if tt.not != "" && strings.Contains(text, tt.not) {
				t.Errorf("%q is in %q", tt.not, text)
			}
		})
	}
}

// Clients of PostgreSQL are not sent to speak HTTP.
func TestALPNOfPostgreSQLIsNoMatterOfHTTP(t *testing.T) {
	c := with(func(c *inspect.Connection) {
		c.ClientLeg.TLS.Client.ALPNProtocols, c.BackendLeg.TLS.Client.ALPNProtocols = []string{"postgresql"}, []string{"postgresql"}
		c.ClientLeg.TLS.NextProtocol, c.BackendLeg.TLS.NextProtocol = "", ""
	})
	new(Diagnoser).Diagnose(c)
	for i, f := range c.Findings[0].Fixes {
		if line := f.Action + f.Snippet; i == 0 && !strings.Contains(line, "sslnegotiation=postgres") || strings.Contains(line, "http") {
			t.Error(line)
		}
	}
	if strings.Contains(c.Findings[0].Detail, "HTTP") {
		t.Error(c.Findings[0].Detail)
	}
}
