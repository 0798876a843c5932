package configs

import (
	"net/netip"
	"time"
)

// Config is the whole configuration of `tlstriage proxy`. Default gives its defaults; Load, Resolve and ApplyEnv fill it.
type Config struct {
	Listeners    []Listener    `yaml:"listeners"`       // at least one, at most MaxListeners
	CADir        string        `yaml:"ca_dir"`          // directory of the local authority; empty: where `tlstriage ca` keeps it
	ACME         ACME          `yaml:"acme"`            // certificates ordered from an authority, for listeners without files
	Revocation   Revocation    `yaml:"revocation"`      // whom backends' revocation is asked of
	Monitor      Monitor       `yaml:"monitor"`         // looks at every backend now and then
	Shadow       Shadow        `yaml:"shadow"`          // live hellos sent to a canary, too
	Explain      Switch        `yaml:"explain_backend"` // on: when a backend leg fails for no certain reason, find it out by experiment
	SecondLook   Switch        `yaml:"second_look"`     // on: when a backend leg fails over a name, find out which names it knows
	Admin        Admin         `yaml:"admin"`           // health, metrics, recent connections
	Limits       Limits        `yaml:"limits"`          // every bound by its name
	Record       Record        `yaml:"record"`          // the recording
	AccessLog    AccessLog     `yaml:"access_log"`      // each request of mode http
	KeyLog       string        `yaml:"key_log"`         // file that the secrets of every session are appended to (SSLKEYLOGFILE); empty: none
	Output       Output        `yaml:"output"`          // form of what is printed on standard output
	Verbose      bool          `yaml:"verbose"`         // text says everything of good connections, all fixes, and lists noise
	ExpiringSoon time.Duration `yaml:"expiring_soon"`   // a certificate that ends within it is reported; 0: never
	FailOn       FailOn        `yaml:"fail_on"`         // severity from which findings make the exit code 1
	Log          Log           `yaml:"log"`             // what the program says of itself, on standard error

	origins  map[string]origin // by path: where a value was set
	warnings []*Error
}

// Listener is one address that clients connect to.
type Listener struct {
	Name                 string         `yaml:"name"`                   // for records and metrics; empty: "default", or "listener-N" where there are several
	Address              string         `yaml:"address"`                // HOST:PORT or :PORT; port 0: any free one
	Mode                 Mode           `yaml:"mode"`                   // what happens to the client's TLS
	ProxyProtocol        Switch         `yaml:"proxy_protocol"`         // on: each connection must begin with a PROXY protocol header, v1 or v2
	ProxyProtocolTrusted []netip.Prefix `yaml:"proxy_protocol_trusted"` // peers that may send the header; empty: any; others are refused
	ForwardedTrusted     []netip.Prefix `yaml:"forwarded_trusted"`      // clients whose own X-Forwarded-For and the like are passed on in mode http; empty: nobody's
	ClientAuth           ClientAuth     `yaml:"client_auth"`            // whether clients are asked for a certificate
	ClientCA             string         `yaml:"client_ca"`              // PEM file: authorities that client certificates must chain to
	ClientCRL            string         `yaml:"client_crl"`             // file of revocation lists, of every authority in client_ca; empty: revocation is not looked into
	ClientIdentity       ClientIdentity `yaml:"client_identity"`        // header that tells the backend who a client proved to be, in mode http
	Certificates         []Certificate  `yaml:"certificates"`           // served, chosen by SNI; empty: the local authority mints them
	Fallback             Fallback       `yaml:"fallback"`               // what becomes of a client that this program cannot serve
	QUIC                 Switch         `yaml:"quic"`                   // on: QUIC, too, over UDP; in mode http that is HTTP/3
	QUICAddress          string         `yaml:"quic_address"`           // HOST:PORT for QUIC; empty: as address
	QUICRetry            QUICRetry      `yaml:"quic_retry"`             // when a client over QUIC first has to show that its address is its own
	AltSvc               AltSvc         `yaml:"alt_svc"`                // what answers over TCP say of the way over QUIC, in mode http
	StartTLS             StartTLS       `yaml:"starttls"`               // protocol in which clients ask for TLS; empty: they speak TLS at once
	OriginalDst          OriginalDst    `yaml:"original_dst"`           // connections were redirected here: each goes on to where its client wanted to go
	NoResumption         bool           `yaml:"no_resumption"`          // no session is resumed, neither with clients nor with backends
	Routes               []Route        `yaml:"routes"`                 // by SNI; at least one
}

