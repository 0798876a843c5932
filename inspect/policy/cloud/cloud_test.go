package cloud

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

func importText(t *testing.T, text string) *imported.Result {
	t.Helper()
	result, err := Import(fstest.MapFS{"out": {Data: []byte(text)}}, "out", imported.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func importFile(t *testing.T, name string) *imported.Result {
	t.Helper()
	result, err := Import(os.DirFS("testdata"), name, imported.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range result.Endpoints {
		if e.Policy == nil || len(e.Policy.Versions) == 0 || len(e.Policy.CipherSuites) == 0 {
			t.Errorf("%s: no policy that accepts anything", e.Name)
		}
	}
	importertest.Places(t, result)
	return result
}

func TestListenersOfApplicationAndNetworkLoadBalancers(t *testing.T) {
	result := importFile(t, "describe-listeners.json")
	if result.Kind != AWSListeners || len(result.Endpoints) != 2 {
		t.Fatalf("kind %s, %d endpoints", result.Kind, len(result.Endpoints))
	}
	alb := importertest.Endpoint(t, result, "shop-public:443")
	want, _ := policy.Lookup("aws/ELBSecurityPolicy-TLS13-1-2-Res-2021-06")
	if !slices.Equal(alb.Policy.CipherSuites, want.CipherSuites) || alb.Policy.ClientAuth != policy.ClientAuthRequire || !alb.Default || alb.Policy.ALPN[0] != "h2" {
		t.Errorf("got %+v", alb.Policy)
	}
	if f := alb.Facts[0]; f.Setting != "SslPolicy" || f.Line != 13 {
		t.Errorf("got %+v, want SslPolicy on line 13", f)
	}
	nlb := importertest.Endpoint(t, result, "mqtt:8883")
	if !slices.Equal(nlb.Policy.ALPN, []string{"http/1.1", "http/1.0", "h2"}) || nlb.Policy.ClientAuth != policy.ClientAuthNone || nlb.Listen[0] != ":8883" {
		t.Errorf("got %+v", nlb.Policy)
	}
	importertest.Problem(t, result, 49, "the nearest names are")
}

func TestSSLPoliciesKeepTheOrderOfTheirPriorities(t *testing.T) {
	result := importText(t, `{"SslPolicies": [{
 "Name": "ELBSecurityPolicy-TLS13-1-2-2021-06",
 "SslProtocols": ["TLSv1.3", "TLSv1.2"],
 "Ciphers": [{"Name": "ECDHE-RSA-AES128-GCM-SHA256", "Priority": 3}, {"Name": "TLS_AES_256_GCM_SHA384", "Priority": 2},
   {"Name": "TLS_AES_128_GCM_SHA256", "Priority": 1}, {"Name": "ECDHE-RSA-UNHEARD-OF", "Priority": 4}],
 "SupportedLoadBalancerTypes": ["application"],
 "SupportedMoons": ["phobos"]}]}`)
	e := importertest.Endpoint(t, result, "ELBSecurityPolicy-TLS13-1-2-2021-06")
	want := []wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384, wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
	if !slices.Equal(e.Policy.CipherSuites, want) || !slices.Equal(e.Policy.Versions, []wire.Version{wire.VersionTLS12, wire.VersionTLS13}) {
		t.Errorf("got %v %v", e.Policy.Versions, e.Policy.CipherSuites)
	}
	if e.Policy.Groups == nil || e.Policy.Family != policy.FamilyS2N {
		t.Error("the built-in policy of the name did not give its groups")
	}
	importertest.Problem(t, result, 5, "ECDHE-RSA-UNHEARD-OF")
	importertest.Problem(t, result, 7, "SupportedMoons")
}

func TestClassicLoadBalancersFindTheirPolicies(t *testing.T) {
	result := importFile(t, "describe-load-balancers.json")
	if result.Kind != AWSLoadBalancers {
		t.Errorf("kind %s", result.Kind)
	}
	e := importertest.Endpoint(t, result, "legacy:443")
	want := []wire.CipherSuite{wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_RSA_WITH_AES_256_CBC_SHA}
	if !slices.Equal(e.Policy.CipherSuites, want) || !slices.Equal(e.Policy.Versions, []wire.Version{wire.VersionTLS11, wire.VersionTLS12}) || e.Policy.Preference != policy.PreferServer {
		t.Errorf("got %+v", e.Policy)
	}
	named, _ := policy.Lookup("aws/clb/ELBSecurityPolicy-TLS-1-2-2017-01")
	if got := importertest.Endpoint(t, result, "legacy:993").Policy; got.Name != named.Name {
		t.Errorf("got %s, want %s", got.Name, named.Name)
	}
	importertest.Problem(t, result, 39, "describe-load-balancer-policies")
	importertest.Problem(t, result, 24, "instances")
}

func TestPredefinedClassicPolicyByReference(t *testing.T) {
	result := importText(t, `PolicyDescriptions:
- PolicyName: mine
  PolicyTypeName: SSLNegotiationPolicyType
  PolicyAttributeDescriptions:
  - AttributeName: Reference-Security-Policy
    AttributeValue: ELBSecurityPolicy-2015-05
- PolicyName: client-order
  PolicyTypeName: SSLNegotiationPolicyType
  PolicyAttributeDescriptions:
  - {AttributeName: Protocol-SSLv2, AttributeValue: "true"}
  - {AttributeName: Protocol-TLSv1, AttributeValue: "true"}
  - {AttributeName: DES-CBC3-SHA, AttributeValue: "true"}
  - {AttributeName: NO-SUCH, AttributeValue: "true"}
  - {AttributeName: RC4-SHA, AttributeValue: perhaps}
`)
	if got := importertest.Endpoint(t, result, "mine").Policy.Name; got != "aws/clb/ELBSecurityPolicy-2015-05" {
		t.Errorf("got %s", got)
	}
	if got := importertest.Endpoint(t, result, "client-order").Policy; got.Preference != policy.PreferClient || len(got.CipherSuites) != 1 {
		t.Errorf("got %+v", got)
	}
	importertest.Problem(t, result, 13, "NO-SUCH")
	importertest.Problem(t, result, 14, "neither true nor false")
	importertest.Problem(t, result, 10, "SSLv2")
}

func TestGoogleSSLPolicies(t *testing.T) {
	result := importText(t, `creationTimestamp: '2024-01-02T03:04:05.000-07:00'
customFeatures:
- TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
- TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
enabledFeatures:
- TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
- TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
fingerprint: abc=
kind: compute#sslPolicy
minTlsVersion: TLS_1_2
name: edge
profile: CUSTOM
---
kind: compute#sslPolicy
name: plain
profile: MODREN
---
kind: compute#sslPolicy
name: restricted
profile: RESTRICTED
minTlsVersion: TLS_1_3
`)
	if result.Kind != GCPSSLPolicy {
		t.Errorf("kind %s", result.Kind)
	}
	edge := importertest.Endpoint(t, result, "edge").Policy
	if len(edge.CipherSuites) != 5 || edge.Versions[0] != wire.VersionTLS12 || edge.Preference != policy.PreferenceUnknown || edge.Family != policy.FamilyBoringSSL {
		t.Errorf("got %+v", edge)
	}
	if got := importertest.Endpoint(t, result, "restricted").Policy.Versions; !slices.Equal(got, []wire.Version{wire.VersionTLS13}) {
		t.Errorf("got %v", got)
	}
	importertest.Problem(t, result, 16, "gcp/MODERN")
}

func TestApplicationGatewayListeners(t *testing.T) {
	result := importFile(t, "application-gateway.json")
	if result.Kind != AzureApplicationGateway || len(result.Endpoints) != 2 {
		t.Fatalf("kind %s, %d endpoints", result.Kind, len(result.Endpoints))
	}
	shop := importertest.Endpoint(t, result, "shop")
	if !slices.Equal(shop.Policy.Names, []string{"*.shop.example.com", "shop.example.com"}) || !shop.Policy.SNIRequired || !shop.Policy.NoDHParameters || shop.Default ||
		!slices.Equal(shop.Policy.Versions, []wire.Version{wire.VersionTLS12}) || shop.Policy.CipherSuites[0] != wire.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 ||
		shop.Listen[0] != ":443" || shop.Policy.ALPN[0] != "h2" {
		t.Errorf("got %+v", shop.Policy)
	}
	partners := importertest.Endpoint(t, result, "partners")
	if partners.Policy.ClientAuth != policy.ClientAuthRequire || partners.Policy.Name != "azure/AppGwSslPolicy20220101S" {
		t.Errorf("got %+v", partners.Policy)
	}
	importertest.Problem(t, result, 7, "backend")
}

func TestAzurePoliciesAlone(t *testing.T) {
	for _, test := range []struct {
		name, text string
		low, high  wire.Version
		suites     int
	}{
		{"predefined", `{"policyType": "Predefined", "policyName": "AppGwSslPolicy20170401S"}`, wire.VersionTLS12, wire.VersionTLS12, 0},
		{"custom v2", `{"policyType": "CustomV2", "minProtocolVersion": "TLSv1_2", "cipherSuites": ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]}`, wire.VersionTLS12, wire.VersionTLS13, 3},
		{"contents", `{"name": "x", "minProtocolVersion": "TLSv1_1", "cipherSuites": ["TLS_RSA_WITH_AES_128_CBC_SHA"]}`, wire.VersionTLS11, wire.VersionTLS12, 1},
		{"disabled versions", `{"policyType": "Predefined", "policyName": "AppGwSslPolicy20150501", "disabledSslProtocols": ["TLSv1_0", "TLSv1_1"]}`, wire.VersionTLS12, wire.VersionTLS12, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			result := importText(t, test.text)
			if result.Kind != AzureSSLPolicy || len(result.Endpoints) != 1 || len(result.Problems) != 0 {
				t.Fatalf("kind %s, %d endpoints, %v", result.Kind, len(result.Endpoints), result.Problems)
			}
			p := result.Endpoints[0].Policy
			if p.Versions[0] != test.low || p.Versions[len(p.Versions)-1] != test.high || test.suites > 0 && len(p.CipherSuites) != test.suites {
				t.Errorf("got %v, %d suites", p.Versions, len(p.CipherSuites))
			}
		})
	}
	importertest.Problem(t, importText(t, "{\"policyType\":\n \"Predefined\",\n \"policyName\": \"AppGwSslPolicy20170401X\"}"), 3, "AppGwSslPolicy20170401S")
}

func TestWhatIsNotOursIsAnError(t *testing.T) {
	for _, text := range []string{`{"a": 1}`, `["x"]`, `{"Listeners": `, "", "a: [\n"} {
		_, err := Import(fstest.MapFS{"out": {Data: []byte(text)}}, "out", imported.Options{})
		var e *imported.Error
		if !errors.As(err, &e) || e.File != "out" {
			t.Errorf("%q: got %v, want an *imported.Error", text, err)
		}
	}
	if _, err := Import(fstest.MapFS{}, "gone", imported.Options{}); err == nil {
		t.Error("a file that is not there was read")
	}
}

func TestKindsAreToldApart(t *testing.T) {
	for name, want := range map[string]string{
		"describe-listeners.json": AWSListeners, "describe-load-balancers.json": AWSLoadBalancers, "application-gateway.json": AzureApplicationGateway,
	} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if got := Kind(name, data[:min(len(data), 4096)]); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	for text, want := range map[string]string{
		"kind: compute#sslPolicy\n":                              GCPSSLPolicy,
		"SslPolicies:\n- Name: x\n":                              AWSSSLPolicies,
		"- PolicyDescriptions:\n":                                AWSLoadBalancerPolicy,
		"{\"policyType\": \"Predefined\", \"policyName\": \"\"}": AzureSSLPolicy,
		"listeners:\n- name: x\n":                                "",
		"ssl_protocols TLSv1.2;":                                 "",
	} {
		if got := Kind("", []byte(text)); got != want || Detect("", []byte(text)) != (want != "") {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func FuzzImport(f *testing.F) {
	files, err := os.ReadDir("testdata")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		if data, err := os.ReadFile(filepath.Join("testdata", file.Name())); err == nil {
			f.Add(data)
		}
	}
	f.Add([]byte(`{"SslPolicies": [{"Name": "x", "SslProtocols": ["TLSv1.2"], "Ciphers": [{"Name": "AES128-SHA", "Priority": 1}]}]}`))
	f.Add([]byte("kind: compute#sslPolicy\nprofile: CUSTOM\nenabledFeatures: [TLS_RSA_WITH_AES_128_CBC_SHA]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		result, err := Import(fstest.MapFS{"f": {Data: data}}, "f", imported.Options{})
		var e *imported.Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("error of type %T", err)
		}
		if err != nil {
			return
		}
		for _, e := range result.Endpoints {
			if e.Policy == nil {
				t.Fatalf("endpoint %q without a policy", e.Name)
			}
		}
	})
}

func TestProblemsBeyondTheBoundAreCounted(t *testing.T) {
	text := `{"Listeners": [` + strings.TrimSuffix(strings.Repeat("{\"ListenerArn\": \"a\", \"Protocol\": \"HTTPS\",\n\"SslPolicy\": \"none\"},", maxProblems+10), ",") + "]}"
	result := importText(t, text)
	if last := result.Problems[len(result.Problems)-1]; len(result.Problems) != maxProblems+1 || !strings.Contains(last.Text, "the others are not told") {
		t.Errorf("%d problems, the last %q", len(result.Problems), last.Text)
	}
}

// TestInputsOfCommandsAreRead: what `aws elbv2 modify-listener`, create-listener and `aws elb create-load-balancer-policy` take is known
// for what it is and gives the policy that it sets.
func TestInputsOfCommandsAreRead(t *testing.T) {
	const arn = "arn:aws:elasticloadbalancing:us-east-1:111122223333:listener/net/edge/50dc6c495c0c9188/f2f7dc8efc522ab2"
	tests := []struct{ name, text, endpoint, policy string }{
		{"the policy of a listener", `{"ListenerArn": "` + arn + `", "SslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06"}`, "edge", "aws/ELBSecurityPolicy-TLS13-1-2-2021-06"},
		{"a listener, as YAML", "ListenerArn: " + arn + "\nPort: 443\nProtocol: TLS\nSslPolicy: ELBSecurityPolicy-2016-08\n", "edge:443", "aws/ELBSecurityPolicy-2016-08"},
		{"a new listener", `{"LoadBalancerArn": "` + strings.Replace(arn, ":listener/", ":loadbalancer/", 1) + `", "Protocol": "TLS", "Port": 8443, "SslPolicy": "ELBSecurityPolicy-2016-08", "DefaultActions": []}`,
			"edge:8443", "aws/ELBSecurityPolicy-2016-08"},
		{"a policy of a Classic Load Balancer", `{"LoadBalancerName": "old", "PolicyName": "own", "PolicyTypeName": "SSLNegotiationPolicyType",
			"PolicyAttributes": [{"AttributeName": "Protocol-TLSv1.2", "AttributeValue": "true"}, {"AttributeName": "ECDHE-RSA-AES128-GCM-SHA256", "AttributeValue": "true"}]}`, "own", "aws/clb/own"},
		{"a predefined policy, as YAML", "LoadBalancerName: old\nPolicyName: own\nPolicyTypeName: SSLNegotiationPolicyType\nPolicyAttributes:\n- AttributeName: Reference-Security-Policy\n  AttributeValue: ELBSecurityPolicy-2016-08\n",
			"own", "aws/clb/ELBSecurityPolicy-2016-08"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if !Detect("in", []byte(test.text)) {
				t.Error("not recognised")
			}
			result := importText(t, test.text)
			if p := importertest.Endpoint(t, result, test.endpoint).Policy; p.Name != test.policy || len(result.Problems) > 0 {
				t.Errorf("policy %s, want %s; problems %v", p.Name, test.policy, result.Problems)
			}
		})
	}
}
