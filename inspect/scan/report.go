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
	BreaksOff           map[string]Answer   `json:"breaks_off,omitempty"` // versions that are chosen, and in which no certificate ever comes
	ClientCertificate   *ClientCertificate  `json:"client_certificate"`
	Resumption          map[string]Answer   `json:"resumption"`
	MaxEarlyData        uint32              `json:"max_early_data,omitempty"`
	TicketLifetime      uint32              `json:"ticket_lifetime,omitempty"` // seconds
	Tolerance           map[string]Answer   `json:"tolerance,omitempty"`
	HelloLimit          *HelloLimit         `json:"hello_limit,omitempty"`             // nil: no hello was too long
	GroupLimit          int                 `json:"group_limit,omitempty"`             // the most groups in a hello that is answered; 0: it does not matter
	ProxyHeaderRefused  bool                `json:"proxy_protocol_refused,omitempty"`  // hellos are answered without the PROXY protocol header that was sent only
	ProxyHeaderExpected bool                `json:"proxy_protocol_expected,omitempty"` // hellos are answered behind a PROXY protocol header only

	QUIC *QUIC `json:"quic,omitempty"`

	Inconclusive    []string `json:"inconclusive,omitempty"`       // what could not be found out, in sentences
	Unsure          []string `json:"inconclusive_about,omitempty"` // the same in the words of Change.What
	ClosedAtRandom  int      `json:"closed_at_random,omitempty"`   // connections that were closed with hellos that were answered at another time
	RefusedAtRandom int      `json:"refused_at_random,omitempty"`  // hellos that were refused by an alert and answered at another time
	AnswersDiffer   []string `json:"answers_differ,omitempty"`     // what the same hello was answered with at different times
	OneAtATime      bool     `json:"one_at_a_time,omitempty"`      // connections failed while there were others, so that everything was asked again one at a time
	Partial         bool     `json:"partial,omitempty"`            // not everything was asked
	StoppedAfter    int      `json:"stopped_after,omitempty"`      // connections behind which the endpoint answered no more; 0: it always did
	Connections     int      `json:"connections"`
	LongestHello    int      `json:"longest_hello"` // bytes of the longest one sent
	LongestReplied  int      `json:"longest_hello_answered"`
	DurationMS      float64  `json:"duration_ms"`

	startTLSFailed bool
	opening        *probe.Exchange // the first hello
	whole          *probe.Exchange // the handshake that went furthest
	enumerated     map[wire.Version]*enumerated
	groups         map[wire.Version][]wire.NamedGroup
	chains         map[string]*probe.Exchange // by leaf: an exchange that presented it
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
	if x := r.telling(); x != nil {
		return recordOf(x)
	}
	return nil
}

// telling is the exchange that says most about the endpoint: the handshake that went furthest, unless it only says that nothing was
// answered any more.
func (r *Report) telling() *probe.Exchange {
	candidates := []*probe.Exchange{r.whole, r.opening}
	for _, p := range r.Certificates {
		candidates = append(candidates, r.chains[p.fingerprint()])
	}
	for _, v := range versions() {
		if e := r.enumerated[v]; e != nil {
			candidates = append(candidates, e.first)
		}
	}
	for _, x := range candidates {
		if x != nil && x.Connection != nil && (r.newest() == 0 || !r.unheard(x)) {
			return x
		}
	}
	if r.newest() == 0 || r.opening == nil {
		return nil
	}
	return r.opening
}

// unheard reports whether an exchange came to nothing although hellos like it were answered before: that says nothing about a
// handshake.
func (r *Report) unheard(x *probe.Exchange) bool {
	switch natureOf(x) {
	case silent, unconnected:
		return true
	case cut, said:
		return r.ClosedAtRandom+r.RefusedAtRandom+len(r.AnswersDiffer) > 0
	case chosen:
		return r.StoppedAfter > 0 && !x.Flight && x.Error != nil && x.Error.Type == inspect.ErrorTimeout
	}
	return false
}

// recordOf is an exchange's record with the stapled response in it, which a rule wants to read. One that went as far as it was to
// go, or as it can go here, is one that was established: the endpoint has nothing against it.
func recordOf(x *probe.Exchange) *inspect.Connection {
	if x.Connection.ClientLeg == nil {
		return x.Connection
	}
	if leg := *x.Connection.ClientLeg; !x.Finished && leg.TLS != nil && x.Alert == nil && (x.Flight || x.Unreadable || x.SSLv2ServerHello != nil) &&
		(x.Error == nil || x.Error.Type == inspect.ErrorUnsupported) {
		c, t := *x.Connection, *leg.TLS
		t.Established = true
		leg.TLS, leg.Error, c.ClientLeg, c.Event.Outcome = &t, nil, &leg, inspect.Success
		x.Connection = &c
	}
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
	told := r.telling()
	if told == nil {
		return nil
	}
	var records []*inspect.Connection
	for _, p := range r.Certificates {
		x := r.chains[p.fingerprint()]
		if x == nil || x.Connection == nil || x == told || fingerprintOf(x) == fingerprintOf(told) {
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

// Reached reports whether a connection was made at all.
func (r *Report) Reached() bool {
	return r.opening != nil && r.opening.Outcome != probe.OutcomeNotConnected
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
		wire.GroupX25519, wire.GroupSecp256r1, wire.GroupSecp384r1, wire.GroupSecp521r1, wire.GroupX448, wire.GroupX25519MLKEM768,
		wire.GroupSecP256r1MLKEM768, wire.GroupSecP384r1MLKEM1024, wire.GroupMLKEM768, wire.GroupMLKEM1024, wire.GroupFfdhe2048, wire.GroupFfdhe3072, wire.GroupFfdhe4096,
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
