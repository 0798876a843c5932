package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/acme"
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/certs/revocation"
	"github.com/tlstriage/tlstriage/configs"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/diagnose"
	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/importer"
	"github.com/tlstriage/tlstriage/inspect/wire"
	"github.com/tlstriage/tlstriage/proxy"
	"github.com/tlstriage/tlstriage/proxy/h3"
)

// plan is a configuration turned into what runs: everything that it names is read and checked, nothing is opened yet.
type plan struct {
	config    *configs.Config
	log       *zap.Logger
	listeners []*proxy.Listener
	judges    map[routeKey]*diagnose.Diagnoser
	files     []*certs.Files
	serving   []string // the listener of each of files
	checks    []backendCheck
	problems  []imported.Problem // what was not understood of the configurations that policies are read from
	mints     bool               // some listener has no certificates of its own
	authority *certs.Authority   // nil when none mints
	acme      *acme.Manager      // nil: nothing is ordered
	orders    *orders            // what came of orders
	revoked   *revocations
	looking   map[routeKey]revocationCheck       // routes whose backend's revocation is looked into
	fetching  sync.Mutex                         // of what follows, but that informed may be read at any time
	fetched   map[fetchedFor][]*x509.Certificate // what was fetched for a certificate; none: there was nothing
	informed  sync.Map                           // routeKey -> *diagnose.Diagnoser that knows intermediates which were fetched; instead of judges

	cancelWatching context.CancelFunc
	watching       sync.WaitGroup // of those who follow changes of files
}

// stopWatching ends the following of files.
func (p *plan) stopWatching() {
	p.cancelWatching()
	p.watching.Wait()
}

// revocationCheck is what a route needs to look into revocation.
type revocationCheck struct {
	examiner *examiner
	checker  *revocation.Checker // nil: only what is stapled is read
}

// close ends what runs beside the connections of a plan.
func (p *plan) close() {
	if p.acme != nil {
		p.acme.Close()
	}
	if p.revoked != nil {
		p.revoked.close()
	}
}

// inherit takes over the judges of routes that are no more: connections that began on them still end.
func (p *plan) inherit(old *plan) {
	for key, judge := range old.judges {
		if p.judges[key] == nil {
			p.judges[key] = judge
		}
	}
}

// unrouted judges what never got as far as a route: it has neither policy nor backend.
var unrouted diagnose.Diagnoser

// fetchedFor is a certificate of a backend whose chain is incomplete.
type fetchedFor struct {
	key  routeKey
	leaf [sha256.Size]byte
}

// routeKey finds a route again from a record.
type routeKey struct{ listener, route string }

// backendCheck is a backend that is looked at before the first client comes.
type backendCheck struct {
	key  routeKey
	to   *proxy.Backend
	name string // asked for
	mode proxy.Mode

	protocols []string // offered by ALPN
}

// newPlan reads what the configuration names. openAuthority is called when a listener has no certificates of its own.
func newPlan(config *configs.Config, openAuthority func() (*certs.Authority, error), log *zap.Logger) (_ *plan, err error) {
	p := &plan{config: config, log: log, judges: make(map[routeKey]*diagnose.Diagnoser), looking: make(map[routeKey]revocationCheck), orders: &orders{wake: make(chan struct{}, 1)}}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if p.revoked, err = newRevocations(config); err != nil {
		return nil, err
	}
	if p.acme, err = newACME(config, p.orders, log); err != nil {
		return nil, err
	}
	for i := range config.Listeners {
		l, err := p.listener(&config.Listeners[i])
		if err != nil {
			return nil, fmt.Errorf("listener %s: %w", config.Listeners[i].Name, err)
		}
		p.listeners = append(p.listeners, l)
	}
	// Last, because it makes an authority where there is none: a start that is refused must not leave one behind.
	if p.mints {
		authority, err := openAuthority()
		if err != nil {
			return nil, err
		}
		p.authority = authority
	}
	return p, nil
}

