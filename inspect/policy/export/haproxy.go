package export

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/release"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

func writeHAProxy(w *writer) error {
	if w.o.Version != "" && !release.Known(w.o.Version) {
		return w.unsayable("there is no version " + oneLine(w.o.Version))
	}
	d := dialect{release: w.o.OpenSSL, level: 2, range13: true, alwaysChaCha: true, dhSized: true, noSchemes: !release.AtLeast(w.o.Version, "2.8")}
	d.dh = !release.AtLeast(w.o.Version, "2.6") // made up without asking
	s, err := w.openSSL(d)
	if err != nil {
		return err
	}
	w.means = s.means
	w.means.CertificateFirst, w.means.CertificateBy12 = true, release.HAProxyCertificateBy12(w.o.Version)
	if s.ciphers+s.suites != "" || s.dhBits > 0 {
		w.line("global")
		if s.ciphers != "" {
			w.line("    ssl-default-bind-ciphers %s", s.ciphers)
		}
		if s.suites != "" {
			w.line("    ssl-default-bind-ciphersuites %s", s.suites)
		}
		if s.dhBits > 0 {
			w.line("    tune.ssl.default-dh-param %d", s.dhBits)
		}
		w.line("")
	}
	http := len(w.p.ALPN) > 0 && !slices.ContainsFunc(w.p.ALPN, func(p string) bool { return p != "h2" && !strings.HasPrefix(p, "http/1.") })
	mode := "tcp"
	if http {
		mode = "http"
	}
	w.line("defaults")
	w.line("    mode %s", mode)
	w.line("    timeout connect 5s")
	w.line("    timeout client 1m")
	w.line("    timeout server 1m")
	w.line("")
	w.line("frontend tls")
	w.line("    bind :443 ssl crt /etc/haproxy/tls/server.pem%s", w.bindWords(s))
	w.line("    default_backend app")
	w.line("")
	w.line("backend app")
	w.line("    server app1 127.0.0.1:8080")
	w.run("haproxy -c -f /etc/haproxy/haproxy.cfg && systemctl reload haproxy")
	return nil
}

// bindWords are the settings of the bind line. What it serves under which name is the certificate's matter.
func (w *writer) bindWords(s *settings) string {
	var words []string
	add := func(more ...string) { words = append(words, more...) }
	version := func(v wire.Version) string {
		if v == wire.VersionTLS10 {
			return "TLSv1.0"
		}
		return v.String()
	}
	add("ssl-min-ver", version(slices.Min(s.context.Versions)))
	if high := slices.Max(s.context.Versions); high < wire.VersionTLS13 {
		add("ssl-max-ver", version(high))
	}
	if !s.context.ServerPreference {
		add("prefer-client-ciphers")
	}
	if s.groups != "" {
		add("curves", s.groups)
	}
	if s.schemes != "" {
		add("sigalgs", s.schemes)
	}
	protocols := slices.DeleteFunc(tokens(w.p.ALPN), func(p string) bool { return strings.Contains(p, ",") })
	if len(protocols) < len(w.p.ALPN) {
		w.why[LossALPN] = "there are protocols that cannot be written in a configuration"
	}
	w.why[LossALPNRequired] = "HAProxy goes on without a protocol in common"
	if len(protocols) > 0 {
		add("alpn", strings.Join(protocols, ","))
		w.means.ALPN = protocols
	}
	switch w.p.ClientAuth {
	case policy.ClientAuthRequest:
		add("verify", "optional", "ca-file", "/etc/haproxy/tls/client-ca.pem")
	case policy.ClientAuthRequire:
		add("verify", "required", "ca-file", "/etc/haproxy/tls/client-ca.pem")
	}
	names, mean := w.hosts(false)
	w.why[LossSNIRequired] = "strict-sni, which refuses names that no certificate has, refuses clients without one, too, and nothing else does"
	switch {
	case len(names) > 0:
		add("strict-sni")
		w.means.Names, w.means.SNIRequired = mean, true
		w.note("the names served are those of the certificate, which has to be for %s", strings.Join(names, ", "))
	case w.p.Names != nil:
		w.why[LossNames] = "HAProxy serves the names of its certificates, and at least one"
	}
	return " " + strings.Join(words, " ")
}
