package clients

import "strings"

// Confidence says how far a name is to be trusted.
type Confidence string

// Confidences.
const (
	// Exact: every release named in Versions was captured sending this form, and no other client of the collection does.
	Exact Confidence = "exact"
	// Likely: one release was captured and stands for its series, or several clients send the same form.
	Likely Confidence = "likely"
)

// Client is who a hello is likely from.
type Client struct {
	Library    string   // whose TLS library: "OpenSSL", "GnuTLS", "OpenJDK", "Go"
	Versions   string   // of the library: a series ("3.0"), or the releases that were captured ("1.0.1a to 1.0.1e")
	Programs   []string // that were captured sending it, with their releases; empty: the library's own tools alone. Not to be changed.
	Confidence Confidence
	Source     string // of the captures
}

// maxPrograms is how many programs a name lists.
const maxPrograms = 2

// String is "OpenSSL 3.0", "Node.js 20.20.2 (OpenSSL 3.0)" where one program was seen to send the form, or "OpenSSL 3.0 (as curl
// 7.88.1, Python 3.11.7 and others)".
func (c Client) String() string {
	library := strings.TrimSpace(c.Library + " " + c.Versions)
	switch n := len(c.Programs); {
	case n == 0:
		return library
	case n == 1:
		return c.Programs[0] + " (" + library + ")"
	case n <= maxPrograms:
		return library + " (as " + strings.Join(c.Programs, ", ") + ")"
	}
	return library + " (as " + strings.Join(c.Programs[:maxPrograms], ", ") + " and others)"
}
