package chain

import "fmt"

// InitialWindow is what a server may send before it hears from the client: ten segments of 1,460 bytes (RFC 6928,
// Section 2). What does not fit costs the handshake one more round trip.
const InitialWindow = 10 * 1460

// usualRest is what a server's flight in TLS 1.3 has beside certificates: ServerHello, EncryptedExtensions, CertificateVerify,
// Finished, and the records around them.
const usualRest = 700

// Flight is what a server sends in answer to a ClientHello.
type Flight struct {
	Certificates int // bytes of the Certificate message: the chain, the staple and timestamps in it
	Rest         int // bytes of the other messages: Options.RestOfFlight or an estimate
	RoundTrip    bool
}

// Total is all of it.
func (f Flight) Total() int { return f.Certificates + f.Rest }

// measure fills Report.Flight and reports a flight beyond the initial window.
func (e *examination) measure() {
	f := Flight{Certificates: 4 + 1 + 3, Rest: e.o.RestOfFlight}
	if f.Rest <= 0 {
		f.Rest = usualRest
	}
	for _, der := range e.r.Raw {
		f.Certificates += 3 + len(der) + 2 // RFC 8446, Section 4.4.2: length, certificate, extensions
	}
	if n := len(e.o.OCSPResponse); n > 0 {
		f.Certificates += 8 + n
	}
	for i, s := range e.o.SCTs {
		if i == 0 {
			f.Certificates += 6
		}
		f.Certificates += 2 + len(s)
	}
	f.RoundTrip = f.Total() > InitialWindow
	e.r.Flight = f
	if f.RoundTrip {
		e.add(Fault{ID: TooLarge, Index: -1, Detail: fmt.Sprintf(
			"%s of %d bytes make a flight of about %d, beyond the initial congestion window of %d: every handshake costs a round trip more",
			named(len(e.r.Raw), "certificate", "certificates"), f.Certificates, f.Total(), InitialWindow)})
	}
}
