package recording

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// plainRecord is the part of a record that is read back, as encoding/json reads it: the definition that scanRecord must agree with.
type plainRecord struct {
	Schema    *int   `json:"schema"`
	Timestamp string `json:"@timestamp"`
	Transport string `json:"transport"`
	Event     struct {
		ID string `json:"id"`
	} `json:"event"`
	Client struct {
		Address string `json:"address"`
	} `json:"client"`
	Leg *struct {
		TLS *struct {
			Hello json.RawMessage `json:"client"`
		} `json:"tls"`
	} `json:"client_leg"`
	Compacted json.RawMessage `json:"compacted"`
}

// plainHello is the message in a record's hello.
type plainHello struct {
	Message *struct {
		SSLv2    bool   `json:"sslv2"`
		Complete bool   `json:"complete"`
		Raw      []byte `json:"raw"`
	} `json:"hello"`
}

// plain reads a line with encoding/json.
func (d *decoder) plain(line []byte) (Reason, error) {
	var r plainRecord
	if trimmed := bytes.TrimLeft(line, " \t\r\n"); len(trimmed) > 0 && trimmed[0] != '{' {
		return Malformed, errNoRecord
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return Malformed, inWords(err)
	}
	switch {
	case r.Schema == nil:
		return Malformed, errSchema
	case *r.Schema != inspect.SchemaVersion:
		return Malformed, &SchemaError{Schema: *r.Schema}
	}
	d.client.EventID, d.client.Address = []byte(r.Event.ID), []byte(r.Client.Address)
	d.client.Transport = transportOf([]byte(r.Transport))
	d.client.Compacted = readCompacted(r.Compacted)
	if !d.setTime([]byte(r.Timestamp)) {
		return Malformed, errTime
	}
	if r.Leg == nil || r.Leg.TLS == nil || len(r.Leg.TLS.Hello) == 0 || string(r.Leg.TLS.Hello) == "null" {
		return NoHello, nil
	}
	var h plainHello
	if err := json.Unmarshal(r.Leg.TLS.Hello, &h); err != nil {
		return Malformed, inWords(err)
	}
	if h.Message == nil || len(h.Message.Raw) == 0 {
		return d.rebuild(r.Leg.TLS.Hello)
	}
	if !h.Message.Complete {
		return Incomplete, nil
	}
	return d.parse(h.Message.Raw, h.Message.SSLv2)
}

// rebuild makes the hello of a record that was kept without bytes.
func (d *decoder) rebuild(text []byte) (Reason, error) {
	var recorded inspect.Hello
	if err := json.Unmarshal(text, &recorded); err != nil {
		return Malformed, inWords(err)
	}
	if recorded.Message == nil && recorded.LegacyVersion == "" {
		return NoHello, nil
	}
	hello, err := recorded.ClientHello()
	var unparsed *wire.ParseError
	switch {
	case errors.Is(err, inspect.ErrHelloIncomplete):
		return Incomplete, nil
	case errors.As(err, &unparsed):
		return BrokenHello, err
	case err != nil:
		return Malformed, err
	}
	d.hello = *hello
	d.took(true)
	if recorded.Shape != "" {
		d.client.Shape = []byte(recorded.Shape)
	}
	return entryAccepted, nil
}
