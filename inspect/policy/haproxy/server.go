package haproxy

import (
	"net/netip"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/openssl"
)

// clientSettings are those of a server line, or of default-server.
type clientSettings struct {
	settings
	ssl, sni, ca, crt, verifyHost *value
}

func (c clientSettings) clone() clientSettings {
	c.off = append([]*value(nil), c.off...)
	return c
}

// target is a server line.
type target struct {
	at            line
	name, address string
	set           clientSettings
	global        global
}

// serverArguments are the keywords of server lines that change nothing in a handshake, with the words they take.
var serverArguments = map[string]int{
	"addr": 1, "agent-addr": 1, "agent-check": 0, "agent-inter": 1, "agent-port": 1, "agent-send": 1, "allow-0rtt": 0, "backup": 0, "cc": 1, "check": 0,
	"check-alpn": 1, "check-pool-conn-name": 1, "check-proto": 1, "check-reuse-pool": 0, "check-send-proxy": 0, "check-sni": 1, "check-sni-auto": 0,
	"check-ssl": 0, "check-via-socks4": 0, "client-sigalgs": 1, "cookie": 1, "crl-file": 1, "disabled": 0, "downinter": 1, "enabled": 0, "error-limit": 1,
	"fall": 1, "fastinter": 1, "guid": 1, "hash-key": 1, "id": 1, "idle-ping": 1, "init-addr": 1, "init-state": 1, "inter": 1, "interface": 1, "ktls": 1,
	"log-bufsize": 1, "log-proto": 1, "max-reuse": 1, "maxconn": 1, "maxqueue": 1, "minconn": 1, "namespace": 1, "no-agent-check": 0, "no-backup": 0,
	"no-check": 0, "no-check-send-proxy": 0, "no-check-sni-auto": 0, "no-check-ssl": 0, "no-renegotiate": 0, "no-send-proxy": 0, "no-send-proxy-v2": 0,
	"no-send-proxy-v2-ssl": 0, "no-send-proxy-v2-ssl-cn": 0, "no-ssl-reuse": 0, "no-tfo": 0, "no-tls-tickets": 0, "non-stick": 0, "npn": 1, "observe": 1,
	"on-error": 1, "on-marked-down": 1, "on-marked-up": 1, "pool-conn-name": 1, "pool-low-conn": 1, "pool-max-conn": 1, "pool-purge-delay": 1, "port": 1,
	"proto": 1, "proxy-v2-options": 1, "redir": 1, "renegotiate": 0, "resolve-net": 1, "resolve-opts": 1, "resolve-prefer": 1, "resolvers": 1, "rise": 1,
	"send-proxy": 0, "send-proxy-v2": 0, "send-proxy-v2-ssl": 0, "send-proxy-v2-ssl-cn": 0, "shard": 1, "slowstart": 1, "socks4": 1, "source": 1,
	"ssl-reuse": 0, "stick": 0, "strict-maxconn": 0, "tcp-md5sig": 1, "tcp-ut": 1, "tfo": 0, "tls-tickets": 0, "track": 1, "usesrc": 1, "weight": 1, "ws": 1,
}

// serverLine reads server, server-template and default-server.
func (im *importer) serverLine(s *section, at line) {
	t := &target{at: at, set: s.defaults.clone(), global: im.global}
	first := 1
	switch at.words[0] {
	case "server":
		t.name, t.address, first = at.word(1), at.word(2), 3
	case "server-template":
		t.name, t.address, first = at.word(1), at.word(3), 4
	}
	if s.kind == "peers" && at.words[0] == "server" && len(at.words) < 3 {
		return // the local peer, without an address
	}
	if len(at.words) < first {
		im.refuse(at, "%s: name or address lacks; HAProxy refuses it", at.words[0])
		return
	}
	for i := first; i < len(at.words); {
		i += im.serverWord(&t.set, at, i)
	}
	if at.words[0] == "default-server" {
		s.defaults = t.set
		return
	}
	if t.set.ssl != nil {
		s.servers = append(s.servers, t)
	}
}

