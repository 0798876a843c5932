package revocation_test

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/certs/revocation"
)

// opensslCA is an authority in files, as openssl ca and openssl ocsp want it.
type opensslCA struct {
	program, dir string
	ca           *certs.Pair
}

func newOpenSSLCA(t *testing.T, ca *certs.Pair) *opensslCA {
	t.Helper()
	o := &opensslCA{program: program(t, "openssl"), dir: t.TempDir(), ca: ca}
	o.pair(t, "ca", ca)
	o.write(t, "index.txt", nil)
	o.write(t, "index.txt.attr", []byte("unique_subject = no\n"))
	o.write(t, "crlnumber", []byte("1000\n"))
	return o
}

func (o *opensslCA) path(name string) string { return filepath.Join(o.dir, name) }

func (o *opensslCA) write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(o.path(name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (o *opensslCA) pair(t *testing.T, name string, p *certs.Pair) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(p.Key)
	if err != nil {
		t.Fatal(err)
	}
	o.write(t, name+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	o.write(t, name+".pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate.Raw}))
}

// enter puts a certificate into the database; revoked is "" or a date and a reason as openssl writes them.
func (o *opensslCA) enter(t *testing.T, c *x509.Certificate, revoked string) {
	t.Helper()
	state := "V"
	if revoked != "" {
		state = "R"
	}
	serial := strings.ToUpper(fmt.Sprintf("%x", c.SerialNumber))
	if len(serial)%2 == 1 {
		serial = "0" + serial
	}
	index, err := os.ReadFile(o.path("index.txt"))
	if err != nil {
		t.Fatal(err)
	}
	o.write(t, "index.txt", fmt.Appendf(index, "%s\t%s\t%s\t%s\tunknown\t/CN=%s\n", state, c.NotAfter.UTC().Format("060102150405Z"), revoked, serial, c.Subject.CommonName))
}

// respond starts openssl ocsp and is its URL.
func (o *opensslCA) respond(t *testing.T, signer string, more ...string) string {
	t.Helper()
	args := append([]string{"ocsp", "-index", o.path("index.txt"), "-CA", o.path("ca.pem"), "-rsigner", o.path(signer + ".pem"), "-rkey", o.path(signer + ".key"), "-port", "0"}, more...)
	command := exec.Command(o.program, args...)
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	command.Stderr = command.Stdout
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			select {
			case lines <- scanner.Text():
			default: // nobody reads the rest
			}
		}
	}()
	t.Cleanup(func() {
		_ = command.Process.Kill()
		for range lines {
		}
		_ = command.Wait()
	})
	port := regexp.MustCompile(`ACCEPT \S*?:(\d+)`)
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				t.Fatal("openssl ocsp ended")
			}
			if found := port.FindStringSubmatch(line); found != nil {
				return "http://127.0.0.1:" + found[1]
			}
		case <-t.Context().Done():
			t.Fatal("openssl ocsp does not start")
		}
	}
}

