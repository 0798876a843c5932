package e2e

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// revoking is an authority with leaves in every state, the responder that knows them, and the files that both come from. Its
// leaves hang on the root, so that only they are asked about.
type revoking struct {
	pki       *certstest.PKI
	ca        string // file of the root
	dir       string
	responder string // HOST:PORT of `openssl ocsp`
}

// newRevoking starts a responder that knows the leaves of the states that prepare makes.
func newRevoking(t *testing.T) *revoking {
	t.Helper()
	need(t, "openssl")
	pki := certstest.New(t)
	a := &revoking{pki: pki, ca: pki.WriteRoot(t), dir: t.TempDir()}
	key, err := pki.Root.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	certstest.WriteFile(t, a.path("ca.key"), key)
	certstest.WriteFile(t, a.path("index.txt"), nil)
	certstest.WriteFile(t, a.path("index.txt.attr"), []byte("unique_subject = no\n"))
	a.responder, _ = freePort(t)
	return a
}

func (a *revoking) path(name string) string { return filepath.Join(a.dir, name) }

// respond starts the responder. It reads its database once, so that all leaves must be there. A connection that only tries whether
// it listens would keep it waiting for a request, and everybody else for it.
func (a *revoking) respond(t *testing.T) {
	t.Helper()
	cmd := exec.Command("openssl", "ocsp", "-index", a.path("index.txt"), "-CA", a.ca, "-rsigner", a.ca, "-rkey", a.path("ca.key"), "-port", portOf(a.responder), "-ndays", "1")
	out := &lockedBuffer{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { cmd.Wait(); close(exited) }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-exited
	})
	waitFor(t, out, "the responder listens", func() bool { return strings.Contains(out.String(), "ACCEPT") })
}

// leaf issues one for the site that names where to ask.
func (a *revoking) leaf(template certs.Template) *certs.Pair {
	template.Names = []string{site, "localhost"}
	return a.pki.Issue(a.pki.Root, template)
}

// enter puts a certificate into the responder's database.
func (a *revoking) enter(t *testing.T, c *x509.Certificate, revoked bool) {
	t.Helper()
	state, since := "V", ""
	if revoked {
		state, since = "R", a.pki.Now.Add(-72*time.Hour).UTC().Format("060102150405Z")+",keyCompromise"
	}
	line := fmt.Sprintf("%s\t%s\t%s\t%X\tunknown\t/CN=%s\n", state, c.NotAfter.UTC().Format("060102150405Z"), since, c.SerialNumber.Bytes(), c.Subject.CommonName)
	known, err := os.ReadFile(a.path("index.txt"))
	if err != nil {
		t.Fatal(err)
	}
	certstest.WriteFile(t, a.path("index.txt"), append(known, line...))
}

// staple is an answer about a leaf as a file that s_server staples, given at a time and good for a day.
func (a *revoking) staple(t *testing.T, leaf *certs.Pair, status int, at time.Time) string {
	t.Helper()
	der, err := ocsp.CreateResponse(a.pki.Root.Certificate, a.pki.Root.Certificate, ocsp.Response{
		Status: status, SerialNumber: leaf.Certificate.SerialNumber, ThisUpdate: at, NextUpdate: at.Add(24 * time.Hour), RevokedAt: at.Add(-time.Hour), IssuerHash: crypto.SHA1,
	}, a.pki.Root.Key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "staple.der")
	certstest.WriteFile(t, file, der)
	return file
}

// list is a revocation list of the authority with the certificates in it, in DER.
func revocationList(t *testing.T, by *certs.Pair, at time.Time, revoked ...*x509.Certificate) []byte {
	t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: at.Add(-time.Hour), NextUpdate: at.Add(24 * time.Hour)}
	for _, c := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: at.Add(-2 * time.Hour), ReasonCode: 4})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, by.Certificate, by.Key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// serve starts an s_server with a leaf.
func (a *revoking) serve(t *testing.T, leaf *certs.Pair, more ...string) string {
	cert, key := (&certstest.Chain{Leaf: leaf, Presented: leaf.Chain()[:1]}).WriteFiles(t)
	return sServer(t, cert, key, more...)
}

// The modes, each with a backend that is only reported on and with one that must be right. A listener has the name of both.
var (
	revocationModes = []string{"off", "staple", "check", "require"}
	verifications   = []string{"report", "enforce"}
)

