package chain

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Input is what a file meant to hold certificates holds.
type Input struct {
	Certificates [][]byte // DER, in the order of the file; not parsed
	Beyond       int      // certificates beyond MaxCertificates: they are counted
	Problems     []InputProblem
}

// InputKind names what is wrong with, or unexpected in, a file of certificates.
type InputKind string

// Kinds of problem. A private key beside the certificates is as some programs want it (HAProxy), and as others must not have
// it: who reads the file decides.
const (
	InputEmpty        InputKind = "empty"          // no certificate in it
	InputTooLarge     InputKind = "too-large"      // beyond MaxInputBytes or MaxCertificates; the rest is not read
	InputTruncated    InputKind = "truncated"      // a block begins and does not end
	InputGarbled      InputKind = "garbled"        // a block that does not decode
	InputPrivateKey   InputKind = "private-key"    // with a key in it
	InputEncryptedKey InputKind = "encrypted-key"  // with a key in it that needs a passphrase
	InputOther        InputKind = "something-else" // a request, a revocation list, a bundle of another format
)

// InputProblem is one problem of a file.
type InputProblem struct {
	Kind   InputKind
	Line   int // where it begins, from 1; 0: the file
	Detail string
}

// Error makes a problem usable as an error.
func (p InputProblem) Error() string {
	if p.Line == 0 {
		return p.Detail
	}
	return fmt.Sprintf("line %d: %s", p.Line, p.Detail)
}

// MaxInputBytes is how much of a file ReadInput looks at.
const MaxInputBytes = 4 << 20

// ReadInput takes the certificates out of a file in PEM, or one or more in DER, and says everything else that it finds there.
// It reads on after a problem.
func ReadInput(data []byte) Input {
	var in Input
	if len(data) > MaxInputBytes {
		in.problem(InputTooLarge, 0, "the file has %d bytes; only the first %d are read", len(data), MaxInputBytes)
		data = data[:MaxInputBytes]
	}
	if bytes.Contains(data, []byte(pemBegin)) {
		in.readPEM(data)
	} else {
		in.readDER(data)
	}
	if len(in.Certificates) == 0 && len(in.Problems) == 0 {
		in.problem(InputEmpty, 0, "the file has no certificate")
	}
	return in
}

const pemBegin, pemEnd = "-----BEGIN ", "-----END "

func (in *Input) problem(kind InputKind, line int, format string, args ...any) {
	if len(in.Problems) < maxFaults {
		in.Problems = append(in.Problems, InputProblem{kind, line, fmt.Sprintf(format, args...)})
	}
}

// add takes a certificate, or counts it where there are too many.
func (in *Input) add(der []byte, line int) {
	if len(in.Certificates) < MaxCertificates {
		in.Certificates = append(in.Certificates, der)
		return
	}
	if in.Beyond++; in.Beyond == 1 {
		in.problem(InputTooLarge, line, "the file has more than %d certificates; the rest is not looked at", MaxCertificates)
	}
}

// readPEM goes from block to block. Its cost is linear: the next END is looked for once.
func (in *Input) readPEM(data []byte) {
	line, counted, end := 1, 0, -1
	for at := 0; ; {
		begin := bytes.Index(data[at:], []byte(pemBegin))
		if begin < 0 {
			return
		}
		begin += at
		line += bytes.Count(data[counted:begin], []byte{'\n'})
		counted = begin
		kind, _, _ := strings.Cut(string(data[begin+len(pemBegin):min(begin+len(pemBegin)+64, len(data))]), "-----")
		kind = clip(strings.TrimSpace(kind))
		if end < begin {
			if end = bytes.Index(data[begin:], []byte(pemEnd)); end < 0 {
				in.problem(InputTruncated, line, "the block %q does not end: the file is cut off", kind)
				return
			}
			end += begin
		}
		at = begin + len(pemBegin)
		if next := bytes.Index(data[at:end], []byte(pemBegin)); next >= 0 {
			in.problem(InputTruncated, line, "the block %q does not end before the next begins", kind)
			at += next
			continue
		}
		stop := len(data)
		if n := bytes.IndexByte(data[end:], '\n'); n >= 0 {
			stop = end + n + 1
		}
		block, _ := pem.Decode(data[begin:stop])
		at = stop
		if block == nil {
			in.problem(InputGarbled, line, "the block %q does not decode: its base64 or its last line is broken", kind)
			continue
		}
		in.take(block, line)
	}
}

// take sorts a block by its type.
func (in *Input) take(block *pem.Block, line int) {
	kind := clip(block.Type)
	switch {
	case block.Type == "CERTIFICATE" || block.Type == "X509 CERTIFICATE" || block.Type == "TRUSTED CERTIFICATE":
		if what := whatIsIt(block.Bytes); what != "" {
			in.problem(InputOther, line, "the block is called %q and is %s", kind, what)
			return
		}
		in.add(block.Bytes, line)
	case strings.Contains(block.Type, "ENCRYPTED") || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
		in.problem(InputEncryptedKey, line, "a private key protected with a passphrase stands among the certificates")
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		in.problem(InputPrivateKey, line, "a private key stands among the certificates")
	default:
		in.problem(InputOther, line, "a block %q is no certificate", kind)
	}
}

// readDER reads certificates that follow each other in DER.
func (in *Input) readDER(data []byte) {
	s := cryptobyte.String(data)
	for !s.Empty() {
		var one cryptobyte.String
		if !s.ReadASN1Element(&one, cbasn1.SEQUENCE) {
			kind, text := InputGarbled, "neither PEM nor DER"
			if len(s) > 0 && s[0] == 0x30 {
				kind, text = InputTruncated, "a DER value is cut off or broken"
			}
			in.problem(kind, 0, "%s, %d bytes from the end", text, len(s))
			return
		}
		switch what := whatIsIt(one); {
		case strings.Contains(what, "encrypted private key"):
			in.problem(InputEncryptedKey, 0, "the file is %s", what)
		case strings.Contains(what, "private key"):
			in.problem(InputPrivateKey, 0, "the file is %s", what)
		case what != "":
			in.problem(InputOther, 0, "the file is %s", what)
		default:
			in.add(one, 0)
		}
	}
}
