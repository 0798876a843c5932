package certs

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Describe tells the facts of a certificate in a few lines for a person. What comes from the certificate is bounded, and
// characters that could steer a terminal are replaced.
func Describe(c *x509.Certificate) string {
	var b strings.Builder
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s%s\n", label, plain(clip(fmt.Sprintf(format, args...))))
	}
	line("subject", "%s", c.Subject)
	line("issuer", "%s", c.Issuer)
	names := append([]string{}, c.DNSNames[:min(len(c.DNSNames), 20)]...)
	for _, ip := range c.IPAddresses[:min(len(c.IPAddresses), 20)] {
		names = append(names, ip.String())
	}
	if len(names) > 0 {
		line("names", "%s", strings.Join(names, ", "))
	}
	line("valid", "%s to %s", c.NotBefore.UTC().Format(time.RFC3339), c.NotAfter.UTC().Format(time.RFC3339))
	line("key", "%s", keyText(c.PublicKey))
	line("signature", "%s", c.SignatureAlgorithm)
	if c.IsCA {
		line("authority", "yes")
	}
	line("serial", "%X", c.SerialNumber)
	line("sha256", "%X", sha256.Sum256(c.Raw))
	return b.String()
}

// plain replaces control and formatting characters.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
