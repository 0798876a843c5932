package recording

import (
	"bytes"
	"encoding/base64"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/fingerprint"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// decoder makes clients of entries, one at a time and in memory of its own.
type decoder struct {
	client Client
	hello  wire.ClientHello
	raw    []byte // of the hello
	shape  []byte
	fields fields

	rebuilt    map[string]*wire.ClientHello // by what they were rebuilt from
	key        []byte
	extensions wire.Extensions
	whole      map[string]bool // objects of records that were whole, behind their keys
	scratch    []byte
	types      map[string]wire.ExtensionType // by their names in records
}

// record reads the line of a record into d.client.
func (d *decoder) record(line []byte) (Reason, error) {
	d.client = Client{}
	if !scanRecord(line, &d.fields) {
		return d.plain(line)
	}
	f := &d.fields
	if f.raw == nil {
		return d.recall(line)
	}
	n := base64.StdEncoding.DecodedLen(len(f.raw))
	if cap(d.raw) < n {
		d.raw = make([]byte, n)
	}
	n, err := base64.StdEncoding.Decode(d.raw[:n], f.raw)
	if err != nil {
		return d.plain(line) // for the error in encoding/json's words
	}
	if n == 0 {
		return d.plain(line)
	}
	d.client.EventID, d.client.Address = f.eventID, f.address
	d.client.Transport = transportOf(f.transport)
	if !d.setTime(f.time) {
		return Malformed, errTime
	}
	if !f.complete {
		return Incomplete, nil
	}
	return d.parse(d.raw[:n], f.sslv2)
}

// parse reads a hello's bytes into d.client, which shares them.
func (d *decoder) parse(raw []byte, sslv2 bool) (Reason, error) {
	read := wire.ParseClientHello
	if sslv2 {
		read = wire.ParseSSLv2ClientHello
	}
	if err := read(raw, &d.hello); err != nil {
		return BrokenHello, err
	}
	d.took(false)
	return entryAccepted, nil
}

// took notes the hello that was read.
func (d *decoder) took(rebuilt bool) {
	d.shape = fingerprint.AppendShape(d.shape[:0], &d.hello)
	d.client.Hello, d.client.Shape, d.client.Rebuilt = &d.hello, d.shape, rebuilt
	if d.client.Transport == "" {
		d.client.Transport = inspect.TransportTCP
	}
}

// setTime reads the record's time; a record may be without one.
func (d *decoder) setTime(text []byte) bool {
	if len(text) == 0 {
		return true
	}
	if t, ok := utc(text); ok {
		d.client.Time = t
		return true
	}
	t, err := time.Parse(time.RFC3339Nano, string(text))
	d.client.Time = t.UTC()
	return err == nil
}

// utc reads a time in the form that our encoder gives it, 2026-11-20T12:00:00.123456789Z; false: it is not of that form.
func utc(b []byte) (time.Time, bool) {
	if len(b) < len("2006-01-02T15:04:05Z") || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' || b[len(b)-1] != 'Z' {
		return time.Time{}, false
	}
	nanos, ok := 0, true
	if fraction := b[19 : len(b)-1]; len(fraction) > 0 {
		if fraction[0] != '.' || len(fraction) < 2 || len(fraction) > 10 {
			return time.Time{}, false
		}
		nanos = decimal(fraction[1:], &ok)
		for range 10 - len(fraction) {
			nanos *= 10
		}
	}
	year, month, day := decimal(b[:4], &ok), decimal(b[5:7], &ok), decimal(b[8:10], &ok)
	hour, minute, second := decimal(b[11:13], &ok), decimal(b[14:16], &ok), decimal(b[17:19], &ok)
	if !ok || month < 1 || month > 12 || day < 1 || day > 28 && day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC), true
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// decimal reads digits; ok becomes false where there are none.
func decimal(b []byte, ok *bool) int {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			*ok = false
		}
		n = n*10 + int(c-'0')
	}
	return n
}

func transportOf(text []byte) string {
	if bytes.Equal(text, []byte(inspect.TransportQUIC)) {
		return inspect.TransportQUIC
	}
	return inspect.TransportTCP
}
