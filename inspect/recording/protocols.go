package recording

import (
	"strings"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// protocolRegistered reports whether an ALPN protocol is one that everybody knows: of IANA's registry, or a draft of HTTP. GREASE
// (RFC 8701, Section 2) counts as such.
func protocolRegistered(name string) bool {
	switch name {
	case "http/0.9", "http/1.0", "http/1.1", "spdy/1", "spdy/2", "spdy/3", "h2", "h2c", "h3",
		"stun.turn", "stun.nat-discovery", "webrtc", "c-webrtc", "ftp", "imap", "pop3", "managesieve", "coap", "co", "xmpp-client", "xmpp-server",
		"acme-tls/1", "mqtt", "dot", "doq", "ntske/1", "sunrpc", "smb", "irc", "nntp", "nnsp", "sip/2", "tds/8.0", "dicom", "postgresql",
		"radius/1.0", "radius/1.1",
		"spdy/3.1", "grpc-exp", "hq-interop": // in no registry, and in many clients
		return true
	}
	if len(name) == 2 && wire.IsGREASE(wire.ExtensionType(uint16(name[0])<<8|uint16(name[1]))) {
		return true
	}
	for _, prefix := range [...]string{"h2-", "h3-", "hq-"} {
		if number, ok := strings.CutPrefix(name, prefix); ok && len(number) == 2 && onlyOf(number, "0123456789") {
			return true
		}
	}
	return false
}

// maskProtocol is an ALPN protocol as it may be known: one that nobody registered becomes another of its length.
func maskProtocol(name string) string {
	if name == "" || protocolRegistered(name) {
		return name
	}
	return strings.Repeat("x", len(name))
}

// clearProtocols masks the protocols of a ProtocolNameList (RFC 7301, Section 3.1).
func clearProtocols(body []byte) {
	list, rest, ok := cutVector(body, 2)
	if !ok {
		clear(body)
		return
	}
	clear(rest)
	for len(list) > 0 {
		name, after, ok := cutVector(list, 1)
		if !ok {
			clear(list) // of no form that is known: whatever it says is somebody's
			return
		}
		copy(name, maskProtocol(string(name)))
		list = after
	}
}
