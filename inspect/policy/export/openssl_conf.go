package export

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// writeOpenSSL writes the section that every SSL_CTX of a program begins with (config(5), SSL_CONF_cmd(3)).
func writeOpenSSL(w *writer) error {
	s, err := w.openSSL(dialect{release: w.o.OpenSSL, level: 2, dh: !w.p.NoDHParameters})
	if err != nil {
		return err
	}
	w.means = s.means
	w.line("openssl_conf = init")
	w.line("")
	w.line("[init]")
	w.line("ssl_conf = ssl")
	w.line("")
	w.line("[ssl]")
	w.line("system_default = policy")
	w.line("")
	w.line("[policy]")
	set := func(command, value string) {
		if value != "" {
			w.line("%s = %s", command, value)
		}
	}
	low, high := slices.Min(s.context.Versions), slices.Max(s.context.Versions)
	set("MinProtocol", openSSLVersion(low))
	set("MaxProtocol", openSSLVersion(high))
	for v := low; v < high; v++ {
		if !slices.Contains(s.context.Versions, v) {
			set("Protocol", "-"+openSSLVersion(v))
		}
	}
	set("CipherString", s.ciphers)
	set("Ciphersuites", s.suites)
	set("Groups", s.groups)
	set("SignatureAlgorithms", s.schemes)
	switch {
	case s.context.PrioritizeChaCha:
		set("Options", "ServerPreference,PrioritizeChaCha")
	case s.context.ServerPreference:
		set("Options", "ServerPreference")
	default:
		set("Options", "-ServerPreference")
	}
	command := "OPENSSL_CONF=policy.cnf openssl s_server -accept 443 -cert server.crt -key server.key"
	switch w.p.ClientAuth {
	case policy.ClientAuthRequest:
		set("VerifyMode", "Request")
		command += " -verify 5 -CAfile client-ca.crt"
	case policy.ClientAuthRequire:
		set("VerifyMode", "Request,Require")
		command += " -Verify 5 -CAfile client-ca.crt"
	}
	if protocols := slices.DeleteFunc(tokens(w.p.ALPN), func(p string) bool { return strings.Contains(p, ",") }); len(protocols) > 0 {
		command += " -alpn " + strings.Join(protocols, ",")
	}
	if w.p.NoDHParameters && slices.ContainsFunc(s.means.CipherSuites, func(c wire.CipherSuite) bool { return isDHE(c) }) {
		command += " -no_dhe"
	}
	const program = "it is the program's matter, not the library's"
	w.why[LossALPN], w.why[LossALPNRequired], w.why[LossNames], w.why[LossSNIRequired] = program, program, program, program
	w.run("%s", command)
	return nil
}
