package starttls

import "strings"

// offer is whether a server has TLS among what it can do.
type offer int

const (
	notTold offer = iota
	withTLS
	withoutTLS
)

// look learns from the backend's answer to a command, or from its greeting, whether it offers TLS.
func (s *serving) look(c command, said []byte) {
	if told := offered(s.protocol, c.name, said); told != notTold {
		s.offer = told
	}
}

// offered is whether a server has TLS among what it says that it can do. Only where it lists that does it say so: "EHLO" and not
// "HELO" (RFC 3207, Section 4), the CAPABILITY of IMAP, which may stand in its greeting (RFC 9051, Sections 6.1.1 and 7.1), and "CAPA"
// (RFC 2449, Section 5).
func offered(protocol Protocol, command string, said []byte) offer {
	listed, found := false, false
	for line := range strings.Lines(strings.ToUpper(string(said))) {
		line = strings.TrimRight(line, "\r\n")
		switch protocol {
		case SMTP, LMTP:
			if (command == "EHLO" || command == "LHLO") && strings.HasPrefix(line, "250") {
				listed = true
				found = found || len(line) > 4 && firstWord(line[4:]) == "STARTTLS"
			}
		case IMAP:
			if at := strings.Index(line, "CAPABILITY "); at > 0 && strings.HasPrefix(line, "* ") {
				capabilities, _, _ := strings.Cut(line[at:], "]")
				listed = true
				for _, word := range strings.Fields(capabilities) {
					found = found || word == "STARTTLS"
				}
			}
		case POP3:
			if command == "CAPA" && strings.HasPrefix(line, "+OK") {
				listed = true
			}
			found = found || command == "CAPA" && firstWord(line) == "STLS"
		}
	}
	switch {
	case listed && found:
		return withTLS
	case listed:
		return withoutTLS
	}
	return notTold
}

func firstWord(line string) string {
	word, _, _ := strings.Cut(strings.TrimLeft(line, " "), " ")
	return word
}
