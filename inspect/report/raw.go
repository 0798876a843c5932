package report

import "github.com/tlstriage/tlstriage/inspect"

// withoutBytes is a copy of c that lacks the bytes seen. It shares everything else.
func withoutBytes(c *inspect.Connection) *inspect.Connection {
	copied := *c
	copied.ClientLeg = legWithoutBytes(c.ClientLeg)
	copied.BackendLeg = legWithoutBytes(c.BackendLeg)
	return &copied
}

func legWithoutBytes(l *inspect.Leg) *inspect.Leg {
	if l == nil {
		return nil
	}
	leg := *l
	if l.FirstBytes != nil {
		first := *l.FirstBytes
		first.Raw = nil
		leg.FirstBytes = &first
	}
	if l.TLS != nil {
		tls := *l.TLS
		tls.Client = helloWithoutBytes(l.TLS.Client)
		if l.TLS.Server != nil {
			server := *l.TLS.Server
			server.CertificateChain = make([]inspect.Certificate, len(l.TLS.Server.CertificateChain))
			for i, x := range l.TLS.Server.CertificateChain {
				x.Raw = nil
				server.CertificateChain[i] = x
			}
			server.SCTList = nil
			if server.OCSP != nil {
				ocsp := *server.OCSP
				ocsp.Raw = nil
				server.OCSP = &ocsp
			}
			tls.Server = &server
		}
		leg.TLS = &tls
	}
	return &leg
}

func helloWithoutBytes(h *inspect.Hello) *inspect.Hello {
	if h == nil {
		return nil
	}
	hello := *h
	if h.Message != nil {
		m := *h.Message
		m.Raw = nil
		hello.Message = &m
	}
	if h.Certificate != nil {
		x := *h.Certificate
		x.Raw = nil
		hello.Certificate = &x
	}
	hello.Retry = helloWithoutBytes(h.Retry)
	return &hello
}