// inAllModes is one proxy with a listener for each mode and verification in front of a backend. It returns when it knows all that
// it is going to know about the backend, or, where hasty, at once.
func (a *revoking) inAllModes(t *testing.T, addr, allowed string, hasty bool) *proxy {
	t.Helper()
	var b strings.Builder
	b.WriteString("listeners:\n")
	for _, mode := range revocationModes {
		for _, verify := range verifications {
			fmt.Fprintf(&b, "- {name: %[1]s-%[2]s, address: '127.0.0.1:0', routes: [{backend: {url: 'tls://%[3]s', server_name: %[4]s, ca: %[5]s, verify: %[2]s, revocation: %[1]s}}]}\n", mode, verify, addr, site, a.ca)
		}
	}
	fmt.Fprintf(&b, "revocation: {hosts: ['%s']}\nca_dir: %s\n", allowed, authority)
	p := startProxy(t, "--config", writeFile(t, "proxy.yaml", b.String()))
	if !hasty {
		waitFor(t, p.stderr, "all backends are looked at", func() bool {
			return strings.Count(p.stderr.String(), `"msg":"backend checked`) == len(revocationModes)*len(verifications)
		})
	}
	return p
}

// waitFor waits until something is the case; said is shown where it never is.
func waitFor(t *testing.T, said fmt.Stringer, what string, is func() bool) {
	t.Helper()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(patience); !is(); <-again.C {
		if time.Now().After(deadline) {
			t.Fatalf("it never happens that %s\n%s", what, said)
		}
	}
}

// judged is what a backend's revocation makes of a record in each mode, where the mode has one; other modes have nothing to say.
type judged struct {
	want    want
	status  inspect.RevocationStatus // of the chain
	source  string                   // of what settled the leaf's
	refused bool                     // where the backend must be right, the traffic does not pass
}

func warns(cause string) want {
	return want{cause: cause, fault: inspect.FaultBackend, verdict: inspect.Warning, outcome: inspect.Success}
}

func fails(cause string, fault inspect.Fault) want {
	return want{cause: cause, fault: fault, verdict: inspect.Failed, outcome: inspect.Success}
}

