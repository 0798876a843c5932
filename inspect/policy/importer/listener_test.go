package importer_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/importer"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
)

// three servers share a listener, on IPv4 and IPv6; a fourth has its own.
const three = `events {}
http {
  ssl_protocols TLSv1.2 TLSv1.3;
  server {
    listen 443 ssl default_server;
    listen [::]:443 ssl default_server;
    server_name first.example;
    ssl_certificate c; ssl_certificate_key k;
  }
  server {
    listen 443 ssl;
    listen [::]:443 ssl;
    server_name z;
    ssl_certificate c; ssl_certificate_key k;
    ssl_dyn_rec_enable on;
    ssl_ciphers ECDHE+AESGCM;
  }
  server {
    listen 443 ssl;
    listen [::]:443 ssl;
    server_name *.wild.example;
    ssl_certificate c; ssl_certificate_key k;
  }
  server {
    listen 8443 ssl;
    server_name z;
    ssl_certificate c; ssl_certificate_key k;
    ssl_ciphers HIGH;
  }
}
`

func TestAListenerHasAllItsBlocks(t *testing.T) {
	conf := write(t, "nginx.conf", three)
	for _, listen := range []string{"#listen=443", "#listen=:443", "#listen=*:443", "#listen=[::]:443"} {
		l, err := importer.LoadListener(importertest.Files{}, conf+listen)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, b := range l.Blocks {
			names = append(names, b.Name)
		}
		if !slices.Equal(names, []string{"first.example", "z", "*.wild.example"}) {
			t.Fatalf("%s has the blocks %q", listen, names)
		}
		for name, want := range map[string]string{"": "first.example", "elsewhere.example": "first.example", "z": "z", "a.wild.example": "*.wild.example"} {
			at := l.Choose(name)
			if at < 0 || l.Blocks[at].Name != want {
				t.Errorf("%s: %q is answered by block %d, want %s", listen, name, at, want)
			}
			one, err := importer.Load(importertest.Files{}, conf+listen+"&server_name="+name)
			if err != nil {
				t.Fatal(err)
			}
			if one.Endpoint.Name != want || one.Policy.Name != l.Blocks[at].Policy.Name && !strings.Contains(listen, "[::]") {
				t.Errorf("%q alone is %s, a block %s", name, one.Policy.Name, l.Blocks[at].Policy.Name)
			}
			if !one.Answers(name) || name != "z" && one.Answers("z") {
				t.Errorf("%q is answered by another block than %s", name, want)
			}
		}
	}
	if _, err := importer.LoadListener(importertest.Files{}, conf); err == nil || !strings.Contains(err.Error(), `several listeners; choose one with #listen=ADDRESS or #server_name=NAME: there are: "*:443", "*:8443"`) {
		t.Errorf("two listeners: %v", err)
	}
	one, err := importer.LoadListener(importertest.Files{}, conf+"#listen=8443")
	if err != nil || one.Blocks != nil || one.Endpoint.Name != "z" {
		t.Errorf("a listener with one block: %+v, %v", one, err)
	}
}

// A reference that chooses one block of a listener has the others beside it: those that ask for something else get to them.
func TestABlockHasItsListener(t *testing.T) {
	conf := write(t, "nginx.conf", three)
	for _, ref := range []string{"#server_name=z", "#server_name=a.wild.example&listen=443", "#endpoint=first.example", "#listen=[::]:443&server_name=z"} {
		l, err := importer.LoadListener(importertest.Files{}, conf+ref)
		if err != nil {
			t.Fatal(err)
		}
		if l.Blocks != nil || l.Listener == nil || len(l.Listener.Blocks) != 3 || l.Listener.Listener != nil {
			t.Fatalf("%s: %+v", ref, l.Listener)
		}
		whole, name := l.Listener, strings.Replace(strings.TrimPrefix(l.Endpoint.Name, "*"), ".wild", "a.wild", 1)
		if chosen := whole.Blocks[whole.Choose(name)]; chosen.Name != l.Endpoint.Name || chosen.Policy.Name != l.Policy.Name {
			t.Errorf("%s: %q is answered by %s, called %s, want %s, %s", ref, name, chosen.Name, chosen.Policy.Name, l.Endpoint.Name, l.Policy.Name)
		}
		if b := whole.Blocks[whole.Choose("")]; b.Name != "first.example" || whole.Endpoint != b {
			t.Errorf("%s: clients without a name get to %s", ref, b.Name)
		}
	}
	for _, ref := range []string{"#listen=8443", "#listen=8443&server_name=z", "#listen=443"} {
		if l, err := importer.LoadListener(importertest.Files{}, conf+ref); err != nil || l.Listener != nil {
			t.Errorf("%s: %+v, %v", ref, l, err)
		}
	}
	if l, err := importer.Load(importertest.Files{}, conf+"#server_name=z"); err != nil || l.Listener != nil {
		t.Errorf("one endpoint alone: %+v, %v", l, err)
	}
}

