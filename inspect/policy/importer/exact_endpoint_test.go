package importer_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/importer"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// endpoint is a real one with one configuration.
type endpoint struct {
	system string // "nginx 1.22.1"
	title  string // the configuration in a line
	names  []string
	one    bool // it answers one connection at a time
	// start runs it until the test ends. predict gives the policy of what answers for a server name, empty for none.
	start func(t *testing.T, l *lab) (address string, predict func(t *testing.T, name string) *policy.Policy)
}

// asRecorded stands among the names that an endpoint is asked for, for the name that a hello was recorded with.
const asRecorded = "="

// lab is what all endpoints share.
type lab struct {
	dir    string // certificates and keys
	certs  map[string]tls.Certificate
	keys   *keys
	corpus []*hello
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{dir: t.TempDir(), certs: map[string]tls.Certificate{}, keys: newKeys(t)}
	l.corpus = corpus(t, l.keys)
	for name, serves := range map[string]struct {
		key   string
		names []string
	}{
		"rsa": {"rsa", []string{"localhost"}}, "ec": {"ec", []string{"localhost"}}, "ec384": {"ec384", []string{"localhost"}},
		"ec521": {"ec521", []string{"localhost"}}, "ed": {"ed", []string{"localhost"}},
		"one": {"rsa", []string{"one.example"}}, "two": {"ec", []string{"two.example", "*.two.example"}},
	} {
		importertest.KeyPair(t, l.dir, name, importertest.Key(t, serves.key), serves.names...)
		pair, err := tls.LoadX509KeyPair(filepath.Join(l.dir, name+".crt"), filepath.Join(l.dir, name+".key"))
		if err != nil {
			t.Fatal(err)
		}
		l.certs[name] = pair
	}
	// A bundle of HAProxy's, by its names.
	for kind, key := range map[string]string{"rsa": "rsa", "ecdsa": "ec"} {
		certificate, private := importertest.PEM(t, importertest.Key(t, key), "localhost")
		importertest.Write(t, filepath.Join(l.dir, "both.pem."+kind), certificate+private)
	}
	importertest.Write(t, filepath.Join(l.dir, "dh.pem"), importertest.DH2048)
	return l
}

