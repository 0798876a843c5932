package probe_test

import (
	"crypto/tls"
	"slices"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

func TestRealServersResume(t *testing.T) {
	id := rsaIdentity(t, "resume.example")
	for name, tc := range map[string]struct {
		address string
		version wire.Version
		suites  []wire.CipherSuite
		byID    bool
	}{
		"Go, TLS 1.3":          {address: serveTLS(t, &tls.Config{Certificates: []tls.Certificate{id.Certificate}}), version: wire.VersionTLS13},
		"Go, TLS 1.2":          {address: serveTLS(t, &tls.Config{Certificates: []tls.Certificate{id.Certificate}}), version: wire.VersionTLS12},
		"openssl, TLS 1.3":     {address: openssl(t, id), version: wire.VersionTLS13},
		"openssl, SHA-384":     {address: openssl(t, id), version: wire.VersionTLS13, suites: []wire.CipherSuite{wire.TLS_AES_256_GCM_SHA384}},
		"openssl, ticket":      {address: openssl(t, id), version: wire.VersionTLS12},
		"openssl, session id":  {address: openssl(t, id, "-no_ticket"), version: wire.VersionTLS12, byID: true},
		"nginx, shared cache":  {address: nginx(t, id, "ssl_protocols TLSv1.2 TLSv1.3; ssl_session_tickets off; ssl_session_cache shared:s:1m;"), version: wire.VersionTLS12, byID: true},
		"nginx, TLS 1.3 cache": {address: nginx(t, id, "ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:s:1m;"), version: wire.VersionTLS13},
	} {
		t.Run(name, func(t *testing.T) {
			hello := probe.Offer{ServerName: "resume.example", Versions: []wire.Version{tc.version}, CipherSuites: tc.suites}.Hello()
			client := patient()
			x := client.Exchange(t.Context(), probe.Target{Address: tc.address}, hello, probe.Options{Until: probe.UntilAnswer, Request: probe.HTTPRequest("resume.example")})
			i := slices.IndexFunc(x.Sessions, func(s *probe.Session) bool { return (len(s.ID) > 0) == tc.byID })
			if i < 0 || x.Resumed {
				t.Fatalf("%s: no session to resume: %+v", x.Describe(), x.Sessions)
			}
			again := hello.Fresh()
			again.Resume(x.Sessions[i])
			resumed := client.Exchange(t.Context(), probe.Target{Address: tc.address}, again, probe.Options{})
			if !resumed.Resumed || !resumed.Accepted() || len(resumed.Certificates) > 0 || !resumed.Connection.ClientLeg.TLS.Resumed {
				t.Errorf("%s: resumed %v, %+v", resumed.Describe(), resumed.Resumed, resumed.Error)
			}
			if fresh := client.Exchange(t.Context(), probe.Target{Address: tc.address}, hello.Fresh(), probe.Options{}); fresh.Resumed || !fresh.Accepted() {
				t.Errorf("a fresh hello was taken for a resumption: %s", fresh.Describe())
			}
		})
	}
}

// A server that does not know the ticket goes on with a whole handshake.
func TestATicketOfAnotherServer(t *testing.T) {
	id := ecdsaIdentity(t, "resume.example")
	config := &tls.Config{Certificates: []tls.Certificate{id.Certificate}}
	one, other := serveTLS(t, config.Clone()), serveTLS(t, config.Clone())
	hello := probe.Modern("resume.example")
	x := patient().Exchange(t.Context(), probe.Target{Address: one}, hello, probe.Options{Until: probe.UntilAnswer, Request: []byte("x\n")})
	if len(x.Sessions) == 0 {
		t.Fatalf("%s: no session", x.Describe())
	}
	again := hello.Fresh()
	again.Resume(x.Sessions[0])
	y := patient().Exchange(t.Context(), probe.Target{Address: other}, again, probe.Options{Until: probe.UntilFinished})
	if y.Resumed || !y.Finished || len(y.Certificates) != 1 {
		t.Errorf("%s: resumed %v, finished %v", y.Describe(), y.Resumed, y.Finished)
	}
}

// The second hello must not carry a binder that was made for the first.
func TestATicketToAServerThatWantsAnotherGroup(t *testing.T) {
	id := ecdsaIdentity(t, "resume.example")
	address := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{id.Certificate}, CurvePreferences: []tls.CurveID{tls.CurveP384}})
	hello := probe.Modern("resume.example")
	x := patient().Exchange(t.Context(), probe.Target{Address: address}, hello, probe.Options{Until: probe.UntilAnswer, Request: []byte("x\n")})
	if len(x.Sessions) == 0 || x.RetryRequest == nil {
		t.Fatalf("%s: %d sessions", x.Describe(), len(x.Sessions))
	}
	again := hello.Fresh()
	again.Resume(x.Sessions[0])
	y := patient().Exchange(t.Context(), probe.Target{Address: address}, again, probe.Options{Until: probe.UntilFinished})
	if !y.Finished || y.RetryRequest == nil {
		t.Errorf("%s: %+v", y.Describe(), y.Error)
	}
}
