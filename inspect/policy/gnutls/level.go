package gnutls

// The lists below are those of GnuTLS 3.7, as gnutls-cli --list --priority prints them.

// protocols of every level but Suite B.
func protocols() []string {
	return []string{"TLS1.3", "TLS1.2", "TLS1.1", "TLS1.0", "DTLS1.2", "DTLS1.0"}
}

// level is a set of lists under one word; no versions: it leaves them as they are.
type level struct {
	versions, ciphers, macs, kx, groups, signs []string
}

// levelNamed finds a level by its word, in upper case.
func levelNamed(word string) (level, bool) {
	normal := level{
		ciphers: []string{"AES-256-GCM", "CHACHA20-POLY1305", "AES-256-CCM", "AES-256-CBC", "AES-128-GCM", "AES-128-CCM", "AES-128-CBC"},
		macs:    []string{"SHA1", "AEAD"},
		kx:      []string{"ECDHE-ECDSA", "ECDHE-RSA", "RSA", "DHE-RSA"},
		groups:  append(curves(), primes()...),
		signs: []string{
			"RSA-SHA256", "RSA-PSS-SHA256", "RSA-PSS-RSAE-SHA256", "ECDSA-SHA256", "ECDSA-SECP256R1-SHA256", "EDDSA-ED25519",
			"RSA-SHA384", "RSA-PSS-SHA384", "RSA-PSS-RSAE-SHA384", "ECDSA-SHA384", "ECDSA-SECP384R1-SHA384", "EDDSA-ED448",
			"RSA-SHA512", "RSA-PSS-SHA512", "RSA-PSS-RSAE-SHA512", "ECDSA-SHA512", "ECDSA-SECP521R1-SHA512", "RSA-SHA1", "ECDSA-SHA1",
		},
	}
	l := normal
	switch word {
	case "NORMAL", "LEGACY":
	case "PERFORMANCE":
		l.ciphers = []string{"AES-128-GCM", "AES-256-GCM", "CHACHA20-POLY1305", "AES-128-CCM", "AES-256-CCM", "AES-128-CBC", "AES-256-CBC"}
		l.kx = []string{"RSA", "ECDHE-ECDSA", "ECDHE-RSA", "DHE-RSA"}
	case "PFS":
		l.kx = []string{"ECDHE-ECDSA", "ECDHE-RSA", "DHE-RSA"}
	case "SECURE", "SECURE128":
		l.ciphers = []string{"AES-256-GCM", "CHACHA20-POLY1305", "AES-256-CBC", "AES-256-CCM", "AES-128-GCM", "AES-128-CBC", "AES-128-CCM"}
		l.signs = normal.signs[:17]
	case "SECURE192", "SECURE256":
		l.ciphers = []string{"AES-256-GCM", "CHACHA20-POLY1305", "AES-256-CBC", "AES-256-CCM"}
		l.macs = []string{"AEAD"}
		l.groups = []string{"SECP384R1", "SECP521R1", "FFDHE8192"}
		l.signs = normal.signs[6:17]
	case "SUITEB128":
		l = level{
			versions: []string{"TLS1.2"}, ciphers: []string{"AES-256-GCM", "AES-128-GCM"}, macs: []string{"AEAD"}, kx: []string{"ECDHE-ECDSA"},
			groups: []string{"SECP256R1", "SECP384R1"}, signs: []string{"ECDSA-SHA256", "ECDSA-SECP256R1-SHA256", "ECDSA-SHA384", "ECDSA-SECP384R1-SHA384"},
		}
	case "SUITEB192":
		l = level{
			versions: []string{"TLS1.2"}, ciphers: []string{"AES-256-GCM"}, macs: []string{"AEAD"}, kx: []string{"ECDHE-ECDSA"},
			groups: []string{"SECP384R1"}, signs: []string{"ECDSA-SHA384", "ECDSA-SECP384R1-SHA384"},
		}
	default:
		return level{}, false
	}
	return l, true
}

func curves() []string { return []string{"SECP256R1", "SECP384R1", "SECP521R1", "X25519", "X448"} }

func primes() []string {
	return []string{"FFDHE2048", "FFDHE3072", "FFDHE4096", "FFDHE6144", "FFDHE8192"}
}
