package apache

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/certfile"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/release"
	"github.com/tlstriage/tlstriage/inspect/policy/openssl"
	"github.com/tlstriage/tlstriage/inspect/spelling"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

const (
	documentation = "httpd.apache.org/docs/2.4/mod/mod_ssl.html"
	sslSource     = "httpd 2.4 modules/ssl/ssl_engine_init.c"
)

// scope is a section with those around it, from which it inherits.
type scope struct {
	parent *scope
	body   []*directive
	byName map[string][]*directive // of body, made when it is first asked for
}

// own are the directives of a name in the section itself.
func (s *scope) own(name string) []*directive {
	if s.byName == nil {
		s.byName = make(map[string][]*directive)
		for _, d := range s.body {
			if !d.section {
				s.byName[d.name] = append(s.byName[d.name], d)
			}
		}
	}
	return s.byName[name]
}

// last is the directive that holds: the last one in the section, or else in the one around it.
func (s *scope) last(name string) *directive {
	for ; s != nil; s = s.parent {
		if own := s.own(name); own != nil {
			return own[len(own)-1]
		}
	}
	return nil
}

// every are the directives of a name that add up: those of the outer section first.
func (s *scope) every(name string) []*directive {
	if s == nil {
		return nil
	}
	return slices.Concat(s.parent.every(name), s.own(name))
}

// settings are the TLS directives that hold in one scope, and the lines they are from.
type settings struct {
	context openssl.Context
	facts   []imported.Fact
	at      *directive // what a problem without a line of its own is told at
}

func (s *settings) fact(d *directive) {
	s.facts = append(s.facts, imported.Fact{File: d.file, Line: d.line, Setting: d.written, Value: strings.Join(d.args, " ")})
}

func (s *settings) standard(name, value, source string) {
	s.facts = append(s.facts, imported.Fact{Setting: name, Value: value, Default: true, Source: source})
}

// flag reads a directive that is on or off, off by default.
func (im *importer) flag(s *settings, sc *scope, name string) bool {
	d := sc.last(strings.ToLower(name))
	if d == nil {
		s.standard(name, "off", documentation)
		return false
	}
	s.fact(d)
	switch strings.ToLower(d.arg(0)) {
	case "on":
		return true
	case "off":
		return false
	}
	im.refuse(d, "%s is %q, not on or off; httpd refuses it", d.written, d.arg(0))
	return false
}

// protocols reads SSLProtocol or SSLProxyProtocol. A word without a sign replaces all before it. httpd tells OpenSSL the highest
// version and the lowest one below it without a hole.
func (im *importer) protocols(s *settings, sc *scope, name string) {
	words := []string{"all", "-SSLv3"}
	d := sc.last(strings.ToLower(name))
	if d == nil {
		s.standard(name, "all -SSLv3", documentation)
	} else {
		s.fact(d)
		words = d.args
	}
	all := []wire.Version{wire.VersionTLS10, wire.VersionTLS11, wire.VersionTLS12, wire.VersionTLS13}
	var on []wire.Version
	for i, word := range words {
		sign, rest := byte(0), word
		if word != "" && (word[0] == '+' || word[0] == '-') {
			sign, rest = word[0], word[1:]
		}
		which, ok := protocol(rest, all)
		if !ok {
			im.refuse(d, "%s: %q is no protocol; httpd refuses it", d.written, word)
			continue
		}
		switch sign {
		case '-':
			on = slices.DeleteFunc(on, func(v wire.Version) bool { return slices.Contains(which, v) })
		case '+':
			on = append(on, which...)
		default:
			if i > 0 && len(on) > 0 {
				im.problem(d, "%s: %s, without a + before it, replaces what stands left of it", d.written, word)
			}
			on = slices.Clone(which)
		}
	}
	s.context.Versions = []wire.Version{}
	for v := wire.VersionTLS13; v >= wire.VersionTLS10; v-- {
		switch {
		case slices.Contains(on, v):
			s.context.Versions = append(s.context.Versions, v)
		case len(s.context.Versions) > 0:
			for low := v - 1; low >= wire.VersionTLS10; low-- {
				if slices.Contains(on, low) {
					im.problem(d, "%s: %v and what is below are off, for %v between them is", d.written, low, v)
					break
				}
			}
			slices.Sort(s.context.Versions)
			return
		}
	}
	slices.Sort(s.context.Versions)
	if len(s.context.Versions) == 0 {
		im.refuse(s.at, "%s: no protocol is left; httpd refuses it", name)
	}
}

