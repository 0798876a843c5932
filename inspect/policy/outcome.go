package policy

import (
	"slices"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Offered is what the client put on the table in one dimension, in wire order and without GREASE, by the names of the
// record. A version that is derived from legacy_version stands alone: what lies below it is not claimed.
func Offered(h *wire.ClientHello, d Dimension) []string {
	switch d {
	case DimensionVersion:
		if len(h.SupportedVersions) == 0 {
			return []string{h.LegacyVersion.String()}
		}
		return names(h.SupportedVersions)
	case DimensionServerName:
		if len(h.ServerName) > 0 {
			return []string{string(h.ServerName)}
		}
	case DimensionALPN:
		return h.ALPN.Strings()
	case DimensionCipher:
		return names(h.CipherSuites)
	case DimensionGroup:
		return names(h.SupportedGroups)
	case DimensionSignature:
		return names(h.SignatureSchemes)
	}
	return nil
}

func names[T interface {
	~uint16
	String() string
}](list wire.List[T]) []string {
	var out []string
	for v := range list.All() {
		if !wire.IsGREASE(v) {
			out = append(out, v.String())
		}
	}
	return out
}

// Accepts is what the policy accepts in one dimension, in its order, by the names of the record. Empty: anything, or no
// source states it.
func Accepts(p *Policy, d Dimension) []string {
	switch d {
	case DimensionVersion:
		return texts(p.Versions)
	case DimensionServerName:
		return slices.Clone(p.Names)
	case DimensionALPN:
		return slices.Clone(p.ALPN)
	case DimensionCipher:
		return texts(p.CipherSuites)
	case DimensionGroup:
		return texts(p.Groups)
	case DimensionSignature:
		return texts(p.SignatureSchemes)
	case DimensionClientCertificate:
		if p.ClientAuth != "" {
			return []string{string(p.ClientAuth)}
		}
	}
	return nil
}

func texts[T interface{ String() string }](values []T) []string {
	var out []string
	for _, v := range values {
		out = append(out, v.String())
	}
	return out
}

// Outcome is the record's form of r, which is what Negotiate(h, p) gave. A client that left out an extension it needs
// has offered nothing there.
func (r Result) Outcome(h *wire.ClientHello, p *Policy) *inspect.PolicyOutcome {
	o := &inspect.PolicyOutcome{Name: p.Name, Accepted: r.Accepted, RejectedBy: string(r.RejectedBy), Uncertain: r.Uncertain}
	if !r.Accepted {
		if !r.Silent {
			o.Alert = r.Alert.String()
		}
		if r.Alert != wire.AlertMissingExtension {
			o.Offered = Offered(h, r.RejectedBy)
		}
		if o.Accepts = Accepts(p, r.RejectedBy); r.CertificateCurve != 0 {
			o.Accepts = []string{r.CertificateCurve.String()}
		}
		return o
	}
	o.Version = r.Version.String()
	o.Cipher = r.CipherSuite.String()
	if r.Group != 0 {
		o.Curve = r.Group.String()
	}
	o.NextProtocol = r.Protocol
	o.HelloRetry = r.HelloRetry
	return o
}
