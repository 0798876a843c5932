package bundle_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/bundle"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect/spenttest"
)

func utf16Text(s string, order binary.AppendByteOrder, mark bool) []byte {
	var out []byte
	if mark {
		out = order.AppendUint16(out, 0xfeff)
	}
	for _, u := range utf16.Encode([]rune(s)) {
		out = order.AppendUint16(out, u)
	}
	return out
}

func TestReadTextInEveryState(t *testing.T) {
	p := certstest.New(t)
	leaf := p.Leaf("www.example.com")
	key := string(keyPEM(t, leaf))
	chain := string(certs.EncodePEM(leaf.Chain()...))
	text := "Bag Attributes\n    friendlyName: www\nsubject=CN = x\n" + chain + "some words\n" + key
	oneLine := func(s string) string { return strings.ReplaceAll(s, "\n", " ") }
	for name, tt := range map[string]struct {
		data     []byte
		repaired string // in a note; empty: none
	}{
		"junk between":             {[]byte(text), ""},
		"CRLF":                     {[]byte(strings.ReplaceAll(text, "\n", "\r\n")), ""},
		"CR":                       {[]byte(strings.ReplaceAll(text, "\n", "\r")), ""},
		"byte order mark":          {append([]byte("\xef\xbb\xbf"), text...), ""},
		"UTF-16 LE":                {utf16Text(text, binary.LittleEndian, true), "UTF-16"},
		"UTF-16 BE":                {utf16Text(text, binary.BigEndian, true), "UTF-16"},
		"UTF-16 without mark":      {utf16Text(text, binary.LittleEndian, false), "UTF-16"},
		"all in one line":          {[]byte(oneLine(text)), "lines"},
		"no line ends at all":      {[]byte(strings.ReplaceAll(chain+key, "\n", "")), "lines"},
		"letters \\n":              {[]byte(strings.ReplaceAll(text, "\n", `\n`)), ""},
		"JSON":                     {fmt.Appendf(nil, "{%q: %q, %q: %q}", "cert", chain, "key", key), ""},
		"indented":                 {[]byte(strings.ReplaceAll(text, "\n", "\n    ")), "lines"},
		"quoted mail":              {[]byte(strings.ReplaceAll(text, "\n", "\n> ")), "lines"},
		"empty lines":              {[]byte(strings.ReplaceAll(text, "\n", "\n\n")), ""},
		"no-break spaces":          {[]byte(strings.ReplaceAll(chain+key, "\n", "\u00a0\n")), "lines"},
		"dashes of word processor": {[]byte(strings.ReplaceAll(chain+key, "-----", "—–—")), "lines"},
		"no padding":               {[]byte(strings.NewReplacer("==\n", "\n", "=\n", "\n").Replace(chain + key)), ""},
		"null bytes at the end":    {append([]byte(text), 0, 0, 0), ""},
		"X509 label":               {[]byte(strings.ReplaceAll(text, "N CERTIFICATE", "N X509 CERTIFICATE")), ""},
		"wrong label of the key":   {[]byte(strings.ReplaceAll(text, "PRIVATE KEY", "RSA PRIVATE KEY")), ""},
	} {
		t.Run(name, func(t *testing.T) {
			read := bundle.Read([]bundle.Input{{Name: "pile", Data: tt.data}})
			if len(read.Certificates) != 3 || len(read.Keys) != 1 {
				t.Fatalf("%d certificates and %d keys, want 3 and 1; %v", len(read.Certificates), len(read.Keys), read.Notes)
			}
			if tt.repaired != "" && !hasNote(read.Notes, bundle.Repaired, tt.repaired) {
				t.Errorf("no note of a repair (%s): %v", tt.repaired, read.Notes)
			}
			complete(t, build(p, []bundle.Input{{Name: "pile", Data: tt.data}}))
		})
	}
}

func TestReadBinaryForms(t *testing.T) {
	p := certstest.New(t)
	leaf := p.Leaf("www.example.com")
	chain := leaf.Chain()
	key := keyPEM(t, leaf)
	var concatenated []byte
	for _, c := range chain {
		concatenated = append(concatenated, c.Raw...)
	}
	secret := fmt.Appendf(nil, "apiVersion: v1\nkind: Secret\ndata:\n  tls.crt: %s\n  tls.key: %s\n",
		base64.StdEncoding.EncodeToString(certs.EncodePEM(chain...)), base64.StdEncoding.EncodeToString(key))
	folded := fmt.Appendf(nil, "data:\n  tls.crt: |-\n%s\n  tls.key: %q\n", wrap(base64.StdEncoding.EncodeToString(certs.EncodePEM(chain...)), 76, "    "), base64.StdEncoding.EncodeToString(key))
	for name, inputs := range map[string][]bundle.Input{
		"DER, a file each":                  {{Name: "a.cer", Data: chain[0].Raw}, {Name: "b.cer", Data: chain[1].Raw}, {Name: "c.cer", Data: chain[2].Raw}, {Name: "k.der", Data: der(t, key)}},
		"DER, one after the other":          {{Name: "all.der", Data: concatenated}, {Name: "k.pem", Data: key}},
		"base64 without lines":              {{Name: "a", Data: []byte(base64.StdEncoding.EncodeToString(chain[0].Raw))}, {Name: "b", Data: certs.EncodePEM(chain[1:]...)}, {Name: "k", Data: []byte(base64.StdEncoding.EncodeToString(der(t, key)))}},
		"Secret":                            {{Name: "secret.yaml", Data: secret}},
		"Secret folded":                     {{Name: "secret.yaml", Data: folded}},
		"key under the wrong label":         {{Name: "a", Data: certs.EncodePEM(chain...)}, {Name: "k", Data: pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der(t, key)})}},
		"certificate under the wrong label": {{Name: "a", Data: pem.EncodeToMemory(&pem.Block{Type: "PKCS7", Bytes: chain[0].Raw})}, {Name: "b", Data: certs.EncodePEM(chain[1:]...)}, {Name: "k", Data: key}},
	} {
		t.Run(name, func(t *testing.T) { complete(t, build(p, inputs)) })
	}
}

