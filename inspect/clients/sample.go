package clients

import (
	"encoding/base64"
	"fmt"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Sample is one client of the gallery: a hello as it went over the wire, with who sent it and where it comes from.
type Sample struct {
	Name       string   // "openssl-0.9.8zf", "nginx-1.22.1-proxy_pass-sni": unique and stable
	Client     string   // program and release: "OpenSSL 0.9.8zf to 0.9.8zh", "nginx 1.22.1 (OpenSSL 3.0.22-1~deb12u2)"
	Mode       string   // the options or the API that made it; empty: the collection does not say
	Versions   []string // every release that was captured sending this; empty: Client says it. Not to be changed.
	MaxVersion string   // the highest version offered, in the record's words
	ServerName string   // that it asked for, the captures' own; empty: none. A replay asks for another one.
	Groups     []string // of Groups, without "all". Not to be changed.
	Source     Source
	Date       string // of the capture, 2026-11-20; of a collection its release's
	Record     []byte // as sent: a TLS record with its header, or a message in SSLv2 format with its two bytes of length
}

// Source is where a sample comes from.
type Source struct {
	Name        string // "TLS-Scanner@22cc2fa"
	Licence     string // SPDX: "Apache-2.0"
	Attribution string // what has to be shown with it
}

// The groups of the gallery that Select knows beside names.
const (
	GroupAll           = "all"
	GroupLegacy        = "legacy"         // in SSLv2 format, without TLS 1.2, or without any suite that is both authenticated encryption and forward secret
	GroupBrowsers      = "browsers"       // what people look at pages with
	GroupLoadBalancers = "load-balancers" // proxies and servers as clients of a backend
)

// Groups are the groups' names.
func Groups() []string { return []string{GroupAll, GroupLegacy, GroupBrowsers, GroupLoadBalancers} }

// Message is the handshake message in the record, and whether it is in SSLv2 format.
func (s *Sample) Message() (msg []byte, sslv2 bool, err error) {
	reader := wire.Reader{FromClient: true}
	reader.Feed(s.Record)
	var m wire.Message
	if !reader.Next(&m) || m.HandshakeType != wire.HandshakeTypeClientHello {
		return nil, false, fmt.Errorf("clients: %s: no ClientHello in the sample", s.Name)
	}
	return append([]byte(nil), m.Bytes...), m.SSLv2, nil
}

// Hello is the parsed message.
func (s *Sample) Hello() (*wire.ClientHello, error) {
	msg, sslv2, err := s.Message()
	if err != nil {
		return nil, err
	}
	parse := wire.ParseClientHello
	if sslv2 {
		parse = wire.ParseSSLv2ClientHello
	}
	h := new(wire.ClientHello)
	if err := parse(msg, h); err != nil {
		return nil, fmt.Errorf("clients: %s: %w", s.Name, err)
	}
	return h, nil
}

// RecordVersion is the version in the record's header; zero: SSLv2 format has none.
func (s *Sample) RecordVersion() wire.Version {
	if len(s.Record) < 3 || s.Record[0] != byte(wire.ContentTypeHandshake) {
		return 0
	}
	return wire.Version(s.Record[1])<<8 | wire.Version(s.Record[2])
}

// Gallery are all samples, in the order of their names. They are made anew at each call and belong to the caller.
func Gallery() []Sample {
	samples := make([]Sample, len(gallery))
	for i := range gallery {
		samples[i] = gallery[i].sample()
	}
	return samples
}

// kept is a Sample as the generated table has it.
type kept struct {
	name, client, mode, maxVersion, serverName, date string
	versions, groups                                 []string
	source                                           uint8 // of sources
	record                                           string
}

func (k *kept) sample() Sample {
	record, _ := base64.StdEncoding.DecodeString(k.record) // the generator wrote it
	return Sample{
		Name: k.name, Client: k.client, Mode: k.mode, Versions: k.versions, MaxVersion: k.maxVersion, ServerName: k.serverName,
		Groups: k.groups, Source: sources[k.source], Date: k.date, Record: record,
	}
}
