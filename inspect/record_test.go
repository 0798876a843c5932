package inspect_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/diagnose"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

var update = flag.Bool("update", false, "write the golden files anew")

// fill gives every field that v reaches a value that says where it stands. A hello's second hello has none of its own.
func fill(v reflect.Value, name string, inRetry bool) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), name, inRetry)
	case reflect.Struct:
		if _, isTime := v.Interface().(time.Time); isTime {
			v.Set(reflect.ValueOf(time.Date(2026, 11, 20, 12, 0, 0, 123456789, time.UTC)))
			return
		}
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			if name != "retry_hello" {
				fill(v.Field(i), name, inRetry)
			} else if !inRetry {
				fill(v.Field(i), name, true)
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(name))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), name, inRetry)
	case reflect.String:
		v.SetString(name)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(len(name)))
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(len(name)))
	case reflect.Float64:
		v.SetFloat(float64(len(name)) + 0.25)
	default:
		panic("a kind of field that a record does not have: " + v.Kind().String() + " " + name)
	}
}

func filled() *inspect.Connection {
	c := new(inspect.Connection)
	fill(reflect.ValueOf(c).Elem(), "", false)
	return c
}

func TestRecordIsAsAgreed(t *testing.T) {
	got, err := json.MarshalIndent(filled(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "connection.json")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(append(got, '\n'), want) {
		t.Errorf("the record's form has changed; field names are a contract:\n%s", got)
	}
}

func TestRecordSurvivesItsJSONForm(t *testing.T) {
	for name, c := range map[string]*inspect.Connection{"full": filled(), "empty": {}} {
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		read := new(inspect.Connection)
		if err := json.Unmarshal(b, read); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(read, c) {
			t.Errorf("%s: read back as %+v", name, read)
		}
	}
}

// keysOf collects the keys of a JSON value.
func keysOf(v any, keys map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			keys[key] = true
			keysOf(inner, keys)
		}
	case []any:
		for _, inner := range v {
			keysOf(inner, keys)
		}
	}
}

func recordKeys(t *testing.T) map[string]bool {
	t.Helper()
	b, err := json.Marshal(filled())
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	keysOf(v, keys)
	return keys
}

func recordDocument(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "docs", "record.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestEveryFieldIsExplained(t *testing.T) {
	document := recordDocument(t)
	for _, key := range slices.Sorted(maps.Keys(recordKeys(t))) {
		if !regexp.MustCompile("`[^`\n]*\\b" + strings.TrimPrefix(key, "@") + "\\b[^`\n]*`").MatchString(document) {
			t.Errorf("docs/record.md does not explain %s", key)
		}
	}
}

func TestFieldsAreThoseOfTheContractAndTheOnesAdded(t *testing.T) {
	contract, err := os.ReadFile(shared(t, "RECORD.md"))
	if err != nil {
		t.Fatal(err)
	}
	agreed, keys := map[string]bool{}, recordKeys(t)
	for _, block := range regexp.MustCompile("(?s)```jsonc\n(.*?)```").FindAllSubmatch(contract, -1) {
		for _, m := range regexp.MustCompile(`"([@a-z0-9_]+)":`).FindAllSubmatch(block[1], -1) {
			agreed[string(m[1])] = true
		}
	}
	if len(agreed) < 80 {
		t.Fatalf("only %d fields in the contract", len(agreed))
	}
	for key := range agreed {
		if !keys[key] {
			t.Errorf("the contract's field %s is not in the record", key)
		}
	}
	_, added, ok := strings.Cut(recordDocument(t), "## Fields added to the contract\n")
	if !ok {
		t.Fatal("docs/record.md lists no added fields")
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if !agreed[key] && !regexp.MustCompile("`([a-z_.]*\\.)?"+key+"`").MatchString(added) {
			t.Errorf("field %s is neither in the contract nor among the added ones", key)
		}
	}
}

// TestRecordingGivesTheSameDiagnosis judges what was seen and what a recording of it says.
func TestRecordingGivesTheSameDiagnosis(t *testing.T) {
	p, err := policy.Lookup("aws/ELBSecurityPolicy-TLS13-1-2-2021-06")
	if err != nil {
		t.Fatal(err)
	}
	d := diagnose.Diagnoser{Policy: p}
	findings := 0
	judge := func(name string, leg *inspect.Leg) {
		seen := &inspect.Connection{
			Schema: inspect.SchemaVersion, Timestamp: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC), Transport: inspect.TransportTCP,
			Event: inspect.Event{ID: "1", Source: inspect.SourceCapture, Outcome: inspect.Failure}, ClientLeg: leg,
		}
		b, err := json.Marshal(seen)
		if err != nil {
			t.Fatal(err)
		}
		read := new(inspect.Connection)
		if err := json.Unmarshal(b, read); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(read, seen) {
			t.Errorf("%s: recorded as %s", name, b)
		}
		d.Diagnose(seen)
		d.Diagnose(read)
		if !reflect.DeepEqual(read, seen) {
			t.Errorf("%s: a recording is judged otherwise:\n%+v\n%+v", name, read, seen)
		}
		findings += len(seen.Findings)
	}
	for name, tr := range transcripts(t) {
		o := tr.replay(inspect.NewObserver(nil))
		judge(name, &inspect.Leg{TLS: o.TLS()})
	}
	for _, r := range recordedHellos(t) {
		o := inspect.NewObserver(nil)
		o.Feed(inspect.FromClient, r.stream, time.Unix(0, 0))
		o.Feed(inspect.FromServer, record(21, 2, 40), time.Unix(0, 0))
		judge(r.ID, &inspect.Leg{TLS: o.TLS(), Error: &inspect.Error{Type: inspect.ErrorAlertReceived, Phase: inspect.PhaseHandshake}})
	}
	o := inspect.NewObserver(nil)
	o.Feed(inspect.FromClient, []byte("GET /a?token=secret HTTP/1.1\r\nCookie: secret\r\n\r\n"), time.Unix(0, 0))
	first := o.FirstBytes(inspect.FromClient)
	if first == nil || bytes.Contains(first.Raw, []byte("secret")) || first.Summary != "GET /a?... HTTP/1.1" {
		t.Errorf("got %+v", first)
	}
	judge("HTTP", &inspect.Leg{FirstBytes: first, Error: &inspect.Error{Type: inspect.ErrorNotTLS, Phase: inspect.PhasePeek}})
	if findings < 100 {
		t.Errorf("only %d findings", findings)
	}
}
