package proxy

import (
	"strconv"
	"strings"
)

// The longest X-Request-Id that is taken from a client.
const maxRequestID = 128

// requestIDHeader is the one that requestID sets.
var requestIDHeader = [...]string{"X-Request-Id"}

// requestID is the X-Request-Id of a request: what a trusted client says, if that is one value which no log can trip over, else made
// of the record's id and the number of the request on its connection.
func (q *httpRequest) requestID(said []string, trusted bool) string {
	if trusted && len(said) == 1 && isRequestID(said[0]) {
		return said[0]
	}
	return q.s.c.record.Event.ID + "-" + strconv.Itoa(q.number)
}

func isRequestID(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isAlphanumeric(c) && strings.IndexByte("-_.:/+=@", c) < 0 {
			return false
		}
	}
	return s != "" && len(s) <= maxRequestID
}

// traceID is the trace id of a traceparent header (W3C Trace Context, Section 3.2): version, trace id, parent id and flags in
// lower case, none of the ids all zeros. Empty: there is none, or more than one, or it is not valid.
func traceID(said []string) string {
	if len(said) != 1 {
		return ""
	}
	s := said[0]
	const length = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if len(s) < length || s[2] != '-' || s[35] != '-' || s[52] != '-' || s[:2] == "ff" || s[:2] == "00" && len(s) != length || len(s) > length && s[length] != '-' {
		return ""
	}
	for _, part := range []string{s[:2], s[3:35], s[36:52], s[53:55]} {
		for i := range len(part) {
			if c := part[i]; !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') {
				return ""
			}
		}
	}
	if strings.Trim(s[3:35], "0") == "" || strings.Trim(s[36:52], "0") == "" {
		return ""
	}
	return s[3:35]
}
