package recording

import (
	"strings"
	"testing"
)

// TestErrorsSpeakOfTheRecord and not of the types that it was read into.
func TestErrorsSpeakOfTheRecord(t *testing.T) {
	for text, want := range map[string]string{
		`{"client":"x","schema":1}`:             `"client" cannot be a JSON string`,
		`{"schema":"1"}`:                        `"schema" cannot be a JSON string`,
		`{"schema":1,"client":{"address":[1]}}`: `"client.address" cannot be a JSON array`,
		`{"schema":1,"client_leg":{"tls":{"client":{"hello":{"complete":3}}}}}`:                 `"hello.complete" cannot be a JSON number`,
		`{"schema":1,"client_leg":{"tls":{"client":{"hello":{"complete":true,"raw":"$$"}}}}}`:   `"raw" is no base64`,
		`{"schema":1,"client_leg":{"tls":{"client":{"legacy_version":{},"hello":{"size":1}}}}}`: `"legacy_version" cannot be a JSON object`,
		`{"schema":1`:   `no JSON: unexpected end of JSON input`,
		`{"schema":1}}`: `no JSON: invalid character '}' after top-level value at byte 13 of the line`,
	} {
		var tally Tally
		if err := tally.Read(strings.NewReader(text+"\n"), "f"); err != nil || len(tally.Problems) != 1 {
			t.Errorf("%s: %v, %v", text, tally.Problems, err)
			continue
		}
		got := tally.Problems[0].Error()
		if !strings.Contains(got, want) || strings.Contains(got, "Go ") || strings.Contains(got, "struct") || strings.Contains(got, "recording.") {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
