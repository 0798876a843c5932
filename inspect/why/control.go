package why

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// control is a hello that may work, to begin the walk with.
type control struct {
	change string
	trial  trial
}

// host is what the target is called, for a Host header and a dialogue.
func (r *run) host() string {
	if len(r.Names) > 0 {
		return r.Names[0]
	}
	host, _, err := net.SplitHostPort(r.Target.Address)
	if err != nil {
		return r.Target.Address
	}
	return host
}

// isAddress reports whether a host is an address, with a zone perhaps, which is no server name (RFC 6066, Section 3).
func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// unknownName is asked for when no name is known: an endpoint that wants any name takes it (RFC 2606).
const unknownName = "www.example.com"

// names are the server names to try beside the hello's own, the likeliest first.
func (r *run) names() []string {
	own := r.failing.hello.ServerName()
	var names []string
	add := func(name string) {
		name = strings.TrimSuffix(name, ".")
		if name != "" && name != own && !isAddress(name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	add(strings.ToLower(own))
	for _, name := range r.Names {
		add(name)
	}
	add(r.host())
	add(unknownName)
	return names
}

// atOnce is how many hellos are sent at the same time to an endpoint that is silent, so that waiting does not take all the time.
const atOnce = 6

// findControl looks for a hello that works: first near the one in question, with one thing around it changed, then ever plainer
// and older ones.
func (r *run) findControl(all []control) bool {
	silent := r.failure.x.Outcome == probe.OutcomeTimeout
	for len(all) > 0 {
		n := 1
		if silent {
			n = min(atOnce, len(all), max(r.left(), 1))
		}
		answers := r.sendAll(all[:n])
		for i, a := range answers {
			if a.works && r.cutting && len(a.x.Answer) == 0 { // it was only not cut in time, perhaps
				a = r.send(all[i].change+", again", all[i].trial)
			}
			if a.works {
				r.working, r.accepted = all[i].trial, a
				r.client.Timeouts.Answer = min(r.client.Timeouts.Answer, max(shortAnswer, 20*a.x.Took))
				return true
			}
		}
		if len(answers) < n {
			return false
		}
		all = all[n:]
	}
	return false
}

// sendAll makes several connections at the same time. It gives fewer answers when there are not enough connections left.
func (r *run) sendAll(all []control) []answer {
	if len(all) == 1 {
		if a := r.send(all[0].change, all[0].trial); a.x != nil {
			return []answer{a}
		}
		return nil
	}
	if left := r.left(); len(all) > left {
		all, r.result.Exhausted = all[:max(left, 0)], true
	}
	answers := make([]answer, len(all))
	var wait sync.WaitGroup
	for i, c := range all {
		wait.Go(func() {
			answers[i] = r.exchange(c.trial, probe.Options{Until: probe.UntilFinished, Certificate: r.Certificate})
		})
	}
	wait.Wait()
	for i, a := range answers {
		r.note(all[i].change, all[i].trial, a)
	}
	return answers
}

// controls are the hellos to try, as many as there may be.
func (r *run) controls() []control {
	if r.Target.QUIC {
		return r.controlsOverQUIC()
	}
	f := r.failing
	own := f.hello.ServerName()
	var all []control
	add := func(change string, h *probe.Hello, proxy *probe.ProxyHeader) {
		all = append(all, control{change, trial{h, proxy}})
	}
	with := func(edit func(*probe.Hello)) *probe.Hello {
		h := f.hello.Clone()
		edit(h)
		return h
	}
	if !f.hello.SSLv2 {
		if own != "" {
			add("without a server name", with(func(h *probe.Hello) { h.SetServerName("") }), f.proxy)
		}
		for _, name := range r.names() {
			add("server name "+name, with(func(h *probe.Hello) { h.SetServerName(name) }), f.proxy)
		}
	}
	add("a plain hello of many versions and suites", broad(own), f.proxy)
	if f.proxy == nil {
		add("behind a PROXY protocol header, version 1", f.hello, &probe.ProxyHeader{Version: 1})
		add("behind a PROXY protocol header, version 2", f.hello, &probe.ProxyHeader{Version: 2})
	} else {
		add("without the PROXY protocol header", f.hello, nil)
		add("a plain hello without the PROXY protocol header", broad(own), nil)
	}
	if !f.hello.SSLv2 {
		other := wire.VersionTLS12
		if f.hello.RecordVersion == other {
			other = wire.VersionTLS10
		}
		add("with "+other.String()+" in the record's header", with(func(h *probe.Hello) { h.RecordVersion = other }), f.proxy)
		if len(f.hello.Fresh().SessionID) > 0 {
			add("without a session id", with(func(h *probe.Hello) { h.SessionID = nil }), f.proxy)
		}
	}
	add("a small hello of TLS 1.2", small12(own), f.proxy)
	add("a small hello of TLS 1.3", small13(own), f.proxy)
	padded := broad(own)
	padded.Pad(512)
	add("a plain hello padded to 512 bytes", padded, f.proxy)
	shared := broad(own)
	shared.SetKeyShares(commonShares()...)
	add("a plain hello with more key shares", shared, f.proxy)
	for _, name := range r.names() {
		add("a plain hello of many versions and suites, server name "+name, broad(name), f.proxy)
	}
	if own != "" {
		add("a plain hello of many versions and suites, without a server name", broad(""), f.proxy)
	}
	add("a plain hello of TLS 1.2", broad12(own), f.proxy)
	add("a narrow hello", narrow(own), f.proxy)
	add("a plain hello without post-quantum groups", withoutHybrids(broad(own)), f.proxy)
	add("a plain hello with ALPN", withALPN(broad(own)), f.proxy)
	// Two remedies at once, with as little as possible that could be refused.
	for _, name := range r.likelyNames() {
		add("an ordinary hello with ALPN, "+nameOrNone(name), ordinary(name), f.proxy)
		add("a narrow hello with ALPN, "+nameOrNone(name), withALPN(narrow(name)), f.proxy)
	}
	if f.proxy == nil {
		add("a plain hello behind a PROXY protocol header, version 1", broad(own), &probe.ProxyHeader{Version: 1})
		add("a plain hello behind a PROXY protocol header, version 2", broad(own), &probe.ProxyHeader{Version: 2})
		for _, name := range r.names() {
			add("a plain hello behind a PROXY protocol header, server name "+name, broad(name), &probe.ProxyHeader{Version: 1})
		}
	}
	other := broad(own)
	other.RecordVersion = wire.VersionTLS12
	add("a plain hello with "+other.RecordVersion.String()+" in the record's header", other, f.proxy)
	add("a hello of TLS 1.2 without extensions", bare(wire.VersionTLS12), f.proxy)
	add("a hello of TLS 1.0 without extensions", bare(wire.VersionTLS10), f.proxy)
	add("a hello with every suite, group and scheme there is", everything(own), f.proxy)
	add("a hello of SSLv3", bare(wire.VersionSSLv3), f.proxy)
	return all
}

// fewControls are plain hellos, for an endpoint that most likely takes none. What is answered in words may be the PROXY protocol header.
func (r *run) fewControls() []control {
	own := r.failing.hello.ServerName()
	var all []control
	if r.failing.proxy != nil {
		all = append(all, control{"without the PROXY protocol header", trial{r.failing.hello, nil}}, control{"a plain hello without the PROXY protocol header", trial{broad(own), nil}})
	}
	for _, c := range []struct {
		change string
		hello  *probe.Hello
	}{
		{"a plain hello of many versions and suites", broad(own)}, {"a small hello of TLS 1.2", small12(own)}, {"a small hello of TLS 1.3 without a server name", small13("")},
		{"a hello of TLS 1.2 without extensions", bare(wire.VersionTLS12)},
	} {
		all = append(all, control{c.change, trial{c.hello, r.failing.proxy}})
	}
	return all
}

// broad offers what servers of the last twenty years want, in few bytes.
func broad(name string) *probe.Hello {
	return probe.Offer{
		ServerName: name, Versions: []wire.Version{wire.VersionTLS13, wire.VersionTLS12, wire.VersionTLS11, wire.VersionTLS10},
		CipherSuites: broadSuites(), Groups: broadGroups(), KeyShares: []wire.NamedGroup{wire.GroupX25519}, SignatureSchemes: broadSchemes(),
	}.Hello()
}

func broadSuites() []wire.CipherSuite {
	return []wire.CipherSuite{
		wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256, wire.TLS_AES_128_CCM_SHA256, wire.TLS_AES_128_CCM_8_SHA256,
		wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, wire.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		wire.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, wire.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, wire.TLS_DHE_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_DHE_RSA_WITH_AES_256_GCM_SHA384,
		wire.TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256, wire.TLS_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_RSA_WITH_AES_256_GCM_SHA384,
		wire.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256, wire.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384, wire.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384,
		wire.TLS_RSA_WITH_AES_128_CBC_SHA256, wire.TLS_RSA_WITH_AES_256_CBC_SHA256, wire.TLS_DHE_RSA_WITH_AES_128_CBC_SHA256, wire.TLS_DHE_RSA_WITH_AES_256_CBC_SHA256,
		wire.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, wire.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, wire.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, wire.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
		wire.TLS_DHE_RSA_WITH_AES_128_CBC_SHA, wire.TLS_DHE_RSA_WITH_AES_256_CBC_SHA, wire.TLS_RSA_WITH_AES_128_CBC_SHA, wire.TLS_RSA_WITH_AES_256_CBC_SHA,
		wire.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA, wire.TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA, wire.TLS_RSA_WITH_3DES_EDE_CBC_SHA, wire.TLS_RSA_WITH_RC4_128_SHA, wire.TLS_RSA_WITH_RC4_128_MD5,
		wire.TLS_RSA_WITH_AES_128_CCM, wire.TLS_RSA_WITH_CAMELLIA_128_CBC_SHA, wire.TLS_RSA_WITH_CAMELLIA_256_CBC_SHA,
	}
}

func broadGroups() []wire.NamedGroup {
	return []wire.NamedGroup{
		wire.GroupX25519, wire.GroupSecp256r1, wire.GroupSecp384r1, wire.GroupSecp521r1, wire.GroupX448, wire.GroupX25519MLKEM768, wire.GroupSecP256r1MLKEM768,
		wire.GroupSecP384r1MLKEM1024, wire.GroupFfdhe2048, wire.GroupFfdhe3072, wire.GroupFfdhe4096, wire.GroupFfdhe6144, wire.GroupFfdhe8192, wire.GroupBrainpoolP256r1tls13, wire.GroupBrainpoolP384r1tls13,
		wire.GroupBrainpoolP512r1tls13, wire.GroupSecp256k1, wire.GroupBrainpoolP256r1,
	}
}

func broadSchemes() []wire.SignatureScheme {
	return []wire.SignatureScheme{
		wire.SchemeECDSASecp256r1SHA256, wire.SchemeECDSASecp384r1SHA384, wire.SchemeECDSASecp521r1SHA512, wire.SchemeEd25519, wire.SchemeEd448,
		wire.SchemeRSAPSSRSAESHA256, wire.SchemeRSAPSSRSAESHA384, wire.SchemeRSAPSSRSAESHA512, wire.SchemeRSAPSSPSSSHA256, wire.SchemeRSAPSSPSSSHA384, wire.SchemeRSAPSSPSSSHA512,
		wire.SchemeRSAPKCS1SHA256, wire.SchemeRSAPKCS1SHA384, wire.SchemeRSAPKCS1SHA512, wire.SchemeRSASHA224, wire.SchemeECDSASHA1, wire.SchemeRSAPKCS1SHA1,
	}
}

// broad12 is the same in TLS 1.2, for an endpoint that cannot go on with what it chooses in TLS 1.3, and in which no group is a hybrid.
func broad12(name string) *probe.Hello {
	return withoutHybrids(probe.Offer{
		ServerName: name, Versions: []wire.Version{wire.VersionTLS12}, CipherSuites: slices.DeleteFunc(broadSuites(), func(s wire.CipherSuite) bool { return !usable(s, wire.VersionTLS12) }),
		Groups: broadGroups(), SignatureSchemes: broadSchemes(),
	}.Hello())
}

// withoutHybrids takes the post-quantum groups out of a hello that has no key shares of them.
func withoutHybrids(h *probe.Hello) *probe.Hello {
	h.SetGroups(slices.DeleteFunc(h.Groups(), func(g wire.NamedGroup) bool { info, _ := g.Info(); return info.PostQuantum })...)
	return h
}

// small12 and small13 are as small as a hello that modern servers take can be.
func small12(name string) *probe.Hello {
	return probe.Offer{
		ServerName: name, Versions: []wire.Version{wire.VersionTLS12}, Bare: true, Groups: []wire.NamedGroup{wire.GroupX25519, wire.GroupSecp256r1, wire.GroupSecp384r1},
		CipherSuites: []wire.CipherSuite{
			wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			wire.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, wire.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, wire.TLS_RSA_WITH_AES_128_CBC_SHA,
		},
		SignatureSchemes: []wire.SignatureScheme{
			wire.SchemeECDSASecp256r1SHA256, wire.SchemeECDSASecp384r1SHA384, wire.SchemeRSAPSSRSAESHA256, wire.SchemeRSAPKCS1SHA256,
		},
	}.Hello()
}

func small13(name string) *probe.Hello {
	h := probe.Offer{
		ServerName: name, Versions: []wire.Version{wire.VersionTLS13}, Bare: true, Groups: []wire.NamedGroup{wire.GroupX25519, wire.GroupSecp256r1, wire.GroupSecp384r1},
		SignatureSchemes: []wire.SignatureScheme{wire.SchemeECDSASecp256r1SHA256, wire.SchemeECDSASecp384r1SHA384, wire.SchemeRSAPSSRSAESHA256, wire.SchemeEd25519},
	}.Hello()
	h.SessionID = nil
	return h
}

// likelyNames are the hello's own name, or else the likeliest one, and one that was told.
func (r *run) likelyNames() []string {
	names := r.names()
	names = names[:min(len(names), 1)]
	if own := r.failing.hello.ServerName(); own != "" {
		names = append([]string{own}, names...)
	}
	return names
}

// ordinary is what most clients of today can do, and nothing else.
func ordinary(name string) *probe.Hello {
	h := broad(name)
	h.SetVersions(wire.VersionTLS13, wire.VersionTLS12)
	h.CipherSuites = slices.DeleteFunc(h.CipherSuites, func(s wire.CipherSuite) bool {
		info, _ := s.Info()
		return info.Encryption == "3DES_EDE_CBC" || info.Encryption == "RC4_128" || usable(s, wire.VersionTLS10)
	})
	h.SetGroups(wire.GroupX25519, wire.GroupSecp256r1, wire.GroupSecp384r1)
	h.SetKeyShares(wire.GroupX25519)
	return withALPN(h)
}

// narrow has one group, and one suite of each kind.
func narrow(name string) *probe.Hello {
	return probe.Offer{
		ServerName: name, Versions: []wire.Version{wire.VersionTLS13, wire.VersionTLS12}, CipherSuites: append(fewSuitesOf(wire.VersionTLS13), fewSuitesOf(wire.VersionTLS12)...),
		Groups: []wire.NamedGroup{wire.GroupSecp256r1}, KeyShares: []wire.NamedGroup{wire.GroupSecp256r1}, SignatureSchemes: broadSchemes(),
	}.Hello()
}

func withALPN(h *probe.Hello) *probe.Hello {
	h.SetALPN("h2", "http/1.1")
	return h
}

// bare has no extensions at all.
func bare(version wire.Version) *probe.Hello {
	suites := slices.DeleteFunc(broadSuites(), func(s wire.CipherSuite) bool { return !usable(s, version) })
	h := probe.Offer{Versions: []wire.Version{version}, CipherSuites: suites, Bare: true}.Hello()
	h.RemoveExtensions()
	return h
}

// everything offers all that the registries have, for an endpoint that wants something that nobody else does.
func everything(name string) *probe.Hello {
	suites := registeredSuites()
	groups := broadGroups()
	for g := range 0x10000 {
		group := wire.NamedGroup(g)
		if info, ok := group.Info(); ok && !info.Obsolete && !slices.Contains(groups, group) && !wire.IsGREASE(group) {
			groups = append(groups, group)
		}
	}
	return probe.Offer{
		ServerName: name, Versions: []wire.Version{wire.VersionTLS13, wire.VersionTLS12, wire.VersionTLS11, wire.VersionTLS10},
		CipherSuites: suites, Groups: groups, KeyShares: []wire.NamedGroup{wire.GroupX25519, wire.GroupSecp256r1}, SignatureSchemes: allSchemes(),
	}.Hello()
}

// allSchemes are the signature schemes of the registry, the common ones first.
func allSchemes() []wire.SignatureScheme {
	schemes := broadSchemes()
	for s := range 0x10000 {
		scheme := wire.SignatureScheme(s)
		if _, ok := scheme.Info(); ok && !slices.Contains(schemes, scheme) {
			schemes = append(schemes, scheme)
		}
	}
	return schemes
}

// usable reports whether a suite can be chosen in a version.
func usable(suite wire.CipherSuite, version wire.Version) bool {
	info, ok := suite.Info()
	if !ok || info.Signal() {
		return !ok && !version.IsTLS13()
	}
	if version.IsTLS13() {
		return info.TLS13()
	}
	return !info.TLS13() && version >= info.MinVersion && version <= info.MaxVersion
}

// registeredSuites are the suites of the registry, but for those that nobody should accept.
func registeredSuites() []wire.CipherSuite {
	var suites []wire.CipherSuite
	for c := range 0x10000 {
		suite := wire.CipherSuite(c)
		if info, ok := suite.Info(); ok && !info.Signal() && info.Encryption != "NULL" && !info.Export && info.Authentication != "anon" {
			suites = append(suites, suite)
		}
	}
	return suites
}
