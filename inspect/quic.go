package inspect

import (
	"strconv"

	"github.com/tlstriage/tlstriage/inspect/quicwire"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// QUIC is what only a leg over QUIC has: what stood in its packets beside TLS.
type QUIC struct {
	Version             string               `json:"version,omitempty"`              // that the client's first packets spoke: v1, v2, draft-29, 0x…
	ServerVersions      []string             `json:"server_versions,omitempty"`      // the server's Version Negotiation: what it speaks in place of that
	Datagrams           int                  `json:"datagrams"`                      // of the client, with Initial packets, until its hello was whole
	ShortDatagrams      int                  `json:"short_datagrams,omitempty"`      // of these, those below 1200 bytes, which servers discard
	CryptoFrames        int                  `json:"crypto_frames,omitempty"`        // that the hello was cut into
	Retries             int                  `json:"retries,omitempty"`              // Retry packets that the server sent
	Token               bool                 `json:"token,omitempty"`                // the client brought a token, of a Retry or an earlier connection
	TransportParameters []TransportParameter `json:"transport_parameters,omitempty"` // in the hello's order
	Close               *QUICClose           `json:"close,omitempty"`                // how the connection was closed, where that was no end in order
}

// TransportParameter is one of those that a side declares (RFC 9000, Section 18).
type TransportParameter struct {
	Name  string  `json:"name"`            // of the IANA registry; "reserved", or the number in hexadecimal
	Value *uint64 `json:"value,omitempty"` // of one that is a number
	Size  int     `json:"size,omitempty"`  // bytes of one that is not
}

// QUICClose is a CONNECTION_CLOSE (RFC 9000, Section 19.19).
type QUICClose struct {
	From        Side   `json:"from"`
	Application bool   `json:"application,omitempty"` // the error is HTTP/3's, not the transport's
	Code        uint64 `json:"code"`
	Name        string `json:"name"` // of the IANA registry
	Reason      string `json:"reason,omitempty"`
}

// The most transport parameters that a record keeps.
const maxTransportParameters = 64

// TransportParametersOf are the transport parameters in a hello, as far as they can be read.
func TransportParametersOf(hello *wire.ClientHello, version quicwire.Version) []TransportParameter {
	body, ok := hello.Extensions.Find(wire.ExtensionType(quicwire.ExtensionTransportParameters))
	if !ok {
		if body, ok = hello.Extensions.Find(wire.ExtensionType(quicwire.ExtensionTransportParametersDraft)); !ok {
			return nil
		}
	}
	all, _ := quicwire.ParseTransportParameters(version, body) // what is malformed is the TLS library's to refuse
	all = all[:min(len(all), maxTransportParameters)]
	described := make([]TransportParameter, 0, len(all))
	for _, p := range all {
		d := TransportParameter{Name: p.Name()}
		if v, ok := p.Integer(); ok {
			d.Value = &v
		} else {
			d.Size = len(p.Value)
		}
		described = append(described, d)
	}
	return described
}

// QUICCloseOf describes a CONNECTION_CLOSE that was read from a packet.
func QUICCloseOf(c *quicwire.Close) *QUICClose {
	from := FromClient
	if c.From == quicwire.FromServer {
		from = FromServer
	}
	return NewQUICClose(from, c.Application, c.Code, string(c.Reason))
}

// NewQUICClose describes a CONNECTION_CLOSE.
func NewQUICClose(from Side, application bool, code uint64, reason string) *QUICClose {
	d := &QUICClose{From: from, Application: application, Code: code, Reason: Bounded(reason)}
	if application {
		d.Name = http3ErrorName(code)
	} else {
		d.Name = quicwire.TransportErrorName(code)
	}
	return d
}

// http3Errors are the error codes of HTTP/3 from 0x0100 on (RFC 9114, Section 8.1), and behind them those of QPACK from 0x0200 on
// (RFC 9204, Section 6).
var http3Errors = [...]string{
	"H3_NO_ERROR", "H3_GENERAL_PROTOCOL_ERROR", "H3_INTERNAL_ERROR", "H3_STREAM_CREATION_ERROR", "H3_CLOSED_CRITICAL_STREAM",
	"H3_FRAME_UNEXPECTED", "H3_FRAME_ERROR", "H3_EXCESSIVE_LOAD", "H3_ID_ERROR", "H3_SETTINGS_ERROR", "H3_MISSING_SETTINGS",
	"H3_REQUEST_REJECTED", "H3_REQUEST_CANCELLED", "H3_REQUEST_INCOMPLETE", "H3_MESSAGE_ERROR", "H3_CONNECT_ERROR", "H3_VERSION_FALLBACK",
}

func http3ErrorName(code uint64) string {
	const first = 0x0100
	if code >= first && code < first+uint64(len(http3Errors)) {
		return http3Errors[code-first]
	}
	switch code {
	case 0x0200:
		return "QPACK_DECOMPRESSION_FAILED"
	case 0x0201:
		return "QPACK_ENCODER_STREAM_ERROR"
	case 0x0202:
		return "QPACK_DECODER_STREAM_ERROR"
	}
	return "0x" + strconv.FormatUint(code, 16)
}
