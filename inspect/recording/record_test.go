package recording

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/fingerprint"
	"github.com/tlstriage/tlstriage/inspect/report"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// outcome is what a way of reading made of a line, in words that can be compared.
func outcome(d *decoder, reason Reason, err error) string {
	if reason != entryAccepted {
		return fmt.Sprintf("%s: %v", reason, err)
	}
	c := &d.client
	if c.Rebuilt {
		return fmt.Sprintf("%+v %s %q %q %s %s", *c.Hello, c.Shape, c.EventID, c.Address, c.Time, c.Transport)
	}
	return fmt.Sprintf("%x sslv2=%v %s %s %q %q %s %s %v", c.Hello.Raw, c.Hello.SSLv2, c.Shape, c.JA4(), c.EventID, c.Address, c.Time, c.Transport, c.Rebuilt)
}

// bothWays reads a line as it is done, by a decoder that has seen it and others before, and by encoding/json alone.
func bothWays(used *decoder, line []byte) (fast, plain string, scanned bool) {
	var f fields
	scanned = scanRecord(line, &f)
	var d decoder
	reason, err := d.plain(line)
	plain = outcome(&d, reason, err)
	reason, err = used.record(line)
	if fast = outcome(used, reason, err); fast != plain {
		return fast, plain, scanned
	}
	reason, err = used.record(line)
	return outcome(used, reason, err), plain, scanned
}

