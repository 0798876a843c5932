package fingerprint_test

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	utls "github.com/refraction-networking/utls"
	"golang.org/x/crypto/cryptobyte"

	"github.com/tlstriage/tlstriage/inspect/fingerprint"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// BenchmarkPeers parses a post-quantum browser hello of 1.9 kB, and parses and fingerprints it, beside what else does such a
// thing in Go. No library that computes JA3 and JA4 can be had through the module proxy, so the fingerprints of the peer are
// computed the usual way, with strings, from what utls parsed; gopacket's layers.TLS reads record headers and no hello, so it
// cannot stand alone.
func BenchmarkPeers(b *testing.B) {
	h := hellos(b)["chromium-156.0.8078.79-default"]
	record := append([]byte{22, 3, 1, byte(len(h.Raw) >> 8), byte(len(h.Raw))}, h.Raw...)
	run := func(name string, f func() error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(h.Raw)))
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	var parsed wire.ClientHello
	run("parse/tlstriage", func() error { return wire.ParseClientHello(h.Raw, &parsed) })
	run("parse/cryptobyte", func() error {
		if p := new(plainHello); !p.unmarshal(h.Raw) {
			return fmt.Errorf("not parsed")
		}
		return nil
	})
	run("parse/utls", func() error {
		if utls.UnmarshalClientHello(h.Raw) == nil {
			return fmt.Errorf("not parsed")
		}
		return nil
	})
	run("parse/gopacket-record-only", func() error {
		var layer layers.TLS
		return layer.DecodeFromBytes(record, gopacket.NilDecodeFeedback)
	})
	var text [160]byte
	run("fingerprint/tlstriage", func() error {
		if err := wire.ParseClientHello(h.Raw, &parsed); err != nil {
			return err
		}
		fingerprint.AppendJA4(fingerprint.AppendJA3(text[:0], &parsed), &parsed, fingerprint.TCP)
		return nil
	})
	run("fingerprint/gopacket-utls-strings", func() error {
		var layer layers.TLS
		if err := layer.DecodeFromBytes(record, gopacket.NilDecodeFeedback); err != nil {
			return err
		}
		p := new(plainHello)
		if utls.UnmarshalClientHello(h.Raw) == nil || !p.unmarshal(h.Raw) {
			return fmt.Errorf("not parsed")
		}
		p.ja3()
		p.ja4()
		return nil
	})
}

// plainHello is a hello parsed the way crypto/tls does it: cryptobyte, slices of its own.
type plainHello struct {
	version                                       uint16
	suites, extensions, groups, schemes, versions []uint16
	pointFormats                                  []byte
	serverName                                    string
	protocols                                     []string
}

func (p *plainHello) unmarshal(message []byte) bool {
	s := cryptobyte.String(message)
	var random []byte
	var sessionID, suites, compression, extensions cryptobyte.String
	if !s.Skip(4) || !s.ReadUint16(&p.version) || !s.ReadBytes(&random, 32) || !s.ReadUint8LengthPrefixed(&sessionID) ||
		!s.ReadUint16LengthPrefixed(&suites) || !s.ReadUint8LengthPrefixed(&compression) || !s.ReadUint16LengthPrefixed(&extensions) {
		return false
	}
	if !uint16s(&suites, &p.suites) {
		return false
	}
	for !extensions.Empty() {
		var kind uint16
		var body, list cryptobyte.String
		if !extensions.ReadUint16(&kind) || !extensions.ReadUint16LengthPrefixed(&body) {
			return false
		}
		p.extensions = append(p.extensions, kind)
		ok := true
		switch kind {
		case 0:
			var name cryptobyte.String
			var nameType uint8
			ok = body.ReadUint16LengthPrefixed(&list) && list.ReadUint8(&nameType) && list.ReadUint16LengthPrefixed(&name)
			p.serverName = string(name)
		case 10:
			ok = body.ReadUint16LengthPrefixed(&list) && uint16s(&list, &p.groups)
		case 11:
			ok = body.ReadUint8LengthPrefixed(&list)
			p.pointFormats = append(p.pointFormats, list...)
		case 13:
			ok = body.ReadUint16LengthPrefixed(&list) && uint16s(&list, &p.schemes)
		case 16:
			ok = body.ReadUint16LengthPrefixed(&list)
			for ok && !list.Empty() {
				var name cryptobyte.String
				ok = list.ReadUint8LengthPrefixed(&name)
				p.protocols = append(p.protocols, string(name))
			}
		case 43:
			ok = body.ReadUint8LengthPrefixed(&list) && uint16s(&list, &p.versions)
		}
		if !ok {
			return false
		}
	}
	return true
}

func uint16s(s *cryptobyte.String, to *[]uint16) bool {
	for !s.Empty() {
		var v uint16
		if !s.ReadUint16(&v) {
			return false
		}
		*to = append(*to, v)
	}
	return true
}

func withoutGREASE(values []uint16) []uint16 {
	return slices.DeleteFunc(slices.Clone(values), wire.IsGREASE[uint16])
}

func decimal(values []uint16) string {
	texts := make([]string, 0, len(values))
	for _, v := range withoutGREASE(values) {
		texts = append(texts, strconv.Itoa(int(v)))
	}
	return strings.Join(texts, "-")
}

func (p *plainHello) ja3() string {
	formats := make([]string, 0, len(p.pointFormats))
	for _, f := range p.pointFormats {
		formats = append(formats, strconv.Itoa(int(f)))
	}
	text := fmt.Sprintf("%d,%s,%s,%s,%s", p.version, decimal(p.suites), decimal(p.extensions), decimal(p.groups), strings.Join(formats, "-"))
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

func hexadecimal(values []uint16) string {
	texts := make([]string, 0, len(values))
	for _, v := range values {
		texts = append(texts, fmt.Sprintf("%04x", v))
	}
	return strings.Join(texts, ",")
}

func short(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])[:12]
}

func (p *plainHello) ja4() string {
	suites, extensions := withoutGREASE(p.suites), withoutGREASE(p.extensions)
	counts := fmt.Sprintf("%02d%02d", len(suites), len(extensions))
	slices.Sort(suites)
	slices.Sort(extensions)
	extensions = slices.DeleteFunc(extensions, func(e uint16) bool { return e == 0 || e == 16 })
	protocol := "00"
	if len(p.protocols) > 0 {
		protocol = p.protocols[0][:1] + p.protocols[0][len(p.protocols[0])-1:]
	}
	return fmt.Sprintf("t13d%s%s_%s_%s", counts, protocol, short(hexadecimal(suites)), short(hexadecimal(extensions)+"_"+hexadecimal(withoutGREASE(p.schemes))))
}

// The peer must do the same work, or its time says nothing.
func TestThePeerOfTheBenchmarkAgrees(t *testing.T) {
	h := hellos(t)["chromium-156.0.8078.79-default"]
	p := new(plainHello)
	if !p.unmarshal(h.Raw) {
		t.Fatal("not parsed")
	}
	if got, _ := fingerprint.JA3(h); got != p.ja3() {
		t.Errorf("JA3 %s, the peer says %s", got, p.ja3())
	}
	if got, _ := fingerprint.JA4(h, fingerprint.TCP); got != p.ja4() {
		t.Errorf("JA4 %s, the peer says %s", got, p.ja4())
	}
}
