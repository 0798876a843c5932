package capture

import (
	"fmt"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Lengths of encrypted records of TLS 1.3: the content, its type, and the tag of the AEAD (RFC 8446, Section 5.2). Hidden
// padding would make them longer; nobody pads alerts.
type sealed struct {
	alert    int // level and description
	finished int // header and verify_data
}

func sealedLengths(cipher string) sealed {
	tag, hash := 16, 32
	if suite, ok := wire.CipherSuiteByName(cipher); ok {
		if info, ok := suite.Info(); ok {
			if info.Mode == "CCM_8" {
				tag = 8
			}
			if info.PRF == "SHA384" {
				hash = 48
			}
		}
	}
	return sealed{alert: 2 + 1 + tag, finished: 4 + hash + 1 + tag}
}

// isTLS13 reports whether a version's name is that of TLS 1.3 or of a draft of it.
func isTLS13(name string) bool { return strings.HasPrefix(name, "TLSv1.3") }

// infer says what the lengths and the order of encrypted records tell of how a TLS 1.3 handshake ended. It needs all packets
// of both sides, from the hello to the end of the connection.
func (c *tcpConn) infer(t *Tracker, r *inspect.Connection) {
	tls := r.ClientLeg.TLS
	switch {
	case !isTLS13(tls.Version) || r.Capture.Decrypted || r.Capture.OneWay != "" || r.Capture.Midstream:
		return
	case c.stream[0].broken || c.stream[1].broken || c.half[0].lost > 0 || c.half[1].lost > 0 || len(c.tls.marks) == maxMarks:
		return
	case r.Capture.End == inspect.EndOpen || r.Capture.End == inspect.EndIdle:
		return
	case tls.Client == nil || len(tls.Alerts) > 0:
		return
	}
	client, server := t.clientMarks[:0], t.serverMarks[:0] // of application data, behind the ServerHello
	for _, m := range c.tls.marks {
		if m.kind != byte(wire.ContentTypeApplicationData) {
			continue
		}
		if int(m.side) == c.client {
			client = append(client, m)
		} else {
			server = append(server, m)
		}
	}
	t.clientMarks, t.serverMarks = client, server
	if tls.Client.EarlyData || len(client) == 0 || len(server) == 0 {
		return
	}
	switch {
	case len(client) == 1 && client[0].length <= longestAlert:
		if lengths := sealedLengths(tls.Cipher); int(client[0].length) == lengths.alert {
			c.clientRefused(r, client[0], server, lengths)
		}
	case server[len(server)-1].length <= longestAlert:
		c.serverRefused(r, client, server, sealedLengths(tls.Cipher))
	}
}

// longestAlert is the longest that the record of an alert is with any suite.
const longestAlert = 2 + 1 + 16

// clientRefused is told by a lone record of the client that is as short as an alert, where its Finished should be.
func (c *tcpConn) clientRefused(r *inspect.Connection, alert recordMark, server []recordMark, lengths sealed) {
	kind, what := inspect.InferredCertificateRefused, "the client refused what the server presented"
	if r.ClientLeg.TLS.Resumed {
		kind, what = inspect.InferredEncryptedAlert, "the client broke off"
	}
	total := 0
	for _, m := range server {
		if m.packet <= alert.packet {
			total += int(m.length)
		}
	}
	if total == 0 {
		return
	}
	basis := fmt.Sprintf("after %d encrypted bytes of the server the client sent one record of %d bytes, the length of an alert (its Finished would have %d), and nothing more", total, alert.length, lengths.finished)
	r.Capture.Inferred = append(r.Capture.Inferred, inspect.Inference{Kind: kind, Basis: basis, Packets: []uint64{server[0].packet, alert.packet}})
	r.ClientLeg.TLS.Established = false
	r.ClientLeg.Error = &inspect.Error{Type: inspect.ErrorAlertReceived, Phase: inspect.PhaseHandshake, Message: "inferred: " + what + ", in an encrypted alert"}
}

// serverRefused is told by a record of the server that is as short as an alert, and its only one behind the client's Finished.
func (c *tcpConn) serverRefused(r *inspect.Connection, client, server []recordMark, lengths sealed) {
	// The client's flight ends with the record that is as long as a Finished, or is one record with all of it.
	flight, certificate := -1, false
	for i, m := range client {
		if int(m.length) == lengths.finished {
			flight, certificate = i, i > 0
			break
		}
	}
	if flight < 0 {
		if int(client[0].length) < lengths.finished {
			return
		}
		flight, certificate = 0, true // it holds more than a Finished, and application data cannot share a record with it
	}
	finished := client[flight]
	var behind []recordMark
	for _, m := range server {
		if m.packet > finished.packet {
			behind = append(behind, m)
		}
	}
	if len(behind) != 1 || int(behind[0].length) != lengths.alert || !certificate {
		return
	}
	for _, m := range client[flight+1:] {
		if int(m.length) == lengths.alert {
			return // the client said goodbye, first or in answer; to a fatal alert there is none (RFC 8446, Section 6.2)
		}
	}
	if behind[0].at-finished.at > mostThought {
		return // it had taken the certificate long before, and says goodbye
	}
	if end := r.Capture.End; end == inspect.EndFINClient || end == inspect.EndResetClient {
		if c.closedAt(c.client) != 0 && c.closedAt(c.client) < behind[0].packet {
			return
		}
	}
	kind, what, refused := inspect.InferredClientCertificateRefused, "a certificate message", "refused the client's certificate"
	if int(client[0].length) == lengths.alert-2+emptyCertificate && flight > 0 {
		kind, what, refused = inspect.InferredClientCertificateMissing, "a certificate message without a certificate, by its length", "refused a client without a certificate"
	}
	basis := fmt.Sprintf("the client's flight holds more than its Finished (%s: its first record has %d bytes), and the server answered with one record of %d bytes, the length of an alert, and nothing more", what, client[0].length, behind[0].length)
	r.Capture.Inferred = append(r.Capture.Inferred, inspect.Inference{
		Kind: kind, Basis: basis, Packets: []uint64{finished.packet, behind[0].packet},
	})
	r.ClientLeg.TLS.Established = false
	r.ClientLeg.Error = &inspect.Error{Type: inspect.ErrorAlertSent, Phase: inspect.PhaseHandshake, Message: "inferred: the server " + refused + ", in an encrypted alert"}
}

// mostThought is how long, in nanoseconds, a server takes at most to refuse a certificate: a round trip, and what it has to compute or to ask.
const mostThought = 1e9

// emptyCertificate is the length of a Certificate message with no certificate in it: a header, and two lists that are empty
// (RFC 8446, Section 4.4.2).
const emptyCertificate = 4 + 1 + 3

// closedAt is the number of the packet with a side's FIN; 0: there was none.
func (c *tcpConn) closedAt(side int) uint64 { return c.half[side].finPacket }
