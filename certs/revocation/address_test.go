package revocation

import (
	"errors"
	"net/netip"
	"testing"
)

func TestGuardRefusesWhatIsNotPublic(t *testing.T) {
	g := newGuard()
	for _, address := range []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254", "168.63.129.16",
		"169.254.0.1", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1",
		"198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1",
		"100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "3fff::1", "fc00::1", "fd00:ec2::254", "fd12:3456::1", "fe80::1", "fec0::1",
		"ff02::1", "4000::1", "fe80::1%eth0", "2600::1%eth0",
	} {
		err := g.check(netip.MustParseAddr(address))
		var refused *AddressError
		if !errors.As(err, &refused) || refused.Why == "" {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{"8.8.8.8", "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "128.0.0.1", "169.253.255.255", "172.15.255.255",
		"172.32.0.0", "192.169.0.1", "223.255.255.255", "::ffff:8.8.8.8", "2600::1", "2001:4860:4860::8888", "2a00:1450::1", "2003::1"} {
		if err := g.check(netip.MustParseAddr(address)); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestAllowedHosts(t *testing.T) {
	var l allowList
	for _, entry := range []string{"OCSP.corp.example.", "pki.corp.example:8080", "10.1.2.3", "[fd00::1]:8080", "fd00::2", "10.9.0.0/16", "::ffff:10.4.4.4"} {
		if err := l.add(entry); err != nil {
			t.Errorf("%q: %v", entry, err)
		}
	}
	for _, test := range []struct {
		host, port string
		want       bool
	}{
		{"ocsp.corp.example", "80", true}, {"ocsp.corp.example.", "8888", true}, {"x.ocsp.corp.example", "80", false},
		{"pki.corp.example", "8080", true}, {"pki.corp.example", "80", false},
		{"10.1.2.3", "81", true}, {"10.1.2.4", "80", false}, {"::ffff:10.1.2.3", "80", true}, {"10.4.4.4", "80", true},
		{"fd00::1", "8080", true}, {"fd00::1", "80", false}, {"fd00::2", "80", true},
		{"10.9.8.7", "80", true}, {"10.10.0.0", "80", false}, {"::ffff:10.9.8.7", "80", true},
		{"evil.example", "80", false}, {"", "80", false},
	} {
		if got := l.host(test.host, test.port); got != test.want {
			t.Errorf("%s port %s: allowed %v, want %v", test.host, test.port, got, test.want)
		}
	}
	for _, entry := range []string{"", "http://x", "x:0", "x:99999", "a:b:c", "*.corp.example", "user@host", "x y", "host/path", ":80"} {
		if err := new(allowList).add(entry); err == nil {
			t.Errorf("%q is taken", entry)
		}
	}
}
