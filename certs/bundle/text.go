package bundle

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"regexp"
	"strings"
	"unicode/utf16"
)

// text reads a file of text: PEM blocks between whatever else, Secrets whose values are base64, or base64 alone.
func (r *reader) text(data []byte, at Source) {
	text, repaired := plainText(data)
	if repaired != "" {
		r.note(Repaired, at, "%s", repaired)
	}
	if strings.Contains(text, "PuTTY-User-Key-File") {
		r.note(Unsupported, at, "a PuTTY key; convert it with: puttygen FILE -O private-openssh -o OUT, then ssh-keygen -p -m PKCS8 -f OUT")
		return
	}
	found := r.pem(text, at)
	found = r.secret(text, at) || found
	if found {
		return
	}
	if der := bareBase64(text); der != nil {
		r.note(Repaired, at, "base64 without its BEGIN and END lines")
		r.binary(der, at)
		return
	}
	r.note(Unreadable, at, "no certificate or key: no PEM block, and neither DER, PKCS #7, PKCS #12 nor a Java key store")
}

// plainText undoes what editors, spreadsheets and Windows do to text: byte order marks, UTF-16, and all kinds of line ends.
func plainText(data []byte) (text, repaired string) {
	switch {
	case bytes.HasPrefix(data, []byte{0xef, 0xbb, 0xbf}):
		data = data[3:]
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}):
		return lines(fromUTF16(data[2:], binary.LittleEndian)), "the text is UTF-16; servers read ASCII only"
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		return lines(fromUTF16(data[2:], binary.BigEndian)), "the text is UTF-16; servers read ASCII only"
	case len(data) > 3 && data[0] != 0 && data[1] == 0 && data[2] != 0 && data[3] == 0:
		return lines(fromUTF16(data, binary.LittleEndian)), "the text is UTF-16; servers read ASCII only"
	case len(data) > 3 && data[0] == 0 && data[1] != 0 && data[2] == 0 && data[3] != 0:
		return lines(fromUTF16(data, binary.BigEndian)), "the text is UTF-16; servers read ASCII only"
	}
	return lines(string(data)), ""
}

func fromUTF16(data []byte, order binary.ByteOrder) string {
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	return string(utf16.Decode(units))
}

// lines makes every line end the same; a "\n" in letters is one too, as values of JSON and environment variables have it.
func lines(s string) string {
	return strings.NewReplacer("\r\n", "\n", "\r", "\n", `\r\n`, "\n", `\n`, "\n", "\u2028", "\n", "\u0085", "\n").Replace(s)
}

// squeeze removes what breaks base64 in practice: white space of every kind, invisible characters, and the marks of quotations.
func squeeze(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c <= ' ', c == '"', c == '\'', c == '>', c == '|', c == '\\', c == ',', c == 0x7f:
			return -1
		case c == 0xa0, c == 0xad, c == 0xfeff, c >= 0x2000 && c <= 0x200f, c == 0x202f, c == 0x2060, c == 0x3000:
			return -1
		}
		return c
	}, s)
}

// decodeBase64 reads standard base64, with or without its padding.
func decodeBase64(s string) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
}

// bareBase64 is the DER in a text that is base64 and nothing else; nil when it is not.
func bareBase64(text string) []byte {
	s := squeeze(text)
	if !strings.HasPrefix(s, "M") || len(s) < 64 { // the first letter of a SEQUENCE
		return nil
	}
	der, err := decodeBase64(s)
	if err != nil || der[0] != 0x30 {
		return nil
	}
	return der
}

// secretValue is a value of a Secret (Kubernetes, or any YAML or JSON made like it) that is PEM in base64: the encoding of
// "-----BEGIN" begins so.
var secretValue = regexp.MustCompile(`(?m)(?:["']?([\w.-]{1,100})["']?[ \t]*:[ \t]*)?(?:[|>][-+0-9]*[ \t]*\n[ \t]*)?["']?(LS0tLS1CRUdJTi[A-Za-z0-9+/]*(?:\n[ \t]+[A-Za-z0-9+/]+)*={0,2})`)

// secret reads the values of a Secret.
func (r *reader) secret(text string, at Source) bool {
	if !strings.Contains(text, "LS0tLS1CRUdJTi") { // the search below is slow on megabytes
		return false
	}
	found := false
	for _, m := range secretValue.FindAllStringSubmatch(text, MaxBlocks) {
		data, err := decodeBase64(squeeze(m[2]))
		inside := Source{File: at.File, Entry: m[1]}
		if err != nil {
			r.note(Unreadable, inside, "base64 of a PEM block that is cut off or damaged")
			found = true
			continue
		}
		plain, _ := plainText(data)
		found = r.pem(plain, inside) || found
	}
	return found
}
