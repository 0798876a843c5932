package acme

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	mholtacme "github.com/mholt/acmez/v3/acme"
	"go.uber.org/zap"
)

// ALPN is the protocol of TLS-ALPN-01 challenges (RFC 8737, Section 6.2).
const ALPN = "acme-tls/1"

// Manager orders, renews and serves certificates. It is safe for concurrent use.
type Manager struct {
	settings Settings
	log      *zap.Logger
	cache    *certmagic.Cache
	orders   *certmagic.Config     // nil without Names
	local    *certmagic.Config     // nil without LocalNames
	issuer   *certmagic.ACMEIssuer // nil without Names

	ctx    context.Context // ends with Close
	cancel context.CancelFunc

	storageLog *storageLog
	work       sync.WaitGroup // one goroutine for each name that is being loaded or ordered

	mu       sync.Mutex
	entries  map[string]*entry
	onDemand int // names under wildcards that were asked for
	closed   bool
}

// PendingError is a handshake that waited in vain for its certificate, or did not wait because the last order failed. The client
// gets the alert internal_error: it is not at fault.
type PendingError struct {
	Name   string
	Reason Reason // of the last failed order; empty: none has failed, it takes longer than Settings.Wait
	Err    error
}

func (e *PendingError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("acme: the certificate for %s is still being ordered", e.Name)
	}
	return fmt.Sprintf("acme: there is no certificate for %s: %v", e.Name, e.Err)
}

func (e *PendingError) Unwrap() error { return e.Err }

// Temporary is true: the name is served, and its certificate may come yet.
func (e *PendingError) Temporary() bool { return true }

// New makes a manager, whose Close the caller must call. Nothing is ordered before Start. The log gets what certmagic has to say,
// under the name acme.
func New(settings Settings, log *zap.Logger) (*Manager, error) {
	s, err := settings.validated()
	if err != nil {
		return nil, err
	}
	if log == nil {
		log = zap.NewNop()
	}
	m := &Manager{settings: s, log: log.Named("acme"), entries: map[string]*entry{}}
	m.storageLog = takeStorageLog(m.log)
	m.ctx, m.cancel = context.WithCancel(context.Background())
	port, err := loopbackPort()
	if err != nil {
		m.cancel()
		return nil, err
	}
	m.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert:   func(c certmagic.Certificate) (*certmagic.Config, error) { return m.configFor(c.Names) },
		RenewCheckInterval: s.CheckEvery,
		Logger:             m.log,
	})
	base := certmagic.Config{
		RenewalWindowRatio: s.RenewBefore,
		OnEvent:            m.onEvent,
		ShouldEmitFunc:     func(event string) bool { return event != "tls_get_certificate" },
		Storage:            s.Storage,
		OCSP:               certmagic.OCSPConfig{DisableStapling: s.NoStapling},
		Logger:             m.log,
	}
	if base.Storage == nil {
		base.Storage = &certmagic.FileStorage{Path: s.Dir}
	}
	if len(s.Names) > 0 {
		m.orders = certmagic.New(m.cache, base)
		m.issuer = certmagic.NewACMEIssuer(m.orders, m.issuerTemplate(port))
		m.orders.Issuers = []certmagic.Issuer{m.issuer}
	}
	if len(s.LocalNames) > 0 {
		local := base
		local.Issuers = []certmagic.Issuer{&localIssuer{s.Local}}
		local.DisableARI = true
		m.local = certmagic.New(m.cache, local)
	}
	return m, nil
}

func (m *Manager) issuerTemplate(port int) certmagic.ACMEIssuer {
	s := m.settings
	t := certmagic.ACMEIssuer{
		CA:                      s.Directory,
		Email:                   s.Email,
		Agreed:                  true,
		TrustedRoots:            s.Roots,
		CertObtainTimeout:       s.OrderTimeout,
		DisableHTTPChallenge:    !slices.Contains(s.Challenges, HTTP01),
		DisableTLSALPNChallenge: !slices.Contains(s.Challenges, TLSALPN01),
		Logger:                  m.log,
		// certmagic opens a listener of its own for every challenge, and where the port is taken it connects to it to see who is
		// there. Challenges are answered by our listeners; its own stays out of their way, on loopback.
		ListenHost:     "127.0.0.1",
		AltHTTPPort:    port,
		AltTLSALPNPort: port,
	}
	if e := s.External; e != nil {
		t.ExternalAccount = &mholtacme.EAB{KeyID: e.KeyID, MACKey: e.MACKey}
	}
	return t
}

