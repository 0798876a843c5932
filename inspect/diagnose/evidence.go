package diagnose

import (
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// evidence is one connection laid out for the rules, with what several of them ask worked out once.
type evidence struct {
	d         *Diagnoser
	c         *inspect.Connection
	now       time.Time
	client    view
	backend   view
	parsed    *wire.ClientHello // the client's hello; nil when its bytes are not in the record
	chain     chainEvidence
	found     []string // ids of the rules that applied so far
	explained []string // legs whose end is explained so far
	hits      []hit
	raw       [][]byte // room for the examined chain

	unservable string           // why crypto/tls cannot serve this client; empty: it can, or that was not the matter
	refusal    policy.Dimension // in what the client leg found no overlap; none: it did, or something else ended it
	clientCert clientCertFault  // what was wrong with the client's certificate
	backendBy  string           // id of the rule that explains the backend's alert
}

// gather lays c out.
func (e *evidence) gather(d *Diagnoser, c *inspect.Connection) {
	e.d, e.c, e.now = d, c, d.now(c)
	e.client, e.backend = look(c.ClientLeg), look(c.BackendLeg)
	e.client.listen = c.Server
	if at := e.backend.leg; at != nil && at.Passthrough && at.Address != "" {
		e.client.listen = inspect.Endpoint{Address: at.Address, Port: at.Port} // the client talks to the backend through our hands
	}
	if c.Event.Source == inspect.SourceReplay || c.Event.Source == inspect.SourceScan {
		e.client.probed = e.client.leg != nil && e.client.leg.Error == nil && e.client.tls.Version != "" && e.client.alert(inspect.FromServer) == nil
	}
	if d.Policy != nil && c.Policy == nil || d.Own != nil && e.client.failed() {
		e.parsed = parseHello(e.client.hello)
	}
	if d.Policy != nil && c.Policy == nil && e.parsed != nil {
		c.Policy = policy.Negotiate(e.parsed, d.Policy).Outcome(e.parsed, d.Policy)
	}
	e.chain = d.examine(e)
	e.unservable = e.whyUnservable()
	e.clientCert = e.clientCertificate()
	e.refusal = e.clientRefusal()
	e.backendBy = e.backendRefusal()
}

// forget drops all of a connection and keeps the room for findings, so that another one can be laid out.
func (e *evidence) forget() {
	const most = 32 // findings, or certificates, that it is worth keeping room for
	clear(e.hits)
	clear(e.raw)
	found, explained, hits, raw := e.found[:0], e.explained[:0], e.hits[:0], e.raw[:0]
	if cap(hits) > most || cap(raw) > most {
		hits, raw = nil, nil
	}
	*e = evidence{found: found, explained: explained, hits: hits, raw: raw}
}

// inferred is what a capture infers of one kind; nil: nothing.
func (e *evidence) inferred(kind inspect.InferenceKind) *inspect.Inference {
	if e.c.Capture == nil {
		return nil
	}
	for i := range e.c.Capture.Inferred {
		if e.c.Capture.Inferred[i].Kind == kind {
			return &e.c.Capture.Inferred[i]
		}
	}
	return nil
}

// undelivered is what the network says, in a capture, of a packet that it did not deliver; nil: nothing.
func (e *evidence) undelivered() *inspect.Undelivered {
	if e.c.Capture == nil {
		return nil
	}
	return e.c.Capture.Undelivered
}

// likely makes a finding that rests on the length of one record of the server alone a warning: the handshake may have been done, and the
// record be something else of that length.
func (e *evidence) likely(m *match) {
	if e.client.leg.Error == nil {
		m.severity = inspect.SeverityWarning
		m.detail += "; a bare goodbye, or an answer as short as an alert, looks the same"
	}
}

// cutShort reports whether a capture ends, or was filtered, before its connection came to anything: nothing is known to have failed.
func (e *evidence) cutShort() bool {
	v := e.client
	return e.c.Event.Source == inspect.SourceCapture && v.failed() && v.leg.Error == nil && v.alert(inspect.FromClient) == nil && v.alert(inspect.FromServer) == nil
}

// foreign reports whether the server on the client leg is another program than this one: in a capture, in what a probe
// recorded, and where bytes pass through untouched.
func (e *evidence) foreign() bool {
	return e.c.Event.Source != inspect.SourceProxy || e.client.leg != nil && e.client.leg.Passthrough
}

// far is the leg to the server that is not this program: the backend leg, or where there is none, the client leg of a capture
// or a probe. What passes through is seen on the client leg, unless the backend was never reached.
func (e *evidence) far() (view, string) {
	untouched := e.backend.exists() && e.backend.leg.Passthrough && e.backend.leg.TLS == nil
	if e.backend.exists() && (!untouched || e.backend.failed()) || !e.foreign() {
		return e.backend, inspect.LegBackend
	}
	return e.client, inspect.LegClient
}

// endedBy reports whether a side is known to have closed or reset the connection first: by the packets of a capture, or because the bytes
// passed through here.
func (e *evidence) endedBy(side inspect.Side) bool {
	if e.passed() {
		return e.c.Event.End == inspect.EndedByClient && side == inspect.FromClient || e.c.Event.End == inspect.EndedByBackend && side == inspect.FromServer
	}
	if e.c.Capture == nil {
		return false
	}
	switch e.c.Capture.End {
	case inspect.EndFINClient, inspect.EndResetClient:
		return side == inspect.FromClient
	case inspect.EndFINServer, inspect.EndResetServer:
		return side == inspect.FromServer
	}
	return false
}

// passed reports whether the client leg is bytes that went through this program's hands untouched.
func (e *evidence) passed() bool {
	return e.c.Event.Source == inspect.SourceProxy && e.client.leg != nil && e.client.leg.Passthrough
}

// givenUp reports whether a client whose bytes pass through waited so long for the answer to its hello that it is the backend which was
// silent, and not the client that was in a hurry.
func (e *evidence) givenUp() bool {
	return e.passed() && e.unanswered() && !e.backend.failed() && e.client.is(inspect.ErrorClosed, inspect.ErrorReset) && e.endedBy(inspect.FromClient) && e.c.Event.DurationMS >= longSilence
}

// longSilence is after how many milliseconds of silence a connection that its client then ends was given up: nobody's handshake takes as
// long to think, and few clients wait for less.
const longSilence = 1000

// unanswered reports whether a foreign server said nothing to a hello on the client leg. What then ended the connection is
// more likely its doing, or the network's, than the client's.
func (e *evidence) unanswered() bool {
	v := e.client
	return e.foreign() && v.failed() && v.spoke && len(v.tls.Alerts) == 0 && len(v.server.CertificateChain) == 0 && !sawServerFlight(v) &&
		v.hello.Message != nil && v.hello.Message.Complete
}

// serverNotTLS reports whether what is no TLS came from the server of the client leg.
func (e *evidence) serverNotTLS() bool {
	return e.foreign() && e.client.is(inspect.ErrorNotTLS) && !e.disguised() && (e.client.spoke || e.client.firstProtocol() == "http_response")
}

// disguised reports whether a client of another protocol began with a hello for the looks of it, as Skype does with one in SSLv2's format:
// a client of TLS has nothing to say before the answer.
func (e *evidence) disguised() bool {
	h := e.client.hello
	return e.client.is(inspect.ErrorNotTLS) && e.client.phase() == inspect.PhasePeek && h.Message != nil && h.Message.SSLv2
}

// watched reports whether both ends of the client leg are foreign, so that the client has judged the chain itself.
func (e *evidence) watched() bool {
	return e.c.Event.Source == inspect.SourceCapture || e.client.leg != nil && e.client.leg.Passthrough
}

// enforced reports whether the connection was refused because of the policy.
func (e *evidence) enforced() bool {
	return e.client.is(inspect.ErrorPolicy) || e.c.Policy != nil && e.c.Policy.Enforced && !e.c.Policy.Accepted
}

// rejects reports whether the policy rejects the client in a dimension.
func (e *evidence) rejects(dim policy.Dimension) bool {
	return e.c.Policy != nil && !e.c.Policy.Accepted && e.c.Policy.RejectedBy == string(dim)
}

// parseHello reads the client's hello again from the record; nil when it does not parse, which another rule reports.
func parseHello(h *inspect.Hello) *wire.ClientHello {
	parsed, err := h.ClientHello()
	if err != nil {
		return nil
	}
	return parsed
}

// offered is what the client offers in a dimension, without the suites that are only signals.
func offered(h *inspect.Hello, dim policy.Dimension) []string {
	switch dim {
	case policy.DimensionVersion:
		return h.SupportedVersions
	case policy.DimensionCipher:
		var suites []string
		for _, s := range h.SupportedCiphers {
			if !signallingCipher(s) {
				suites = append(suites, s)
			}
		}
		return suites
	case policy.DimensionGroup:
		return h.SupportedGroups
	case policy.DimensionSignature:
		return h.SignatureAlgorithms
	case policy.DimensionALPN:
		return h.ALPNProtocols
	case policy.DimensionServerName:
		if h.ServerName != "" {
			return []string{h.ServerName}
		}
	}
	return nil
}

// accepted is what the server of the client leg accepts in a dimension, as far as that is known.
func (e *evidence) accepted(dim policy.Dimension) []string {
	if !e.foreign() && e.d.Own != nil {
		return accepts(e.d.Own, dim)
	}
	if e.rejects(dim) {
		return e.c.Policy.Accepts
	}
	if p := e.policy(); e.foreign() && p != nil {
		return accepts(p, dim)
	}
	return nil
}

// accepts spells out one dimension of a policy.
func accepts(p *policy.Policy, dim policy.Dimension) []string {
	switch dim {
	case policy.DimensionVersion:
		return names(p.Versions)
	case policy.DimensionCipher:
		return names(p.CipherSuites)
	case policy.DimensionGroup:
		return names(p.Groups)
	case policy.DimensionSignature:
		return names(p.SignatureSchemes)
	case policy.DimensionALPN:
		return p.ALPN
	case policy.DimensionServerName:
		return p.Names
	}
	return nil
}

func names[T interface{ String() string }](l []T) []string {
	var s []string
	for _, x := range l {
		s = append(s, x.String())
	}
	return s
}

// newest is the highest version of a list; empty for an empty one.
func newest(versions []string) string {
	best := ""
	for _, v := range versions {
		if versionRank(v) > versionRank(best) {
			best = v
		}
	}
	return best
}

// versionRank orders the record's version names; 0 for one that is not known.
func versionRank(v string) int {
	switch v {
	case "SSLv2":
		return 1
	case "SSLv3":
		return 2
	case "TLSv1.0":
		return 3
	case "TLSv1.1":
		return 4
	case "TLSv1.2":
		return 5
	case "TLSv1.3":
		return 6
	}
	return 0
}