func protocol(word string, all []wire.Version) ([]wire.Version, bool) {
	switch strings.ToLower(word) {
	case "all":
		return all, true
	case "sslv2", "sslv3": // builds without them are all that is left
		return nil, true
	case "tlsv1":
		return all[:1], true
	case "tlsv1.1":
		return all[1:2], true
	case "tlsv1.2":
		return all[2:3], true
	case "tlsv1.3":
		return all[3:], true
	}
	return nil, false
}

// ciphers reads SSLCipherSuite or SSLProxyCipherSuite, for TLS 1.3 and for the versions below it.
func (im *importer) ciphers(s *settings, sc *scope, name string) {
	below, above := false, false
	for sc := sc; sc != nil; sc = sc.parent {
		for _, d := range slices.Backward(sc.own(strings.ToLower(name))) {
			kind, spec := "SSL", d.arg(0)
			if len(d.args) > 1 {
				kind, spec = d.args[0], d.args[1]
			}
			switch {
			case len(d.args) == 0 || len(d.args) > 2:
				im.refuse(d, "%s takes one or two arguments; httpd refuses it", d.written)
			case strings.EqualFold(kind, "TLSv1.3"):
				if !above {
					s.fact(d)
					s.context.Options.TLS13Suites, s.context.Options.NoTLS13Suites = spec, spec == ""
				}
				above = true
			case strings.EqualFold(kind, "SSL"):
				if !below {
					s.fact(d)
					s.context.Ciphers = spec
					if !strings.HasPrefix(spec, "SUITEB") { // which mod_ssl adds to every list
						s.context.Ciphers += ":!aNULL:!eNULL:!EXP"
					}
				}
				below = true
			default:
				im.refuse(d, "%s: %q is neither SSL nor TLSv1.3; httpd refuses it", d.written, kind)
			}
		}
	}
	if !below {
		s.standard(name, "DEFAULT", sslSource)
	}
}

// commands carries out SSLOpenSSLConfCmd, those of the main server first.
func (im *importer) commands(s *settings, sc *scope) {
	for _, d := range sc.every("sslopensslconfcmd") {
		s.fact(d)
		if len(d.args) != 2 {
			im.refuse(d, "%s takes two arguments; httpd refuses it", d.written)
			continue
		}
		if openssl.FileCommand(d.args[0]) {
			im.fileCommand(s, d)
			continue
		}
		if _, err := s.context.Command(d.args[0], d.args[1]); err != nil {
			im.refuse(d, "%s %s %s: %v; httpd refuses it", d.written, d.args[0], d.args[1], err)
		}
	}
}

func (im *importer) fileCommand(s *settings, d *directive) {
	if strings.EqualFold(d.args[0], "Certificate") {
		im.certificate(s, d, d.args[1])
		return
	}
	name := im.name(d.args[1])
	data, err := document.ReadFile(im.fsys, name, certfile.MaxBytes)
	if err != nil {
		im.problem(d, "%s %s: %v; 2048 bits are assumed", d.written, name, err)
		s.context.DHBits = 2048
		return
	}
	if s.context.DHBits = openssl.DHBits(data); s.context.DHBits == 0 {
		im.refuse(d, "%s %s: no Diffie-Hellman parameters in the file; httpd refuses it", d.written, name)
	}
}