// Route sends the clients of some server names to one backend.
type Route struct {
	ServerNames []string `yaml:"server_names"` // exact names, "*.example.com" (one label), "*" or none at all: every other client
	Backend     Backend  `yaml:"backend"`
	Policy      string   `yaml:"policy"`  // REF of the policy that hellos are held against; empty: none
	Enforce     bool     `yaml:"enforce"` // refuse what the policy refuses, the way the real endpoint would; false: report only

	ClientAuth ClientAuth `yaml:"client_auth"` // as the listener's, for the clients of this route; empty: the listener's
	ClientCA   string     `yaml:"client_ca"`   // likewise
	ClientCRL  string     `yaml:"client_crl"`  // likewise
}

// ClientCertificates is what clients of a route are asked for: the route's own settings before those of its listener.
func (l *Listener) ClientCertificates(r *Route) (auth ClientAuth, ca, crl string) {
	auth, ca, crl = r.ClientAuth, r.ClientCA, r.ClientCRL
	if auth == "" {
		auth = l.ClientAuth
	}
	if auth == ClientAuthNone || auth == "" {
		return ClientAuthNone, "", ""
	}
	if ca == "" {
		ca = l.ClientCA
		if crl == "" {
			crl = l.ClientCRL // it is about those authorities
		}
	}
	return auth, ca, crl
}

// Backend is where a route's connections go.
type Backend struct {
	URL           string          `yaml:"url"`            // https://HOST:PORT, tls://HOST:PORT, tcp://HOST:PORT or http://HOST:PORT
	StartTLS      StartTLS        `yaml:"starttls"`       // protocol in which the backend is asked for TLS; empty: it speaks TLS at once
	ServerName    string          `yaml:"server_name"`    // SNI sent and name verified; empty: the client's SNI, else the URL's host
	CA            string          `yaml:"ca"`             // PEM file: roots to verify the backend with; empty: the system's
	Verify        BackendVerify   `yaml:"verify"`         // whether a bad chain also stops the traffic
	Cert          string          `yaml:"cert"`           // PEM file: client certificate chain shown to the backend
	Key           string          `yaml:"key"`            // PEM file: its private key
	ProxyProtocol ProxyHeader     `yaml:"proxy_protocol"` // header sent to the backend
	Protocol      BackendProtocol `yaml:"protocol"`       // what is spoken to it in mode http
	MinVersion    Version         `yaml:"min_version"`    // lowest TLS version offered; empty: what the client offered, as far as possible
	MaxVersion    Version         `yaml:"max_version"`    // highest TLS version offered; empty: the highest known
	Revocation    RevocationCheck `yaml:"revocation"`     // how far revocation of the backend's chain is looked into
}

// ACME orders the certificates of listeners that have no files.
type ACME struct {
	Directory  string          `yaml:"directory"`    // URL of the authority's directory; empty: ACME is off
	Email      string          `yaml:"email"`        // contact of the account
	Names      []string        `yaml:"names"`        // to order; "*.example.com": each name below it when a client first asks. Empty: the server_names of the routes
	EABKeyID   string          `yaml:"eab_key_id"`   // external account binding, where the authority demands one
	EABKeyFile string          `yaml:"eab_key_file"` // file with its key, base64url
	Challenges []ACMEChallenge `yaml:"challenges"`   // how names are validated
	HTTP       string          `yaml:"http"`         // address that answers http-01; empty: ":80"
	Dir        string          `yaml:"dir"`          // of accounts and certificates; several replicas may share one. Empty: beside the local authority
	CA         string          `yaml:"ca"`           // PEM file: roots for the directory's own certificate; empty: the system's
}

// Enabled reports whether certificates are ordered.
func (a ACME) Enabled() bool { return a.Directory != "" }

// Revocation says whom revocation is asked of, and how.
type Revocation struct {
	Hosts              []string `yaml:"hosts"`               // responders that may be asked although they are not public: host, host:port, address or network
	Responder          string   `yaml:"responder"`           // URL asked instead of those in certificates
	FetchIntermediates bool     `yaml:"fetch_intermediates"` // fetch an intermediate that a backend does not send, to say which one lacks
}

// Monitor looks at every backend at the start and now and then.
type Monitor struct {
	Interval time.Duration `yaml:"interval"` // between two looks; 0: at the start only
	Webhook  string        `yaml:"webhook"`  // URL that every change is posted to; empty: none
}

