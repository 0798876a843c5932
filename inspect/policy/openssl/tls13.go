package openssl

import (
	"strings"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

const cipherSuites = "ciphersuites"

// defaultTLS13 are the suites of TLS 1.3 where Ciphersuites is not set, in order.
func defaultTLS13() []wire.CipherSuite {
	return []wire.CipherSuite{wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256, wire.TLS_AES_128_GCM_SHA256}
}

// tls13Suites reads the value of Ciphersuites: IANA names separated by colons, in order. OpenSSL 3.0 skips names that it does not
// know as long as it knows one; 1.1.1 refuses them.
func tls13Suites(o Options, rel release) ([]wire.CipherSuite, error) {
	if o.NoTLS13Suites {
		return nil, nil
	}
	value := o.TLS13Suites
	if value == "" {
		return defaultTLS13(), nil
	}
	if len(value) > maxString {
		return nil, refuse(cipherSuites, value, -1, "", ErrTooLong)
	}
	var out []wire.CipherSuite
	at := 0
	for name := range strings.SplitSeq(value, ":") {
		code, ok := suiteByStandardName(trimSpace(name))
		switch {
		case ok:
			out = append(out, code)
		case rel == release111:
			return nil, refuse(cipherSuites, value, at, name, ErrNoCipherMatch)
		}
		at += len(name) + 1
	}
	if len(out) == 0 {
		return nil, refuse(cipherSuites, value, -1, "", ErrNoCipherMatch)
	}
	return out, nil
}

// suiteByStandardName finds a suite that OpenSSL has by its IANA name, in exactly that spelling.
func suiteByStandardName(name string) (wire.CipherSuite, bool) {
	code, ok := wire.CipherSuiteByName(name)
	if !ok {
		return 0, false
	}
	info, known := code.Info()
	return code, known && info.Name == name && info.OpenSSL != ""
}

// trimSpace cuts what C calls space from both ends, which OpenSSL does with the elements of its lists.
func trimSpace(s string) string { return strings.Trim(s, " \t\n\v\f\r") }
