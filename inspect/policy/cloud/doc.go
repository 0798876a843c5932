// Package cloud imports the TLS policies of managed load balancers from what the providers' own command lines print or take: AWS
// (Application, Network and Classic Load Balancers), Google Cloud SSL policies and Azure Application Gateways. JSON and YAML are
// read alike. Nothing is asked of a provider.
package cloud

import (
	"bytes"
	"errors"
	"io/fs"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
)

// Kinds of files, as Result.Kind has them.
const (
	AWSListeners            = "aws-describe-listeners"              // aws elbv2 describe-listeners, or the input of create-listener and modify-listener
	AWSSSLPolicies          = "aws-describe-ssl-policies"           // aws elbv2 describe-ssl-policies
	AWSLoadBalancerPolicy   = "aws-describe-load-balancer-policies" // aws elb describe-load-balancer-policies, or the input of create-load-balancer-policy
	AWSLoadBalancers        = "aws-describe-load-balancers"         // aws elb describe-load-balancers
	GCPSSLPolicy            = "gcp-ssl-policy"                      // gcloud compute ssl-policies describe, or list
	AzureSSLPolicy          = "azure-ssl-policy"                    // az network application-gateway ssl-policy show, or predefined show
	AzureApplicationGateway = "azure-application-gateway"           // az network application-gateway show, or list
)

// maxEndpoints bounds what one file gives, maxProblems what is said of it.
const (
	maxEndpoints = 20_000
	maxProblems  = 1_000
)

// Import reads what a provider's command line printed. Outputs of several AWS calls may follow each other in one file: policies
// of a Classic Load Balancer are then found by the listeners that name them. The error is an *imported.Error.
func Import(fsys fs.FS, file string, o imported.Options) (*imported.Result, error) {
	docs, err := document.Read(fsys, file)
	if err != nil {
		var at *document.Error
		errors.As(err, &at)
		return nil, &imported.Error{File: file, Line: at.Line, Text: at.Text}
	}
	r := &reader{custom: make(map[string]*imported.Endpoint)}
	r.Document = imported.Document{File: file, Collector: imported.Collector{MaxEndpoints: maxEndpoints, MaxProblems: maxProblems}}
	var known []part
	for _, doc := range docs {
		known = append(known, parts(doc, 0)...)
	}
	// Policies come first, so that listeners find them in whatever order the outputs stand.
	for _, p := range known {
		if p.kind == AWSLoadBalancerPolicy {
			r.classicPolicies(p.node)
		}
	}
	for _, p := range known {
		r.part(p)
	}
	if r.Result.Kind == "" {
		return nil, &imported.Error{File: file, Line: docs[0].Line, Text: "neither an output of AWS (elbv2 describe-listeners or describe-ssl-policies, elb describe-load-balancers or " +
			"describe-load-balancer-policies) or an input (elbv2 modify-listener, elb create-load-balancer-policy), nor a Google Cloud SSL policy, nor an Azure Application Gateway or its SSL policy"}
	}
	return &r.Result, nil
}

func (r *reader) part(p part) {
	if r.Result.Kind == "" || r.Result.Kind == AWSLoadBalancerPolicy {
		r.Result.Kind = p.kind
	}
	switch p.kind {
	case AWSListeners:
		r.listeners(p.node)
	case AWSSSLPolicies:
		r.sslPolicies(p.node)
	case AWSLoadBalancers:
		r.classicBalancers(p.node)
	case GCPSSLPolicy:
		r.googlePolicy(p.node)
	case AzureSSLPolicy:
		r.azurePolicyAlone(p.node)
	case AzureApplicationGateway:
		r.azureGateway(p.node)
	}
}

// part is a value of a known kind.
type part struct {
	kind string
	node *document.Node
}

// parts finds what is known in a document: a value, or each of a list of them.
func parts(n *document.Node, depth int) []part {
	if n.Kind == document.List && depth < 2 {
		var out []part
		for _, item := range n.Items() {
			out = append(out, parts(item, depth+1)...)
		}
		return out
	}
	has := func(keys ...string) bool {
		for _, key := range keys {
			if !n.Get(key).Present() {
				return false
			}
		}
		return true
	}
	properties := n.Get("properties")
	switch {
	case has("Listeners"), has("ListenerArn", "Protocol"), has("ListenerArn", "SslPolicy"), has("LoadBalancerArn", "Protocol"):
		return []part{{AWSListeners, n}}
	case has("SslPolicies"), has("SslProtocols", "Ciphers"):
		return []part{{AWSSSLPolicies, n}}
	case has("PolicyDescriptions"), has("PolicyTypeName", "PolicyAttributes"):
		return []part{{AWSLoadBalancerPolicy, n}}
	case has("LoadBalancerDescriptions"):
		return []part{{AWSLoadBalancers, n}}
	case n.Get("kind").Text() == "compute#sslPolicy", has("minTlsVersion", "profile"), has("enabledFeatures"):
		return []part{{GCPSSLPolicy, n}}
	case has("httpListeners"), has("frontendPorts"), has("sslPolicy"),
		properties.Get("httpListeners").Present(), properties.Get("sslPolicy").Present():
		return []part{{AzureApplicationGateway, n}}
	case has("policyType"), has("policyName"), has("minProtocolVersion"), properties.Get("minProtocolVersion").Present():
		return []part{{AzureSSLPolicy, n}}
	}
	return nil
}

// Detect reports whether a file is one of this package's, by its beginning.
func Detect(name string, head []byte) bool { return Kind(name, head) != "" }

// Kind is the kind of a file by its beginning; empty: it is none of this package's.
func Kind(_ string, head []byte) string {
	key := func(words ...string) bool {
		for _, word := range words {
			if !bytes.Contains(head, []byte(`"`+word+`"`)) && !startsLine(head, word+":") {
				return false
			}
		}
		return true
	}
	switch {
	case key("SslPolicies"):
		return AWSSSLPolicies
	case key("LoadBalancerDescriptions"):
		return AWSLoadBalancers
	case key("PolicyDescriptions"), key("PolicyTypeName", "PolicyAttributes"):
		return AWSLoadBalancerPolicy
	case (key("Listeners") || key("SslPolicy")) && (key("ListenerArn") || key("LoadBalancerArn")):
		return AWSListeners
	case bytes.Contains(head, []byte("compute#sslPolicy")), key("enabledFeatures") && key("minTlsVersion"), key("minTlsVersion", "profile"):
		return GCPSSLPolicy
	case bytes.Contains(head, []byte("Microsoft.Network/applicationGateways")), key("httpListeners"), key("sslPolicy"):
		return AzureApplicationGateway
	case key("policyType") && (key("policyName") || key("minProtocolVersion")), key("minProtocolVersion", "cipherSuites"):
		return AzureSSLPolicy
	}
	return ""
}

// startsLine reports whether a line of head begins with word, after spaces and a dash.
func startsLine(head []byte, word string) bool {
	for line := range bytes.Lines(head) {
		if bytes.HasPrefix(bytes.TrimLeft(line, " -"), []byte(word)) {
			return true
		}
	}
	return false
}
