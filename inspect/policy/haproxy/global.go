package haproxy

import (
	"path"
	"strconv"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy/internal/certfile"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
	"github.com/tlstriage/tlstriage/inspect/policy/openssl"
)

// global is what the global section sets for the lines after it.
type global struct {
	bind, server   settings
	serverVerify   *value // ssl-server-verify
	strictSNI      *value
	crtBase        string
	caBase         string
	dhFile         *value
	dhBits         int // of dhFile
	defaultDH      *value
	securityLevel  *value
	noBundle       bool // ssl-load-extra-files without bundle
	defaultDHValue int
}

func (im *importer) globalLine(at line) {
	g := &im.global
	word, text := at.words[0], at.word(1)
	set := func(field **value) { *field = &value{at, word, text} }
	switch word {
	case "ssl-default-bind-ciphers":
		set(&g.bind.ciphers)
	case "ssl-default-bind-ciphersuites":
		set(&g.bind.suites)
	case "ssl-default-bind-curves":
		set(&g.bind.curves)
	case "ssl-default-bind-sigalgs":
		set(&g.bind.sigalgs)
	case "ssl-default-bind-client-sigalgs", "ssl-default-server-client-sigalgs":
	case "ssl-default-server-ciphers":
		set(&g.server.ciphers)
	case "ssl-default-server-ciphersuites":
		set(&g.server.suites)
	case "ssl-default-server-curves":
		set(&g.server.curves)
	case "ssl-default-server-sigalgs":
		set(&g.server.sigalgs)
	case "ssl-default-bind-options":
		im.optionsLine(&g.bind, at)
	case "ssl-default-server-options":
		im.optionsLine(&g.server, at)
	case "ssl-server-verify":
		set(&g.serverVerify)
	case "crt-base":
		g.crtBase = text
	case "default-path":
		im.defaultPath(at)
	case "ssl-dh-param-file":
		set(&g.dhFile)
		im.dhFile(at, text)
	case "tune.ssl.default-dh-param":
		n, err := strconv.Atoi(text)
		if err != nil || n < 1024 {
			im.refuse(at, "%s %s: at least 1024 is expected; HAProxy refuses it", word, text)
			return
		}
		set(&g.defaultDH)
		g.defaultDHValue = n
	case "ssl-security-level":
		if n, err := strconv.Atoi(text); err != nil || n < 0 || n > 5 {
			im.refuse(at, "%s %s: 0 to 5 is expected; HAProxy refuses it", word, text)
			return
		}
		set(&g.securityLevel)
	case "ssl-load-extra-files":
		g.noBundle = true
		for _, w := range at.words[1:] {
			if w == "bundle" || w == "all" {
				g.noBundle = false
			}
		}
	case "setenv":
		im.env[text] = at.word(2)
	case "presetenv":
		if _, set := im.env[text]; !set {
			im.problem(at, "presetenv %s: the environment may have another value", text)
			im.env[text] = at.word(2)
		}
	case "unsetenv":
		for _, name := range at.words[1:] {
			delete(im.env, name)
		}
	case "ssl-engine", "ssl-provider", "ssl-propquery":
		im.problem(at, "%s: what another implementation of the algorithms does is not judged", word)
	case "ca-base":
		g.caBase = text
	case "key-base", "issuers-chain-path", "ssl-skip-self-issued-ca", "ssl-mode-async", "ssl-provider-path", "ssl-load-extra-del-ext", "ssl-passphrase-cmd":
	default:
		if strings.HasPrefix(word, "ssl-") {
			im.unknown(at, "global", word, globalWords())
		}
	}
}

// globalWords are those that begin with ssl-, some of which are long.
func globalWords() (words []string) {
	for _, side := range []string{"ssl-default-bind-", "ssl-default-server-"} {
		for _, setting := range []string{"ciphers", "ciphersuites", "curves", "sigalgs", "client-sigalgs", "options"} {
			words = append(words, side+setting)
		}
	}
	return append(words, "ssl-server-verify", "ssl-dh-param-file", "ssl-security-level", "ssl-load-extra-files", "ssl-skip-self-issued-ca")
}

// optionsLine reads ssl-default-bind-options or ssl-default-server-options.
func (im *importer) optionsLine(s *settings, at line) {
	for i := 1; i < len(at.words); {
		switch word := at.words[i]; word {
		case "no-tls-tickets", "tls-tickets", "ssl-reuse", "no-ssl-reuse", "no-renegotiate", "renegotiate":
			i++
		case "strict-sni":
			im.global.strictSNI = &value{at, word, ""}
			i++
		case "no-strict-sni":
			im.global.strictSNI = nil
			i++
		default:
			used := s.keyword(im, at, i)
			if used == 0 {
				im.unknown(at, at.words[0], word, append(settingWords(), "no-tls-tickets", "strict-sni"))
				used = 1
			}
			i += used
		}
	}
}

// dhFile reads the size of the parameters in a file.
func (im *importer) dhFile(at line, name string) {
	data, err := document.ReadFile(im.fsys, im.within("", name), certfile.MaxBytes)
	if err != nil {
		im.problem(at, "%s %s: %v; 2048 bits are assumed", at.words[0], name, err)
		im.global.dhBits = 2048
		return
	}
	if im.global.dhBits = openssl.DHBits(data); im.global.dhBits == 0 {
		im.refuse(at, "%s %s: no Diffie-Hellman parameters in the file; HAProxy refuses it", at.words[0], name)
	}
}

// storeLine reads a crt-store section: certificates that bind lines name by "@store/alias".
func (im *importer) storeLine(s *section, at line) {
	switch at.words[0] {
	case "crt-base":
		s.name, _, _ = strings.Cut(s.name, "\x00")
		s.name += "\x00" + at.word(1)
	case "load":
		store, base, _ := strings.Cut(s.name, "\x00")
		var file, alias string
		for i := 1; i+1 < len(at.words); i += 2 {
			switch at.words[i] {
			case "crt":
				file = at.words[i+1]
			case "alias":
				alias = at.words[i+1]
			}
		}
		if file == "" {
			im.problem(at, "load without crt: where the certificate is from is not known")
			return
		}
		if base == "" {
			base = im.global.crtBase
		}
		full := im.within(base, file)
		for _, name := range []string{file, alias} {
			if name != "" {
				im.stores["@"+store+"/"+name] = full
			}
		}
	}
}

// defaultPath changes where relative paths start from here on.
func (im *importer) defaultPath(at line) {
	switch at.word(1) {
	case "current":
		im.base = ""
	case "config":
		im.base = path.Dir(im.file)
	case "parent":
		im.base = path.Join(path.Dir(im.file), "..")
	case "origin":
		im.base = at.word(2)
	default:
		im.refuse(at, "default-path %s is not understood; HAProxy refuses it", at.word(1))
	}
}

// within is a path below a base directory such as crt-base, unless it is absolute.
func (im *importer) within(base, name string) string {
	for _, dir := range []string{base, im.base} {
		if dir != "" && !path.IsAbs(name) {
			name = path.Join(dir, name)
		}
	}
	return path.Clean(name)
}
