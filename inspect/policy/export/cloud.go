package export

import (
	"slices"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// offered are the suites that the built-in policies of a provider's product have between them.
func offered(provider, product string) (all []wire.CipherSuite) {
	for p := range policy.All() {
		if p.Provider == provider && (product == "" || p.Product == product) {
			all = append(all, p.CipherSuites...)
		}
	}
	return all
}

// writeGoogle writes an SSL policy of Google Cloud: a profile where one is the same, or else a list of features.
func writeGoogle(w *writer) error {
	versions := inside(w.p.Versions, wire.VersionTLS10, wire.VersionTLS13)
	if len(versions) == 0 {
		return w.unsayable("Google Cloud speaks TLS 1.0 to 1.3")
	}
	low := min(slices.Min(versions), wire.VersionTLS12) // the API knows no higher bound than TLS 1.2
	versions = nil
	for v := low; v <= wire.VersionTLS13; v++ {
		versions = append(versions, v)
	}
	w.explainGoogle()
	bound := "TLS_1_" + string(rune('0'+low-wire.VersionTLS10))
	name := w.nameOf(63)
	w.line("name: %s", name)
	for p := range policy.All() {
		if p.Provider != "gcp" || bare(p) != "COMPATIBLE" && bare(p) != "MODERN" && bare(p) != "RESTRICTED" && bare(p) != "FIPS_202205" {
			continue
		}
		asked, have := w.p.Clone(), p.Clone()
		asked.Versions, have.Versions = versions, versions
		if apart(asked.Normalize().CipherSuites, have.Normalize().CipherSuites) == 0 {
			w.line("profile: %s", bare(p))
			w.line("minTlsVersion: %s", bound)
			w.means = p
			p.Versions = versions
			w.run("gcloud compute ssl-policies create %s --profile %s --min-tls-version 1.%d", name, bare(p), low-wire.VersionTLS10)
			w.googleTarget(name)
			return nil
		}
	}
	var features []string
	known := offered("gcp", "")
	for _, s := range below13(w.p.CipherSuites) {
		if slices.Contains(known, s) {
			features = append(features, s.String())
		}
	}
	if len(features) == 0 {
		return w.unsayable("a custom policy needs a suite below TLS 1.3 that Google Cloud has")
	}
	slices.Sort(features)
	w.means = &policy.Policy{Versions: versions, CipherSuites: []wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256}}
	w.line("profile: CUSTOM")
	w.line("minTlsVersion: %s", bound)
	w.line("customFeatures:")
	command := ""
	for _, f := range features {
		w.line("- %s", f)
		command += "," + f
		s, _ := wire.CipherSuiteByName(f)
		w.means.CipherSuites = append(w.means.CipherSuites, s)
	}
	w.run("gcloud compute ssl-policies create %s --profile CUSTOM --min-tls-version 1.%d --custom-features %s", name, low-wire.VersionTLS10, command[1:])
	w.googleTarget(name)
	return nil
}

func (w *writer) googleTarget(name string) {
	w.run("gcloud compute target-https-proxies update my-proxy --ssl-policy %s", name)
}

func (w *writer) explainGoogle() {
	w.why[LossVersions] = "Google Cloud always speaks TLS 1.2 and 1.3"
	w.why[LossBlockedVersions] = "Google Cloud blocks no version that it speaks"
	w.why[LossSuites] = "Google Cloud has its own order, which no source states, does not have all of them, and always has its three of TLS 1.3"
	w.why[LossPreference] = "it cannot be set here"
	w.why[LossEqualPreference] = "it cannot be set here"
	w.why[LossGroups], w.why[LossSchemes] = "they cannot be set here", "they cannot be set here"
	w.why[LossALPN], w.why[LossALPNRequired] = "it is the proxy's matter", "it is the proxy's matter"
	w.why[LossNames], w.why[LossSNIRequired] = "an SSL policy has no names", "an SSL policy has no names"
	w.why[LossClientAuth] = "it is a ServerTlsPolicy's matter"
	w.why[LossDHParameters] = "Google Cloud has no DHE suites"
}

// writeAzure writes the sslPolicy of an Application Gateway: a predefined one where it is the same, or else a custom one.
func writeAzure(w *writer) error {
	w.explainAzure()
	const product = "Application Gateway"
	const set = "az network application-gateway ssl-policy set --resource-group my-group --gateway-name my-gateway"
	for p := range policy.All() {
		if p.Provider == "azure" && p.Product == product && distance(w.p, p) == 0 && slices.Equal(p.Normalize().CipherSuites, w.p.CipherSuites) {
			w.means = p
			w.line("policyType: Predefined")
			w.line("policyName: %s", bare(p))
			w.run("%s --policy-type Predefined --name %s", set, bare(p))
			return nil
		}
	}
	known := offered("azure", product)
	var suites []wire.CipherSuite
	for _, s := range below13(w.p.CipherSuites) {
		if slices.Contains(known, s) {
			suites = append(suites, s)
		}
	}
	kind, low, high := "Custom", wire.VersionTLS10, wire.VersionTLS12
	if slices.Contains(w.p.Versions, wire.VersionTLS13) {
		kind, low, high = "CustomV2", wire.VersionTLS12, wire.VersionTLS13
	}
	versions := inside(w.p.Versions, low, high)
	m := w.means
	if kind == "CustomV2" {
		m.CipherSuites = []wire.CipherSuite{wire.TLS_AES_256_GCM_SHA384, wire.TLS_AES_128_GCM_SHA256}
		if len(suites) == 0 || len(versions) == 1 { // the list must not be empty, and is about TLS 1.2
			versions, suites = []wire.Version{wire.VersionTLS13}, []wire.CipherSuite{wire.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384}
		}
	}
	if len(versions) == 0 || len(suites) == 0 {
		return w.unsayable("an Application Gateway has none of its versions with a suite")
	}
	for v := slices.Min(versions); v <= high; v++ {
		m.Versions = append(m.Versions, v)
	}
	m.CipherSuites, m.Preference = append(m.CipherSuites, suites...), policy.PreferServer
	word := "TLSv1_" + string(rune('0'+m.Versions[0]-wire.VersionTLS10))
	w.line("policyType: %s", kind)
	w.line("minProtocolVersion: %s", word)
	w.line("cipherSuites:")
	command := ""
	for _, s := range suites {
		w.line("- %s", s)
		command += " " + s.String()
	}
	w.run("%s --policy-type %s --min-protocol-version %s --cipher-suites%s", set, kind, word, command)
	return nil
}

func (w *writer) explainAzure() {
	w.why[LossVersions] = "an Application Gateway knows a lowest version; with TLS 1.3 that is 1.2, and without it 1.2 is the highest"
	w.why[LossBlockedVersions] = "an Application Gateway blocks no version that it speaks"
	w.why[LossSuites] = "an Application Gateway does not have all of them, and has its two of TLS 1.3"
	w.why[LossPreference] = "it cannot be set here"
	w.why[LossEqualPreference] = "it cannot be set here"
	w.why[LossGroups], w.why[LossSchemes] = "they cannot be set here", "they cannot be set here"
	w.why[LossALPN], w.why[LossALPNRequired] = "it is the gateway's matter", "it is the gateway's matter"
	w.why[LossNames], w.why[LossSNIRequired] = "they are the listener's matter", "they are the listener's matter"
	w.why[LossClientAuth] = "it is the matter of an sslProfile"
	w.why[LossDHParameters] = "they cannot be set here"
}
