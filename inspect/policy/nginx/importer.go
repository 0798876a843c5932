package nginx

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/openssl"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// importer makes endpoints of statements.
type importer struct {
	*reader
	version version
	named   bool // the version was given
	openssl string
	made    openssl.Maker
	listens int             // sockets of listen directives so far
	leaves  map[string]leaf // by file
	clients map[string]bool // made, by target and settings
}

func (im *importer) main(root []*statement) {
	im.unknown(root, "")
	found := false
	for _, d := range root {
		switch {
		case d.name == "mail" && d.isBlock:
			im.problem(d.file, d.line, "mail: servers of the mail module are not judged")
		case (d.name == "http" || d.name == "stream") && d.isBlock:
			im.servers(d)
			found = true
		}
	}
	if !found { // a file of sites-enabled, or one that another includes
		im.servers(&statement{name: "http", body: root, isBlock: true})
	}
}

// servers makes the endpoints of an http or stream block: for each server and the sockets on which it behaves alike one, and the
// connections to upstreams.
func (im *importer) servers(block *statement) {
	servers := im.collect(block)
	im.socketsOf(servers)
	own := make(map[*server]*settings)
	of := func(s *server) *settings {
		if own[s] == nil {
			own[s] = im.serverSettings(s)
		}
		return own[s]
	}
	type behaviour struct {
		first *server
		http2 bool
	}
	for _, s := range servers {
		made := make(map[behaviour]*imported.Endpoint)
		spans := s.at.spans()
		for _, at := range s.sockets {
			if !at.ssl || im.Full(at.defaultServer.at.file) {
				continue
			}
			alike := behaviour{at.defaultServer, at.http2}
			if e := made[alike]; e == nil {
				made[alike] = im.endpoint(s, at, of(s), of(at.defaultServer))
				made[alike].Spans = spans
				im.Add(s.at.file, made[alike])
			} else if !slices.Contains(e.Listen, at.name) {
				e.Listen = append(e.Listen, at.name)
			}
		}
	}
	for _, s := range servers {
		im.passThrough(s)
		im.upstreams(s)
	}
}

// endpoint is a server on one socket. OpenSSL and nginx together settle some things before the name that the client asks for
// counts; those are the default server's.
func (im *importer) endpoint(s *server, at *socket, own, first *settings) *imported.Endpoint {
	isDefault := at.defaultServer == s
	rejects := im.flag(s.scope, "ssl_reject_handshake")
	if !isDefault && s.scope.all("ssl_certificate") == nil && !rejects {
		// Such a server has no SSL_CTX of its own.
		im.problem(s.at.file, s.at.line, "server without ssl_certificate on %s: all its TLS settings are those of the default server (%s)", at.name, at.defaultServer.place())
		own = first
	}
	c, facts := own.context, own.facts
	if !isDefault && own != first {
		c, facts = im.mixed(s, at, own, first)
	}
	e := &imported.Endpoint{System: Kind, Version: string(im.version), Side: imported.Server, Name: s.name(), Listen: []string{at.name}, Default: isDefault}
	var notes []string
	var errs []error
	e.Policy, notes, errs = im.made.Policy(&c)
	e.Facts = slices.Concat(im.nameFacts(s), facts)
	if !isDefault && !im.version.perName() {
		im.preferenceTLS13(e, s, at, own, first)
	}
	im.report(own, notes, errs)
	im.finish(e, s, at, rejects)
	return e
}

func (s *server) place() string { return fmt.Sprintf("%s:%d", s.at.file, s.at.line) }

