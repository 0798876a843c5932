package scan

import (
	"context"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Features that are asked about. Those of TLS 1.2 and older are absent where no such version is spoken.
const (
	FeatureEMS           = "extended_master_secret"
	FeatureEtM           = "encrypt_then_mac" // absent where there is no CBC suite, to which alone it belongs
	FeatureRenegotiation = "secure_renegotiation"
	FeatureCompression   = "compression"
	FeatureHeartbeat     = "heartbeat"
	FeatureFallbackSCSV  = "fallback_scsv"
	FeatureStapling      = "ocsp_stapling"
	FeatureSCT           = "scts"
)

// features finds out about extensions of TLS 1.2 and older. Most of them were offered with every suite already.
func (s *session) features(ctx context.Context, r *Report, note func(feature string, a Answer)) {
	v, ok := r.oldest12()
	if !ok {
		return
	}
	e := r.enumerated[v]
	ems, etm, renegotiation, cbc := false, false, false, false
	for _, taken := range e.seen {
		h := taken.hello
		ems = ems || h.ExtendedMasterSecret
		renegotiation = renegotiation || h.RenegotiationInfo != nil
		if modeOf(h.CipherSuite) == "cbc" {
			cbc, etm = true, etm || h.EncryptThenMAC
		}
	}
	answer := func(is bool) Answer {
		if is {
			return yes(len(e.seen), "in its ServerHello")
		}
		return Answer{Reply: No, Attempts: len(e.seen), Evidence: "offered, and not in any ServerHello"}
	}
	if len(e.seen) > 0 {
		note(FeatureRenegotiation, answer(renegotiation))
		if v > wire.VersionSSLv3 {
			note(FeatureEMS, answer(ems))
			if cbc {
				note(FeatureEtM, answer(etm))
			}
		}
	}
	h := s.hello(v, e.suites)
	h.CompressionMethods = []byte{1, 0} // DEFLATE, null
	if v > wire.VersionSSLv3 {
		h.Set(wire.ExtensionHeartbeat, []byte{1})
	}
	x := s.persist(ctx, h, probe.Options{Until: probe.UntilHello})
	if hello := x.ServerHello; hello != nil {
		is := func(b bool) Answer {
			if b {
				return yes(1, "in its ServerHello")
			}
			return Answer{Reply: No, Attempts: 1, Evidence: "offered, and not chosen"}
		}
		note(FeatureCompression, is(hello.CompressionMethod != 0))
		note(FeatureHeartbeat, is(hello.Extensions.Has(wire.ExtensionHeartbeat)))
	} else {
		note(FeatureCompression, Answer{Reply: Inconclusive, Attempts: 1, Evidence: x.Describe()})
	}
	s.fallback(ctx, r, note)
}

// fallback offers a version below the newest one, saying that it is a fallback: "the server MUST respond with a fatal
// inappropriate_fallback alert" (RFC 7507, Section 3).
func (s *session) fallback(ctx context.Context, r *Report, note func(feature string, a Answer)) {
	newest := r.newest()
	for _, v := range versions() {
		if v >= newest || v < wire.VersionSSLv3 || !r.accepts(v) {
			continue
		}
		h := s.hello(v, r.suites(v))
		h.CipherSuites = append(h.CipherSuites, wire.FallbackSCSV)
		x := s.persist(ctx, h, probe.Options{Until: probe.UntilHello})
		switch {
		case x.Alert != nil && x.Alert.Description == wire.AlertInappropriateFallback:
			note(FeatureFallbackSCSV, yes(1, x.Describe()))
		case versionOf(x) == v:
			note(FeatureFallbackSCSV, Answer{Reply: No, Attempts: 1, Evidence: "a fallback to " + v.String() + " is taken up"})
		default:
			note(FeatureFallbackSCSV, Answer{Reply: Inconclusive, Attempts: 1, Evidence: x.Describe()})
		}
		return
	}
}