func wrap(s string, width int, indent string) string {
	var b strings.Builder
	for len(s) > width {
		b.WriteString(indent + s[:width] + "\n")
		s = s[width:]
	}
	return b.String() + indent + s
}

func TestReadSaysWhatItCannotRead(t *testing.T) {
	p := certstest.New(t)
	leaf := p.Leaf("www.example.com")
	one := string(certs.EncodePEM(leaf.Certificate))
	for name, tt := range map[string]struct {
		data string
		kind bundle.NoteKind
		says string
	}{
		"empty":              {" \n", bundle.Unreadable, "empty"},
		"prose":              {"Please find the certificate attached.", bundle.Unreadable, "no certificate or key"},
		"cut off":            {one[:len(one)/2], bundle.Unreadable, "no END line"},
		"damaged base64":     {one[:100] + "!!" + one[100:], bundle.Unreadable, "illegal base64"},
		"damaged DER":        {string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: bytes.Replace(leaf.Certificate.Raw, []byte{0x17, 0x0d}, []byte{0x0c, 0x0d}, 2)})), bundle.Unreadable, "a certificate that cannot be read"},
		"empty block":        {"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", bundle.Unreadable, "empty"},
		"OpenSSH key":        {"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", bundle.Unsupported, "ssh-keygen"},
		"PuTTY key":          {"PuTTY-User-Key-File-3: ssh-rsa\n", bundle.Unsupported, "puttygen"},
		"ZIP":                {"PK\x03\x04rest", bundle.Unsupported, "unzip"},
		"JCEKS":              {"\xce\xce\xce\xce\x00\x00\x00\x02", bundle.Unsupported, "keytool -importkeystore"},
		"JKS cut off":        {"\xfe\xed\xfe\xed\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00", bundle.Unreadable, "too early"},
		"JKS with huge size": {"\xfe\xed\xfe\xed\x00\x00\x00\x02\xff\xff\xff\xff\x00\x00\x00\x01\x00\x01a\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff", bundle.Unreadable, "too early"},
		"parameters":         {"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n", bundle.Ignored, "ec parameters"},
		"other ASN.1":        {"\x30\x82\x00\x04\x02\x02\x12\x34", bundle.Unreadable, "neither"},
	} {
		t.Run(name, func(t *testing.T) {
			read := bundle.Read([]bundle.Input{{Name: "f", Data: []byte(tt.data)}})
			if !hasNote(read.Notes, tt.kind, tt.says) {
				t.Errorf("notes %q, want %s … %s", read.Notes, tt.kind, tt.says)
			}
			r := build(p, []bundle.Input{{Name: "f", Data: []byte(tt.data)}})
			if !hasProblem(r, bundle.NoCertificate, "") {
				t.Errorf("problems %v, want no-certificate", r.Problems)
			}
		})
	}
}

func TestReadIsBounded(t *testing.T) {
	p := certstest.New(t)
	one := certs.EncodePEM(p.Leaf("www.example.com").Certificate)
	took := spenttest.On(t, func() {
		read := bundle.Read([]bundle.Input{{Name: "many", Data: bytes.Repeat(one, bundle.MaxBlocks+10)}})
		if len(read.Certificates) != bundle.MaxBlocks || !hasNote(read.Notes, bundle.Beyond, "blocks") {
			t.Errorf("%d certificates, notes %v", len(read.Certificates), read.Notes)
		}
		read = bundle.Read([]bundle.Input{{Name: "large", Data: make([]byte, bundle.MaxFileBytes+1)}})
		if !hasNote(read.Notes, bundle.Beyond, "larger") {
			t.Errorf("notes %v", read.Notes)
		}
		read = bundle.Read([]bundle.Input{{Name: "deep", Data: bytes.Repeat([]byte{0x30, 0x80}, 4<<20)}})
		if len(read.Certificates) > 0 {
			t.Error("something was found in nothing")
		}
		read = bundle.Read([]bundle.Input{{Name: "begins", Data: bytes.Repeat([]byte("-----BEGIN A-----"), 400_000)}})
		if !hasNote(read.Notes, bundle.Beyond, "blocks") {
			t.Errorf("%d notes, none of a bound", len(read.Notes))
		}
	})
	if took > 20*time.Second {
		t.Errorf("%v of processor time", took)
	}
}
