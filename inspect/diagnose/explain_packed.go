package diagnose

import (
	"regexp"
	"strconv"
	"strings"
)

// packedError finds the numbers into which OpenSSL and BoringSSL pack an error: eight hexadecimal digits behind "error:", or, as
// Envoy prints them, nine or ten decimal ones.
var packedError = regexp.MustCompile(`(?i)error:\s*(?:([0-9]{9,10})\b|([0-9a-f]{8})\b)|\b(1[0-9a-f]{7}|0a[0-9a-f]{6})\b`)

// explainPacked decodes packed errors of the SSL library: its reason is an alert received (1000 and its number), or one of
// those that say the same as a text that is known.
func explainPacked(text string) []candidate {
	var found []candidate
	for _, m := range packedError.FindAllStringSubmatch(boundTo(text, 2048), 8) {
		reason, ok := packedReason(m[1], m[2]+m[3])
		if !ok {
			continue
		}
		code := strings.TrimSpace(m[0])
		if reason >= 1000 && reason < 1256 {
			for _, c := range alertCandidate(uint8(reason-1000), code) {
				c.weight = 200
				c.Source = "OpenSSL, error code"
				found = append(found, c)
			}
			continue
		}
		words, ok := packedReasons[reason]
		if !ok {
			continue
		}
		for i := range openSSLSymptoms {
			if part, hit := openSSLSymptoms[i].matches(words); hit {
				e := openSSLSymptoms[i].explanation(part)
				e.Match, e.Source = code, "OpenSSL, error code: "+words
				found = append(found, candidate{200, e})
				break
			}
		}
	}
	return found
}

// packedReason takes a packed error of the SSL library apart.
func packedReason(decimal, hex string) (int, bool) {
	if decimal != "" {
		n, err := strconv.ParseUint(decimal, 10, 32)
		if err != nil {
			return 0, false
		}
		return int(n & 0xfff), n>>24 == 0x10 // BoringSSL: library 16 is SSL
	}
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		return 0, false
	}
	switch {
	case n>>23 == 20: // OpenSSL 3: library 20 above 23 bits of reason
		return int(n & 0x7fffff), true
	case n>>24 == 0x14: // OpenSSL 1: library 20, 12 bits of function, 12 of reason
		return int(n & 0xfff), true
	case n>>24 == 0x10: // BoringSSL
		return int(n & 0xfff), true
	}
	return 0, false
}

// packedReasons are reasons of OpenSSL's and BoringSSL's SSL libraries (sslerr.h, ssl.h), in words that a symptom knows.
var packedReasons = map[int]string{
	125: "certificate verify failed", // BoringSSL
	134: "certificate verify failed",
	155: "ssl https proxy request",
	156: "ssl http request",
	191: "no protocols available",
	193: "no shared cipher",
	199: "peer did not return a certificate",
	247: "wrong version number", // BoringSSL
	252: "unknown protocol",
	258: "unsupported protocol",
	259: "unsupported ssl version",
	267: "wrong version number",
	294: "unexpected eof while reading",
	338: "unsafe legacy renegotiation disabled",
	376: "no suitable signature algorithm",
	394: "dh key too small",
	397: "ca key too small",
	398: "ca md too weak",
	399: "ee key too small",
}
