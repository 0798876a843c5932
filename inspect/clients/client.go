package clients

import "strings"

// Confidence says how far a name is to be trusted.
type Confidence string

// Confidences.
const (
	// Exact: every release named in Versions was captured sending this form, and no other client of the collection does.
	Exact Confidence = "exact"
	// Likely: one release was captured and stands for its series, whose neighbours may send the same, or several clients do.
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

// String is "OpenSSL 3.0", or "OpenSSL 3.0 (as Node.js 20.20.2)" where only programs were captured that set something up, which
// says how the library is used and not that it is this program or this release of it.
func (c Client) String() string {
	library := strings.TrimSpace(c.Library + " " + c.Versions)
	switch n := len(c.Programs); {
	case n == 0:
		return library
	case n <= maxPrograms:
		return library + " (as " + strings.Join(c.Programs, ", ") + ")"
	}
	return library + " (as " + strings.Join(c.Programs[:maxPrograms], ", ") + " and others)"
}
