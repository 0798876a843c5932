package haproxy

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/certfile"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
	"github.com/tlstriage/tlstriage/inspect/policy/openssl"
)

// certificate is a certificate that a bind line serves.
type certificate struct {
	at        line // of the bind or the crt-list
	file      string
	leaf      *certfile.Leaf // nil: it cannot be read
	dhBits    int            // parameters in the same file
	names     []string       // for which it is served, "*.x" for one label more; in lower case
	negated   []string
	own       settings // of its line in a crt-list
	isDefault bool     // since 3.0: beside the first
}

func (c *certificate) kind() policy.CertificateType {
	if c.leaf == nil {
		return ""
	}
	return c.leaf.Type
}

// load reads what a crt, default-crt or crt-list means.
func (im *importer) load(b *bind, r reference) {
	switch {
	case r.kind == "crt-list":
		im.list(b, r.name)
	default:
		im.crt(b, b.at, r.name, settings{}, nil, r.kind == "default-crt")
	}
}

// crt reads a file, a bundle or a directory.
func (im *importer) crt(b *bind, at line, name string, own settings, filters []string, isDefault bool) {
	full := im.within(b.global.crtBase, name)
	if stored, ok := im.stores[name]; ok {
		full = stored
	} else if strings.HasPrefix(name, "@") {
		im.problem(at, "crt %s: no crt-store has it; its kind is not known", name)
		im.keep(b, &certificate{at: at, file: name, own: own, isDefault: isDefault})
		return
	}
	if info, err := fs.Stat(im.fsys, full); err == nil && info.IsDir() {
		im.directory(b, at, full)
		return
	}
	if _, err := fs.Stat(im.fsys, full); err != nil && !b.global.noBundle {
		found := false
		// What is loaded while there is no name yet is a default, which since 3.0 is the whole of a bundle, but for one in a crt-list: that is
		// loaded line by line (src/ssl_sock.c, ssl_sock_load_cert and ssl_sock_load_cert_list_file).
		isDefault = isDefault || len(b.certs) == 0 && at.span() == b.at.span()
		for _, end := range []string{".dsa", ".ecdsa", ".rsa"} { // in HAProxy's order
			if _, err := fs.Stat(im.fsys, full+end); err == nil {
				im.open(b, at, full+end, own, filters, isDefault)
				found = true
			}
		}
		if found {
			return
		}
	}
	im.open(b, at, full, own, filters, isDefault)
}

// directory reads all files but those that belong to another.
func (im *importer) directory(b *bind, at line, name string) {
	entries, err := fs.ReadDir(im.fsys, name)
	if err != nil {
		im.problem(at, "crt %s: %v", name, err)
		return
	}
	for _, e := range entries { // sorted by name
		switch path.Ext(e.Name()) {
		case ".key", ".issuer", ".ocsp", ".sctl":
			continue
		}
		if !e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			im.open(b, at, path.Join(name, e.Name()), settings{}, nil, false)
		}
	}
}

// keep adds a certificate to those of a bind line, unless there are too many in all.
func (im *importer) keep(b *bind, c *certificate) bool {
	if im.certs >= maxCertificates {
		im.problem(b.at, "more than %d certificates; the rest is left out", maxCertificates)
		return false
	}
	im.certs++
	b.certs = append(b.certs, c)
	return true
}

// certificateFile is what one file holds.
type certificateFile struct {
	leaf    *certfile.Leaf
	dhBits  int
	missing error // it cannot be read
	wrong   error // there is no certificate in it
}

// certificateFile reads a file, each but once.
func (im *importer) certificateFile(name string) *certificateFile {
	if f := im.files[name]; f != nil {
		return f
	}
	f := &certificateFile{}
	im.files[name] = f
	data, err := document.ReadFile(im.fsys, name, certfile.MaxBytes)
	if err != nil {
		f.missing = err
		return f
	}
	f.dhBits = openssl.DHBits(data)
	if f.leaf, f.wrong = certfile.Read(data); f.wrong != nil {
		f.leaf = nil
	}
	return f
}

