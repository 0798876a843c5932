package kubernetes

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/certfile"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/named"
	"github.com/tlstriage/tlstriage/inspect/policy/openssl"
)

// Bounds of what one file gives.
const (
	maxEndpoints = 10_000
	maxProblems  = 1_000
	maxObjects   = 200_000
	maxHosts     = 5_000 // of one Ingress
)

// reader is one run of Import.
type reader struct {
	file     string
	options  imported.Options
	result   *imported.Result
	objects  int
	relevant bool

	ingresses  []*document.Node
	configMaps []*document.Node
	secrets    map[string]*document.Node // by namespace/name
	classes    map[string]string         // controllers of GatewayClasses and IngressClasses, by name
	gateways   []*document.Node
	routes     map[string][]*document.Node // by namespace/name of the Gateways that are their parents
	backends   []*document.Node
	controller controller
	finder     named.Finder
	told       bool // that there are too many endpoints
}

// controller is what a Deployment in the file tells of ingress-nginx.
type controller struct {
	version       string
	versionAt     *document.Node
	configMap     string // namespace/name, of --configmap
	defaultSecret *document.Node
	passthrough   bool // --enable-ssl-passthrough
}

func newReader(file string, o imported.Options) *reader {
	return &reader{
		file: file, options: o, result: &imported.Result{Kind: Kind},
		secrets: make(map[string]*document.Node), classes: make(map[string]string), routes: make(map[string][]*document.Node),
	}
}

func (r *reader) problem(n *document.Node, format string, args ...any) {
	r.tell(imported.Problem{File: r.file, Line: n.Position(), Text: fmt.Sprintf(format, args...)})
}

// refuse tells a problem for which the controller does not take the configuration.
func (r *reader) refuse(n *document.Node, format string, args ...any) {
	r.tell(imported.Problem{File: r.file, Line: n.Position(), Text: fmt.Sprintf(format, args...), Refused: true})
}

// report tells what OpenSSL makes of settings.
func (r *reader) report(n *document.Node, c openssl.Context, err error) {
	switch {
	case errors.Is(err, openssl.ErrSystemProfile):
		r.problem(n, "%v", err)
	case c.Refuses(err, false):
		r.refuse(n, "%v; nginx refuses it", err)
	default:
		r.problem(n, "%v; nginx refuses it with an OpenSSL that does", err)
	}
}

func (r *reader) tell(p imported.Problem) {
	switch told := len(r.result.Problems); {
	case told > maxProblems:
		return
	case told == maxProblems:
		p.Text = fmt.Sprintf("more than %d problems: the others are not told", maxProblems)
	}
	r.result.Problems = append(r.result.Problems, p)
}

func (r *reader) add(n *document.Node, e *imported.Endpoint) {
	if len(r.result.Endpoints) == maxEndpoints {
		r.problem(n, "more than %d endpoints: this one is left out", maxEndpoints)
		return
	}
	r.result.Endpoints = append(r.result.Endpoints, e)
}

func (r *reader) fact(e *imported.Endpoint, setting string, n *document.Node) {
	e.Facts = append(e.Facts, imported.Fact{File: r.file, Line: n.Position(), Setting: setting, Value: n.Summary()})
}

func assume(e *imported.Endpoint, setting, value, source string) {
	e.Facts = append(e.Facts, imported.Fact{Setting: setting, Value: value, Default: true, Source: source})
}

// full tells, once, that no endpoint can be added any more, so that none is worked out in vain.
func (r *reader) full(n *document.Node) bool {
	if len(r.result.Endpoints) < maxEndpoints-1 { // the last place is the default server's
		return false
	}
	if !r.told {
		r.told = true
		r.problem(n, "more than %d endpoints: the rest is left out", maxEndpoints)
	}
	return true
}

// nameOf is the name of an object.
func nameOf(n *document.Node) string { return n.At("metadata", "name").Text() }

func namespaceOf(n *document.Node) string {
	if ns := n.At("metadata", "namespace").Text(); ns != "" {
		return ns
	}
	return "default"
}

