package probe

import (
	"crypto"
	"crypto/tls"
	"errors"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// errCannotFinish says that the handshake goes no further because its mathematics is not at hand here.
var errCannotFinish = errors.New("the handshake cannot be finished with this version, suite or group")

// finish sends our second flight and reads what the server says to it.
func (r *run) finish() {
	var out sealer
	var err error
	r.deadline(r.limits.Finish)
	if r.handshake.tls13 {
		out, err = r.finish13()
	} else {
		out, err = r.finish12()
	}
	if err != nil {
		if r.x.Error == nil {
			r.x.Error = &inspect.Error{Type: inspect.ErrorUnsupported, Message: inspect.Bounded(err.Error()), Phase: r.phase}
		}
		return
	}
	if out == nil {
		return
	}
	if r.options.Until == UntilAnswer && len(r.options.Request) > 0 {
		r.send(out.seal(wire.ContentTypeApplicationData, r.options.Request))
		r.readAnswer(out)
		return
	}
	if r.options.Until == UntilAnswer {
		r.readAnswer(out)
		return
	}
	r.closeNotify(out)
	r.await(func() bool { return false })
	r.settle()
}

// readAnswer reads until the application has answered: the first bytes, and what follows them without a pause.
func (r *run) readAnswer(out sealer) {
	for {
		have := len(r.x.Answer)
		if r.await(func() bool { return len(r.x.Answer) > have || len(r.x.Answer) == maxAnswer }) && len(r.x.Answer) < maxAnswer {
			r.deadline(r.limits.Idle)
			continue
		}
		if !r.mayNudge() {
			break
		}
		r.x.Nudged, r.x.Error, r.ended = true, nil, false
		r.deadline(r.limits.Finish)
		r.send(out.seal(wire.ContentTypeApplicationData, r.options.Nudge))
	}
	r.settle()
	if !r.ended {
		r.closeNotify(out)
	}
}

// mayNudge reports whether nothing came behind our Finished in the time there was, and something is to be sent then.
func (r *run) mayNudge() bool {
	x := r.x
	return len(r.options.Nudge) > 0 && !x.Nudged && len(r.options.Request) == 0 && len(x.Answer) == 0 && x.Tickets == r.early &&
		x.Error != nil && x.Error.Type == inspect.ErrorTimeout && r.ctx.Err() == nil
}

// closeNotify says that we have nothing more to say: a server that has something against our Finished says it, one that has
// nothing closes.
func (r *run) closeNotify(out sealer) {
	r.send(out.seal(wire.ContentTypeAlert, []byte{byte(wire.AlertLevelWarning), byte(wire.AlertCloseNotify)}))
	r.clean = true
}

// settle decides whether the server went along with our Finished: unless it says otherwise in an alert, it does. One that wanted a
// certificate and was given none has to show that it goes on all the same, by an answer, a ticket or a close_notify; silence
// behind a handshake is consent. One that ends the connection is taken to mind what followed the handshake, where something did.
func (r *run) settle() {
	x := r.x
	if x.Alert != nil {
		x.Finished = false
		return
	}
	spoke := len(x.Answer) > 0 || r.closedOrderly()
	shown := x.Finished || x.Tickets > 0 || spoke
	wanted := x.CertificateRequest != nil && r.options.Certificate == nil
	early := x.Tickets > 0 && x.Tickets == r.early // they came with the server's flight, and tell nothing of our Finished
	unprovoked := r.options.Until == UntilAnswer && len(r.options.Request) == 0 && !x.Nudged
	if e := x.Error; e != nil && (e.Type == inspect.ErrorClosed || e.Type == inspect.ErrorReset) && (!shown || early && !spoke) && !wanted {
		x.Cut = e.Type
		shown = !unprovoked
	}
	if e := x.Error; e != nil && (e.Type == inspect.ErrorTimeout || shown && (e.Type == inspect.ErrorClosed || e.Type == inspect.ErrorReset)) {
		x.Error = nil
	}
	x.Finished = x.Error == nil
}

// closedOrderly reports that a close_notify of the server ended the connection.
func (r *run) closedOrderly() bool {
	for _, a := range r.x.Alerts {
		if a.Description == wire.AlertCloseNotify {
			return true
		}
	}
	return false
}

// finish13 sends Certificate and CertificateVerify where they were asked for, and Finished (RFC 8446, Section 4.4).
func (r *run) finish13() (sealer, error) {
	h, s := &r.handshake, r.handshake.modern
	if s == nil || !h.finished || r.records.opener == nil {
		return nil, errCannotFinish
	}
	out := newSealed13(s, r.x.CipherSuite, s.clientHandshake)
	if out == nil {
		return nil, errCannotFinish
	}
	var flight []byte
	if request := r.x.CertificateRequest; request != nil {
		own, err := certificate13(r.options.Certificate, request, h.transcript, s.hash)
		if err != nil {
			return nil, err
		}
		flight = own
	}
	h.transcript = append(h.transcript, flight...)
	verify := s.verifyData(s.clientHandshake, h.transcript)
	finished := handshakeMessage(wire.HandshakeTypeFinished, verify)
	flight = append(flight, finished...)
	h.transcript = append(h.transcript, finished...)
	s.resumption = s.derive(s.master, "res master", h.transcript)
	r.second, r.early = true, r.x.Tickets
	if len(h.hello.SessionID) > 0 && r.x.RetryRequest == nil { // RFC 8446, Appendix D.4
		r.send([]byte{byte(wire.ContentTypeChangeCipherSpec), 3, 3, 0, 1, 1})
	}
	for len(flight) > 0 {
		n := min(len(flight), maxRecordPayload)
		r.send(out.seal(wire.ContentTypeHandshake, flight[:n]))
		flight = flight[n:]
	}
	return newSealed13(s, r.x.CipherSuite, s.clientTraffic), nil
}

func handshakeMessage(t wire.HandshakeType, body []byte) []byte {
	n := len(body)
	return append([]byte{byte(t), byte(n >> 16), byte(n >> 8), byte(n)}, body...)
}

// certificate13 is our Certificate, and with one the CertificateVerify that proves it ours.
func certificate13(own *tls.Certificate, request *wire.CertificateRequest, transcript []byte, hash crypto.Hash) ([]byte, error) {
	body := append([]byte{byte(len(request.RequestContext))}, request.RequestContext...)
	var list []byte
	if own != nil {
		for _, der := range own.Certificate {
			list = append(list, byte(len(der)>>16), byte(len(der)>>8), byte(len(der)))
			list = append(append(list, der...), 0, 0)
		}
	}
	body = append(append(body, byte(len(list)>>16), byte(len(list)>>8), byte(len(list))), list...)
	message := handshakeMessage(wire.HandshakeTypeCertificate, body)
	if own == nil {
		return message, nil
	}
	scheme, err := schemeFor(own, request.SignatureSchemes.Slice(), true)
	if err != nil {
		return nil, err
	}
	h := hash.New()
	h.Write(transcript)
	h.Write(message)
	// RFC 8446, Section 4.4.3: 64 spaces, the context string, a zero byte, the transcript's hash.
	content := make([]byte, 64, 200)
	for i := range content {
		content[i] = ' '
	}
	content = append(append(content, "TLS 1.3, client CertificateVerify\x00"...), h.Sum(nil)...)
	signature, err := sign(own, scheme, content)
	if err != nil {
		return nil, err
	}
	verify := []byte{byte(scheme >> 8), byte(scheme), byte(len(signature) >> 8), byte(len(signature))}
	return append(message, handshakeMessage(wire.HandshakeTypeCertificateVerify, append(verify, signature...))...), nil
}