func (p *plan) listener(c *configs.Listener) (*proxy.Listener, error) {
	l := &proxy.Listener{
		Name:     c.Name,
		Address:  c.Address,
		Mode:     proxy.Mode(c.Mode),
		Fallback: c.Fallback == configs.FallbackPassthrough,

		StartTLS:    startTLSOf(c.StartTLS),
		OriginalDst: originalDst(c.OriginalDst),

		ForwardedTrusted: c.ForwardedTrusted,
		ClientIdentity:   clientIdentity(c.ClientIdentity),
	}
	if c.QUIC == configs.On {
		l.QUIC, l.QUICRetry = cmp.Or(c.QUICAddress, c.Address), proxy.QUICRetry(c.QUICRetry)
	}
	if c.AltSvc != configs.AltSvcOff && c.AltSvc != configs.AltSvcOn {
		l.AltSvc = func() string { return string(c.AltSvc) }
	}
	if c.ProxyProtocol == configs.On {
		l.ProxyProtocol = &proxy.TrustedPeers{Prefixes: c.ProxyProtocolTrusted}
	}
	serve, types, err := p.certificates(c, l.Mode)
	if err != nil {
		return nil, err
	}
	if p.acme != nil && len(c.Certificates) == 0 {
		l.Challenge = &proxy.Challenge{Takes: p.acme.TLSALPN, GetCertificate: p.acme.GetCertificate}
	}
	for i := range c.Routes {
		r, err := p.route(l, &c.Routes[i], types)
		if err != nil {
			return nil, fmt.Errorf("route %s: %w", routeName(&c.Routes[i]), err)
		}
		r.GetCertificate = serve
		r.NoResumption, r.Backend.NoResumption = c.NoResumption, c.NoResumption
		if err := p.askClients(r, c, &c.Routes[i]); err != nil {
			return nil, fmt.Errorf("route %s: %w", routeName(&c.Routes[i]), err)
		}
		l.Routes = append(l.Routes, r)
	}
	return l, nil
}

// certificates are what a listener serves: files, or leaves minted by the local authority that mirror the backend's names.
func (p *plan) certificates(c *configs.Listener, mode proxy.Mode) (func(*tls.ClientHelloInfo) (*tls.Certificate, error), []policy.CertificateType, error) {
	if mode == proxy.Passthrough {
		return nil, nil, nil
	}
	if len(c.Certificates) == 0 && p.acme != nil {
		return p.acme.GetCertificate, []policy.CertificateType{policy.CertECDSAP256}, nil
	}
	if len(c.Certificates) == 0 {
		p.mints = true
		return p.mint, []policy.CertificateType{policy.CertECDSAP256, policy.CertRSA}, nil
	}
	var pairs []certs.KeyPairFiles
	for _, pair := range c.Certificates {
		pairs = append(pairs, certs.KeyPairFiles{Cert: pair.Cert, Key: pair.Key})
	}
	files, err := certs.LoadFiles(pairs...)
	if err != nil {
		return nil, nil, err
	}
	p.files, p.serving = append(p.files, files), append(p.serving, c.Name)
	var types []policy.CertificateType
	for _, certificate := range files.Certificates() {
		p.warnOfServed(c.Name, certificate)
		types = append(types, certificateType(certificate.Leaf))
	}
	return files.GetCertificate, types, nil
}

// warnOfServed says what clients will hold against a certificate that is served, trust aside: whose roots they have is not known here.
func (p *plan) warnOfServed(listener string, certificate *tls.Certificate) {
	for _, f := range chain.Examine(certificate.Certificate, chain.Options{Time: time.Now(), ExpiringSoon: p.config.ExpiringSoon}).Faults {
		switch f.ID {
		case chain.UntrustedRoot, chain.SelfSigned, chain.RootSent, chain.TooLarge, chain.MissingKeyID, chain.SCTMissing:
			continue
		}
		p.log.Warn("certificate that is served: "+f.Detail, zap.String("listener", listener), zap.String("fault", string(f.ID)), zap.String("subject", certificate.Leaf.Subject.String()))
	}
}

// warnOfShown says what a backend will hold against our client certificate; its authorities are the backend's to know.
func (p *plan) warnOfShown(key routeKey, certificate *tls.Certificate) {
	leaf, now := certificate.Leaf, time.Now()
	warn := func(what string) {
		p.log.Warn("client certificate for the backend: "+what, zap.String("route", targetName(key)), zap.String("subject", leaf.Subject.String()), zap.Time("not_after", leaf.NotAfter))
	}
	switch {
	case now.After(leaf.NotAfter):
		warn("it has expired")
	case now.Before(leaf.NotBefore):
		warn("it is not valid yet")
	}
	usages := leaf.ExtKeyUsage
	if len(usages) > 0 && !slices.Contains(usages, x509.ExtKeyUsageClientAuth) && !slices.Contains(usages, x509.ExtKeyUsageAny) {
		warn("its extended key usage does not allow client authentication")
	}
}

