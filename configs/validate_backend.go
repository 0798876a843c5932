package configs

func (v *validator) backend(l *Listener, b *Backend, path string) {
	target, err := ParseBackendURL(b.URL)
	if b.URL == "" && l.OriginalDst != OriginalDstOff {
		target.TLS, err = true, nil // it is where the client wanted to go
	} else if b.URL == "" {
		v.fail(path+".url", "no URL: https://HOST:PORT, tls://HOST:PORT, tcp://HOST:PORT or http://HOST:PORT is expected")
	} else if err != nil {
		v.fail(path+".url", "%v", err)
	}
	oneOf(v, path+".starttls", b.StartTLS, StartTLSNone, StartTLSPostgres, StartTLSSMTP, StartTLSIMAP, StartTLSPOP3, StartTLSLDAP)
	switch {
	case l.Mode == ModePassthrough && b.StartTLS != l.StartTLS:
		v.fail(path+".starttls", "is %s, and the listener's is %s: in mode passthrough client and backend speak to each other", b.StartTLS, l.StartTLS)
	case b.StartTLS != StartTLSNone && l.StartTLS != StartTLSNone && b.StartTLS != l.StartTLS:
		v.fail(path+".starttls", "is %s, and the listener's is %s: they cannot be two protocols", b.StartTLS, l.StartTLS)
	case b.StartTLS != StartTLSNone && l.Mode == ModeHTTP:
		v.fail(path+".starttls", "has no effect in mode http")
	}
	oneOf(v, path+".verify", b.Verify, VerifyReport, VerifyEnforce)
	oneOf(v, path+".proxy_protocol", b.ProxyProtocol, ProxyHeaderNone, ProxyHeaderV1, ProxyHeaderV2)
	oneOf(v, path+".protocol", b.Protocol, ProtocolAuto, ProtocolHTTP1, ProtocolHTTP2, ProtocolHTTP3)
	v.http3Backend(b, path)
	if b.Protocol != ProtocolAuto && l.Mode != ModeHTTP {
		v.fail(path+".protocol", "has no effect but in mode http; elsewhere client and backend agree on a protocol")
	}
	if b.ServerName != "" {
		if err := checkHost(b.ServerName); err != nil {
			v.fail(path+".server_name", "%v", err)
		}
	}
	for _, version := range []struct {
		key   string
		value Version
	}{{"min_version", b.MinVersion}, {"max_version", b.MaxVersion}} {
		if version.value != "" {
			oneOf(v, path+"."+version.key, version.value, TLS10, TLS11, TLS12, TLS13)
		}
	}
	low, high := b.MinVersion.Number(), b.MaxVersion.Number()
	if low != 0 && high != 0 && low > high {
		v.fail(path+".min_version", "%s is above max_version %s", b.MinVersion, b.MaxVersion)
	}
	if (b.Cert == "") != (b.Key == "") {
		v.fail(path+".cert", "a client certificate needs both cert and key")
	}
	oneOf(v, path+".revocation", b.Revocation, RevocationOff, RevocationStaple, RevocationCheckIt, RevocationRequire)
	if err == nil && !target.TLS {
		v.onlyWithTLS(b, path, "the backend is plain TCP by its URL "+b.URL)
	} else if l.Mode == ModePassthrough {
		v.onlyWhenTerminated(b, path)
	}
}

// onlyWithTLS refuses TLS settings of a backend that is not spoken TLS to: whoever wrote them believes that they protect.
func (v *validator) onlyWithTLS(b *Backend, path, why string) {
	for _, setting := range []struct {
		key string
		set bool
	}{
		{"server_name", b.ServerName != ""},
		{"starttls", b.StartTLS != StartTLSNone && b.StartTLS != ""},
		{"ca", b.CA != ""},
		{"verify", b.Verify == VerifyEnforce},
	} {
		if setting.set {
			v.fail(path+"."+setting.key, "has no effect: %s", why)
		}
	}
	v.onlyOwnHandshake(b, path, why)
}

// onlyWhenTerminated refuses what needs a backend handshake of our own.
func (v *validator) onlyWhenTerminated(b *Backend, path string) {
	const why = "in mode passthrough the client itself speaks TLS to the backend"
	if b.Verify == VerifyEnforce {
		v.fail(path+".verify", "has no effect: %s", why)
	}
	v.onlyOwnHandshake(b, path, why)
}

func (v *validator) onlyOwnHandshake(b *Backend, path, why string) {
	for _, setting := range []struct {
		key string
		set bool
	}{
		{"revocation", b.Revocation != RevocationOff && b.Revocation != ""},
		{"cert", b.Cert != ""},
		{"min_version", b.MinVersion != ""},
		{"max_version", b.MaxVersion != ""},
	} {
		if setting.set {
			v.fail(path+"."+setting.key, "has no effect: %s", why)
		}
	}
}
