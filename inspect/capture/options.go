package capture

import (
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// Options say what to do with what is found. The zero value reads and only counts.
type Options struct {
	// OnConnection gets each record, in the order of the connections' first packets as far as Limits.Wait lets it. It is called from the goroutine that
	// reads; the record is the callee's from then on. nil: records are only counted.
	OnConnection func(*inspect.Connection)
	// OnPackets gets, right after OnConnection, the packets that the handshake of the record came in, for a Writer. They are
	// valid during the call. nil: no packets are kept.
	OnPackets func(*inspect.Connection, []Packet)
	// OnSecrets gets, right before OnPackets has some packets, what of KeyLog and of the capture's own secrets opens the record's
	// handshake, as lines for Writer.AddSecrets. Before TLS 1.3 it opens all that was said; in TLS 1.3 and QUIC no application data. It
	// is not called where there is nothing. nil: nobody wants them.
	OnSecrets func(c *inspect.Connection, lines []byte)
	// Describer turns hellos and chains into words; nil: one of its own.
	Describer *inspect.Describer
	// KeyLog are secrets in the form of SSLKEYLOGFILE that open what the user has the keys to; secrets of the capture itself
	// (pcapng) are added to them. nil: only those.
	KeyLog []byte
	// Ports are the servers' ports on which TLS is expected: a connection to one of them is a record even if it ended before
	// anybody spoke TLS. Everywhere else a connection is one once TLS was seen, or was seen before at the same server. nil:
	// DefaultPorts.
	Ports []uint16
	// Limits bound memory; zero fields take the defaults.
	Limits Limits
	// Salt ends the ids of the records, so that those of two runs differ.
	Salt string
}

// Limits bound what a capture can cost. A field that is zero takes the value of DefaultLimits.
type Limits struct {
	Flows       int   // connections in the table at once; the one that was quiet for longest makes room
	Records     int   // records that wait for an earlier connection to end; the earliest is cut short to make room
	FlowBytes   int   // bytes that wait for a missing segment, a direction
	TotalBytes  int64 // bytes that wait, of all connections, and the packets that are kept for a Writer
	PacketBytes int   // bytes of packets that are kept for a Writer, a connection
	// Wait is for how long after its beginning a connection that goes on holds up the records of later ones; then they
	// overtake it. Zero: as long as it takes, but see Live.
	Wait       time.Duration
	Idle       time.Duration // a connection without a packet for so long is over
	Settle     time.Duration // a connection whose handshake is done is watched for so long for a late alert
	Handshakes int           // connections that are read as TLS at once, which costs a few KiB each
}

// DefaultLimits keep a capture of any size below 256 MiB.
func DefaultLimits() Limits {
	return Limits{
		Flows:       100_000,
		Records:     8_000,
		FlowBytes:   128 << 10,
		TotalBytes:  24 << 20,
		PacketBytes: 96 << 10,
		Idle:        60 * time.Second,
		Settle:      5 * time.Second,
		Handshakes:  4_000,
	}
}

func (l Limits) orDefaults() Limits {
	d := DefaultLimits()
	if l.Flows <= 0 {
		l.Flows = d.Flows
	}
	if l.Records <= 0 {
		l.Records = d.Records
	}
	if l.FlowBytes <= 0 {
		l.FlowBytes = d.FlowBytes
	}
	if l.TotalBytes <= 0 {
		l.TotalBytes = d.TotalBytes
	}
	if l.PacketBytes <= 0 {
		l.PacketBytes = d.PacketBytes
	}
	if l.Idle <= 0 {
		l.Idle = d.Idle
	}
	if l.Settle <= 0 {
		l.Settle = d.Settle
	}
	if l.Handshakes <= 0 {
		l.Handshakes = d.Handshakes
	}
	return l
}

// DefaultPorts are the ports on which IANA or habit expects TLS from the first byte.
func DefaultPorts() []uint16 {
	return []uint16{443, 465, 563, 636, 853, 989, 990, 992, 993, 994, 995, 2376, 3269, 4433, 5061, 5223, 5269, 5349, 5671, 5986, 6443, 6514, 6697, 8443, 8883, 9093, 9443}
}

// Stats count what was read. Packets that are no part of a record are in one of its counters, none is lost in silence.
type Stats struct {
	Packets     uint64 // packets in the capture
	Bytes       uint64 // of them, as captured
	First, Last time.Time

	CutPackets  uint64            // packets that the snapshot length cut short
	Links       map[uint32]uint64 // packets by link type
	Refused     map[uint32]uint64 // packets of link types that nobody here can decode, by link type
	Malformed   uint64            // packets whose headers do not fit their length
	OtherLayers uint64            // packets without IP in them, or without TCP or UDP
	Fragments   uint64            // IP fragments, and how many datagrams became whole
	Reassembled uint64
	Tunnelled   uint64 // packets whose innermost IP header is not the outermost

	TCPConnections uint64 // all of them, TLS or not
	Connections    uint64 // records that were handed out, by what they carry
	TLS            uint64
	QUIC           uint64
	DTLS           uint64
	Opaque         uint64 // TLS connections of which nothing but encrypted records is in the capture: no records are made
	Evicted        uint64 // connections that left the table early because it was full
	Hurried        uint64 // records that were cut short because too many waited for them
	LostBytes      int64  // bytes of handshakes that are not in the capture
	Secrets        int    // secrets that the capture itself brought
	OtherSecrets   int    // blocks of secrets of protocols that are not read here
	Names          int    // of addresses, that the capture itself brought
	Decrypted      uint64 // records whose encrypted part was opened
	Dropped        uint64 // live: packets that the kernel dropped because they were not read in time
}