// temp is a directory for the files of one endpoint. Its name has nothing in it that would need quotes in a configuration.
func (l *lab) temp(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(l.dir, "endpoint")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func curveKind(leaf *x509.Certificate) policy.CertificateType {
	if key, ok := leaf.PublicKey.(*ecdsa.PublicKey); ok {
		switch key.Curve {
		case elliptic.P256():
			return policy.CertECDSAP256
		case elliptic.P384():
			return policy.CertECDSAP384
		case elliptic.P521():
			return policy.CertECDSAP521
		}
	}
	return ""
}

// importing reads a configuration as a user does: the endpoint of a reference with the server name and the address. Where none
// answers for a name, that of the address must refuse it.
func importing(conf, kind, version, port string) func(t *testing.T, name string) *policy.Policy {
	return func(t *testing.T, name string) *policy.Policy {
		t.Helper()
		ref := conf + "#kind=" + kind + "&version=" + version + "&listen=:" + port
		loaded, err := importer.Load(importertest.Files{}, ref+"&server_name="+name)
		if err != nil {
			result, all := importer.Import(importertest.Files{}, conf, kind, imported.Options{Version: version})
			if all != nil {
				t.Fatal(all)
			}
			for _, e := range result.Endpoints {
				if e.Side == imported.Server && slices.ContainsFunc(e.Listen, func(at string) bool { return strings.HasSuffix(at, ":"+port) }) {
					return e.Policy
				}
			}
			t.Fatalf("no endpoint for %q: %v", name, err)
		}
		return loaded.Policy
	}
}

// tally is what became of the hellos that were sent to an endpoint.
type tally struct {
	sent, accepted, refused, retried, whole int
	wrong                                   []string
}

// try sends all hellos of the lab to an endpoint and holds the answers against the predictions.
func (e *endpoint) try(t *testing.T, l *lab) *tally {
	address, predict := e.start(t, l)
	policies := map[string]*policy.Policy{}
	type question struct {
		hello  *hello
		form   *form
		policy *policy.Policy
		want   policy.Result
	}
	var questions []question
	for i, h := range l.corpus {
		f := h.form
		if f != nil && len(e.names) > 0 {
			if name := e.names[i%len(e.names)]; name != asRecorded && !f.bare {
				f = f.clone()
				f.setName(name)
			}
		}
		var parsed wire.ClientHello
		var err error
		if f == nil {
			err = wire.ParseSSLv2ClientHello(h.raw[2:], &parsed)
		} else {
			err = wire.ParseClientHello(f.message(), &parsed)
		}
		if err != nil {
			t.Fatalf("%s: %v", h.id, err)
		}
		name := string(parsed.ServerName)
		if policies[name] == nil {
			policies[name] = predict(t, name)
		}
		questions = append(questions, question{h, f, policies[name], policy.Negotiate(&parsed, policies[name])})
	}
	workers := 3
	if e.one {
		workers = 1
	}
	var wait sync.WaitGroup
	var mu sync.Mutex
	var next atomic.Int32
	result := &tally{}
	for range workers {
		wait.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(questions) {
					return
				}
				q := questions[i]
				got, err := dialAndAsk(address, q.hello, q.form, l.keys)
				var difference string
				if err != nil {
					difference = err.Error()
				} else {
					difference = disagreement(q.want, q.policy, got)
					if refusesEarlyData(q.form, q.policy) {
						difference = wantEarlyDataRefused(got)
					}
				}
				mu.Lock()
				result.count(q.want, got)
				if difference != "" {
					result.wrong = append(result.wrong, fmt.Sprintf("%s: %s%s", q.hello.id, difference, describe(q.form)))
				}
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	return result
}

// refusesEarlyData reports whether a hello has early data for crypto/tls, which answers it with unsupported_extension: none of its
// own tickets allows any, so the ticket is another server's (RFC 8446, Section 4.2.10). Tickets and early data are no matter of a
// prediction, which is of a full handshake.
func refusesEarlyData(f *form, p *policy.Policy) bool {
	return f != nil && f.has(wire.ExtensionEarlyData) && p.Family == policy.FamilyGo &&
		slices.Contains(p.Versions, wire.VersionTLS13) && slices.Contains(f.versions(), wire.VersionTLS13)
}

func wantEarlyDataRefused(got answer) string {
	if got.alert == wire.AlertUnsupportedExtension {
		return ""
	}
	return "early data is answered otherwise than with unsupported_extension: " + got.String()
}

func (r *tally) count(want policy.Result, got answer) {
	r.sent++
	if want.Accepted {
		r.accepted++
	} else {
		r.refused++
	}
	if got.retry {
		r.retried++
	}
	if got.whole {
		r.whole++
	}
}

func dialAndAsk(address string, h *hello, f *form, k *keys) (answer, error) {
	conn, err := net.DialTimeout("tcp", address, time.Minute)
	if err != nil {
		return answer{}, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return answer{}, err
	}
	return ask(conn, h, f, k)
}

// describe is what a person needs of a hello to see why an endpoint answered as it did.
func describe(f *form) string {
	if f == nil {
		return ""
	}
	var h wire.ClientHello
	if err := wire.ParseClientHello(f.message(), &h); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("\n  offered: %v %v for %q, alpn %q\n  suites %v\n  groups %v, shares %v, schemes %v", h.LegacyVersion, h.SupportedVersions.Slice(), h.ServerName, h.ALPN.Strings(),
		h.CipherSuites.Slice(), h.SupportedGroups.Slice(), f.shares(), h.SignatureSchemes.Slice())
}
