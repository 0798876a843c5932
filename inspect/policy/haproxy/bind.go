package haproxy

import (
	"bytes"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy/internal/certfile"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
)

// bind is a bind line that speaks TLS, with what global said so far.
type bind struct {
	at        line
	listen    []string
	own       settings
	strictSNI *value
	certs     []*certificate
	byName    map[string][]*certificate // by the names for which they are served
	global    global
	name      string
}

// bindArguments are the keywords of bind lines that change nothing in a handshake, with the words they take.
var bindArguments = map[string]int{
	"accept-netscaler-cip": 1, "accept-proxy": 0, "allow-0rtt": 0, "backlog": 1, "ca-file": 1, "ca-ignore-err": 1, "ca-sign-file": 1, "ca-sign-pass": 1,
	"ca-verify-file": 1, "cc": 1, "client-sigalgs": 1, "crl-file": 1, "crt-ignore-err": 1, "defer-accept": 0, "expose-fd": 1, "gid": 1, "group": 1,
	"guid-prefix": 1, "id": 1, "idle-ping": 1, "interface": 1, "ktls": 1, "label": 1, "level": 1, "maxconn": 1, "mode": 1, "mss": 1, "name": 1,
	"namespace": 1, "nbconn": 1, "nice": 1, "no-ca-names": 0, "no-tls-tickets": 0, "npn": 1, "ocsp-update": 1, "process": 1, "proto": 1,
	"quic-cc-algo": 1, "quic-force-retry": 0, "quic-socket": 1, "severity-output": 1, "shards": 1, "tcp-md5sig": 1, "tcp-ss": 1, "tcp-ut": 1, "tfo": 0, "thread": 1,
	"tls-ticket-keys": 1, "tls-tickets": 0, "transparent": 0, "uid": 1, "user": 1, "v4v6": 0, "v6only": 0,
}

func (im *importer) bindLine(s *section, at line) {
	if len(at.words) < 2 {
		im.refuse(at, "bind without an address; HAProxy refuses it")
		return
	}
	b := &bind{at: at, global: im.global, strictSNI: im.global.strictSNI}
	first := 2
	if _, _, parameter := im.bindWord(at, 1); s.kind == "peers" && parameter {
		first = 1 // in a peers section the address may be elsewhere
	} else {
		b.listen = strings.Split(at.words[1], ",")
	}
	ssl := false
	var files []reference
	for i := first; i < len(at.words); {
		word := at.words[i]
		if used := b.own.keyword(im, at, i); used > 0 {
			i += used
			continue
		}
		used, files2, known := im.bindWord(at, i)
		switch {
		case !known:
			im.unknown(at, "bind", word, bindWords())
		case word == "ssl":
			ssl = true
		case word == "default-crt" && im.named && !im.version.since("3.0"):
			im.refuse(at, "%s: HAProxy knows it since 3.0; %s refuses it", word, im.version)
		case word == "strict-sni":
			b.strictSNI = &value{at, word, ""}
		case word == "no-strict-sni":
			b.strictSNI = nil
		case word == "generate-certificates":
			im.problem(at, "generate-certificates: certificates are made for each name; their kind follows the first one here")
		case word == "name":
			b.name = at.word(i + 1)
		}
		files = append(files, files2...)
		i += used
	}
	if !ssl {
		return
	}
	b.listen = slices.DeleteFunc(b.listen, func(address string) bool {
		quic := strings.HasPrefix(address, "quic4@") || strings.HasPrefix(address, "quic6@")
		if quic {
			im.problem(at, "bind %s: HTTP/3 is not judged", address)
		}
		return quic
	})
	if len(b.listen) == 0 && first == 2 {
		return
	}
	b.own = b.own.or(im.global.bind)
	for _, f := range files {
		im.load(b, f)
	}
	im.authorities(b)
	switch generates := slices.Contains(at.words, "generate-certificates"); {
	case len(b.certs) > 0:
	case b.strictSNI != nil || generates:
		im.problem(at, "bind %s ssl: no certificate; every handshake fails", strings.Join(b.listen, ","))
	default:
		im.refuse(at, "bind %s ssl: no certificate; HAProxy refuses it", strings.Join(b.listen, ","))
	}
	s.binds = append(s.binds, b)
}

// authorities looks at what a bind line says of other people's certificates.
func (im *importer) authorities(b *bind) {
	given := func(words ...string) string {
		for i, w := range b.at.words {
			if slices.Contains(words, w) {
				return b.at.word(i + 1)
			}
		}
		return ""
	}
	file := given("ca-file", "ca-verify-file")
	if v := b.own.verify; v != nil && v.text != "none" && file == "" && given("crt-list") == "" {
		im.refuse(v.at, "verify %s without ca-file; HAProxy refuses it", v.text)
	}
	if slices.Contains(b.at.words, "generate-certificates") && given("ca-sign-file") == "" {
		im.refuse(b.at, "generate-certificates without ca-sign-file; HAProxy refuses it")
	}
	if file == "" || strings.HasPrefix(file, "@") {
		return
	}
	data, err := document.ReadFile(im.fsys, im.within(im.global.caBase, file), certfile.MaxBytes)
	if err == nil && !bytes.Contains(data, []byte("-----BEGIN ")) {
		im.refuse(b.at, "ca-file %s: no certificate in it; HAProxy refuses it", file)
	}
}

// bindWords are all keywords of bind lines.
func bindWords() []string {
	words := append(settingWords(), "ssl", "crt", "crt-list", "default-crt", "strict-sni", "no-strict-sni", "generate-certificates")
	for word := range bindArguments {
		words = append(words, word)
	}
	return words
}

// reference is a crt, default-crt or crt-list on a bind line.
type reference struct {
	kind, name string
}

// bindWord says how many words a keyword takes that is not among the settings in common. known false: it is none.
func (im *importer) bindWord(at line, i int) (used int, files []reference, known bool) {
	word := at.words[i]
	switch word {
	case "crt", "crt-list", "default-crt":
		if i+1 >= len(at.words) {
			im.refuse(at, "%s has no value; HAProxy refuses it", word)
			return 1, nil, true
		}
		return 2, []reference{{word, at.words[i+1]}}, true
	case "ssl", "strict-sni", "no-strict-sni", "generate-certificates":
		return 1, nil, true
	}
	n, known := bindArguments[word]
	return n + 1, nil, known
}
