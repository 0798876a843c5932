package quicwire

import "fmt"

// Version is a QUIC version as it stands in a long header.
type Version uint32

// Versions with a document of their own.
const (
	VersionNegotiation Version = 0 // not a version: the mark of a Version Negotiation packet (RFC 8999, Section 6)
	Version1           Version = 0x00000001
	Version2           Version = 0x6b3343cf // RFC 9369, Section 3.1
	VersionDraft29     Version = 0xff00001d
	VersionDraft34     Version = 0xff000022
	VersionMvfst22     Version = 0xfaceb001 // Facebook, after draft-22
	VersionQ046        Version = 0x51303436
	VersionQ050        Version = 0x51303530
	VersionT050        Version = 0x54303530
	VersionT051        Version = 0x54303531
)

// firstDraft and lastDraft bound the drafts whose packets have the form and the keys that are known here.
const (
	firstDraft = 22
	lastDraft  = 34
)

// Draft is the number of the IETF draft that a version stands for; 0 if it stands for none.
func (v Version) Draft() int {
	if v>>8 == 0xff0000 {
		return int(v & 0xff)
	}
	return 0
}

// Reserved reports whether the version is one that exists to provoke version negotiation (RFC 9000, Section 15).
func (v Version) Reserved() bool { return v&0x0f0f0f0f == 0x0a0a0a0a }

// Mvfst reports whether the version is one of Facebook's.
func (v Version) Mvfst() bool { return v&0xffffff00 == 0xfaceb000 }

// GQUIC reports whether the version is Google's QUIC with its own handshake in place of TLS: Q024 to Q050.
func (v Version) GQUIC() bool { return v>>24 == 'Q' && v.google() }

// googleTLS reports whether the version is Google's QUIC with TLS: T048 to T051.
func (v Version) googleTLS() bool { return v>>24 == 'T' && v.google() }

func (v Version) google() bool {
	digit := func(c Version) bool { return c >= '0' && c <= '9' }
	return digit(v>>16&0xff) && digit(v>>8&0xff) && digit(v&0xff)
}

// gquicNumber is the number of a Q or T version.
func (v Version) gquicNumber() int {
	return int(v>>16&0xf)*100 + int(v>>8&0xf)*10 + int(v&0xf)
}

// Opens reports whether the keys of the version's Initial packets are known.
func (v Version) Opens() bool { return len(saltsOf(v)) > 0 }

// known reports whether the version has a meaning here, be it that its packets can be opened or only named.
func (v Version) known() bool {
	return v == Version1 || v == Version2 || v.Draft() > 0 && v.Draft() <= lastDraft || v.Mvfst() || v.Reserved() || v.GQUIC() || v.googleTLS()
}

// String names the version the way people call it.
func (v Version) String() string {
	switch {
	case v == VersionNegotiation:
		return "version negotiation"
	case v == Version1:
		return "v1"
	case v == Version2:
		return "v2"
	case v.Draft() > 0:
		return fmt.Sprintf("draft-%02d", v.Draft())
	case v.Mvfst():
		return fmt.Sprintf("mvfst 0x%08x", uint32(v))
	case v.GQUIC(), v.googleTLS():
		return string([]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
	case v.Reserved():
		return fmt.Sprintf("reserved 0x%08x", uint32(v))
	}
	return fmt.Sprintf("0x%08x", uint32(v))
}
