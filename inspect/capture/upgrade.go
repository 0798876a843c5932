package capture

import (
	"bytes"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Names of what is spoken before TLS that package wire does not tell, since only a dialogue does.
const (
	upgradeConnect wire.Protocol = "http_connect"
	upgradeIRC     wire.Protocol = "irc"
	upgradeNNTP    wire.Protocol = "nntp"
	upgradeSieve   wire.Protocol = "sieve"
)

// upgradeOf names a dialogue before TLS better than the first bytes of one side can: name is what those tell.
func upgradeOf(name wire.Protocol, client, server []byte) wire.Protocol {
	switch name {
	case wire.ProtocolHTTP, wire.ProtocolHTTPResponse:
		if bytes.HasPrefix(client, []byte("CONNECT ")) || bytes.Contains(client, []byte("\nCONNECT ")) {
			return upgradeConnect
		}
		return wire.ProtocolHTTP
	case "", wire.ProtocolUnknown:
	default:
		return name
	}
	switch {
	case startsLine(client, "CAP LS", "NICK ", "PASS ") || startsLine(server, "ERROR :") || bytes.HasPrefix(server, []byte(":")):
		return upgradeIRC
	case bytes.HasPrefix(server, []byte("\"IMPLEMENTATION\"")):
		return upgradeSieve
	case startsLine(client, "STARTTLS", "MODE READER", "CAPABILITIES") && (bytes.HasPrefix(server, []byte("200 ")) || bytes.HasPrefix(server, []byte("201 "))):
		return upgradeNNTP
	}
	return name
}

func startsLine(b []byte, words ...string) bool {
	for _, word := range words {
		if bytes.HasPrefix(b, []byte(word)) {
			return true
		}
	}
	return false
}
