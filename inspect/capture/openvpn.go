package capture

import (
	"encoding/binary"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// protocolOpenVPN names what TLS is carried in; no first bytes in the clear name it in package wire, since only those of a
// whole packet do.
const protocolOpenVPN wire.Protocol = "openvpn"

// Operations of OpenVPN (its ssl_pkt.h; draft-openvpn-wire-protocol). Those of tls-crypt-v2 carry nothing in the clear.
const (
	vpnResetClient1 = 1
	vpnResetServer1 = 2
	vpnSoftReset    = 3
	vpnControl      = 4
	vpnAcknowledge  = 5
	vpnResetClient2 = 7
	vpnResetServer2 = 8
)

// Sizes of its control channel and bounds on what is kept of it.
const (
	vpnSession    = 8
	vpnReplay     = 8 // number and time of a packet that is authenticated (tls-auth)
	maxVPNAcks    = 8
	maxVPNWaiting = 64  // packets that wait for an earlier one, a direction
	maxVPNReset   = 128 // the longest packet by which a connection is told
)

// vpnDigests are the lengths of what may authenticate a packet: nothing, MD5, SHA-1, SHA-2.
func vpnDigests() [7]int { return [...]int{0, 20, 32, 64, 16, 28, 48} }

// openVPN is one direction of OpenVPN. TLS runs in its control channel, in packets that are numbered: over UDP they may come
// in any order, and again.
type openVPN struct {
	digest  int // length of what authenticates its packets
	key     byte
	session [vpnSession]byte
	next    uint32 // the number of the packet whose TLS is next
	waiting []vpnPacket
	partial []byte // TCP: a packet in the making
	skip    int    // TCP: bytes of a packet of the data channel that nobody can read
	lost    bool   // TCP: where the next packet begins is not known
}

// vpnPacket is a packet of the control channel.
type vpnPacket struct {
	operation, key byte
	number         uint32
	tls            []byte
}

// parseVPN reads a packet whose digest's length is known.
func parseVPN(b []byte, digest int) (p vpnPacket, ok bool) {
	if len(b) < 1 {
		return p, false
	}
	p.operation, p.key = b[0]>>3, b[0]&7
	at := 1 + vpnSession
	if digest > 0 {
		at += digest + vpnReplay
	}
	if len(b) < at+1 || b[at] > maxVPNAcks {
		return p, false
	}
	if acks := int(b[at]); acks > 0 {
		at += acks*4 + vpnSession
	}
	if at++; p.operation == vpnAcknowledge {
		return p, len(b) == at
	}
	if len(b) < at+4 {
		return p, false
	}
	p.number, p.tls = binary.BigEndian.Uint32(b[at:]), b[at+4:]
	return p, true
}

// beginsVPN tells a packet of OpenVPN by which a direction may begin: a reset, which is numbered 0 and carries nothing, or,
// where the beginning is not in the capture, one with a hello in it.
func beginsVPN(b []byte) *openVPN {
	if len(b) < 1+vpnSession+1+4 {
		return nil
	}
	for _, digest := range vpnDigests() {
		p, ok := parseVPN(b, digest)
		if !ok {
			continue
		}
		v := &openVPN{digest: digest, key: p.key, session: [vpnSession]byte(b[1:])}
		switch p.operation {
		case vpnResetClient1, vpnResetServer1, vpnResetClient2, vpnResetServer2:
			if p.number == 0 && len(p.tls) == 0 && v.session != [vpnSession]byte{} {
				return v
			}
		case vpnControl:
			if verdict := judge(p.tls, false); (verdict == isHello || verdict == isAnswer) && p.number < 1<<16 {
				v.next = p.number
				return v
			}
		}
	}
	return nil
}

// beginsVPNStream tells it over TCP, where each packet has its length in front (two bytes); false: it is none, or not whole.
func beginsVPNStream(b []byte) *openVPN {
	if len(b) < 2 {
		return nil
	}
	length := int(binary.BigEndian.Uint16(b))
	if length == 0 || length > len(b)-2 {
		return nil
	}
	return beginsVPN(b[2 : 2+length])
}

// isClient tells by the operation who sends it; false: it does not say.
func vpnIsClient(b []byte) (client, known bool) {
	switch b[0] >> 3 {
	case vpnResetClient1, vpnResetClient2:
		return true, true
	case vpnResetServer1, vpnResetServer2:
		return false, true
	}
	return false, false
}

// datagram takes a packet and gives the TLS whose turn has come, in one or more pieces.
func (v *openVPN) datagram(b []byte, tls func([]byte)) {
	if len(b) < 1+vpnSession {
		return
	}
	switch b[0] >> 3 {
	case vpnControl, vpnResetClient1, vpnResetServer1, vpnResetClient2, vpnResetServer2:
	default:
		return // data, acknowledgements, and the resets of later keys
	}
	p, ok := parseVPN(b, v.digest)
	if !ok || p.key != v.key || v.session != [vpnSession]byte(b[1:]) {
		return
	}
	switch ahead := int32(p.number - v.next); {
	case ahead < 0 || ahead > 1<<16:
		return
	case ahead > 0:
		if len(v.waiting) < maxVPNWaiting {
			p.tls = append([]byte(nil), p.tls...)
			v.waiting = append(v.waiting, p)
		}
		return
	}
	v.next++
	if len(p.tls) > 0 {
		tls(p.tls)
	}
	for more := true; more; {
		more = false
		for i, w := range v.waiting {
			if ahead := int32(w.number - v.next); ahead <= 0 {
				v.waiting = append(v.waiting[:i], v.waiting[i+1:]...)
				if more = true; ahead == 0 {
					v.next++
					if len(w.tls) > 0 {
						tls(w.tls)
					}
				}
				break
			}
		}
	}
}

// stream takes the next bytes over TCP.
func (v *openVPN) stream(b []byte, tls func([]byte)) {
	if v.lost {
		if len(b) < 2+1+vpnSession || v.session != [vpnSession]byte(b[3:]) {
			return
		}
		v.lost = false
	}
	for len(b) > 0 {
		if v.skip > 0 {
			n := min(v.skip, len(b))
			v.skip -= n
			b = b[n:]
			continue
		}
		want := 3 // length, operation
		if len(v.partial) >= 3 {
			want = 2 + int(binary.BigEndian.Uint16(v.partial))
		}
		n := min(max(want-len(v.partial), 0), len(b))
		v.partial = append(v.partial, b[:n]...)
		b = b[n:]
		if len(v.partial) < 3 {
			continue
		}
		length := int(binary.BigEndian.Uint16(v.partial))
		switch operation := v.partial[2] >> 3; {
		case length == 0:
			v.partial = v.partial[:copy(v.partial, v.partial[2:])]
		case operation > vpnControl && operation != vpnResetClient2 && operation != vpnResetServer2:
			v.skip = length - 1
			v.partial = v.partial[:0]
		case len(v.partial) == 2+length:
			v.datagram(v.partial[2:], tls)
			v.partial = v.partial[:0]
		}
	}
}

func (v *openVPN) protocol() wire.Protocol { return protocolOpenVPN }

// lose tells the direction that bytes of it are missing.
func (v *openVPN) lose() { v.lost, v.partial, v.skip = true, v.partial[:0], 0 }
