package bundle

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"regexp"
	"strings"
)

// begin is the first line of a PEM block; word processors make other dashes of the hyphens, and copying loses some of them. Where
// line ends are lost the hyphens of the END line come right before.
var begin = regexp.MustCompile(`[-\x{2010}-\x{2015}]{2,5}[ \t]*BEGIN ([A-Za-z0-9# .]{1,40}?)[ \t]*[-\x{2010}-\x{2015}]{2,}`)

var end = regexp.MustCompile(`[-\x{2010}-\x{2015}]{2,}[ \t]*END ([A-Za-z0-9# .]{1,40}?)[ \t]*[-\x{2010}-\x{2015}]{2,}`)

// header is a line of a block's header (RFC 1421, Section 4.6).
var header = regexp.MustCompile(`^[ \t>]*([A-Za-z][A-Za-z0-9-]{0,40}): *(.*)$`)

// pem reads all PEM blocks of a text, also those that encoding/pem would not: with broken lines, without line ends, indented,
// quoted. It says whether there was any.
func (r *reader) pem(text string, at Source) bool {
	if !strings.Contains(text, "BEGIN") {
		return false
	}
	starts := begin.FindAllStringSubmatchIndex(text, MaxBlocks+1)
	for i, m := range starts {
		here := at
		here.Block = i + 1
		if at.Entry != "" {
			here.Block = 0
		}
		if !r.another(here) {
			break
		}
		label := strings.ToUpper(text[m[2]:m[3]])
		body := text[m[1]:]
		if i+1 < len(starts) {
			body = text[m[1]:starts[i+1][0]]
		}
		stop := end.FindStringSubmatchIndex(body)
		if stop == nil {
			r.note(Unreadable, here, "the %s has no END line: it was cut off", clip(label))
			continue
		}
		if ended := strings.ToUpper(body[stop[2]:stop[3]]); ended != label {
			r.note(Repaired, here, "begins as %s and ends as %s", clip(label), clip(ended))
		}
		b, err := block(label, body[:stop[0]])
		if err != nil {
			r.note(Unreadable, here, "the %s cannot be read: %v", clip(label), err)
			continue
		}
		if strict, _ := pem.Decode([]byte(text[m[0] : m[1]+stop[1]])); strict == nil {
			r.note(Repaired, here, "the lines of the %s are broken; OpenSSL would not read them", clip(label))
		}
		r.block(b, here)
	}
	return len(starts) > 0
}

// block reads the headers and the base64 between the first and the last line.
func block(label, body string) (*pem.Block, error) {
	b := &pem.Block{Type: label, Headers: map[string]string{}}
	if strings.Contains(body, ":") { // no letter of base64
		rest := strings.TrimLeft(body, "\n \t")
		for {
			line, after, more := strings.Cut(rest, "\n")
			h := header.FindStringSubmatch(line)
			if h == nil {
				break
			}
			b.Headers[h[1]] = strings.TrimSpace(h[2])
			if rest = after; !more {
				break
			}
		}
		body = rest
	}
	text := squeeze(body)
	if text == "" {
		return nil, errors.New("it is empty")
	}
	der, err := decodeBase64(text)
	if err != nil {
		return nil, err
	}
	b.Bytes = der
	return b, nil
}

// block recognises a PEM block by its label, and by its content where the label lies.
func (r *reader) block(b *pem.Block, at Source) {
	switch label := b.Type; {
	case label == "CERTIFICATE", label == "X509 CERTIFICATE", label == "TRUSTED CERTIFICATE":
		der, rest := element(b.Bytes)
		if label != "TRUSTED CERTIFICATE" && len(rest) > 0 {
			r.note(Repaired, at, "%d bytes follow the certificate", len(rest))
		}
		r.der(der, at)
	case strings.Contains(b.Headers["Proc-Type"], "ENCRYPTED"):
		r.legacyKey(b, at)
	case label == "OPENSSH PRIVATE KEY":
		r.note(Unsupported, at, "a key in OpenSSH's own form; convert a copy of it with: ssh-keygen -p -N '' -m PKCS8 -f FILE")
	case label == "EC PARAMETERS", label == "DH PARAMETERS", label == "DSA PARAMETERS", label == "X9.42 DH PARAMETERS":
		r.note(Ignored, at, "%s: a server's certificate needs none", strings.ToLower(label))
	case label == "PUBLIC KEY", label == "RSA PUBLIC KEY", label == "SSH2 PUBLIC KEY":
		r.note(Ignored, at, "a public key: the certificate holds it already")
	default:
		r.binary(b.Bytes, at)
	}
}

// legacyKey opens a key that OpenSSL encrypted the old way, which the headers of its PEM block tell.
func (r *reader) legacyKey(b *pem.Block, at Source) {
	if len(b.Bytes) > maxKeyBytes {
		r.note(Beyond, at, "a key of %d bytes", len(b.Bytes))
		return
	}
	for _, password := range r.passwords {
		//lint:ignore SA1019 the form is deprecated for being weak, and files in it are not gone
		der, err := x509.DecryptPEMBlock(b, []byte(password))
		if err != nil {
			continue
		}
		if key, err := parseKey(der); err == nil {
			r.key(key, at)
			return
		}
	}
	r.locked(at, "the private key is encrypted", "openssl pkey -in FILE -out FILE.open")
}

// locked says that no password opened something.
func (r *reader) locked(at Source, what, command string) {
	tried := "no password was given"
	if n := len(r.passwords) - 1; n == 1 {
		tried = "the password given does not open it"
	} else if n > 1 {
		tried = "none of the passwords given opens it"
	}
	r.note(Locked, at, "%s, and %s; with the right one OpenSSL opens it too: %s", what, tried, command)
}
