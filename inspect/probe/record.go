package probe

import (
	"encoding/hex"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// record is the exchange in the record's words.
func (r *run) record() *inspect.Connection {
	x := r.x
	source := r.client.Source
	if source == "" {
		source = inspect.SourceReplay
	}
	c := &inspect.Connection{
		Schema: inspect.SchemaVersion, Timestamp: x.Began.UTC(), Transport: inspect.TransportTCP,
		Event: inspect.Event{
			ID: newID(x.Began), Source: source,
			DurationMS: float64(x.Took.Microseconds()) / 1000, Outcome: inspect.Failure,
		},
		Client: inspect.EndpointOf(r.local), Server: inspect.EndpointOf(x.Address),
	}
	if r.target.QUIC {
		c.Transport = inspect.TransportQUIC
	}
	if x.Accepted() {
		c.Event.Outcome = inspect.Success
	}
	leg := &inspect.Leg{Address: c.Server.Address, Port: c.Server.Port, Error: x.Error, FirstBytes: x.Plain}
	if r.target.Proxy != nil {
		leg.ProxyProtocol = "v1"
		if r.target.Proxy.Version == 2 {
			leg.ProxyProtocol = "v2"
		}
	}
	if x.Sent > 0 || x.Received > 0 {
		leg.TLS = r.tls()
	}
	c.ClientLeg = leg
	return c
}

// tls is what the observer saw in the clear, with what was read beyond.
func (r *run) tls() *inspect.TLS {
	x, t := r.x, r.observer.TLS()
	t.Established = x.Finished
	t.Resumed = x.Resumed
	if x.ALPN != "" {
		t.NextProtocol = inspect.Bounded(x.ALPN)
	}
	if x.Scheme != 0 {
		t.SignatureScheme = x.Scheme.String()
	}
	for _, a := range x.Alerts {
		if a.Encrypted {
			t.Alerts = append(t.Alerts, inspect.NewAlert(a.Level, a.Description, inspect.FromServer))
		}
	}
	if !r.handshake.tls13 || x.Certificates == nil && x.CertificateRequest == nil {
		return t
	}
	if t.Server == nil {
		t.Server = &inspect.Server{}
	}
	s := t.Server
	if x.Certificates != nil {
		describer := r.client.Describer
		if describer == nil {
			describer = &inspect.Describer{}
		}
		s.Present(describer, x.Certificates)
		if x.CertificatesBeyond > 0 {
			s.CertificatesSent = len(x.Certificates) + x.CertificatesBeyond
		}
		s.Validation = &inspect.Validation{Status: inspect.ValidationNotChecked}
	}
	s.SCTs = x.SCTs
	if x.Staple != nil {
		s.OCSP = &inspect.OCSP{Stapled: true}
	}
	if request := x.CertificateRequest; request != nil {
		s.CertificateRequest = r.certificateRequest()
	}
	return t
}

// Bounds on what a record keeps of a CertificateRequest.
const maxAuthorities = 50

func (r *run) certificateRequest() *inspect.CertificateRequest {
	request := r.x.CertificateRequest
	c := &inspect.CertificateRequest{CertificateSent: r.second && r.options.Certificate != nil}
	for scheme := range request.SignatureSchemes.All() {
		c.SignatureAlgorithms = append(c.SignatureAlgorithms, scheme.String())
	}
	for der := range request.Authorities() {
		if len(c.Authorities) == maxAuthorities {
			break
		}
		if name, ok := inspect.DistinguishedName(der); ok {
			c.Authorities = append(c.Authorities, name)
		}
	}
	return c
}

// newID is the id of a record. What it has beside the time is random: exchanges have no order among each other.
func newID(at time.Time) string {
	b := random(6)
	return inspect.NewID(at, uint64(b[0])<<16|uint64(b[1])<<8|uint64(b[2]), hex.EncodeToString(b[3:]))
}
