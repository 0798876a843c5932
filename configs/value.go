package configs

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// setText reads the text of a file's scalar, a flag or an environment variable into a field. Lists are separated by commas.
func setText(field reflect.Value, text string) error {
	switch v := field.Addr().Interface().(type) {
	case *time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is no duration: a number with a unit is expected, as 500ms, 10s, 5m or 720h", text)
		}
		*v = d
		return nil
	case encoding.TextUnmarshaler:
		return v.UnmarshalText([]byte(text))
	}
	switch field.Kind() {
	case reflect.String:
		field.SetString(text)
	case reflect.Bool:
		b, err := parseBool(text)
		if err != nil {
			return err
		}
		field.SetBool(b)
	case reflect.Int:
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return fmt.Errorf("%q is no whole number up to %d", text, math.MaxInt32)
		}
		field.SetInt(n)
	case reflect.Slice:
		return setList(field, text)
	default:
		return fmt.Errorf("%q is a single value where more is expected", text)
	}
	return nil
}

// setList reads "a,b,c" into a list; an empty text is an empty list.
func setList(field reflect.Value, text string) error {
	list := reflect.MakeSlice(field.Type(), 0, 0)
	if strings.TrimSpace(text) != "" {
		for part := range strings.SplitSeq(text, ",") {
			element := reflect.New(field.Type().Elem()).Elem()
			if element.Kind() == reflect.Struct && !element.Addr().Type().Implements(textUnmarshaler) {
				return fmt.Errorf("%q cannot be given as one value", text)
			}
			if err := setText(element, strings.TrimSpace(part)); err != nil {
				return err
			}
			list = reflect.Append(list, element)
		}
	}
	field.Set(list)
	return nil
}

var textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()

func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true", "yes", "on", "1":
		return true, nil
	case "false", "no", "off", "0":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither true nor false", text)
}

// textOf is the inverse of setText: what a flag shows as its default.
func textOf(field reflect.Value) string {
	switch v := field.Interface().(type) {
	case time.Duration:
		text := v.String() // 720h0m0s: nobody writes the zeros
		if strings.HasSuffix(text, "m0s") {
			text = strings.TrimSuffix(text, "0s")
		}
		if strings.HasSuffix(text, "h0m") {
			text = strings.TrimSuffix(text, "0m")
		}
		return text
	case fmt.Stringer:
		return v.String()
	}
	if field.Kind() == reflect.Slice {
		parts := make([]string, field.Len())
		for i := range parts {
			parts[i] = textOf(field.Index(i))
		}
		return strings.Join(parts, ",")
	}
	return fmt.Sprint(field.Interface())
}

// errSize is said of what does not read as a Size.
var errSize = errors.New("a number of bytes is expected, plain or with a unit, as 65536, 64KiB or 1MiB")

// UnmarshalText reads a plain number, or one with B, KiB, MiB, kB or MB.
func (s *Size) UnmarshalText(text []byte) error {
	digits := strings.TrimRight(string(text), "BKMibk ")
	unit := strings.TrimSpace(string(text)[len(digits):])
	factors := map[string]int64{"": 1, "B": 1, "kB": 1000, "KiB": 1 << 10, "MB": 1e6, "MiB": 1 << 20}
	factor, known := factors[unit]
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !known || n < 0 || n > math.MaxInt64/factor {
		return fmt.Errorf("%q: %w", text, errSize)
	}
	*s = Size(n * factor)
	return nil
}

// String writes a size in the largest unit that divides it.
func (s Size) String() string {
	switch {
	case s != 0 && s%(1<<20) == 0:
		return strconv.FormatInt(int64(s>>20), 10) + "MiB"
	case s != 0 && s%(1<<10) == 0:
		return strconv.FormatInt(int64(s>>10), 10) + "KiB"
	}
	return strconv.FormatInt(int64(s), 10)
}

// UnmarshalText reads "TLSv1.2" or "1.2"; an empty text is no version.
func (v *Version) UnmarshalText(text []byte) error {
	name := string(text)
	if name != "" && !strings.HasPrefix(name, "TLSv") {
		name = "TLSv" + name
	}
	version := Version(name)
	if version != "" && version.Number() == 0 {
		return fmt.Errorf("%q is not one of TLSv1.0, TLSv1.1, TLSv1.2, TLSv1.3", text)
	}
	*v = version
	return nil
}
