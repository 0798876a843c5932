package configs

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// leaves lists the path of every key that holds a value, with [0] for the elements of a list of mappings.
func leaves(t reflect.Type, path string) []string {
	var all []string
	for i := range t.NumField() {
		field := t.Field(i)
		key := field.Tag.Get("yaml")
		if key == "" {
			continue
		}
		at, kind := joinPath(path, key), field.Type
		if kind.Kind() == reflect.Slice && kind.Elem().Kind() == reflect.Struct && !reflect.PointerTo(kind.Elem()).Implements(textUnmarshaler) {
			at, kind = at+"[0]", kind.Elem()
		}
		if kind.Kind() == reflect.Struct {
			all = append(all, leaves(kind, at)...)
		} else {
			all = append(all, at)
		}
	}
	return all
}

func TestEveryKeyIsAFlagAndAVariable(t *testing.T) {
	byPath := make(map[string]Setting)
	flags := make(map[string]string)
	for _, s := range Settings() {
		if first, again := flags[s.Flag]; again {
			t.Errorf("--%s is both %s and %s", s.Flag, first, s.Path)
		}
		flags[s.Flag] = s.Path
		byPath[s.Path] = s
		if !regexp.MustCompile(`^TLSTRIAGE_[A-Z]+(_[A-Z]+)*$`).MatchString(s.Env()) {
			t.Errorf("%s: variable %q", s.Path, s.Env())
		}
		if s.Usage == "" || strings.HasSuffix(s.Usage, ".") {
			t.Errorf("%s: usage %q", s.Path, s.Usage)
		}
	}
	all := leaves(reflect.TypeFor[Config](), "")
	if len(all) < 40 {
		t.Fatalf("only %d keys found: the check would hold nothing", len(all))
	}
	for _, path := range all {
		if _, ok := byPath[path]; !ok {
			t.Errorf("%s has no flag", path)
		}
		delete(byPath, path)
	}
	for path := range byPath {
		t.Errorf("%s is a flag and no key", path)
	}
}

func TestContractFlagsAreThere(t *testing.T) {
	var have []string
	for _, s := range Settings() {
		have = append(have, s.Flag)
	}
	for _, name := range []string{
		"listen", "backend", "backend-sni", "backend-ca", "backend-verify", "backend-cert", "backend-key", "revocation", "policy",
		"enforce", "mode", "fallback", "cert", "key", "ca-dir", "client-ca", "client-auth", "proxy-protocol", "admin", "record", "output",
	} {
		if !slices.Contains(have, name) {
			t.Errorf("--%s is missing", name)
		}
	}
}

// parse runs flags through the standard flag package.
func parse(t *testing.T, args ...string) *Overrides {
	t.Helper()
	set := flag.NewFlagSet("proxy", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	overrides := &Overrides{}
	for _, s := range Settings() {
		set.Var(overrides.Value(s), s.Flag, s.Usage)
	}
	if err := set.Parse(args); err != nil {
		t.Fatal(err)
	}
	return overrides
}

func TestFlagsAloneMakeOneListener(t *testing.T) {
	c, err := Resolve(nil, "", nil, parse(t, "--listen", "127.0.0.1:8443", "--backend", "https://10.0.0.5:8443", "--policy=aws/x", "--enforce",
		"--cert", "a.pem", "--key", "a.key", "--timeout-idle", "90s", "--proxy-protocol", "on", "--proxy-protocol-trusted", "10.0.0.0/8, ::1/128",
		"--server-names", "a.example,B.example", "--backend-min-version", "1.2", "--limit-hello-bytes", "16KiB"))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Listeners) != 1 || len(c.Listeners[0].Routes) != 1 {
		t.Fatalf("%d listeners", len(c.Listeners))
	}
	l := c.Listeners[0]
	r := l.Routes[0]
	for _, check := range []struct {
		name      string
		got, want any
	}{
		{"address", l.Address, "127.0.0.1:8443"},
		{"name", l.Name, "default"},
		{"certificate", l.Certificates[0], Certificate{Cert: "a.pem", Key: "a.key"}},
		{"trusted", l.ProxyProtocolTrusted[1].String(), "::1/128"},
		{"backend", r.Backend.Target(), Target{"10.0.0.5", 8443, true}},
		{"names", strings.Join(r.ServerNames, " "), "a.example b.example"},
		{"enforce", r.Enforce, true},
		{"version", r.Backend.MinVersion.Number(), uint16(0x0303)},
		{"idle", c.Limits.Timeouts.Idle, 90 * time.Second},
		{"hello", c.Limits.HelloBytes, Size(16 << 10)},
		{"mode", l.Mode, ModeBridge},
	} {
		if check.got != check.want {
			t.Errorf("%s: %v, want %v", check.name, check.got, check.want)
		}
	}
}

