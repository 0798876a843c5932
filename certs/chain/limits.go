package chain

// Bounds on what a stranger's chain may cost. What lies beyond a bound is said in a Malformed fault, never dropped in silence.
const (
	// MaxCertificates is how many presented certificates are looked at.
	MaxCertificates = 100
	// MaxBytes is how many bytes of certificates are looked at. crypto/tls takes 256 KiB, OpenSSL 100 KiB.
	MaxBytes = 1 << 20
	// MaxRSABits is the longest RSA key whose signatures are checked: the limit of crypto/tls, since checking costs the
	// square of the length (CVE-2023-29409).
	MaxRSABits = 8192

	maxIntermediates   = 16  // handed to crypto/x509, nearest to the leaf first: no honest path is longer
	maxSignatureChecks = 48  // of our own, beside those of crypto/x509, which has its own bound
	maxNames           = 10  // in a fault
	maxTextBytes       = 200 // of one string of a stranger in a fault
	maxNamesCompared   = 10_000
	maxFaults          = 64
)
