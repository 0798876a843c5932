package diagnose

import "testing"

func TestTheKindOfCertificateThatLacksIsNamed(t *testing.T) {
	const ecdsa, rsa, both = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"
	for _, c := range []struct {
		name              string
		offered, accepted []string
		want              string
	}{
		{"nothing in common", []string{ecdsa}, []string{rsa}, ""},
		{"ECDSA suites in common", []string{ecdsa}, []string{rsa, ecdsa}, "an ECDSA"},
		{"RSA suites in common", []string{rsa}, []string{rsa, ecdsa}, "an RSA"},
		{"both kinds in common", []string{rsa, ecdsa}, []string{rsa, ecdsa}, ""},
		{"a suite of TLS 1.3 in common", []string{both}, []string{both}, ""},
	} {
		if got := lackingCertificate(c.offered, c.accepted); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
