package main

import (
	"github.com/tlstriage/tlstriage/configs"
	"github.com/tlstriage/tlstriage/inspect/starttls"
	"github.com/tlstriage/tlstriage/inspect/wire"
	"github.com/tlstriage/tlstriage/proxy"
)

// startTLSOf is the protocol in which TLS is asked for; empty: none.
func startTLSOf(p configs.StartTLS) starttls.Protocol {
	if p == configs.StartTLSNone {
		return ""
	}
	return starttls.Protocol(p)
}

// originalDst is how the kernel hands connections over.
func originalDst(o configs.OriginalDst) proxy.OriginalDst {
	if o == configs.OriginalDstOff {
		return ""
	}
	return proxy.OriginalDst(o)
}

// httpProtocol is what the backend is asked in.
func httpProtocol(p configs.BackendProtocol) proxy.HTTPProtocol {
	switch p {
	case configs.ProtocolHTTP1:
		return proxy.HTTP1
	case configs.ProtocolHTTP2:
		return proxy.HTTP2
	case configs.ProtocolHTTP3:
		return proxy.HTTP3
	}
	return ""
}

// versionOf is a configured version on the wire; 0 for none.
func versionOf(v configs.Version) uint16 {
	known, _ := wire.VersionByName(string(v))
	return uint16(known)
}
