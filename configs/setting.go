package configs

import (
	"fmt"
	"reflect"
	"strings"
)

// EnvPrefix begins the name of every environment variable of this program.
const EnvPrefix = "TLSTRIAGE_"

// Setting is one key of the configuration with its two other names. Keys of listeners, routes and certificates speak of the
// first one; where a file has several, they can only be told apart there.
type Setting struct {
	Path    string // key in the file: listeners[0].routes[0].backend.server_name
	Flag    string // without dashes: backend-sni
	Short   string // one letter, or empty
	NoValue string // what the flag alone means ("true" for --enforce); empty: the flag needs a value
	Usage   string // one line; `word` names the value as the flag packages understand it
	Default string // as the flag would be written; empty: none
}

// Env is the setting's environment variable: TLSTRIAGE_BACKEND_SNI.
func (s Setting) Env() string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(s.Flag, "-", "_"))
}

// Settings lists every key, in the order that help should show them.
func Settings() []Setting {
	const listener, route, backend = "listeners[0].", "listeners[0].routes[0].", "listeners[0].routes[0].backend."
	settings := []Setting{
		{Path: listener + "address", Flag: "listen", Usage: "listen on `ADDR`, HOST:PORT or :PORT"},
		{Path: backend + "url", Flag: "backend", Usage: "`URL` of the backend: https://HOST:PORT, tls://HOST:PORT, or tcp://HOST:PORT for plain TCP"},
		{Path: backend + "server_name", Flag: "backend-sni", Usage: "`NAME` to ask the backend for and verify it by (default: the client's SNI, else the URL's host)"},
		{Path: backend + "ca", Flag: "backend-ca", Usage: "PEM `FILE` of roots to verify the backend with (default: the system's)"},
		{Path: backend + "verify", Flag: "backend-verify", Usage: "`report|enforce`: report a faulty backend chain, or stop the traffic too"},
		{Path: backend + "cert", Flag: "backend-cert", Usage: "PEM `FILE` of the client certificate shown to the backend"},
		{Path: backend + "key", Flag: "backend-key", Usage: "PEM `FILE` of its private key"},
		{Path: backend + "proxy_protocol", Flag: "backend-proxy-protocol", Usage: "`none|v1|v2`: PROXY protocol header sent to the backend"},
		{Path: backend + "protocol", Flag: "backend-protocol", Usage: "`auto|h1|h2|h3`: HTTP that the backend is asked in (mode http)"},
		{Path: backend + "min_version", Flag: "backend-min-version", Usage: "lowest TLS `VERSION` offered to the backend, TLSv1.0 to TLSv1.3"},
		{Path: backend + "max_version", Flag: "backend-max-version", Usage: "highest TLS `VERSION` offered to the backend"},
		{Path: backend + "revocation", Flag: "revocation", Usage: "`off|staple|check|require`: how far revocation of the backend's chain is looked into"},
		{Path: "revocation.hosts", Flag: "revocation-host", Usage: "comma-separated `HOSTS` that may be asked although they are not public"},
		{Path: "revocation.responder", Flag: "revocation-responder", Usage: "`URL` of the OCSP responder to ask instead of those in certificates"},
		{Path: "revocation.fetch_intermediates", Flag: "fetch-intermediates", NoValue: "true", Usage: "fetch an intermediate that a backend does not send, to say which one lacks"},
		{Path: route + "policy", Flag: "policy", Usage: "policy `REF` that hellos are held against, as aws/NAME or a file"},
		{Path: route + "enforce", Flag: "enforce", NoValue: "true", Usage: "refuse what the policy refuses, the way the real endpoint would"},
		{Path: route + "server_names", Flag: "server-names", Usage: "comma-separated `NAMES` to take by SNI (default: all)"},
		{Path: listener + "mode", Flag: "mode", Usage: "`bridge|http|passthrough`: carry bytes between two TLS legs, or HTTP requests, or only watch"},
		{Path: listener + "fallback", Flag: "fallback", Usage: "`refuse|passthrough`: what becomes of a client that cannot be served here"},
		{Path: listener + "quic", Flag: "quic", NoValue: "on", Usage: "`on|off`: take QUIC on the same port over UDP, too (modes http: HTTP/3, and passthrough)"},
		{Path: listener + "quic_address", Flag: "quic-listen", Usage: "take QUIC on `ADDR` (default: as --listen)"},
		{Path: listener + "quic_retry", Flag: "quic-retry", Usage: "`auto|always|never`: when a client over QUIC first has to show that its address is its own"},
		{Path: listener + "alt_svc", Flag: "alt-svc", NoValue: "on", Usage: "`on|off|VALUE`: tell clients over TCP of the way over QUIC (mode http)"},
		{Path: listener + "starttls", Flag: "starttls", Usage: "`none|postgres|smtp|imap|pop3|ldap`: protocol in which clients ask for TLS"},
		{Path: backend + "starttls", Flag: "backend-starttls", Usage: "`none|postgres|smtp|imap|pop3|ldap`: protocol in which the backend is asked for TLS"},
		{Path: listener + "original_dst", Flag: "original-dst", NoValue: "redirect", Usage: "`off|redirect|tproxy`: clients were redirected here; the backend is where each wanted to go (Linux)"},
		{Path: listener + "no_resumption", Flag: "no-resumption", NoValue: "true", Usage: "resume no session, neither with clients nor with backends"},
		{Path: listener + "certificates[0].cert", Flag: "cert", Usage: "PEM `FILE` of the certificate chain to serve (default: minted by the local authority)"},
		{Path: listener + "certificates[0].key", Flag: "key", Usage: "PEM `FILE` of its private key"},
		{Path: "ca_dir", Flag: "ca-dir", Usage: "`DIR` of the local authority"},
		{Path: "acme.directory", Flag: "acme", Usage: "order certificates from the ACME directory at `URL`"},
		{Path: "acme.names", Flag: "acme-names", Usage: "comma-separated `NAMES` to order (default: the server names of the routes)"},
		{Path: "acme.email", Flag: "acme-email", Usage: "`ADDRESS` of the account"},
		{Path: "acme.eab_key_id", Flag: "acme-eab-key-id", Usage: "key `ID` of the external account binding"},
		{Path: "acme.eab_key_file", Flag: "acme-eab-key-file", Usage: "`FILE` with the key of the external account binding"},
		{Path: "acme.challenges", Flag: "acme-challenges", Usage: "comma-separated `LIST` of tls-alpn-01 and http-01"},
		{Path: "acme.http", Flag: "acme-http", Usage: "answer http-01 on `ADDR` (default: :80)"},
		{Path: "acme.dir", Flag: "acme-dir", Usage: "`DIR` of accounts and certificates; replicas may share one"},
		{Path: "acme.ca", Flag: "acme-ca", Usage: "PEM `FILE` of roots for the directory's own certificate"},
		{Path: listener + "client_ca", Flag: "client-ca", Usage: "PEM `FILE` of authorities for client certificates"},
		{Path: listener + "client_crl", Flag: "client-crl", Usage: "`FILE` of revocation lists for client certificates"},
		{Path: listener + "client_auth", Flag: "client-auth", Usage: "`none|request|require`: whether clients are asked for a certificate"},
		{Path: listener + "client_identity", Flag: "client-identity", Usage: "`off|client-cert|xfcc`: header that tells the backend who a client proved to be (mode http)"},
		{Path: route + "client_auth", Flag: "route-client-auth", Usage: "`none|request|require` for the clients of this route (default: the listener's)"},
		{Path: route + "client_ca", Flag: "route-client-ca", Usage: "PEM `FILE` of authorities for the clients of this route (default: the listener's)"},
		{Path: route + "client_crl", Flag: "route-client-crl", Usage: "`FILE` of revocation lists for the clients of this route (default: the listener's)"},
		{Path: listener + "proxy_protocol", Flag: "proxy-protocol", NoValue: "on", Usage: "`on|off`: require a PROXY protocol header of each connection"},
		{Path: listener + "proxy_protocol_trusted", Flag: "proxy-protocol-trusted", Usage: "comma-separated `CIDRS` that may send it (default: all)"},
		{Path: listener + "forwarded_trusted", Flag: "forwarded-trusted", Usage: "comma-separated `CIDRS` whose own X-Forwarded-For is passed on (mode http)"},
		{Path: listener + "name", Flag: "listener-name", Usage: "`NAME` of the listener in records and metrics"},
		{Path: "admin.address", Flag: "admin", Usage: "`ADDR` of health, metrics and recent connections, or off"},
		{Path: "admin.hosts", Flag: "admin-hosts", Usage: "comma-separated `NAMES` accepted as Host by a loopback admin endpoint"},
		{Path: "shadow.to", Flag: "shadow", Usage: "send each kind of live hello to the canary at `HOST:PORT`, too, and say who would fail there"},
		{Path: "shadow.server_name", Flag: "shadow-sni", Usage: "`NAME` to ask the canary for (default: the clients' names)"},
		{Path: "shadow.proxy_protocol", Flag: "shadow-proxy-protocol", Usage: "`none|v1|v2`: PROXY protocol header sent to the canary"},
		{Path: "shadow.interval", Flag: "shadow-interval", Usage: "`DURATION` between two hellos of one kind and name"},
		{Path: "shadow.rate", Flag: "shadow-rate", Usage: "at most `N` connections a second to the canary"},
		{Path: "explain_backend", Flag: "explain-backend", NoValue: "on", Usage: "`on|off`: when a backend leg fails for no certain reason, find it out by experiment (up to 60 connections)"},
		{Path: "second_look", Flag: "second-look", Usage: "`on|off`: find out which names a backend knows when a leg fails over a name"},
		{Path: "monitor.interval", Flag: "monitor-interval", Usage: "look at every backend each `DURATION`; 0: at the start only"},
		{Path: "monitor.webhook", Flag: "monitor-webhook", Usage: "post every change of a backend to `URL`"},
		{Path: "record.file", Flag: "record", Usage: "append every connection's record to `FILE`"},
		{Path: "record.raw", Flag: "record-raw", Usage: "`all|failures|none`: whose raw hellos the recording keeps"},
		{Path: "record.pcapng_dir", Flag: "write-pcapng", Usage: "write the handshakes of each failed connection into `DIR`, a pcapng each"},
		{Path: "record.pcapng_files", Flag: "pcapng-files", Usage: "keep the latest `N` of these files"},
		{Path: "access_log.file", Flag: "access-log", Usage: "append every request to `FILE` (mode http)"},
		{Path: "access_log.format", Flag: "access-log-format", Usage: "`json|combined`: lines of the access log"},
		{Path: "access_log.query", Flag: "access-log-query", NoValue: "on", Usage: "`on|off`: query strings are in the access log"},
		{Path: "key_log", Flag: "keylog", Usage: "append the secrets of every session to `FILE`, for Wireshark: whoever reads it reads the traffic"},
		{Path: "output", Flag: "output", Short: "o", Usage: "`text|json`: form of what is printed"},
		{Path: "verbose", Flag: "verbose", Short: "v", NoValue: "true", Usage: "say everything of good connections, all fixes, and list noise"},
		{Path: "expiring_soon", Flag: "expiring-soon", Usage: "report certificates that end within `DURATION`"},
		{Path: "fail_on", Flag: "fail-on", Usage: "`error|warning|info|never`: severity from which findings make the exit code 1"},
		{Path: "log.level", Flag: "log-level", Usage: "`debug|info|warn|error`: log from this level on"},
		{Path: "log.format", Flag: "log-format", Usage: "`text|json`: form of the log"},
		{Path: "limits.connections", Flag: "limit-connections", Usage: "at most `N` open client connections"},
		{Path: "limits.hello_bytes", Flag: "limit-hello-bytes", Usage: "largest ClientHello, in `BYTES`"},
		{Path: "limits.queue", Flag: "limit-queue", Usage: "at most `N` records waiting to be written; more are dropped and counted"},
		{Path: "limits.recent", Flag: "limit-recent", Usage: "keep the latest `N` records for the admin endpoint"},
		{Path: "limits.timeouts.proxy_protocol", Flag: "timeout-proxy-protocol", Usage: "`DURATION` for the PROXY protocol header"},
		{Path: "limits.timeouts.client_hello", Flag: "timeout-client-hello", Usage: "`DURATION` for the ClientHello"},
		{Path: "limits.timeouts.dial", Flag: "timeout-dial", Usage: "`DURATION` for resolving and connecting to the backend"},
		{Path: "limits.timeouts.handshake", Flag: "timeout-handshake", Usage: "`DURATION` for the client's handshake"},
		{Path: "limits.timeouts.backend_handshake", Flag: "timeout-backend-handshake", Usage: "`DURATION` for the backend's handshake"},
		{Path: "limits.timeouts.request_header", Flag: "timeout-request-header", Usage: "`DURATION` for the header of a request (mode http)"},
		{Path: "limits.timeouts.request_body", Flag: "timeout-request-body", Usage: "`DURATION` between two pieces of a request's body (mode http); then 408"},
		{Path: "limits.timeouts.response", Flag: "timeout-response", Usage: "`DURATION` for the backend to begin its answer (mode http); then 504"},
		{Path: "limits.timeouts.bad_gateway", Flag: "timeout-bad-gateway", Usage: "`DURATION` for the HTTP request that is answered with 502"},
		{Path: "limits.timeouts.linger", Flag: "timeout-linger", Usage: "read on for `DURATION` after a fatal alert, so that the peer sees it"},
		{Path: "limits.timeouts.idle", Flag: "timeout-idle", Usage: "`DURATION` without a byte after which a connection is closed"},
		{Path: "limits.timeouts.lifetime", Flag: "timeout-lifetime", Usage: "`DURATION` after which a connection is closed, however busy it is; 0: never"},
		{Path: "limits.timeouts.drain", Flag: "timeout-drain", Usage: "`DURATION` for open connections to end after SIGTERM"},
	}
	defaults := defaultSimple()
	for i, s := range settings {
		if field, err := defaults.at(s.Path); err == nil {
			settings[i].Default = textOf(field)
		}
	}
	return settings
}

