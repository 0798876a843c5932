package inspect

// Leg is one of the two TLS connections that a proxied connection consists of: client to proxy, or proxy to backend.
// In a capture there is only a client leg, from the client to the server.
type Leg struct {
	Address       string      `json:"address,omitempty"` // of the peer dialled
	Port          int         `json:"port,omitempty"`
	TLS           *TLS        `json:"tls,omitempty"` // nil: the leg does not speak TLS, or nothing was exchanged
	TCP           *TCP        `json:"tcp,omitempty"`
	QUIC          *QUIC       `json:"quic,omitempty"`           // what only QUIC has; nil: another transport
	Error         *Error      `json:"error,omitempty"`          // why the leg ended before it was established, or broke afterwards
	FirstBytes    *FirstBytes `json:"first_bytes,omitempty"`    // what came instead of TLS
	ServerName    string      `json:"server_name,omitempty"`    // backend leg: the name asked for and verified
	ProxyProtocol string      `json:"proxy_protocol,omitempty"` // backend leg: version of the PROXY protocol header that was sent first, v1 or v2
	StartTLS      *StartTLS   `json:"starttls,omitempty"`       // how TLS was asked for; absent: it was spoken at once
	Plain         bool        `json:"plain,omitempty"`          // the leg is plain TCP by configuration
	Passthrough   bool        `json:"passthrough,omitempty"`    // bytes went through untouched
	PeerEnd       PeerEnd     `json:"peer_end,omitempty"`       // how the peer ended what it sent, once bytes were copied
	OpenEnded     bool        `json:"open_ended,omitempty"`     // backend leg: cut in an HTTP answer whose end only the end of the connection tells
	Unanswered    bool        `json:"unanswered,omitempty"`     // backend leg: something was sent to it, and it ended before its first byte
	Silent        bool        `json:"silent,omitempty"`         // client leg: the client ended it when no data had come of either side
	Experiment    *Experiment `json:"experiment,omitempty"`     // backend leg: why it refuses the hello, where that was found out by sending others
	Looks         []Look      `json:"looks,omitempty"`          // backend leg: what it answers to other names, where that was looked at
}

// StartTLS is how the two sides of a leg came from plain text to TLS.
type StartTLS struct {
	Protocol string `json:"protocol"`          // of the dialogue: smtp, imap, …
	Direct   bool   `json:"direct,omitempty"`  // client leg: the client spoke TLS without asking for it
	Refused  bool   `json:"refused,omitempty"` // the backend said no; client leg: the client went on without TLS
	Answer   string `json:"answer,omitempty"`  // what the backend said, empty where it did not list TLS among what it offers; client leg: the client's command, without what is behind it
}

// PeerEnd is how a peer ended what it sends. Absent: it did not, the other side or this program ended the connection.
type PeerEnd string

// Ways to end. "Each party MUST send a close_notify alert before closing its write side of the connection" (RFC 8446, Section 6.1):
// whoever does not lets nobody tell whether something is missing.
const (
	PeerCloseNotify PeerEnd = "close_notify" // in TLS
	PeerTruncated   PeerEnd = "truncated"    // of TCP alone, on a leg of TLS
	PeerFIN         PeerEnd = "fin"          // of TCP, where there is no TLS or it passed through
	PeerReset       PeerEnd = "reset"
	PeerClose       PeerEnd = "connection_close" // of QUIC (RFC 9000, Section 10.2)
)

// TLS is what was seen of a TLS handshake. Negotiated values are empty when nothing was negotiated.
type TLS struct {
	Established       bool       `json:"established"`
	Version           string     `json:"version,omitempty"`
	Cipher            string     `json:"cipher,omitempty"`
	Curve             string     `json:"curve,omitempty"`
	NextProtocol      string     `json:"next_protocol,omitempty"`
	Resumed           bool       `json:"resumed"`
	HelloRetryRequest bool       `json:"hello_retry_request"`
	SignatureScheme   string     `json:"signature_scheme,omitempty"` // of the server's ServerKeyExchange or CertificateVerify, where visible
	Client            *Hello     `json:"client,omitempty"`
	Server            *Server    `json:"server,omitempty"`
	Alerts            []Alert    `json:"alerts,omitempty"`
	Handshake         *Handshake `json:"handshake,omitempty"`
}

