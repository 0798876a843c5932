package bundle

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"fmt"
	"strings"

	"github.com/tlstriage/tlstriage/certs"
)

// Bounds on what a pile may cost. What lies beyond is said in a note of kind Beyond, never dropped in silence.
const (
	MaxFileBytes  = certs.MaxFileBytes // of one file
	MaxFiles      = 1000               // in one pile
	MaxBlocks     = 2000               // certificates, keys and whatever else in one pile
	maxKeyBytes   = 32 << 10           // of one private key: RSA with 65536 bits fits
	maxIterations = 20_000_000         // of key derivation over the whole pile; a file of today asks for some thousands
	maxNotes      = 500
)

// Source is where something of the pile was found.
type Source struct {
	File  string // as the caller named it
	Block int    // the number of the block or entry in it, from 1; 0: the whole file
	Entry string // alias in a key store, key of a Secret; empty: none
}

func (s Source) String() string {
	switch {
	case s.Entry != "":
		return fmt.Sprintf("%s, entry %q", s.File, clip(s.Entry))
	case s.Block > 0:
		return fmt.Sprintf("%s, block %d", s.File, s.Block)
	}
	return s.File
}

// Certificate is a certificate of the pile.
type Certificate struct {
	*x509.Certificate
	Source Source
}

// Key is a private key of the pile. Signer is an RSA, ECDSA or Ed25519 key.
type Key struct {
	Signer crypto.Signer
	Source Source
}

// Request is a certificate signing request of the pile. It goes into no bundle, but it tells for which names a key was made.
type Request struct {
	*x509.CertificateRequest
	Source Source
}

// NoteKind is what there is to say about a piece of the pile.
type NoteKind string

// Kinds of note.
const (
	Repaired    NoteKind = "repaired"    // it was damaged, and could be read all the same
	Unreadable  NoteKind = "unreadable"  // damaged, cut off, or no form that is known
	Locked      NoteKind = "locked"      // encrypted, and none of the passwords opens it
	Unsupported NoteKind = "unsupported" // known, but not read here; Detail names the command that converts it
	Ignored     NoteKind = "ignored"     // read, and of no use in a bundle: a CRL, parameters, a public key
	Beyond      NoteKind = "beyond"      // beyond a bound
)

// Note is one thing to know about what was read. Detail holds nothing secret; it may hold a stranger's text: escape it before it
// reaches a terminal.
type Note struct {
	Kind   NoteKind
	Source Source
	Detail string
}

// Pile is what was recognised in the input, in its order, each certificate and key as often as it occurs.
type Pile struct {
	Certificates []Certificate
	Keys         []Key
	Requests     []Request
	Notes        []Note
}

// Input is a file's content and its name for messages.
type Input struct {
	Name string
	Data []byte
}

// Read recognises everything in the inputs. The passwords are tried on all that is encrypted, and the empty one before them. It
// never fails: what cannot be read is a note. The cost is bounded whatever the inputs hold.
func Read(inputs []Input, passwords ...string) *Pile {
	r := newReader(passwords)
	for i, in := range inputs {
		if i == MaxFiles {
			r.note(Beyond, Source{File: in.Name}, "more than %d files: this one and those after it were not read", MaxFiles)
			break
		}
		r.file(in)
	}
	return r.pile
}

// reader fills a pile and keeps count of what it costs.
type reader struct {
	pile      *Pile
	passwords []string
	blocks    int
	budget    int  // iterations of key derivation left
	beyond    bool // MaxBlocks was reached, and said
	silent    bool // maxNotes was

	emptyBytes bool // the empty password of PKCS #12 is no bytes at all, where otherwise it is two zero bytes
}

func newReader(passwords []string) *reader {
	return &reader{pile: &Pile{}, passwords: append([]string{""}, passwords...), budget: maxIterations}
}

func (r *reader) note(kind NoteKind, at Source, format string, args ...any) {
	switch n := len(r.pile.Notes); {
	case n < maxNotes, kind == Beyond && n < 2*maxNotes:
		r.pile.Notes = append(r.pile.Notes, Note{kind, at, fmt.Sprintf(format, args...)})
	case !r.silent:
		r.silent = true
		r.pile.Notes = append(r.pile.Notes, Note{Beyond, at, fmt.Sprintf("more than %d notes: this one and those after it are left out", maxNotes)})
	}
}

// another counts a block, and says once when there are too many.
func (r *reader) another(at Source) bool {
	if r.blocks < MaxBlocks {
		r.blocks++
		return true
	}
	if !r.beyond {
		r.beyond = true
		r.note(Beyond, at, "more than %d blocks: this one and those after it were not read", MaxBlocks)
	}
	return false
}

// file recognises one file by its content; its name says nothing reliable.
func (r *reader) file(in Input) {
	at := Source{File: in.Name}
	if len(in.Data) > MaxFileBytes {
		r.note(Beyond, at, "larger than %d bytes", MaxFileBytes)
		return
	}
	if len(bytes.TrimSpace(in.Data)) == 0 {
		r.note(Unreadable, at, "the file is empty")
		return
	}
	switch {
	case bytes.HasPrefix(in.Data, jksMagic), bytes.HasPrefix(in.Data, jceksMagic):
		r.keyStore(in.Data, at)
	case bytes.HasPrefix(in.Data, []byte("PK\x03\x04")):
		r.note(Unsupported, at, "a ZIP archive; unpack it and give the files in it: unzip FILE")
	case bytes.HasPrefix(in.Data, []byte{0x1f, 0x8b}):
		r.note(Unsupported, at, "compressed with gzip; unpack it first: gunzip FILE")
	case in.Data[0] == 0x30 && looksBinary(in.Data):
		r.binary(in.Data, at)
	default:
		r.text(in.Data, at)
	}
}

// looksBinary tells DER from text that happens to begin with a zero.
func looksBinary(data []byte) bool {
	return len(data) > 1 && (data[1] >= 0x80 || bytes.ContainsFunc(data[:min(len(data), 64)], func(c rune) bool { return c < 9 || c == 0xfffd }))
}

// clip bounds a string that comes from a file.
func clip(s string) string {
	if len(s) > 120 {
		return strings.ToValidUTF8(s[:120], "") + "…"
	}
	return s
}
