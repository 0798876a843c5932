package why

import (
	"time"

	"github.com/tlstriage/tlstriage/inspect/probe"
)

// Verdict is what the experiment came to.
type Verdict string

// Verdicts.
const (
	Explained    Verdict = "explained"
	NoFailure    Verdict = "no_failure"   // the endpoint accepts the hello
	Undetermined Verdict = "undetermined" // it does not, and why could not be told
)

// Axis is the property of a hello, or of what is around it, that a cause is about.
type Axis string

// Axes.
const (
	AxisServerName        Axis = "sni"
	AxisVersion           Axis = "version"
	AxisCipher            Axis = "cipher"
	AxisGroup             Axis = "group"
	AxisKeyShare          Axis = "key_share"
	AxisSignature         Axis = "signature"
	AxisALPN              Axis = "alpn"
	AxisExtension         Axis = "extension"
	AxisSize              Axis = "size"
	AxisSegmentation      Axis = "segmentation"
	AxisRecordVersion     Axis = "record_version"
	AxisProxyProtocol     Axis = "proxy_protocol"
	AxisClientCertificate Axis = "client_certificate"
	AxisNotTLS            Axis = "not_tls"
	AxisNetwork           Axis = "network"
)

// Ids of causes. They are stable.
const (
	ServerNameRequired        = "server-name-required"
	ServerNameUnknown         = "server-name-unknown"  // another name is accepted, or none
	ServerNameCase            = "server-name-case"     // it is accepted in lower case
	ServerNameFiltered        = "server-name-filtered" // it is accepted where a filter does not see it
	NoCommonVersion           = "no-common-version"    //
	VersionIntolerance        = "version-intolerance"  // a version that is offered makes it fail, although another one is common
	VersionNotFinished        = "version-not-finished" // it chooses a version, and ends the handshake behind its ServerHello
	NoCommonQUICVersion       = "no-common-quic-version"
	NoCommonCipher            = "no-common-cipher"         //
	CipherRequired            = "cipher-required"          // it wants a suite to be offered, whichever it chooses
	CipherIntolerance         = "cipher-intolerance"       // a suite that is offered makes it fail
	TooManyCiphers            = "too-many-ciphers"         // the number of them does
	CipherCountIntolerance    = "cipher-count-intolerance" // it is odd, or even
	CipherOrder               = "cipher-order"
	FallbackRefused           = "fallback-refused"  // TLS_FALLBACK_SCSV says that this is a second try with a lower version
	NoCommonGroup             = "no-common-group"   //
	GroupRequired             = "group-required"    // it wants a group to be offered, whichever it chooses
	GroupIntolerance          = "group-intolerance" //
	TooManyGroups             = "too-many-groups"
	RetryFailed               = "hello-retry-failed"    // it asks for another key share, and then does not go on
	KeyShareRequired          = "key-share-required"    // it wants a key share in the first hello
	KeyShareIntolerance       = "key-share-intolerance" //
	KeyShareOrder             = "key-share-order"
	NoCommonSignature         = "no-common-signature"   //
	SignatureRequired         = "signature-required"    // it wants a scheme to be offered, whichever it signs with
	SignatureIntolerance      = "signature-intolerance" //
	TooManySchemes            = "too-many-signature-schemes"
	NoCommonALPN              = "no-common-alpn"         //
	ALPNRequired              = "alpn-required"          //
	ALPNIntolerance           = "alpn-intolerance"       //
	ExtensionIntolerance      = "extension-intolerance"  //
	ExtensionRequired         = "extension-required"     //
	ExtensionOrder            = "extension-order"        //
	RenegotiationIndication   = "renegotiation-required" // RFC 5746
	CompressionIntolerance    = "compression-intolerance"
	GREASEIntolerance         = "grease-intolerance"            // of reserved values (RFC 8701)
	UnknownIntolerance        = "unknown-extension-intolerance" // of every extension that it does not know
	IllegalChoice             = "illegal-choice"                // what it chooses was not offered
	GroupOrder                = "group-order"
	SignatureOrder            = "signature-order"
	ALPNOrder                 = "alpn-order"
	SessionIDIntolerance      = "session-id-intolerance"
	TooManyExtensions         = "too-many-extensions"     // the number of them
	CombinationIntolerance    = "combination-intolerance" // several properties together, none of which is enough
	HelloTooLarge             = "hello-too-large"
	HelloTooSmall             = "hello-too-small"
	HelloSizeIntolerance      = "hello-size-intolerance" // larger ones are accepted
	FragmentedRecords         = "fragmented-records"     // TLS records
	FragmentedSegments        = "fragmented-segments"    // TCP segments
	RecordVersionRefused      = "record-version-refused"
	SSLv2FormatRefused        = "sslv2-format-refused"
	ProxyHeaderRequired       = "proxy-header-required"
	ProxyHeaderUnexpected     = "proxy-header-unexpected"
	ClientCertificateRequired = "client-certificate-required"
	ClientCertificateRefused  = "client-certificate-refused"
	PlainHTTP                 = "plain-http"
	StartTLSRequired          = "starttls-required"   // TLS has to be asked for
	StartTLSUnexpected        = "starttls-unexpected" // TLS begins at once
	OtherProtocol             = "other-protocol"
	ConnectionRefused         = "connection-refused"
	Unreachable               = "unreachable"
	Unresolvable              = "unresolvable"
	ConnectTimeout            = "connect-timeout"
	Silent                    = "silent" // to every hello
	ResetsAll                 = "resets-everything"
	ClosesAll                 = "closes-everything"
	IncompleteAnswer          = "incomplete-answer" // begun, and not ended in time
	EndlessAnswer             = "endless-answer"    // more than is read
	AddressesDiffer           = "addresses-differ"  // of those behind a name some accept the hello and some do not
	Flapping                  = "flapping"
	RateLimited               = "rate-limited"
	HandshakeCut              = "handshake-cut" // when the client's Finished comes
	HelloAltered              = "hello-altered" // the endpoint has read another hello than the one that was sent
)

