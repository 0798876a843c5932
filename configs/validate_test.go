package configs

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// valid is a configuration that nothing is wrong with, for a test to spoil.
func valid() *Config {
	c := Default()
	c.Listeners = []Listener{{
		Address: "127.0.0.1:8443",
		Routes:  []Route{{Backend: Backend{URL: "https://backend.example:8443"}}},
	}}
	return c
}

func TestValidateRefuses(t *testing.T) {
	for _, test := range []struct {
		name  string
		spoil func(*Config)
		want  string // of the only error
	}{
		{"no listener", func(c *Config) { c.Listeners = nil }, "listeners: there is none"},
		{"rate of no shadow", func(c *Config) { _ = c.Set(Setting{Path: "shadow.rate"}, "5", "--shadow-rate") }, "shadow.rate: has no effect without shadow.to"},
		{"too many listeners", func(c *Config) { c.Listeners = make([]Listener, MaxListeners+1) }, "listeners: 65 of them exceed 64"},
		{"address without port", func(c *Config) { c.Listeners[0].Address = "127.0.0.1" }, `listeners[0].address: "127.0.0.1" has no port`},
		{"no address", func(c *Config) { c.Listeners[0].Address = "" }, `listeners[0].address: "" has no port`},
		{"port too large", func(c *Config) { c.Listeners[0].Address = ":65536" }, `port "65536" is not between`},
		{"port in words", func(c *Config) { c.Listeners[0].Address = ":https" }, `port "https" is not between`},
		{"IPv6 without brackets", func(c *Config) { c.Listeners[0].Address = "::1:8443" }, "in brackets"},
		{"IPv6 half in brackets", func(c *Config) { c.Listeners[0].Address = "[::1:8443" }, "lacks the closing bracket"},
		{"host that is none", func(c *Config) { c.Listeners[0].Address = "a b:1" }, "has a ' ' in it"},
		{"forwarded in bridge", func(c *Config) { c.Listeners[0].ForwardedTrusted = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} }, `listeners[0].forwarded_trusted: has no effect but in mode http`},
		{"identity in bridge", func(c *Config) { c.Listeners[0].ClientIdentity = IdentityXFCC }, `listeners[0].client_identity: has no effect but in mode http`},
		{"route asks of nobody's", func(c *Config) { c.Listeners[0].Routes[0].ClientAuth = ClientAuthRequire }, `routes[0].client_auth: require needs client_ca`},
		{"route with an unused authority", func(c *Config) { c.Listeners[0].Routes[0].ClientCA = "x.pem" }, `routes[0].client_ca: has no effect while client_auth is none`},
		{"route with unused lists", func(c *Config) { c.Listeners[0].Routes[0].ClientCRL = "x.crl" }, `routes[0].client_crl: has no effect while client_auth is none`},
		{"route asks in passthrough", func(c *Config) {
			l := &c.Listeners[0]
			l.Mode, l.Routes[0].ClientAuth, l.Routes[0].ClientCA = ModePassthrough, ClientAuthRequire, "x.pem"
		}, `routes[0].client_auth: has no effect in mode passthrough`},
		{"protocol in bridge", func(c *Config) { c.Listeners[0].Routes[0].Backend.Protocol = ProtocolHTTP2 }, `backend.protocol: has no effect but in mode http`},
		{"protocol unknown", func(c *Config) { c.Listeners[0].Mode, c.Listeners[0].Routes[0].Backend.Protocol = ModeHTTP, "h9" }, `"h9" is not one of auto, h1, h2`},
		{"mode unknown", func(c *Config) { c.Listeners[0].Mode = "tunnel" }, `listeners[0].mode: "tunnel" is not one of bridge, http, passthrough`},
		{"name of odd letters", func(c *Config) { c.Listeners[0].Name = "a\nb" }, "listeners[0].name:"},
		{"proxy protocol unknown", func(c *Config) { c.Listeners[0].ProxyProtocol = "v2" }, `"v2" is not one of off, on`},
		{"required certificate without authority", func(c *Config) { c.Listeners[0].ClientAuth = ClientAuthRequire }, "listeners[0].client_auth: require needs client_ca"},
		{"requested certificate without authority", func(c *Config) { c.Listeners[0].ClientAuth = ClientAuthRequest }, "request needs client_ca"},
		{"authority that nobody is held against", func(c *Config) { c.Listeners[0].ClientCA = "ca.pem" }, "listeners[0].client_ca: has no effect"},
		{"certificate without key", func(c *Config) { c.Listeners[0].Certificates = []Certificate{{Cert: "a"}} }, "listeners[0].certificates[0].key: no file"},
		{"key without certificate", func(c *Config) { c.Listeners[0].Certificates = []Certificate{{Key: "a"}} }, "listeners[0].certificates[0].cert: no file"},
		{"fallback unknown", func(c *Config) { c.Listeners[0].Fallback = "tunnel" }, "listeners[0].fallback:"},
		{"passthrough with client certificates", func(c *Config) {
			c.Listeners[0].Mode = ModePassthrough
			c.Listeners[0].ClientAuth, c.Listeners[0].ClientCA = ClientAuthRequire, "ca.pem"
		}, "listeners[0].client_auth: has no effect in mode passthrough"},
		{"passthrough that enforces the chain", func(c *Config) {
			c.Listeners[0].Mode = ModePassthrough
			c.Listeners[0].Routes[0].Backend.Verify = VerifyEnforce
		}, "backend.verify: has no effect: in mode passthrough"},
		{"no routes", func(c *Config) { c.Listeners[0].Routes = nil }, "listeners[0].routes: there is none"},
		{"two defaults", func(c *Config) {
			c.Listeners[0].Routes = append(c.Listeners[0].Routes, Route{ServerNames: []string{"*"}, Backend: Backend{URL: "tcp://a:1"}})
		}, "listeners[0].routes[1].server_names[0]: the default"},
		{"a name twice", func(c *Config) {
			c.Listeners[0].Routes[0].ServerNames = []string{"A.example", "a.EXAMPLE."}
		}, `server_names[1]: "a.example" belongs to listeners[0].routes[0].server_names[0] already`},
		{"an address as name", func(c *Config) { c.Listeners[0].Routes[0].ServerNames = []string{"10.0.0.1"} }, "clients send no address"},
		{"a name beyond ASCII", func(c *Config) { c.Listeners[0].Routes[0].ServerNames = []string{"bücher.example"} }, "xn-- form"},
		{"a wildcard in the middle", func(c *Config) { c.Listeners[0].Routes[0].ServerNames = []string{"a.*.example"} }, "has a '*' in it"},
		{"an empty name", func(c *Config) { c.Listeners[0].Routes[0].ServerNames = []string{""} }, "not between 1 and 253"},
		{"enforcing nothing", func(c *Config) { c.Listeners[0].Routes[0].Enforce = true }, "enforce: needs a policy"},
		{"no backend", func(c *Config) { c.Listeners[0].Routes[0].Backend.URL = "" }, "backend.url: no URL"},
		{"backend without scheme", func(c *Config) { c.Listeners[0].Routes[0].Backend.URL = "10.0.0.1:443" }, "has no scheme"},
		{"backend of another scheme", func(c *Config) { c.Listeners[0].Routes[0].Backend.URL = "ftp://a:1" }, `scheme "ftp" is not one of`},
		{"backend without port", func(c *Config) { c.Listeners[0].Routes[0].Backend.URL = "tls://a" }, "no port"},
		{"backend with a path", func(c *Config) { c.Listeners[0].Routes[0].Backend.URL = "https://a/b" }, "more than a scheme"},
		{"backend with a password", func(c *Config) { c.Listeners[0].Routes[0].Backend.URL = "https://u:p@a" }, "more than a scheme"},
		{"half a client certificate", func(c *Config) { c.Listeners[0].Routes[0].Backend.Key = "k" }, "needs both cert and key"},
		{"plain backend with roots", func(c *Config) {
			c.Listeners[0].Routes[0].Backend = Backend{URL: "tcp://a:1", CA: "ca.pem"}
		}, "backend.ca: has no effect: the backend is plain TCP"},
		{"plain backend that is enforced", func(c *Config) {
			c.Listeners[0].Routes[0].Backend = Backend{URL: "http://a", Verify: VerifyEnforce}
		}, "backend.verify: has no effect"},
		{"versions crossed", func(c *Config) {
			c.Listeners[0].Routes[0].Backend.MinVersion, c.Listeners[0].Routes[0].Backend.MaxVersion = TLS13, TLS12
		}, "TLSv1.3 is above max_version TLSv1.2"},
		{"version unknown", func(c *Config) { c.Listeners[0].Routes[0].Backend.MinVersion = "TLSv1.9" }, `"TLSv1.9" is not one of TLSv1.0`},
		{"revocation", func(c *Config) { c.Listeners[0].Routes[0].Backend.Revocation = "maybe" }, `"maybe" is not one of off, staple, check, require`},
		{"acme.directory", func(c *Config) { c.ACME.Directory, c.ACME.Names = "http://ca.example/dir", []string{"a.example"} }, `is no https:// URL`},
		{"acme.email", func(c *Config) { c.ACME.Email = "a@b.example" }, `has no effect without acme.directory`},
		{"acme.names", func(c *Config) { c.ACME.Directory = "https://ca.example/dir" }, `no listener without certificates names its server_names`},
		{"acme.challenges[0]", func(c *Config) {
			c.ACME = ACME{Directory: "https://ca.example/dir", Names: []string{"a.example"}, Challenges: []ACMEChallenge{"dns-01"}}
		}, `"dns-01" is not one of tls-alpn-01, http-01`},
		{"acme.eab_key_id", func(c *Config) {
			c.ACME = ACME{Directory: "https://ca.example/dir", Names: []string{"a.example"}, Challenges: []ACMEChallenge{ACMEHTTP}, EABKeyID: "k"}
		}, `needs both eab_key_id and eab_key_file`},
		{"revocation.responder", func(c *Config) {
			c.Listeners[0].Routes[0].Backend.Revocation, c.Revocation.Responder = RevocationCheckIt, "ldap://x"
		}, `is no http:// URL`},
		{"monitor.interval", func(c *Config) { c.Monitor.Interval = time.Millisecond }, `is not between 1s and`},
		{"monitor.webhook", func(c *Config) { c.Monitor.Webhook = "ftp://x" }, `is no http:// or https:// URL`},
		{"second_look", func(c *Config) { c.SecondLook = "maybe" }, `"maybe" is not one of on, off`},
		{"listeners[0].client_crl", func(c *Config) { c.Listeners[0].ClientCRL = "x.crl" }, `has no effect while client_auth is none`},
		{"header unknown", func(c *Config) { c.Listeners[0].Routes[0].Backend.ProxyProtocol = "on" }, "not one of none, v1, v2"},
		{"backend name", func(c *Config) { c.Listeners[0].Routes[0].Backend.ServerName = "a b" }, "backend.server_name:"},
		{"address of another", func(c *Config) {
			c.Listeners = append(c.Listeners, c.Listeners[0])
		}, "listeners[1].address: 127.0.0.1:8443 is the address of listeners[0] already"},
		{"address of admin", func(c *Config) { c.Admin.Address = "127.0.0.1:8443" }, "is the address of admin.address already"},
		{"name of another", func(c *Config) {
			c.Listeners = append(c.Listeners, c.Listeners[0])
			c.Listeners[0].Name, c.Listeners[1].Name, c.Listeners[1].Address = "a", "a", ":1"
		}, `listeners[1].name: "a" is the name of listeners[0] already`},
		{"admin address", func(c *Config) { c.Admin.Address = "9090" }, "admin.address:"},
		{"no admin address", func(c *Config) { c.Admin.Address = "" }, "admin.address: no address"},
		{"admin host", func(c *Config) { c.Admin.Hosts = []string{"a:1"} }, "admin.hosts[0]:"},
		{"no connections", func(c *Config) { c.Limits.Connections = 0 }, "limits.connections: 0 is not between 1 and"},
		{"no queue", func(c *Config) { c.Limits.Queue = -1 }, "limits.queue:"},
		{"no recent ones", func(c *Config) { c.Limits.Recent = 0 }, "limits.recent:"},
		{"small hello", func(c *Config) { c.Limits.HelloBytes = 511 }, "limits.hello_bytes: 511 is not between 512 and 1MiB"},
		{"large hello", func(c *Config) { c.Limits.HelloBytes = 2 << 20 }, "limits.hello_bytes: 2MiB"},
		{"no time", func(c *Config) { c.Limits.Timeouts.Idle = 0 }, "limits.timeouts.idle: 0s is not between 10ms and"},
		{"negative time", func(c *Config) { c.Limits.Timeouts.Linger = -1 }, "limits.timeouts.linger:"},
		{"record.raw", func(c *Config) { c.Record.Raw = "some" }, "record.raw:"},
		{"output", func(c *Config) { c.Output = "xml" }, `output: "xml" is not one of text, json`},
		{"fail_on", func(c *Config) { c.FailOn = "always" }, "fail_on:"},
		{"log level", func(c *Config) { c.Log.Level = "trace" }, "log.level:"},
		{"log format", func(c *Config) { c.Log.Format = "xml" }, "log.format:"},
		{"expiring soon", func(c *Config) { c.ExpiringSoon = -1 }, "expiring_soon:"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := valid()
			test.spoil(c)
			err := c.Validate()
			var all Errors
			if !errors.As(err, &all) || len(all) != 1 || !strings.Contains(all[0].Error(), test.want) {
				t.Errorf("got  %v\nwant one error with %q", err, test.want)
			}
		})
	}
}

