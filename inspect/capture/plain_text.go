package capture

import "bytes"

// maxSummary bounds the line that names what is no TLS.
const maxSummary = 120

// cutLine is the first line of what a client sent, without the query of an HTTP target: tokens stand there.
func cutLine(b []byte) (line, rest []byte, found bool) {
	line, rest, found = bytes.Cut(b, []byte("\n"))
	line = bytes.TrimSuffix(line[:min(len(line), 256)], []byte("\r"))
	if target, after, ok := bytes.Cut(line, []byte("?")); ok {
		_, version, _ := bytes.Cut(after, []byte(" "))
		line = append(append(append([]byte(nil), target...), "?... "...), version...)
	}
	return line, rest, found
}
