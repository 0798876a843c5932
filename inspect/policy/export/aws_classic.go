package export

import (
	"slices"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// classicSuites are the suites that a policy of a Classic Load Balancer can name, in the order in which AWS keeps them whatever the
// order in which they are given: that of DescribeLoadBalancerPolicies.
func classicSuites() []wire.CipherSuite {
	return []wire.CipherSuite{
		0xC02B, 0xC02F, 0xC023, 0xC027, 0xC009, 0xC013, 0x0033, 0xC02C, 0xC030, 0xC024, 0xC028, 0xC014,
		0xC00A, 0x009C, 0x003C, 0x002F, 0x009D, 0x003D, 0x0035, 0x0032, 0x0041, 0x0016, 0x000A, 0xC011,
		0x0005, 0xC007, 0x00A3, 0x009F, 0x006B, 0x006A, 0x0039, 0x0038, 0x0088, 0x0087, 0x0084, 0x0013,
		0x00A2, 0x009E, 0x0067, 0x0040, 0x0045, 0x0044, 0x00A6, 0x0034, 0x006C, 0x00A7, 0x003A, 0x006D,
		0x0046, 0x0089, 0x001B, 0x001A, 0x0018, 0x009B, 0x0009, 0x0099, 0x009A, 0x0012, 0x0015, 0x0007,
		0x0004, 0x0096, 0x008D, 0x008B, 0x001F, 0x0023, 0x008C, 0x008A, 0x0020, 0x0024, 0x001E, 0x0022,
		0x0014, 0x0011, 0x0019, 0x0008, 0x0006, 0x0027, 0x0026, 0x002A, 0x0029, 0x0017, 0x0003, 0x0028,
		0x002B,
	}
}

// writeClassicBalancer writes the input of CreateLoadBalancerPolicy.
func writeClassicBalancer(w *writer) error {
	m := w.means
	m.ClientAuth = policy.ClientAuthNone
	for _, v := range w.p.Versions {
		if v >= wire.VersionSSLv3 && v <= wire.VersionTLS12 {
			m.Versions = append(m.Versions, v)
		}
	}
	for _, s := range classicSuites() {
		if slices.Contains(w.p.CipherSuites, s) {
			m.CipherSuites = append(m.CipherSuites, s)
		}
	}
	if len(m.Versions) == 0 || len(m.CipherSuites) == 0 {
		return w.unsayable("a Classic Load Balancer speaks SSLv3 to TLS 1.2, and none of the suites or versions are left")
	}
	m.Preference = policy.PreferServer
	if w.p.Preference == policy.PreferClient {
		m.Preference = policy.PreferClient
	}
	w.why[LossVersions] = "a Classic Load Balancer has no TLS 1.3"
	w.why[LossBlockedVersions] = "a Classic Load Balancer blocks no version that it speaks"
	w.why[LossSuites] = "a Classic Load Balancer has its own order, and does not have all of them"
	w.why[LossPreference] = "whether ChaCha20 goes first cannot be set here"
	w.why[LossEqualPreference] = "a Classic Load Balancer has no groups of equal preference"
	w.why[LossALPN] = "a Classic Load Balancer negotiates no protocol"
	w.why[LossALPNRequired] = w.why[LossALPN]
	w.why[LossGroups], w.why[LossSchemes] = "they cannot be set here", "they cannot be set here"
	w.why[LossNames] = "a Classic Load Balancer answers every name"
	w.why[LossSNIRequired] = w.why[LossNames]
	w.why[LossClientAuth] = "a Classic Load Balancer asks for no certificate"
	w.why[LossDHParameters] = "parameters are always there"

	name := w.nameOf(120)
	w.line("LoadBalancerName: my-load-balancer")
	w.line("PolicyName: %s", name)
	w.line("PolicyTypeName: SSLNegotiationPolicyType")
	w.line("PolicyAttributes:")
	set := func(attribute string) {
		w.line("- AttributeName: %s", attribute)
		w.line("  AttributeValue: \"true\"")
	}
	for _, v := range m.Versions {
		set("Protocol-" + openSSLVersion(v))
	}
	if m.Preference == policy.PreferServer {
		set("Server-Defined-Cipher-Order")
	}
	for _, s := range m.CipherSuites {
		set(openSSLName(s))
	}
	w.run("aws elb create-load-balancer-policy --cli-input-yaml file://policy.yaml")
	w.run("aws elb set-load-balancer-policies-of-listener --load-balancer-name my-load-balancer --load-balancer-port 443 --policy-names %s", name)
	return nil
}
