package capture

import (
	"fmt"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Lengths of encrypted records of TLS 1.3: the content, its type, and the tag of the AEAD (RFC 8446, Section 5.2). Hidden
// padding makes them longer: Java adds sixteen bytes to every record of the handshake and every alert, others none.
type sealed struct {
	around   int // what every record has around its content
	alert    int // level and description
	finished int // header and verify_data
}

// javaPadding is by how much Java pads.
const javaPadding = 16

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
	return sealed{around: 1 + tag, alert: 2 + 1 + tag, finished: 4 + hash + 1 + tag}
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
	case c.disordered || c.stream[0].broken || c.stream[1].broken || c.half[0].lost > 0 || c.half[1].lost > 0 || len(c.tls.marks) == maxMarks:
		return
	case c.half[0].lostAtTheEnd() > 0 || c.half[1].lostAtTheEnd() > 0:
		return // what was acknowledged, and is not in the capture, was sent
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
	lengths := sealedLengths(tls.Cipher)
	if c.serverRefused(r, client, server, lengths) {
		return
	}
	content := 0
	for _, m := range client {
		content += max(0, int(m.length)-lengths.around)
	}
	if content < lengths.finished-lengths.around {
		c.clientRefused(r, client, server, lengths)
	}
}

// clientRefused is told by records of the client that all together have no room for a Finished, whatever their padding.
func (c *tcpConn) clientRefused(r *inspect.Connection, client, server []recordMark, lengths sealed) {
	kind, what := inspect.InferredCertificateRefused, "the client refused what the server presented"
	if r.ClientLeg.TLS.Resumed {
		kind, what = inspect.InferredEncryptedAlert, "the client broke off"
	}
	alert := client[0]
	if int(alert.length) < lengths.alert || lengths.isEmptyCertificate(alert) {
		return // the second may be the beginning of a flight
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
	length := "the length of an alert"
	switch {
	case int(alert.length) == lengths.alert:
	case int(alert.length) == lengths.alert+javaPadding:
		length = "the length of an alert with the padding of Java"
	default:
		length = "an alert with padding"
	}
	basis := fmt.Sprintf("after %d encrypted bytes of the server the client sent one record of %d bytes, %s (its Finished would have %d), and nothing more", total, alert.length, length, lengths.finished)
	if len(client) > 1 {
		basis = fmt.Sprintf("after %d encrypted bytes of the server the client sent %d records in which a Finished has no room, the first of %d bytes, %s, and nothing more", total, len(client), alert.length, length)
	}
	r.Capture.Inferred = append(r.Capture.Inferred, inspect.Inference{Kind: kind, Basis: basis, Packets: []uint64{server[0].packet, alert.packet}})
	r.ClientLeg.TLS.Established = false
	r.ClientLeg.Error = &inspect.Error{Type: inspect.ErrorAlertReceived, Phase: inspect.PhaseHandshake, Message: "inferred: " + what + ", in an encrypted alert"}
}

// clientFlight is what the records of a client say about the end of its handshake.
type clientFlight struct {
	finished recordMark // that holds the Finished, or the first of those that do
	behind   int        // the number of the record behind it
	alone    bool       // nothing but a Finished is in the flight, or that cannot be told
	empty    bool       // there is a Certificate message, with no certificate in it
}

// flightOf finds the Finished in a client's records: it is as long as one, or somewhere in the first, which is longer. Application data
// cannot share a record with it.
func (l sealed) flightOf(client []recordMark) (f clientFlight, ok bool) {
	for i, m := range client {
		if n := int(m.length); n == l.finished || n == l.finished+javaPadding {
			return clientFlight{finished: m, behind: i + 1, alone: i == 0, empty: i > 0 && l.isEmptyCertificate(client[0])}, true
		}
	}
	const leastCertificate = 100 // with its proof
	switch first := client[0]; {
	case int(first.length) == l.finished+emptyCertificate:
		return clientFlight{finished: first, behind: 1, empty: true}, true
	case int(first.length) >= l.finished+leastCertificate:
		return clientFlight{finished: first, behind: 1}, true
	}
	return clientFlight{}, false
}

// isEmptyCertificate reports whether a record is as long as one with a Certificate message without a certificate.
func (l sealed) isEmptyCertificate(m recordMark) bool {
	n := int(m.length) - l.around
	return n == emptyCertificate || n == emptyCertificate+javaPadding
}

// pads reports whether a server pads as Java does: the last record before the client's is its Finished.
func (l sealed) pads(server []recordMark, client recordMark) bool {
	last := 0
	for _, m := range server {
		if m.packet < client.packet {
			last = int(m.length)
		}
	}
	return last == l.finished+javaPadding
}

// serverRefused is told by a record of the server that is as short as an alert, and its only one behind the client's Finished, after which it
// closes the connection at once. As long is a goodbye of a server that has nothing to say, or an answer of two bytes: what is inferred is no
// more than likely, unless the server did not wait for the client's Finished.
func (c *tcpConn) serverRefused(r *inspect.Connection, client, server []recordMark, lengths sealed) bool {
	answer, alert := server[len(server)-1], lengths.alert
	if lengths.pads(server, client[0]) {
		alert += javaPadding
	}
	closing := &c.half[1-c.client]
	if int(answer.length) != alert || answer.packet < client[0].packet || closing.closedAt == 0 || closing.closedAt-answer.at > mostThought {
		return false // who refuses closes at once
	}
	if len(server) > 1 && server[len(server)-2].packet > client[0].packet {
		return false
	}
	flight, found := lengths.flightOf(client)
	early := found && !flight.alone && closing.closedPacket < flight.finished.packet && answer.packet < flight.finished.packet
	if !found && lengths.isEmptyCertificate(client[0]) {
		flight, early = clientFlight{finished: client[0], behind: len(client), empty: true}, true
	}
	switch {
	case early:
	case !found || flight.alone || answer.packet < flight.finished.packet:
		return false
	case answer.at-flight.finished.at > mostThought:
		return false // it had taken the certificate long before, and says goodbye
	case c.closedAt(c.client) != 0 && c.closedAt(c.client) < answer.packet:
		return false
	}
	if !early {
		for _, m := range client[flight.behind:] {
			if n := int(m.length); n == lengths.alert || n == lengths.alert+javaPadding && int(flight.finished.length) == lengths.finished+javaPadding {
				return false // the client said goodbye, first or in answer; to a fatal alert there is none (RFC 8446, Section 6.2)
			}
		}
	}
	kind, what, refused := inspect.InferredClientCertificateRefused, "a certificate message", "refused the client's certificate"
	if flight.empty {
		kind, what, refused = inspect.InferredClientCertificateMissing, "a certificate message without a certificate, by its length", "refused a client without a certificate"
	}
	inference := inspect.Inference{Kind: kind, Packets: []uint64{flight.finished.packet, answer.packet}}
	r.ClientLeg.TLS.Established = false
	if early {
		inference.Packets[0] = client[0].packet
		inference.Basis = fmt.Sprintf("to %s (%d bytes) the server answered with one record of %d bytes, the length of an alert, and closed the connection before the client had sent its Finished", what, client[0].length, answer.length)
		r.ClientLeg.Error = &inspect.Error{Type: inspect.ErrorAlertSent, Phase: inspect.PhaseHandshake, Message: "inferred: the server " + refused + ", in an encrypted alert"}
	} else {
		inference.Basis = fmt.Sprintf("the client's flight holds more than its Finished (%s: its first record has %d bytes), and the server answered with one record of %d bytes, the length of an alert, and nothing more, and closed the connection", what, client[0].length, answer.length)
	}
	r.Capture.Inferred = append(r.Capture.Inferred, inference)
	return true
}

// mostThought is how long, in nanoseconds, a server takes at most to refuse a certificate, and to close the connection behind that: a round
// trip, and what it has to compute or to ask.
const mostThought = 1e9

// emptyCertificate is the length of a Certificate message with no certificate in it: a header, and two lists that are empty
// (RFC 8446, Section 4.4.2).
const emptyCertificate = 4 + 1 + 3

// closedAt is the number of the packet with a side's FIN; 0: there was none.
func (c *tcpConn) closedAt(side int) uint64 { return c.half[side].finPacket }