// Hello is what a client offered.
type Hello struct {
	ServerName               string       `json:"server_name,omitempty"`
	LegacyVersion            string       `json:"legacy_version,omitempty"`
	RecordVersion            string       `json:"record_version,omitempty"`
	SupportedVersions        []string     `json:"supported_versions,omitempty"`
	SupportedVersionsDerived bool         `json:"supported_versions_derived,omitempty"` // no extension: only legacy_version is listed
	SupportedCiphers         []string     `json:"supported_ciphers,omitempty"`          // GREASE dropped, SCSVs kept
	SupportedGroups          []string     `json:"supported_groups,omitempty"`
	KeyShareGroups           []string     `json:"key_share_groups,omitempty"`
	SignatureAlgorithms      []string     `json:"signature_algorithms,omitempty"`
	SignatureAlgorithmsCert  []string     `json:"signature_algorithms_cert,omitempty"`
	ALPNProtocols            []string     `json:"alpn_protocols,omitempty"`
	Extensions               []string     `json:"extensions,omitempty"` // wire order, GREASE dropped
	CompressionMethods       []string     `json:"compression_methods,omitempty"`
	ECPointFormats           []string     `json:"ec_point_formats,omitempty"`
	PSKKeyExchangeModes      []string     `json:"psk_key_exchange_modes,omitempty"`
	EarlyData                bool         `json:"early_data"`
	ECH                      string       `json:"ech,omitempty"` // none | grease_or_outer
	JA3                      string       `json:"ja3,omitempty"`
	JA3String                string       `json:"ja3_string,omitempty"`
	JA4                      string       `json:"ja4,omitempty"`
	JA4Raw                   string       `json:"ja4_r,omitempty"`
	Shape                    string       `json:"shape,omitempty"` // what stays the same between two connections of one client
	Message                  *HelloBytes  `json:"hello,omitempty"`
	Retry                    *Hello       `json:"retry_hello,omitempty"` // the second ClientHello after a HelloRetryRequest
	Certificate              *Certificate `json:"certificate,omitempty"` // the client's, if it sent one
	Revocation               *Revocation  `json:"revocation,omitempty"`  // what is known about that certificate; absent: nobody asked
}

// HelloBytes is the hello as a message: how large it was, in how many pieces it came, and its bytes.
type HelloBytes struct {
	Size     int    `json:"size"`     // handshake message bytes, header included
	Records  int    `json:"records"`  // TLS records that it came in
	Segments int    `json:"segments"` // TCP reads or packets that it came in
	GREASE   bool   `json:"grease"`
	SSLv2    bool   `json:"sslv2"`
	Complete bool   `json:"complete"`
	Raw      []byte `json:"raw,omitempty"` // the handshake message, as far as it came; where it is not complete and Records is 0: the first bytes as they came
}

// Server is what a server presented.
type Server struct {
	CertificateChain   []Certificate       `json:"certificate_chain,omitempty"` // as presented, leaf first
	CertificatesSent   int                 `json:"certificates_sent,omitempty"` // how many came, where CertificateChain holds the first of them only
	OCSP               *OCSP               `json:"ocsp,omitempty"`
	SCTs               int                 `json:"scts,omitempty"`
	SCTList            [][]byte            `json:"sct_list,omitempty"`   // the timestamps that came in the handshake, as they came
	Revocation         *Revocation         `json:"revocation,omitempty"` // what was found out about the chain; absent: nobody asked
	Validation         *Validation         `json:"validation,omitempty"`
	CertificateRequest *CertificateRequest `json:"certificate_request,omitempty"` // the server asked for a client certificate
}

// CertificateRequest is what a server asked of the client's certificate.
type CertificateRequest struct {
	Authorities         []string `json:"authorities,omitempty"` // distinguished names, as the server listed them
	Types               []string `json:"types,omitempty"`       // TLS 1.2 and before: kinds of certificates, as the server listed them
	SignatureAlgorithms []string `json:"signature_algorithms,omitempty"`
	CertificateSent     bool     `json:"certificate_sent"`  // the client answered with a certificate
	Refusal             string   `json:"refusal,omitempty"` // what an HTTP server answered the first request with instead of an alert: status and title
}

// Validation says what became of the validation of a presented chain.
type Validation struct {
	Status string `json:"status"` // ValidationValid and its siblings
	Error  string `json:"error,omitempty"`
}

// States of a validation.
const (
	ValidationValid      = "valid"
	ValidationInvalid    = "invalid"
	ValidationNotChecked = "not_checked"
	ValidationNotVisible = "not_visible"
)

// Alert is a TLS alert with the side that sent it.
type Alert struct {
	Level       string `json:"level"` // warning | fatal
	Code        uint8  `json:"code"`
	Description string `json:"description"`
	From        Side   `json:"from"`
}

// Side is the role in TLS of one end of a leg.
type Side string

// Sides.
const (
	FromClient Side = "client"
	FromServer Side = "server"
)

// Handshake tells the course of a handshake.
type Handshake struct {
	History    string  `json:"history"` // a letter a message, docs/record.md; upper case: client
	DurationMS float64 `json:"duration_ms"`
}

// TCP is what the platform tells of the transport (Linux only).
type TCP struct {
	RTTMS       float64 `json:"rtt_ms"`
	Retransmits uint32  `json:"retransmits"`
	MSS         uint32  `json:"mss"`
	PathMTU     uint32  `json:"path_mtu,omitempty"`
}

