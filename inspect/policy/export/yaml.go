package export

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// maxItems is how many items one list of a policy file may have.
const maxItems = 1000

// writeYAML writes a policy file, which says all that a policy says.
func writeYAML(w *writer) error {
	m := w.p.Clone()
	w.means = m
	w.why[LossBlockedVersions] = "a policy file has versions from SSLv3 to TLS 1.3"
	m.BlockedVersions = inside(m.BlockedVersions, wire.VersionSSLv3, wire.VersionTLS13)
	m.Versions = inside(m.Versions, wire.VersionSSLv3, wire.VersionTLS13)
	if len(m.Versions) == 0 {
		return w.unsayable("it has versions from SSLv3 to TLS 1.3")
	}
	if w.p.Name != "" {
		w.line("name: %s", quoteYAML(w.p.Name))
	}
	w.line("versions: [%s]", strings.Join(texts(m.Versions), ", "))
	if err := w.yamlCiphers(m); err != nil {
		return err
	}
	w.line("cipher_preference: %s", m.Preference)
	if m.PreferenceTLS13 != policy.PreferenceUnknown {
		w.line("cipher_preference_tls13: %s", m.PreferenceTLS13)
	}
	m.Groups = yamlCodes(w, "groups", m.Groups, wire.NamedGroupByName)
	m.SignatureSchemes = yamlCodes(w, "signature_algorithms", m.SignatureSchemes, wire.SignatureSchemeByName)
	if len(m.Certificates) > 0 && !slices.ContainsFunc(m.Certificates, func(t policy.CertificateType) bool { return !plainToken(string(t)) }) {
		words, _ := spelled(m.Certificates, func(t policy.CertificateType) (string, bool) { return string(t), true })
		w.line("certificates: [%s]", strings.Join(words, ", "))
	}
	if m.NoDHParameters {
		w.line("dh_parameters: false")
	}
	w.why[LossALPN], w.why[LossNames] = "there are protocols that cannot be written", "there are names that cannot be written"
	m.ALPN = w.yamlTexts("alpn", m.ALPN)
	if m.ALPNRequired {
		w.line("alpn_required: true")
	}
	if m.ALPNOtherwise != "" {
		w.line("alpn_otherwise: %s", quoteYAML(m.ALPNOtherwise))
	}
	m.Names = w.yamlTexts("server_names", m.Names)
	if m.SNIRequired {
		w.line("sni_required: true")
	}
	w.line("client_auth: %s", m.ClientAuth)
	switch m.Family {
	case policy.FamilyS2N, policy.FamilyOpenSSL, policy.FamilyBoringSSL, policy.FamilyGo, policy.FamilyGnuTLS, policy.FamilySchannel, policy.FamilyJSSE:
		w.line("family: %s", m.Family)
	}
	w.yamlHabits(m)
	w.run("tlstriage policy show policy.yaml")
	return nil
}

// yamlHabits writes what few policies have.
func (w *writer) yamlHabits(m *policy.Policy) {
	if m.GoRelease > 0 {
		w.line("go_release: \"1.%d\"", m.GoRelease)
	}
	if len(m.BlockedVersions) > 0 {
		w.line("blocked_versions: [%s]", strings.Join(texts(m.BlockedVersions), ", "))
	}
	alert := func(key string, a wire.AlertDescription) {
		if code, ok := wire.AlertByName(a.String()); ok && code == a && a != 0 {
			w.line("%s: %s", key, a)
		}
	}
	alert("old_version_alert", m.OldVersionAlert)
	if m.NameSilent {
		w.line("name_alert: none")
	} else {
		alert("name_alert", m.NameAlert)
	}
	switch {
	case m.CertificateBy12:
		w.line("certificate_first: by-tls12")
	case m.CertificateFirst:
		w.line("certificate_first: true")
	}
	if m.SecurityLevel > 0 && m.SecurityLevel <= 5 {
		w.line("security_level: %d", m.SecurityLevel)
	}
}

// yamlCiphers writes the suites, those of equal preference in a list of their own where they stand side by side.
func (w *writer) yamlCiphers(m *policy.Policy) error {
	w.why[LossSuites] = "a policy file has TLS 1.3 with at least one of its suites, and no more than 1000"
	w.why[LossEqualPreference] = "suites of equal preference stand side by side in a policy file"
	named := slices.DeleteFunc(slices.Clone(m.CipherSuites), func(s wire.CipherSuite) bool {
		code, ok := wire.CipherSuiteByName(s.String())
		return !ok || code != s
	})
	named = named[:min(len(named), maxItems)]
	if len(named) == 0 {
		return w.unsayable("none of its suites has a name")
	}
	var equal [][]wire.CipherSuite
	w.line("ciphers:")
	for i := 0; i < len(named); {
		n := 1
		for _, group := range m.EqualPreference {
			if len(group) > n && i+len(group) <= len(named) && slices.Equal(named[i:i+len(group)], group) {
				n = len(group)
			}
		}
		if n == 1 {
			w.line("  - %s", named[i])
		} else {
			w.line("  - [%s]", strings.Join(texts(named[i:i+n]), ", "))
			equal = append(equal, named[i:i+n])
		}
		i += n
	}
	m.CipherSuites, m.EqualPreference = named, equal
	if slices.Contains(m.Versions, wire.VersionTLS13) && len(from13(named)) == 0 {
		m.CipherSuites = slices.Concat([]wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256}, named)
	}
	return nil
}

// yamlCodes writes a list of code points; nil is left out.
func yamlCodes[T interface {
	comparable
	String() string
}](w *writer, key string, list []T, byName func(string) (T, bool)) []T {
	if list == nil {
		return nil
	}
	words, have := spelled(list[:min(len(list), maxItems)], func(v T) (string, bool) {
		code, ok := byName(v.String())
		return v.String(), ok && code == v
	})
	w.line("%s: [%s]", key, strings.Join(words, ", "))
	if have == nil {
		return []T{}
	}
	return have
}

// yamlTexts writes a list of texts; nil is left out.
func (w *writer) yamlTexts(key string, list []string) []string {
	if list == nil {
		return nil
	}
	have := []string{}
	var words []string
	for _, s := range list {
		if s == "" || len(s) > 255 || !utf8.ValidString(s) || len(have) == maxItems {
			continue
		}
		have, words = append(have, s), append(words, quoteYAML(s))
	}
	w.line("%s: [%s]", key, strings.Join(words, ", "))
	return have
}

// quoteYAML is a double-quoted scalar: what Go escapes, YAML reads.
func quoteYAML(s string) string { return strconv.QuoteToASCII(strings.ToValidUTF8(s, "?")) }
