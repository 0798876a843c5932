package configs

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// checkListenAddress holds HOST:PORT, where the host may be missing (every address) and the port may be 0 (any free one).
func checkListenAddress(text string) error {
	host, port, err := splitAddress(text)
	if err != nil {
		return err
	}
	if _, err := parsePort(port, true); err != nil {
		return fmt.Errorf("%q: %w", clip(text), err)
	}
	if host == "" {
		return nil
	}
	if err := checkHost(host); err != nil {
		return fmt.Errorf("%q: %w", clip(text), err)
	}
	return nil
}

// splitAddress parts HOST:PORT at the last colon; an IPv6 host stands in brackets.
func splitAddress(text string) (host, port string, err error) {
	colon := strings.LastIndexByte(text, ':')
	if colon < 0 {
		return "", "", fmt.Errorf("%q has no port: HOST:PORT or :PORT is expected", clip(text))
	}
	host, port = text[:colon], text[colon+1:]
	if inner, bracketed := strings.CutPrefix(host, "["); bracketed {
		inner, closed := strings.CutSuffix(inner, "]")
		if !closed {
			return "", "", fmt.Errorf("%q lacks the closing bracket", clip(text))
		}
		return inner, port, nil
	}
	if strings.Contains(host, ":") {
		return "", "", fmt.Errorf("%q: an IPv6 address is written in brackets, as [::1]:8443", clip(text))
	}
	return host, port, nil
}

// checkHost holds an address literal or a DNS name.
func checkHost(host string) error {
	if host == "" {
		return errors.New("no host")
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	return checkName(host)
}

// checkName holds a DNS name in the form that goes over the wire (RFC 1035, Section 2.3.4; underscores occur in practice).
func checkName(name string) error {
	name = strings.TrimSuffix(name, ".")
	if name == "" || len(name) > 253 {
		return fmt.Errorf("a name of %d letters is not between 1 and 253", len(name))
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return fmt.Errorf("name %q: a label of %d letters is not between 1 and 63", clip(name), len(label))
		}
		for _, r := range label {
			switch {
			case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			case r > 0x7f:
				return fmt.Errorf("name %q is not ASCII: write it in its xn-- form", clip(name))
			default:
				return fmt.Errorf("name %q has a %q in it", clip(name), r)
			}
		}
	}
	return nil
}

// checkServerName holds what a route may be chosen by: a name, "*.name", or "*".
func checkServerName(name string) error {
	if name == "*" {
		return nil
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return fmt.Errorf("%q is an address; clients send no address as server name (RFC 6066, Section 3): use \"*\"", clip(name))
	}
	if err := checkName(strings.TrimPrefix(name, "*.")); err != nil {
		return err
	}
	return nil
}
