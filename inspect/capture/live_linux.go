package capture

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// Dimensions of reading live. The ring is what the kernel fills while this program is busy: 64 MiB are half a second at
// 1 Gbit/s.
const (
	ringBlock   = 1 << 20
	ringBlocks  = 64
	ringTimeout = 100 // milliseconds after which a block that is not full is handed over
	pollTimeout = 500 // milliseconds
)

// Live reads a network interface until ctx ends, then gives the records that are left; "any" reads all interfaces. It needs
// CAP_NET_RAW. Packets that the kernel dropped because they were not read in time are counted in Stats.Dropped. On the
// loopback interface, where every packet is seen going out and coming in, only one of the two counts. The error is nil when
// ctx ended.
func Live(ctx context.Context, iface string, o Options) (Stats, error) {
	if o.Limits.Wait <= 0 {
		o.Limits.Wait = LiveWait
	}
	t := New(o)
	r, err := openRing(iface)
	if err != nil {
		return t.Close(), err
	}
	defer r.close()
	t.name = iface
	err = t.live(ctx, r)
	return t.Close(), err
}

// live reads packets until the context ends.
func (t *Tracker) live(ctx context.Context, r *ring) error {
	for ctx.Err() == nil {
		got, err := r.read(t)
		if err != nil {
			return err
		}
		if got {
			continue
		}
		t.stats.Dropped += r.dropped()
		t.tick(time.Now())
		if err := r.wait(pollTimeout); err != nil {
			return err
		}
	}
	// What was captured by now lies in a block that the kernel hands over when its time is up.
	for end := time.Now().Add(2 * ringTimeout * time.Millisecond); time.Now().Before(end); {
		got, err := r.read(t)
		if err != nil {
			return err
		}
		if !got {
			if err := r.wait(ringTimeout); err != nil {
				return err
			}
		}
	}
	t.stats.Dropped += r.dropped()
	return nil
}

// ring is a packet socket with a ring of blocks that the kernel shares with us (TPACKET_V3,
// Documentation/networking/packet_mmap.rst).
type ring struct {
	fd       int
	memory   []byte
	block    int
	link     uint32
	loopback int // index of the interface that sees everything twice
}

// permission says what to do about a socket that was refused.
func permission(err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return fmt.Errorf("%w: reading an interface needs CAP_NET_RAW (setcap cap_net_raw+ep, or run as root)", err)
	}
	return err
}

func openRing(iface string) (r *ring, err error) {
	index, link := 0, uint32(linkEthernet)
	if iface == "any" {
		link = linkCooked2
	} else {
		i, err := net.InterfaceByName(iface)
		if err != nil {
			return nil, fmt.Errorf("capture: interface %s: %w", iface, err)
		}
		index = i.Index
		if len(i.HardwareAddr) == 0 && i.Flags&net.FlagLoopback == 0 {
			link = linkCooked2 // a tunnel: what its packets begin with is told beside them
		}
	}
	kind := unix.SOCK_RAW
	if link == linkCooked2 {
		kind = unix.SOCK_DGRAM
	}
	fail := func(what string, err error) (*ring, error) {
		return nil, fmt.Errorf("capture: interface %s: %s: %w", iface, what, permission(err))
	}
	fd, err := unix.Socket(unix.AF_PACKET, kind|unix.SOCK_CLOEXEC, 0) // no protocol: nothing comes before the filter is there
	if err != nil {
		return fail("socket", err)
	}
	defer func() {
		if err != nil {
			_ = unix.Close(fd)
		}
	}()
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V3); err != nil {
		return fail("ring version", err)
	}
	if kind == unix.SOCK_RAW {
		filter, err := liveFilter()
		if err != nil {
			return fail("filter", err)
		}
		program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
		if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program); err != nil {
			return fail("filter", err)
		}
	}
	request := unix.TpacketReq3{
		Block_size: ringBlock, Block_nr: ringBlocks, Frame_size: 1 << 11, Frame_nr: ringBlock / (1 << 11) * ringBlocks, Retire_blk_tov: ringTimeout,
	}
	if err := unix.SetsockoptTpacketReq3(fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &request); err != nil {
		return fail("ring", err)
	}
	memory, err := unix.Mmap(fd, 0, ringBlock*ringBlocks, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fail("ring", err)
	}
	r = &ring{fd: fd, memory: memory, link: link}
	if lo, err := net.InterfaceByName("lo"); err == nil {
		r.loopback = lo.Index
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: index}); err != nil {
		_ = unix.Munmap(memory)
		return fail("bind", err)
	}
	return r, nil
}

func (r *ring) close() {
	_ = unix.Munmap(r.memory)
	_ = unix.Close(r.fd)
}

// wait waits for the kernel to hand over a block, for so many milliseconds.
func (r *ring) wait(milliseconds int) error {
	p := []unix.PollFd{{Fd: int32(r.fd), Events: unix.POLLIN | unix.POLLERR}}
	if _, err := unix.Poll(p, milliseconds); err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("capture: poll: %w", err)
	}
	if p[0].Revents&unix.POLLERR != 0 {
		if code, err := unix.GetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_ERROR); err == nil && code != 0 {
			return fmt.Errorf("capture: the interface: %w", unix.Errno(code)) // it went down or away
		}
	}
	return nil
}

// dropped is how many packets the kernel has dropped since it was asked last.
func (r *ring) dropped() uint64 {
	stats, err := unix.GetsockoptTpacketStatsV3(r.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return 0
	}
	return uint64(stats.Drops)
}
