// Package traefik imports the TLS options of Traefik's dynamic configuration: the file provider's YAML or JSON, and the custom
// resources TLSOption, TLSStore, IngressRoute, IngressRouteTCP, ServersTransport and ServersTransportTCP of Kubernetes.
package traefik

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
)

// Kind is what Result.Kind says.
const Kind = "traefik"

// Import reads a dynamic configuration, or manifests of Kubernetes with Traefik's resources. Certificate files that it names are
// read through fsys for their kind. TOML is refused with an error that says so. The error is an *imported.Error.
func Import(fsys fs.FS, file string, o imported.Options) (*imported.Result, error) {
	data, err := document.ReadFile(fsys, file, document.MaxBytes)
	if err != nil {
		return nil, failed(file, err)
	}
	if line := tomlLine(file, data); line > 0 {
		return nil, &imported.Error{File: file, Line: line, Text: "this is TOML, which is not read: write the configuration as YAML or JSON (Traefik takes either, with the same names)"}
	}
	docs, err := document.Parse(data)
	if err != nil {
		return nil, failed(file, err)
	}
	r := newReader(fsys, file, o)
	found := false
	for _, doc := range docs {
		found = r.collect(doc, 0) || found
	}
	if !found {
		return nil, &imported.Error{File: file, Line: docs[0].Line, Text: "no dynamic configuration of Traefik: neither tls, http nor tcp, and no resource of traefik.io"}
	}
	r.endpoints()
	return &r.Result, nil
}

func failed(file string, err error) error {
	var at *document.Error
	if errors.As(err, &at) {
		return &imported.Error{File: file, Line: at.Line, Text: at.Text}
	}
	return &imported.Error{File: file, Text: err.Error()}
}

// tomlLine is the line of the first table header or assignment that YAML does not have; 0: this is no TOML.
func tomlLine(file string, data []byte) int {
	named := strings.HasSuffix(strings.ToLower(file), ".toml")
	line := 0
	for text := range bytes.Lines(data) {
		line++
		text = bytes.TrimSpace(text)
		if len(text) == 0 || text[0] == '#' {
			continue
		}
		header := text[0] == '[' && text[len(text)-1] == ']' && !bytes.ContainsAny(text, `",{`)
		key, _, assigned := bytes.Cut(text, []byte("="))
		if named || header || assigned && !bytes.ContainsAny(key, `:"'{[`) {
			return line
		}
		return 0
	}
	return 0
}

// Detect reports whether a file is Traefik's: TOML or YAML of the file provider, or a resource of traefik.io.
func Detect(name string, head []byte) bool {
	if bytes.Contains(head, []byte("traefik.io/v1")) || bytes.Contains(head, []byte("traefik.containo.us/v1")) {
		return true
	}
	has := func(words ...string) bool {
		for _, w := range words {
			if bytes.Contains(head, []byte(w)) {
				return true
			}
		}
		return false
	}
	if tomlLine(name, head) > 0 {
		return has("[tls.options", "[http.routers", "[tcp.routers", "[http.serversTransports", "[[tls.certificates]]", "[entryPoints")
	}
	if has("apiVersion:", `"apiVersion"`, `"apps"`) {
		return false
	}
	top := has("\ntls:", "\nhttp:", "\ntcp:", `"tls"`, `"http"`, `"tcp"`) || bytes.HasPrefix(head, []byte("tls:")) || bytes.HasPrefix(head, []byte("http:")) || bytes.HasPrefix(head, []byte("tcp:"))
	return top && has("sniStrict", "VersionTLS", "curvePreferences", "serversTransports", "routers:", `"routers"`, "certFile", "  options:", "alpnProtocols", "clientAuthType")
}