func TestScanAgreesWithEncodingJSON(t *testing.T) {
	r := newRand(3)
	msg := randomOffer(r).hello(r)
	whole := string(bytes.TrimSpace(record(t, msg, 7, report.RawAll)))
	bare := string(bytes.TrimSpace(record(t, msg, 7, report.RawNone)))
	edit := func(old, new string) string {
		if !strings.Contains(whole, old) {
			t.Fatalf("the record has no %s", old)
		}
		return strings.Replace(whole, old, new, 1)
	}
	raw := whole[strings.Index(whole, `"raw":"`):]
	raw = raw[:strings.Index(raw, `"}`)+1]
	editBare := func(old, new string) string {
		if !strings.Contains(bare, old) {
			t.Fatalf("the record has no %s", old)
		}
		return strings.Replace(bare, old, new, 1)
	}
	var used decoder
	for _, test := range []struct {
		name, line string
		scanned    bool
	}{
		{"as written", whole, true},
		{"without bytes", bare, true},
		{"without bytes, another name", editBare(`"client":{"legacy`, `"client":{"server_name":"b.example","legacy`), true},
		{"without bytes, no name", bare, true},
		{"without bytes, extensions turned round", editBare(`"extensions":[`, `"extensions":["status_request",`), true},
		{"without bytes, an extension nobody knows", editBare(`"extensions":[`, `"extensions":["x",`), true},
		{"without bytes, extensions null", editBare(`"extensions":[`, `"extensions":null,"were":[`), true},
		{"without bytes, extensions a string", editBare(`"extensions":[`, `"extensions":"x","were":[`), true},
		{"without bytes, extensions with numbers", editBare(`"extensions":[`, `"extensions":[1,`), true},
		{"without bytes, a suite less", editBare(`"supported_ciphers":[`, `"supported_ciphers":["TLS_AES_128_CCM_SHA256",`), true},
		{"without bytes, suites twice", editBare(`"supported_ciphers":[`, `"supported_ciphers":[],"supported_ciphers":[`), false},
		{"without bytes, ja4 a number", editBare(`"ja4":"`, `"ja4":4,"was":"`), false},
		{"without bytes, a size that is no integer", editBare(`"size":`, `"size":0.`), false},
		{"without bytes, grease null", editBare(`"grease":`, `"grease":null,"x":`), false},
		{"without bytes, a second hello", editBare(`"hello":{`, `"retry_hello":{"ja3":"x"},"hello":{`), true},
		{"without bytes, the second hello again", editBare(`"hello":{`, `"retry_hello":{"ja3":"x"},"hello":{`), true},
		{"without bytes, a second hello of another type", editBare(`"hello":{`, `"retry_hello":{"ja3":4},"hello":{`), true},
		{"without bytes, a certificate", editBare(`"hello":{`, `"certificate":{"chain":null},"hello":{`), true},
		{"without bytes, the certificate again", editBare(`"hello":{`, `"certificate":{"chain":null},"hello":{`), true},
		{"without bytes, the certificate for a second hello", editBare(`"hello":{`, `"retry_hello":{"chain":null},"hello":{`), true},
		{"without bytes, a certificate that is none", editBare(`"hello":{`, `"certificate":"x","hello":{`), true},
		{"without bytes, the same again", editBare(`"hello":{`, `"certificate":"x","hello":{`), true},
		{"without bytes, two certificates", editBare(`"hello":{`, `"certificate":{},"retry_hello":{},"certificate":{"chain":7},"hello":{`), false},
		{"without bytes, a revocation that is none", editBare(`"hello":{`, `"revocation":[],"hello":{`), true},
		{"without bytes, no shape", editBare(`"shape":"`, `"was":"`), true},
		{"without bytes, an odd shape", editBare(`"shape":"`, `"shape":"\u0073`), true},
		{"without bytes, SSLv2 format", editBare(`"sslv2":false`, `"sslv2":true`), true},
		{"without bytes, early data a string", editBare(`"early_data":`, `"early_data":"x","was":`), true},
		{"white space", " \t" + edit(`"schema":1`, "\"schema\" :\t 1 ") + "\r", false},
		{"white space elsewhere", edit(`"listener":"edge"`, `"listener" : [ 1 , -0.5e+3 , { } , [ ] ] `), true},
		{"schema of tomorrow", edit(`"schema":1`, `"schema":2`), false},
		{"schema 10", edit(`"schema":1`, `"schema":10`), false},
		{"schema in a string", edit(`"schema":1`, `"schema":"1"`), false},
		{"no schema", edit(`"schema":1,`, ``), false},
		{"a key twice", edit(`"schema":1`, `"schema":1,"schema":2`), false},
		{"a leg twice", edit(`"client_leg":`, `"client_leg":{},"client_leg":`), false},
		{"a leg again at the end", whole[:len(whole)-1] + `,"client_leg":{"tls":null}}`, false},
		{"a key in another case", edit(`"client_leg":`, `"Client_Leg":{"tls":null},"client_leg":`), false},
		{"a key with an escape", edit(`"client_leg":`, `"client\u005fleg":{"tls":null},"client_leg":`), false},
		{"a key with a long s", edit(`"schema":1`, `"ſchema":2,"schema":1`), false},
		{"an escape in a value", edit(`"address":"192.0.2.7"`, `"address":"192.0.2.\u0037"`), false},
		{"an escape elsewhere", edit(`"edge"`, `"a\"b\\\u00e9\/"`), true},
		{"a bad escape elsewhere", edit(`"edge"`, `"a\x"`), false},
		{"a control character elsewhere", edit(`"edge"`, "\"a\x01b01234567\""), false},
		{"bytes that are no UTF-8 elsewhere", edit(`"edge"`, "\"a\xff\xfe\""), true},
		{"bytes that are no UTF-8 in a value", edit(`"address":"192.0.2.7"`, "\"address\":\"192\xff\""), false},
		{"null for a leg", edit(`"client_leg":{`, `"client_leg":null,"was":{`), false},
		{"a number for an address", edit(`"address":"192.0.2.7"`, `"address":7`), false},
		{"raw that is no base64", edit(raw, `"raw":"AQAA*"`), true},
		{"raw that is no hello", edit(raw, `"raw":"AgAAAA=="`), true},
		{"raw with a line feed in it", edit(raw, `"raw":"AQ\nAA"`), false},
		{"empty raw", edit(raw, `"raw":""`), false},
		{"incomplete", edit(`"complete":true`, `"complete":false`), true},
		{"complete is missing", edit(`"complete":true,`, ``), true},
		{"a time of another zone", edit(`Z","event"`, `+02:00","event"`), true},
		{"a time that is none", edit(`"@timestamp":"`, `"@timestamp":"x`), true},
		{"February 30", edit(`"@timestamp":"2027-01`, `"@timestamp":"2027-02-30T00:00:00Z","was":"2027-01`), true},
		{"no time", edit(`"@timestamp"`, `"time"`), true},
		{"behind the end", whole + "}", false},
		{"two records", whole + whole, false},
		{"an array", "[" + whole + "]", false},
		{"null", "null", false},
		{"another object", `{"a":1}`, false},
		{"no TLS", `{"schema":1,"event":{"id":"x"},"client_leg":{"first_bytes":{}}}`, false},
		{"nested", edit(`"edge"`, strings.Repeat("[", 100)+strings.Repeat("]", 100)), false},
		{"nested too deep for anybody", edit(`"edge"`, strings.Repeat("[", 20000)+strings.Repeat("]", 20000)), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			fast, plain, scanned := bothWays(&used, []byte(test.line))
			if fast != plain {
				t.Errorf("scanned: %.300s\nplain:   %.300s", fast, plain)
			}
			if scanned != test.scanned {
				t.Errorf("scanned: %v, want %v", scanned, test.scanned)
			}
			if test.name == "as written" {
				var hello wire.ClientHello
				if err := wire.ParseClientHello(msg, &hello); err != nil {
					t.Fatal(err)
				}
				if !strings.Contains(fast, fingerprint.Shape(&hello)) || !strings.Contains(fast, "192.0.2.7") || !strings.Contains(fast, "2027-01-15") {
					t.Errorf("the fields are not those of the record: %.400s", fast)
				}
			}
		})
	}
}