// mint is the GetCertificate of listeners without certificates of their own.
func (p *plan) mint(chi *tls.ClientHelloInfo) (*tls.Certificate, error) {
	var mirrored []string
	if backend := proxy.BackendCertificate(chi.Context()); backend != nil {
		mirrored = backend.DNSNames
	}
	return p.authority.GetCertificateFor(chi, mirrored)
}

func certificateType(leaf *x509.Certificate) policy.CertificateType {
	switch kind := inspect.DescribeCertificate(leaf.Raw); {
	case kind.PublicKeyAlgorithm == "ECDSA" && kind.PublicKeySize == 384:
		return policy.CertECDSAP384
	case kind.PublicKeyAlgorithm == "ECDSA" && kind.PublicKeySize == 521:
		return policy.CertECDSAP521
	case kind.PublicKeyAlgorithm == "ECDSA":
		return policy.CertECDSAP256
	case kind.PublicKeyAlgorithm == "Ed25519":
		return policy.CertEd25519
	}
	return policy.CertRSA
}

// askClients is what a route asks its clients for, and holds that against.
func (p *plan) askClients(r *proxy.Route, l *configs.Listener, route *configs.Route) error {
	auth, ca, crl := l.ClientCertificates(route)
	switch auth {
	case configs.ClientAuthRequest:
		r.ClientAuth = tls.VerifyClientCertIfGiven
	case configs.ClientAuthRequire:
		r.ClientAuth = tls.RequireAndVerifyClientCert
	default:
		return nil
	}
	pool, authorities, err := certs.LoadCABundle(ca)
	if err != nil {
		return err
	}
	r.ClientCAs = pool
	if crl != "" {
		r.VerifyClient, err = p.revoked.verifyClient(crl, authorities, p.log)
	}
	return err
}

// clientIdentity is the header that tells the backend who a client is.
func clientIdentity(i configs.ClientIdentity) proxy.ClientIdentity {
	switch i {
	case configs.IdentityClientCert:
		return proxy.IdentityClientCert
	case configs.IdentityXFCC:
		return proxy.IdentityXFCC
	}
	return ""
}

func routeName(c *configs.Route) string {
	if len(c.ServerNames) == 0 || c.ServerNames[0] == "*" {
		return "default"
	}
	return c.ServerNames[0]
}

func (p *plan) route(l *proxy.Listener, c *configs.Route, types []policy.CertificateType) (*proxy.Route, error) {
	key := routeKey{l.Name, routeName(c)}
	judge := &diagnose.Diagnoser{} // by itself it knows what is soon for a short-lived certificate
	if p.config.Given("expiring_soon") {
		if judge.ExpiringSoon = p.config.ExpiringSoon; judge.ExpiringSoon == 0 {
			judge.ExpiringSoon = -1
		}
	}
	var err error
	var policies endpointPolicies
	if c.Policy != "" {
		loaded, err := importer.LoadListener(osFiles{}, c.Policy)
		if err != nil {
			return nil, err
		}
		judge.Policy, policies = loaded.Policy, policiesOf(loaded)
		judge.Policies = policies.all
		p.problems = append(p.problems, loaded.Problems...)
	}
	if c.Backend.CA != "" {
		if judge.Roots, judge.KnownCAs, err = certs.LoadCABundle(c.Backend.CA); err != nil {
			return nil, err
		}
	}
	backend, err := p.backend(&c.Backend, key, judge)
	if err != nil {
		return nil, err
	}
	suites := clientSuites(policies.all)
	own, err := ownPolicy(suites, types)
	if err != nil {
		return nil, err
	}
	judge.Own = own
	r := &proxy.Route{
		Name:         key.route,
		ServerNames:  c.ServerNames,
		Backend:      backend,
		CipherSuites: suites,
		Decide:       (&decider{policies: policies, own: own, enforce: c.Enforce}).decide,
	}
	if c.Enforce {
		r.MaxVersion = highest(policies.all)
	}
	p.judges[key] = judge
	if backend.Address != "" {
		p.checks = append(p.checks, backendCheck{key: key, to: backend, name: nameToCheck(c), mode: l.Mode, protocols: protocolsToCheck(l, &c.Backend)})
	}
	return r, nil
}

