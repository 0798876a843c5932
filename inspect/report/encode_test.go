package report

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// reference is the line of a record as encoding/json has it.
func reference(c *inspect.Connection) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(c)
	return spellOut(b.Bytes()), err
}

// same holds the encoder against encoding/json. The same JSON is asked three times, so that what it remembers is compared, too.
func same(t *testing.T, j *JSON, c *inspect.Connection) {
	t.Helper()
	want, wantErr := reference(c)
	for range 3 {
		got, err := j.encode(c)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%v, encoding/json: %v", err, wantErr)
		}
		if err == nil && !bytes.Equal(got, want) {
			t.Fatalf("\n%s, encoding/json:\n%s", got, want)
		}
	}
}

// TestEncodesAsEncodingJSON fills records with values of all sorts, field by field, so that a new field is tried without more ado.
func TestEncodesAsEncodingJSON(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	j := NewJSON(nil, RawAll)
	for round := range 600 {
		c := new(inspect.Connection)
		full := []float64{1, 0, 0.5, 0.1}[round%4] // how many fields are set
		fill(random, reflect.ValueOf(c).Elem(), full, 0)
		same(t, j, c)
	}
	same(t, j, &inspect.Connection{Timestamp: time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)})
	same(t, j, &inspect.Connection{Event: inspect.Event{DurationMS: math.NaN()}})
}

// fill sets what is in v to something.
func fill(random *rand.Rand, v reflect.Value, full float64, depth int) {
	if depth > 9 || random.Float64() > full {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(random, v.Elem(), full, depth+1)
	case reflect.Struct:
		if v.Type() == timeType {
			v.Set(reflect.ValueOf(time.Unix(random.Int64N(4e9), random.Int64N(1e9)).In(time.FixedZone("", 3600*random.IntN(3)))))
			return
		}
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(random, v.Field(i), full, depth+1)
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), random.IntN(4), 4))
		for i := range v.Len() {
			fill(random, v.Index(i), full, depth+1)
		}
	case reflect.String:
		v.SetString(words[random.IntN(len(words))])
	case reflect.Bool:
		v.SetBool(random.IntN(2) == 0)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(random.IntN(5)-1) * random.Int64N(1e12))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(random.Uint64() >> random.IntN(64))
	case reflect.Float64:
		v.SetFloat([]float64{0, 1, -1.5, 1e-9, 1e-7, 1e21, 1.5e300, 5e-324, 12.345, math.Copysign(0, -1)}[random.IntN(10)])
	default:
		panic("a kind that no record has had: " + v.Type().String())
	}
}

var words = []string{
	"", "a", "TLS_AES_128_GCM_SHA256", "eight by", "nine byte", strings.Repeat("long ", 60), "qu\"ote", "back\\slash", "1234567\"", "12345678\"", "<html>&amp;",
	"tab\there", "\x00", "1234567\x7f", "\x1b[31mred", "größe", "中文", "\u2028", "\u202e", "bad \xff\xfe utf8", "\u009b", "\U000e0041", "abcdefg\x80", "line\r\n", "\b\f",
}

// TestPlainText tries each byte in each place.
func TestPlainText(t *testing.T) {
	for length := 1; length < 20; length++ {
		for place := range length {
			for c := range 256 {
				b := bytes.Repeat([]byte{'x'}, length)
				b[place] = byte(c)
				want := c >= 0x20 && c < 0x7F && c != '"' && c != '\\'
				if plainText(b) != want {
					t.Fatalf("%q", b)
				}
			}
		}
	}
}

// TestGoldenRecordsAreEncodedAlike does so with all records that this module keeps.
func TestGoldenRecordsAreEncodedAlike(t *testing.T) {
	j, tried := NewJSON(nil, RawAll), 0
	_ = filepath.WalkDir(filepath.Join("..", ".."), func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(path) != ".json" && filepath.Ext(path) != ".ndjson" && filepath.Ext(path) != ".jsonl" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for d := json.NewDecoder(bytes.NewReader(b)); ; {
			c := new(inspect.Connection)
			if d.Decode(c) != nil {
				return nil //nolint:nilerr // the end of the file, or of what are records
			}
			if c.Schema == inspect.SchemaVersion {
				tried++
				same(t, j, c)
			}
		}
	})
	if tried < 10 {
		t.Errorf("only %d records were found", tried)
	}
}

// TestEncoderRemembersLittle writes more chains than are remembered.
func TestEncoderRemembersLittle(t *testing.T) {
	j := NewJSON(nil, RawAll)
	for i := range 3 * maxChains {
		c := recorded(inspect.OK)
		c.ClientLeg.TLS.Server.CertificateChain[0].Raw = bytes.Repeat([]byte{byte(i)}, 20_000)
		same(t, j, c)
		if len(j.enc.chains) > maxChains || j.enc.bytes > maxChainBytes+40_000 {
			t.Fatalf("%d chains, %d bytes", len(j.enc.chains), j.enc.bytes)
		}
	}
}

func BenchmarkJSON(b *testing.B) {
	c := new(inspect.Connection)
	file, err := os.ReadFile(filepath.Join("testdata", "golden", "default-certificate-served.json"))
	if err != nil {
		b.Fatal(err)
	}
	if err := json.Unmarshal(file, c); err != nil {
		b.Fatal(err)
	}
	b.Run("append", func(b *testing.B) {
		j := NewJSON(nil, RawAll)
		b.ReportAllocs()
		for b.Loop() {
			line, err := j.encode(c)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(line)))
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			line, err := reference(c)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(line)))
		}
	})
}
