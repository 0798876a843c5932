package diagnose

import "strings"

// symptom is a message as some program prints it, and what stands behind it.
type symptom struct {
	says     string   // whose words
	any      []string // normalized; one of them must be in the text
	with     []string // if not empty, one of these must be in it, too
	means    string
	speaker  string
	findings []string
	look     string
	run      string
}

// symptomTables are all symptoms, by who prints them. They are never changed.
var symptomTables = [...][]symptom{
	openSSLSymptoms, goSymptoms, javaSymptoms, browserSymptoms, curlSymptoms, windowsSymptoms,
	otherLibrarySymptoms, proxySymptoms, httpSymptoms, networkSymptoms,
}

// matches returns the longest part of the symptom that is in the text, at the bounds of words.
func (s *symptom) matches(words string) (string, bool) {
	if len(s.with) > 0 {
		found := false
		for _, w := range s.with {
			found = found || holds(words, w)
		}
		if !found {
			return "", false
		}
	}
	best := ""
	for _, part := range s.any {
		if len(part) > len(best) && holds(words, part) {
			best = part
		}
	}
	return best, best != ""
}

// holds reports whether part is in words and neither begins nor ends inside of one.
func holds(words, part string) bool {
	for from := 0; ; {
		i := strings.Index(words[from:], part)
		if i < 0 {
			return false
		}
		i += from
		end := i + len(part)
		if (i == 0 || !inWord(words[i-1]) || !inWord(part[0])) && (end == len(words) || !inWord(words[end]) || !inWord(part[len(part)-1])) {
			return true
		}
		from = i + 1
	}
}

func inWord(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
}

func (s *symptom) explanation(part string) Explanation {
	return Explanation{
		Known: true, Match: part, Source: s.says, Meaning: s.means, Speaker: s.speaker,
		Findings: s.findings, Look: s.look, Command: s.run,
	}
}

// Commands that several symptoms share.
const (
	runProxy   = "tlstriage proxy --listen 127.0.0.1:8443 --backend https://HOST:PORT"
	runScan    = "tlstriage scan HOST:PORT --sni NAME"
	runCerts   = "tlstriage certs check HOST:PORT --name NAME"
	runShow    = "openssl s_client -connect HOST:PORT -servername NAME -showcerts"
	runCapture = "tcpdump -ni any -w out.pcap port PORT && tshark -r out.pcap -Y 'tls.handshake || tls.alert_message || tcp.flags.reset == 1'"
	runStatus  = "tlstriage certs check HOST:PORT --name NAME --revocation check"
	runPlain   = "curl -v http://HOST:PORT/"
)

// Findings that several symptoms share.
var (
	chainIDs = []string{"chain-missing-intermediate", "chain-untrusted-root", "cert-self-signed", "default-certificate-served"}
	anyCert  = []string{
		"chain-missing-intermediate", "cert-expired", "cert-name-mismatch", "cert-self-signed", "chain-untrusted-root", "default-certificate-served",
		"chain-intermediate-expired", "cert-wrong-usage", "cert-weak-key", "cert-weak-signature", "cert-malformed", "cert-rejected",
	}
	overlapIDs  = []string{"version-no-overlap", "cipher-no-overlap", "policy-rejects-version", "policy-rejects-cipher", "group-no-overlap", "signature-no-overlap", "sni-missing", "client-cert-missing", "proxy-cannot-serve"}
	plainIDs    = []string{"backend-not-tls", "not-tls-http", "not-tls-other"}
	cutIDs      = []string{"client-aborted", "backend-reset", "backend-closed", "client-hello-fragmented", "server-cert-rejected-by-client", "backend-requires-client-cert"}
	clientCert  = []string{"client-cert-missing", "client-cert-untrusted", "client-cert-expired", "client-cert-revoked", "client-cert-wrong-usage", "client-cert-unsupported", "client-cert-unproven", "backend-requires-client-cert", "backend-rejects-client-cert", "client-cert-cannot-pass"}
	backendDown = []string{"backend-refused", "backend-timeout", "backend-unresolvable", "backend-unreachable", "backend-not-tls", "backend-reset", "backend-closed"}
)