// Certificate is a certificate chain with its key.
type Certificate struct {
	Cert string `yaml:"cert"` // PEM file, leaf first
	Key  string `yaml:"key"`  // PEM file
}

// Admin is the operator's HTTP endpoint.
type Admin struct {
	Address string   `yaml:"address"` // HOST:PORT, or "off"
	Hosts   []string `yaml:"hosts"`   // Host names accepted besides loopback ones while listening on loopback
}

// AdminOff is the value of Admin.Address that switches the endpoint off.
const AdminOff = "off"

// Enabled reports whether the endpoint is wanted.
func (a Admin) Enabled() bool { return a.Address != AdminOff && a.Address != "" }

// Limits are the bounds of everything that a stranger can make large, slow or many.
type Limits struct {
	Connections int      `yaml:"connections"` // open client connections over all listeners
	HelloBytes  Size     `yaml:"hello_bytes"` // handshake message bytes of a ClientHello
	Queue       int      `yaml:"queue"`       // records waiting to be diagnosed and written; more are dropped and counted
	Recent      int      `yaml:"recent"`      // records kept in memory for the admin endpoint
	Timeouts    Timeouts `yaml:"timeouts"`
}

// Timeouts hold one phase of a connection each.
type Timeouts struct {
	ProxyProtocol    time.Duration `yaml:"proxy_protocol"`    // until the PROXY protocol header is complete
	ClientHello      time.Duration `yaml:"client_hello"`      // until the ClientHello is complete
	Dial             time.Duration `yaml:"dial"`              // resolving the backend and connecting to it
	Handshake        time.Duration `yaml:"handshake"`         // client leg, from the complete ClientHello on
	BackendHandshake time.Duration `yaml:"backend_handshake"` // backend leg
	RequestHeader    time.Duration `yaml:"request_header"`    // mode http: for the header of a request
	RequestBody      time.Duration `yaml:"request_body"`      // mode http: between two pieces of a request's body
	Response         time.Duration `yaml:"response"`          // mode http: for the backend to begin its answer
	BadGateway       time.Duration `yaml:"bad_gateway"`       // for the HTTP request that is answered with 502 when the backend leg failed
	Idle             time.Duration `yaml:"idle"`              // without a byte in either direction
	Lifetime         time.Duration `yaml:"lifetime"`          // of a connection, however busy it is; 0: unbounded
	Linger           time.Duration `yaml:"linger"`            // reading on after a fatal alert, so that the peer gets to see it
	Drain            time.Duration `yaml:"drain"`             // for open connections to end after SIGTERM
}

// Shadow sends what clients say hello with to a canary, once for each kind of client and name, beside the traffic and without any effect
// on it.
type Shadow struct {
	To            string        `yaml:"to"`             // HOST:PORT of the canary; empty: none
	ServerName    string        `yaml:"server_name"`    // asked for in place of the clients' names; empty: theirs
	ProxyProtocol ProxyHeader   `yaml:"proxy_protocol"` // header sent to it
	Interval      time.Duration `yaml:"interval"`       // between two hellos of one kind and name
	Rate          int           `yaml:"rate"`           // connections a second at most
}

// Enabled reports whether there is a canary.
func (s Shadow) Enabled() bool { return s.To != "" }

// Record is the recording of connections: NDJSON, one record a line.
type Record struct {
	File string    `yaml:"file"` // created with mode 0600, appended to; empty: none
	Raw  RecordRaw `yaml:"raw"`  // whose raw hello bytes it holds

	PcapngDir   string `yaml:"pcapng_dir"`   // directory for the handshakes of failed connections, a pcapng each; empty: none
	PcapngFiles int    `yaml:"pcapng_files"` // the most files; the oldest ones of this run make room
}

// AccessLog is the log of requests, in mode http.
type AccessLog struct {
	File   string       `yaml:"file"`   // created with mode 0600, appended to, opened again at SIGHUP; empty: none
	Format AccessFormat `yaml:"format"` // of its lines
	Query  Switch       `yaml:"query"`  // whether it holds the query strings, in which secrets may be
}

// Log is what the program says of itself.
type Log struct {
	Level  LogLevel `yaml:"level"`
	Format Output   `yaml:"format"`
}

// Size is a number of bytes, written as a number or with a unit: 65536, 64KiB, 1MiB.
type Size int64
