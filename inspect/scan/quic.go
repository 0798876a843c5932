package scan

import (
	"context"

	"github.com/tlstriage/tlstriage/inspect/quicwire"
)

// QUIC is what only an endpoint over QUIC has.
type QUIC struct {
	Version  string   `json:"version"`            // that was spoken
	Versions []string `json:"versions,omitempty"` // that it lists when it is asked in one that there is not
	Retry    bool     `json:"retry"`              // it has the client prove its address first (RFC 9000, Section 8.1.2)
}

// reservedVersion forces a Version Negotiation packet: "clients MAY use versions of the pattern 0x?a?a?a?a" (RFC 9000, Section 15).
const reservedVersion quicwire.Version = 0x1a2a3a4a

// quic asks for the versions of QUIC.
func (s *session) quic(ctx context.Context, r *Report) {
	q := &QUIC{}
	if x := r.opening; x != nil && x.QUIC != nil {
		q.Version, q.Retry = x.QUIC.Version.String(), x.QUIC.Retry
	}
	other := *s.target
	other.Endpoint.QUICVersion = reservedVersion
	x := s.beside(ctx, &other, s.open())
	if x.QUIC != nil {
		for _, v := range x.QUIC.Versions {
			if !v.Reserved() {
				q.Versions = append(q.Versions, v.String())
			}
		}
	}
	r.QUIC = q
}
