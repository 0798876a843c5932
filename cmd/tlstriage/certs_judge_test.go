package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/porttest"
)

// silent accepts connections and says nothing.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
		}
	}()
	return l.Addr().String()
}

// A responder, or an authority's server, that never answers costs --timeout and no more: the check says so and goes on.
func TestTimeoutBoundsWhatIsAsked(t *testing.T) {
	pki := certstest.New(t)
	host := silent(t)
	ca := pki.WriteRoot(t)
	for name, tt := range map[string]struct {
		template certs.Template
		alone    bool
		flags    []string
		id, says string
	}{
		"OCSP":  {certs.Template{OCSPServer: []string{"http://" + host}}, false, []string{"--revocation", "check"}, "revocation-unknown", ""},
		"CRL":   {certs.Template{CRLDistributionPoints: []string{"http://" + host + "/x.crl"}}, false, []string{"--revocation", "check"}, "revocation-unknown", ""},
		"fetch": {certs.Template{IssuingCertificateURL: []string{"http://" + host + "/ca.der"}}, true, []string{"--fetch-intermediates"}, "chain-missing-intermediate", "what lacks was not fetched"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.template.Names = []string{"www.example.com"}
			chain := pki.Issue(pki.Issuing, tt.template).Chain()
			if tt.alone {
				chain = chain[:1]
			}
			began := time.Now()
			_, checked, _, _ := checkFile(t, ca, certs.EncodePEM(chain...), append(tt.flags, "--revocation-host", host, "--timeout", "300ms")...)
			if took := time.Since(began); took > 8*time.Second { // checkFile asks twice
				t.Errorf("it took %s", took)
			}
			found := false
			for _, f := range checked.Findings {
				found = found || f.ID == tt.id && strings.Contains(f.Detail, tt.says)
			}
			if !found {
				t.Errorf("%+v", checked.Findings)
			}
		})
	}
}

// serveBytes answers every request with the same bytes, and counts.
func serveBytes(t *testing.T, data []byte) (host string, asked func() int) {
	t.Helper()
	var n atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n.Add(1)
		w.Write(data)
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://"), func() int { return int(n.Load()) }
}

// What was fetched stands in the fix, so that it can be pasted: chain and fix together are a good file.
func TestFixHoldsWhatWasFetched(t *testing.T) {
	pki := certstest.New(t)
	host, asked := serveBytes(t, pki.Issuing.Certificate.Raw)
	leaf := pki.Issue(pki.Issuing, certs.Template{Names: []string{"www.example.com"}, IssuingCertificateURL: []string{"http://" + host + "/ca.der"}})
	ca := filepath.Join(t.TempDir(), "ca.pem")
	certstest.WriteFile(t, ca, certs.EncodePEM(pki.Root.Certificate, pki.Intermediate.Certificate))
	alone := certs.EncodePEM(leaf.Certificate)

	code, checked, _, _ := checkFile(t, ca, alone, "--fetch-intermediates")
	if code != exitFindings || asked() != 0 || !strings.Contains(checked.Findings[0].Detail, "what lacks was not fetched") || !strings.Contains(checked.Findings[0].Fixes[0].Snippet, "--revocation-host") {
		t.Errorf("refused: exit %d, %d requests, %+v", code, asked(), checked.Findings)
	}
	code, checked, text, _ := checkFile(t, ca, alone, "--fetch-intermediates", "--revocation-host", host)
	if code != exitFindings || checked.Cause != "chain-missing-intermediate" || asked() == 0 {
		t.Fatalf("exit %d, cause %s, %d requests", code, checked.Cause, asked())
	}
	fixes := checked.Findings[0].Fixes
	if !strings.Contains(fixes[0].Action, "http://"+host+"/ca.der") || !strings.Contains(fixes[0].Snippet, "BEGIN CERTIFICATE") || !strings.Contains(text, "BEGIN CERTIFICATE") {
		t.Fatalf("%+v\n%s", fixes, text)
	}
	if code, checked, _, _ := checkFile(t, ca, append(alone, fixes[0].Snippet+"\n"...)); code != exitClean {
		t.Errorf("pasted: exit %d, %+v", code, checked.Findings)
	}
}