func TestCutRecordsAreMalformed(t *testing.T) {
	r := newRand(4)
	whole := bytes.TrimSpace(record(t, randomOffer(r).hello(r), 7, report.RawAll))
	for n := 1; n < len(whole); n++ {
		var d decoder
		if reason, err := d.record(whole[:n]); reason != Malformed || err == nil {
			t.Fatalf("the first %d bytes: %v, %v", n, reason, err)
		}
	}
}

func TestRebuiltHelloOffersWhatTheRecordSays(t *testing.T) {
	r := newRand(5)
	for i := range 200 {
		o := randomOffer(r)
		o.name = "a.example"
		msg := o.hello(r)
		var d decoder
		if reason, err := d.record(record(t, msg, i, report.RawNone)); reason != entryAccepted {
			t.Fatal(reason, err)
		}
		var want wire.ClientHello
		if err := wire.ParseClientHello(msg, &want); err != nil {
			t.Fatal(err)
		}
		c := &d.client
		if string(c.Shape) != fingerprint.Shape(&want) {
			t.Errorf("shape %s, want that of the record, %s", c.Shape, fingerprint.Shape(&want))
		}
		if !c.Rebuilt || string(c.Hello.ServerName) != "a.example" || !slices.Equal(c.Hello.ALPN.Strings(), want.ALPN.Strings()) {
			t.Errorf("rebuilt %v: name %q, ALPN %q", c.Rebuilt, c.Hello.ServerName, c.Hello.ALPN.Strings())
		}
	}
}

// TestMalformedLinesAreNumbered puts damaged lines between good ones and looks for them by number.
func TestMalformedLinesAreNumbered(t *testing.T) {
	r := newRand(6)
	var text []byte
	var want []int64
	good := 0
	for line := int64(1); line <= 3000; line++ {
		switch {
		case line%500 == 3:
			text = append(text, `{"schema":1,"client_leg":`+"\n"...)
			want = append(want, line)
		case line%100 == 0:
			text = append(text, '\n')
		default:
			text = append(text, record(t, randomOffer(r).hello(r), int(line), report.RawAll)...)
			good++
		}
	}
	var tally Tally
	if err := tally.Read(bytes.NewReader(text), "x.ndjson"); err != nil {
		t.Fatal(err)
	}
	var got []int64
	for _, p := range tally.Problems {
		got = append(got, p.Line)
		if !bytes.HasPrefix(text[p.Offset:], []byte(`{"schema":1,"client_leg":`+"\n")) {
			t.Errorf("line %d does not begin at byte %d", p.Line, p.Offset)
		}
	}
	if !slices.Equal(got, want) || tally.Connections != int64(good) || tally.Skipped.Malformed != int64(len(want)) {
		t.Errorf("problems in %v, want %v; %d connections, want %d", got, want, tally.Connections, good)
	}
	if text := tally.Problems[0].Error(); !strings.HasPrefix(text, "x.ndjson:3: malformed: ") {
		t.Errorf("the error reads %q", text)
	}
	got = nil
	index := int64(0)
	for c, err := range Each(bytes.NewReader(text), "x.ndjson") {
		var damaged *Error
		if errors.As(err, &damaged) {
			got = append(got, damaged.Line)
			if damaged.Index != index {
				t.Fatalf("index %d, want %d", damaged.Index, index)
			}
		} else if c.Index != index {
			t.Fatalf("index %d, want %d", c.Index, index)
		}
		index++
	}
	if !slices.Equal(got, want) || index != int64(good+len(want)) {
		t.Errorf("one by one: problems in %v, want %v; %d entries", got, want, index)
	}
}

func FuzzRecord(f *testing.F) {
	r := newRand(8)
	for i := range 4 {
		f.Add(bytes.TrimSpace(record(f, randomOffer(r).hello(r), i, report.RawAll)))
		f.Add(bytes.TrimSpace(record(f, randomOffer(r).hello(r), i, report.RawNone)))
	}
	f.Add([]byte(`{"schema":1,"client_leg":{"tls":{"client":{"hello":{"raw":"AQAA","complete":true}}}}}`))
	var used decoder
	f.Fuzz(func(t *testing.T, line []byte) {
		fast, plain, scanned := bothWays(&used, line)
		if fast != plain {
			t.Errorf("scanned: %.300s\nplain:   %.300s", fast, plain)
		}
		if scanned && !json.Valid(line) {
			t.Errorf("a line that is no JSON was taken for a record")
		}
	})
}
