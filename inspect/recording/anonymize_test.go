package recording

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// marker stands for whatever tells who a client was.
const marker = "m4rk-er_S3cret"

var markedTime = time.Date(2026, 3, 4, 5, 6, 7, 891234567, time.UTC)

// mark puts the marker into every string and every byte slice that can be reached, and an exact time into every time.
func mark(v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(marker)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		if depth > 12 {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		mark(v.Elem(), depth+1)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(marker))
			return
		}
		if depth > 12 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		mark(v.Index(0), depth+1)
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		mark(key, depth+1)
		mark(value, depth+1)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(markedTime))
			return
		}
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() {
				mark(v.Field(i), depth+1)
				if field.Name == "Port" {
					v.Field(i).SetInt(54321)
				}
				if field.Name == "DurationMS" {
					v.Field(i).SetFloat(12.345678)
				}
			}
		}
	}
}

// marked reports where the marker, a port, an exact time or a duration is found.
func marked(v reflect.Value, at string) (found []string) {
	switch v.Kind() {
	case reflect.String:
		if strings.Contains(strings.ToLower(v.String()), strings.ToLower(marker)) {
			found = append(found, at)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			return marked(v.Elem(), at)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			if bytes.Contains(v.Bytes(), []byte(marker)) {
				found = append(found, at)
			}
			return found
		}
		for i := range v.Len() {
			found = append(found, marked(v.Index(i), at+"[]")...)
		}
	case reflect.Struct:
		if t, ok := v.Interface().(time.Time); ok {
			if !t.Equal(t.Truncate(DefaultRound)) {
				found = append(found, at)
			}
			return found
		}
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if field.Name == "Port" && v.Field(i).Int() != 0 || field.Name == "DurationMS" && v.Field(i).Float() != 0 {
				found = append(found, at+"."+field.Name)
			}
			if field.IsExported() {
				found = append(found, marked(v.Field(i), at+"."+field.Name)...)
			}
		}
	}
	return found
}

// extension is an extension of a hello that is built.
func extension(t wire.ExtensionType, body []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(t))
	return append(binary.BigEndian.AppendUint16(b, uint16(len(body))), body...)
}

func vector(size int, parts ...[]byte) []byte {
	content := slices.Concat(parts...)
	if size == 1 {
		return append([]byte{byte(len(content))}, content...)
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(content))), content...)
}

// markedHello is a hello with the marker in whatever can hold bytes of one's own.
func markedHello() []byte {
	m := []byte(marker)
	padded := func(n int) []byte { return append(slices.Clone(m), make([]byte, n-len(m))...) }
	var extensions []byte
	add := func(t wire.ExtensionType, parts ...[]byte) {
		extensions = append(extensions, extension(t, slices.Concat(parts...))...)
	}
	add(wire.ExtensionServerName, vector(2, []byte{0}, vector(2, m), []byte{7}, vector(2, m)))
	add(wire.ExtensionStatusRequest, []byte{1}, vector(2, vector(2, m)), vector(2, m))
	add(wire.ExtensionALPN, vector(2, vector(1, []byte("h2")), vector(1, m), vector(1, []byte("http/1.1"))))
	add(wire.ExtensionApplicationSetting, vector(2, vector(1, m)))
	add(wire.ExtensionUseSRTP, vector(2, []byte{0, 1}), vector(1, m))
	add(wire.ExtensionKeyShare, vector(2, []byte{0, 29}, vector(2, padded(32)), []byte{0x2a, 0x2a}, vector(2, m)))
	add(wire.ExtensionCookie, vector(2, m))
	add(wire.ExtensionCertificateAuthorities, vector(2, vector(2, m)))
	add(wire.ExtensionRenegotiationInfo, vector(1, m))
	add(wire.ExtensionEncryptedClientHello, []byte{0, 0, 1, 0, 1, 9}, vector(2, m), vector(2, m))
	tp := append([]byte{0x0f, byte(len(m))}, m...)
	tp = append(append(tp, 0x11, byte(len(m))), m...)
	tp = append(append(tp, 0x71, 0x28, byte(len(m))), m...) // of a number that nobody knows
	add(wire.ExtensionQUICTransportParameters, tp, m)
	for t := range wire.ExtensionType(64) {
		switch t {
		case 0, 5, 10, 11, 13, 14, 15, 16, 27, 28, 34, 41, 42, 43, 44, 45, 47, 50, 51, 57, 18, 22, 23, 40, 49: // above, or of a form that is checked
			continue
		}
		add(t, vector(1, m))
	}
	add(0x1a1a, m)                                                    // GREASE
	add(0xf00d, m)                                                    // nobody's
	add(wire.ExtensionServerName, vector(2, []byte{0}, vector(2, m))) // twice
	add(0xf00d, m)
	add(wire.ExtensionNextProtocolNegotiation, m)
	add(wire.ExtensionChannelIDNew, m)
	add(wire.ExtensionPaddingDraft, m)
	add(wire.ExtensionSupportedGroups, vector(2, []byte{0, 29, 0, 23}))
	identities := vector(2, vector(2, m), []byte(marker)[:4])
	add(wire.ExtensionPreSharedKey, identities, vector(2, vector(1, padded(32))))
	body := slices.Concat([]byte{3, 3}, padded(32), vector(1, padded(32)), vector(2, []byte{0x13, 1, 0x13, 2}), vector(1, []byte{0}), vector(2, extensions))
	return append([]byte{1, 0, byte(len(body) >> 8), byte(len(body))}, body...)
}