// loopbackPort is a port that was free a moment ago. Whoever takes it meanwhile disturbs nothing.
func loopbackPort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("acme: no port on loopback: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// configFor is the configuration that manages a certificate.
func (m *Manager) configFor(names []string) (*certmagic.Config, error) {
	if len(names) > 0 {
		if c := m.config(names[0]); c != nil {
			return c, nil
		}
	}
	return nil, fmt.Errorf("acme: %q is not configured", names)
}

// config is where a name's certificate comes from; nil when the name is not configured.
func (m *Manager) config(name string) *certmagic.Config {
	switch {
	case covers(m.settings.Names, name):
		return m.orders
	case covers(m.settings.LocalNames, name):
		return m.local
	}
	return nil
}

// Start begins to load and order the names, unless they are ordered on demand. Listeners that answer challenges must listen by then.
// It returns at once; OnEvent and Status tell how it goes.
func (m *Manager) Start() {
	if m.settings.OnDemand {
		return
	}
	for _, n := range m.settings.Names {
		if !strings.HasPrefix(n, "*.") {
			m.manage(n)
		}
	}
}

// Close ends all orders, renewals and waiting handshakes, and returns when they have ended. Certificates are not served any more.
func (m *Manager) Close() {
	m.mu.Lock()
	already := m.closed
	m.closed = true
	m.mu.Unlock()
	if already {
		return
	}
	m.cancel()
	m.work.Wait()
	m.cache.Stop()
	m.storageLog.leave(m.log)
}

// manage sees to a name, once. Nil: the limit of names on demand is reached, or the manager is closed.
func (m *Manager) manage(name string) *entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.entries[name]; e != nil {
		return e
	}
	listed := slices.Contains(m.settings.Names, name) || slices.Contains(m.settings.LocalNames, name)
	if m.closed || !listed && m.onDemand >= m.settings.MaxOnDemand {
		return nil
	}
	if !listed {
		m.onDemand++
	}
	config := m.config(name)
	e := &entry{status: Status{Name: name, Local: config == m.local, State: Pending, Since: time.Now()}, changed: make(chan struct{})}
	m.entries[name] = e
	m.work.Add(1)
	go func() { // ends with the certificate, or with Close
		defer m.work.Done()
		m.bring(config, name)
	}()
	return e
}

// bring loads a certificate from the storage, or orders it: again and again until it is there or the manager is closed.
func (m *Manager) bring(config *certmagic.Config, name string) {
	cert, err := config.CacheManagedCertificate(m.ctx, name)
	if err == nil {
		if cert.NeedsRenewal(config) {
			if err := m.cache.RenewManagedCertificates(m.ctx); err != nil {
				m.log.Error("renewing", zap.String("name", name), zap.Error(err))
			}
		}
		return
	}
	if !errors.Is(err, fs.ErrNotExist) {
		m.log.Error("loading", zap.String("name", name), zap.Error(err))
	}
	if err = config.ObtainCertAsync(m.ctx, name); err == nil {
		_, err = config.CacheManagedCertificate(m.ctx, name)
	}
	if err == nil || m.ctx.Err() != nil {
		return
	}
	m.log.Error("giving up", zap.String("name", name), zap.Error(err))
	m.mu.Lock()
	known := m.entries[name].status.State == Broken
	m.mu.Unlock()
	if !known { // certmagic tells of failed orders, not of a storage that fails before or after
		err = &storageError{err}
		m.failed(name, StorageTrouble, err)
		m.tell(Event{Kind: Failed, Name: name, Reason: StorageTrouble, Err: err})
	}
}

// Serves says whether a name is configured, so that GetCertificate has or gets a certificate for it.
func (m *Manager) Serves(name string) bool {
	n, err := normalName(name)
	return err == nil && m.config(n) != nil
}

// IsChallenge says whether a hello is that of a TLS-ALPN-01 validation: "an ALPN extension with the single protocol name
// 'acme-tls/1'" and a server name (RFC 8737, Section 3). Its connection is to be terminated with GetCertificate and ALPN,
// and closed after the handshake; no backend has a part in it.
func IsChallenge(serverName string, protocols []string) bool {
	return serverName != "" && len(protocols) == 1 && protocols[0] == ALPN
}

