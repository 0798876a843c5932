package chain_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/certs/chain"
	"golang.org/x/crypto/ocsp"
)

// transparency is a leaf with timestamps of two logs in it, and others to deliver.
type transparency struct {
	*certstest.PKI
	ec, rsa, stranger *certstest.CTLog
	leaf              *certs.Pair
	embedded          []byte
	logs              *chain.LogList
}

func newTransparency(t *testing.T) *transparency {
	t.Helper()
	p := certstest.New(t)
	x := &transparency{PKI: p, ec: p.NewCTLog("ec-log", certs.ECDSAP256), rsa: p.NewCTLog("rsa-log", certs.RSA2048), stranger: p.NewCTLog("stranger", certs.ECDSAP256)}
	x.leaf = p.Leaf(name)
	x.embedded = p.Embed(p.Issuing, x.leaf.Certificate, p.Now.Add(-time.Hour), x.ec, x.rsa)
	var err error
	if x.logs, err = chain.ParseLogList(certstest.LogListJSON(x.ec, x.rsa)); err != nil {
		t.Fatal(err)
	}
	return x
}

func (x *transparency) above() [][]byte {
	return raw(x.Issuing.Certificate, x.Intermediate.Certificate)
}

func statuses(r *chain.Report) (out []string) {
	for _, t := range r.SCTs {
		out = append(out, fmt.Sprintf("%s %s %s", t.Source, t.Log, t.Status))
	}
	return out
}

func TestExamineVerifiesTimestamps(t *testing.T) {
	x := newTransparency(t)
	presented := append([][]byte{x.embedded}, x.above()...)
	hour := x.Now.Add(-time.Hour)
	delivered := x.ec.SCT(hour, 0, x.embedded)
	reissued := x.Forge(x.Issuing, x.leaf.Certificate, 0, func(tbs *certstest.TBS) { // of another serial, with the list of the first
		c, err := x509.ParseCertificate(x.embedded)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range c.Extensions {
			if e.Id.String() == "1.3.6.1.4.1.11129.2.4.2" {
				tbs.Extensions = append(tbs.Extensions, e)
			}
		}
		tbs.SerialNumber.SetInt64(4711)
	})
	broken := x.Forge(x.Issuing, x.leaf.Certificate, 0, func(tbs *certstest.TBS) {
		tbs.Extensions = append(tbs.Extensions, certstest.SCTExtension([]byte{0, 9, 0, 3, 1, 2, 3}))
	})
	staple, err := ocsp.CreateResponse(x.Issuing.Certificate, x.Issuing.Certificate, ocsp.Response{Status: ocsp.Good, SerialNumber: x.leaf.Certificate.SerialNumber, ThisUpdate: hour, NextUpdate: x.Now.Add(time.Hour)}, x.Issuing.Key)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name      string
		presented [][]byte
		edit      func(*chain.Options)
		want      string // statuses
		faults    string
	}{
		{"embedded", presented, nil, "certificate ec-log verified, certificate rsa-log verified", ""},
		{"embedded, no list", presented, func(o *chain.Options) { o.Logs = nil }, "certificate  not-checked, certificate  not-checked", ""},
		{"embedded, the issuer is missing", presented[:1], nil, "certificate ec-log not-checked, certificate rsa-log not-checked", "chain-missing-intermediate"},
		{"embedded, the issuer is known", presented[:1], func(o *chain.Options) {
			o.Known = []*x509.Certificate{x.Issuing.Certificate, x.Intermediate.Certificate}
		},
			"certificate ec-log verified, certificate rsa-log verified", "chain-missing-intermediate"},
		{"embedded for another certificate", append([][]byte{reissued}, x.above()...), nil, "certificate ec-log invalid, certificate rsa-log invalid", "sct-invalid? sct-invalid? sct-missing?"},
		{"embedded, broken", append([][]byte{broken}, x.above()...), nil, "", "sct-invalid?"},
		{"before they were made", presented, func(o *chain.Options) { o.Time = hour.Add(-time.Hour) }, "certificate ec-log invalid, certificate rsa-log invalid", "sct-invalid? sct-invalid? sct-missing?"},
		{"delivered in TLS too", presented, func(o *chain.Options) { o.SCTs = [][]byte{delivered, x.stranger.SCT(hour, 0, x.embedded)} },
			"certificate ec-log verified, certificate rsa-log verified, tls ec-log verified, tls  unknown-log", ""},
		{"delivered, signed over another", presented, func(o *chain.Options) { o.SCTs = [][]byte{x.rsa.SCT(hour, 0, x.leaf.Certificate.Raw)} },
			"certificate ec-log verified, certificate rsa-log verified, tls rsa-log invalid", "sct-invalid?"},
		{"delivered, cut off", presented, func(o *chain.Options) { o.SCTs = [][]byte{delivered[:40]} }, "certificate ec-log verified, certificate rsa-log verified", "sct-invalid?"},
		{"delivered, of a version to come", presented, func(o *chain.Options) { o.SCTs = [][]byte{{1, 2, 3}} },
			"certificate ec-log verified, certificate rsa-log verified, tls  not-checked", ""},
		{"none in a private certificate", raw(x.leaf.Chain()...), nil, "", ""},
		{"none in a public one", raw(x.leaf.Chain()...), func(o *chain.Options) { o.Public = true }, "", "sct-missing?"},
		{"none in the staple", presented, func(o *chain.Options) { o.OCSPResponse = staple }, "certificate ec-log verified, certificate rsa-log verified", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := options(x.PKI)
			o.Logs = x.logs
			if tt.edit != nil {
				tt.edit(&o)
			}
			r := chain.Examine(tt.presented, o)
			if got := strings.Join(statuses(r), ", "); got != tt.want {
				t.Errorf("%s\nwant %s\n%+v", got, tt.want, r.SCTs)
			}
			want(t, r, tt.faults)
			if r.Stapled != (len(o.OCSPResponse) > 0) || r.MustStaple {
				t.Errorf("stapled %v, must %v", r.Stapled, r.MustStaple)
			}
		})
	}
	must := x.Forge(x.Issuing, x.leaf.Certificate, 0, func(tbs *certstest.TBS) {
		tbs.Extensions = append(tbs.Extensions, certstest.MustStaple())
	})
	if r := chain.Examine(append([][]byte{must}, x.above()...), options(x.PKI)); !r.MustStaple || r.Stapled {
		t.Errorf("must staple %v, stapled %v", r.MustStaple, r.Stapled)
	}
	// Chrome, Firefox and Apple refuse a public certificate without timestamps; the libraries do not look.
	o := options(x.PKI)
	o.Public = true
	r := chain.Examine(raw(x.leaf.Chain()...), o)
	if want := []chain.Family{chain.FamilyChrome, chain.FamilyFirefox, chain.FamilyApple}; !slices.Equal(r.Faults[0].RefusedBy, want) {
		t.Errorf("refused by %v, want %v", r.Faults[0].RefusedBy, want)
	}
}