func TestRevocationOfBackends(t *testing.T) {
	t.Parallel()
	a := newRevoking(t)
	url := "http://" + a.responder
	closed, _ := freePort(t)
	asks := certs.Template{OCSPServer: []string{url}}
	demands := certs.Template{OCSPServer: []string{url}, ExtraExtensions: []pkix.Extension{certstest.MustStaple()}}
	web := http.NewServeMux()
	lists := httptest.NewServer(web)
	t.Cleanup(lists.Close)
	listed := certs.Template{CRLDistributionPoints: []string{lists.URL + "/list.crl"}}

	good, revoked, unknown, must := a.leaf(asks), a.leaf(asks), a.leaf(asks), a.leaf(demands)
	off, silent := a.leaf(certs.Template{OCSPServer: []string{"http://" + closed}}), a.leaf(certs.Template{})
	onList, notOnList := a.leaf(listed), a.leaf(listed)
	a.enter(t, good.Certificate, false)
	a.enter(t, must.Certificate, false)
	a.enter(t, revoked.Certificate, true)
	a.respond(t)
	list := revocationList(t, a.pki.Root, a.pki.Now, onList.Certificate)
	web.HandleFunc("/list.crl", func(w http.ResponseWriter, _ *http.Request) { w.Write(list) })

	var (
		nothing    = judged{want: fine}
		staples    = judged{want: fine, status: inspect.RevocationGood, source: "staple"}
		missing    = judged{want: warns("ocsp-staple-missing"), status: inspect.RevocationNotChecked}
		dead       = judged{want: fails("cert-revoked", inspect.FaultBackend), status: inspect.RevocationRevoked, source: "ocsp", refused: true}
		deadStaple = judged{want: fails("cert-revoked", inspect.FaultBackend), status: inspect.RevocationRevoked, source: "staple", refused: true}
		onItsList  = judged{want: fails("cert-revoked", inspect.FaultBackend), status: inspect.RevocationRevoked, source: "crl", refused: true}
		unsure     = judged{want: want{cause: "revocation-unknown", fault: inspect.FaultProxy, verdict: inspect.Warning, outcome: inspect.Success}, status: inspect.RevocationUnknown}
		unproven   = judged{want: fails("revocation-unknown", inspect.FaultProxy), status: inspect.RevocationUnknown, refused: true}
		noStaple   = judged{want: fails("ocsp-staple-missing", inspect.FaultBackend)}
		stale      = judged{want: warns("ocsp-staple-invalid")}
	)
	with := func(j judged, status inspect.RevocationStatus, source string) judged {
		j.status, j.source = status, source
		return j
	}
	cases := []struct {
		name                        string
		leaf                        *certs.Pair
		flags                       []string
		off, staple, check, require judged
	}{
		{"good", good, nil, nothing, missing, with(nothing, inspect.RevocationGood, "ocsp"), with(missing, inspect.RevocationGood, "ocsp")},
		{"revoked", revoked, nil, nothing, missing, dead, dead},
		{"the responder does not know it", unknown, nil, nothing, missing, unsure, unproven},
		{"responder down", off, nil, nothing, missing, unsure, unproven},
		{"nobody to ask", silent, nil, nothing, with(nothing, inspect.RevocationNotChecked, ""), unsure, unproven},
		{"good staple", good, []string{"-status_file", a.staple(t, good, ocsp.Good, a.pki.Now.Add(-time.Hour))}, nothing, staples, staples, staples},
		{"revoked staple", good, []string{"-status_file", a.staple(t, good, ocsp.Revoked, a.pki.Now.Add(-time.Hour))}, judged{want: deadStaple.want}, deadStaple, deadStaple, deadStaple},
		{"stale staple", good, []string{"-status_file", a.staple(t, good, ocsp.Good, a.pki.Now.Add(-72*time.Hour))}, stale,
			with(stale, inspect.RevocationUnknown, ""), with(stale, inspect.RevocationGood, "ocsp"), with(stale, inspect.RevocationGood, "ocsp")},
		{"must-staple without a staple", must, nil, noStaple, with(noStaple, inspect.RevocationNotChecked, ""), with(noStaple, inspect.RevocationGood, "ocsp"), with(noStaple, inspect.RevocationGood, "ocsp")},
		{"must-staple with one", must, []string{"-status_file", a.staple(t, must, ocsp.Good, a.pki.Now.Add(-time.Hour))}, nothing, staples, staples, staples},
		{"on the list", onList, nil, nothing, with(nothing, inspect.RevocationNotChecked, ""), onItsList, onItsList},
		{"not on the list", notOnList, nil, nothing, with(nothing, inspect.RevocationNotChecked, ""), with(nothing, inspect.RevocationGood, "crl"), with(nothing, inspect.RevocationGood, "crl")},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := a.inAllModes(t, a.serve(t, c.leaf, c.flags...), "127.0.0.1", false)
			for i, j := range []judged{c.off, c.staple, c.check, c.require} {
				for _, verify := range verifications {
					listener := revocationModes[i] + "-" + verify
					w := j.want
					if verify == "enforce" && j.refused {
						w.outcome = inspect.Failure
					}
					// The program itself is what is tested; one client does.
					body, err := goAsk(goClient(t, p.Addrs[listener], false, nil), "/hello")
					if passed := err == nil && strings.Contains(string(body), greeting); passed != (w.outcome == inspect.Success) {
						t.Errorf("%s: %v: %q", listener, err, body)
					}
					r := p.nextFor(t)
					if r.Listener != listener {
						t.Errorf("a record of %s, want %s", r.Listener, listener)
					}
					expect(t, r, w)
					expectRevocation(t, r, revocationModes[i], j)
				}
			}
		})
	}
}

// expectRevocation holds what a record says of the chain's revocation.
func expectRevocation(t *testing.T, r *record, mode string, j judged) {
	t.Helper()
	if r.BackendLeg == nil || r.BackendLeg.TLS == nil || r.BackendLeg.TLS.Server == nil {
		t.Errorf("%s: no server in the record: %s", mode, r)
		return
	}
	got := r.BackendLeg.TLS.Server.Revocation
	if mode == "off" {
		if got != nil {
			t.Errorf("nobody asked, and the record has %+v", got)
		}
		return
	}
	if got == nil || got.Mode != mode || got.Status != j.status || len(got.Certificates) != 1 || got.Certificates[0].Source != j.source {
		t.Errorf("mode %s: revocation %+v, want %s settled by %q", mode, got, j.status, j.source)
	}
}

