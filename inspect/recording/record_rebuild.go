package recording

import (
	"bytes"
	"slices"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// The parts of a record's hello that it is rebuilt from.
const (
	partServerName = iota
	partExtensions
	partShape
	partLegacyVersion
	partVersions
	partVersionsDerived
	partCiphers
	partGroups
	partShares
	partSchemes
	partSchemesCert
	partALPN
	partCompression
	partPointFormats
	partPSKModes
	partEarlyData
	partCount
)

// partOf finds a key's part; -1: it is none.
func partOf(key []byte) int {
	switch string(key) {
	case "server_name":
		return partServerName
	case "extensions":
		return partExtensions
	case "shape":
		return partShape
	case "legacy_version":
		return partLegacyVersion
	case "supported_versions":
		return partVersions
	case "supported_versions_derived":
		return partVersionsDerived
	case "supported_ciphers":
		return partCiphers
	case "supported_groups":
		return partGroups
	case "key_share_groups":
		return partShares
	case "signature_algorithms":
		return partSchemes
	case "signature_algorithms_cert":
		return partSchemesCert
	case "alpn_protocols":
		return partALPN
	case "compression_methods":
		return partCompression
	case "ec_point_formats":
		return partPointFormats
	case "psk_key_exchange_modes":
		return partPSKModes
	case "early_data":
		return partEarlyData
	}
	return -1
}

// unread checks a value that a hello with bytes does not need. One without is rebuilt from some of them, and encoding/json
// would mind if others were not of their type: what looks unusual is noted.
func (s *scan) unread(f *fields, in place, key []byte) bool {
	first := s.next()
	start := s.at
	if !s.value() {
		return false
	}
	text := s.text[start:s.at]
	switch in {
	case inHello:
		if p := partOf(key); p >= 0 {
			f.odd = f.odd || f.parts[p] != nil
			f.parts[p] = text
			return true
		}
		switch string(key) {
		case "record_version", "ech", "ja3", "ja3_string", "ja4", "ja4_r":
			f.odd = f.odd || first != '"'
		case "retry_hello", "certificate", "revocation":
			i := slices.IndexFunc(f.largeKeys[:], func(known []byte) bool { return known == nil || bytes.Equal(known, key) })
			if i < 0 || f.large[i] != nil {
				f.odd = true
				break
			}
			f.large[i], f.largeKeys[i] = text, key
		}
	case inMessage:
		switch string(key) {
		case "size", "records", "segments":
			f.odd = f.odd || len(text) > 9 || len(bytes.Trim(text, "0123456789")) > 0
		case "grease":
			f.odd = f.odd || first != 't' && first != 'f'
		}
	}
	return true
}

// maxRebuilt is how many rebuilt hellos a decoder remembers; beyond that it begins anew.
const maxRebuilt = 4096

// recall makes the client of a record without bytes. Most clients send the same hello again and again: what was rebuilt once from
// the same words, but for the server name and the order of the extensions, is not looked up word by word again.
func (d *decoder) recall(line []byte) (Reason, error) {
	f := &d.fields
	name, nameOK := plainString(f.parts[partServerName])
	shape, shapeOK := plainString(f.parts[partShape])
	if !nameOK || !shapeOK || len(shape) == 0 || !d.rebuildKey() {
		return d.plain(line)
	}
	known := d.rebuilt[string(d.key)]
	if known == nil || !d.seenLarge() {
		reason, err := d.plain(line)
		if reason == entryAccepted {
			d.rememberLarge()
			if len(d.rebuilt) >= maxRebuilt || d.rebuilt == nil {
				d.rebuilt = make(map[string]*wire.ClientHello)
			}
			own := d.hello
			d.rebuilt[string(d.key)] = &own
		}
		return reason, err
	}
	d.client.EventID, d.client.Address, d.client.Transport = f.eventID, f.address, transportOf(f.transport)
	if !d.setTime(f.time) {
		return Malformed, errTime
	}
	d.hello = *known
	d.hello.Extensions = d.extensions
	if d.hello.ServerName = nil; len(name) > 0 {
		d.hello.ServerName = name
	}
	d.client.Hello, d.client.Rebuilt = &d.hello, true
	d.shape = append(d.shape[:0], shape...)
	d.client.Shape = d.shape
	return entryAccepted, nil
}

// seenLarge reports whether the objects beside the hello's lists were seen word for word in a record that was whole. Nothing is rebuilt
// from them, but a record in which they are malformed is none; and a client sends the same certificate again and again.
func (d *decoder) seenLarge() bool {
	for i, text := range d.fields.large {
		if text == nil {
			continue
		}
		d.scratch = append(append(d.scratch[:0], d.fields.largeKeys[i]...), text...)
		if !d.whole[string(d.scratch)] {
			return false
		}
	}
	return true
}

// maxLarge bounds the objects that are remembered, which is some megabytes.
const (
	maxLarge      = 512
	maxLargeBytes = 16 << 10
)

func (d *decoder) rememberLarge() {
	for i, text := range d.fields.large {
		if text == nil || len(text) > maxLargeBytes {
			continue
		}
		if d.whole == nil || len(d.whole) >= maxLarge {
			d.whole = make(map[string]bool)
		}
		// The key counts: what is a certificate is no second hello.
		d.whole[string(d.fields.largeKeys[i])+string(text)] = true
	}
}

// rebuildKey puts into d.key what decides on the rebuilt hello but for the server name and the order of its extensions, and into
// d.extensions these in their order; false: they are not to be read at a glance.
func (d *decoder) rebuildKey() bool {
	f := &d.fields
	d.key = d.key[:0]
	if f.sslv2 {
		d.key = append(d.key, 2)
	}
	for _, part := range f.parts[partShape:] {
		d.key = append(append(d.key, part...), 0) // no JSON text has a zero in it
	}
	d.extensions = d.extensions[:0]
	rest := f.parts[partExtensions]
	if len(rest) == 0 {
		return true
	}
	if rest[0] != '[' {
		return false
	}
	var codes [64]wire.ExtensionType
	types := codes[:0]
	s := scan{text: rest, at: 1}
	for s.next() != ']' {
		if s.next() != '"' || len(types) == len(codes) {
			return false
		}
		name, plain, ok := s.str()
		if !ok || !plain {
			return false
		}
		t, ok := d.types[string(name)]
		if !ok {
			if t, ok = wire.ExtensionTypeByName(string(name)); !ok {
				return false
			}
			if d.types == nil || len(d.types) >= maxRebuilt {
				d.types = make(map[string]wire.ExtensionType)
			}
			d.types[string(name)] = t
		}
		types = append(types, t)
		if s.next() == ',' {
			s.at++
		}
	}
	for _, t := range types {
		d.extensions = append(d.extensions, byte(t>>8), byte(t), 0, 0)
	}
	slices.Sort(types)
	for _, t := range types {
		d.key = append(d.key, byte(t>>8), byte(t))
	}
	return true
}

// plainString is the value of a string's text; absent is empty.
func plainString(text []byte) (value []byte, ok bool) {
	if len(text) == 0 {
		return nil, true
	}
	if text[0] != '"' {
		return nil, false
	}
	s := scan{text: text}
	value, plain, ok := s.str()
	return value, ok && plain
}
