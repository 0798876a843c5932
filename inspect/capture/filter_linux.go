package capture

import (
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// snapBytes is how much of a packet is taken over from the kernel: offloading makes "packets" of up to 64 KiB, and handshakes
// are among them.
const snapBytes = 1<<16 + 256

// liveProgram lets through what can be TLS, QUIC or DTLS, or a tunnel or fragment that may hide it, and the ICMP that says what was not
// delivered, and keeps the kernel from copying the rest: other protocols of IP, everything that is not IP, and ARP. On which port TLS is
// spoken nobody knows before, so that all of TCP and UDP passes. The frame begins with its Ethernet header; a VLAN tag that the kernel took
// off is not in it.
func liveProgram() []bpf.Instruction {
	const (
		offEtherType = 12
		offIP        = 14
		offIPv4      = offIP + 9 // protocol
		offIPv6      = offIP + 6 // next header
		headerIPv6   = 40
	)
	return []bpf.Instruction{
		/* 0 */ bpf.LoadAbsolute{Off: offEtherType, Size: 2},
		/* 1 */ bpf.JumpIf{Cond: bpf.JumpEqual, Val: etherIPv4, SkipTrue: 7},
		/* 2 */ bpf.JumpIf{Cond: bpf.JumpEqual, Val: etherIPv6, SkipTrue: 14},
		/* 3 */ bpf.JumpIf{Cond: bpf.JumpEqual, Val: etherVLAN, SkipTrue: 4},
		/* 4 */ bpf.JumpIf{Cond: bpf.JumpEqual, Val: etherQinQ, SkipTrue: 3},
		/* 5 */ bpf.JumpIf{Cond: bpf.JumpEqual, Val: etherMPLS, SkipTrue: 2},
		/* 6 */ bpf.JumpIf{Cond: bpf.JumpEqual, Val: etherPPPoE, SkipTrue: 1},
		/* 7 */ bpf.RetConstant{Val: 0},
		/* 8 */ bpf.RetConstant{Val: snapBytes},
		/* 9: IPv4 */ bpf.LoadAbsolute{Off: offIPv4, Size: 1},
		/* 10 */ bpf.JumpIf{Cond: bpf.JumpEqual, Val: protoICMP, SkipTrue: 2},
		/* 11 */ bpf.JumpIf{Cond: bpf.JumpEqual, Val: 2, SkipTrue: 4}, // IGMP
		/* 12 */ bpf.RetConstant{Val: snapBytes},
		/* 13: ICMP */ bpf.LoadMemShift{Off: offIP},
		/* 14 */ bpf.LoadIndirect{Off: offIP, Size: 1},
		/* 15 */ bpf.JumpIf{Cond: bpf.JumpEqual, Val: icmpUnreachable, SkipTrue: 7},
		/* 16 */ bpf.RetConstant{Val: 0},
		/* 17: IPv6 */ bpf.LoadAbsolute{Off: offIPv6, Size: 1},
		/* 18 */ bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: protoICMPv6, SkipTrue: 4},
		/* 19 */ bpf.LoadAbsolute{Off: offIP + headerIPv6, Size: 1},
		/* 20 */ bpf.JumpIf{Cond: bpf.JumpEqual, Val: icmp6Unreachable, SkipTrue: 2},
		/* 21 */ bpf.JumpIf{Cond: bpf.JumpEqual, Val: icmp6TooBig, SkipTrue: 1},
		/* 22 */ bpf.RetConstant{Val: 0},
		/* 23 */ bpf.RetConstant{Val: snapBytes},
	}
}

// liveFilter is liveProgram as the kernel takes it.
func liveFilter() ([]unix.SockFilter, error) {
	raw, err := bpf.Assemble(liveProgram())
	if err != nil {
		return nil, err
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, x := range raw {
		filter[i] = unix.SockFilter{Code: x.Op, Jt: x.Jt, Jf: x.Jf, K: x.K}
	}
	return filter, nil
}
