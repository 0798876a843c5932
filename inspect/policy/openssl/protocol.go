package openssl

import "github.com/tlstriage/tlstriage/inspect/wire"

// Protocol finds a version by the word that OpenSSL's configuration has for it (MinProtocol, MaxProtocol, Protocol), in exactly that
// spelling. "None", which sets no bound, and the versions of DTLS are not among them.
func Protocol(word string) (wire.Version, bool) {
	switch word {
	case "SSLv3":
		return wire.VersionSSLv3, true
	case "TLSv1":
		return wire.VersionTLS10, true
	case "TLSv1.1":
		return wire.VersionTLS11, true
	case "TLSv1.2":
		return wire.VersionTLS12, true
	case "TLSv1.3":
		return wire.VersionTLS13, true
	}
	return 0, false
}
