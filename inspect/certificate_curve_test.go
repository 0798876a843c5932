package inspect_test

import (
	"encoding/pem"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Certificates of OpenSSL with keys on curves that crypto/x509 refuses to parse.
const (
	brainpoolLeaf = `
-----BEGIN CERTIFICATE-----
MIICkzCCAXugAwIBAgIUN/gDvDTYmL85K8AZzrvssYgdgkowDQYJKoZIhvcNAQEL
BQAwEjEQMA4GA1UEAwwHUlYxNiBDQTAeFw0yNjExMjEyMzIxMzlaFw0yNzA2MDky
MzIxMzlaMBQxEjAQBgNVBAMMCWxvY2FsaG9zdDBaMBQGByqGSM49AgEGCSskAwMC
CAEBBwNCAAQkiOHdM9pQsLoiQhcsHDqCpBpOvdiI0h3lEQ6KCWwfQTqqKjst0+/j
PI+0182QOjzKXj0I1KnP/zsfRXRNVlC2o4GoMIGlMCwGA1UdEQQlMCOCCWxvY2Fs
aG9zdIcEfwAAAYcQAAAAAAAAAAAAAAAAAAAAATAJBgNVHRMEAjAAMB0GA1UdJQQW
MBQGCCsGAQUFBwMBBggrBgEFBQcDAjALBgNVHQ8EBAMCBaAwHQYDVR0OBBYEFHub
K6R/M87QfNKS+lezjpp0FmWqMB8GA1UdIwQYMBaAFDPamRzeyNepmgu7pGjX/cFM
y0+KMA0GCSqGSIb3DQEBCwUAA4IBAQCOl1ofZRHbwUExbC+jFJAl0vIPMnWiBJDw
IFOO6osI8+YzA8ee0Yy7SZM2Gzf8GA8UM3QUtWhc+aYTrgOQ3VwJx37rDCfigJ7o
q5wUQ6NnZRWqUbXg+02eg7m40J+kyjIYfmcNX7gnOuCVNQ2ffwFk+sLolzLNiatV
yWZo0Y0AvY+IeYPl3r06GacwtM3fashveercqulMAWwVCbGU9oucf7RZSdjKiJCo
KmqiJhPrGKX2un5Rpn0s+o8GdvXI+/Fpls7l2CR9gHUoNb5oVVAN9JuFh4hU2/Dv
WLp4cuW2zZc09TDjsZfpDRtEpsikmNq2LkdhP6b5apJGx0PW8fop
-----END CERTIFICATE-----
`
	koblitzLeaf = `
-----BEGIN CERTIFICATE-----
MIICjzCCAXegAwIBAgIUN/gDvDTYmL85K8AZzrvssYgdgkkwDQYJKoZIhvcNAQEL
BQAwEjEQMA4GA1UEAwwHUlYxNiBDQTAeFw0yNjExMjEyMzIxMzlaFw0yNzA2MDky
MzIxMzlaMBQxEjAQBgNVBAMMCWxvY2FsaG9zdDBWMBAGByqGSM49AgEGBSuBBAAK
A0IABCpb+AIhhtheC68UID7iqeAsFuHyn0gTIdfzVDeogJfwjrJcLuAxALB6WivZ
uVceREYKd1q8irSv1069VSSM9N+jgagwgaUwLAYDVR0RBCUwI4IJbG9jYWxob3N0
hwR/AAABhxAAAAAAAAAAAAAAAAAAAAABMAkGA1UdEwQCMAAwHQYDVR0lBBYwFAYI
KwYBBQUHAwEGCCsGAQUFBwMCMAsGA1UdDwQEAwIFoDAdBgNVHQ4EFgQUP4mn70FU
iX0/f90vdelvemzfZ58wHwYDVR0jBBgwFoAUM9qZHN7I16maC7ukaNf9wUzLT4ow
DQYJKoZIhvcNAQELBQADggEBAB0bQKhRoWop8SHPOl5gUCdd9HHJoGC9DWuTM8vE
LP/+DQ0dAnz7mxk2KNVjJYWGbXaEbX4JNVdevyFdUQIzVBET1AR04TX6HuV30UTD
d4eTroC7yniAUGH6olw1RUEuiC90aA8LCHsZWmvPm1u7yRjeQkPIROxVl0E/pRAs
ufZbmG21RP/i+wDzBcBgz2E9oAfAxAsS5SAJqRmKmymeF7I/dFaaj8rAltzWgVAa
0WBcw4s4husTBVDZ0tZzvn4SansvLrK/5l7G5mXt8kS4VMTkpVN/Y0gpNN6XImRC
ZQ4kwVrqa26hLLMUpzhAWrHbsI5j8BcgSDEB2LaNNRfixI0=
-----END CERTIFICATE-----
`
)

func TestACertificateOnACurveThatGoDoesNotKnowIsDescribed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, pem string
		curve     wire.NamedGroup
	}{{"brainpoolP256r1", brainpoolLeaf, wire.GroupBrainpoolP256r1}, {"secp256k1", koblitzLeaf, wire.GroupSecp256k1}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			block, _ := pem.Decode([]byte(c.pem))
			if block == nil {
				t.Fatal("no PEM")
			}
			d := inspect.DescribeCertificate(block.Bytes)
			if d.Error != "" || d.Subject != "CN=localhost" || d.PublicKeyAlgorithm != "ECDSA" || d.PublicKeySize != 256 || d.NotAfter.IsZero() || len(d.AlternativeNames) == 0 {
				t.Errorf("%+v", d)
			}
			if curve, ok := inspect.CertificateCurve(block.Bytes); !ok || curve != c.curve {
				t.Errorf("curve %v, %v", curve, ok)
			}
			for n := range block.Bytes {
				if d := inspect.DescribeCertificate(block.Bytes[:n]); d.Error == "" {
					t.Fatalf("%d of %d bytes are taken for a certificate", n, len(block.Bytes))
				}
				_, _ = inspect.CertificateCurve(block.Bytes[:n]) // does not panic
			}
		})
	}
}