// nameToCheck is the name that a typical client of the route asks for; empty when the configuration does not tell.
func nameToCheck(c *configs.Route) string {
	for _, name := range c.ServerNames {
		if name != "" && name[0] != '*' {
			return name
		}
	}
	return ""
}

// protocolsToCheck are the protocols that a typical client of the route offers; none where the configuration does not tell: a server
// of mail may refuse a client that offers it those of HTTP (RFC 7301, Section 3.2).
func protocolsToCheck(l *proxy.Listener, c *configs.Backend) []string {
	scheme, _, _ := strings.Cut(c.URL, "://")
	begins := l.StartTLS != "" || startTLSOf(c.StartTLS) != ""
	if !begins && (l.Mode == proxy.HTTP || strings.EqualFold(scheme, "https")) {
		return []string{"h2", "http/1.1"}
	}
	return nil
}

func (p *plan) backend(c *configs.Backend, key routeKey, judge *diagnose.Diagnoser) (*proxy.Backend, error) {
	b := &proxy.Backend{
		Address:    address(c),
		StartTLS:   startTLSOf(c.StartTLS),
		Plain:      c.URL != "" && !c.Target().TLS,
		ServerName: c.ServerName,
		Protocol:   httpProtocol(c.Protocol),
		HTTP3:      h3.Dial,
		MinVersion: versionOf(c.MinVersion),
		MaxVersion: versionOf(c.MaxVersion),
	}
	switch c.ProxyProtocol {
	case configs.ProxyHeaderV1:
		b.ProxyProtocol = 1
	case configs.ProxyHeaderV2:
		b.ProxyProtocol = 2
	}
	if c.Cert != "" {
		certificate, err := certs.LoadKeyPair(c.Cert, c.Key)
		if err != nil {
			return nil, err
		}
		b.Certificate = certificate
		for _, der := range certificate.Certificate {
			if x, err := x509.ParseCertificate(der); err == nil { // it was loaded: each parses
				judge.Shown = append(judge.Shown, x)
			}
		}
		p.warnOfShown(key, certificate)
	}
	checker, err := p.revoked.checker(c.Revocation, p.config)
	if err != nil {
		return nil, err
	}
	e := &examiner{roots: judge.Roots, known: judge.KnownCAs}
	p.looking[key] = revocationCheck{e, checker}
	if c.Verify == configs.VerifyEnforce {
		b.VerifyPeer = p.revoked.verifyBackend(e, checker, c.Revocation)
	}
	return b, nil
}

// address is where a backend is; empty: where its clients wanted to go.
func address(c *configs.Backend) string {
	if c.URL == "" {
		return ""
	}
	return c.Target().Address()
}

// highest is the highest version that any of the policies accepts; 0: none is stated.
func highest(policies []*policy.Policy) (v uint16) {
	for _, p := range policies {
		if len(p.Versions) == 0 {
			return 0
		}
		v = max(v, min(uint16(slices.Max(p.Versions)), tls.VersionTLS13))
	}
	return v
}

// clientSuites are what the client leg serves: what crypto/tls calls secure, and of the rest what a policy accepts.
func clientSuites(policies []*policy.Policy) []uint16 {
	var suites []uint16
	for _, s := range tls.CipherSuites() {
		suites = append(suites, s.ID)
	}
	for _, s := range tls.InsecureCipherSuites() {
		if slices.ContainsFunc(policies, func(p *policy.Policy) bool { return slices.Contains(p.CipherSuites, wire.CipherSuite(s.ID)) }) {
			suites = append(suites, s.ID)
		}
	}
	return suites
}

// ownPolicy is what this program accepts on the client leg, as a policy.
func ownPolicy(suites []uint16, types []policy.CertificateType) (*policy.Policy, error) {
	own, err := policy.Lookup("go/go-1.26")
	if err != nil {
		return nil, err
	}
	own.Name = "tlstriage"
	own.Versions = []wire.Version{wire.VersionTLS10, wire.VersionTLS11, wire.VersionTLS12, wire.VersionTLS13}
	own.CipherSuites = nil
	for _, s := range suites {
		own.CipherSuites = append(own.CipherSuites, wire.CipherSuite(s))
	}
	own.Certificates = types
	own.ALPN, own.ALPNRequired = nil, false
	return own, nil
}
