package report

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
)

func recorded(v inspect.Verdict) *inspect.Connection {
	hello := &inspect.Hello{ServerName: "a.example", Message: &inspect.HelloBytes{Raw: []byte("hello")}, Certificate: &inspect.Certificate{Raw: []byte("client")},
		Retry: &inspect.Hello{Message: &inspect.HelloBytes{Raw: []byte("again")}}}
	return &inspect.Connection{Verdict: v, ClientLeg: &inspect.Leg{
		FirstBytes: &inspect.FirstBytes{Protocol: "http", Raw: []byte("GET")},
		TLS:        &inspect.TLS{Client: hello, Server: &inspect.Server{CertificateChain: []inspect.Certificate{{Subject: "CN=a", Raw: []byte("leaf")}}}},
	}}
}

func TestRawBytesAreGoverned(t *testing.T) {
	for _, tt := range []struct {
		raw     Raw
		verdict inspect.Verdict
		kept    bool
	}{
		{"", inspect.OK, true}, {RawAll, inspect.OK, true}, {RawFailures, inspect.Failed, true}, {RawFailures, inspect.Warning, false}, {RawNone, inspect.Failed, false},
	} {
		c, untouched := recorded(tt.verdict), recorded(tt.verdict)
		var b bytes.Buffer
		if err := NewJSON(&b, tt.raw).Write(c); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(b.String(), `"raw"`); n != map[bool]int{true: 5, false: 0}[tt.kept] {
			t.Errorf("%q, %s: %d raw fields: %s", tt.raw, tt.verdict, n, b.String())
		}
		if !reflect.DeepEqual(c, untouched) {
			t.Errorf("%q: the connection was changed", tt.raw)
		}
		if !strings.Contains(b.String(), `"CN=a"`) || !strings.Contains(b.String(), `"a.example"`) {
			t.Errorf("%q: more than bytes was dropped: %s", tt.raw, b.String())
		}
	}
}

func TestRecordIsOneLineAndKeepsItsValues(t *testing.T) {
	const evil = "a\x1b[2J\r\n\x00\u009b\u202e\u2028<&>\U000e0041 größe 中文"
	c := recorded(inspect.OK)
	c.ClientLeg.TLS.Client.ServerName = evil
	var b bytes.Buffer
	j := NewJSON(&b, RawAll)
	for range 2 {
		if err := j.Write(c); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Count(b.String(), "\n") != 2 || !strings.HasSuffix(b.String(), "\n") {
		t.Errorf("not one line a record: %q", b.String())
	}
	for _, r := range b.String() {
		if r != '\n' && !visible(r) {
			t.Errorf("%U stands in the output", r)
		}
	}
	if !strings.Contains(b.String(), "<&>") || !strings.Contains(b.String(), "größe 中文") {
		t.Errorf("escaped what needs none: %s", b.String())
	}
	var back inspect.Connection
	line, _, _ := strings.Cut(b.String(), "\n")
	if err := json.Unmarshal([]byte(line), &back); err != nil {
		t.Fatal(err)
	}
	if got := back.ClientLeg.TLS.Client.ServerName; got != evil {
		t.Errorf("read back %q", got)
	}
}

func TestParseRaw(t *testing.T) {
	for _, s := range []string{"all", "failures", "none"} {
		if r, err := ParseRaw(s); err != nil || string(r) != s {
			t.Errorf("%s: %q %v", s, r, err)
		}
	}
	if _, err := ParseRaw("some"); err == nil {
		t.Error("some: no error")
	}
}
