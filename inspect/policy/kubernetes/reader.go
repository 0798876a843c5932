package kubernetes

import (
	"encoding/base64"
	"errors"
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
	imported.Document
	options  imported.Options
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
	spans      map[*document.Node]imported.Span // of objects, as far as they were asked for
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
		Document: imported.Document{File: file, Collector: imported.Collector{
			Result: imported.Result{Kind: Kind}, MaxProblems: maxProblems, MaxEndpoints: maxEndpoints - 1, // the last place is the default server's
		}},
		options: o,
		secrets: make(map[string]*document.Node), classes: make(map[string]string), routes: make(map[string][]*document.Node),
	}
}

// report tells what OpenSSL makes of settings.
func (r *reader) report(n *document.Node, c openssl.Context, err error) {
	switch {
	case errors.Is(err, openssl.ErrSystemProfile):
		r.Problem(n, "%v", err)
	case c.Refuses(err, false):
		r.Refuse(n, "%v; nginx refuses it", err)
	default:
		r.Problem(n, "%v; nginx refuses it with an OpenSSL that does", err)
	}
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
			r.Problem(n, "more than %d objects: the rest is left out", maxObjects)
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
		r.Problem(n, "%s is not understood: its listeners are left out", kind)
	case kind == "Gateway" && strings.HasPrefix(group, "networking.istio.io"):
		r.Problem(n, "a Gateway of Istio's own API is not understood; its proxies' /config_dump is")
	case group == "gateway.envoyproxy.io" && (kind == "ClientTrafficPolicy" || kind == "BackendTrafficPolicy" || kind == "Backend" || kind == "EnvoyProxy"):
		r.Problem(n, "%s of Envoy Gateway is not understood: what it says of TLS is left out; Envoy's /config_dump has it", kind)
	case strings.HasPrefix(group, "traefik."):
		r.Problem(n, "%s is Traefik's: import the file with the kind traefik for it", kind)
	case group == "k8s.nginx.org" || group == "projectcontour.io" && kind == "HTTPProxy":
		r.Problem(n, "%s of %s is not understood", kind, group)
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
		r.Problem(name, "Secret %s is not in this file: the kind of its certificate is not known", document.Quote(key))
		return nil
	}
	e.Spans = append(e.Spans, r.span(secret))
	var data []byte
	crt := secret.At("stringData", "tls.crt")
	if crt.Present() {
		data = []byte(crt.Text())
	} else {
		crt = secret.At("data", "tls.crt")
		var err error
		if data, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(crt.Text()), "")); err != nil {
			r.Problem(crt, "Secret %s: tls.crt: %v", document.Quote(key), err)
			return nil
		}
	}
	leaf, err := certfile.Read(data)
	if err != nil {
		r.Problem(name, "Secret %s: tls.crt: %v; the kind of the certificate is not known", document.Quote(key), err)
		return nil
	}
	e.Facts = append(e.Facts, imported.Fact{File: r.File, Line: crt.Position(), Setting: "Secret " + key, Value: string(leaf.Type) + ", " + strings.Join(leaf.Names, " ")})
	return leaf
}