// A policy's name tells its endpoint from the others of the file, and is a reference that finds it again.
func TestNamesTellEndpointsApart(t *testing.T) {
	conf := write(t, "nginx.conf", three)
	result, err := importer.Import(importertest.Files{}, conf, "", imported.Options{})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, e := range result.Endpoints {
		l, err := importer.Load(importertest.Files{}, conf+"#endpoint="+e.Name+"&listen="+e.Listen[0])
		if err != nil {
			t.Fatal(err)
		}
		if l.Endpoint.Name != e.Name || !policy.Equal(l.Policy, e.Policy) || seen[l.Policy.Name] || !strings.HasPrefix(l.Policy.Name, conf+"#") {
			t.Errorf("%s at %v is called %s", e.Name, e.Listen, l.Policy.Name)
		}
		seen[l.Policy.Name] = true
		again, err := importer.Load(importertest.Files{}, l.Policy.Name)
		if err != nil || again.Policy.Name != l.Policy.Name || !policy.Equal(l.Policy, again.Policy) {
			t.Errorf("%s does not find itself again: %v", l.Policy.Name, err)
		}
	}
	if len(seen) < 4 {
		t.Errorf("%d endpoints", len(seen))
	}
	lone := write(t, "lone.conf", samples["nginx"].text)
	if l, err := importer.Load(importertest.Files{}, lone); err != nil || l.Policy.Name != lone {
		t.Errorf("an endpoint that is alone has its file's name: %v %v", l, err)
	}
}

// What was not understood of one server is no news to whoever asks for another.
func TestProblemsAreThoseOfTheEndpoint(t *testing.T) {
	conf := write(t, "nginx.conf", three)
	about := func(ref string) bool {
		t.Helper()
		l, err := importer.LoadListener(importertest.Files{}, conf+ref)
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(l.Problems, func(p imported.Problem) bool { return strings.Contains(p.Text, "ssl_dyn_rec_enable") })
	}
	for ref, want := range map[string]bool{"#listen=443": true, "#listen=443&server_name=z": true, "#listen=443&server_name=a.wild.example": false, "#listen=8443": false, "#listen=443&server_name=first.example": false} {
		if got := about(ref); got != want {
			t.Errorf("%s: told %t, want %t", ref, got, want)
		}
	}
}

func TestCertificatesCanBeStated(t *testing.T) {
	l, err := importer.Load(importertest.Files{}, "aws/ELBSecurityPolicy-TLS13-1-2-2021-06#certificates=rsa")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(l.Policy.Certificates, []policy.CertificateType{policy.CertRSA}) || l.Policy.Name != "aws/ELBSecurityPolicy-TLS13-1-2-2021-06#certificates=rsa" {
		t.Errorf("%s has %v", l.Policy.Name, l.Policy.Certificates)
	}
	plain, err := policy.Lookup("aws/ELBSecurityPolicy-TLS13-1-2-2021-06")
	if err != nil || plain.Certificates != nil {
		t.Errorf("the built-in policy was changed: %v %v", plain.Certificates, err)
	}
	conf := write(t, "nginx.conf", three)
	if l, err = importer.Load(importertest.Files{}, conf+"#server_name=z&listen=443&certificates=ecdsa,rsa"); err != nil || len(l.Policy.Certificates) != 2 || l.Policy.Certificates[0] != policy.CertECDSAP256 {
		t.Errorf("%+v, %v", l, err)
	}
	again, err := importer.Load(importertest.Files{}, l.Policy.Name)
	if err != nil || again.Policy.Name != l.Policy.Name {
		t.Errorf("%s: %v", l.Policy.Name, err)
	}
	for _, ref := range []string{"aws/ELBSecurityPolicy-2016-08#certificates=", "aws/ELBSecurityPolicy-2016-08#certificates=dsa"} {
		if _, err := importer.Load(importertest.Files{}, ref); err == nil || !strings.Contains(err.Error(), "no kind of certificate") {
			t.Errorf("%s: %v", ref, err)
		}
	}
}

// Comments tell nothing, however many come first.
func TestTheKindIsToldBehindAnyAmountOfComments(t *testing.T) {
	for name, s := range samples {
		if strings.HasPrefix(s.text, "{") {
			continue // JSON has no comments
		}
		long := strings.Repeat("# nothing to see here, and so on for many lines\n\n", 4000) + "# " + strings.Repeat("x", 60_000) + "\n" + s.text
		result, err := importer.Import(importertest.Files{}, write(t, s.name, long), "", imported.Options{})
		if err != nil || result.Kind != s.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := importer.Import(importertest.Files{}, write(t, "notes", strings.Repeat("# nothing\n", 100_000)), "", imported.Options{}); err == nil {
		t.Error("comments alone are of a kind")
	}
}

// FuzzParseReference: whatever is typed is a reference or an error, and finds no file that is not asked for.
func FuzzParseReference(f *testing.F) {
	for _, s := range []string{"aws/x", "a.conf#server_name=a&listen=:443", "a#endpoint=b&side=client&kind=nginx&version=1&openssl=3.0", "#", "a#certificates=rsa,ecdsa", "a#b=c", "a#listen", "-#kind=nginx"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := importer.ParseReference(s)
		if err != nil {
			return
		}
		name, _, _ := strings.Cut(s, "#")
		if r.Name != name {
			t.Errorf("%q names %q", s, r.Name)
		}
		for _, c := range r.Certificates {
			if c == "" {
				t.Errorf("%q states an empty certificate", s)
			}
		}
	})
}