// serverWords are all keywords of server lines.
func serverWords() []string {
	words := append(settingWords(), "ssl", "no-ssl", "sni", "ca-file", "crt", "verifyhost", "no-verifyhost")
	for word := range serverArguments {
		words = append(words, word)
	}
	return words
}

// serverWord reads one keyword and says how many words it took.
func (im *importer) serverWord(c *clientSettings, at line, i int) int {
	if used := c.keyword(im, at, i); used > 0 {
		return used
	}
	word := at.words[i]
	v := &value{at, word, at.word(i + 1)}
	switch word {
	case "ssl":
		c.ssl = &value{at, word, ""}
		return 1
	case "no-ssl":
		c.ssl = nil
		return 1
	case "sni":
		c.sni = v
	case "no-sni", "no-sni-auto":
		c.sni = nil
		return 1
	case "sni-auto":
		im.problem(at, "sni-auto: the name follows the request")
		return 1
	case "ca-file":
		c.ca = v
	case "crt":
		c.crt = v
	case "verifyhost":
		c.verifyHost = v
	case "no-verifyhost":
		c.verifyHost = nil
		return 1
	default:
		if strings.HasPrefix(word, "set-proxy-v2-tlv-fmt(") {
			return 2
		}
		n, known := serverArguments[word]
		if !known {
			im.unknown(at, at.words[0], word, serverWords())
		}
		return n + 1
	}
	if i+1 >= len(at.words) {
		im.refuse(at, "%s has no value; HAProxy refuses it", word)
	}
	return 2
}

// serverEndpoint is the connection to a server as the client side.
func (im *importer) serverEndpoint(s *section, t *target) {
	if im.Full(t.at.file) {
		return
	}
	set := t.set
	set.settings = set.settings.or(t.global.server)
	x := im.context(t.global)
	x.Client = true
	set.settings.apply(&x)
	x.ClientAuth = ""
	x.Versions = set.versions(im, 0)
	e := &imported.Endpoint{System: Kind, Version: string(im.version), Side: imported.Client, Name: s.name + "/" + t.name, Listen: []string{t.address}, Spans: []imported.Span{t.at.span()},
		Facts: append([]imported.Fact{t.at.fact(t.at.words[0], t.name+" "+t.address)}, set.facts()...)}
	for _, v := range []*value{set.ssl, set.sni, set.ca, set.crt, set.verifyHost} {
		if v != nil {
			e.Facts = append(e.Facts, v.fact())
		}
	}
	if v := set.groups(); v != nil {
		x.Groups = v.text
	}
	if set.crt != nil {
		b := &bind{at: set.crt.at, global: t.global}
		im.crt(b, set.crt.at, set.crt.text, settings{}, nil, false)
		for _, cert := range b.certs {
			if cert.leaf != nil {
				x.Certificates = append(x.Certificates, openssl.Certificate{Type: cert.leaf.Type, Bits: cert.leaf.Bits})
			}
		}
	}
	if set.verify == nil {
		text, v := "required", t.global.serverVerify
		if v != nil {
			e.Facts = append(e.Facts, v.fact())
		} else {
			e.Facts = append(e.Facts, standard("verify", text, manual+", verify"))
		}
	}
	p, notes, errs := im.made.Policy(&x)
	im.refusals(x, errs, func(err error) line { return set.about(err, t.at) })
	for _, note := range notes {
		e.Facts = append(e.Facts, standard("security level", note, "OpenSSL, SSL_CTX_set_security_level(3)"))
	}
	p.Name, p.Provider, p.Product, p.ALPN, p.Names = e.Name, Kind, "server", protocols(set.alpn), im.sent(set.sni)
	e.Policy = p
	im.Add(im.file, e)
}

// sent is the server name of an sni expression that is a constant; nil: none, or one that follows the request.
func (im *importer) sent(sni *value) []string {
	if sni == nil {
		return nil
	}
	inner, ok := strings.CutPrefix(sni.text, "str(")
	name, closed := strings.CutSuffix(inner, ")")
	if !ok || !closed || strings.ContainsAny(name, "(),") {
		im.problem(sni.at, "sni %s: the name follows the request", sni.text)
		return nil
	}
	if name = strings.Trim(name, `"'`); name == "" {
		return nil
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return nil
	}
	return []string{name}
}
