package recording

import "bytes"

// Form is the form of a recording.
type Form uint8

// Forms.
const (
	FormUnknown     Form = iota
	FormEmpty            // nothing but white space
	FormRecords          // NDJSON of ours
	FormHelloText        // ClientHellos in hexadecimal or base64
	FormHelloBinary      // ClientHellos as bytes
	FormGzip             // any of them, compressed
	FormZstd             // the same, in another compression
	FormCapture          // pcap or pcapng: read by package capture
	FormArray            // a JSON array: not read
)

// DetectBytes is how many bytes Detect wants to see.
const DetectBytes = 512

// Detect tells a recording's form from its first bytes.
func Detect(head []byte) Form {
	for _, magic := range [...]struct {
		bytes string
		form  Form
	}{
		{"\x1f\x8b", FormGzip}, {"\x28\xb5\x2f\xfd", FormZstd},
		{"\xd4\xc3\xb2\xa1", FormCapture}, {"\xa1\xb2\xc3\xd4", FormCapture}, {"\x4d\x3c\xb2\xa1", FormCapture},
		{"\xa1\xb2\x3c\x4d", FormCapture}, {"\x0a\x0d\x0d\x0a", FormCapture},
	} {
		if bytes.HasPrefix(head, []byte(magic.bytes)) {
			return magic.form
		}
	}
	if len(head) > 1 && (head[0] == 0x16 && head[1] == 3 || head[0] == 1) || len(head) > 2 && head[0]&0x80 != 0 && head[2] == 1 {
		return FormHelloBinary
	}
	head = bytes.TrimLeft(bytes.TrimPrefix(head, byteOrderMark), " \t\r\n")
	if len(head) == 0 {
		return FormEmpty
	}
	switch c := head[0]; {
	case c == '{':
		return FormRecords
	case c == '[':
		return FormArray
	case c == '#' || c == '\\' || c == '+' || c == '/' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
		return FormHelloText
	}
	return FormUnknown
}

// byteOrderMark is what some editors put before UTF-8.
var byteOrderMark = []byte("\xef\xbb\xbf")