// certificate reads a certificate file, with the parameters of key exchanges that may stand in it. A later one of a kind replaces
// an earlier one.
func (im *importer) certificate(s *settings, d *directive, value string) {
	if strings.Contains(value, "pkcs11:") {
		im.problem(d, "%s %s: the certificate is in no file; its kind is not known", d.written, value)
		return
	}
	name := im.name(value)
	data, err := document.ReadFile(im.fsys, name, certfile.MaxBytes)
	if err != nil {
		im.problem(d, "%s %s: %v; its kind is not known", d.written, name, err)
		return
	}
	leaf, err := certfile.Read(data)
	if errors.Is(err, certfile.ErrNone) {
		im.refuse(d, "%s %s: %v; httpd refuses it", d.written, name, err)
		return
	}
	if err != nil {
		im.problem(d, "%s %s: %v", d.written, name, err)
		return
	}
	if bits := openssl.DHBits(data); bits > 0 && s.context.DHBits == 0 {
		s.context.DHBits = bits
		s.facts = append(s.facts, imported.Fact{File: d.file, Line: d.line, Setting: "DH parameters", Value: fmt.Sprintf("%s (%d bits)", name, bits)})
	}
	if strings.Contains(string(data), "-----BEGIN EC PARAMETERS-----") {
		im.problem(d, "%s %s: the EC parameters in the file may narrow the groups", d.written, name)
	}
	s.context.Certificates = slices.DeleteFunc(s.context.Certificates, func(c openssl.Certificate) bool { return c.Type == leaf.Type })
	s.context.Certificates = append(s.context.Certificates, openssl.Certificate{Type: leaf.Type, Bits: leaf.Bits})
	s.facts = append(s.facts, imported.Fact{File: d.file, Line: d.line, Setting: "certificate", Value: name + " (" + string(leaf.Type) + ")"})
}

// serverSettings are the settings of a virtual host by itself.
func (im *importer) serverSettings(h *host) *settings {
	s := &settings{at: h.at, context: openssl.Context{Options: openssl.Options{Version: im.openssl}, DHAuto: true, ClientAuth: policy.ClientAuthNone}}
	im.protocols(s, h.scope, "SSLProtocol")
	im.ciphers(s, h.scope, "SSLCipherSuite")
	s.context.ServerPreference = im.flag(s, h.scope, "SSLHonorCipherOrder")
	for _, d := range h.scope.every("sslcertificatefile") {
		s.fact(d)
		im.certificate(s, d, d.arg(0))
	}
	if s.context.DHBits == 0 {
		s.standard("DH parameters", "of a size that fits the certificate", documentation+", SSLCertificateFile")
	}
	im.verifyClient(s, h)
	im.commands(s, h.scope)
	if d := h.scope.last("sslstrictsnivhostcheck"); d != nil {
		s.fact(d) // it refuses requests, not handshakes
	}
	return s
}

func (im *importer) verifyClient(s *settings, h *host) {
	d := h.scope.last("sslverifyclient")
	if d == nil {
		s.standard("SSLVerifyClient", "none", documentation)
		return
	}
	s.fact(d)
	switch strings.ToLower(d.arg(0)) {
	case "none", "off":
	case "optional", "optional_no_ca":
		s.context.ClientAuth = policy.ClientAuthRequest
	case "require", "on":
		s.context.ClientAuth = policy.ClientAuthRequire
	default:
		im.refuse(d, "%s is %q; httpd refuses it", d.written, d.arg(0))
	}
}

// report turns what OpenSSL makes of the settings into problems at the line of the setting it is about.
func (im *importer) report(s *settings, notes []string, errs []error) {
	for _, err := range errs {
		switch d := s.about(err); {
		case errors.Is(err, openssl.ErrSystemProfile):
			im.problem(d, "%v", err)
		case s.context.Refuses(err, im.openssl != ""):
			im.refuse(d, "%v; httpd refuses it", err)
		default:
			im.problem(d, "%v; httpd refuses it with an OpenSSL that does", err)
		}
	}
	for _, note := range notes {
		s.standard("security level", note, "OpenSSL, SSL_CTX_set_security_level(3)")
	}
}

