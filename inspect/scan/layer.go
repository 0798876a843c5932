package scan

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Layer is one step on the way to an endpoint's application.
type Layer struct {
	Name     LayerName `json:"layer"`
	Status   Status    `json:"status"`
	Sentence string    `json:"sentence,omitempty"`
	MS       float64   `json:"ms,omitempty"` // how long it took
}

// LayerName is a closed set, in order.
type LayerName string

// Layers.
const (
	LayerDNS         LayerName = "dns"
	LayerTCP         LayerName = "tcp"
	LayerFirstBytes  LayerName = "first_bytes"
	LayerHello       LayerName = "hello"
	LayerCertificate LayerName = "certificate" // that one came; what is wrong with it, findings say
	LayerFinished    LayerName = "finished"
	LayerApplication LayerName = "application"
)

// Status is what is known about a layer.
type Status string

// States of a layer.
const (
	Works   Status = "ok"
	Broken  Status = "broken"
	Unclear Status = "inconclusive"
)

func (r *Report) layer(name LayerName, status Status, took time.Duration, format string, values ...any) {
	r.Layers = append(r.Layers, Layer{Name: name, Status: status, Sentence: fmt.Sprintf(format, values...), MS: float64(took.Microseconds()) / 1000})
}

// BrokenLayer is the first layer that does not work; nil: all that were reached do.
func (r *Report) BrokenLayer() *Layer {
	for i := range r.Layers {
		if r.Layers[i].Status == Broken {
			return &r.Layers[i]
		}
	}
	return nil
}

// slowConnect is how long a connection may take before that is said.
const slowConnect = time.Second

// connected reports on TCP and on what the first bytes are. It reports false where there is no way on.
func (s *session) connected(ctx context.Context, r *Report, x *probe.Exchange) bool {
	transport, at := "TCP", s.target.Endpoint.Address
	if s.target.Endpoint.QUIC {
		transport = "UDP"
	}
	if x.Outcome == probe.OutcomeNotConnected {
		message := ""
		kind := inspect.ErrorOther
		if x.Error != nil {
			message, kind = x.Error.Message, x.Error.Type
		}
		switch kind {
		case inspect.ErrorRefused:
			r.layer(LayerTCP, Broken, x.Dialled, "%s refuses the connection: nothing listens on this port, or a firewall rejects it.", at)
		case inspect.ErrorTimeout:
			r.layer(LayerTCP, Broken, x.Dialled, "%s does not answer at all: a firewall drops the packets, the host is down, or the route is wrong.", at)
		case inspect.ErrorUnreachable:
			r.layer(LayerTCP, Broken, x.Dialled, "%s is unreachable from here: there is no route, or the network answers for the host.", at)
		case inspect.ErrorReset:
			r.layer(LayerTCP, Broken, x.Dialled, "%s resets the connection before it is made.", at)
		case inspect.ErrorUnresolvable:
			r.layer(LayerDNS, Broken, x.Dialled, "The name of %s has no address.", at)
		default:
			r.layer(LayerTCP, Broken, x.Dialled, "No connection to %s: %s.", at, message)
		}
		return false
	}
	if x.Dialled > slowConnect && !s.target.Endpoint.QUIC {
		r.layer(LayerTCP, Works, x.Dialled, "%s connects, but takes %s: packets are lost, or the accept queue is full.", at, x.Dialled.Round(10*time.Millisecond))
	} else {
		r.layer(LayerTCP, Works, x.Dialled, "%s connects over %s.", at, transport)
	}
	if s.target.Endpoint.StartTLS != "" && x.Error != nil && x.Error.Phase == inspect.PhaseProxyProtocol {
		r.startTLSFailed = true
		r.layer(LayerFirstBytes, Broken, x.FirstByte, "%s", s.dialogueSentence(ctx, x))
		return false
	}
	if x.Outcome == probe.OutcomeNotTLS {
		r.layer(LayerFirstBytes, Broken, x.FirstByte, "%s", firstBytesSentence(x))
		return false
	}
	return true
}