// defaultSimple is a configuration of one listener with one route, all of it default.
func defaultSimple() *Config {
	c := Default()
	c.Listeners = []Listener{{Certificates: []Certificate{{}}, Routes: []Route{{}}}}
	c.complete()
	c.Listeners[0].Name = ""
	return c
}

// Set gives one setting a value in the text form of flags and environment variables. source ("--listen") is cited by errors
// about that value, these and Validate's. A key of the first listener, route or certificate makes it if there is none.
func (c *Config) Set(s Setting, text, source string) error {
	field, err := c.at(s.Path)
	if err != nil {
		return &Error{Source: source, Path: s.Path, Message: err.Error()}
	}
	// A list that failed to parse in the middle must leave nothing behind.
	value := reflect.New(field.Type()).Elem()
	if err := setText(value, text); err != nil {
		return &Error{Source: source, Path: s.Path, Message: err.Error()}
	}
	field.Set(value)
	c.setOrigin(s.Path, origin{source: source})
	return nil
}

// Given reports whether the key at path was set by the file, the environment or a flag, rather than by default.
func (c *Config) Given(path string) bool { _, ok := c.origins[path]; return ok }

// commanded reports whether a flag or the environment set the key at path.
func (c *Config) commanded(path string) bool { o, ok := c.origins[path]; return ok && o.line == 0 }

// at finds the field of a path, following the keys of the types. An index is always 0.
func (c *Config) at(path string) (reflect.Value, error) {
	value, walked := reflect.ValueOf(c).Elem(), ""
	for part := range strings.SplitSeq(path, ".") {
		key, isFirst := strings.CutSuffix(part, "[0]")
		index, ok := fieldsOf(value.Type())[key]
		if !ok {
			return reflect.Value{}, fmt.Errorf("no key %q", path)
		}
		value, walked = value.Field(index), joinPath(walked, key)
		if !isFirst {
			continue
		}
		switch value.Len() {
		case 0:
			value.Set(reflect.MakeSlice(value.Type(), 1, 1))
		case 1:
		default:
			return reflect.Value{}, fmt.Errorf("the file has %d %s, so set this there", value.Len(), walked)
		}
		value = value.Index(0)
		walked += "[0]"
	}
	return value, nil
}
