package revocation

import (
	"bufio"
	"bytes"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Bounds on a revocation list.
const (
	// DefaultCRLBytes is the longest revocation list read when Options does not say: some 1.3 million revoked certificates.
	DefaultCRLBytes = 50 << 20

	maxNameBytes      = 64 << 10  // of the issuer's name
	maxExtensionBytes = 256 << 10 // of the list's extensions
	maxEntryBytes     = 8 << 10   // of one revoked certificate
	maxMessageBytes   = 4 << 20   // of a list signed with Ed25519, which has to be in memory to be checked
)

// List is a certificate revocation list (RFC 5280, Section 5). Reading verifies nothing: Answer does.
type List struct {
	Name       string // where it came from, for Answer.URL
	Issuer     []byte // the issuer's distinguished name as DER
	ThisUpdate time.Time
	NextUpdate time.Time // zero: none was given
	Entries    int       // revoked certificates

	algorithm algorithm
	digest    []byte // of what is signed, or the signed bytes themselves for Ed25519
	signature []byte
	table     []byte // the entries as DER, one after another
	scope     scope
	critical  string // a critical extension that is not understood
}

// tooLongError says that a document is longer than is read.
type tooLongError struct{ limit int64 }

func (e *tooLongError) Error() string { return fmt.Sprintf("longer than %d bytes", e.limit) }

// ReadList reads one list, as DER or in one PEM block, of at most limit bytes (0: DefaultCRLBytes). It is read as it comes: a list is never in
// memory twice, and no object is made per entry.
func ReadList(r io.Reader, limit int64) (*List, error) {
	if limit <= 0 {
		limit = DefaultCRLBytes
	}
	in := bufio.NewReaderSize(&bounded{r: r, left: limit, limit: limit}, 32<<10)
	if start, err := in.Peek(11); err == nil && string(start) == "-----BEGIN " {
		if in, err = dearmored(in); err != nil {
			return nil, fmt.Errorf("revocation: list: %w", err)
		}
	}
	l := new(List)
	if err := l.read(&stream{r: in}, limit); err != nil {
		return nil, fmt.Errorf("revocation: list: %w", err)
	}
	return l, nil
}

// bounded is io.LimitedReader with an error instead of an end.
type bounded struct {
	r           io.Reader
	left, limit int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		var one [1]byte
		if n, err := b.r.Read(one[:]); n == 0 && err != nil {
			return 0, err
		}
		return 0, &tooLongError{b.limit}
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// dearmored reads what one PEM block wraps. RFC 5280 wants DER over HTTP, but private authorities serve what openssl wrote.
func dearmored(in *bufio.Reader) (*bufio.Reader, error) {
	const begin = "-----BEGIN X509 CRL-----"
	line, err := in.ReadSlice('\n')
	if err != nil || string(bytes.TrimRight(line, " \t\r\n")) != begin {
		return nil, fmt.Errorf("PEM, but not of a list: %q", clip(string(line)))
	}
	return bufio.NewReaderSize(base64.NewDecoder(base64.StdEncoding, &untilDash{r: in}), 32<<10), nil
}

// untilDash ends where the PEM block does.
type untilDash struct {
	r    *bufio.Reader
	done bool
}

func (u *untilDash) Read(p []byte) (int, error) {
	if u.done {
		return 0, io.EOF
	}
	n, err := u.r.Read(p)
	if i := bytes.IndexByte(p[:n], '-'); i >= 0 {
		u.done = true
		return i, io.EOF
	}
	return n, err
}

// read reads CertificateList (RFC 5280, Section 5.1).
func (l *List) read(s *stream, limit int64) error {
	file := &frame{s: s, left: limit + 16}
	_, tag, length, err := file.header(nil)
	switch {
	case errors.Is(err, errShort):
		return fmt.Errorf("the list says that it is longer than %d bytes: %w", limit, &tooLongError{limit})
	case err != nil:
		return err
	case tag != byte(cbasn1.SEQUENCE):
		return fmt.Errorf("starts with tag %#x, not with a sequence", tag)
	}
	outer := file.enter(length)

	// What is signed begins with its own header, and says in its second field by what hash it is to be verified: until then it is kept.
	head := new(bytes.Buffer)
	s.signed = head
	_, tag, length, err = outer.header(nil)
	if err != nil || tag != byte(cbasn1.SEQUENCE) {
		return fmt.Errorf("tbsCertList: %w", orNot(err, "not a sequence"))
	}
	inner, err := l.readSigned(s, head, outer.enter(length))
	if err != nil {
		return fmt.Errorf("tbsCertList: %w", err)
	}
	s.signed = nil

	again, _, err := outer.element(nil, 512)
	if err != nil {
		return fmt.Errorf("signatureAlgorithm: %w", err)
	}
	if !bytes.Equal(again, inner) {
		return errors.New("signatureAlgorithm: differs from the one that is signed") // RFC 5280, Section 5.1.1.2
	}
	value, tag, err := outer.element(nil, 4096)
	in := cryptobyte.String(value)
	if err != nil || tag != byte(cbasn1.BIT_STRING) || !in.ReadASN1BitStringAsBytes(&l.signature) {
		return fmt.Errorf("signatureValue: %w", orNot(err, "not a bit string"))
	}
	if outer.left != 0 {
		return fmt.Errorf("%d bytes after the signature", outer.left)
	}
	if _, err := s.r.ReadByte(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("after the list: %w", orNot(err, "there is more"))
	}
	return nil
}

// readSigned reads TBSCertList and leaves its digest; inner is the AlgorithmIdentifier as DER.
func (l *List) readSigned(s *stream, head *bytes.Buffer, tbs *frame) (inner []byte, err error) {
	next, err := tbs.peek()
	if err != nil {
		return nil, err
	}
	if next == byte(cbasn1.INTEGER) {
		version, _, err := tbs.element(nil, 16)
		if err != nil {
			return nil, fmt.Errorf("version: %w", err)
		}
		if content := inside(version); len(content) != 1 || content[0] != 1 {
			return nil, errors.New("version: not 2")
		}
	}
	inner, tag, err := tbs.element(nil, 512)
	if err != nil || tag != byte(cbasn1.SEQUENCE) {
		return nil, fmt.Errorf("signature: %w", orNot(err, "not a sequence"))
	}
	if l.algorithm, err = readAlgorithm(inside(inner)); err != nil {
		return nil, err
	}
	var sum hash.Hash
	if l.algorithm.hash != 0 {
		sum = l.algorithm.hash.New()
		sum.Write(head.Bytes())
		s.signed = sum
	} else {
		s.signed = &cappedBuffer{buf: head}
	}
	if err := l.readFields(tbs); err != nil {
		return nil, err
	}
	if sum != nil {
		l.digest = sum.Sum(nil)
	} else {
		l.digest = head.Bytes()
	}
	return inner, nil
}

// cappedBuffer keeps a message that has to be in memory.
type cappedBuffer struct{ buf *bytes.Buffer }

func (c *cappedBuffer) Write(p []byte) (int, error) {
	if c.buf.Len()+len(p) > maxMessageBytes {
		return 0, fmt.Errorf("signed with Ed25519 and longer than %d bytes", maxMessageBytes)
	}
	return c.buf.Write(p)
}

// readFields reads what comes after the signature algorithm.
func (l *List) readFields(tbs *frame) error {
	issuer, tag, err := tbs.element(nil, maxNameBytes)
	if err != nil || tag != byte(cbasn1.SEQUENCE) {
		return fmt.Errorf("issuer: %w", orNot(err, "not a name"))
	}
	l.Issuer = issuer
	at, _, err := tbs.element(nil, 64)
	if err != nil {
		return fmt.Errorf("thisUpdate: %w", err)
	}
	if l.ThisUpdate, err = readTime(at); err != nil {
		return fmt.Errorf("thisUpdate: %w", err)
	}
	next, err := tbs.peek()
	if err != nil {
		return err
	}
	if next == byte(cbasn1.UTCTime) || next == byte(cbasn1.GeneralizedTime) {
		at, _, err := tbs.element(nil, 64)
		if err != nil {
			return fmt.Errorf("nextUpdate: %w", err)
		}
		if l.NextUpdate, err = readTime(at); err != nil {
			return fmt.Errorf("nextUpdate: %w", err)
		}
		if l.NextUpdate.Before(l.ThisUpdate) {
			return fmt.Errorf("nextUpdate %s is before thisUpdate %s", stamp(l.NextUpdate), stamp(l.ThisUpdate))
		}
		if next, err = tbs.peek(); err != nil {
			return err
		}
	}
	if next == byte(cbasn1.SEQUENCE) {
		if err := l.readEntries(tbs); err != nil {
			return fmt.Errorf("revokedCertificates: entry %d: %w", l.Entries+1, err)
		}
		if next, err = tbs.peek(); err != nil {
			return err
		}
	}
	if next == byte(explicit0) {
		extensions, _, err := tbs.element(nil, maxExtensionBytes)
		if err != nil {
			return fmt.Errorf("crlExtensions: %w", err)
		}
		if err := l.readExtensions(inside(extensions)); err != nil {
			return fmt.Errorf("crlExtensions: %w", err)
		}
	}
	if tbs.left != 0 {
		return fmt.Errorf("%d bytes of an unknown field", tbs.left)
	}
	return nil
}

// readEntries reads revokedCertificates into the table.
func (l *List) readEntries(tbs *frame) error {
	_, _, length, err := tbs.header(nil)
	if err != nil {
		return err
	}
	for list := tbs.enter(length); list.left > 0; l.Entries++ {
		from := len(l.table)
		table, tag, err := list.element(l.table, maxEntryBytes)
		if err != nil {
			return err
		}
		if tag != byte(cbasn1.SEQUENCE) {
			return fmt.Errorf("tag %#x is not a sequence", tag)
		}
		l.table = table
		_, critical, err := readEntry(inside(table[from:]), false)
		if err != nil {
			return err
		}
		if critical != "" && l.critical == "" {
			l.critical = critical
		}
	}
	return nil
}

// entry is one revoked certificate.
type entry struct {
	serial    []byte // content octets of the integer
	revokedAt time.Time
	reason    Reason
}

// readEntry reads one entry; times are read only where the entry is wanted. critical is an extension that is not understood.
func readEntry(in cryptobyte.String, wanted bool) (e entry, critical string, err error) {
	var serial, at, extensions cryptobyte.String
	var tag cbasn1.Tag
	if !in.ReadASN1(&serial, cbasn1.INTEGER) || len(serial) == 0 || !in.ReadAnyASN1Element(&at, &tag) || tag != cbasn1.UTCTime && tag != cbasn1.GeneralizedTime {
		return e, "", errors.New("not a serial number and a time")
	}
	e.serial = serial
	if wanted {
		if e.revokedAt, err = readTime(at); err != nil {
			return e, "", err
		}
	}
	if in.Empty() {
		return e, "", nil
	}
	// Nearly every entry of nearly every list: a reason and nothing else. Read without making an object of its identifier.
	if rest, is := bytes.CutPrefix(in, []byte{0x30, 0x0c, 0x30, 0x0a, 0x06, 0x03, 0x55, 0x1d, 0x15, 0x04, 0x03, 0x0a, 0x01}); is && len(rest) == 1 && rest[0] < 0x80 {
		e.reason = Reason(rest[0])
		return e, "", nil
	}
	if extensions = in; !in.SkipASN1(cbasn1.SEQUENCE) || !in.Empty() {
		return e, "", errors.New("crlEntryExtensions: not a sequence")
	}
	return e, critical, eachExtension(extensions, func(oid asn1.ObjectIdentifier, isCritical bool, value cryptobyte.String) error {
		switch {
		case oid.Equal(oidReason):
			if !value.ReadASN1Enum((*int)(&e.reason)) {
				return errors.New("reasonCode: not a number")
			}
		case isCritical:
			critical = oid.String()
		}
		return nil
	})
}

// oidReason is id-ce-cRLReasons. Never written to.
var oidReason = asn1.ObjectIdentifier{2, 5, 29, 21}

// readTime reads Time: UTCTime or GeneralizedTime.
func readTime(whole []byte) (t time.Time, err error) {
	in := cryptobyte.String(whole)
	var ok bool
	if in.PeekASN1Tag(cbasn1.UTCTime) {
		ok = in.ReadASN1UTCTime(&t)
	} else {
		ok = in.ReadASN1GeneralizedTime(&t)
	}
	if !ok {
		return t, errors.New("not a time")
	}
	return t, nil
}

// orNot is err, or an error of that text.
func orNot(err error, text string) error {
	if err != nil {
		return err
	}
	return errors.New(text)
}
