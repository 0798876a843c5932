package admin

import (
	"net"
	"strconv"

	"github.com/tlstriage/tlstriage/inspect"
)

const (
	labelNone  = "none"  // there is no such value
	labelOther = "other" // there is one, and it is not of the closed set
)

func (m *metrics) observe(c *inspect.Connection) {
	if m.challenge(c) {
		return
	}
	cause := labelNone
	if c.Cause != "" {
		cause = m.causes.label(c.Cause)
	}
	m.connections.WithLabelValues(m.listeners.label(c.Listener), verdictLabel(c.Verdict), cause, faultLabel(c.Fault)).Inc()
	if leg := c.ClientLeg; leg != nil {
		if leg.Error != nil {
			if refused := m.refused[leg.Error.Type]; refused != nil {
				refused.Inc()
			}
		}
		// Without a single TLS record there was no handshake: port scans and health checks are connections only.
		if leg.TLS != nil {
			m.handshake(c, leg, inspect.LegClient)
		}
	}
	// The backend was meant to be spoken TLS to, so a refused connection is a failed handshake here.
	if leg := c.BackendLeg; leg != nil && !leg.Plain && !leg.Passthrough {
		m.handshake(c, leg, inspect.LegBackend)
		m.backendCertificate(c, leg)
	}
}

func (m *metrics) handshake(c *inspect.Connection, leg *inspect.Leg, name string) {
	version, outcome, cause := labelNone, inspect.Failure, labelNone
	if leg.TLS != nil {
		version = versionLabel(leg.TLS.Version)
	}
	if leg.TLS != nil && leg.TLS.Established {
		outcome = inspect.Success
		if h := leg.TLS.Handshake; h != nil && h.DurationMS >= 0 {
			m.duration.WithLabelValues(name).Observe(h.DurationMS / 1000)
		}
	} else if causeLeg(c) == name || causeLeg(c) == inspect.LegBetween {
		cause = m.causes.label(c.Cause)
	}
	m.handshakes.WithLabelValues(name, version, string(outcome), cause).Inc()
}

// causeLeg is the leg that the root cause belongs to, "" if there is none.
func causeLeg(c *inspect.Connection) string {
	for i := range c.Findings {
		if c.Cause != "" && c.Findings[i].ID == c.Cause {
			return c.Findings[i].Leg
		}
	}
	return ""
}

// backendCertificate publishes when the first certificate of the backend's chain to end does end: an intermediate counts too.
func (m *metrics) backendCertificate(c *inspect.Connection, leg *inspect.Leg) {
	if leg.TLS == nil || leg.TLS.Server == nil {
		return
	}
	var earliest *inspect.Certificate
	chain := leg.TLS.Server.CertificateChain
	for i := range chain {
		end := chain[i].NotAfter
		if !end.IsZero() && (earliest == nil || end.Before(earliest.NotAfter)) {
			earliest = &chain[i]
		}
	}
	if earliest != nil {
		route := c.Listener + "/" + c.Route
		if c.Route == "" {
			route = net.JoinHostPort(leg.Address, strconv.Itoa(leg.Port))
		}
		m.certificates.set(RoleBackend, route, earliest.NotAfter)
	}
}

func verdictLabel(v inspect.Verdict) string {
	switch v {
	case inspect.OK, inspect.Warning, inspect.Failed:
		return string(v)
	case "":
		return labelNone
	}
	return labelOther
}

func faultLabel(f inspect.Fault) string {
	switch f {
	case inspect.FaultClient, inspect.FaultPolicy, inspect.FaultBackend, inspect.FaultNetwork, inspect.FaultProxy, inspect.FaultNoise:
		return string(f)
	case "":
		return labelNone
	}
	return labelOther
}

func versionLabel(version string) string {
	switch version {
	case "SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3":
		return version
	case "":
		return labelNone
	}
	return labelOther
}
