package diagnose

import (
	"crypto/tls"
	"slices"
	"strings"
	"sync"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

// whyUnservable says what in the client's hello Go's crypto/tls cannot serve, when that is what ended the client leg. Such a
// failure is this program's and neither the client's nor the policy's.
func (e *evidence) whyUnservable() string {
	if e.foreign() || !e.client.failed() || e.enforced() {
		return ""
	}
	why := beyondGo(e.client.hello, e.d.Own)
	if e.client.is(inspect.ErrorUnsupported) {
		return or(why, or(e.client.message(), "the TLS library here cannot do what this client needs"))
	}
	refused := e.client.is(inspect.ErrorNoCommonVersion, inspect.ErrorNoCommonCipher, inspect.ErrorNoCommonGroup,
		inspect.ErrorNoCommonSignature, inspect.ErrorAlertSent)
	if a := e.client.alert(inspect.FromServer); a != nil {
		refused = refused || a.Code == alertHandshakeFailure || a.Code == alertProtocolVersion || a.Code == alertIllegalParameter
	}
	if !refused {
		return ""
	}
	return why
}

// beyondGo compares a hello with what crypto/tls implements; empty when there is a common ground.
func beyondGo(h *inspect.Hello, own *policy.Policy) string {
	if len(h.SupportedVersions) == 0 {
		return ""
	}
	top := newest(h.SupportedVersions)
	if versionRank(top) != 0 && versionRank(top) < versionRank("TLSv1.0") {
		return "the client offers at most " + top + "; crypto/tls begins with TLSv1.0"
	}
	if h.Message != nil && h.Message.SSLv2 {
		return "the client sends its hello in SSLv2 format, which crypto/tls does not read"
	}
	if len(h.CompressionMethods) > 0 && !slices.ContainsFunc(h.CompressionMethods, nullCompression) {
		return "the client does not offer null compression, the only one that crypto/tls has"
	}
	suites := offered(h, "cipher")
	known := goSuites()
	if len(suites) > 0 && !slices.ContainsFunc(suites, func(s string) bool { return known[s] }) {
		return "crypto/tls implements none of the client's suites (" + enumerate(suites) + ")"
	}
	served := func(s string) bool { return known[s] }
	if own != nil {
		listed := names(own.CipherSuites)
		served = func(s string) bool { return slices.Contains(listed, s) }
	}
	ecdheOnly := !slices.ContainsFunc(suites, func(s string) bool { return served(s) && strings.HasPrefix(s, "TLS_RSA_") })
	if len(h.SupportedGroups) > 0 && ecdheOnly && !slices.ContainsFunc(h.SupportedGroups, goGroup) {
		return "crypto/tls implements none of the client's groups (" + enumerate(h.SupportedGroups) + ")"
	}
	return ""
}

func nullCompression(m string) bool {
	switch strings.ToLower(m) {
	case "null", "none", "0", "0x00", "0x0":
		return true
	}
	return false
}

// goSuites are the suites of crypto/tls by IANA name, which are the names that it uses itself.
var goSuites = sync.OnceValue(func() map[string]bool {
	m := map[string]bool{}
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		m[s.Name] = true
	}
	return m
})

func goGroup(name string) bool {
	switch name {
	case "secp256r1", "secp384r1", "secp521r1", "x25519", "X25519", "X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024":
		return true
	}
	return false
}
