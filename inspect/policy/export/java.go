package export

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/java"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// writeJava writes what SSLParameters can be told, and what takes properties of the whole program.
func writeJava(w *writer) error {
	nothing := ""
	all, err := java.Policy(java.Options{Release: w.o.Version, DisabledTLS: &nothing, DisabledCertPath: &nothing})
	if err != nil {
		return w.unsayable(oneLine(err.Error()))
	}
	m := w.means
	m.Versions = inside(w.p.Versions, wire.VersionTLS10, wire.VersionTLS13)
	for _, s := range w.p.CipherSuites {
		if slices.Contains(all.CipherSuites, s) && slices.ContainsFunc(m.Versions, func(v wire.Version) bool { info, _ := s.Info(); return v >= info.MinVersion && v <= info.MaxVersion }) {
			m.CipherSuites = append(m.CipherSuites, s)
		}
	}
	own := func(g wire.NamedGroup) bool { return slices.Contains(all.Groups, g) }
	m.Groups = slices.DeleteFunc(slices.Clone(w.p.Groups), func(g wire.NamedGroup) bool { return !own(g) })
	m.SignatureSchemes = slices.DeleteFunc(slices.Clone(w.p.SignatureSchemes), func(s wire.SignatureScheme) bool {
		return !slices.Contains(all.SignatureSchemes, s) || javaScheme(s) == ""
	})
	groups, schemes := len(m.Groups) > 0, len(m.SignatureSchemes) > 0
	if !groups {
		m.Groups = all.Groups
	}
	if !schemes {
		m.SignatureSchemes = all.SignatureSchemes
	}
	m.Preference, m.ClientAuth, m.Family = policy.PreferServer, w.p.ClientAuth, policy.FamilyJSSE
	if w.p.Preference == policy.PreferClient {
		m.Preference = policy.PreferClient
	}
	m.ALPN, m.ALPNRequired = slices.Clone(w.p.ALPN), len(w.p.ALPN) > 0
	if len(m.ALPN) == 0 {
		m.ALPN = nil
	}
	w.explainJava()
	disabled, err := w.javaDisabled(m)
	if err != nil {
		return err
	}
	if len(m.Versions) == 0 || len(m.CipherSuites) == 0 {
		return w.unsayable("Java has none of its versions with a suite")
	}
	w.javaParameters(m)
	command := "java"
	if groups {
		command += " -Djdk.tls.namedGroups=" + strings.Join(texts(m.Groups), ",")
	}
	if schemes {
		words, _ := spelled(m.SignatureSchemes, func(s wire.SignatureScheme) (string, bool) { return javaScheme(s), true })
		command += " -Djdk.tls.server.SignatureSchemes=" + strings.Join(words, ",")
	}
	if disabled != "" {
		w.note("the policy needs algorithms that Java disables: put the line jdk.tls.disabledAlgorithms=%s into tls.security", disabled)
		command += " -Djava.security.properties=tls.security"
	}
	w.run("%s -jar app.jar", command)
	return nil
}

// javaDisabled applies what Java disables, or where that takes away something of the policy a shorter list of it.
func (w *writer) javaDisabled(m *policy.Policy) (list string, err error) {
	o := java.Options{Release: w.o.Version}
	before := m.Clone()
	if err := java.Apply(m, o); err != nil {
		return "", w.unsayable(oneLine(err.Error()))
	}
	if slices.Equal(m.Versions, before.Versions) && slices.Equal(m.CipherSuites, before.CipherSuites) {
		return "", nil
	}
	list = "SSLv3, RC4, DES, MD5withRSA, DH keySize < 1024, EC keySize < 224, anon, NULL, ECDH"
	for _, v := range []wire.Version{wire.VersionTLS11, wire.VersionTLS10} {
		if !slices.Contains(w.p.Versions, v) {
			list = openSSLVersion(v) + ", " + list
		}
	}
	if !slices.ContainsFunc(w.p.CipherSuites, func(s wire.CipherSuite) bool { info, _ := s.Info(); return info.Encryption == "3DES" }) {
		list += ", 3DES_EDE_CBC"
	}
	o.DisabledTLS = &list
	*m = *before
	if err := java.Apply(m, o); err != nil {
		return "", w.unsayable(oneLine(err.Error()))
	}
	return list, nil
}

func (w *writer) explainJava() {
	w.why[LossVersions] = "Java has no suite for a version that goes"
	w.why[LossBlockedVersions] = "Java blocks no version that it speaks"
	w.why[LossSuites] = "Java does not have all of them"
	w.why[LossPreference] = "Java cannot put ChaCha20 first for clients that list it first"
	w.why[LossEqualPreference] = "Java has no groups of equal preference"
	w.why[LossGroups] = "Java does not have all of them"
	w.why[LossSchemes] = "Java does not have all of them"
	w.why[LossALPNRequired] = "Java ends the handshake without a protocol in common"
	w.why[LossNames] = "there are names that cannot be written here"
	w.why[LossSNIRequired] = "a matcher is not asked about clients without a name"
	w.why[LossDHParameters] = "Java makes parameters by itself"
}

