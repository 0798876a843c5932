package configs

import "strings"

// quic holds the settings of the UDP side of a listener.
func (v *validator) quic(l *Listener, path string) {
	oneOf(v, path+".quic", l.QUIC, Off, On)
	oneOf(v, path+".quic_retry", l.QUICRetry, QUICRetryAuto, QUICRetryAlways, QUICRetryNever)
	if l.AltSvc != AltSvcOff && l.Mode != ModeHTTP {
		v.fail(path+".alt_svc", "has no effect but in mode http, where headers are written")
	}
	if l.AltSvc == AltSvcOn && l.QUIC != On {
		v.fail(path+".alt_svc", "tells of the way over QUIC, and quic is off; give the header's value where another program serves it")
	}
	if custom := l.AltSvc != AltSvcOff && l.AltSvc != AltSvcOn; custom && !isAltSvc(string(l.AltSvc)) {
		v.fail(path+".alt_svc", "%q: on, off, or a value as h3=\":443\"; ma=86400 is expected", clip(string(l.AltSvc)))
	}
	if l.QUIC != On {
		if l.QUICAddress != "" {
			v.fail(path+".quic_address", "has no effect while quic is off")
		}
		if l.QUICRetry != QUICRetryAuto {
			v.fail(path+".quic_retry", "has no effect while quic is off")
		}
		return
	}
	if l.QUICAddress != "" {
		if err := checkListenAddress(l.QUICAddress); err != nil {
			v.fail(path+".quic_address", "%v", err)
		}
	}
	if l.Mode == ModeBridge {
		v.fail(path+".quic", "needs mode http or passthrough: over QUIC there is no stream of bytes that could be carried on to a backend over TCP")
	}
	if l.ProxyProtocol == On {
		v.fail(path+".quic", "cannot go with proxy_protocol: datagrams have no PROXY protocol header, so that whose they are would not be known")
	}
	if l.Mode == ModePassthrough && l.QUICRetry != QUICRetryAuto {
		v.fail(path+".quic_retry", "has no effect in mode passthrough, where the backend asks for it")
	}
}

// http3Backend holds what a backend in HTTP/3 cannot have.
func (v *validator) http3Backend(b *Backend, path string) {
	if b.Protocol != ProtocolHTTP3 {
		return
	}
	if target := b.Target(); !target.TLS {
		v.fail(path+".protocol", "h3 needs a backend with TLS, which HTTP/3 never goes without: https://HOST:PORT")
	}
	if b.ProxyProtocol != ProxyHeaderNone {
		v.fail(path+".proxy_protocol", "has no effect over QUIC, whose datagrams have no such header")
	}
	if b.MaxVersion != "" && b.MaxVersion != "TLSv1.3" {
		v.fail(path+".max_version", "%s: HTTP/3 needs TLSv1.3", b.MaxVersion)
	}
}

// isAltSvc reports whether a value can stand in an Alt-Svc header (RFC 7838, Section 3): protocols and addresses, or "clear".
func isAltSvc(value string) bool {
	for _, r := range value {
		if r < 0x20 || r > 0x7e {
			return false
		}
	}
	return len(value) <= 256 && (value == "clear" || strings.Contains(value, `="`))
}