// How many logs there must be is a matter of the day of issue: what browsers accepted then they accept still.
func TestTimestampsAreCountedByTheRulesOfTheirDay(t *testing.T) {
	x := newTransparency(t)
	rule := time.Date(2022, 4, 15, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name   string
		issued time.Time
		days   int
		logs   int
		lacks  bool
	}{
		{"since 2022, 90 days, 2 logs", rule, 90, 2, false},
		{"since 2022, 90 days, 1 log", rule, 90, 1, true},
		{"since 2022, a year, 2 logs", rule, 365, 2, true},
		{"since 2022, a year, 3 logs", rule, 365, 3, false},
		{"the day before, a year, 2 logs", rule.Add(-time.Second), 365, 2, false},
		{"2019, two years, 2 logs", time.Date(2019, 6, 1, 0, 0, 0, 0, time.UTC), 730, 2, true},
		{"2019, two years, 3 logs", time.Date(2019, 6, 1, 0, 0, 0, 0, time.UTC), 730, 3, false},
		{"2018, a year, none", time.Date(2018, 6, 1, 0, 0, 0, 0, time.UTC), 365, 0, true},
		{"before anybody asked", time.Date(2018, 4, 1, 0, 0, 0, 0, time.UTC), 365, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var scts [][]byte
			for i := range tt.logs {
				scts = append(scts, x.NewCTLog(fmt.Sprint(i), certs.ECDSAP256).SCT(tt.issued, 1, make([]byte, 64)))
			}
			template := certs.Template{Names: []string{name}, NotBefore: tt.issued, NotAfter: tt.issued.AddDate(0, 0, tt.days).Add(-time.Second)}
			if tt.logs > 0 {
				template.ExtraExtensions = []pkix.Extension{certstest.SCTExtension(certstest.SCTList(scts...))}
			}
			leaf := x.Issue(x.Issuing, template).Certificate.Raw
			o := options(x.PKI)
			o.Public, o.Time = true, tt.issued.AddDate(0, 0, 10)
			r := chain.Examine(append([][]byte{leaf}, x.above()...), o)
			if got := slices.ContainsFunc(r.Faults, func(f chain.Fault) bool { return f.ID == chain.SCTMissing }); got != tt.lacks || len(r.SCTs) != tt.logs {
				t.Errorf("reported: %v, want %v: %+v", got, tt.lacks, r.Faults)
			}
		})
	}
}