func (w *writer) javaParameters(m *policy.Policy) {
	quotedList := func(words []string) string {
		for i, word := range words {
			words[i] = strconv.QuoteToASCII(word)
		}
		return strings.Join(words, ",\n    ")
	}
	versions, _ := spelled(m.Versions, func(v wire.Version) (string, bool) { return openSSLVersion(v), true })
	suites, _ := spelled(m.CipherSuites, func(s wire.CipherSuite) (string, bool) { return javaSuite(s), true })
	w.line("SSLParameters parameters = context.getDefaultSSLParameters();")
	w.line("parameters.setProtocols(new String[] {\n    %s});", quotedList(versions))
	w.line("parameters.setCipherSuites(new String[] {\n    %s});", quotedList(suites))
	w.line("parameters.setUseCipherSuitesOrder(%t);", m.Preference != policy.PreferClient)
	protocols := slices.DeleteFunc(slices.Clone(m.ALPN), func(p string) bool { return !plainToken(p) })
	if len(protocols) < len(m.ALPN) {
		w.why[LossALPN] = "there are protocols that cannot be written here"
	}
	if m.ALPN, m.ALPNRequired = protocols, len(protocols) > 0; len(protocols) > 0 {
		w.line("parameters.setApplicationProtocols(new String[] {\n    %s});", quotedList(slices.Clone(protocols)))
	} else {
		m.ALPN = nil
	}
	if w.p.Names != nil {
		w.javaNames(m)
	}
	switch w.p.ClientAuth {
	case policy.ClientAuthRequest:
		w.line("parameters.setWantClientAuth(true);")
	case policy.ClientAuthRequire:
		w.line("parameters.setNeedClientAuth(true);")
	}
	w.line("serverSocket.setSSLParameters(parameters);")
}

// javaNames writes a matcher, which Java asks about the whole name.
func (w *writer) javaNames(m *policy.Policy) {
	var patterns []string
	m.Names = []string{}
	for _, name := range w.p.Names {
		if !plainName(name) {
			continue
		}
		m.Names = append(m.Names, name)
		if rest, ok := strings.CutPrefix(name, "**."); ok {
			patterns = append(patterns, `.+\.`+regexp.QuoteMeta(rest))
		} else if rest, ok := strings.CutPrefix(name, "*."); ok {
			patterns = append(patterns, `[^.]+\.`+regexp.QuoteMeta(rest))
		} else {
			patterns = append(patterns, regexp.QuoteMeta(name))
		}
	}
	pattern := "(?!)"
	if len(patterns) > 0 {
		pattern = "(?i)(?:" + strings.Join(patterns, "|") + ")"
	}
	w.line("parameters.setSNIMatchers(java.util.List.of(SNIHostName.createSNIMatcher(%s)));", strconv.QuoteToASCII(pattern))
}

// javaSuite is Java's name of a suite, which has SSL_ in front where it is as old as SSLv3 and is not AES.
func javaSuite(s wire.CipherSuite) string {
	info, _ := s.Info()
	if info.Encryption == "3DES" && info.KeyExchange != "ECDHE" && info.KeyExchange != "ECDH" {
		return "SSL_" + strings.TrimPrefix(info.Name, "TLS_")
	}
	return info.Name
}

// javaScheme is Java's name of a signature scheme; empty: it is not sure to have one.
func javaScheme(s wire.SignatureScheme) string {
	switch s {
	case wire.SchemeECDSASHA224, wire.SchemeRSASHA224, wire.SchemeECDSASHA1, wire.SchemeRSAPKCS1SHA1,
		wire.SchemeECDSASecp256r1SHA256, wire.SchemeECDSASecp384r1SHA384, wire.SchemeECDSASecp521r1SHA512, wire.SchemeEd25519, wire.SchemeEd448,
		wire.SchemeRSAPSSRSAESHA256, wire.SchemeRSAPSSRSAESHA384, wire.SchemeRSAPSSRSAESHA512,
		wire.SchemeRSAPSSPSSSHA256, wire.SchemeRSAPSSPSSSHA384, wire.SchemeRSAPSSPSSSHA512,
		wire.SchemeRSAPKCS1SHA256, wire.SchemeRSAPKCS1SHA384, wire.SchemeRSAPKCS1SHA512:
		return s.String()
	}
	return ""
}
