package capture

import (
	"bytes"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// refusedInClear is about a server that said no before TLS began, to a client that sent its hello all the same; nil: it did not.
func (c *tcpConn) refusedInClear(leg *inspect.Leg) *inspect.Error {
	side := 1 - c.client
	st, h := &c.stream[side], &c.half[side]
	if st.tls || st.carrier != nil || h.lost > 0 || len(st.prefix) == 0 || len(st.prefix) > maxPrefix || leg.TLS.Version != "" {
		return nil
	}
	if c.tls.upgrade == wire.ProtocolProxyProtocol {
		first, _, _ := cutLine(st.prefix)
		if p, _ := wire.Sniff(st.prefix); p != wire.ProtocolHTTPResponse || !refusal(st.prefix) {
			return nil
		}
		leg.ProxyProtocol = c.tls.header
		leg.FirstBytes = &inspect.FirstBytes{Protocol: string(wire.ProtocolHTTPResponse), Summary: wire.FirstLine(first, maxSummary), Raw: bytes.Clone(first)}
		return &inspect.Error{Type: inspect.ErrorNotTLS, Phase: inspect.PhaseHandshake, Message: "the server answered the PROXY protocol header in plain text"}
	}
	answer := lastLine(st.prefix)
	if !refusesUpgrade(c.tls.upgrade, answer) {
		return nil
	}
	leg.StartTLS = &inspect.StartTLS{Protocol: string(c.tls.upgrade), Refused: true, Answer: wire.FirstLine(answer, maxSummary)}
	return &inspect.Error{
		Type: inspect.ErrorStartTLS, Phase: inspect.PhaseStartTLS,
		Message: "the server refused to go over to TLS (" + leg.StartTLS.Answer + "), and the client sent its hello all the same",
	}
}

// headerVersion is the version of the PROXY protocol header that bytes begin with.
func headerVersion(b []byte) string {
	if len(b) > 0 && b[0] == '\r' {
		return "v2"
	}
	return "v1"
}

// lastLine is the last line of what a server said.
func lastLine(b []byte) []byte {
	b = bytes.TrimRight(b, "\r\n")
	return b[bytes.LastIndexByte(b, '\n')+1:]
}

// refusesUpgrade reports whether the answer to the wish for TLS says no. SMTP, FTP and NNTP begin with a code, of which those of 400 and
// more refuse (RFC 5321, Section 4.2.1; RFC 959, Section 4.2; RFC 3977, Section 3.2); POP3, IMAP and Sieve say it in a word (RFC 1939,
// Section 3; RFC 9051, Section 7.1; RFC 5804, Section 1.2).
func refusesUpgrade(protocol wire.Protocol, answer []byte) bool {
	switch protocol {
	case wire.ProtocolSMTP, wire.ProtocolFTP, upgradeNNTP:
		return len(answer) >= 3 && (answer[0] == '4' || answer[0] == '5') && isDigit(answer[1]) && isDigit(answer[2]) && (len(answer) == 3 || answer[3] == ' ')
	case wire.ProtocolPOP3:
		return bytes.HasPrefix(answer, []byte("-ERR"))
	case wire.ProtocolIMAP:
		_, word, tagged := bytes.Cut(answer, []byte(" "))
		return tagged && answer[0] != '*' && (hasWord(word, "NO") || hasWord(word, "BAD"))
	case upgradeSieve:
		return hasWord(answer, "NO") || hasWord(answer, "BYE")
	}
	return false
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

// hasWord reports whether a line begins with a word.
func hasWord(line []byte, word string) bool {
	rest, ok := bytes.CutPrefix(line, []byte(word))
	return ok && (len(rest) == 0 || rest[0] == ' ')
}