func TestAnonymizedHoldsNothingOfAClient(t *testing.T) {
	raw := markedHello()
	if parsed := new(wire.ClientHello); wire.ParseClientHello(raw, parsed) != nil {
		t.Fatalf("the hello that was built cannot be read: %v", wire.ParseClientHello(raw, parsed))
	}
	for name, change := range map[string]func(*inspect.Hello){
		"bytes":       func(h *inspect.Hello) { h.Message.Raw, h.Message.SSLv2 = raw, false },
		"no bytes":    func(h *inspect.Hello) { h.Message.Raw = nil },
		"not parsing": func(*inspect.Hello) {},
		"cut":         func(h *inspect.Hello) { h.Message.Raw, h.Message.Complete = raw[:200], false },
		"no message":  func(h *inspect.Hello) { h.Message = nil },
	} {
		r := &Record{}
		mark(reflect.ValueOf(r).Elem(), 0)
		change(r.ClientLeg.TLS.Client)
		change(r.ClientLeg.TLS.Client.Retry)
		if len(marked(reflect.ValueOf(r), "record")) < 100 {
			t.Fatalf("%s: too little is marked", name)
		}
		out := (&Anonymizer{MaskNames: true}).Record(r)
		for _, at := range marked(reflect.ValueOf(out), "record") {
			t.Errorf("%s: %s is still the client's", name, at)
		}
		if out.Event.ID == "" || out.ClientLeg.TLS.Client == nil || out.Compacted == nil || !out.Timestamp.Equal(markedTime.Truncate(time.Hour)) {
			t.Errorf("%s: too little is left: %+v", name, out)
		}
		if name == "bytes" {
			hello := out.ClientLeg.TLS.Client
			if !slices.Equal(hello.ALPNProtocols, []string{"h2", strings.Repeat("x", len(marker)), "http/1.1"}) || len(hello.Message.Raw) != len(raw) || len(hello.SupportedGroups) != 2 {
				t.Errorf("the offer changed: %+v", hello)
			}
		}
	}
}

// What the lists of a hello without bytes say is kept where registries have it.
func TestAnonymizedListsAreKept(t *testing.T) {
	for _, sample := range []string{"chromium", "java6", "openssl-s_client-default"} {
		r := seen(t, sample, "192.0.2.77", markedTime)
		was := r.ClientLeg.TLS.Client
		was.Message.Raw = nil
		is := (&Anonymizer{}).Record(r).ClientLeg.TLS.Client
		want := *was
		want.JA4Raw = ""
		before, _ := json.Marshal(&want)
		after, _ := json.Marshal(is)
		if !bytes.Equal(before, after) {
			t.Errorf("%s:\n%s\n%s", sample, before, after)
		}
	}
}

func TestAnonymizedTimesAndIDs(t *testing.T) {
	ids := make(map[string]bool)
	for _, test := range []struct {
		round time.Duration
		want  time.Time
	}{{0, markedTime.Truncate(time.Hour)}, {24 * time.Hour, time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)}, {time.Second, markedTime.Truncate(time.Second)}, {-1, time.Time{}}} {
		a := &Anonymizer{Round: test.round}
		last := ""
		for range 3 {
			r := seen(t, "curl-default", "192.0.2.77", markedTime)
			out := a.Record(r)
			if !out.Timestamp.Equal(test.want) {
				t.Errorf("rounded to %v: %v", test.round, out.Timestamp)
			}
			if ids[out.Event.ID] || out.Event.ID == r.Event.ID || out.Event.ID <= last {
				t.Errorf("id %q behind %q", out.Event.ID, last)
			}
			last = out.Event.ID
			ids[last] = true
		}
	}
}
