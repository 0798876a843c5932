package scan

import (
	"slices"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Report is what was found out about one address. Versions, suites, groups and schemes go by their registry names.
type Report struct {
	Address string  `json:"address"`
	Layers  []Layer `json:"layers"`

	Versions         []string                     `json:"versions"` // newest first
	VersionAnswers   map[string]Answer            `json:"version_answers,omitempty"`
	Ciphers          map[string][]string          `json:"ciphers"` // by version, in the endpoint's order
	CipherPreference map[string]string            `json:"cipher_preference"`
	CipherClasses    map[string]map[string]string `json:"cipher_preference_by_class,omitempty"` // where a class of suites differs: aead, cbc, stream, chacha20

	Groups          []string            `json:"groups"` // those of TLS 1.3 first
	GroupsByVersion map[string][]string `json:"groups_by_version,omitempty"`
	GroupPreference map[string]string   `json:"group_preference,omitempty"`
	Retry           *Retry              `json:"hello_retry_request,omitempty"`
	FiniteFields    []FiniteField       `json:"dh_parameters,omitempty"`

	SignatureSchemes    []string            `json:"signature_schemes"`
	SchemesByVersion    map[string][]string `json:"signature_schemes_by_version,omitempty"`
	ALPN                []string            `json:"alpn"` // in the endpoint's order
	ALPNPreference      string              `json:"alpn_preference,omitempty"`
	UnknownALPN         string              `json:"alpn_unknown,omitempty"` // ignored, refused
	Features            map[string]Answer   `json:"features,omitempty"`
	Certificates        []Presented         `json:"certificates"`
	SNI                 []NameAnswer        `json:"sni"`
	ClientCertificate   *ClientCertificate  `json:"client_certificate"`
	Resumption          map[string]Answer   `json:"resumption"`
	MaxEarlyData        uint32              `json:"max_early_data,omitempty"`
	TicketLifetime      uint32              `json:"ticket_lifetime,omitempty"` // seconds
	Tolerance           map[string]Answer   `json:"tolerance,omitempty"`
	HelloLimit          *HelloLimit         `json:"hello_limit,omitempty"`             // nil: no hello was too long
	ProxyHeaderExpected bool                `json:"proxy_protocol_expected,omitempty"` // hellos are answered behind a PROXY protocol header only

	QUIC *QUIC `json:"quic,omitempty"`

	Inconclusive   []string `json:"inconclusive,omitempty"` // what could not be found out, in sentences
	Connections    int      `json:"connections"`
	LongestHello   int      `json:"longest_hello"` // bytes of the longest one sent
	LongestReplied int      `json:"longest_hello_answered"`
	DurationMS     float64  `json:"duration_ms"`

	startTLS   bool
	opening    *probe.Exchange // the first hello
	whole      *probe.Exchange // the handshake that went furthest
	enumerated map[wire.Version]*enumerated
	groups     map[wire.Version][]wire.NamedGroup
	chains     map[string]*probe.Exchange // by leaf: an exchange that presented it
}

// NewReport is a report about an address of which nothing is known.
func NewReport(address string) *Report {
	return &Report{
		Address: address, Versions: []string{}, Ciphers: map[string][]string{}, CipherPreference: map[string]string{},
		Groups: []string{}, SignatureSchemes: []string{}, ALPN: []string{}, Certificates: []Presented{}, SNI: []NameAnswer{},
		Resumption: map[string]Answer{}, chains: map[string]*probe.Exchange{}, groups: map[wire.Version][]wire.NamedGroup{},
		enumerated: map[wire.Version]*enumerated{},
	}
}

// Connection is the record that stands for the endpoint: of the handshake that went furthest, or of the hello that nobody
// answered. The exchange is its client leg.
func (r *Report) Connection() *inspect.Connection {
	switch {
	case r.whole != nil && r.whole.Connection != nil: // it has none where the bound on connections was reached first
		return recordOf(r.whole)
	case r.opening != nil:
		return r.opening.Connection
	}
	return nil
}

// recordOf is an exchange's record with the stapled response in it, which a rule wants to read.
func recordOf(x *probe.Exchange) *inspect.Connection {
	if leg := x.Connection.ClientLeg; x.Staple != nil && leg.TLS != nil && leg.TLS.Server != nil {
		if leg.TLS.Server.OCSP == nil {
			leg.TLS.Server.OCSP = &inspect.OCSP{Stapled: true}
		}
		leg.TLS.Server.OCSP.Raw = x.Staple
	}
	return x.Connection
}

// Chains are the records of handshakes in which other leaf certificates were presented than in Connection.
func (r *Report) Chains() []*inspect.Connection {
	var records []*inspect.Connection
	for _, p := range r.Certificates {
		x := r.chains[p.fingerprint()]
		if x == nil || x.Connection == nil || r.whole == nil || fingerprintOf(x) == fingerprintOf(r.whole) {
			continue
		}
		records = append(records, recordOf(x))
	}
	return records
}

// Presented is a chain that the endpoint presents, and for what.
type Presented struct {
	Algorithm string                `json:"public_key_algorithm"`
	Schemes   []string              `json:"signature_schemes,omitempty"` // that it signs handshakes with
	Chain     []inspect.Certificate `json:"certificate_chain"`
	Staple    bool                  `json:"ocsp_stapled"`
	SCTs      int                   `json:"scts"`
}

func (p *Presented) fingerprint() string {
	if len(p.Chain) == 0 {
		return ""
	}
	return p.Chain[0].Hash.SHA256
}

// accepts reports whether a version is spoken.
func (r *Report) accepts(v wire.Version) bool {
	e := r.enumerated[v]
	return e != nil && e.answer.Reply == Yes
}

func (r *Report) suites(v wire.Version) []wire.CipherSuite {
	if e := r.enumerated[v]; e != nil {
		return e.suites
	}
	return nil
}

func (r *Report) modern() []wire.CipherSuite { return r.suites(wire.VersionTLS13) }

// oldest12 is the newest version before TLS 1.3 that is spoken, SSLv2 apart.
func (r *Report) oldest12() (wire.Version, bool) {
	for _, v := range []wire.Version{wire.VersionTLS12, wire.VersionTLS11, wire.VersionTLS10, wire.VersionSSLv3} {
		if r.accepts(v) {
			return v, true
		}
	}
	return 0, false
}

// newest is the newest version that is spoken; 0: none.
func (r *Report) newest() wire.Version {
	for _, v := range versions() {
		if r.accepts(v) {
			return v
		}
	}
	return 0
}

// shareable is a group of the endpoint's in which a key share can be made here, the most usual first.
func (r *Report) shareable() (wire.NamedGroup, bool) {
	usual := []wire.NamedGroup{
		wire.GroupX25519, wire.GroupSecp256r1, wire.GroupSecp384r1, wire.GroupSecp521r1, wire.GroupX25519MLKEM768, wire.GroupSecP256r1MLKEM768,
		wire.GroupSecP384r1MLKEM1024, wire.GroupMLKEM768, wire.GroupMLKEM1024, wire.GroupFfdhe2048, wire.GroupFfdhe3072, wire.GroupFfdhe4096,
		wire.GroupFfdhe6144, wire.GroupFfdhe8192,
	}
	for _, g := range usual {
		if slices.Contains(r.groups[wire.VersionTLS13], g) {
			return g, true
		}
	}
	return 0, false
}

// versions are those that are asked about, newest first.
func versions() []wire.Version {
	return []wire.Version{wire.VersionTLS13, wire.VersionTLS12, wire.VersionTLS11, wire.VersionTLS10, wire.VersionSSLv3, wire.VersionSSLv2}
}

// names are code points by their registry names.
func names[T interface{ String() string }](points []T) []string {
	out := make([]string, len(points))
	for i, p := range points {
		out[i] = p.String()
	}
	return out
}
