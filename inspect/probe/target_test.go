package probe

import (
	"strings"
	"testing"
)

// A link-local address is one of an interface: without its zone nobody is reached.
func TestZonesOfAddressesAreKept(t *testing.T) {
	for text, want := range map[string]string{"[fe80::1%eth0]:443": "[fe80::1%eth0]:443", "[::ffff:192.0.2.1]:1": "192.0.2.1:1", "192.0.2.1:65535": "192.0.2.1:65535"} {
		got, err := Resolve(t.Context(), nil, text)
		if err != nil || len(got) != 1 || got[0].String() != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"192.0.2.1:65536", "192.0.2.1:0", "192.0.2.1", "192.0.2.1:https"} {
		if got, err := Resolve(t.Context(), nil, text); err == nil {
			t.Errorf("%s is read as %v", text, got)
		}
	}
}

func TestHostsOfRequests(t *testing.T) {
	for host, want := range map[string]string{"www.example.com": "www.example.com", "192.0.2.1": "192.0.2.1", "::1": "[::1]", "fe80::1%eth0": "[fe80::1]"} {
		if request := string(HTTPRequest(host)); !strings.Contains(request, "\r\nHost: "+want+"\r\n") {
			t.Errorf("%s: %q", host, request)
		}
	}
}