func TestFlagsBeatEnvironmentBeatsFileBeatsDefault(t *testing.T) {
	file := []byte("listeners: [{address: \":1\", routes: [{backend: {url: \"tcp://f:1\"}}]}]\nlimits: {queue: 1, recent: 1, connections: 1}\n")
	environ := []string{"TLSTRIAGE_LIMIT_QUEUE=2", "TLSTRIAGE_LIMIT_RECENT=2", "TLSTRIAGE_BACKEND=tcp://e:2", "TLSTRIAGE_POLICY=", "OTHER=1"}
	c, err := Resolve(file, "f.yaml", environ, parse(t, "--limit-queue", "3"))
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range []struct {
		name      string
		got, want any
	}{
		{"flag", c.Limits.Queue, 3},
		{"environment", c.Limits.Recent, 2},
		{"environment, in a route", c.Listeners[0].Routes[0].Backend.URL, "tcp://e:2"},
		{"file", c.Limits.Connections, 1},
		{"file, in a listener", c.Listeners[0].Address, ":1"},
		{"default", c.Limits.HelloBytes, Size(64 << 10)},
		{"empty variable", c.Listeners[0].Routes[0].Policy, ""},
	} {
		if check.got != check.want {
			t.Errorf("%s: %v, want %v", check.name, check.got, check.want)
		}
	}
}

func TestEverySettingCanBeSetByItsVariable(t *testing.T) {
	samples := map[string]string{"bool": "true", "int": "7", "int64": "9s"}
	for _, s := range Settings() {
		c := Default()
		field, err := c.at(s.Path)
		if err != nil {
			t.Fatal(err)
		}
		text := samples[field.Kind().String()]
		switch field.Interface().(type) {
		case Size:
			text = "2KiB"
		case Version:
			text = "TLSv1.2"
		}
		if text == "" {
			text = "10.0.0.0/8"
		}
		if err := c.ApplyEnv([]string{s.Env() + "=" + text}); err != nil {
			t.Errorf("%s: %v", s.Env(), err)
			continue
		}
		if field, err = c.at(s.Path); err != nil || textOf(field) != text {
			t.Errorf("%s=%s: the key holds %q, %v", s.Env(), text, textOf(field), err)
		}
	}
}

func TestBadFlagsAndVariablesAreNamed(t *testing.T) {
	c := Default()
	err := c.ApplyEnv([]string{"TLSTRIAGE_TIMEOUT_DIAL=5", "TLSTRIAGE_ENFORCE=maybe", "TLSTRIAGE_PROXY_PROTOCOL_TRUSTED=10.0.0.0/8,x"})
	for _, want := range []string{`TLSTRIAGE_TIMEOUT_DIAL: limits.timeouts.dial: "5" is no duration`, `TLSTRIAGE_ENFORCE: `, `TLSTRIAGE_PROXY_PROTOCOL_TRUSTED: `} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if len(c.Listeners) > 0 && c.Listeners[0].ProxyProtocolTrusted != nil {
		t.Error("half a list was kept")
	}
	for _, s := range Settings() {
		if s.Flag == "timeout-dial" {
			if err := new(Overrides).Value(s).Set("5"); err == nil || !strings.HasPrefix(err.Error(), `"5" is no duration`) {
				t.Errorf("flag: %v", err)
			}
		}
	}
}

func TestFlagsCannotChooseAmongSeveralListeners(t *testing.T) {
	file := []byte("listeners: [{address: \":1\", routes: [{backend: {url: \"tcp://f:1\"}}]}, {address: \":2\", routes: [{backend: {url: \"tcp://f:1\"}}]}]\n")
	_, err := Resolve(file, "f.yaml", nil, parse(t, "--backend", "tcp://x:1"))
	if want := "--backend: listeners[0].routes[0].backend.url: the file has 2 listeners, so set this there"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := Resolve(file, "f.yaml", nil, parse(t, "--limit-queue", "5")); err != nil {
		t.Errorf("a key of no listener: %v", err)
	}
}

func TestWithoutAFileErrorsNameTheFlag(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--backend", "tcp://x:1"}, `--listen: listeners[0].address: "" has no port`},
		{[]string{"--listen", ":1"}, "--backend: listeners[0].routes: there is none"},
		{[]string{"--listen", ":1", "--backend", "https://x:1", "--cert", "c.pem"}, "--key: listeners[0].certificates[0].key: no file"},
	} {
		if _, err := Resolve(nil, "", nil, parse(t, test.args...)); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%v: %v, want %s", test.args, err, test.want)
		}
	}
	file := []byte("listeners: [{address: \":1\", routes: []}]\n")
	if _, err := Resolve(file, "f.yaml", nil, nil); err == nil || strings.Contains(err.Error(), "--backend") {
		t.Errorf("with a file: %v", err)
	}
}

