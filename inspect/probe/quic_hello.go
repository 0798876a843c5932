package probe

import (
	"github.com/tlstriage/tlstriage/inspect/quicwire"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Transport parameters (RFC 9000, Section 18.2).
const (
	parameterIdleTimeout     = 0x01
	parameterUDPPayload      = 0x03
	parameterData            = 0x04
	parameterDataBidiLocal   = 0x05
	parameterDataBidiRemote  = 0x06
	parameterDataUni         = 0x07
	parameterStreamsBidi     = 0x08
	parameterStreamsUni      = 0x09
	parameterSourceID        = 0x0f
	firstDraftWithOwnNumbers = 33
)

// ForQUIC is the hello as it goes into QUIC of a version: with transport parameters, where it has none, and without what QUIC
// forbids: a session id (RFC 9001, Section 8.4), and versions before TLS 1.3.
func (h *Hello) ForQUIC(v quicwire.Version) *Hello {
	c := h.Clone()
	c.SessionID = nil
	var versions []wire.Version
	for _, offered := range c.Versions() {
		if offered.IsTLS13() || wire.IsGREASE(offered) {
			versions = append(versions, offered)
		}
	}
	c.SetVersions(versions...)
	c.Remove(wire.ExtensionSessionTicket, wire.ExtensionEncryptThenMAC, wire.ExtensionExtendedMasterSecret, wire.ExtensionRenegotiationInfo, wire.ExtensionECPointFormats)
	if c.hasTransportParameters() {
		return c
	}
	t := wire.ExtensionQUICTransportParameters
	if draft := v.Draft(); draft > 0 && draft < firstDraftWithOwnNumbers {
		t = wire.ExtensionQUICTransportParametersDraft
	}
	var body []byte
	for _, p := range [...]struct{ id, value uint64 }{
		{parameterIdleTimeout, 10000}, {parameterUDPPayload, 1452}, {parameterData, 1 << 20}, {parameterDataBidiLocal, 1 << 18},
		{parameterDataBidiRemote, 1 << 18}, {parameterDataUni, 1 << 18}, {parameterStreamsBidi, 100}, {parameterStreamsUni, 100},
	} {
		value := quicwire.AppendVarint(nil, p.value)
		body = append(append(quicwire.AppendVarint(body, p.id), byte(len(value))), value...)
	}
	body = append(body, parameterSourceID, 0) // our connection id has no bytes
	c.Set(t, body)
	return c
}

func (h *Hello) hasTransportParameters() bool {
	return h.Has(wire.ExtensionQUICTransportParameters) || h.Has(wire.ExtensionQUICTransportParametersDraft)
}

// ForTCP is a hello of QUIC as the same client might send it over TCP: without transport parameters.
func (h *Hello) ForTCP() *Hello {
	c := h.Clone()
	c.Remove(wire.ExtensionQUICTransportParameters, wire.ExtensionQUICTransportParametersDraft)
	return c
}

// sourceID is the connection id that the hello's transport parameters say is ours: a server holds them together (RFC 9000,
// Section 7.3).
func (h *Hello) sourceID(v quicwire.Version) []byte {
	for _, t := range [...]wire.ExtensionType{wire.ExtensionQUICTransportParameters, wire.ExtensionQUICTransportParametersDraft} {
		body, ok := h.Extension(t)
		if !ok {
			continue
		}
		parameters, _ := quicwire.ParseTransportParameters(v, body)
		for _, p := range parameters {
			if p.ID == parameterSourceID && len(p.Value) <= 20 {
				return p.Value
			}
		}
	}
	return nil
}
