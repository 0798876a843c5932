package policy

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// maxHostName is the longest server name that OpenSSL and BoringSSL take: TLSEXT_MAXLEN_host_name.
const maxHostName = 255

// readServerName refuses names that the TLS library refuses while it reads them, whatever is served. RFC 6066, Section 3 wants a
// fully qualified name in ASCII without a dot at its end, and each library checks another part of that.
func (n *negotiation) readServerName() bool {
	name := n.h.ServerName
	if len(name) == 0 {
		return true
	}
	switch n.p.Family {
	case FamilyOpenSSL:
		if len(name) > maxHostName || bytes.IndexByte(name, 0) >= 0 {
			return n.reject(DimensionServerName, wire.AlertUnrecognizedName)
		}
	case FamilyBoringSSL: // ssl/extensions.cc, ext_sni_parse_clienthello
		if len(name) > maxHostName || bytes.IndexByte(name, 0) >= 0 {
			return n.reject(DimensionServerName, wire.AlertDecodeError)
		}
	case FamilyGo:
		if name[len(name)-1] == '.' {
			if n.goBefore(25) {
				return n.reject(DimensionServerName, wire.AlertUnexpectedMessage)
			}
			return n.reject(DimensionServerName, wire.AlertDecodeError)
		}
	case FamilyGnuTLS: // lib/ext/server_name.c: letters, digits, hyphens and dots
		for _, c := range name {
			if !isHostByte(c) && c != '.' {
				return n.reject(DimensionServerName, wire.AlertIllegalParameter)
			}
		}
	case FamilyJSSE:
		if !isJavaHostName(name) {
			return n.reject(DimensionServerName, wire.AlertIllegalParameter)
		}
	}
	return true
}

func isHostByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-'
}

// maxLabel is the longest label of a name (RFC 1035, Section 2.3.4).
const maxLabel = 63

// isJavaHostName reports whether javax.net.ssl.SNIHostName takes a name: in UTF-8, of labels that java.net.IDN takes under the rules of
// STD3, and without a dot at its end. Of labels that are not ASCII only the ASCII in them is looked at.
func isJavaHostName(name []byte) bool {
	if !utf8.Valid(name) {
		return false
	}
	for rest := name; ; {
		end, width := len(rest), 0
		for i := 0; i < len(rest); {
			r, size := utf8.DecodeRune(rest[i:])
			if strings.ContainsRune(".\u3002\uff0e\uff61", r) { // the dots of RFC 3490, Section 3.1
				end, width = i, size
				break
			}
			if r < utf8.RuneSelf && !isHostByte(byte(r)) {
				return false
			}
			i += size
		}
		label := rest[:end]
		if len(label) == 0 || label[0] == '-' || label[len(label)-1] == '-' || len(label) > maxLabel && isASCII(label) {
			return false
		}
		if width == 0 {
			return true
		}
		rest = rest[end+width:]
	}
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
