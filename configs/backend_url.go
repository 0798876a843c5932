package configs

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Target is where a backend URL leads.
type Target struct {
	Host string // name or address literal, without brackets
	Port uint16 // never 0
	TLS  bool   // https and tls; false for tcp and http
}

// Address is the target as HOST:PORT, as net.Dial takes it.
func (t Target) Address() string {
	host := t.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(int(t.Port))
}

// IsIP reports whether the host is an address literal, which no server name can be made of (RFC 6066, Section 3).
func (t Target) IsIP() bool {
	_, err := netip.ParseAddr(t.Host)
	return err == nil
}

// ParseBackendURL reads https://HOST[:443], tls://HOST:PORT, tcp://HOST:PORT or http://HOST[:80]. The first two speak TLS to
// the backend, the others do not. Anything after the port but a lone slash is refused: requests keep the path that they have.
func ParseBackendURL(text string) (Target, error) {
	if !strings.Contains(text, "://") {
		return Target{}, fmt.Errorf("%q has no scheme: write https://, tls://, tcp:// or http:// in front of HOST:PORT", clip(text))
	}
	u, err := url.Parse(escapeZone(text))
	if err != nil {
		var parse *url.Error
		if errors.As(err, &parse) {
			err = parse.Err
		}
		return Target{}, fmt.Errorf("%q is no URL: %w", clip(text), err)
	}
	target := Target{Host: u.Hostname()}
	port := u.Port()
	switch u.Scheme {
	case "https":
		target.TLS = true
		port = orDefault(port, "443")
	case "tls":
		target.TLS = true
	case "http":
		port = orDefault(port, "80")
	case "tcp":
	default:
		return Target{}, fmt.Errorf("scheme %q is not one of https, tls, tcp, http", clip(u.Scheme))
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" || (u.Path != "" && u.Path != "/") {
		return Target{}, fmt.Errorf("%q has more than a scheme, a host and a port", clip(text))
	}
	if target.Port, err = parsePort(port, false); err != nil {
		return Target{}, fmt.Errorf("%q: %w", clip(text), err)
	}
	if err := checkHost(target.Host); err != nil {
		return Target{}, fmt.Errorf("%q: %w", clip(text), err)
	}
	return target, nil
}

// Target is where the backend's URL leads; the zero Target if the URL is not valid, which Validate reports.
func (b Backend) Target() Target {
	target, err := ParseBackendURL(b.URL)
	if err != nil {
		return Target{}
	}
	return target
}

// escapeZone writes the zone of an IPv6 address as URLs have it (RFC 6874, Section 2): people write [fe80::1%eth0].
func escapeZone(text string) string {
	_, rest, ok := strings.Cut(text, "://[")
	if !ok {
		return text
	}
	address, _, ok := strings.Cut(rest, "]")
	if !ok {
		return text
	}
	before, zone, ok := strings.Cut(address, "%")
	if !ok || strings.HasPrefix(zone, "25") && len(zone) > len("25") {
		return text
	}
	return strings.Replace(text, "["+address+"]", "["+before+"%25"+zone+"]", 1)
}

func orDefault(text, fallback string) string {
	if text == "" {
		return fallback
	}
	return text
}

func parsePort(text string, zero bool) (uint16, error) {
	if text == "" {
		return 0, errors.New("no port")
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || (n == 0 && !zero) {
		return 0, fmt.Errorf("port %q is not between 1 and 65535", clip(text))
	}
	return uint16(n), nil
}