// mixed is what holds for a server that is not the default of its socket.
func (im *importer) mixed(s *server, at *socket, own, first *settings) (openssl.Context, []imported.Fact) {
	c := own.context
	facts := slices.Clone(own.facts)
	inherit := func(setting string) {
		facts = slices.DeleteFunc(facts, func(f imported.Fact) bool { return f.Setting == setting })
		for _, f := range first.facts {
			if f.Setting == setting {
				facts = append(facts, f)
			}
		}
		if d := im.latest(s.scope, setting); d != nil && !slices.Equal(s.scope.all(setting), at.defaultServer.all(setting)) {
			im.problem(d.file, d.line, "%s has no effect for this server on %s: nginx %v takes it from the default server (%s)", setting, at.name, im.version, at.defaultServer.place())
		}
	}
	// The groups are copied into a connection before its first byte is read, and never again.
	if c.Groups != first.context.Groups {
		c.Groups = first.context.Groups
		inherit("ssl_ecdh_curve")
	}
	// nginx hands over the versions that are off, from 1.29.2 on before they count, but never the bounds of ssl_conf_command.
	if c.Min != first.context.Min || c.Max != first.context.Max {
		c.Min, c.Max = first.context.Min, first.context.Max
		im.problem(own.at.file, own.at.line, "ssl_conf_command MinProtocol and MaxProtocol: on %s those of the default server hold (%s)", at.name, at.defaultServer.place())
	}
	if im.version.perName() {
		return c, facts
	}
	if !sameVersions(c.Versions, first.context.Versions) {
		c.Versions = first.context.Versions
		inherit("ssl_protocols")
	}
	o, of := c.Options, first.context.Options
	if o.TLS13Suites != of.TLS13Suites || o.NoTLS13Suites != of.NoTLS13Suites {
		c.Options.TLS13Suites, c.Options.NoTLS13Suites = of.TLS13Suites, of.NoTLS13Suites
		im.problem(own.at.file, own.at.line, "ssl_conf_command Ciphersuites: on %s nginx %v takes those of the default server (%s)", at.name, im.version, at.defaultServer.place())
	}
	return c, facts
}

// preferenceTLS13: OpenSSL chooses the suite of TLS 1.3 before nginx knows the name, by the options of the default server.
func (im *importer) preferenceTLS13(e *imported.Endpoint, s *server, at *socket, own, first *settings) {
	wins := first.context.Preference()
	if wins == e.Policy.Preference || !slices.Contains(e.Policy.Versions, wire.VersionTLS13) {
		return
	}
	e.Policy.PreferenceTLS13 = wins
	for _, f := range first.facts {
		if f.Setting == "ssl_prefer_server_ciphers" {
			f.Setting += ", in TLS 1.3"
			e.Facts = append(e.Facts, f)
		}
	}
	if d := im.latest(s.scope, "ssl_prefer_server_ciphers"); d != nil {
		im.problem(d.file, d.line, "ssl_prefer_server_ciphers: for TLS 1.3 on %s nginx %v takes that of the default server (%s)", at.name, im.version, at.defaultServer.place())
	}
}

func (im *importer) latest(s *scope, name string) *statement {
	all := s.all(name)
	if all == nil {
		return nil
	}
	return all[len(all)-1]
}

func sameVersions[T comparable](a, b []T) bool {
	for _, v := range a {
		if !slices.Contains(b, v) {
			return false
		}
	}
	for _, v := range b {
		if !slices.Contains(a, v) {
			return false
		}
	}
	return true
}

// report turns what OpenSSL makes of the settings into problems at the line of the setting it is about.
func (im *importer) report(s *settings, notes []string, errs []error) {
	for _, err := range errs {
		d := s.about(err)
		switch {
		case errors.Is(err, openssl.ErrSystemProfile):
			im.problem(d.file, d.line, "%v", err)
		case s.context.Refuses(err, im.openssl != ""):
			im.refuse(d.file, d.line, "%v; nginx refuses it", err)
		default:
			im.problem(d.file, d.line, "%v; nginx refuses it with an OpenSSL that does", err)
		}
	}
	for _, note := range notes {
		f := imported.Fact{Setting: "security level", Value: note, Default: true, Source: "OpenSSL, SSL_CTX_set_security_level(3)"}
		if !slices.Contains(s.facts, f) {
			s.facts = append(s.facts, f)
		}
	}
}