// TLSALPN says whether the hello is a challenge for a configured name that this manager, or a replica, may have asked for.
func (m *Manager) TLSALPN(serverName string, protocols []string) bool {
	if !IsChallenge(serverName, protocols) || m.orders == nil || !slices.Contains(m.settings.Challenges, TLSALPN01) {
		return false
	}
	name, err := challengeName(serverName)
	return err == nil && covers(m.settings.Names, name)
}

// challengeName is the name that a challenge is about. Addresses are asked for in the form of their reverse DNS name (RFC 8738,
// Section 6).
func challengeName(serverName string) (string, error) {
	name := strings.TrimSuffix(strings.ToLower(serverName), ".")
	if rest, ok := strings.CutSuffix(name, ".in-addr.arpa"); ok {
		parts := strings.Split(rest, ".")
		slices.Reverse(parts)
		ip, err := netip.ParseAddr(strings.Join(parts, "."))
		return ip.String(), err
	}
	if rest, ok := strings.CutSuffix(name, ".ip6.arpa"); ok {
		digits := strings.Split(rest, ".")
		slices.Reverse(digits)
		var b strings.Builder
		for i, d := range digits {
			if i > 0 && i%4 == 0 {
				b.WriteByte(':')
			}
			b.WriteString(d)
		}
		ip, err := netip.ParseAddr(b.String())
		return ip.String(), err
	}
	return normalName(name)
}

// GetCertificate has the shape of tls.Config.GetCertificate: the certificate of a TLS-ALPN-01 challenge, one of a configured name, or
// what Other serves. For every other name it returns nil without an error, of which crypto/tls makes the alert
// unrecognized_name. While a certificate is being ordered it waits; the error is then a *PendingError.
func (m *Manager) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if m.TLSALPN(hello.ServerName, hello.SupportedProtos) {
		c, err := m.orders.GetCertificate(hello)
		if err != nil { // nobody asked for this challenge
			m.log.Debug("challenge that is not ours", zap.String("name", clip(hello.ServerName)), zap.Error(err))
			return nil, nil
		}
		return c, nil
	}
	name, err := normalName(m.asked(hello))
	if err != nil {
		return m.other(hello)
	}
	config := m.config(name)
	if config == nil {
		return m.other(hello)
	}
	e := m.manage(name)
	if e == nil {
		return m.other(hello)
	}
	if err := m.wait(hello.Context(), name, e); err != nil {
		return nil, err
	}
	if hello.ServerName != name { // without SNI, or in another spelling: certmagic must see the name that was found
		as := *hello
		as.ServerName = name
		hello = &as
	}
	return config.GetCertificate(hello)
}

// asked is the name that a hello asks for.
func (m *Manager) asked(hello *tls.ClientHelloInfo) string {
	switch {
	case hello.ServerName != "":
		return hello.ServerName
	case m.settings.Default != "":
		return m.settings.Default
	case hello.Conn != nil:
		if at, err := netip.ParseAddrPort(hello.Conn.LocalAddr().String()); err == nil {
			return at.Addr().Unmap().WithZone("").String()
		}
	}
	return ""
}

func (m *Manager) other(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if m.settings.Other != nil {
		return m.settings.Other(hello)
	}
	return nil, nil
}

// wait returns when the name's certificate is there. A name whose last order failed is not waited for: the next one is minutes away.
func (m *Manager) wait(ctx context.Context, name string, e *entry) error {
	var deadline <-chan time.Time
	for {
		m.mu.Lock()
		status, changed := e.status, e.changed
		m.mu.Unlock()
		switch status.State {
		case Ready:
			return nil
		case Broken:
			return &PendingError{Name: name, Reason: status.Reason, Err: status.Err}
		}
		if deadline == nil {
			timer := time.NewTimer(m.settings.Wait)
			defer timer.Stop()
			deadline = timer.C
		}
		select {
		case <-changed:
		case <-deadline:
			return &PendingError{Name: name, Reason: status.Reason, Err: status.Err}
		case <-ctx.Done():
			return ctx.Err()
		case <-m.ctx.Done():
			return &PendingError{Name: name, Err: net.ErrClosed}
		}
	}
}

// HTTPChallengeHandler answers HTTP-01 challenges (RFC 8555, Section 8.3), also those of replicas that share the storage, and hands
// every other request to next. It belongs on port 80.
func (m *Manager) HTTPChallengeHandler(next http.Handler) http.Handler {
	if m.issuer == nil {
		return next
	}
	return m.issuer.HTTPChallengeHandler(next)
}