// list makes a CRL with openssl ca; extensions are lines of its section, "" makes a list of version 1.
func (o *opensslCA) list(t *testing.T, extensions string) []byte {
	t.Helper()
	section := ""
	if extensions != "" {
		section = "crl_extensions = ext\n"
	}
	o.write(t, "ca.cnf", fmt.Appendf(nil, "[ca]\ndefault_ca = own\n[own]\ndatabase = %s\ncrlnumber = %s\ndefault_md = sha256\ndefault_crl_days = 7\n%s[ext]\n%s\n",
		o.path("index.txt"), o.path("crlnumber"), section, extensions))
	run(t, o.program, "ca", "-gencrl", "-config", o.path("ca.cnf"), "-cert", o.path("ca.pem"), "-keyfile", o.path("ca.key"), "-out", o.path("list.pem"))
	list, err := os.ReadFile(o.path("list.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestOpenSSLResponder(t *testing.T) {
	p := certstest.New(t)
	for _, key := range []certs.KeyKind{certs.ECDSAP256, certs.RSA2048} {
		ca := p.SelfSign(certs.Template{CommonName: "Responding CA", CA: true, Key: key})
		o := newOpenSSLCA(t, ca)
		o.pair(t, "delegate", delegate(p, ca, func(t *certs.Template) { t.Key = key }))
		o.pair(t, "stranger", delegate(p, p.OtherRoot))
		revokedAt := p.Now.Add(-72 * time.Hour).UTC().Truncate(time.Second)
		for _, test := range []struct {
			name, signer string
			args         []string
			enter        string // "-": not in the database
			want         revocation.Result
			nonce        bool
		}{
			{"good", "ca", []string{"-ndays", "1"}, "", revocation.Good, false},
			{"good without next update", "ca", nil, "", revocation.Good, false},
			{"good with a nonce", "ca", nil, "", revocation.Good, true},
			{"good by a delegate", "delegate", []string{"-ndays", "1"}, "", revocation.Good, false},
			{"good by a delegate named by its key", "delegate", []string{"-ndays", "1", "-resp_key_id"}, "", revocation.Good, false},
			{"revoked", "delegate", []string{"-nmin", "5"}, revokedAt.Format("060102150405Z") + ",keyCompromise", revocation.Revoked, true},
			{"unknown", "ca", []string{"-ndays", "1"}, "-", revocation.Unknown, false},
			{"delegate without its certificate", "delegate", []string{"-resp_no_certs"}, "", revocation.BadSignature, false},
			{"a stranger", "stranger", []string{"-ndays", "1"}, "", revocation.BadSignature, false},
			{"SHA-1", "ca", []string{"-ndays", "1", "-rmd", "sha1"}, "", revocation.BadSignature, false},
		} {
			t.Run(fmt.Sprintf("%s/%v", test.name, key), func(t *testing.T) {
				leaf := p.Issue(ca, certs.Template{Names: []string{name}})
				if test.enter != "-" {
					o.enter(t, leaf.Certificate, test.enter)
				}
				url := o.respond(t, test.signer, test.args...)
				c := newChecker(t, revocation.Options{Mode: revocation.Check, Responder: url, Nonce: test.nonce})
				s := only(t, c.Check(t.Context(), path(leaf), nil))
				if len(s.Answers) != 1 || s.Answers[0].Result != test.want {
					t.Fatalf("got %+v", s)
				}
				if a := s.Answers[0]; test.want == revocation.Revoked && (!a.RevokedAt.Equal(revokedAt) || a.Reason.String() != "keyCompromise") {
					t.Errorf("got %+v", a)
				}
			})
		}
	}
}

func TestOpenSSLLists(t *testing.T) {
	p := certstest.New(t)
	ca := p.SelfSign(certs.Template{CommonName: "Listing CA", CA: true, Key: certs.RSA2048})
	o := newOpenSSLCA(t, ca)
	site := newSite(t)
	u := site.URL + "/list.crl"
	good, revoked := p.Issue(ca, certs.Template{Names: []string{name}, CRLDistributionPoints: []string{u}}), p.Issue(ca, certs.Template{Names: []string{name}, CRLDistributionPoints: []string{u}})
	o.enter(t, good.Certificate, "")
	o.enter(t, revoked.Certificate, p.Now.Add(-time.Hour).UTC().Format("060102150405Z")+",superseded")
	idp := func(lines string) string { return "issuingDistributionPoint = critical, @idp\n[idp]\n" + lines }
	for _, test := range []struct {
		name, extensions string
		good, revoked    revocation.Result
	}{
		{"version 1", "", revocation.Good, revocation.Revoked},
		{"version 2", "authorityKeyIdentifier = keyid:always", revocation.Good, revocation.Revoked},
		{"its part", idp("fullname = URI:" + u), revocation.Good, revocation.Revoked},
		{"its part, users only", idp("fullname = URI:" + u + "\nonlyuser = TRUE"), revocation.Good, revocation.Revoked},
		{"another part", idp("fullname = URI:http://crl.example/other"), revocation.WrongCertificate, revocation.WrongCertificate},
		{"authorities only", idp("onlyCA = TRUE"), revocation.WrongCertificate, revocation.WrongCertificate},
		{"indirect", idp("indirectCRL = TRUE"), revocation.Unsupported, revocation.Unsupported},
		{"some reasons", idp("onlysomereasons = superseded"), revocation.Unknown, revocation.Revoked},
		{"relative name", idp("relativename = rel\n[rel]\nCN = part"), revocation.Unsupported, revocation.Unsupported},
		{"delta", "2.5.29.27 = critical, DER:020101", revocation.Unsupported, revocation.Unsupported},
	} {
		t.Run(test.name, func(t *testing.T) {
			list := o.list(t, test.extensions)
			site.serve("list.crl", list)
			c := newChecker(t, revocation.Options{Mode: revocation.Check})
			for leaf, want := range map[*certs.Pair]revocation.Result{good: test.good, revoked: test.revoked} {
				s := only(t, c.Check(t.Context(), path(leaf), nil))
				if len(s.Answers) != 1 || s.Answers[0].Result != want {
					t.Errorf("want %s, got %+v", want, s)
				}
			}
			block, _ := pem.Decode(list)
			if _, err := revocation.ReadList(bytes.NewReader(block.Bytes), 0); err != nil {
				t.Errorf("as DER: %v", err)
			}
		})
	}
}

// What is believed here is believed by openssl, and the other way round.
func TestVerifyOCSPAgreesWithOpenSSL(t *testing.T) {
	p := certstest.New(t)
	o := newOpenSSLCA(t, p.Root)
	leaf := shallow(p, certs.Template{})
	o.pair(t, "leaf", leaf)
	s := about(leaf.Certificate, p.Root.Certificate, revocation.Good, p.Now)
	other := shallow(p, certs.Template{})
	for name, by := range map[string]*certs.Pair{
		"the issuer":                     p.Root,
		"a delegate":                     delegate(p, p.Root),
		"the leaf":                       leaf,
		"a sibling":                      other,
		"a stranger":                     p.OtherRoot,
		"a delegate of a stranger":       delegate(p, p.OtherRoot),
		"a delegate of one below":        delegate(p, p.Intermediate),
		"an expired delegate":            delegate(p, p.Root, func(t *certs.Template) { t.NotAfter = p.Now.Add(-time.Hour) }),
		"a delegate for clients, not us": delegate(p, p.Root, func(t *certs.Template) { t.Usages = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }),
	} {
		der := response{by: by, certs: []*x509.Certificate{by.Certificate}, singles: []single{s}}.der(t)
		o.write(t, "response.der", der)
		out, err := exec.Command(o.program, "ocsp", "-respin", o.path("response.der"), "-issuer", o.path("ca.pem"), "-cert", o.path("leaf.pem"),
			"-CAfile", o.path("ca.pem"), "-no-CApath", "-no-CAstore").CombinedOutput()
		theirs := err == nil && bytes.Contains(out, []byte("Response verify OK"))
		ours := revocation.VerifyOCSP(der, leaf.Certificate, p.Root.Certificate, p.Now, revocation.Verification{})
		if theirs != (ours.Result == revocation.Good) {
			t.Errorf("%s: openssl believes it: %v; ours: %s (%s)\n%s", name, theirs, ours.Result, ours.Detail, out)
		}
	}
}
