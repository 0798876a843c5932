package diagnose

import (
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// rereadHello parses a recorded hello; nil when it does not parse, which another rule reports.
func rereadHello(m *inspect.HelloBytes) *wire.ClientHello {
	h := new(wire.ClientHello)
	read := wire.ParseClientHello
	if m.SSLv2 {
		read = wire.ParseSSLv2ClientHello
	}
	if read(m.Raw, h) != nil {
		return nil
	}
	return h
}
