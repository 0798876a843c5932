package capture

import (
	"slices"
	"testing"

	"golang.org/x/net/bpf"
)

// TestLiveFilter runs the program that the kernel gets over the beginnings of frames.
func TestLiveFilter(t *testing.T) {
	vm, err := bpf.NewVM(liveProgram())
	if err != nil {
		t.Fatal(err)
	}
	frame := func(etherType ...byte) []byte { return append(make([]byte, 12), etherType...) }
	four := func(protocol byte, words byte, body ...byte) []byte {
		ip := make([]byte, int(words)*4)
		ip[0], ip[9] = 0x40|words, protocol
		return slices.Concat(frame(8, 0), ip, body)
	}
	six := func(next byte, body ...byte) []byte {
		ip := make([]byte, 40)
		ip[0], ip[6] = 0x60, next
		return slices.Concat(frame(0x86, 0xDD), ip, body)
	}
	rest := make([]byte, 20)
	for name, test := range map[string]struct {
		frame []byte
		want  bool
	}{
		"TCP":                                 {four(6, 5, rest...), true},
		"UDP":                                 {four(17, 5, rest...), true},
		"GRE":                                 {four(47, 5, rest...), true},
		"IGMP":                                {four(2, 5, rest...), false},
		"ping":                                {four(1, 5, slices.Concat([]byte{8, 0}, rest)...), false},
		"ICMP unreachable":                    {four(1, 5, slices.Concat([]byte{3, 4}, rest)...), true},
		"ICMP unreachable, behind options":    {four(1, 8, slices.Concat([]byte{3, 1}, rest)...), true},
		"ping, behind options":                {four(1, 8, slices.Concat([]byte{8, 0}, rest)...), false},
		"TCP of IPv6":                         {six(6, rest...), true},
		"extension headers":                   {six(0, rest...), true},
		"ICMPv6 unreachable":                  {six(58, slices.Concat([]byte{1, 4}, rest)...), true},
		"ICMPv6 packet too big":               {six(58, slices.Concat([]byte{2, 0}, rest)...), true},
		"ICMPv6 time exceeded":                {six(58, slices.Concat([]byte{3, 0}, rest)...), false},
		"ICMPv6 neighbor solicitation":        {six(58, slices.Concat([]byte{135, 0}, rest)...), false},
		"VLAN":                                {slices.Concat(frame(0x81, 0), rest), true},
		"ARP":                                 {slices.Concat(frame(8, 6), rest), false},
		"MPLS":                                {slices.Concat(frame(0x88, 0x47), rest), true},
		"ICMP whose type is not in the frame": {four(1, 5), false},
	} {
		n, err := vm.Run(test.frame)
		if err != nil || n > 0 != test.want {
			t.Errorf("%s: %d bytes pass, %v", name, n, err)
		}
	}
}
