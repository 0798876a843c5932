package capture

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Offsets in a block and in a packet's header of TPACKET_V3 (linux/if_packet.h: tpacket_block_desc, tpacket3_hdr,
// sockaddr_ll). Numbers are in the machine's byte order.
const (
	blockStatus  = 8
	blockPackets = 12
	blockFirst   = 16

	packetNext     = 0
	packetSeconds  = 4
	packetNanos    = 8
	packetSnap     = 12
	packetLength   = 16
	packetStatus   = 20
	packetMAC      = 24
	packetNet      = 26
	packetTCI      = 32
	packetTPID     = 36
	packetAddress  = 48 // sockaddr_ll behind the header, aligned to 16
	addressProto   = packetAddress + 2
	addressIndex   = packetAddress + 4
	addressARPHRD  = packetAddress + 8
	addressPacket  = packetAddress + 10
	addressEnd     = packetAddress + 20
	cookedHeader   = 20
	outgoingPacket = unix.PACKET_OUTGOING
)

func networkOrder(v uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], v)
	return binary.NativeEndian.Uint16(b[:])
}

// read takes up the packets of the next block, if the kernel has handed one over, and gives the block back.
func (r *ring) read(t *Tracker) (bool, error) {
	b := r.memory[r.block*ringBlock : (r.block+1)*ringBlock]
	status := (*uint32)(unsafe.Pointer(&b[blockStatus]))
	if atomic.LoadUint32(status)&unix.TP_STATUS_USER == 0 {
		return false, nil
	}
	packets := binary.NativeEndian.Uint32(b[blockPackets:])
	at := binary.NativeEndian.Uint32(b[blockFirst:])
	for range packets {
		if int64(at)+addressEnd > ringBlock {
			break
		}
		p := b[at:]
		r.packet(t, p)
		next := binary.NativeEndian.Uint32(p[packetNext:])
		if next == 0 {
			break
		}
		at += next
	}
	atomic.StoreUint32(status, unix.TP_STATUS_KERNEL)
	r.block = (r.block + 1) % ringBlocks
	return true, nil
}

// packet takes up one packet of a block.
func (r *ring) packet(t *Tracker, p []byte) {
	order := binary.NativeEndian
	if int(order.Uint32(p[addressIndex:])) == r.loopback && p[addressPacket] == outgoingPacket {
		return // it comes back in a moment
	}
	from, length := int(order.Uint16(p[packetMAC:])), int(order.Uint32(p[packetSnap:]))
	if r.link == linkCooked2 {
		from = int(order.Uint16(p[packetNet:]))
	}
	if from+length > len(p) {
		return
	}
	f := &t.frame
	f.at = int64(order.Uint32(p[packetSeconds:]))*1e9 + int64(order.Uint32(p[packetNanos:]))
	f.data, f.link, f.length = p[from:from+length:from+length], r.link, max(length, int(order.Uint32(p[packetLength:])))
	if r.link == linkCooked2 {
		// As tcpdump writes it: protocol, reserved, interface, hardware type, packet type, address. It goes where the
		// kernel's own header lies, which was read.
		if from < cookedHeader {
			return
		}
		protocol, index, hardware, kind := [2]byte(p[addressProto:]), order.Uint32(p[addressIndex:]), order.Uint16(p[addressARPHRD:]), p[addressPacket]
		head := p[from-cookedHeader : from]
		clear(head)
		copy(head, protocol[:])
		binary.BigEndian.PutUint32(head[4:], index)
		binary.BigEndian.PutUint16(head[8:], hardware)
		head[10] = kind
		f.data = p[from-cookedHeader : from+length : from+length]
		f.length += cookedHeader
	}
	t.packet(f)
}
