// Package importer reads the configuration of any system that the policy packages know: it tells the kind by the file's
// name and first bytes, and finds the endpoint that a reference means.
package importer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/apache"
	"github.com/tlstriage/tlstriage/inspect/policy/caddy"
	"github.com/tlstriage/tlstriage/inspect/policy/cloud"
	"github.com/tlstriage/tlstriage/inspect/policy/envoy"
	"github.com/tlstriage/tlstriage/inspect/policy/haproxy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/kubernetes"
	"github.com/tlstriage/tlstriage/inspect/policy/nginx"
	"github.com/tlstriage/tlstriage/inspect/policy/traefik"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// system is one that can be imported.
type system struct {
	kind   string
	title  string
	detect func(name string, head []byte) bool
	read   func(fs.FS, string, imported.Options) (*imported.Result, error)
	choose func(r *imported.Result, name, listen string) *imported.Endpoint // nil: by the names of the endpoints
}

// systems in the order in which they are asked whether a file is theirs: the formats that say so themselves come first.
func systems() []system {
	return []system{
		{"cloud", "AWS describe-listeners, describe-ssl-policies, describe-load-balancer-policies; GCP ssl-policies; Azure sslPolicy", cloud.Detect, cloud.Import, nil},
		{"kubernetes", "Ingress, ConfigMap of ingress-nginx, Secret, Gateway, TLSRoute", kubernetes.Detect, kubernetes.Import, nil},
		{"envoy", "bootstrap, config_dump", envoy.Detect, envoy.Import, nil},
		{"caddy", "JSON, Caddyfile", caddy.Detect, caddy.Import, nil},
		{"traefik", "dynamic configuration, TLSOption", traefik.Detect, traefik.Import, nil},
		{"nginx", "nginx.conf", nginx.Detect, nginx.Import, nginx.Select},
		{"haproxy", "haproxy.cfg", haproxy.Detect, haproxy.Import, haproxy.Select},
		{"apache", "httpd.conf", apache.Detect, apache.Import, apache.Select},
		{yamlKind, "a policy file of this program's own", isPolicyFile, readPolicyFile, nil},
	}
}

// Kind is a kind of configuration that can be read.
type Kind struct {
	Name  string // what --kind takes
	Title string // what it reads
}

// Kinds lists what can be read.
func Kinds() []Kind {
	var kinds []Kind
	for _, s := range systems() {
		kinds = append(kinds, Kind{s.kind, s.title})
	}
	return kinds
}

// yamlKind is our own.
const yamlKind = "yaml"

// How much of a file is looked at to tell its kind: so much of what is no comment, within so much in all.
const (
	headBytes     = 64 << 10
	maxBeforeHead = 16 << 20
)

// ErrKindUnknown says that no system claims a file.
var ErrKindUnknown = errors.New("its kind is not recognised; name it")

// Import reads a configuration. kind forces what it is ("nginx", …); empty: it is told by the file.
func Import(fsys fs.FS, file, kind string, o imported.Options) (*imported.Result, error) {
	s, err := find(fsys, file, kind)
	if err != nil {
		return nil, err
	}
	return s.read(fsys, file, o)
}

// find tells the kind of a file.
func find(fsys fs.FS, file, kind string) (*system, error) {
	for _, s := range systems() {
		if kind != "" && s.kind == kind {
			return &s, nil
		}
	}
	if kind != "" {
		return nil, fmt.Errorf("policy: no kind %q; there are: %s", kind, strings.Join(kindNames(), ", "))
	}
	head, err := readHead(fsys, file)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	for {
		for _, s := range systems() {
			if s.detect(file, head) {
				return &s, nil
			}
		}
		if len(head) < headBytes {
			break
		}
		// A file may begin with any amount of comments, which tell nothing.
		if head, err = readBehindComments(fsys, file); err != nil {
			return nil, fmt.Errorf("policy: %w", err)
		}
		head = head[:min(len(head), headBytes-1)]
	}
	if text := bytes.TrimSpace(head); len(head) < headBytes-1 && len(text) > 0 && (text[0] == '{' || text[0] == '[') {
		if err := json.Unmarshal(text, new(any)); err != nil {
			return nil, &imported.Error{File: file, Text: "it begins as JSON and is none: " + err.Error()}
		}
	}
	return nil, &imported.Error{File: file, Text: fmt.Sprintf("%s (%s)", ErrKindUnknown, strings.Join(kindNames(), ", "))}
}

func kindNames() []string {
	var names []string
	for _, s := range systems() {
		names = append(names, s.kind)
	}
	return names
}

func readHead(fsys fs.FS, file string) ([]byte, error) {
	f, err := fsys.Open(file)
	if err != nil {
		return nil, err
	}
	head, err := io.ReadAll(io.LimitReader(f, headBytes))
	return head, errors.Join(err, f.Close())
}

// readBehindComments is the beginning of a file without the lines that are comments or blank.
func readBehindComments(fsys fs.FS, file string) ([]byte, error) {
	f, err := fsys.Open(file)
	if err != nil {
		return nil, err
	}
	var head []byte
	lines := bufio.NewReaderSize(io.LimitReader(f, maxBeforeHead), headBytes)
	for begins, told := true, true; len(head) < headBytes; {
		line, more, failure := lines.ReadLine() // in pieces, where a line is longer than the buffer
		if failure != nil {
			if !errors.Is(failure, io.EOF) {
				err = failure
			}
			break
		}
		if begins {
			text := bytes.TrimSpace(line)
			told = len(text) > 0 && text[0] != '#' && !bytes.HasPrefix(text, []byte("//"))
		}
		if begins = !more; told {
			head = append(append(head, line...), '\n')
		}
	}
	return head, errors.Join(err, f.Close())
}

// policyKeys begin the lines that only a policy file of our own has.
var policyKeys = regexp.MustCompile(`(?m)^(versions|ciphers|cipher_preference|openssl_cipher_string|groups|signature_algorithms|sni_required):`)

func isPolicyFile(_ string, head []byte) bool { return policyKeys.Match(head) }

// readPolicyFile gives a policy file of our own as the one endpoint that it describes.
func readPolicyFile(fsys fs.FS, file string, _ imported.Options) (*imported.Result, error) {
	head, err := readHead(fsys, file)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	if !isPolicyFile(file, head) && len(head) == headBytes {
		if head, err = readBehindComments(fsys, file); err != nil {
			return nil, fmt.Errorf("policy: %w", err)
		}
	}
	if !isPolicyFile(file, head) {
		return nil, &imported.Error{File: file, Text: "no policy file: it has neither versions nor ciphers"}
	}
	p, err := policy.Load(fsys, file)
	if err != nil {
		return nil, err
	}
	r := &imported.Result{Kind: yamlKind, Endpoints: []*imported.Endpoint{{System: yamlKind, Side: imported.Server, Name: p.Name, Default: p.Names == nil, Policy: p}}}
	if len(p.Versions) > 0 && !slices.ContainsFunc(p.Versions, func(v wire.Version) bool {
		return slices.ContainsFunc(p.CipherSuites, func(s wire.CipherSuite) bool { return serves(s, v) })
	}) {
		r.Problems = append(r.Problems, imported.Problem{File: file, Text: "none of the ciphers is for any of the versions: no client gets through"})
	}
	return r, nil
}

// serves reports whether a suite can be chosen in a version.
func serves(s wire.CipherSuite, v wire.Version) bool {
	info, ok := s.Info()
	return ok && v <= info.MaxVersion && (v >= info.MinVersion || info.MinVersion == wire.VersionTLS10)
}
