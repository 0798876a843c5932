package proxy

import (
	"bufio"
	"errors"
)

// errSpeaksHTTP2 is for a backend that answers a request of HTTP/1.1 with the beginning of HTTP/2.
var errSpeaksHTTP2 = errors.New("the backend answers in HTTP/2: a SETTINGS frame")

// speaksHTTP2 reports whether what is read begins with the preface of a server of HTTP/2: "a potentially empty SETTINGS frame that MUST be the first
// frame the server sends" (RFC 9113, Section 3.4). No answer of HTTP/1 begins with a zero byte. One byte has come already.
func speaksHTTP2(in *bufio.Reader) bool {
	const header, settings, setting = 9, 4, 6
	if first, err := in.Peek(1); err != nil || first[0] != 0 {
		return false
	}
	b, err := in.Peek(header)
	if err != nil {
		return false
	}
	length := int(b[1])<<8 | int(b[2])
	return b[0] == 0 && b[3] == settings && b[4] == 0 && length%setting == 0 && string(b[5:]) == "\x00\x00\x00\x00"
}
