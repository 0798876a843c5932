package capture

import (
	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// rareLink decodes the link types that gopacket knows and nothing here does: FDDI and PF log. It is slower
// by far, and only finds the first IP header; from there on the packet is decoded as any other.
func (d *decoder) rareLink(link uint32, b []byte, s *segment) (err error) {
	if !rareLinkKnown(link) {
		return errRefusedLink
	}
	defer func() {
		if recover() != nil { // a library that is not kept any more, and bytes of a stranger
			err = errMalformed
		}
	}()
	p := gopacket.NewPacket(b, layers.LinkType(link), gopacket.DecodeOptions{Lazy: true, NoCopy: true})
	for _, t := range [...]gopacket.LayerType{layers.LayerTypeIPv4, layers.LayerTypeIPv6} {
		if l := p.Layer(t); l != nil {
			contents, payload := l.LayerContents(), l.LayerPayload()
			return d.anyIP(contents[:len(contents)+len(payload)], s) // one lies behind the other in b
		}
	}
	return errOther
}

// rareLinkKnown reports whether gopacket decodes a link type. Its own type has eight bits: what is larger would be taken for
// another one.
func rareLinkKnown(link uint32) bool {
	switch link {
	case uint32(layers.LinkTypeFDDI), uint32(layers.LinkTypePFLog):
		return true
	}
	return false
}