func (s *settings) about(err error) *directive {
	for part, names := range map[string][]string{
		"cipher string": {"ciphersuite", "cipherstring"}, "ciphersuites": {"ciphersuite"}, "groups": {"groups", "curves"},
		"signature": {"signaturealgorithms"}, "Diffie": {"dhparameters", "certificatefile"}, "RSA key": {"certificatefile"},
	} {
		if !strings.Contains(err.Error(), part) {
			continue
		}
		for _, f := range slices.Backward(s.facts) {
			for _, name := range names {
				if f.Line > 0 && strings.Contains(strings.ToLower(f.Setting+" "+f.Value), name) {
					return &directive{file: f.File, line: f.Line}
				}
			}
		}
	}
	return s.at
}

// perName reports whether SSLProtocol is that of the virtual host that the client names.
func (im *importer) perName() bool { return release.AtLeast(im.version, "2.4.42") }

// unjudged are directives of mod_ssl that change nothing in how a handshake is negotiated.
var unjudged = []string{
	"sslcacertificatefile", "sslcacertificatepath", "sslcadnrequestfile", "sslcadnrequestpath", "sslcarevocationcheck", "sslcarevocationfile",
	"sslcarevocationpath", "sslcertificatechainfile", "sslcertificatefile", "sslcertificatekeyfile", "sslciphersuite", "sslcompression", "sslengine",
	"sslhonorcipherorder", "sslinsecurerenegotiation", "sslkeylogfile", "sslocspdefaultresponder", "sslocspenable", "sslocspnoverify",
	"sslocspoverrideresponder", "sslocspproxyurl", "sslocsprespondercertificatefile", "sslocsprespondertimeout", "sslocspresponsemaxage",
	"sslocspresponsetimeskew", "sslocspuserequestnonce", "sslopensslconfcmd", "ssloptions", "sslpassphrasedialog", "sslprotocol", "sslrandomseed",
	"sslrenegbuffersize", "sslrequire", "sslrequiressl", "sslsessioncache", "sslsessioncachetimeout", "sslsessionticketkeyfile", "sslsessiontickets",
	"sslstaplingcache", "sslstaplingerrorcachetimeout", "sslstaplingfaketrylater", "sslstaplingforceurl", "sslstaplingrespondertimeout",
	"sslstaplingresponsemaxage", "sslstaplingresponsetimeskew", "sslstaplingreturnrespondererrors", "sslstaplingstandardcachetimeout",
	"sslstrictsnivhostcheck", "sslusername", "sslusestapling", "sslverifyclient", "sslverifydepth", "sslvhostsnipolicy",
	"sslproxycacertificatefile", "sslproxycacertificatepath", "sslproxycarevocationcheck", "sslproxycarevocationfile", "sslproxycarevocationpath",
	"sslproxycheckpeercn", "sslproxycheckpeerexpire", "sslproxycheckpeername", "sslproxyciphersuite", "sslproxyengine",
	"sslproxymachinecertificatechainfile", "sslproxymachinecertificatefile", "sslproxymachinecertificatepath", "sslproxyprotocol",
	"sslproxyverify", "sslproxyverifydepth",
}

// besides are directives of mod_ssl whose part in a handshake no policy says.
var besides = []string{"sslcryptodevice", "sslfips", "sslsrpunknownuserseed", "sslsrpverifierfile"}

// flags are directives that are on or off, besides those that are read for their value.
var flags = []string{
	"sslcompression", "sslhonorcipherorder", "sslinsecurerenegotiation", "sslocspnoverify", "sslocspoverrideresponder", "sslocspuserequestnonce", "sslproxycheckpeercn",
	"sslproxycheckpeerexpire", "sslproxycheckpeername", "sslproxyengine", "sslsessiontickets", "sslstaplingfaketrylater", "sslstaplingreturnrespondererrors",
	"sslstrictsnivhostcheck", "sslusestapling",
}

func isFlag(d *directive) bool {
	return strings.EqualFold(d.arg(0), "on") || strings.EqualFold(d.arg(0), "off") || strings.Contains(d.arg(0), "${")
}

