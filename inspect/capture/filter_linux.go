package capture

import (
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// snapBytes is how much of a packet is taken over from the kernel: offloading makes "packets" of up to 64 KiB, and handshakes
// are among them.
const snapBytes = 1<<16 + 256

// liveFilter lets through what can be TLS, QUIC or DTLS, or a tunnel or fragment that may hide it, and keeps the kernel from
// copying the rest: other protocols of IP such as ICMP, everything that is not IP, and ARP. On which port TLS is spoken nobody
// knows before, so that all of TCP and UDP passes. The frame begins with its Ethernet header; a VLAN tag that the kernel took off is not in it.
func liveFilter() ([]unix.SockFilter, error) {
	const (
		offEtherType = 12
		offIPv4      = 14 + 9 // protocol
		offIPv6      = 14 + 6 // next header
	)
	program := []bpf.Instruction{
		/* 0 */ bpf.LoadAbsolute{Off: offEtherType, Size: 2},
		/* 1 */ bpf.JumpIf{Cond: bpf.JumpEqual, Val: etherIPv4, SkipTrue: 7},
		/* 2 */ bpf.JumpIf{Cond: bpf.JumpEqual, Val: etherIPv6, SkipTrue: 12},
		/* 3 */ bpf.JumpIf{Cond: bpf.JumpEqual, Val: etherVLAN, SkipTrue: 4},
		/* 4 */ bpf.JumpIf{Cond: bpf.JumpEqual, Val: etherQinQ, SkipTrue: 3},
		/* 5 */ bpf.JumpIf{Cond: bpf.JumpEqual, Val: etherMPLS, SkipTrue: 2},
		/* 6 */ bpf.JumpIf{Cond: bpf.JumpEqual, Val: etherPPPoE, SkipTrue: 1},
		/* 7 */ bpf.RetConstant{Val: 0},
		/* 8 */ bpf.RetConstant{Val: snapBytes},
		/* 9: IPv4 */ bpf.LoadAbsolute{Off: offIPv4, Size: 1},
		/* 10 */ bpf.JumpIf{Cond: bpf.JumpEqual, Val: 1, SkipTrue: 2}, // ICMP
		/* 11 */ bpf.JumpIf{Cond: bpf.JumpEqual, Val: 2, SkipTrue: 1}, // IGMP
		/* 12 */ bpf.RetConstant{Val: snapBytes},
		/* 13 */ bpf.RetConstant{Val: 0},
		/* 14 */ bpf.RetConstant{Val: 0},
		/* 15: IPv6 */ bpf.LoadAbsolute{Off: offIPv6, Size: 1},
		/* 16 */ bpf.JumpIf{Cond: bpf.JumpEqual, Val: 58, SkipTrue: 1}, // ICMPv6
		/* 17 */ bpf.RetConstant{Val: snapBytes},
		/* 18 */ bpf.RetConstant{Val: 0},
	}
	raw, err := bpf.Assemble(program)
	if err != nil {
		return nil, err
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, x := range raw {
		filter[i] = unix.SockFilter{Code: x.Op, Jt: x.Jt, Jf: x.Jf, K: x.K}
	}
	return filter, nil
}