// open keeps the certificate of a file.
func (im *importer) open(b *bind, at line, name string, own settings, filters []string, isDefault bool) {
	c := &certificate{at: at, file: name, own: own, isDefault: isDefault}
	if !im.keep(b, c) {
		return
	}
	f := im.certificateFile(name)
	c.leaf, c.dhBits = f.leaf, f.dhBits
	switch {
	case f.missing != nil:
		im.problem(at, "crt %s: %v; its kind is not known", name, f.missing)
	case errors.Is(f.wrong, certfile.ErrNone):
		im.refuse(at, "crt %s: %v; HAProxy refuses it", name, f.wrong)
	case f.wrong != nil:
		im.problem(at, "crt %s: %v", name, f.wrong)
	}
	// A line with a filter, be it a negative one, is served for what the filters say, and not for what the certificate says.
	if len(filters) == 0 {
		if c.leaf != nil {
			for _, n := range append(slices.Clone(c.leaf.Names), c.leaf.CommonName) {
				if n != "" {
					c.serve(n)
				}
			}
		}
		return
	}
	for _, f := range filters {
		switch {
		case f == "!*":
		case f == "*":
			c.isDefault = c.isDefault || im.version.since("3.0")
		case strings.HasPrefix(f, "!"):
			c.negated = append(c.negated, strings.ToLower(f[1:]))
		default:
			c.serve(f)
		}
	}
}

func (c *certificate) serve(name string) { c.names = append(c.names, strings.ToLower(name)) }

// list reads a crt-list: a certificate, settings in brackets and filters a line.
func (im *importer) list(b *bind, name string) {
	data, err := document.ReadFile(im.fsys, im.within("", name), im.maxBytes)
	if err != nil {
		im.problem(b.at, "crt-list %s: %v; the certificates are not known", name, err)
		im.keep(b, &certificate{at: b.at, file: name})
		return
	}
	number := 0
	for text := range strings.SplitSeq(string(data), "\n") {
		number++
		at := line{file: name, number: number}
		s := splitter{text: spaced(text), env: func(string) (string, bool) { return "", false }}
		words, wrong := s.split()
		if wrong != "" {
			im.problem(at, "crt-list: %s", wrong)
			continue
		}
		if len(words) == 0 || number > maxLines {
			continue
		}
		at.words = words
		own, filters, ok := im.listLine(at)
		if ok {
			im.crt(b, at, words[0], own, filters, false)
		}
	}
}

// spaced parts the brackets of a line from the words inside.
func spaced(text string) string {
	return strings.NewReplacer("[", " [ ", "]", " ] ").Replace(text)
}

// listLine reads what follows the certificate.
func (im *importer) listLine(at line) (own settings, filters []string, ok bool) {
	i := 1
	if at.word(1) == "[" && !slices.Contains(at.words, "]") {
		im.problem(at, "crt-list: the bracket is not closed: HAProxy takes the settings behind it for names")
		i = 2
	} else if at.word(1) == "[" {
		for i = 2; i < len(at.words) && at.words[i] != "]"; {
			if used := own.keyword(im, at, i); used > 0 {
				i += used
				continue
			}
			n, known := bindArguments[at.words[i]]
			if !known {
				im.unknown(at, "crt-list", at.words[i], bindWords())
			}
			i += n + 1
		}
		if i >= len(at.words) { // the bracket stands where a value is expected
			im.refuse(at, `crt-list: a keyword without its value; HAProxy refuses it`)
			return own, nil, false
		}
		i++
	}
	for ; i < len(at.words); i++ {
		if w := at.words[i]; w == "[" || w == "]" {
			im.refuse(at, "crt-list: a bracket after the filters; HAProxy refuses it")
			return own, nil, false
		}
		filters = append(filters, at.words[i])
	}
	return own, filters, true
}
