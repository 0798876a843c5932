package nginx

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/certfile"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
	"github.com/tlstriage/tlstriage/inspect/policy/openssl"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// settings are the TLS directives that hold in one block, and the lines they are from.
type settings struct {
	context openssl.Context
	facts   []imported.Fact
	at      *statement // what a problem without a line of its own is told at
}

func (s *settings) fact(d *statement) {
	s.facts = append(s.facts, imported.Fact{File: d.file, Line: d.line, Setting: d.name, Value: strings.Join(d.args, " ")})
}

func (s *settings) standard(name string, d setting) {
	s.facts = append(s.facts, imported.Fact{Setting: name, Value: d.value, Default: true, Source: d.source})
}

// one is the directive of a name that holds in a scope; nil: the default does. nginx refuses a second one in the same block.
func (im *importer) one(s *scope, name string, args int) *statement {
	all := s.all(name)
	if all == nil {
		return nil
	}
	if len(all) > 1 {
		im.refuse(all[1].file, all[1].line, "%s is there twice in one block, first in line %d; nginx refuses it", name, all[0].line)
	}
	if len(all[0].args) != args {
		im.refuse(all[0].file, all[0].line, "%s has %d arguments, not %d; nginx refuses it", name, len(all[0].args), args)
		return nil
	}
	return all[0]
}

// missing tells of a directive that the release does not have. Where nobody named the release, it may be another one that has it.
func (im *importer) missing(d *statement, format string, args ...any) {
	if im.named {
		im.refuse(d.file, d.line, format, args...)
	} else {
		im.problem(d.file, d.line, format, args...)
	}
}

// flag is a directive that is on or off, off by default.
func (im *importer) flag(s *scope, name string) bool {
	d := im.one(s, name, 1)
	return d != nil && im.isOn(d)
}

func (im *importer) isOn(d *statement) bool {
	switch strings.ToLower(d.args[0]) {
	case "on":
		return true
	case "off":
		return false
	}
	im.refuse(d.file, d.line, "%s is %q, not on or off; nginx refuses it", d.name, d.args[0])
	return false
}

// setFlag reads a flag and says where it is from.
func (im *importer) setFlag(s *settings, sc *scope, name, source string) bool {
	d := im.one(sc, name, 1)
	if d == nil {
		s.standard(name, setting{"off", source})
		return false
	}
	s.fact(d)
	return im.isOn(d)
}

// protocols reads ssl_protocols, or a directive of that kind for upstreams. Several in one block add up.
func (im *importer) protocols(s *settings, sc *scope, name string) {
	all := sc.all(name)
	var words []string
	for _, d := range all {
		s.fact(d)
		words = append(words, d.args...)
		if len(d.args) == 0 {
			im.refuse(d.file, d.line, "%s names no protocol; nginx refuses it", name)
		}
	}
	if all == nil {
		d := im.version.protocols()
		s.standard(name, d)
		words = strings.Fields(d.value)
	}
	s.context.Versions = []wire.Version{}
	for _, word := range words {
		v, ok := nginxProtocol(word)
		switch {
		case ok:
			s.context.Versions = append(s.context.Versions, v)
		case !strings.EqualFold(word, "SSLv2") && !strings.EqualFold(word, "SSLv3"):
			im.refuse(all[0].file, all[0].line, "%s: %q is no protocol; nginx refuses it", name, word)
		}
	}
}

// nginxProtocol reads a word of ssl_protocols, which nginx takes in any case.
func nginxProtocol(word string) (wire.Version, bool) {
	switch strings.ToLower(word) {
	case "tlsv1":
		return wire.VersionTLS10, true
	case "tlsv1.1":
		return wire.VersionTLS11, true
	case "tlsv1.2":
		return wire.VersionTLS12, true
	case "tlsv1.3":
		return wire.VersionTLS13, true
	}
	return 0, false
}

// text reads a directive with one argument.
func (im *importer) text(s *settings, sc *scope, name string, d setting) string {
	if own := im.one(sc, name, 1); own != nil {
		s.fact(own)
		if own.args[0] == "" {
			im.refuse(own.file, own.line, "%s is empty; nginx refuses it", name)
		}
		return own.args[0]
	}
	s.standard(name, d)
	return d.value
}