// A name with several addresses is looked at on each: one node that serves an old certificate, and one that is down, are told from the
// others, and the worst decides.
func TestEveryAddressOfANameIsLookedAt(t *testing.T) {
	pki := certstest.New(t)
	good := pki.Leaf("www.example.com")
	old := pki.Issue(pki.Issuing, certs.Template{Names: []string{"www.example.com"}, NotBefore: pki.Now.AddDate(0, -3, 0), NotAfter: pki.Now.AddDate(0, 0, -1)})
	port := strconv.Itoa(porttest.Free(t)) // on every address of the loopback
	serve := func(l net.Listener, leaf *certs.Pair) {
		t.Cleanup(func() { l.Close() })
		certificate := tls.Certificate{PrivateKey: leaf.Key}
		for _, c := range leaf.Chain() {
			certificate.Certificate = append(certificate.Certificate, c.Raw)
		}
		go func() { // ends with the listener
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_ = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{certificate}}).Handshake() // the other side says how it went
				c.Close()
			}
		}()
	}
	for _, node := range []struct {
		ip   string
		leaf *certs.Pair
	}{{"127.0.0.1", good}, {"127.0.0.2", good}, {"127.0.0.3", old}} {
		l, err := net.Listen("tcp", net.JoinHostPort(node.ip, port))
		if err != nil && runtime.GOOS != "linux" { // there the loopback is a network
			t.Skipf("no second address on loopback here: %v", err)
		}
		if err != nil {
			t.Fatal(err)
		}
		serve(l, node.leaf)
	}
	c := &certsCheck{chainJudge: chainJudge{timeout: time.Minute}, revocation: "off", ca: pki.WriteRoot(t), resolve: func(context.Context, string) ([]string, error) {
		return []string{"127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"}, nil
	}}
	if err := c.prepare(); err != nil {
		t.Fatal(err)
	}
	defer c.close()
	cmd := &cobra.Command{}
	cmd.SetContext(t.Context())
	var out bytes.Buffer
	cmd.SetOut(&out)
	checked, err := c.check(cmd, "www.example.com:"+port)
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, a := range checked.Addresses {
		seen = append(seen, strings.TrimSuffix(a.Address, ":"+port)+" "+string(a.Verdict)+" "+a.Cause+" "+a.Differs)
	}
	want := []string{"127.0.0.1 ok  ", "127.0.0.2 ok  ", "127.0.0.3 failed cert-expired another certificate than 2 of 3 addresses", "127.0.0.4 failed backend-refused "}
	if !slices.Equal(seen, want) || checked.Verdict != inspect.Failed {
		t.Errorf("%s\n%q\nwant\n%q", checked.Verdict, seen, want)
	}
	if err := c.print(cmd, checked); err != nil || !strings.Contains(out.String(), "another certificate than 2 of 3 addresses") {
		t.Errorf("%v: %s", err, out.String())
	}
}

// The checker of certificates is no proxy: nothing that it prints sends its reader to one.
func TestCertsCheckSpeaksOfNoProxy(t *testing.T) {
	pki := certstest.New(t)
	dir := t.TempDir()
	for _, kind := range certstest.Kinds() {
		chain := pki.Make(kind, "www.example.com")
		file := filepath.Join(dir, string(kind)+".pem")
		certstest.WriteFile(t, file, certs.EncodePEM(chain.Presented...))
		var out, stderr bytes.Buffer
		run(t.Context(), []string{"certs", "check", file, "--name", "www.example.com", "--ca", pki.WriteRoot(t)}, nil, &out, &stderr)
		for _, word := range []string{"this proxy", "tlstriage proxy", "check of the backend", "backend leg", "the backend must", "The backend"} {
			if strings.Contains(out.String(), word) {
				t.Errorf("%s: it says %q:\n%s", kind, word, out.String())
			}
		}
	}
}

// `certs watch` asks about revocation when it is told to.
func TestCertsWatchFlags(t *testing.T) {
	for _, args := range [][]string{{"--revocation", "maybe"}, {"--timeout", "0s"}, {"--revocation-host", "a b"}} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), append([]string{"certs", "watch", "127.0.0.1:1"}, args...), nil, &stdout, &stderr); code != exitUsage || !strings.Contains(stderr.String(), args[0]) {
			t.Errorf("%v: exit %d: %s", args, code, stderr.String())
		}
	}
}

// How long a certificate is valid is said as a person says it, also when it is so no more.
func TestRemaining(t *testing.T) {
	const day = 24 * time.Hour
	for d, want := range map[time.Duration]string{
		30 * day: "30 days", 47 * time.Hour: "47 hours", 90 * time.Minute: "90 minutes", -24 * time.Hour: "24 hours ago", -time.Minute: "60 seconds ago", -3 * day: "3 days ago",
	} {
		if got := remaining(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}
