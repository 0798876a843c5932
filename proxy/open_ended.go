package proxy

import "bytes"

// endsWithConnection reports whether b begins with an answer of HTTP/1 whose body goes on until the connection ends, since neither a
// length nor chunks tell where it does (RFC 9112, Section 6.3). Of such an answer nobody can see that it was cut, unless the end
// of the connection is a proper one. b is what came first; a header that is not whole in it tells nothing.
func endsWithConnection(b []byte) bool {
	header, _, whole := bytes.Cut(b, []byte("\r\n\r\n"))
	if !whole || !bytes.HasPrefix(header, []byte("HTTP/1.")) || len(header) < len("HTTP/1.1 200") {
		return false
	}
	if status := string(header[9:12]); status[0] == '1' || status == "204" || status == "304" {
		return false // without a body
	}
	for line := range bytes.SplitSeq(header, []byte("\r\n")) {
		name, _, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("Content-Length")) || bytes.EqualFold(name, []byte("Transfer-Encoding")) {
			return false
		}
	}
	return true
}
