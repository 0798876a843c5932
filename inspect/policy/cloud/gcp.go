package cloud

import (
	"slices"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Where defaults of Google Cloud are documented.
const (
	sourceGoogleDefault = "Google Cloud: sslPolicies, defaults of minTlsVersion and profile"
	sourceGoogleTLS13   = "Google Cloud: SSL policies; the suites of TLS 1.3 are always on and are in no list of features"
)

// googlePolicy reads an SSL policy of Google Cloud. Its features come in alphabetical order: whose order of suites wins, and in
// which order, no source states.
func (r *reader) googlePolicy(n *document.Node) {
	r.unknownKeys(n, "SSL policy", "name", "description", "profile", "minTlsVersion", "enabledFeatures", "customFeatures", "fingerprint",
		"id", "kind", "selfLink", "selfLinkWithId", "creationTimestamp", "region", "warnings", "tlsSettings")
	name := n.Get("name").Text()
	e := &imported.Endpoint{System: "gcp", Side: imported.Server, Name: name, Default: true}
	profile := n.Get("profile")
	base := "COMPATIBLE"
	if profile.Empty() {
		e.Assume("profile", base, sourceGoogleDefault)
	} else {
		base = profile.Text()
		r.Fact(e, "profile", profile)
	}
	features := n.Get("enabledFeatures")
	if features.Empty() {
		features = n.Get("customFeatures")
	}
	var p *policy.Policy
	switch {
	case !features.Empty():
		p = &policy.Policy{Family: policy.FamilyBoringSSL}
		p.CipherSuites = slices.Concat(
			[]wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256},
			slices.DeleteFunc(r.suites("enabledFeatures", features.Items()), isTLS13))
		if known, err := r.finder.Find("gcp/" + base); err == nil {
			p.Groups = known.Groups
		}
		r.Fact(e, "enabledFeatures", features)
		e.Assume("TLS 1.3 suites", "all three", sourceGoogleTLS13)
	case base == "CUSTOM":
		r.Problem(n, "the policy is CUSTOM and lists no features")
		return
	default:
		if p = r.named(profile, "profile", "gcp/"+base); p == nil {
			return
		}
	}
	p.Name, p.Provider, p.Product, p.Aliases = "gcp/"+name, "gcp", "Load balancing SSL policy", nil

	low, lowest := wire.VersionTLS10, n.Get("minTlsVersion")
	if lowest.Empty() {
		e.Assume("minTlsVersion", "TLS_1_0", sourceGoogleDefault)
	} else {
		r.Fact(e, "minTlsVersion", lowest)
		if v, ok := wire.VersionByName(lowest.Text()); ok && v >= wire.VersionTLS10 && v <= wire.VersionTLS13 {
			low = v
		} else {
			r.Problem(lowest, "minTlsVersion: %s is not understood; TLS 1.0 is assumed", document.Quote(lowest.Text()))
		}
	}
	p.Versions = nil
	for v := low; v <= wire.VersionTLS13; v++ {
		p.Versions = append(p.Versions, v)
	}
	e.Policy = p
	r.Add(e)
}