// collect takes an object, or those of a list.
func (r *reader) collect(n *document.Node, depth int) {
	if n.Kind == document.List && depth < 3 {
		for _, item := range n.Items() {
			r.collect(item, depth+1)
		}
		return
	}
	kind, version := n.Get("kind").Text(), n.Get("apiVersion").Text()
	if kind == "" || version == "" {
		return
	}
	if strings.HasSuffix(kind, "List") && n.Get("items").Present() {
		r.objects++
		if depth < 3 {
			r.collect(n.Get("items"), depth+1)
		}
		return
	}
	if r.objects++; r.objects > maxObjects {
		if r.objects == maxObjects+1 {
			r.problem(n, "more than %d objects: the rest is left out", maxObjects)
		}
		return
	}
	group, _, _ := strings.Cut(version, "/")
	r.object(n, kind, group)
}

func (r *reader) object(n *document.Node, kind, group string) {
	key := namespaceOf(n) + "/" + nameOf(n)
	gateway := group == "gateway.networking.k8s.io"
	switch {
	case kind == "Ingress" && (group == "networking.k8s.io" || group == "extensions"):
		r.relevant = true
		r.ingresses = append(r.ingresses, n)
	case kind == "ConfigMap":
		r.configMaps = append(r.configMaps, n)
		r.relevant = r.relevant || isControllers(n)
	case kind == "Secret":
		r.secrets[key] = n
	case kind == "IngressClass" || kind == "GatewayClass":
		r.classes[kind+"/"+nameOf(n)] = n.At("spec", "controller").Text() + n.At("spec", "controllerName").Text()
	case kind == "Deployment" || kind == "DaemonSet" || kind == "StatefulSet" || kind == "Pod":
		r.workload(n)
	case kind == "Gateway" && gateway:
		r.relevant = true
		r.gateways = append(r.gateways, n)
	case (kind == "TLSRoute" || kind == "HTTPRoute" || kind == "GRPCRoute") && gateway:
		r.route(n)
	case kind == "BackendTLSPolicy" && gateway:
		r.relevant = true
		r.backends = append(r.backends, n)
	case kind == "ListenerSet" || kind == "XListenerSet":
		r.problem(n, "%s is not understood: its listeners are left out", kind)
	case kind == "Gateway" && strings.HasPrefix(group, "networking.istio.io"):
		r.problem(n, "a Gateway of Istio's own API is not understood; its proxies' /config_dump is")
	case group == "gateway.envoyproxy.io" && (kind == "ClientTrafficPolicy" || kind == "BackendTrafficPolicy" || kind == "Backend" || kind == "EnvoyProxy"):
		r.problem(n, "%s of Envoy Gateway is not understood: what it says of TLS is left out; Envoy's /config_dump has it", kind)
	case strings.HasPrefix(group, "traefik."):
		r.problem(n, "%s is Traefik's: import the file with the kind traefik for it", kind)
	case group == "k8s.nginx.org" || group == "projectcontour.io" && kind == "HTTPProxy":
		r.problem(n, "%s of %s is not understood", kind, group)
	}
}

// certificate reads a Secret of type kubernetes.io/tls; nil: it is not in the file or cannot be read, which is told.
func (r *reader) certificate(e *imported.Endpoint, namespace string, name *document.Node) *certfile.Leaf {
	key := name.Text()
	if !strings.Contains(key, "/") {
		key = namespace + "/" + key
	}
	secret := r.secrets[key]
	if secret == nil {
		r.problem(name, "Secret %s is not in this file: the kind of its certificate is not known", document.Quote(key))
		return nil
	}
	var data []byte
	crt := secret.At("stringData", "tls.crt")
	if crt.Present() {
		data = []byte(crt.Text())
	} else {
		crt = secret.At("data", "tls.crt")
		var err error
		if data, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(crt.Text()), "")); err != nil {
			r.problem(crt, "Secret %s: tls.crt: %v", document.Quote(key), err)
			return nil
		}
	}
	leaf, err := certfile.Read(data)
	if err != nil {
		r.problem(name, "Secret %s: tls.crt: %v; the kind of the certificate is not known", document.Quote(key), err)
		return nil
	}
	e.Facts = append(e.Facts, imported.Fact{File: r.file, Line: crt.Position(), Setting: "Secret " + key, Value: string(leaf.Type) + ", " + strings.Join(leaf.Names, " ")})
	return leaf
}
