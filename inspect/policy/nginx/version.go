package nginx

import (
	"fmt"
	"regexp"

	"github.com/tlstriage/tlstriage/inspect/policy/internal/release"
)

// version is a release of nginx: "1.22.1". A branch ("1.26") stands for its last release.
type version string

// newest is the branch whose defaults are taken where none is named.
const newest version = "1.29"

var versionForm = regexp.MustCompile(`^(?:nginx/)?(\d{1,3}\.\d{1,3}(?:\.\d{1,3})?)(?:[^0-9.].*)?$`)

// parseVersion reads "1.26", "1.18.0", "nginx/1.22.1", "1.22.1-9+deb12u1".
func parseVersion(s string) (version, error) {
	if s == "" {
		return newest, nil
	}
	m := versionForm.FindStringSubmatch(s)
	if m == nil {
		return "", fmt.Errorf("%q is no version of nginx", s)
	}
	return version(m[1]), nil
}

var branch = regexp.MustCompile(`^\d+\.\d+$`)

// since reports whether v is this release or a later one.
func (v version) since(bound string) bool {
	if branch.MatchString(string(v)) {
		v += ".999"
	}
	return release.AtLeast(string(v), bound)
}

// setting is a default and where it is stated.
type setting struct {
	value, source string
}

const (
	documentation = "nginx.org/en/docs/http/ngx_http_ssl_module.html"
	proxyDocument = "nginx.org/en/docs/http/ngx_http_proxy_module.html"
	changes       = "nginx.org/en/CHANGES"
)

// protocols is the default of ssl_protocols and of the directives of that name for upstreams, which changed together.
func (v version) protocols() setting {
	switch {
	case v.since("1.27.3"):
		return setting{"TLSv1.2 TLSv1.3", changes + " (1.27.3)"}
	case v.since("1.23.4"):
		return setting{"TLSv1 TLSv1.1 TLSv1.2 TLSv1.3", changes + " (1.23.4)"}
	case v.since("1.9.1"):
		return setting{"TLSv1 TLSv1.1 TLSv1.2", changes + " (1.9.1)"}
	}
	return setting{"SSLv3 TLSv1 TLSv1.1 TLSv1.2", changes + " (1.1.13)"}
}

func (v version) ciphers() setting { return setting{"HIGH:!aNULL:!MD5", documentation} }

func (v version) curve() setting {
	if v.since("1.11.0") {
		return setting{"auto", changes + " (1.11.0)"}
	}
	return setting{"prime256v1", documentation}
}

// alpn is what the http module negotiates. required: no protocol in common ends the handshake.
func (v version) alpn(http2 bool) (protocols []string, required bool, source string) {
	if http2 {
		protocols = append(protocols, "h2")
	}
	protocols = append(protocols, "http/1.1")
	if v.since("1.21.4") {
		return append(protocols, "http/1.0", "http/0.9"), true, changes + " (1.21.4); measured with 1.22.1"
	}
	return protocols, false, "nginx 1.20 src/http/modules/ngx_http_ssl_module.c, ngx_http_ssl_alpn_select"
}

// perName reports whether ssl_protocols and the suites of TLS 1.3 are those of the server that the client names. Before, OpenSSL
// had settled both when nginx learned the name.
func (v version) perName() bool { return v.since("1.29.2") }