func TestValidateAccepts(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Config)
	}{
		{"the base", func(*Config) {}},
		{"any free port, twice", func(c *Config) {
			c.Listeners = append(c.Listeners, c.Listeners[0])
			c.Listeners[0].Address, c.Listeners[1].Address, c.Admin.Address = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
		}},
		{"every address", func(c *Config) { c.Listeners[0].Address = ":8443" }},
		{"IPv6", func(c *Config) { c.Listeners[0].Address = "[::1]:8443" }},
		{"admin off", func(c *Config) { c.Admin.Address = AdminOff }},
		{"names and a default", func(c *Config) {
			c.Listeners[0].Routes[0].ServerNames = []string{"a.example", "*.example", "_x.example"}
			c.Listeners[0].Routes = append(c.Listeners[0].Routes, Route{Backend: Backend{URL: "http://[::1]"}})
		}},
		{"no default at all", func(c *Config) { c.Listeners[0].Routes[0].ServerNames = []string{"a.example"} }},
		{"passthrough with a policy", func(c *Config) {
			c.Listeners[0].Mode = ModePassthrough
			c.Listeners[0].Routes[0].Policy, c.Listeners[0].Routes[0].Enforce = "aws/x", true
		}},
		{"client certificates", func(c *Config) {
			c.Listeners[0].ClientAuth, c.Listeners[0].ClientCA = ClientAuthRequire, "ca.pem"
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := valid()
			test.change(c)
			if err := c.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestValidateSaysWhereEachValueCameFrom(t *testing.T) {
	flags := &Overrides{}
	for _, s := range Settings() {
		if s.Flag == "mode" {
			if err := flags.Value(s).Set("tunnel"); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, err := Resolve([]byte(`listeners:
  - address: nowhere
    routes:
      - backend:
          url: ftp://x:1
limits:
  queue: 0
`), "p.yaml", []string{"TLSTRIAGE_LOG_LEVEL=loud"}, flags)
	want := []string{
		`p.yaml:2:14: listeners[0].address: "nowhere" has no port: HOST:PORT or :PORT is expected`,
		`p.yaml:5:16: listeners[0].routes[0].backend.url: scheme "ftp" is not one of https, tls, tcp, http`,
		`p.yaml:7:10: limits.queue: 0 is not between 1 and 1000000`,
		`--mode: listeners[0].mode: "tunnel" is not one of bridge, http, passthrough`,
		`TLSTRIAGE_LOG_LEVEL: log.level: "loud" is not one of debug, info, warn, error`,
	}
	if err == nil || err.Error() != strings.Join(want, "\n") {
		t.Errorf("got\n%v\nwant\n%s", err, strings.Join(want, "\n"))
	}
}

func TestBackendURLLeadsSomewhere(t *testing.T) {
	for _, test := range []struct {
		url     string
		address string
		tls     bool
		ip      bool
	}{
		{"https://10.0.0.5:8443", "10.0.0.5:8443", true, true},
		{"https://backend.example", "backend.example:443", true, false},
		{"https://backend.example/", "backend.example:443", true, false},
		{"tls://[2001:db8::1]:993", "[2001:db8::1]:993", true, true},
		{"tcp://127.0.0.1:80", "127.0.0.1:80", false, true},
		{"http://backend.example", "backend.example:80", false, false},
		{"tls://[fe80::1%eth0]:443", "[fe80::1%eth0]:443", true, true},
		{"tls://[fe80::1%25eth0]:443", "[fe80::1%eth0]:443", true, true},
		{"http://[fe80::1%2]", "[fe80::1%2]:80", false, true},
		{"tls://[fe80::1%25]:443", "[fe80::1%25]:443", true, true}, // the interface with that number
	} {
		got := Backend{URL: test.url}.Target()
		if got.Address() != test.address || got.TLS != test.tls || got.IsIP() != test.ip {
			t.Errorf("%s: %s TLS %v IP %v", test.url, got.Address(), got.TLS, got.IsIP())
		}
	}
	if got := (Backend{URL: "nonsense"}).Target(); got != (Target{}) {
		t.Errorf("nonsense leads to %v", got)
	}
}

func TestValidateWarnsOfCertificatesInPassthrough(t *testing.T) {
	c := Default()
	c.Listeners = []Listener{{
		Address: "127.0.0.1:0", Mode: ModePassthrough, Certificates: []Certificate{{Cert: "a", Key: "b"}},
		Routes: []Route{{Backend: Backend{URL: "tls://127.0.0.1:1"}}},
	}}
	for range 2 { // a second look must not say it twice
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
	}
	if w := c.Warnings(); len(w) != 1 || w[0].Path != "listeners[0].certificates" {
		t.Errorf("warnings %v, want one about the certificates", w)
	}
}