// serverOnly are directives that hold for a server as a whole.
var serverOnly = []string{"sslprotocol", "sslengine", "sslcertificatefile", "sslcertificatekeyfile", "sslopensslconfcmd", "sslhonorcipherorder", "sslcacertificatefile", "sslstrictsnivhostcheck"}

// perRequest reports whether a section is about requests rather than connections.
func perRequest(section string) bool {
	return slices.Contains([]string{"directory", "directorymatch", "location", "locationmatch", "files", "filesmatch", "if", "elseif", "else", "limit", "limitexcept"}, strings.ToLower(section))
}

// unknownDirective tells of a directive that begins like mod_ssl's. httpd refuses what no module knows: that is certain of a slip, and
// of a release whose directives are all known here.
func (im *importer) unknownDirective(d *directive) {
	near := spelling.Slip(d.name, slices.Values(unjudged))
	switch {
	case near != "":
		im.refuse(d, "%s is no directive of mod_ssl, and httpd refuses it; %s is the nearest name", d.written, near)
	case im.named && release.AtLeast(newest, im.version):
		im.refuse(d, "%s is no directive of mod_ssl; httpd %s refuses it", d.written, im.version)
	default:
		im.problem(d, "%s is not judged: what it does to a handshake is not in the policy", d.written)
	}
}

// authorities looks into a file of authorities. One that is not here may be there.
func (im *importer) authorities(d *directive) {
	data, err := document.ReadFile(im.fsys, im.name(d.arg(0)), certfile.MaxBytes)
	if err == nil && !bytes.Contains(data, []byte("-----BEGIN ")) {
		im.refuse(d, "%s %s: no certificate in it; httpd refuses it", d.written, d.arg(0))
	}
}

// proxySettings looks at what connections to backends are set to, where there are none to be told.
func (im *importer) proxySettings(sc *scope) {
	s := &settings{at: &directive{}, context: openssl.Context{Client: true, Options: openssl.Options{Version: im.openssl}}}
	for _, setting := range []string{"sslproxyprotocol", "sslproxyciphersuite"} {
		if own := sc.own(setting); own != nil {
			s.at = own[len(own)-1]
		}
	}
	if s.at.written == "" {
		return
	}
	im.protocols(s, sc, "SSLProxyProtocol")
	if engine := sc.last("sslproxyengine"); engine == nil || !strings.EqualFold(engine.arg(0), "on") {
		return
	}
	im.ciphers(s, sc, "SSLProxyCipherSuite")
	_, notes, errs := im.made.Policy(&s.context)
	im.report(s, notes, errs)
}

// unknown reports directives that look like mod_ssl's and are none that is judged, and those where they cannot be.
func (im *importer) unknown(body []*directive, inside string) {
	for _, d := range body {
		if strings.HasPrefix(d.name, "ssl") && !d.section {
			switch {
			case slices.Contains(besides, d.name):
				im.problem(d, "%s is not judged: what it does to a handshake is not in the policy", d.written)
			case !slices.Contains(unjudged, d.name):
				im.unknownDirective(d)
			case slices.Contains(flags, d.name) && !isFlag(d):
				im.refuse(d, "%s is %q, not on or off; httpd refuses it", d.written, d.arg(0))
			case d.name == "sslcacertificatefile" || d.name == "sslproxycacertificatefile":
				im.authorities(d)
			case perRequest(inside) && slices.Contains(serverOnly, d.name):
				im.refuse(d, "%s is not allowed inside <%s>; httpd refuses it", d.written, inside)
			case inside != "" && slices.Contains([]string{"sslciphersuite", "sslverifyclient", "sslprotocol", "sslcertificatefile", "sslengine", "sslopensslconfcmd", "sslhonorcipherorder"}, d.name):
				im.problem(d, "%s inside <%s> is not judged: it would take a second handshake", d.written, inside)
			}
		}
		if d.section {
			within := inside
			if d.name != "virtualhost" && d.name != "proxy" && d.name != "proxymatch" {
				within = d.written
			}
			im.unknown(d.body, within)
		}
	}
}
