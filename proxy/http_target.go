package proxy

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// Reasons to refuse a request that net/http let in, although servers read it in more than one way.
var (
	errMethod     = errors.New("the method is no token")
	errTarget     = errors.New("the request target holds a byte that none may hold")
	errTargetForm = errors.New("the request target begins with no slash")
	errHost       = errors.New("the host is no name or address with at most a port")
	errNoHost     = errors.New("the host is empty")
	errLengths    = errors.New("more than one Content-Length, or one that is no number")
	errTwoHosts   = errors.New(":authority and Host differ")
)

// checkRequest says why a request must not be passed on; nil: it may be. What is left out here net/http has refused by itself: it
// wants one Host, and no header with a byte that would end it.
func checkRequest(r *http.Request) error {
	if !isToken(r.Method) {
		return errMethod // HTTP/2 may bring one with a space in it
	}
	if _, err := originForm(r); err != nil {
		return err
	}
	// Of HTTP/1 net/http has made one length, or refused it; of HTTP/2 it takes one that is no number for none.
	if lengths := r.Header["Content-Length"]; len(lengths) > 1 || len(lengths) == 1 && !isDigits(lengths[0]) {
		return errLengths
	}
	if host, ok := r.Header["Host"]; ok && (len(host) != 1 || host[0] != r.Host) {
		return errTwoHosts // RFC 9113, Section 8.3.1
	}
	if r.Host == "" && r.ProtoAtLeast(1, 1) {
		return errNoHost // RFC 9110, Section 4.2.2: https has no empty one
	}
	if r.Host != "" && !isAuthority(r.Host) || r.URL.User != nil {
		return errHost
	}
	return nil
}

// targetURL asks the backend at address for target.
func targetURL(scheme, address, target string, in *url.URL) (*url.URL, error) {
	if !strings.HasPrefix(target, "//") {
		return &url.URL{Scheme: scheme, Host: address, Opaque: target}, nil
	}
	// An opaque part with two slashes would be taken for an authority.
	path, query, asked := strings.Cut(target, "?")
	u := &url.URL{Scheme: scheme, Host: address, Path: in.Path, RawPath: path, RawQuery: query, ForceQuery: asked}
	if u.RequestURI() != target {
		return nil, errTarget
	}
	return u, nil
}

// isToken reports whether s is a token (RFC 9110, Section 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isAlphanumeric(c) && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// originForm is the path and query that were asked for, byte for byte: a target that was taken apart and put together again may
// mean something else (%2F would become a slash). Of an absolute form it is what follows the authority.
func originForm(r *http.Request) (string, error) {
	target := r.RequestURI
	if target == "*" && r.Method == http.MethodOptions {
		return target, nil
	}
	if i := strings.Index(target, "://"); i > 0 && target[0] != '/' && r.ProtoMajor == 1 { // net/http took it for an absolute form, with the same scheme and authority
		if scheme := strings.ToLower(target[:i]); scheme != "https" && scheme != "http" {
			return "", errTargetForm
		}
		rest := target[i+len("://"):]
		if i = strings.IndexAny(rest, "/?"); i < 0 {
			rest = "/"
		} else if rest = rest[i:]; rest[0] == '?' {
			rest = "/" + rest
		}
		target = rest
	}
	if target == "" || target[0] != '/' {
		return "", errTargetForm
	}
	for i := range len(target) {
		if c := target[i]; c <= ' ' || c == 0x7f || c == '#' { // a fragment is never sent (RFC 9110, Section 7.1)
			return "", errTarget
		}
	}
	return target, nil
}

// isAuthority reports whether s is a name or an address, with or without a port, that every server reads alike. What RFC 3986,
// Section 3.2, allows beyond that (user information, percent encoding) has no place in a Host (RFC 9110, Section 4.2.4).
func isAuthority(s string) bool {
	if s == "" {
		return false
	}
	if s[0] == '[' {
		host, port, closed := strings.Cut(s[1:], "]")
		return closed && isAddress6(host) && (port == "" || port[0] == ':' && isPort(port[1:]))
	}
	host, port, ported := strings.Cut(s, ":")
	if ported && !isPort(port) {
		return false
	}
	label := 0
	for i := range len(host) {
		switch c := host[i]; {
		case c == '.':
			if label == 0 {
				return false
			}
			label = 0
		case isAlphanumeric(c) || c == '-' || c == '_':
			label++
		default:
			return false
		}
	}
	return host != ""
}

func isAddress6(s string) bool {
	for i := range len(s) {
		if c := s[i]; !('0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' || c == ':' || c == '.') {
			return false
		}
	}
	return s != ""
}

func isPort(s string) bool {
	return s == "" || len(s) <= 5 && isDigits(s) // none at all is a port, too: the default one
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