// about finds the line that an error of OpenSSL's is about.
func (s *settings) about(err error) *statement {
	words := map[string][]string{
		"cipher string": {"ssl_ciphers", "CipherString"}, "ciphersuites": {"Ciphersuites"}, "groups": {"ssl_ecdh_curve", "Groups", "Curves"},
		"signature": {"SignatureAlgorithms"}, "Diffie": {"ssl_dhparam", "DHParameters"}, "RSA key": {"ssl_certificate"},
	}
	for part, settings := range words {
		if !strings.Contains(err.Error(), part) {
			continue
		}
		for _, f := range slices.Backward(s.facts) {
			for _, name := range settings {
				if f.Line > 0 && (strings.HasSuffix(f.Setting, name) || strings.HasSuffix(f.Setting, "ssl_conf_command") && strings.HasPrefix(strings.ToLower(f.Value), strings.ToLower(name)+" ")) {
					return &statement{file: f.File, line: f.Line}
				}
			}
		}
	}
	return s.at
}

// finish adds to a policy what is nginx's own.
func (im *importer) finish(e *imported.Endpoint, s *server, at *socket, rejects bool) {
	p := e.Policy
	p.Name, p.Provider, p.Product = e.Name, Kind, "server"
	if rejects {
		// Every name is refused that comes to this server, and no name at all.
		d := im.latest(s.scope, "ssl_reject_handshake")
		e.Facts = append(e.Facts, imported.Fact{File: d.file, Line: d.line, Setting: d.name, Value: "on"})
		p.Names, p.SNIRequired = []string{}, true
	} else if !e.Default {
		p.Names = im.served(s)
		// A client without a name comes to the default server, which refuses it.
		p.SNIRequired = im.flag(at.defaultServer.scope, "ssl_reject_handshake")
	}
	if s.stream {
		im.streamALPN(e, s)
		return
	}
	http2 := at.http2
	if d := im.one(s.scope, "http2", 1); d != nil && im.version.since("1.25.1") {
		http2 = http2 || im.isOn(d)
		e.Facts = append(e.Facts, imported.Fact{File: d.file, Line: d.line, Setting: d.name, Value: d.args[0]})
	}
	for _, l := range s.listen {
		if !l.quic && slices.Contains(l.sockets, at.name) {
			e.Facts = append(e.Facts, imported.Fact{File: l.file, Line: l.line, Setting: "listen", Value: strings.Join(l.args, " ")})
			break
		}
	}
	var source string
	p.ALPN, p.ALPNRequired, source = im.version.alpn(http2)
	e.Facts = append(e.Facts, imported.Fact{Setting: "ALPN", Value: strings.Join(p.ALPN, " "), Default: true, Source: source})
}

// streamALPN: the stream module negotiates what ssl_alpn names, and nothing without it.
func (im *importer) streamALPN(e *imported.Endpoint, s *server) {
	all := s.scope.all("ssl_alpn")
	for _, d := range all {
		if !im.version.since("1.21.4") {
			im.missing(d, "ssl_alpn: nginx %v has no such directive and refuses it", im.version)
			continue
		}
		e.Facts = append(e.Facts, imported.Fact{File: d.file, Line: d.line, Setting: d.name, Value: strings.Join(d.args, " ")})
		e.Policy.ALPN, e.Policy.ALPNRequired = d.args, true
	}
	if all == nil {
		e.Facts = append(e.Facts, imported.Fact{Setting: "ssl_alpn", Value: "none", Default: true, Source: "nginx.org/en/docs/stream/ngx_stream_ssl_module.html"})
	}
}

func (im *importer) nameFacts(s *server) (facts []imported.Fact) {
	for _, d := range s.names {
		for _, name := range d.args {
			facts = append(facts, imported.Fact{File: d.file, Line: d.line, Setting: "server_name", Value: name})
		}
	}
	return facts
}