// Error is why a leg failed.
type Error struct {
	Type    ErrorType `json:"type"`
	Message string    `json:"message,omitempty"` // the library's own words
	Phase   Phase     `json:"phase,omitempty"`
}

// Phase is the part of a connection's life in which something happened.
type Phase string

// Phases of a leg.
const (
	PhaseProxyProtocol Phase = "proxy_protocol"
	PhaseStartTLS      Phase = "starttls" // the dialogue that asks for TLS
	PhasePeek          Phase = "peek"     // waiting for the client's first flight
	PhaseDecide        Phase = "decide"
	PhaseResolve       Phase = "resolve"
	PhaseDial          Phase = "dial"
	PhaseHandshake     Phase = "handshake"
	PhaseTransfer      Phase = "transfer"
)

// ErrorType is a closed set of reasons; rules decide on it, never on a message.
type ErrorType string

// Reasons. "local" is the side that this program plays on the leg, "remote" its peer.
const (
	ErrorNotTLS             ErrorType = "not_tls"         // first bytes are no TLS: FirstBytes says what they are
	ErrorMalformedHello     ErrorType = "malformed_hello" // a hello that does not parse
	ErrorHelloTooLarge      ErrorType = "hello_too_large"
	ErrorIncompleteHello    ErrorType = "incomplete_hello" // closed in the middle of the hello
	ErrorEmpty              ErrorType = "empty"            // closed before the first byte
	ErrorTimeout            ErrorType = "timeout"          // Phase says which one
	ErrorClosed             ErrorType = "closed"           // the peer closed the connection (FIN) before the handshake was done
	ErrorReset              ErrorType = "reset"            // the peer or something between reset the connection
	ErrorRefused            ErrorType = "refused"          // connection refused
	ErrorUnreachable        ErrorType = "unreachable"      // no route, network unreachable
	ErrorUnresolvable       ErrorType = "unresolvable"     // the name has no address
	ErrorAlertReceived      ErrorType = "alert_received"   // the peer sent a fatal alert: Alerts has it
	ErrorAlertSent          ErrorType = "alert_sent"       // this program refused the peer: Alerts has the alert
	ErrorPolicy             ErrorType = "policy"           // refused because of --enforce
	ErrorNoRoute            ErrorType = "no_route"         // no route takes this server name
	ErrorViewsDiffer        ErrorType = "views_differ"     // the TLS library and our parser read the hello differently
	ErrorNoCommonVersion    ErrorType = "no_common_version"
	ErrorNoCommonCipher     ErrorType = "no_common_cipher"
	ErrorNoCommonGroup      ErrorType = "no_common_group"
	ErrorNoCommonSignature  ErrorType = "no_common_signature"
	ErrorNoCommonALPN       ErrorType = "no_common_alpn"
	ErrorUnsupported        ErrorType = "unsupported"         // the TLS library here cannot do what would be needed
	ErrorNoCertificate      ErrorType = "no_certificate"      // no certificate to serve for this name
	ErrorCertificatePending ErrorType = "certificate_pending" // the name is served, and its certificate could not be had yet
	ErrorClientCertificate  ErrorType = "client_certificate"  // the client's certificate is missing or was refused by us
	ErrorCertificate        ErrorType = "certificate"         // the backend's certificate was refused by us (--backend-verify enforce)
	ErrorProxyProtocol      ErrorType = "proxy_protocol"      // no valid PROXY protocol header where one is required
	ErrorStartTLS           ErrorType = "starttls"            // the dialogue that asks for TLS did not end in it: StartTLS says why
	ErrorLoop               ErrorType = "loop"                // the connection was meant for this program itself, or came from it
	ErrorOverloaded         ErrorType = "overloaded"          // the bound on connections was reached; backend leg: that of the operating system on descriptors
	ErrorStuck              ErrorType = "stuck"               // capture: a segment of the handshake was sent again and again and never acknowledged
	ErrorNoAnswer           ErrorType = "no_answer"           // capture: the connection request was never answered
	ErrorUnacknowledged     ErrorType = "unacknowledged"      // capture: the connection request was answered, and the answer never acknowledged
	ErrorStalled            ErrorType = "stalled"             // capture: the handshake stood still until the capture or the idle time ended
	ErrorShutdown           ErrorType = "shutdown"            // cut by our own shutdown
	ErrorOther              ErrorType = "other"
)

// FirstBytes is what a peer sent where TLS was expected.
type FirstBytes struct {
	Protocol string `json:"protocol"`          // http | ssh | smtp | proxy_protocol | … | unknown
	Raw      []byte `json:"raw,omitempty"`     // at most the first 256 bytes
	Summary  string `json:"summary,omitempty"` // its first line, printable
}
