package report

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// encoder writes records as encoding/json does, in one pass and without its detours: what a terminal would obey is spelled out on
// the way, and chains that were written before are copied. What it does not know it leaves to encoding/json.
type encoder struct {
	chains map[*inspect.Certificate]chainJSON // by their first certificate
	bytes  int                                // of them
}

// chainJSON is a chain as it was written; json is empty where it was seen but once.
type chainJSON struct {
	certificates int
	json         []byte
}

// What is remembered of chains; beyond it, it is forgotten.
const (
	maxChains     = 256
	maxChainBytes = 2 << 20
)

// appender appends a value.
type appender func(e *encoder, b []byte, v reflect.Value) ([]byte, error)

// recordAppender is that of a record. Types do not change, so it is made once.
var recordAppender = sync.OnceValue(func() appender {
	return appenders{}.of(reflect.TypeFor[inspect.Connection]())
})

// append appends a record.
func (e *encoder) append(b []byte, c *inspect.Connection) ([]byte, error) {
	return recordAppender()(e, b, reflect.ValueOf(c).Elem())
}

// appenders are those of structs, which may hold themselves.
type appenders map[reflect.Type]*structAppender

var (
	marshaler     = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[interface{ MarshalText() ([]byte, error) }]()
	zeroer        = reflect.TypeFor[interface{ IsZero() bool }]()
	timeType      = reflect.TypeFor[time.Time]()
)

// of makes the appender of a type.
func (a appenders) of(t reflect.Type) appender {
	switch {
	case t == timeType:
		return appendTime
	case t == reflect.TypeFor[[]string]():
		return appendStrings
	case t == reflect.TypeFor[[]inspect.Certificate]():
		return a.chain()
	case marshals(t) || marshals(reflect.PointerTo(t)):
		return appendOther
	}
	switch t.Kind() {
	case reflect.String:
		return func(_ *encoder, b []byte, v reflect.Value) ([]byte, error) { return appendString(b, v.String()) }
	case reflect.Bool:
		return func(_ *encoder, b []byte, v reflect.Value) ([]byte, error) {
			return strconv.AppendBool(b, v.Bool()), nil
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return func(_ *encoder, b []byte, v reflect.Value) ([]byte, error) {
			return strconv.AppendInt(b, v.Int(), 10), nil
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return func(_ *encoder, b []byte, v reflect.Value) ([]byte, error) {
			return strconv.AppendUint(b, v.Uint(), 10), nil
		}
	case reflect.Float64:
		return appendFloat
	case reflect.Pointer:
		return orNull(a.of(t.Elem()), reflect.Value.Elem)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			if t.Elem() != reflect.TypeFor[byte]() {
				return appendOther
			}
			return orNull(appendBytes, nil)
		}
		return orNull(appendEach(a.of(t.Elem())), nil)
	case reflect.Struct:
		return a.structOf(t)
	}
	return appendOther
}

// marshals reports whether a type says itself what its JSON is.
func marshals(t reflect.Type) bool { return t.Implements(marshaler) || t.Implements(textMarshaler) }

// structAppender are the fields of a struct.
type structAppender struct{ fields []fieldAppender }

type fieldAppender struct {
	index     int
	key       string // with quotes and colon
	omitEmpty bool
	isZero    func(reflect.Value) bool // nil: it stands there whatever it is
	append    appender
}

func (a appenders) structOf(t reflect.Type) appender {
	s, known := a[t]
	if !known {
		s = &structAppender{}
		a[t] = s
		if !a.fill(s, t) {
			delete(a, t)
			return appendOther
		}
	}
	return s.append
}

// fill lists the fields of a type; false: it has what only encoding/json knows about.
func (a appenders) fill(s *structAppender, t reflect.Type) bool {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous:
			return false
		case !f.IsExported() || name == "-" && options == "":
			continue
		case name == "":
			name = f.Name
		}
		field := fieldAppender{index: i, key: `"` + name + `":`, append: a.of(f.Type)}
		if !harmless(name) || strings.ContainsAny(name, "\"\\<>&") {
			return false
		}
		for option := range strings.SplitSeq(options, ",") {
			switch option {
			case "":
			case "omitempty":
				field.omitEmpty = true
			case "omitzero":
				switch {
				case f.Type == timeType:
					field.isZero = func(v reflect.Value) bool { return v.Addr().Interface().(*time.Time).IsZero() }
				case f.Type.Implements(zeroer) || reflect.PointerTo(f.Type).Implements(zeroer):
					return false
				default:
					field.isZero = reflect.Value.IsZero
				}
			default:
				return false
			}
		}
		s.fields = append(s.fields, field)
	}
	return true
}

func (s *structAppender) append(e *encoder, b []byte, v reflect.Value) ([]byte, error) {
	b = append(b, '{')
	first := true
	for i := range s.fields {
		f := &s.fields[i]
		x := v.Field(f.index)
		if f.omitEmpty && empty(x) || f.isZero != nil && f.isZero(x) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, f.key...)
		var err error
		if b, err = f.append(e, b, x); err != nil {
			return b, err
		}
	}
	return append(b, '}'), nil
}