// Cause is one reason, with what shows it.
type Cause struct {
	ID       string   `json:"id"`
	Axis     Axis     `json:"axis"`
	Evidence string   `json:"evidence"` // what was sent and what came back
	Sentence string   `json:"sentence"` // for a person
	Offered  []string `json:"offered,omitempty"`
	Accepted []string `json:"accepted,omitempty"` // as far as it was found out
	Limit    int      `json:"limit,omitempty"`    // the most that is accepted: bytes, suites, extensions, connections; hello-too-small: the fewest bytes
	Together []string `json:"together,omitempty"` // combination-intolerance: what has to come together
	Fix      string   `json:"fix,omitempty"`      // what to change, in a sentence
}

// Probe is one connection of the experiment.
type Probe struct {
	Number     int           `json:"number"`
	Change     string        `json:"change"` // what was different from the hello in question; empty: nothing
	Size       int           `json:"size"`   // bytes of the hello
	Outcome    probe.Outcome `json:"outcome"`
	Answer     string        `json:"answer"`
	Works      bool          `json:"works"`
	DurationMS float64       `json:"duration_ms"`
}

// Result is the outcome of an experiment.
type Result struct {
	Target      string   `json:"target"`
	Verdict     Verdict  `json:"verdict"`
	Cause       string   `json:"cause"` // id of the first cause; empty: there is none
	Causes      []Cause  `json:"causes"`
	Connections int      `json:"connections"`         // that were made
	Sentence    string   `json:"sentence"`            // of the whole
	Failure     string   `json:"failure,omitempty"`   // what the endpoint answers to the hello
	Meaning     string   `json:"meaning,omitempty"`   // what that answer can mean, by who gives it
	Notes       []string `json:"notes,omitempty"`     // what else was seen
	Tried       []string `json:"tried,omitempty"`     // undetermined: what made no difference
	Exhausted   bool     `json:"exhausted,omitempty"` // the budget of connections was used up before the end
	Began       string   `json:"@timestamp"`          // RFC 3339
	DurationMS  float64  `json:"duration_ms"`
	Address     string   `json:"address,omitempty"` // that was connected to
	ServerName  string   `json:"sni,omitempty"`     // that the hello in question asks for
	Shape       string   `json:"shape,omitempty"`   // of the hello in question
	HelloSize   int      `json:"hello_size"`        // bytes of its message
	Probes      []Probe  `json:"probes"`
}

func (r *Result) finish(began time.Time) {
	r.DurationMS = float64(time.Since(began).Microseconds()) / 1000
	r.Began = began.UTC().Format(time.RFC3339Nano)
	r.Connections = len(r.Probes)
	if r.Causes == nil {
		r.Causes = []Cause{}
	}
	if len(r.Causes) > 0 {
		r.Cause = r.Causes[0].ID
	}
}
