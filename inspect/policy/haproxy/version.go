package haproxy

import (
	"fmt"
	"regexp"

	"github.com/tlstriage/tlstriage/inspect/policy/internal/release"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// version is a release of HAProxy: "2.6.12". A branch ("2.8") stands for any of its releases.
type version string

// newest is the branch whose defaults are taken where none is named.
const newest version = "3.2"

var versionForm = regexp.MustCompile(`^(?:haproxy/)?(\d{1,3}\.\d{1,3}(?:\.\d{1,4})?)(?:[^0-9.].*)?$`)

func parseVersion(s string) (version, error) {
	if s == "" {
		return newest, nil
	}
	m := versionForm.FindStringSubmatch(s)
	if m == nil {
		return "", fmt.Errorf("%q is no version of HAProxy", s)
	}
	return version(m[1]), nil
}

// since reports whether v is of this branch or of a later one.
func (v version) since(branch string) bool { return release.AtLeast(string(v), branch) }

const manual = "docs.haproxy.org, configuration.txt"

// setting is a default and where it is stated.
type setting[T any] struct {
	value  T
	source string
}

// minVersion is the lowest version of bind lines that name none; 0: what OpenSSL has.
func (v version) minVersion() setting[wire.Version] {
	if v.since("2.2") {
		return setting[wire.Version]{wire.VersionTLS12, manual + " 2.2, ssl-min-ver; src/ssl_sock.c, default_min_ver"}
	}
	return setting[wire.Version]{0, manual + " 2.1, ssl-min-ver"}
}

// dhBits is the size of the Diffie-Hellman parameters that are made up; 0: none are.
func (v version) dhBits() setting[int] {
	switch {
	case v.since("2.6"):
		return setting[int]{0, manual + " 2.6, tune.ssl.default-dh-param"}
	case v.since("2.2"):
		return setting[int]{2048, manual + " 2.2, tune.ssl.default-dh-param"}
	}
	return setting[int]{1024, manual + " 2.0, tune.ssl.default-dh-param"}
}

// alpn is what bind lines of a section in HTTP mode negotiate that name nothing.
func (v version) alpn(http bool) setting[string] {
	if v.since("2.8") && http {
		return setting[string]{"h2,http/1.1", manual + " 2.8, alpn"}
	}
	return setting[string]{"", manual + ", alpn"}
}
