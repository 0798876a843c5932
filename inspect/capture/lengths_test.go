package capture_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
)

// TestRefusalsOfRealPrograms reads what OpenSSL, nginx, curl, Java and Python said to one another: handshakes that were refused, and others that
// look like it from outside. A connection is found by its client's port.
func TestRefusalsOfRealPrograms(t *testing.T) {
	records, _ := readCapture(t, filepath.Join("testdata", "refusals.pcap"), capture.Options{})
	const refused, missing, server = inspect.InferredClientCertificateRefused, inspect.InferredClientCertificateMissing, inspect.InferredCertificateRefused
	want := map[int]struct {
		outcome inspect.Outcome
		kind    inspect.InferenceKind
		err     inspect.ErrorType
		says    string
	}{
		51990: {inspect.Failure, server, inspect.ErrorAlertReceived, ""},                                                // Java, padded; the server's FIN is the first
		58756: {inspect.Failure, server, inspect.ErrorAlertReceived, ""},                                                // Java, padded; its own FIN comes with the alert
		40082: {inspect.Failure, missing, inspect.ErrorAlertSent, ""},                                                   // Java without a certificate; the server does not wait for Finished
		59834: {inspect.Success, "", "", ""},                                                                            // a server in Java, the certificate accepted
		59842: {inspect.Unknown, missing, "", ""},                                                                       // the same, without a certificate: its alert is padded
		45504: {inspect.Unknown, refused, "", ""},                                                                       // the same, with one of a stranger
		57460: {inspect.Success, "", "", ""},                                                                            // two bytes of data, and the server stays for 1.5 s
		57456: {inspect.Success, "", "", ""},                                                                            // the same without a certificate
		53974: {inspect.Unknown, refused, "", ""},                                                                       // a goodbye without data, accepted: nothing tells it from a refusal
		55560: {inspect.Unknown, refused, "", ""},                                                                       // two bytes of data and the end
		56974: {inspect.Failure, "", inspect.ErrorStalled, "the server stopped in the middle of a message (packet "},    // half a ServerHello
		50136: {inspect.Failure, "", inspect.ErrorStalled, "it acknowledged what had been said, but not that the conn"}, // nothing comes any more behind the hello's ACK
		50390: {inspect.Failure, "", inspect.ErrorNotTLS, "in plain text"},                                              // a PROXY header to nginx, which does not expect one
		45906: {inspect.Failure, "", inspect.ErrorStartTLS, "(502 no)"},                                                 // STARTTLS refused
		33012: {inspect.Success, "", "", ""},                                                                            // TLS 1.2, no certificate, 400 in what is encrypted
	}
	if len(records) != len(want) {
		t.Errorf("%d records", len(records))
	}
	for _, r := range records {
		x, ok := want[r.Client.Port]
		if !ok {
			t.Errorf("port %d", r.Client.Port)
			continue
		}
		var kind inspect.InferenceKind
		for _, i := range r.Capture.Inferred {
			kind = i.Kind
		}
		var err inspect.Error
		if r.ClientLeg.Error != nil {
			err = *r.ClientLeg.Error
		}
		if r.Event.Outcome != x.outcome || kind != x.kind || err.Type != x.err || !strings.Contains(err.Message, x.says) || strings.Contains(err.Message, "acknowledge all of it") {
			t.Errorf("port %d: %s, inferred %+v, %+v", r.Client.Port, r.Event.Outcome, r.Capture.Inferred, err)
		}
	}
}

// TestServerThatClosesBeforeTheHello closed; the reset that answers the hello is what its system says of that.
func TestServerThatClosesBeforeTheHello(t *testing.T) {
	w := newBuilder()
	c, s := client(3), server()
	w.open(c, s)
	w.segment(s, c, fin|ack, nil, 100)
	w.segment(c, s, ack, nil, 100)
	w.segment(c, s, psh|ack, ecdhe(t)[0].data, 100)
	w.segment(s, c, rst, nil, 100)
	records, _ := recordsOf(t, w.b, capture.Options{})
	if len(records) != 1 || records[0].ClientLeg.Error == nil {
		t.Fatalf("%d records", len(records))
	}
	if e := records[0].ClientLeg.Error; e.Type != inspect.ErrorClosed || records[0].Capture.End != inspect.EndFINServer || !strings.Contains(e.Message, "before the client had said anything (packet 4)") {
		t.Errorf("%s, %+v", records[0].Capture.End, e)
	}
}

// TestNothingSeenBetween has an empty Certificate whose request is missing, and a Certificate that is missing itself.
func TestNothingSeenBetween(t *testing.T) {
	records, _ := readCapture(t, filepath.Join("testdata", "unseen.pcap"), capture.Options{})
	if len(records) != 2 {
		t.Fatalf("%d records", len(records))
	}
	for _, r := range records {
		h := r.ClientLeg.TLS.Handshake.History
		if r.Client.Port == 45332 && (!strings.Contains(h, "X") || r.Capture.Client.LostBytes != 0) || r.Client.Port == 45346 && (strings.Contains(h, "X") || r.Capture.Client.LostBytes == 0) {
			t.Errorf("port %d: %s, %+v", r.Client.Port, h, r.Capture.Client)
		}
	}
}
