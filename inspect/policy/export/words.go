package export

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

func isTLS13(s wire.CipherSuite) bool { info, _ := s.Info(); return info.TLS13() }

func isDHE(s wire.CipherSuite) bool { info, _ := s.Info(); return info.KeyExchange == "DHE" }

func isChaCha20(s wire.CipherSuite) bool { info, _ := s.Info(); return info.Encryption == "CHACHA20" }

// below13 are the suites of TLS 1.2 and before.
func below13(suites []wire.CipherSuite) []wire.CipherSuite {
	return slices.DeleteFunc(slices.Clone(suites), isTLS13)
}

// from13 are the suites of TLS 1.3.
func from13(suites []wire.CipherSuite) []wire.CipherSuite {
	return slices.DeleteFunc(slices.Clone(suites), func(s wire.CipherSuite) bool { return !isTLS13(s) })
}

// span are all versions from the lowest to the highest of a list.
func span(versions []wire.Version) (out []wire.Version) {
	if len(versions) == 0 {
		return nil
	}
	for v := slices.Min(versions); v <= slices.Max(versions); v++ {
		out = append(out, v)
	}
	return out
}

// inside are the versions of a list between two bounds.
func inside(versions []wire.Version, low, high wire.Version) []wire.Version {
	return slices.DeleteFunc(slices.Clone(versions), func(v wire.Version) bool { return v < low || v > high })
}

// plainToken reports whether a word can stand in every configuration as it is: a protocol of ALPN, a name of a list.
func plainToken(s string) bool {
	return s != "" && len(s) <= 255 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-") == ""
}

// plainName reports whether a server name can stand in a configuration: letters, digits, hyphens and underscores between dots, after
// "*." or "**." where it is a wildcard.
func plainName(name string) bool {
	if rest, wild := strings.CutPrefix(name, "**."); wild {
		name = rest
	} else if rest, wild := strings.CutPrefix(name, "*."); wild {
		name = rest
	}
	if len(name) == 0 || len(name) > 253 {
		return false
	}
	numeric := true
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" || strings.Trim(label, "-_") == "" {
			return false
		}
		numeric = strings.Trim(label, "0123456789") == ""
	}
	return !numeric // an address is no name (RFC 6066, Section 3)
}

// tokens are the protocols of ALPN that a configuration can write.
func tokens(protocols []string) []string {
	return slices.DeleteFunc(slices.Clone(protocols), func(s string) bool { return !plainToken(s) })
}

// hosts turns names into what a system writes whose wildcard is for any number of labels (deep) or for one, and gives beside it what
// that means in a policy.
func (w *writer) hosts(deep bool) (written, mean []string) {
	mean = []string{}
	for _, name := range w.p.Names {
		rest, any := strings.CutPrefix(name, "**.")
		one := strings.HasPrefix(name, "*.")
		switch {
		case !plainName(name):
			w.why[LossNames] = "there are names that cannot be written in a configuration"
			continue
		case any && !deep:
			w.why[LossNames] = "a wildcard stands for one label here"
			continue
		case any:
			name = "*." + rest
		case one && deep:
			w.why[LossNames] = "a wildcard stands for any number of labels here"
		}
		if slices.Contains(written, name) {
			continue
		}
		written = append(written, name)
		if rest, wild := strings.CutPrefix(name, "*."); wild && deep {
			name = "**." + rest
		}
		mean = append(mean, name)
	}
	return written, mean
}

func texts[T interface{ String() string }](values []T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = v.String()
	}
	return out
}

// spelled maps every value to its word in a system's language; what has none is left out.
func spelled[T any](values []T, word func(T) (string, bool)) (words []string, have []T) {
	for _, v := range values {
		if s, ok := word(v); ok {
			words, have = append(words, s), append(have, v)
		}
	}
	return words, have
}

// openSSLVersion is the word for a version in nginx, Apache and openssl.cnf.
func openSSLVersion(v wire.Version) string {
	if v == wire.VersionTLS10 {
		return "TLSv1"
	}
	return v.String()
}