// No handshake waits for a responder: one that hangs holds up nobody but those whose mode wants an answer first, and these not
// for long. When it answers, the next client meets what it said.
func TestResponderThatHangsHoldsUpNobody(t *testing.T) {
	t.Parallel()
	a := newRevoking(t)
	release := make(chan struct{})
	forward := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: a.responder})
	responder := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
			forward.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(responder.Close)
	leaf := a.leaf(certs.Template{OCSPServer: []string{responder.URL}})
	a.enter(t, leaf.Certificate, true)
	a.respond(t)
	p := a.inAllModes(t, goBackend(t, &certstest.Chain{Leaf: leaf, Presented: leaf.Chain()[:1]}, nil), "127.0.0.1", true)
	for _, mode := range []string{"check", "require", "off", "staple"} { // first those that matter: an answer is not waited for without end
		for _, verify := range verifications {
			start := time.Now()
			body, err := goAsk(goClient(t, p.Addrs[mode+"-"+verify], false, nil), "/hello")
			waits := mode == "require" && verify == "enforce"
			if passed := err == nil && string(body) == greeting; passed == waits {
				t.Errorf("%s, %s: %v: %q", mode, verify, err, body)
			}
			took := time.Since(start)
			r := p.nextFor(t)
			if waits {
				expect(t, r, broken("revocation-unknown", inspect.FaultProxy))
				if took > patience/2 {
					t.Errorf("refused after %v", took)
				}
				continue
			}
			// That it is being asked is said, so that it cannot be taken for good.
			asks := mode == "check" || mode == "require"
			if mode == "check" && r.Verdict != inspect.OK || r.found("cert-revoked") {
				t.Errorf("what is not known yet is judged: %s", r)
			}
			found := r.BackendLeg.TLS.Server.Revocation
			if r.found("revocation-unknown") != asks || asks && (found == nil || found.Status != inspect.RevocationPending) {
				t.Errorf("%s, %s: %+v: %s", mode, verify, found, r)
			}
		}
	}
	close(release)
	for _, mode := range []string{"check", "require"} {
		waitFor(t, p.stderr, "what the responder said is known", func() bool {
			goAsk(goClient(t, p.Addrs[mode+"-enforce"], false, nil), "/hello")
			return p.nextFor(t).Cause == "cert-revoked"
		})
	}
}

// Only hosts that are named may be asked where they are not public: the address is the stranger's who made the certificate.
func TestRespondersInsideAreAskedOnlyWhereAllowed(t *testing.T) {
	t.Parallel()
	a := newRevoking(t)
	asked := make(chan struct{}, 16)
	responder := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		asked <- struct{}{}
	}))
	t.Cleanup(responder.Close)
	leaf := a.leaf(certs.Template{OCSPServer: []string{responder.URL}, CRLDistributionPoints: []string{"ldap://127.0.0.1/cn=list", "file:///etc/passwd"}})
	p := a.inAllModes(t, a.serve(t, leaf), "192.0.2.1", false)
	for _, mode := range []string{"check", "require"} {
		body, err := goAsk(goClient(t, p.Addrs[mode+"-enforce"], false, nil), "/hello")
		if passed := err == nil && string(body) == greeting; passed != (mode == "check") {
			t.Errorf("%s: %v: %q", mode, err, body)
		}
		r := p.nextFor(t)
		if r.Cause != "revocation-unknown" || !strings.Contains(r.Findings[0].Detail, "127.0.0.1") {
			t.Errorf("%s: the detail does not say who was not asked: %s", mode, r)
		}
	}
	if len(asked) > 0 {
		t.Error("the responder was asked")
	}
}

// A responder that is configured is asked instead of those in certificates, and about certificates that name none.
func TestConfiguredResponderIsAsked(t *testing.T) {
	t.Parallel()
	a := newRevoking(t)
	closed, _ := freePort(t)
	silent, wrong := a.leaf(certs.Template{}), a.leaf(certs.Template{OCSPServer: []string{"http://" + closed}})
	a.enter(t, silent.Certificate, false)
	a.enter(t, wrong.Certificate, true)
	a.respond(t)
	for leaf, w := range map[*certs.Pair]judged{
		silent: {want: fine, status: inspect.RevocationGood, source: "ocsp"},
		wrong:  {want: broken("cert-revoked", inspect.FaultBackend), status: inspect.RevocationRevoked, source: "ocsp"},
	} {
		b := backend{addr: a.serve(t, leaf), ca: a.ca}
		p := startProxy(t, b.args("--backend-sni", site, "--backend-verify", "enforce", "--revocation", "check", "--revocation-responder", "http://"+a.responder, "--revocation-host", a.responder)...)
		waitFor(t, p.stderr, "the backend is looked at", func() bool { return strings.Contains(p.stderr.String(), `"msg":"backend checked`) })
		if got := curl("--http1.1", "-i")(t, p.Addr); (got.code == 0) != (w.want.outcome == inspect.Success) {
			t.Errorf("exit %d: %s", got.code, got.out)
		}
		r := p.next()
		expect(t, r, w.want)
		expectRevocation(t, r, "check", w)
		if x := r.BackendLeg.TLS.Server.Revocation; x != nil && x.Certificates[0].URL != "http://"+a.responder {
			t.Errorf("asked at %q", x.Certificates[0].URL)
		}
	}
}
