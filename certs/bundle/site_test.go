package bundle_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/bundle"
	"github.com/tlstriage/tlstriage/certs/certstest"
)

// twoSites are a site with keys of two kinds, and another, whose certificate has a name of the first one's, too.
func twoSites(t *testing.T) *bundle.Result {
	t.Helper()
	p := certstest.New(t)
	a, b := p.Leaf("www.example.com"), p.Issue(p.Issuing, certs.Template{Names: []string{"*.b.example", "www.example.com", "b.example;evil"}})
	aRSA := p.Issue(p.Issuing, certs.Template{Names: []string{"www.example.com"}, Key: certs.RSA2048})
	r := build(p, pile(certs.EncodePEM(a.Certificate, aRSA.Certificate, b.Certificate, p.Intermediate.Certificate, p.Issuing.Certificate), keyPEM(t, aRSA), keyPEM(t, a), keyPEM(t, b)))
	if len(r.Bundles) != 3 {
		t.Fatalf("%d bundles, problems %v", len(r.Bundles), r.Problems)
	}
	return r
}

// Several sites in one server of nginx, or on several bind lines of HAProxy, would give clients a certificate of another name.
func TestSitesAreKeptApart(t *testing.T) {
	r := twoSites(t)
	t.Run("nginx", func(t *testing.T) {
		dir, out := written(t, r, bundle.Nginx, bundle.OutputOptions{})
		use := strings.Join(out.Use, "\n")
		blocks := strings.Split(use, "server {\n")[1:]
		if len(blocks) != 2 || strings.Count(blocks[0], "ssl_certificate ") != 2 || strings.Count(blocks[1], "ssl_certificate ") != 1 || strings.Count(use, "www.example.com;") != 1 ||
			!strings.Contains(blocks[1], "server_name *.b.example;") || strings.Contains(use, "evil") || strings.Count(use, "default_server") != 1 {
			t.Errorf("%s", use)
		}
		nginx := program(t, "nginx")
		conf := "pid " + dir + "/pid;\nerror_log stderr;\nevents {}\nhttp { access_log off;\n" +
			strings.NewReplacer("/etc/nginx/tls", dir, "listen 443", "listen 127.0.0.1:1").Replace(use) + "\n}\n"
		certstest.WriteFile(t, filepath.Join(dir, "nginx.conf"), []byte(conf))
		if said, err := command(dir, nginx, "-t", "-c", filepath.Join(dir, "nginx.conf")); !strings.Contains(said, "syntax is ok") || strings.Contains(said, "[warn]") && !strings.Contains(said, "\"user\"") || err != nil && !strings.Contains(said, "bind()") {
			t.Errorf("%v\n%s\n%s", err, said, conf)
		}
	})
	t.Run("haproxy", func(t *testing.T) {
		dir, out := written(t, r, bundle.HAProxy, bundle.OutputOptions{})
		if len(out.Use) == 0 || strings.Count(out.Use[0], " crt ") != 3 || strings.Contains(strings.Join(out.Use[1:], "\n"), "bind ") {
			t.Fatalf("%q", out.Use)
		}
		haproxy := program(t, "haproxy")
		conf := "defaults\n timeout client 1s\n timeout server 1s\n timeout connect 1s\nfrontend f\n mode tcp\n " +
			strings.NewReplacer("/etc/haproxy/tls", dir, ":443", "127.0.0.1:1").Replace(out.Use[0]) + "\n"
		certstest.WriteFile(t, filepath.Join(dir, "haproxy.cfg"), []byte(conf))
		run(t, dir, haproxy, "-c", "-f", filepath.Join(dir, "haproxy.cfg"))
	})
	t.Run("envoy", func(t *testing.T) {
		out, err := r.Output(bundle.Envoy, bundle.OutputOptions{})
		if err != nil || !strings.Contains(strings.Join(out.Use, "\n"), `filter_chain_match: {server_names: ["*.b.example"`) {
			t.Errorf("%v, %q", err, out.Use)
		}
	})
}

// What is to be used must have been written: a configuration that names a file which is not there does not start.
func TestNothingIsUsedThatWasNotWritten(t *testing.T) {
	p := certstest.New(t)
	for name, parts := range map[string][][]byte{
		"no key":        {certs.EncodePEM(p.Leaf("www.example.com").Chain()...)},
		"another's key": {certs.EncodePEM(p.Leaf("www.example.com").Chain()...), keyPEM(t, p.Leaf("other.example"))},
	} {
		r := build(p, pile(parts...))
		for _, target := range bundle.Targets() {
			out, err := r.Output(target, bundle.OutputOptions{})
			if err != nil || len(out.Files) == 0 {
				t.Fatal(target, err)
			}
			written := map[string]bool{}
			for _, f := range out.Files {
				written[f.Name] = true
				if strings.Contains(string(f.Data), ".key}") {
					t.Errorf("%s, %s: %s names a key file:\n%s", name, target, f.Name, f.Data)
				}
			}
			if len(out.Warnings) == 0 && target != bundle.Nginx {
				t.Errorf("%s, %s: no warning", name, target)
			}
			for _, line := range out.Use {
				if strings.HasPrefix(strings.TrimSpace(line), "#") {
					continue
				}
				for _, word := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" ;/=", r) }) {
					if strings.HasPrefix(word, "www.example.com.") && !written[word] {
						t.Errorf("%s, %s: %q uses %s, which was not written", name, target, line, word)
					}
				}
			}
		}
	}
}

// What lacks is named as package chain names it: a namesake with another key is here, and is not the one.
func TestIncompleteChainNamesTheNamesake(t *testing.T) {
	p := certstest.New(t)
	authority := certs.Template{CommonName: "Gamma 7", CA: true}
	right, namesake := p.Issue(p.Root, authority), p.Issue(p.Root, authority)
	leaf := p.Issue(right, certs.Template{Names: []string{"www.example.com"}})
	for name, tt := range map[string]struct {
		parts [][]byte
		says  string
		never string
	}{
		"a namesake":        {[][]byte{certs.EncodePEM(leaf.Certificate, namesake.Certificate), keyPEM(t, leaf)}, "has another key", "which is not here"},
		"who knows":         {[][]byte{certs.EncodePEM(leaf.Certificate), keyPEM(t, leaf)}, "neither here nor a trusted root", "another key"},
		"an intermediate's": {[][]byte{certs.EncodePEM(p.Leaf("www.example.com").Certificate)}, "which is not here", "another key"},
	} {
		r := build(p, pile(tt.parts...))
		found := false
		for _, x := range r.Problems {
			if x.ID == bundle.IncompleteChain {
				found = true
				if !strings.Contains(x.Detail, tt.says) || strings.Contains(x.Detail, tt.never) {
					t.Errorf("%s: %q", name, x.Detail)
				}
			}
		}
		if !found {
			t.Errorf("%s: %+v", name, r.Problems)
		}
	}
}