func TestFlagsGivenAgainAreSaid(t *testing.T) {
	c, err := Resolve(nil, "", nil, parse(t, "--listen", ":1", "--log-level", "warn", "--listen", ":2", "--backend", "tcp://x:1", "--backend", "tcp://x:1", "--log-level", "info"))
	if err != nil {
		t.Fatal(err)
	}
	if l := c.Listeners; len(l) != 1 || l[0].Address != ":2" {
		t.Errorf("%+v", l)
	}
	var said []string
	for _, w := range c.Warnings() {
		said = append(said, w.Where())
		if !strings.Contains(w.Message, "given again: :1 has no effect, :2 has") {
			t.Error(w)
		}
	}
	if strings.Join(said, " ") != "--listen" {
		t.Errorf("%v", said)
	}
}

func TestUnknownVariablesAreListed(t *testing.T) {
	got := UnknownEnv([]string{"TLSTRIAGE_PORT=tcp://10.0.0.1:443", "TLSTRIAGE_LISTEN=:1", "TLSTRIAGE_CONFIG=x", "PATH=/bin", "TLSTRIAGE_BAKEND=x", "TLSTRIAGE_SERVICE_HOST=10.0.0.1"})
	if strings.Join(got, " ") != "TLSTRIAGE_BAKEND" {
		t.Errorf("got %q", got)
	}
}

func TestDefaultsAreShownAsTheyWouldBeWritten(t *testing.T) {
	for _, s := range Settings() {
		if strings.HasPrefix(s.Path, "expiring_soon") && s.Default != "720h" {
			t.Errorf("expiring_soon is shown as %s", s.Default)
		}
		if s.Default == "" {
			continue
		}
		c := defaultSimple()
		before := textOfPath(t, c, s.Path)
		if err := c.Set(s, s.Default, "--"+s.Flag); err != nil {
			t.Errorf("--%s: its default %q does not read: %v", s.Flag, s.Default, err)
		}
		if after := textOfPath(t, c, s.Path); after != before {
			t.Errorf("--%s: default %q reads as %q", s.Flag, before, after)
		}
	}
}

func textOfPath(t *testing.T, c *Config, path string) string {
	t.Helper()
	field, err := c.at(path)
	if err != nil {
		t.Fatal(err)
	}
	return textOf(field)
}

func TestSizesReadAndWrite(t *testing.T) {
	for _, test := range []struct {
		text string
		want Size
		back string
	}{
		{"0", 0, "0"}, {"1000", 1000, "1000"}, {"64KiB", 65536, "64KiB"}, {"64 KiB", 65536, "64KiB"}, {"1MiB", 1 << 20, "1MiB"},
		{"2kB", 2000, "2000"}, {"1MB", 1e6, "1000000"}, {"512B", 512, "512"},
	} {
		var got Size
		if err := got.UnmarshalText([]byte(test.text)); err != nil || got != test.want || got.String() != test.back {
			t.Errorf("%s: %d %s %v", test.text, got, got, err)
		}
	}
	for _, text := range []string{"", "KiB", "-1", "1GiB", "1.5MiB", "64kib", "9223372036854775807MiB", "1 2"} {
		var got Size
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q reads as %d", text, got)
		}
	}
}

func TestSamplesAreValid(t *testing.T) {
	files, err := filepath.Glob("samples/*.yaml")
	if err != nil || len(files) < 4 {
		t.Fatalf("%d samples, %v", len(files), err)
	}
	for _, file := range append(files, "deploy/compose/proxy.yaml") {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Resolve(data, file, nil, nil); err != nil {
			t.Errorf("%s", err)
		}
	}
}

// The full sample shows every key, and says each default as it is.
func TestFullSampleIsFull(t *testing.T) {
	data, err := os.ReadFile("samples/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Load(data, "samples/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range leaves(reflect.TypeFor[Config](), "") {
		if _, ok := c.origins[path]; !ok {
			t.Errorf("%s is not shown", path)
		}
	}
	if want := Default().Limits; c.Limits != want {
		t.Errorf("limits: shown %+v, default %+v", c.Limits, want)
	}
	if want := Default(); c.ExpiringSoon != want.ExpiringSoon || c.Admin.Address != want.Admin.Address || c.FailOn != want.FailOn || c.Log != want.Log {
		t.Error("a default is shown that is none")
	}
}