// conf carries out ssl_conf_command, or a directive of that kind for upstreams.
func (im *importer) conf(s *settings, sc *scope, name string) {
	for _, d := range sc.all(name) {
		s.fact(d)
		if len(d.args) != 2 {
			im.refuse(d.file, d.line, "%s has %d arguments, not 2; nginx refuses it", name, len(d.args))
			continue
		}
		if openssl.FileCommand(d.args[0]) {
			if strings.EqualFold(d.args[0], "Certificate") {
				im.certificate(s, d, d.args[1])
			} else {
				im.dhParameters(s, d, d.args[1])
			}
			continue
		}
		if _, err := s.context.Command(d.args[0], d.args[1]); err != nil {
			im.refuse(d.file, d.line, "%s %s %s: %v; nginx refuses it", name, d.args[0], d.args[1], err)
		}
	}
}

// certificates reads the directives that name certificates. A variable leaves open what is served.
func (im *importer) certificates(s *settings, sc *scope, name string) (some bool) {
	for _, d := range sc.all(name) {
		s.fact(d)
		some = true
		if len(d.args) != 1 {
			im.refuse(d.file, d.line, "%s has %d arguments, not 1; nginx refuses it", name, len(d.args))
			continue
		}
		im.certificate(s, d, d.args[0])
	}
	return some
}

func (im *importer) certificate(s *settings, d *statement, value string) {
	inline, isData := strings.CutPrefix(value, "data:")
	switch {
	case strings.Contains(value, "$"):
		im.problem(d.file, d.line, "%s %s: the certificate depends on a variable; its kind is not known", d.name, value)
		return
	case strings.HasPrefix(value, "engine:"), strings.HasPrefix(value, "store:"):
		im.problem(d.file, d.line, "%s %s: the certificate is in no file; its kind is not known", d.name, value)
		return
	case value == "": // proxy_ssl_certificate "" takes an inherited one away
		return
	}
	var c *certfile.Leaf
	var err error
	name := "data"
	if isData {
		c, err = certfile.Read([]byte(inline))
	} else {
		name = im.reader.name(value)
		c, err = im.leaf(name)
	}
	if errors.Is(err, certfile.ErrNone) {
		im.refuse(d.file, d.line, "%s %s: %v; nginx refuses it", d.name, name, err)
		return
	}
	if err != nil {
		im.problem(d.file, d.line, "%s %s: %v; its kind is not known", d.name, name, err)
		return
	}
	s.context.Certificates = append(s.context.Certificates, openssl.Certificate{Type: c.Type, Bits: c.Bits})
	s.facts = append(s.facts, imported.Fact{File: d.file, Line: d.line, Setting: "certificate", Value: name + " (" + keyKind(c) + ")"})
}

// leaf reads a certificate file, each but once.
func (im *importer) leaf(name string) (*certfile.Leaf, error) {
	if c, ok := im.leaves[name]; ok {
		return c.leaf, c.err
	}
	var c leaf
	data, err := document.ReadFile(im.fsys, name, certfile.MaxBytes)
	if c.err = err; err == nil {
		c.leaf, c.err = certfile.Read(data)
	}
	im.leaves[name] = c
	return c.leaf, c.err
}

// leaf is what a certificate file was found to hold.
type leaf struct {
	leaf *certfile.Leaf
	err  error
}

// keyKind is the kind of a certificate's key in words.
func keyKind(c *certfile.Leaf) string {
	if c.Bits == 0 {
		return string(c.Type)
	}
	return fmt.Sprintf("%s, %d bits", c.Type, c.Bits)
}

