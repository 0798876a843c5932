package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
)

// What strangers chose (server names, addresses, protocols) comes out of JSON as it was, and nothing of it acts on a terminal.
func TestSpelledJSONIsTheSameJSON(t *testing.T) {
	for _, s := range []string{
		"", "plain", "Zürich ✓", "\x1b[31mred\x07", "del \x7f", "c1 \u009b31m", "left \u202e right", "zero\u200bwidth", "tag \U000e0041", "line\u2028s", "bad \xff\xfe bytes", `back\slash "quoted"`, "\u0600\ufeff",
	} {
		var out bytes.Buffer
		if err := writeSpelled(&out, map[string]string{"name": s}); err != nil {
			t.Fatal(err)
		}
		text := out.String()
		if !strings.HasSuffix(text, "\n") || strings.Count(text, "\n") != 1 {
			t.Errorf("%q is not a line", text)
		}
		if i := strings.IndexFunc(strings.TrimSuffix(text, "\n"), func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("%q has %q in it", text, text[i:])
		}
		var back map[string]string
		if err := json.Unmarshal(out.Bytes(), &back); err != nil || back["name"] != strings.ToValidUTF8(strings.ReplaceAll(s, "\xff\xfe", "\ufffd\ufffd"), "") {
			t.Errorf("%q comes back as %q: %v", s, back["name"], err)
		}
	}
}
