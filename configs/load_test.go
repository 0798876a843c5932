package configs

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLoadReadsEveryKindOfValue(t *testing.T) {
	c, err := Load([]byte(`
listeners:
  - name: edge
    address: 127.0.0.1:8443
    proxy_protocol: on
    proxy_protocol_trusted: [10.0.0.0/8]
    certificates: [{cert: a.pem, key: /k/a.key}]
    routes:
      - server_names: [api.example.com, "*.example.com"]
        backend: {url: https://10.0.0.5:8443, min_version: 1.2, max_version: TLSv1.3}
        policy: ./p.yaml
        enforce: yes
limits: {hello_bytes: 32KiB, timeouts: {idle: 90s}}
expiring_soon: 720h
log: {level: debug}
`), filepath.Join("etc", "proxy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	l := c.Listeners[0]
	r := l.Routes[0]
	for _, check := range []struct {
		name string
		got  any
		want any
	}{
		{"switch", l.ProxyProtocol, On},
		{"prefix", l.ProxyProtocolTrusted[0].String(), "10.0.0.0/8"},
		{"relative file", l.Certificates[0].Cert, filepath.Join("etc", "a.pem")},
		{"absolute file", l.Certificates[0].Key, "/k/a.key"},
		{"list", strings.Join(r.ServerNames, " "), "api.example.com *.example.com"},
		{"bare version", r.Backend.MinVersion, TLS12},
		{"version", r.Backend.MaxVersion, TLS13},
		{"policy file", r.Policy, filepath.Join("etc", "p.yaml")},
		{"bool", r.Enforce, true},
		{"size", c.Limits.HelloBytes, Size(32 << 10)},
		{"duration", c.Limits.Timeouts.Idle, 90 * time.Second},
		{"default beside a set one", c.Limits.Timeouts.Dial, 5 * time.Second},
		{"default mode", l.Mode, ModeBridge},
		{"default verify", r.Backend.Verify, VerifyReport},
		{"nested", c.Log.Level, LogDebug},
	} {
		if check.got != check.want {
			t.Errorf("%s: got %v, want %v", check.name, check.got, check.want)
		}
	}
}

func TestLoadErrorsNamePlaceAndKey(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"unknown key", "listners: []\n", `f.yaml:1:1: unknown key "listners": did you mean "listeners"?`},
		{"nested unknown key", "listeners:\n  - adress: :1\n", `f.yaml:2:5: listeners[0]: unknown key "adress": did you mean "address"?`},
		{"key far from any", "limits: {xyzzy: 1}\n", `f.yaml:1:10: limits: unknown key "xyzzy"`},
		{"dashes for underscores", "ca-dir: x\n", `f.yaml:1:1: unknown key "ca-dir": did you mean "ca_dir"?`},
		{"repeated key", "output: text\noutput: json\n", `f.yaml:2:1: key "output" is repeated: it was set on line 1`},
		{"list for a value", "output: [text]\n", `f.yaml:1:9: output: a single value is expected, not a list`},
		{"value for a list", "listeners: 3\n", `f.yaml:1:12: listeners: a list is expected, not "3"`},
		{"value for a mapping", "limits: 3\n", `f.yaml:1:9: limits: a mapping is expected, not "3"`},
		{"duration without unit", "expiring_soon: 30\n", `f.yaml:1:16: expiring_soon: "30" is no duration: a number with a unit is expected, as 500ms, 10s, 5m or 720h`},
		{"size in words", "limits:\n  hello_bytes: large\n", `f.yaml:2:16: limits.hello_bytes: "large": a number of bytes is expected, plain or with a unit, as 65536, 64KiB or 1MiB`},
		{"number", "limits: {queue: many}\n", `f.yaml:1:17: limits.queue: "many" is no whole number up to 2147483647`},
		{"no value", "output:\n", `f.yaml:1:8: output: no value: write one, or leave the key out`},
		{"merge key", "limits: {<<: {queue: 1}}\n", `f.yaml:1:10: limits: unknown key "<<"`},
		{"top is a list", "- a\n", `f.yaml:1:1: a mapping is expected, not a list`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Load([]byte(test.in), "f.yaml")
			if err == nil {
				t.Fatal("no error")
			}
			if err.Error() != test.want {
				t.Errorf("got  %s\nwant %s", err, test.want)
			}
		})
	}
}