func (im *importer) dhParameters(s *settings, d *statement, value string) {
	name := im.reader.name(value)
	data, err := document.ReadFile(im.fsys, name, certfile.MaxBytes)
	if err != nil {
		im.problem(d.file, d.line, "%s %s: %v; 2048 bits are assumed", d.name, name, err)
		s.context.DHBits = 2048
		return
	}
	if s.context.DHBits = openssl.DHBits(data); s.context.DHBits == 0 {
		im.refuse(d.file, d.line, "%s %s: no Diffie-Hellman parameters in the file; nginx refuses it", d.name, name)
		return
	}
	s.facts = append(s.facts, imported.Fact{File: d.file, Line: d.line, Setting: "DH parameters", Value: fmt.Sprintf("%s (%d bits)", name, s.context.DHBits)})
}

// serverSettings are the settings of a server block by itself.
func (im *importer) serverSettings(srv *server) *settings {
	s := &settings{at: srv.at, context: openssl.Context{Options: openssl.Options{Version: im.openssl}}}
	c := &s.context
	im.protocols(s, srv.scope, "ssl_protocols")
	c.Ciphers = im.text(s, srv.scope, "ssl_ciphers", im.version.ciphers())
	c.ServerPreference = im.setFlag(s, srv.scope, "ssl_prefer_server_ciphers", documentation)
	if c.Groups = im.text(s, srv.scope, "ssl_ecdh_curve", im.version.curve()); c.Groups == "auto" {
		c.Groups = ""
	}
	if d := im.one(srv.scope, "ssl_dhparam", 1); d != nil {
		s.fact(d)
		im.dhParameters(s, d, d.args[0])
	} else {
		s.standard("ssl_dhparam", setting{"none: no DHE", documentation})
	}
	im.certificates(s, srv.scope, "ssl_certificate")
	im.verifyClient(s, srv)
	im.conf(s, srv.scope, "ssl_conf_command")
	return s
}

// verifyClient: nginx asks for the certificate and completes the handshake without one; what is refused is the request.
func (im *importer) verifyClient(s *settings, srv *server) {
	s.context.ClientAuth = policy.ClientAuthNone
	d := im.one(srv.scope, "ssl_verify_client", 1)
	if d == nil {
		s.standard("ssl_verify_client", setting{"off", documentation})
		return
	}
	s.fact(d)
	switch strings.ToLower(d.args[0]) {
	case "off":
	case "on":
		s.context.ClientAuth = policy.ClientAuthRequire
	case "optional", "optional_no_ca":
		s.context.ClientAuth = policy.ClientAuthRequest
	default:
		im.refuse(d.file, d.line, "ssl_verify_client is %q; nginx refuses it", d.args[0])
	}
	authorities := srv.scope.all("ssl_client_certificate") != nil || im.version.since("1.27.2") && srv.scope.all("ssl_trusted_certificate") != nil
	if word := strings.ToLower(d.args[0]); (word == "on" || word == "optional") && !authorities {
		im.refuse(d.file, d.line, "ssl_verify_client without ssl_client_certificate; nginx refuses it")
	}
}

// known are the ssl_ directives, also with proxy_, grpc_ and uwsgi_ before them, that are judged or that change nothing in a handshake.
var known = []string{
	"ssl", "ssl_alpn", "ssl_buffer_size", "ssl_certificate", "ssl_certificate_cache", "ssl_certificate_compression", "ssl_certificate_key", "ssl_ciphers",
	"ssl_client_certificate", "ssl_conf_command", "ssl_crl", "ssl_dhparam", "ssl_early_data", "ssl_ecdh_curve", "ssl_handshake_timeout", "ssl_key_log",
	"ssl_name", "ssl_object_cache_inheritable", "ssl_ocsp", "ssl_ocsp_cache", "ssl_ocsp_responder", "ssl_password_file", "ssl_prefer_server_ciphers",
	"ssl_preread", "ssl_protocols", "ssl_reject_handshake", "ssl_server_name", "ssl_session_cache", "ssl_session_reuse", "ssl_session_ticket_key",
	"ssl_session_tickets", "ssl_session_timeout", "ssl_stapling", "ssl_stapling_file", "ssl_stapling_responder", "ssl_stapling_verify",
	"ssl_trusted_certificate", "ssl_verify", "ssl_verify_client", "ssl_verify_depth",
}

// place names a block by its file and line.
func place(file string, line int) string { return fmt.Sprintf("%s:%d", path.Base(file), line) }
