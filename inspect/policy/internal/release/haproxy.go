package release

// HAProxyCertificateBy12 reports whether in this release of HAProxy a client's suites of TLS 1.3 do not count when a certificate is
// chosen for it ("suboptimal certificate selection with TLSv1.3 and dual ECDSA/RSA" in the change logs of November 2023). Measured
// with 2.6.12.
func HAProxyCertificateBy12(version string) bool {
	for _, fixed := range [...][2]string{{"2.9", "2.9"}, {"2.8", "2.8.4"}, {"2.7", "2.7.11"}, {"2.5", "2.6.16"}, {"2.4", "2.4.25"}} {
		if AtLeast(version, fixed[0]) {
			return !AtLeast(version, fixed[1])
		}
	}
	return !AtLeast(version, "2.2.32")
}
