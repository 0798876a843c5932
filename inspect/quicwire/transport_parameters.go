package quicwire

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// The TLS extension quic_transport_parameters (RFC 9001, Section 8.2).
const (
	ExtensionTransportParameters      uint16 = 0x0039 // from draft-33 on
	ExtensionTransportParametersDraft uint16 = 0xffa5
)

// maxParameters bounds how many parameters are read; a peer has some twenty.
const maxParameters = 128

// TransportParameter is one of the parameters that a side declares in its hello (RFC 9000, Section 18).
type TransportParameter struct {
	ID    uint64
	Value []byte // a view into the extension
}

// ParameterError says where the extension is malformed.
type ParameterError struct {
	Offset int
	Kind   ParameterErrorKind
	ID     uint64
}

// ParameterErrorKind is the kind of a ParameterError.
type ParameterErrorKind uint8

// Kinds of parameter errors.
const (
	ParameterShort     ParameterErrorKind = iota // the extension ends in the middle of a parameter
	ParameterDuplicate                           // one that was there before (RFC 9000, Section 7.4)
	ParameterCount                               // more than are read
)

func (e *ParameterError) Error() string {
	switch e.Kind {
	case ParameterDuplicate:
		return fmt.Sprintf("quicwire: transport parameter 0x%x at byte %d comes twice", e.ID, e.Offset)
	case ParameterCount:
		return fmt.Sprintf("quicwire: more than %d transport parameters", maxParameters)
	}
	return fmt.Sprintf("quicwire: transport parameter at byte %d is cut off", e.Offset)
}

// ParseTransportParameters reads the extension's body, in its order. The form changed with draft-27; v says which one it is. The error
// is a *ParameterError, beside what could be read.
func ParseTransportParameters(v Version, body []byte) ([]TransportParameter, error) {
	var all []TransportParameter
	var wrong error
	r := reader{rest: body}
	old := v.oldParameters()
	if old {
		r.bytes(2) // the length of the rest
	}
	for len(r.rest) > 0 {
		offset := len(body) - len(r.rest)
		p := TransportParameter{}
		if old {
			p.ID = uint64(r.u16())
			p.Value = r.bytes(int(r.u16()))
		} else {
			p.ID = r.varint()
			p.Value = r.bytes(r.varintInt())
		}
		switch {
		case r.failed:
			return all, &ParameterError{Offset: offset, Kind: ParameterShort, ID: p.ID}
		case len(all) == maxParameters:
			return all, &ParameterError{Offset: offset, Kind: ParameterCount}
		}
		for _, before := range all {
			if before.ID == p.ID && wrong == nil {
				wrong = &ParameterError{Offset: offset, Kind: ParameterDuplicate, ID: p.ID}
			}
		}
		all = append(all, p)
	}
	if r.failed {
		return all, &ParameterError{Kind: ParameterShort}
	}
	return all, wrong
}

// oldParameters reports whether the parameters have the form from before draft-27, with lengths of two bytes.
func (v Version) oldParameters() bool {
	return v.Draft() > 0 && v.Draft() < 27 || v == VersionMvfst22 || v == VersionT050
}

func (r *reader) u16() uint16 {
	b := r.bytes(2)
	if b == nil {
		return 0
	}
	return binary.BigEndian.Uint16(b)
}

// Reserved reports whether the parameter only exists to be ignored (RFC 9000, Section 18.1).
func (p TransportParameter) Reserved() bool { return p.ID >= 27 && (p.ID-27)%31 == 0 }

// parameterName is the name in the IANA registry "QUIC Transport Parameters", and Google's.
func parameterName(id uint64) string {
	switch id {
	case 0x00:
		return "original_destination_connection_id"
	case 0x01:
		return "max_idle_timeout"
	case 0x02:
		return "stateless_reset_token"
	case 0x03:
		return "max_udp_payload_size"
	case 0x04:
		return "initial_max_data"
	case 0x05:
		return "initial_max_stream_data_bidi_local"
	case 0x06:
		return "initial_max_stream_data_bidi_remote"
	case 0x07:
		return "initial_max_stream_data_uni"
	case 0x08:
		return "initial_max_streams_bidi"
	case 0x09:
		return "initial_max_streams_uni"
	case 0x0a:
		return "ack_delay_exponent"
	case 0x0b:
		return "max_ack_delay"
	case 0x0c:
		return "disable_active_migration"
	case 0x0d:
		return "preferred_address"
	case 0x0e:
		return "active_connection_id_limit"
	case 0x0f:
		return "initial_source_connection_id"
	case 0x10:
		return "retry_source_connection_id"
	case 0x11: // RFC 9368
		return "version_information"
	case 0x20: // RFC 9221
		return "max_datagram_frame_size"
	case 0x173e:
		return "discard"
	case 0x26ab:
		return "google_handshake_message"
	case 0x2ab2: // RFC 9287
		return "grease_quic_bit"
	case 0x3127:
		return "initial_rtt"
	case 0x3128:
		return "google_connection_options"
	case 0x3129:
		return "user_agent"
	case 0x4752:
		return "google_version"
	case 0xff04de1b:
		return "min_ack_delay"
	}
	return ""
}

// Name is the parameter's name in the IANA registry, or the one that its maker gave it; "reserved" or the number in hexadecimal
// if it has none.
func (p TransportParameter) Name() string {
	name := parameterName(p.ID)
	switch {
	case name != "":
		return name
	case p.Reserved():
		return "reserved"
	}
	return fmt.Sprintf("0x%x", p.ID)
}

// Integer is the value of a parameter that is a variable-length integer and nothing else (RFC 9000, Section 18.2); ok is false for
// others, by their name or by their form.
func (p TransportParameter) Integer() (value uint64, ok bool) {
	name := parameterName(p.ID)
	switch {
	case strings.HasPrefix(name, "max_"), strings.HasPrefix(name, "initial_max_"), strings.HasPrefix(name, "min_"):
	case name == "ack_delay_exponent", name == "active_connection_id_limit", name == "initial_rtt":
	default:
		return 0, false
	}
	r := reader{rest: p.Value}
	value = r.varint()
	return value, !r.failed && len(r.rest) == 0
}
