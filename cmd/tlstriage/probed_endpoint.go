package main

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// probedEndpoint reads HOST:PORT of a flag: the host as it is dialled (a name as it stands in the DNS), the port as a number.
func probedEndpoint(flag, text string) (address string, err error) {
	host, service, err := net.SplitHostPort(text)
	if err != nil || host == "" || service == "" {
		return "", fmt.Errorf("%s: %q is not HOST:PORT", flag, text)
	}
	port, err := net.LookupPort("tcp", service)
	if err != nil || port == 0 {
		return "", fmt.Errorf("%s: port %q is not between 1 and 65535", flag, service)
	}
	if isAddress(host) {
		return net.JoinHostPort(host, strconv.Itoa(port)), nil
	}
	if strings.ContainsAny(host, " \t/@,:") {
		return "", fmt.Errorf("%s: %q is not HOST:PORT", flag, text)
	}
	return net.JoinHostPort(asciiName(host), strconv.Itoa(port)), nil
}

// endpointByFlag refuses arguments where the endpoint is named by --to.
func endpointByFlag(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usage(fmt.Errorf("%s takes no arguments, and there is %q: the endpoint is named by --to HOST:PORT", cmd.Name(), args[0]))
}

// isAddress reports whether a host is an address, with a zone perhaps (RFC 4007, Section 11), and no name.
func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// maxServerName is the length of a name in the DNS (RFC 1035, Section 2.3.4), without what ends it.
const maxServerName = 253

// serverNameFlag reads a server name of a flag. One that is not ASCII becomes what stands for it in server_name, which is made of "A-labels"
// (RFC 6066, Section 3); what no name is made of is refused, for it would be sent as it is. Upper case stays.
func serverNameFlag(flag, text string) (string, error) {
	name := text
	if utf8.ValidString(text) && strings.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) {
		name = asciiName(text)
	}
	strange := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	}
	switch {
	case isAddress(name) && strings.Contains(name, ":"):
		return "", fmt.Errorf("%s: %q is an address, which is no server name (RFC 6066, Section 3)", flag, text)
	case strings.ContainsFunc(name, strange) || strings.HasPrefix(name, ".") || strings.Contains(name, ".."):
		return "", fmt.Errorf("%s: %q is no server name: that is letters, digits, hyphens, underscores and dots", flag, text)
	case len(strings.TrimSuffix(name, ".")) > maxServerName:
		return "", fmt.Errorf("%s: a server name has at most %d characters, this one %d", flag, maxServerName, len(name))
	}
	return name, nil
}
