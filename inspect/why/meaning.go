package why

import (
	"fmt"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// meaning is what an alert can mean, by who sends it: servers put different faults under the same alert.
func meaning(x *probe.Exchange) string {
	if x.Alert == nil {
		if x.Endless || x.Error != nil && x.Error.Type == inspect.ErrorOther || x.Outcome == probe.OutcomeTimeout && x.Received > 0 {
			return ""
		}
		switch x.Outcome {
		case probe.OutcomeReset:
			return "A reset in place of an alert is mostly not the TLS server's: a middlebox, a firewall, a load balancer with a full queue, or a server that crashed."
		case probe.OutcomeClosed:
			return "Closing without an alert: Microsoft's servers do it for no common version or suite, nginx and HAProxy for a PROXY protocol header that is missing or broken."
		case probe.OutcomeTimeout:
			return "Silence: the hello did not arrive (path MTU, a middlebox that drops large hellos), or the server waits for more of it, or speaks another protocol and waits."
		}
		return ""
	}
	switch x.Alert.Description {
	case wire.AlertHandshakeFailure:
		return "handshake_failure (40): OpenSSL (nginx, HAProxy, Apache), GnuTLS, Java and Go say so for no common suite, and OpenSSL also for no common group and for no usable signature scheme; nginx and HAProxy say unrecognized_name (112) for a name, not 40."
	case wire.AlertProtocolVersion:
		return "protocol_version (70): the server's own range of versions has none of the client's. When OpenSSL's security level forbids a version instead, it says internal_error (80)."
	case wire.AlertInternalError:
		return "internal_error (80): OpenSSL says so when its security level (SECLEVEL) leaves no version or suite; Go (Caddy, Traefik) and some others when there is no certificate for the name."
	case wire.AlertInsufficientSecurity:
		return "insufficient_security (71): what is common is too weak for the server (RFC 8446, Section 6.2)."
	case wire.AlertUnrecognizedName:
		return "unrecognized_name (112): the server has no site of that name, or wants one and got none (nginx: ssl_reject_handshake; HAProxy: strict-sni; Java: SNIMatcher)."
	case wire.AlertNoApplicationProtocol:
		return "no_application_protocol (120): ALPN has nothing in common (RFC 7301, Section 3.2)."
	case wire.AlertIllegalParameter:
		return "illegal_parameter (47): a field has a value that the server finds forbidden: often a key share or a duplicate."
	case wire.AlertDecodeError:
		return "decode_error (50): the server could not read the hello, or what came before it in its place."
	case wire.AlertMissingExtension:
		return "missing_extension (109): TLS 1.3 needs supported_groups, key_share and signature_algorithms (RFC 8446, Section 9.2)."
	case wire.AlertInappropriateFallback:
		return "inappropriate_fallback (86): the client says by TLS_FALLBACK_SCSV that it has tried with a higher version, which the server speaks (RFC 7507)."
	case wire.AlertUnexpectedMessage:
		return "unexpected_message (10): something else was expected: Java says so for hellos in the SSLv2 format, and others for TLS where another protocol is spoken."
	case wire.AlertAccessDenied:
		return "access_denied (49): a policy, an address list or a client certificate."
	}
	return ""
}

// byAlert explains an endpoint that refuses every hello with an alert that leaves no doubt.
func (r *run) byAlert(x *probe.Exchange) bool {
	if x.Alert == nil {
		return false
	}
	own := r.failing.hello.ServerName()
	switch x.Alert.Description {
	case wire.AlertUnrecognizedName:
		f := found{axis: AxisServerName, id: ServerNameUnknown, offered: []string{own},
			evidence: fmt.Sprintf("with server name %q, without one and with %s: %s", own, strings.Join(r.names(), ", "), x.Describe()),
			sentence: fmt.Sprintf("The endpoint has no site of the name %q, nor of any other that was tried.", own),
			fix:      "Ask for a name that the endpoint serves (--sni), or configure this one."}
		if own == "" {
			f.id, f.offered = ServerNameRequired, nil
			f.evidence = fmt.Sprintf("without a server name and with %s: %s", strings.Join(r.names(), ", "), x.Describe())
			f.sentence = "The endpoint needs a server name (SNI) that it knows: the client sends none, and none that was tried is right."
			f.fix = "Let the client send the name of a site that the endpoint serves; tell it to this experiment by --sni."
		}
		r.add(f)
		return true
	case wire.AlertNoApplicationProtocol:
		r.add(found{axis: AxisALPN, id: NoCommonALPN, offered: r.failing.hello.ALPN(),
			evidence: "every hello, also one without ALPN: " + x.Describe(),
			sentence: "The endpoint wants a protocol (ALPN) that was not offered by any hello that was tried.",
			fix:      "Find out which protocol the endpoint speaks, and let the client offer it."})
		return true
	}
	return false
}
