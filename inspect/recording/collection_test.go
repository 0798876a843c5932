package recording

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/clients"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// seen are records of a gallery's client, as an eye of ours makes them.
func seen(t *testing.T, name, address string, at time.Time) *Record {
	t.Helper()
	s, err := clients.One(name)
	if err != nil {
		t.Fatal(err)
	}
	h, err := s.Hello()
	if err != nil {
		t.Fatal(err)
	}
	r := &Record{}
	r.Schema, r.Timestamp, r.Transport = inspect.SchemaVersion, at, inspect.TransportTCP
	r.Event = inspect.Event{ID: name, Source: inspect.SourceProxy, Outcome: inspect.Success}
	r.Client = inspect.Endpoint{Address: address, Port: 40000}
	hello := inspect.DescribeHello(h, s.RecordVersion(), inspect.TransportTCP)
	hello.Message.Records = 1
	r.ClientLeg = &inspect.Leg{TLS: &inspect.TLS{Client: hello}}
	return r
}

func written(t *testing.T, records ...*Record) string {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b)
	for _, r := range records {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func collected(t *testing.T, texts ...string) *Collection {
	t.Helper()
	c := new(Collection)
	for _, text := range texts {
		if err := c.Read(strings.NewReader(text), "file"); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func compacted(t *testing.T, c *Collection) string {
	t.Helper()
	var records []*Record
	kinds := c.Kinds()
	for i := range kinds {
		records = append(records, kinds[i].Record())
	}
	return written(t, records...)
}

// A compacted recording says of its clients what the whole one says, and compacting it again changes nothing.
func TestCompactedIsTheSameRecording(t *testing.T) {
	start := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	var records []*Record
	for i := range 40 {
		records = append(records, seen(t, []string{"curl-default", "java6", "go-default", "nginx-proxy_pass"}[i%4], []string{"192.0.2.1", "192.0.2.2", "2001:db8::1"}[i%3], start.Add(time.Duration(i)*time.Minute)))
	}
	records = append(records, seen(t, "curl-default", "192.0.2.9", start.Add(-time.Hour)))
	whole := collected(t, written(t, records...))
	once := compacted(t, whole)
	if lines := strings.Count(once, "\n"); lines != 4 {
		t.Fatalf("%d lines for 4 kinds of clients", lines)
	}
	again := collected(t, once)
	if !reflect.DeepEqual(again.Kinds(), whole.Kinds()) {
		t.Errorf("read back:\n%+v\nwant\n%+v", again.Kinds(), whole.Kinds())
	}
	if again.Tally.Connections != 41 || !again.Tally.First.Equal(start.Add(-time.Hour)) {
		t.Errorf("%d connections from %v", again.Tally.Connections, again.Tally.First)
	}
	if twice := compacted(t, again); twice != once {
		t.Errorf("compacted twice:\n%s\nwant\n%s", twice, once)
	}
	merged := collected(t, once, once, written(t, records[0]))
	if merged.Tally.Connections != 83 || merged.Tally.Len() != 4 {
		t.Errorf("merged: %d connections of %d kinds", merged.Tally.Connections, merged.Tally.Len())
	}
	for _, k := range merged.Kinds() {
		if k.EventID == "java6" && (k.RecordVersion != 0 || k.Records != 1) || k.EventID == "go-default" && k.RecordVersion != wire.VersionTLS10 {
			t.Errorf("%s: %+v", k.EventID, k.Detail)
		}
	}
}

// Every way to read a compacted recording counts what it stands for.
func TestCompactedCountsForEveryReader(t *testing.T) {
	text := string(mixed(t))
	whole := tallied(t, text)
	once := compacted(t, collected(t, text))
	if lines := strings.Count(once, "\n"); lines != whole.Len() {
		t.Fatalf("%d lines for %d kinds of clients", lines, whole.Len())
	}
	again := tallied(t, once)
	if again.Connections != whole.Connections || !again.First.Equal(whole.First) || !again.Last.Equal(whole.Last) {
		t.Errorf("%d connections from %v to %v, want %d from %v to %v", again.Connections, again.First, again.Last, whole.Connections, whole.First, whole.Last)
	}
	was, is := whole.Shapes(), again.Shapes()
	for i := range is {
		// Of more than a handful of addresses it is left open which are kept.
		if len(is[i].Addresses) != len(was[i].Addresses) {
			t.Errorf("%s: addresses %v, want %v", is[i].Name, is[i].Addresses, was[i].Addresses)
		}
		was[i].Addresses, is[i].Addresses = nil, nil
	}
	if !reflect.DeepEqual(is, was) {
		t.Errorf("read back:\n%+v\nwant\n%+v", is, was)
	}
	var all int64
	for c, err := range Each(strings.NewReader(once), "") {
		if err != nil {
			t.Fatal(err)
		}
		all += c.Connections()
	}
	if all != whole.Connections {
		t.Errorf("one by one %d connections, want %d", all, whole.Connections)
	}
	if both := tallied(t, once, text, once); both.Connections != 3*whole.Connections || both.Len() != whole.Len() {
		t.Errorf("three times: %d connections of %d kinds", both.Connections, both.Len())
	}
}

func tallied(t *testing.T, texts ...string) *Tally {
	t.Helper()
	tally := new(Tally)
	for _, text := range texts {
		if err := tally.Read(strings.NewReader(text), "file"); err != nil {
			t.Fatal(err)
		}
	}
	return tally
}

// What a stranger's file says of counts is held against itself.
func TestCompactedCountsThatCannotBeAreNotBelieved(t *testing.T) {
	for name, test := range map[string]struct {
		compacted string
		want      int64
	}{
		"sound":              {`{"connections":5,"server_names":[{"name":"a","connections":3},{"name":"","connections":1}],"other_names":1}`, 5},
		"without names":      {`{"connections":5}`, 5},
		"none":               {`{"connections":0}`, 1},
		"negative":           {`{"connections":-5}`, 1},
		"names beyond":       {`{"connections":5,"server_names":[{"name":"a","connections":6}]}`, 1},
		"names that overrun": {`{"connections":9223372036854775807,"server_names":[{"name":"a","connections":9223372036854775807},{"name":"b","connections":9223372036854775807}]}`, 1},
		"names too few":      {`{"connections":5,"server_names":[{"name":"a","connections":2}]}`, 1},
		"more than can be":   {`{"connections":9223372036854775807}`, 1},
		"others only":        {`{"connections":5,"other_names":5}`, 5},
		"others too few":     {`{"connections":5,"other_names":2}`, 1},
		"another type":       {`[1,2]`, 1},
	} {
		line := strings.TrimSuffix(written(t, seen(t, "curl-default", "192.0.2.1", time.Time{})), "}\n") + `,"compacted":` + test.compacted + "}\n"
		c := collected(t, line)
		kinds := c.Kinds()
		if c.Tally.Connections != test.want || len(kinds) != 1 || kinds[0].Connections != test.want {
			t.Errorf("%s: %d connections, want %d", name, c.Tally.Connections, test.want)
		}
		tally := tallied(t, line)
		for _, s := range tally.Shapes() {
			if tally.Connections != test.want || s.Connections != test.want || tally.Skipped.Malformed != 0 {
				t.Errorf("%s: a tally has %d connections, want %d", name, tally.Connections, test.want)
			}
		}
		for client, err := range Each(strings.NewReader(line), "") {
			if err != nil || client.Connections() != test.want {
				t.Errorf("%s: %d connections, want %d; %v", name, client.Connections(), test.want, err)
			}
		}
		sum := kinds[0].OtherNames
		for _, n := range kinds[0].Names {
			sum += n.Connections
		}
		if sum != test.want {
			t.Errorf("%s: names of %d connections: %+v", name, sum, kinds[0].Names)
		}
	}
}

func TestAnonymizedKeepsTheOfferAndNothingElse(t *testing.T) {
	for _, s := range clients.Gallery() {
		r := seen(t, s.Name, "192.0.2.77", time.Time{})
		r.Client.Port = 1234
		r.ClientLeg.Error = &inspect.Error{Type: inspect.ErrorReset, Message: "read tcp 192.0.2.77:1234"}
		r.Findings = []inspect.Finding{{ID: "x", Detail: "secret.example"}}
		before, err := s.Hello()
		if err != nil {
			t.Fatal(err)
		}
		out := (&Anonymizer{MaskNames: true}).Record(r)
		text, err := json.Marshal(out)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"192.0.2.77", "1234,", "secret.example", "backend.example", "172.17.0.1"} {
			if strings.Contains(string(text), secret) {
				t.Errorf("%s: %q is still there", s.Name, secret)
			}
		}
		if out.Client.Address != "192.0.2.0" {
			t.Errorf("address %q", out.Client.Address)
		}
		was, is := r.ClientLeg.TLS.Client, out.ClientLeg.TLS.Client
		if is.Shape != was.Shape || is.JA4 != was.JA4 || is.JA3 != was.JA3 || is.Message.Size != was.Message.Size || !slices.Equal(is.Extensions, was.Extensions) || is.RecordVersion != was.RecordVersion {
			t.Errorf("%s: the offer changed: %+v, was %+v", s.Name, is, was)
		}
		after, err := is.ClientHello()
		if err != nil {
			t.Fatal(err)
		}
		// Nothing of what belongs to the connection may be left anywhere.
		secrets := [][]byte{before.Random, before.SessionID, before.SessionTicket}
		for _, key := range before.KeyShares.All() {
			secrets = append(secrets, key)
		}
		for identity := range before.PSKIdentities.All() {
			secrets = append(secrets, identity)
		}
		if len(before.ECH) > 8 {
			secrets = append(secrets, before.ECH[8:])
		}
		for _, secret := range secrets {
			if len(secret) > 8 && bytes.Contains(after.Raw, secret) {
				t.Errorf("%s: %x… is still there", s.Name, secret[:8])
			}
		}
	}
}

func TestMaskedNamesAreTheSameForTheSameName(t *testing.T) {
	a := &Anonymizer{MaskNames: true}
	first, second, third := a.name([]byte("api.example.com")), a.name([]byte("API.example.com")), a.name([]byte("www.example.com"))
	if string(first) != string(second) || string(first) == string(third) || string(first) != "1xx.xxxxxxx.xxx" || len(third) != 15 {
		t.Errorf("%s %s %s", first, second, third)
	}
	if kept := (&Anonymizer{}).name([]byte("api.example.com")); string(kept) != "api.example.com" {
		t.Errorf("kept as %s", kept)
	}
	for address, want := range map[string]string{"192.0.2.77": "192.0.2.0", "2001:db8:1:2::3": "2001:db8:1::", "::ffff:192.0.2.1": "192.0.2.0", "fe80::1%eth0": "fe80::", "nobody": "", "": ""} {
		if got := maskAddress(address); got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
}

func TestStrangersDoNotActOnTerminals(t *testing.T) {
	r := seen(t, "curl-default", "", time.Time{})
	r.ClientLeg.TLS.Client.ServerName = "a\u009b\u202e\x1b\U0001F600é"
	line := written(t, r)
	for _, c := range []byte(line) {
		if c >= 0x7f || c < ' ' && c != '\n' {
			t.Fatalf("%q", line)
		}
	}
	var back Record
	if err := json.Unmarshal([]byte(line), &back); err != nil || back.ClientLeg.TLS.Client.ServerName != r.ClientLeg.TLS.Client.ServerName {
		t.Errorf("%q, %v", back.ClientLeg.TLS.Client.ServerName, err)
	}
}

func FuzzAnonymizer(f *testing.F) {
	for _, s := range clients.Gallery()[:20] {
		msg, sslv2, err := s.Message()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(msg, sslv2)
	}
	f.Fuzz(func(t *testing.T, msg []byte, sslv2 bool) {
		r := &Record{}
		r.ClientLeg = &inspect.Leg{TLS: &inspect.TLS{Client: &inspect.Hello{Message: &inspect.HelloBytes{Raw: msg, SSLv2: sslv2, Complete: true}}}}
		kept := bytes.Clone(msg)
		out := (&Anonymizer{MaskNames: true}).Record(r)
		if !bytes.Equal(msg, kept) {
			t.Fatal("the record that was given was changed")
		}
		if raw := out.ClientLeg.TLS.Client.Message.Raw; raw != nil && len(raw) != len(msg) {
			t.Fatalf("%d bytes became %d", len(msg), len(raw))
		}
	})
}
