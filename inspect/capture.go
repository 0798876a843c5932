package inspect

import "fmt"

// Capture is what a capture shows of a connection's packets, beside what the peers said. It is absent elsewhere.
type Capture struct {
	File        string      `json:"file,omitempty"`      // name of the capture, as given
	FirstPacket uint64      `json:"first_packet"`        // numbers in the capture, from 1
	LastPacket  uint64      `json:"last_packet"`         // that was looked at
	Midstream   bool        `json:"midstream,omitempty"` // the connection's beginning is not in the capture
	OneWay      Side        `json:"one_way,omitempty"`   // only packets of this side are in the capture
	Upgrade     string      `json:"upgrade,omitempty"`   // what was spoken before TLS: smtp, imap, postgresql, http_connect, socks, proxy_protocol, …; "other"
	Datagram    string      `json:"datagram,omitempty"`  // dtls, where it is not plain TCP or QUIC
	End         CaptureEnd  `json:"end,omitempty"`       // how it ended, as far as the capture goes
	Client      CaptureSide `json:"client_side"`
	Server      CaptureSide `json:"server_side"`
	SYNs        int         `json:"syns,omitempty"` // connection requests; more than one were not answered in time
	// Stuck is the handshake segment that was sent again and never acknowledged, while smaller ones were.
	Stuck *StuckSegment `json:"stuck,omitempty"`
	// Undelivered is what the network said of the segment that is stuck, or of the connection's first packet, which nobody answered.
	Undelivered *Undelivered `json:"undelivered,omitempty"`
	Unheard     *Unheard     `json:"unheard,omitempty"`
	Decrypted   bool         `json:"decrypted,omitempty"` // keys opened what was encrypted
	Inferred    []Inference  `json:"inferred,omitempty"`
}

// CaptureEnd is how a connection ended in a capture.
type CaptureEnd string

// Ends.
const (
	EndFINClient   CaptureEnd = "fin_client" // who closed first
	EndFINServer   CaptureEnd = "fin_server"
	EndResetClient CaptureEnd = "reset_client" // by packets with the client's address
	EndResetServer CaptureEnd = "reset_server"
	EndOpen        CaptureEnd = "open" // it went on when the capture, or the watching, ended
	EndIdle        CaptureEnd = "idle" // nothing came for the idle time
)

// CaptureSide is one direction.
type CaptureSide struct {
	Packets     uint64 `json:"packets"`
	Bytes       uint64 `json:"bytes"`                  // of payload, as far as the connection was watched
	Retransmits int    `json:"retransmits,omitempty"`  // segments that came again under the same number
	OutOfOrder  int    `json:"out_of_order,omitempty"` // segments that came before their turn
	LostBytes   int64  `json:"lost_bytes,omitempty"`   // sent, but not in the capture
	Largest     int    `json:"largest,omitempty"`      // the longest segment's payload
	MSS         int    `json:"mss,omitempty"`          // that this side announced in its SYN
	TTL         int    `json:"ttl,omitempty"`          // of its first packet
	ResetTTL    int    `json:"reset_ttl,omitempty"`    // of its reset; one that differs from TTL came from elsewhere
}

// StuckSegment is a segment of a handshake that never arrived.
type StuckSegment struct {
	From     Side     `json:"from"`
	Size     int      `json:"size"`          // of the largest of its segments
	Times    int      `json:"times"`         // how often it was sent
	Packets  []uint64 `json:"packets"`       // at most 8
	Acked    int      `json:"largest_acked"` // the largest segment of that side that was acknowledged
	Duration float64  `json:"duration_ms"`
}

// Undelivered is what ICMP or ICMPv6 says of a packet that was not delivered.
type Undelivered struct {
	Said   string `json:"said"` // "port unreachable", "administratively prohibited", …
	From   string `json:"from"` // the address of who said it
	Packet uint64 `json:"packet"`
	MTU    int    `json:"mtu,omitempty"` // bytes of a packet that would pass; 0: not said, or it is not a matter of size
}

// What is said of a packet that is larger than the path takes, in IPv4 and in IPv6.
const (
	FragmentationNeeded = "fragmentation needed"
	PacketTooBig        = "packet too big"
)

// TooLarge reports whether a smaller packet would have been delivered.
func (u *Undelivered) TooLarge() bool {
	return u != nil && (u.Said == FragmentationNeeded || u.Said == PacketTooBig)
}

// String is a clause for a finding.
func (u *Undelivered) String() string {
	s := "ICMP " + u.Said
	if u.MTU > 0 {
		s += fmt.Sprintf(", at most %d bytes pass", u.MTU)
	}
	return s + fmt.Sprintf(" (from %s, packet %d)", u.From, u.Packet)
}

// Unheard says that who closed or reset the connection had not received all that the other side sent, by its own acknowledgements:
// what had not reached it cannot be why it left.
type Unheard struct {
	Received int64 `json:"received"`          // bytes, by then
	Records  int64 `json:"records,omitempty"` // of them, bytes of whole records: of a part of a record nobody can make anything
	Sent     int64 `json:"sent"`              // bytes, in all
}

// Inference is what was not said in the clear but follows from lengths and order.
type Inference struct {
	Kind    InferenceKind `json:"kind"`
	Basis   string        `json:"basis"` // what it rests on, in words
	Packets []uint64      `json:"packets,omitempty"`
}

// InferenceKind is a closed set.
type InferenceKind string

// Inferences.
const (
	InferredCertificateRefused       InferenceKind = "client_refused_certificate"        // TLS 1.3: an encrypted alert of the client in place of its Finished; over QUIC, without an error of the leg, no more than likely
	InferredClientCertificateRefused InferenceKind = "server_refused_client_certificate" // TLS 1.3: an encrypted alert of the server after the client's certificate, or what is as long; without an error of the leg it is no more than likely
	InferredClientCertificateMissing InferenceKind = "client_sent_no_certificate"        // TLS 1.3: as before, after a Certificate message that is as short as one without a certificate
	InferredEncryptedAlert           InferenceKind = "encrypted_alert"                   // an alert that cannot be read broke off the handshake
)