// dialogueSentence says how the dialogue before TLS failed, and whether TLS is spoken there without one.
func (s *session) dialogueSentence(ctx context.Context, x *probe.Exchange) string {
	protocol := s.target.Endpoint.StartTLS
	sentence := fmt.Sprintf("The endpoint does not go over to TLS by the dialogue of %s: ", protocol)
	switch x.Error.Type {
	case inspect.ErrorTimeout:
		sentence += "it says nothing."
	case inspect.ErrorClosed:
		sentence += "it closes the connection."
	case inspect.ErrorReset:
		sentence += "it resets the connection."
	default:
		_, said, ok := strings.Cut(x.Error.Message, fmt.Sprintf("starttls %s: ", protocol))
		if !ok {
			said = x.Error.Message
		}
		sentence += said + "."
	}
	direct := *s.target
	direct.Endpoint.StartTLS = ""
	if y := s.beside(ctx, &direct, s.open()); natureOf(y) == chosen || natureOf(y) == said {
		sentence += " It speaks TLS from the first byte: leave --starttls out."
	}
	return sentence
}

// firstBytesSentence names what came in place of TLS.
func firstBytesSentence(x *probe.Exchange) string {
	if x.Plain == nil {
		return "The endpoint answers with something that is no TLS."
	}
	quoted := ""
	if x.Plain.Summary != "" {
		quoted = fmt.Sprintf(" (\"%s\")", x.Plain.Summary) // which is printable
	}
	switch p := wire.Protocol(x.Plain.Protocol); p {
	case wire.ProtocolHTTP, wire.ProtocolHTTPResponse:
		return "The port speaks plain HTTP, no TLS" + quoted + ": the listener lacks TLS, or this is the wrong port."
	case wire.ProtocolHTTP2:
		return "The port speaks HTTP/2 without TLS (h2c)" + quoted + "."
	case wire.ProtocolSMTP, wire.ProtocolIMAP, wire.ProtocolPOP3, wire.ProtocolFTP, wire.ProtocolXMPP, wire.ProtocolMySQL, wire.ProtocolLDAP:
		return fmt.Sprintf("The port speaks %s in the clear%s: TLS begins there after a command, if at all (--starttls %s).", strings.ToUpper(string(p)), quoted, p)
	case wire.ProtocolSOCKS:
		return "The port is that of a SOCKS proxy" + quoted + ", which wants to be told first where to go."
	case wire.ProtocolUnknown:
		return "The port answers in a protocol that is no TLS" + quoted + "."
	default:
		return fmt.Sprintf("The port speaks %s, no TLS%s.", strings.ToUpper(string(p)), quoted)
	}
}

// unanswered is the sentence about an endpoint that takes up no hello of any version.
func unanswered(r *Report, proxyHeader bool) string {
	if r.ProxyHeaderRefused {
		return "No hello is answered behind the PROXY protocol header, and without it there is an answer: leave --proxy-protocol out, or let the endpoint expect one."
	}
	if proxyHeader {
		return "No hello is answered unless a PROXY protocol header comes first: the endpoint expects to stand behind a load balancer (--proxy-protocol)."
	}
	most := r.commonEvidence()
	for _, n := range r.SNI {
		if n.Reply == Yes && n.Form != NameRight {
			return fmt.Sprintf("No hello with the server name %q is answered, in no version (%s); with %s there is an answer.", r.asked(), most, n.describe())
		}
	}
	return fmt.Sprintf("The endpoint takes up no hello, from SSLv2 to TLS 1.3, with any suite: %s.", most)
}

// commonEvidence is what most versions were answered with.
func (r *Report) commonEvidence() string {
	count := map[string]int{}
	most := ""
	for _, v := range versions() {
		e := r.enumerated[v]
		if e == nil || v == wire.VersionSSLv2 {
			continue
		}
		count[e.answer.Evidence]++
		if most == "" || count[e.answer.Evidence] > count[most] {
			most = e.answer.Evidence
		}
	}
	return most
}

// asked is the server name that was asked for.
func (r *Report) asked() string {
	for _, n := range r.SNI {
		if n.Form == NameRight {
			return n.Name
		}
	}
	return ""
}