// OpenSSL, which verifies timestamps itself, says the same of what certstest makes and chain verifies.
func TestTimestampsAgreeWithOpenSSL(t *testing.T) {
	path := program(t, "openssl")
	x := newTransparency(t)
	dir := t.TempDir()
	logs := filepath.Join(dir, "logs.cnf")
	certstest.WriteFile(t, logs, certstest.LogListOpenSSL(x.ec, x.rsa))
	hour := x.Now.Add(-time.Hour)
	scts := [][]byte{x.ec.SCT(hour, 0, x.embedded), x.rsa.SCT(hour, 0, x.leaf.Certificate.Raw), x.stranger.SCT(hour, 0, x.embedded)}
	o := options(x.PKI)
	o.Logs, o.SCTs = x.logs, scts
	r := chain.Examine(append([][]byte{x.embedded}, x.above()...), o)

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		server := tls.Server(conn, &tls.Config{MaxVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: append([][]byte{x.embedded}, x.above()...), PrivateKey: x.leaf.Key, SignedCertificateTimestamps: scts}}})
		_ = server.Handshake() // openssl says how it went
	}()
	out, err := exec.Command(path, "s_client", "-connect", listener.Addr().String(), "-tls1_2", "-servername", name, "-CAfile", x.WriteRoot(t), "-ct", "-ctlogfile", logs, "-ign_eof").CombinedOutput()
	if err != nil && !strings.Contains(string(out), "SCT validation status") {
		t.Fatalf("%v\n%s", err, out)
	}
	<-done
	count := map[string]int{}
	for _, m := range regexp.MustCompile(`SCT validation status: (\w+)`).FindAllStringSubmatch(string(out), -1) {
		count[m[1]]++
	}
	ours := map[string]int{}
	for _, s := range r.SCTs {
		ours[map[chain.SCTStatus]string{chain.SCTVerified: "valid", chain.SCTRefused: "invalid", chain.SCTUnknownLog: "unknown"}[s.Status]]++
	}
	if fmt.Sprint(count) != fmt.Sprint(ours) || count["valid"] != 3 {
		t.Errorf("openssl says %v, chain says %v\n%s", count, ours, out)
	}
}

func TestParseSCTListRefusesEveryPrefix(t *testing.T) {
	x := newTransparency(t)
	list := certstest.SCTList(x.ec.SCT(x.Now, 0, x.embedded), x.rsa.SCT(x.Now, 0, x.embedded))
	got, err := chain.ParseSCTList(list)
	if err != nil || len(got) != 2 || !got[0].Time.Equal(x.Now) || got[0].Algorithm != 3 || got[1].Algorithm != 1 || got[0].Hash != 4 {
		t.Fatalf("%+v, %v", got, err)
	}
	for i := range list {
		if _, err := chain.ParseSCTList(list[:i]); err == nil {
			t.Errorf("the first %d of %d bytes are taken", i, len(list))
		}
	}
	if _, err := chain.ParseSCTList(append(slices.Clone(list), 0)); err == nil {
		t.Error("a byte behind the list is taken")
	}
	if _, err := chain.ParseSCTList(certstest.SCTList(make([][]byte, 3)...)); err == nil {
		t.Error("an empty timestamp is taken")
	}
}

func TestParseLogList(t *testing.T) {
	x := newTransparency(t)
	good := string(certstest.LogListJSON(x.ec, x.rsa))
	list, err := chain.ParseLogList([]byte(good))
	if err != nil || list.Len() != 2 || list.Version != "7.1" || list.Time.IsZero() {
		t.Fatalf("%+v, %v", list, err)
	}
	for what, data := range map[string]string{
		"nothing":            "",
		"no JSON":            "hello",
		"no logs":            `{"operators": []}`,
		"a key that is none": strings.Replace(good, `"key":"M`, `"key":"N`, 1),
		"another's key":      strings.Replace(good, `"log_id":"`, `"log_id":"AAAA`, 1),
		"a huge list":        good + strings.Repeat(" ", chain.MaxLogListBytes),
	} {
		if _, err := chain.ParseLogList([]byte(data)); err == nil || !strings.HasPrefix(err.Error(), "chain: ") {
			t.Errorf("%s: %v", what, err)
		}
	}
	tiled := strings.Replace(strings.Replace(good, `"tiled_logs":[]`, `"x":0`, 1), `"logs":`, `"tiled_logs":`, 1)
	if list, err := chain.ParseLogList([]byte(tiled)); err != nil || list.Len() != 2 {
		t.Errorf("tiled logs: %v, %v", list.Len(), err)
	}
	var none *chain.LogList
	if none.Find([32]byte{}) != nil || none.Len() != 0 {
		t.Error("no list has logs")
	}
}