func TestLoadReportsAllErrorsTogether(t *testing.T) {
	_, err := Load([]byte("outputs: text\nlimits: {queue: x}\nlog: 3\n"), "f.yaml")
	var all Errors
	if !errors.As(err, &all) || len(all) != 3 {
		t.Fatalf("got %v, want three errors", err)
	}
	var one *Error
	if !errors.As(err, &one) || one.Line != 1 {
		t.Errorf("the first error is not reachable by errors.As: %+v", one)
	}
}

func TestLoadSyntaxErrorsHaveALine(t *testing.T) {
	for _, in := range []string{"a: [\n", "a: b: c\n", "\t- x\n", "output: text\n---\noutput: json\n", "a: *nothing\n", "\xff\xfe\x00"} {
		_, err := Load([]byte(in), "f.yaml")
		if err == nil {
			t.Errorf("%q: no error", in)
			continue
		}
		if !strings.HasPrefix(err.Error(), "f.yaml") {
			t.Errorf("%q: %v does not name the file", in, err)
		}
		t.Log(err)
	}
}

func TestLoadTakesAnEmptyFileAsDefaults(t *testing.T) {
	for _, in := range []string{"", "# nothing\n\n", "---\n", "{}\n", "null\n"} {
		c, err := Load([]byte(in), "f.yaml")
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		if c.Admin.Address != DefaultAdminAddress {
			t.Errorf("%q: no defaults", in)
		}
	}
}

func TestLoadIsBounded(t *testing.T) {
	if _, err := Load(make([]byte, MaxFileBytes+1), "f.yaml"); err == nil || !strings.Contains(err.Error(), "exceeds 1048576") {
		t.Errorf("too large a file: %v", err)
	}
	// A list of aliases of a list of aliases: 300 * 300 * 300 names from 3 kB.
	many := strings.TrimSuffix(strings.Repeat("*r,", 300), ",")
	bomb := "listeners:\n  - routes:\n    - &r {server_names: [" + strings.TrimSuffix(strings.Repeat("a,", 300), ",") + "]}\n" +
		"  - &l {routes: [" + many + "]}\n" + strings.Repeat("  - *l\n", 300)
	if _, err := Load([]byte(bomb), "f.yaml"); err == nil {
		t.Error("a file of a billion values was read")
	} else {
		t.Log(err)
	}
}

func TestAliasesStandForTheirValues(t *testing.T) {
	c, err := Load([]byte(`
listeners:
  - address: :1
    routes: &routes [{backend: {url: "tcp://127.0.0.1:2"}}]
  - address: :3
    routes: *routes
`), "f.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Listeners[1].Routes[0].Backend.URL; got != "tcp://127.0.0.1:2" {
		t.Errorf("got %q", got)
	}
	c.Listeners[0].Routes[0].Backend.URL = "changed"
	if c.Listeners[1].Routes[0].Backend.URL == "changed" {
		t.Error("both listeners share one list")
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte("listeners:\n  - address: :1\n    routes: [{backend: {url: \"tcp://127.0.0.1:2\"}}]\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("listeners: &x\n - routes: *x\n"))
	f.Add([]byte("limits: {hello_bytes: 1MiB, timeouts: {idle: 1h}}\n? [a]\n: b\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Load(data, "f.yaml")
		if err != nil {
			var all Errors
			if !errors.As(err, &all) || len(all) == 0 {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		first := c.Validate()
		second := c.Validate()
		if (first == nil) != (second == nil) {
			t.Fatalf("validating twice differs: %v, then %v", first, second)
		}
		if first != nil {
			return
		}
		for _, l := range c.Listeners {
			for _, r := range l.Routes {
				if r.Backend.Target().Port == 0 {
					t.Fatalf("valid, but %q leads nowhere", r.Backend.URL)
				}
			}
		}
	})
}
