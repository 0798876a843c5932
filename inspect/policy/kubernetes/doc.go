// Package kubernetes imports manifests of Kubernetes, as files or as kubectl prints them: Ingresses with the annotations and the
// ConfigMap of ingress-nginx, and the Gateway API (Gateways, their routes, BackendTLSPolicies). What an Ingress or a Gateway comes
// to is its controller's matter: those whose defaults are known are imported, the others are told.
package kubernetes

import (
	"bytes"
	"errors"
	"io/fs"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
)

// Kind is what Result.Kind says.
const Kind = "kubernetes"

// Import reads the manifests of a file: several documents, and lists. Options.Version is that of ingress-nginx; without it the one
// of a controller's Deployment in the file is taken. The error is an *imported.Error.
func Import(fsys fs.FS, file string, o imported.Options) (*imported.Result, error) {
	docs, err := document.Read(fsys, file)
	if err != nil {
		var at *document.Error
		errors.As(err, &at)
		return nil, &imported.Error{File: file, Line: at.Line, Text: at.Text}
	}
	r := newReader(file, o)
	for _, doc := range docs {
		r.collect(doc, 0)
	}
	if r.objects == 0 {
		return nil, &imported.Error{File: file, Line: docs[0].Line, Text: "no object of Kubernetes (apiVersion and kind)"}
	}
	if !r.relevant {
		return nil, &imported.Error{File: file, Line: docs[0].Line, Text: "no Ingress, no ConfigMap of ingress-nginx, no Gateway and no BackendTLSPolicy among the objects"}
	}
	r.ingressNginx()
	r.gatewayAPI()
	return &r.Result, nil
}

// Detect reports whether a file holds objects of Kubernetes that this package reads. Traefik's resources are another package's.
func Detect(_ string, head []byte) bool {
	if !bytes.Contains(head, []byte("apiVersion")) || !bytes.Contains(head, []byte("kind")) {
		return false
	}
	return !bytes.Contains(head, []byte("traefik.io/v1")) && !bytes.Contains(head, []byte("traefik.containo.us/v1"))
}
