package export

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

func writeTraefik(w *writer) error {
	c, err := w.goConfig(wire.VersionTLS10, "", every[wire.CipherSuite], every[wire.NamedGroup])
	if err != nil {
		return err
	}
	w.line("tls:")
	w.line("  options:")
	w.line("    default:")
	version := func(v wire.Version) string { return "VersionTLS1" + string(rune('0'+v-wire.VersionTLS10)) }
	w.line("      minVersion: %s", version(c.Min))
	if c.Max < wire.VersionTLS13 {
		w.line("      maxVersion: %s", version(c.Max))
	}
	list := func(key string, words []string) {
		if len(words) > 0 {
			w.line("      %s:", key)
			for _, word := range words {
				w.line("      - %q", word)
			}
		}
	}
	list("cipherSuites", texts(c.Suites))
	words, _ := spelled(c.Groups, func(g wire.NamedGroup) (string, bool) { return goCurve(g), true })
	list("curvePreferences", words)
	c.ALPN = tokens(c.ALPN)
	w.why[LossALPN] = "without protocols in its options Traefik has its own"
	if len(c.ALPN) < len(w.p.ALPN) {
		w.why[LossALPN] = "there are protocols that cannot be written in a configuration"
	}
	if list("alpnProtocols", c.ALPN); len(c.ALPN) == 0 {
		c.ALPN = []string{"h2", "http/1.1", "acme-tls/1"}
	}
	w.means = c.Policy()
	if w.p.ClientAuth != policy.ClientAuthNone {
		kind := "RequireAndVerifyClientCert"
		if w.p.ClientAuth == policy.ClientAuthRequest {
			kind = "VerifyClientCertIfGiven"
		}
		w.line("      clientAuth:")
		w.line("        caFiles: [/etc/traefik/tls/client-ca.crt]")
		w.line("        clientAuthType: %s", kind)
	}
	w.traefikNames()
	w.line("  certificates:")
	w.line("  - certFile: /etc/traefik/tls/server.crt")
	w.line("    keyFile: /etc/traefik/tls/server.key")
	w.note("Traefik watches the files of its file provider: it takes the change by itself")
	w.run("cp tls.yaml /etc/traefik/dynamic/tls.yaml")
	return nil
}

// traefikNames: with sniStrict Traefik answers for the names of its certificates alone.
func (w *writer) traefikNames() {
	names, mean := w.hosts(false)
	w.why[LossSNIRequired] = "sniStrict, which refuses names that no certificate has, refuses clients without one, too"
	switch {
	case len(names) > 0:
		w.line("      sniStrict: true")
		w.means.Names, w.means.SNIRequired = slices.Clone(mean), true
		w.note("the names served are those of the certificate, which has to be for %s", strings.Join(names, ", "))
	case w.p.Names != nil:
		w.why[LossNames] = "Traefik serves the names of its certificates, and at least one"
	}
}
