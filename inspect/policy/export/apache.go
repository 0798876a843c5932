package export

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
)

func writeApache(w *writer) error {
	s, err := w.openSSL(dialect{release: w.o.OpenSSL, level: 2, range13: true, dh: true, excluded: ":!aNULL:!eNULL:!EXP"})
	if err != nil {
		return err
	}
	w.means = s.means
	w.line("<VirtualHost *:443>")
	set := func(directive, value string) {
		if value != "" {
			w.line("    %s %s", directive, value)
		}
	}
	names, _ := w.hosts(true)
	for i, name := range names {
		if i == 0 && !strings.HasPrefix(name, "*.") {
			set("ServerName", name)
		} else {
			set("ServerAlias", name)
		}
	}
	w.why[LossNames] = "the first virtual host of an address answers every name that no other one has"
	w.why[LossSNIRequired] = "the first virtual host of an address answers clients without a name"
	w.apacheALPN(set)
	set("SSLEngine", "on")
	set("SSLCertificateFile", "/etc/apache2/tls/server.crt")
	set("SSLCertificateKeyFile", "/etc/apache2/tls/server.key")
	versions := "-all"
	for _, v := range s.context.Versions {
		versions += " +" + openSSLVersion(v)
	}
	set("SSLProtocol", versions)
	set("SSLCipherSuite", s.ciphers)
	if s.suites != "" {
		set("SSLCipherSuite TLSv1.3", s.suites)
	}
	if s.context.ServerPreference {
		set("SSLHonorCipherOrder", "on")
	} else {
		set("SSLHonorCipherOrder", "off")
	}
	if s.context.PrioritizeChaCha {
		set("SSLOpenSSLConfCmd Options", "PrioritizeChaCha")
	}
	if s.groups != "" {
		set("SSLOpenSSLConfCmd Groups", s.groups)
	}
	if s.schemes != "" {
		set("SSLOpenSSLConfCmd SignatureAlgorithms", s.schemes)
	}
	switch w.p.ClientAuth {
	case policy.ClientAuthRequest:
		set("SSLVerifyClient", "optional")
		set("SSLCACertificateFile", "/etc/apache2/tls/client-ca.crt")
	case policy.ClientAuthRequire:
		set("SSLVerifyClient", "require")
		set("SSLCACertificateFile", "/etc/apache2/tls/client-ca.crt")
	}
	w.line("</VirtualHost>")
	w.run("apachectl configtest && apachectl graceful")
	return nil
}

// apacheALPN: httpd negotiates the protocols that its modules bring.
func (w *writer) apacheALPN(set func(directive, value string)) {
	protocols := slices.DeleteFunc(slices.Clone(w.p.ALPN), func(p string) bool { return p != "h2" && p != "http/1.1" })
	if len(protocols) > 0 {
		set("Protocols", strings.Join(protocols, " "))
	} else {
		protocols = []string{"http/1.1"}
	}
	w.means.ALPN, w.means.ALPNOtherwise = protocols, "http/1.1"
	w.why[LossALPN] = "httpd negotiates h2 and http/1.1"
	w.why[LossALPNRequired] = "httpd goes on without a protocol in common"
}