// empty reports whether a value is what omitempty leaves out.
func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String, reflect.Slice, reflect.Array, reflect.Map:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

// orNull appends null for nil, else what is in it.
func orNull(inner appender, in func(reflect.Value) reflect.Value) appender {
	return func(e *encoder, b []byte, v reflect.Value) ([]byte, error) {
		if v.IsNil() {
			return append(b, "null"...), nil
		}
		if in != nil {
			v = in(v)
		}
		return inner(e, b, v)
	}
}

func appendEach(element appender) appender {
	return func(e *encoder, b []byte, v reflect.Value) (_ []byte, err error) {
		b = append(b, '[')
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = element(e, b, v.Index(i)); err != nil {
				return b, err
			}
		}
		return append(b, ']'), nil
	}
}

// chain is the appender of chains: backends present the same ones to every connection, and describe them but once.
func (a appenders) chain() appender {
	plain := orNull(appendEach(a.of(reflect.TypeFor[inspect.Certificate]())), nil)
	return func(e *encoder, b []byte, v reflect.Value) ([]byte, error) {
		chain := *v.Addr().Interface().(*[]inspect.Certificate)
		if len(chain) == 0 {
			return plain(e, b, v)
		}
		known, seen := e.chains[&chain[0]]
		if seen = seen && known.certificates == len(chain); seen && known.json != nil {
			return append(b, known.json...), nil
		}
		before := len(b)
		b, err := plain(e, b, v)
		if err != nil {
			return b, err
		}
		if e.chains == nil || len(e.chains) >= maxChains || e.bytes > maxChainBytes {
			e.chains, e.bytes = make(map[*inspect.Certificate]chainJSON), 0
		}
		known = chainJSON{certificates: len(chain)}
		if seen {
			known.json = bytes.Clone(b[before:])
			e.bytes += len(known.json)
		}
		e.chains[&chain[0]] = known
		return b, nil
	}
}

func appendStrings(_ *encoder, b []byte, v reflect.Value) (_ []byte, err error) {
	list := *v.Addr().Interface().(*[]string)
	if list == nil {
		return append(b, "null"...), nil
	}
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendString(b, s); err != nil {
			return b, err
		}
	}
	return append(b, ']'), nil
}

func appendBytes(_ *encoder, b []byte, v reflect.Value) ([]byte, error) {
	b = append(b, '"')
	b = base64.StdEncoding.AppendEncode(b, v.Bytes())
	return append(b, '"'), nil
}

func appendTime(_ *encoder, b []byte, v reflect.Value) (_ []byte, err error) {
	b = append(b, '"')
	if b, err = v.Addr().Interface().(*time.Time).AppendText(b); err != nil {
		return b, err
	}
	return append(b, '"'), nil
}

// appendFloat writes a number as ECMAScript does, which encoding/json follows.
func appendFloat(_ *encoder, b []byte, v reflect.Value) ([]byte, error) {
	f := v.Float()
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return b, fmt.Errorf("%v is no number of JSON", f)
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	b = strconv.AppendFloat(b, f, format, -1, 64)
	if n := len(b); format == 'e' && n >= 4 && b[n-4] == 'e' && (b[n-3] == '-' || b[n-3] == '+') && b[n-2] == '0' {
		b[n-2] = b[n-1] // e-09 to e-9
		b = b[:n-1]
	}
	return b, nil
}

// appendString appends a string. Nearly all are of plain ASCII.
func appendString(b []byte, s string) ([]byte, error) {
	b = append(b, '"')
	start := len(b)
	b = append(b, s...)
	if plainText(b[start:]) {
		return append(b, '"'), nil
	}
	b = b[:start]
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c < 0x20 || c >= 0x7F:
			return appendJSON(b[:start-1], s)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"'), nil
}

// plainText reports whether bytes stand in a string of JSON as they are: printable ASCII without quotes and backslashes. It looks at
// eight at a time (a byte of x is zero where (x - 0x01…) &^ x has its highest bit).
func plainText(b []byte) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	for ; len(b) >= 8; b = b[8:] {
		x := binary.LittleEndian.Uint64(b)
		quote, backslash, del := x^ones*'"', x^ones*'\\', x^ones*0x7F
		if (x|(x-ones*0x20)&^x|(quote-ones)&^quote|(backslash-ones)&^backslash|(del-ones)&^del)&high != 0 {
			return false
		}
	}
	for _, c := range b {
		if c < 0x20 || c >= 0x7F || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// appendOther leaves a value to encoding/json.
func appendOther(_ *encoder, b []byte, v reflect.Value) ([]byte, error) {
	return appendJSON(b, v.Interface())
}

func appendJSON(b []byte, v any) ([]byte, error) {
	var buffer bytes.Buffer
	enc := json.NewEncoder(&buffer)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return b, err
	}
	return append(b, spellOut(bytes.TrimSuffix(buffer.Bytes(), []byte("\n")))...), nil
}
