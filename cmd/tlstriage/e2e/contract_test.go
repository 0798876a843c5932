package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// checkContract holds a printed record against the contract of records: names, forms, closed sets, and what follows from
// other fields. It reads the JSON alone, as a program of somebody else would.
func checkContract(t *testing.T, r *record) {
	t.Helper()
	problems := contractProblems(r.line)
	for _, p := range problems {
		t.Errorf("contract: %s", p)
	}
	if len(problems) > 0 {
		t.Logf("%s", r)
	}
}

func contractProblems(line []byte) []string {
	c := &contract{}
	if bytes.Count(line, []byte("\n")) != 1 || line[len(line)-1] != '\n' {
		c.problems = append(c.problems, fmt.Sprintf("a record is one line: %q", line))
	}
	var v map[string]any
	if err := json.Unmarshal(line, &v); err != nil {
		return append(c.problems, err.Error())
	}
	c.record(object{c, "", v})
	return c.problems
}

// The check itself must notice what breaks the contract.
func TestContractCheckNoticesWhatBreaksIt(t *testing.T) {
	t.Parallel()
	p := startProxy(t, healthyGo(t).args("--policy", strict)...)
	sClient("-tls1", "-cipher", "DEFAULT@SECLEVEL=0")(t, p.Addr)
	good := p.next().line
	for _, c := range []struct{ name, old, new string }{
		{"schema", `"schema":1`, `"schema":2`},
		{"time", `"@timestamp":"2`, `"@timestamp":"x2`},
		{"source", `"source":"proxy"`, `"source":"proxi"`},
		{"outcome", `"outcome":"success"`, `"outcome":"failure"`},
		{"verdict", `"verdict":"failed"`, `"verdict":"warning"`},
		{"cause without fault", `"fault":"client"`, `"faults":"client"`},
		{"fault", `"fault":"client"`, `"fault":"nobody"`},
		{"version", `"version":"TLSv1.0"`, `"version":"TLS 1.0"`},
		{"renamed field", `"supported_ciphers":`, `"cipher_suites":`},
		{"order of suites", `"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA","TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"`, `"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA","TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"`},
		{"raw hello", `"raw":"AQA`, `"raw":"AgA`},
		{"name", `"server_name":"` + site, `"server_name":"other.example`},
		{"rejected_by", `"rejected_by":"version"`, `"rejected_by":"versions"`},
		{"two lines", `"schema"`, "\n\"schema\""},
	} {
		broken := &record{line: bytes.Replace(good, []byte(c.old), []byte(c.new), 1)}
		if bytes.Equal(broken.line, good) {
			t.Errorf("%s: %s is not in the record: %s", c.name, c.old, good)
		} else if len(contractProblems(broken.line)) == 0 {
			t.Errorf("%s is not noticed", c.name)
		}
	}
	if problems := contractProblems(good); len(problems) > 0 {
		t.Errorf("%v", problems)
	}
}

type contract struct {
	problems []string
	quic     bool // the leg is one over QUIC, which has no records
}

// object is one JSON object with its path.
type object struct {
	c    *contract
	path string
	m    map[string]any
}

func (o object) complain(key, format string, args ...any) {
	o.c.problems = append(o.c.problems, o.path+"."+key+": "+fmt.Sprintf(format, args...))
}

// keys are all that the object may have.
func (o object) keys(names string) {
	known := strings.Fields(names)
	for k := range o.m {
		if !slices.Contains(known, k) {
			o.complain(k, "not in the contract")
		}
	}
}

func (o object) has(key string) bool { _, ok := o.m[key]; return ok }

func (o object) object(key string) (object, bool) {
	v, ok := o.m[key]
	if !ok {
		return object{}, false
	}
	m, ok := v.(map[string]any)
	if !ok {
		o.complain(key, "%T, want an object", v)
	}
	return object{o.c, o.path + "." + key, m}, ok
}

func (o object) objects(key string) []object {
	list, ok := o.m[key].([]any)
	if o.has(key) && !ok {
		o.complain(key, "%T, want a list", o.m[key])
	}
	var out []object
	for i, v := range list {
		m, ok := v.(map[string]any)
		if !ok {
			o.complain(key, "%T, want an object", v)
			continue
		}
		out = append(out, object{o.c, fmt.Sprintf("%s.%s[%d]", o.path, key, i), m})
	}
	return out
}

// text is a string that must be there unless optional.
func (o object) text(key string, optional bool) string {
	v, ok := o.m[key]
	if !ok {
		if !optional {
			o.complain(key, "absent")
		}
		return ""
	}
	s, ok := v.(string)
	if !ok || s == "" {
		o.complain(key, "%v (%T), want text", v, v)
	}
	return s
}

func (o object) oneOf(key, set string, optional bool) string {
	s := o.text(key, optional)
	if s != "" && !slices.Contains(strings.Fields(set), s) {
		o.complain(key, "%q is not one of %s", s, set)
	}
	return s
}

func (o object) matches(key string, form *regexp.Regexp, optional bool) {
	if s := o.text(key, optional); s != "" && !form.MatchString(s) {
		o.complain(key, "%q has not the form %s", s, form)
	}
}

func (o object) number(key string, optional bool) float64 {
	v, ok := o.m[key]
	if !ok {
		if !optional {
			o.complain(key, "absent")
		}
		return 0
	}
	n, ok := v.(float64)
	if !ok || n < 0 {
		o.complain(key, "%v (%T), want a number", v, v)
	}
	return n
}

func (o object) boolean(key string, optional bool) bool {
	v, ok := o.m[key]
	b, isBool := v.(bool)
	if ok && !isBool || !ok && !optional {
		o.complain(key, "%v, want true or false", v)
	}
	return b
}

func (o object) texts(key string) []string {
	v, ok := o.m[key]
	if !ok {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		o.complain(key, "%T, want a list", v)
	}
	var out []string
	for _, x := range list {
		s, ok := x.(string)
		if !ok {
			o.complain(key, "%v, want text", x)
		}
		out = append(out, s)
	}
	return out
}

func (o object) time(key string, optional bool) {
	s := o.text(key, optional)
	if s == "" {
		return
	}
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		o.complain(key, "%v", err)
	} else if _, offset := at.Zone(); offset != 0 || !strings.HasSuffix(s, "Z") {
		o.complain(key, "%q is not in UTC", s)
	}
}

const (
	versionNames = "SSLv2 SSLv3 TLSv1.0 TLSv1.1 TLSv1.2 TLSv1.3"
	errorTypes   = "not_tls malformed_hello hello_too_large incomplete_hello empty timeout closed reset refused unreachable unresolvable alert_received alert_sent policy no_route certificate_pending views_differ no_common_version no_common_cipher no_common_group no_common_signature no_common_alpn unsupported no_certificate client_certificate certificate proxy_protocol starttls loop overloaded shutdown other"
	phases       = "proxy_protocol starttls peek decide resolve dial handshake transfer"
)

var (
	kebab      = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	hex32      = regexp.MustCompile(`^[0-9a-f]{32}$`)
	hex64      = regexp.MustCompile(`^[0-9a-f]{64}$`)
	serial     = regexp.MustCompile(`^[0-9A-F]+$`)
	ja4Form    = regexp.MustCompile(`^[tqd](1[0-3]|s[23]|d[123]|00)[di][0-9]{4}[0-9a-zA-Z]{2}_[0-9a-f]{12}_[0-9a-f]{12}$`)
	cipherName = regexp.MustCompile(`^((TLS|SSL)_[A-Za-z0-9_]+|0x[0-9A-F]{4})$`)
	snake      = regexp.MustCompile(`^[a-z0-9_]+$`)
)

func (c *contract) http(o object) {
	o.keys("protocol backend_protocol requests backend_connections statuses failures failures_more alt_svc")
	o.oneOf("protocol", "HTTP/1.1 HTTP/2.0 HTTP/3.0", false)
	o.oneOf("backend_protocol", "HTTP/1.0 HTTP/1.1 HTTP/2.0 HTTP/3.0", true)
	o.number("requests", false)
	o.number("backend_connections", false)
	for _, s := range o.objects("statuses") {
		s.keys("code count")
		if code := s.number("code", false); code < 100 || code > 999 {
			s.complain("code", "%v", code)
		}
	}
	for _, f := range o.objects("failures") {
		f.keys("type status midway message host")
		f.oneOf("type", "backend_leg closed reset timeout bad_response http2 tls large_header stream_reset unavailable alert misdirected redirect_loop draining bad_request slow_request unread outlived other", false)
		f.boolean("midway", true)
		f.number("status", false)
	}
}

func (c *contract) record(o object) {
	o.keys("schema @timestamp event transport listener route client server client_leg backend_leg canary http policy findings verdict cause fault")
	if o.number("schema", false) != 1 {
		o.complain("schema", "%v, want 1", o.m["schema"])
	}
	o.time("@timestamp", false)
	event, _ := o.object("event")
	event.keys("id source duration_ms outcome end")
	event.oneOf("end", "client backend idle lifetime shutdown proxy", true)
	event.text("id", false)
	event.oneOf("source", "proxy replay", false)
	event.number("duration_ms", false)
	outcome := event.oneOf("outcome", "success failure", false)
	o.oneOf("transport", "tcp quic", false)
	o.text("listener", false)
	for _, end := range []string{"client", "server"} {
		e, ok := o.object(end)
		if !ok {
			o.complain(end, "absent")
			continue
		}
		e.keys("address port")
		e.text("address", false)
		if p := e.number("port", false); p < 1 || p > 65535 {
			e.complain("port", "%v", p)
		}
	}
	established := c.leg(o, "client_leg", false)
	if o.has("backend_leg") {
		established = c.leg(o, "backend_leg", true) && established
	}
	if established != (outcome == "success") {
		event.complain("outcome", "%q where all legs established is %v", outcome, established)
	}
	if h, ok := o.object("http"); ok {
		c.http(h)
	}
	if p, ok := o.object("policy"); ok {
		c.policy(p)
	}
	c.judgement(o, established)
}

func (c *contract) judgement(o object, established bool) {
	verdict := o.oneOf("verdict", "ok warning failed", false)
	if (verdict == "ok") == o.has("cause") || o.has("cause") != o.has("fault") {
		o.complain("verdict", "%q with cause %v and fault %v", verdict, o.m["cause"], o.m["fault"])
	}
	o.matches("cause", kebab, true)
	o.oneOf("fault", "client policy backend network proxy noise", true)
	findings := o.objects("findings")
	worst := ""
	rank := []string{"", "info", "warning", "error"}
	for _, f := range findings {
		f.keys("id severity leg title detail offered accepted fixes citation caused_by")
		f.matches("id", kebab, false)
		severity := f.oneOf("severity", "error warning info", false)
		f.oneOf("leg", "client backend between", false)
		if title := f.text("title", false); strings.Contains(title, "\n") {
			f.complain("title", "more than one line")
		}
		f.text("detail", false)
		f.text("citation", false)
		f.texts("offered")
		f.texts("accepted")
		f.texts("caused_by")
		for _, x := range f.objects("fixes") {
			x.keys("target action snippet")
			x.text("target", false)
			x.text("action", false)
		}
		if slices.Index(rank, severity) > slices.Index(rank, worst) {
			worst = severity
		}
	}
	if len(findings) > 0 && o.has("cause") && findings[0].m["id"] != o.m["cause"] {
		o.complain("findings", "the first is %v, the cause %v", findings[0].m["id"], o.m["cause"])
	}
	switch {
	case worst == "error" && verdict != "failed", worst == "warning" && verdict == "ok", established && worst != "error" && verdict == "failed":
		o.complain("verdict", "%q where the worst finding is %q and established is %v", verdict, worst, established)
	}
}

func (c *contract) policy(p object) {
	p.keys("name accepted version cipher curve next_protocol rejected_by offered accepts alert hello_retry_request uncertain enforced")
	p.text("name", false)
	accepted := p.boolean("accepted", false)
	p.oneOf("version", versionNames, true)
	p.matches("cipher", cipherName, true)
	rejected := p.oneOf("rejected_by", "version cipher curve signature server_name alpn client_certificate", true)
	if accepted == (rejected != "") || accepted != p.has("version") {
		p.complain("accepted", "%v, rejected_by %q, version %v", accepted, rejected, p.m["version"])
	}
	p.texts("offered")
	p.texts("accepts")
}

// leg checks one leg and reports whether it was established.
func (c *contract) leg(o object, key string, backend bool) bool {
	l, ok := o.object(key)
	if !ok {
		o.complain(key, "absent")
		return false
	}
	l.keys("address port tls tcp quic error first_bytes server_name proxy_protocol starttls plain passthrough peer_end open_ended unanswered silent looks experiment")
	if s, ok := l.object("starttls"); ok {
		s.keys("protocol direct refused answer")
		s.oneOf("protocol", "postgres smtp imap pop3 ldap", false)
		s.boolean("direct", true)
		s.boolean("refused", true)
		s.text("answer", true)
	}
	l.oneOf("peer_end", "close_notify truncated fin reset connection_close", true)
	l.boolean("open_ended", true)
	l.boolean("unanswered", true)
	l.boolean("silent", true)
	c.quic = l.has("quic")
	if backend {
		l.text("address", false)
		l.number("port", false)
	}
	failed := false
	if e, ok := l.object("error"); ok {
		e.keys("type message phase")
		e.oneOf("type", errorTypes, false)
		failed = e.oneOf("phase", phases, true) != "transfer" || e.m["type"] == "alert_received"
	}
	if f, ok := l.object("first_bytes"); ok {
		f.keys("protocol raw summary")
		f.matches("protocol", snake, false)
		c.base64(f, "raw", true)
	}
	for _, look := range l.objects("looks") {
		c.look(look)
	}
	if l.has("looks") && !backend {
		l.complain("looks", "of the client's leg")
	}
	if x, ok := l.object("quic"); ok {
		x.keys("version server_versions datagrams short_datagrams crypto_frames retries token transport_parameters close")
		x.number("datagrams", false)
		for _, p := range x.objects("transport_parameters") {
			p.keys("name value size")
			p.text("name", false)
		}
		if end, ok := x.object("close"); ok {
			end.keys("from application code name reason")
			end.oneOf("from", "client server", false)
			end.text("name", false)
		}
	}
	if x, ok := l.object("tcp"); ok {
		x.keys("rtt_ms retransmits mss path_mtu")
		x.number("rtt_ms", false)
		x.number("retransmits", false)
		x.number("mss", false)
	}
	if e, ok := l.object("error"); ok && e.m["type"] == "malformed_hello" {
		return false // what can be said of its hello is open
	}
	x, ok := l.object("tls")
	if !ok {
		return !failed && (l.boolean("plain", true) || l.boolean("passthrough", true))
	}
	return c.tls(x, backend) && !failed
}

func (c *contract) base64(o object, key string, optional bool) []byte {
	s := o.text(key, optional)
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		o.complain(key, "%v", err)
	}
	return b
}

func (c *contract) tls(x object, backend bool) bool {
	x.keys("established version cipher curve next_protocol resumed hello_retry_request signature_scheme client server alerts handshake")
	established := x.boolean("established", false)
	x.boolean("resumed", false)
	x.boolean("hello_retry_request", false)
	version := x.oneOf("version", versionNames, !established)
	x.matches("cipher", cipherName, !established)
	if established && version == "TLSv1.3" && !x.boolean("resumed", false) {
		x.text("curve", false)
	}
	if h, ok := x.object("client"); ok {
		c.hello(h, backend)
	} else if established {
		x.complain("client", "absent")
	}
	if s, ok := x.object("server"); ok {
		c.server(s)
	}
	for _, a := range x.objects("alerts") {
		c.alert(a)
	}
	if h, ok := x.object("handshake"); ok {
		h.keys("history duration_ms")
		h.number("duration_ms", false)
		if s, _ := h.m["history"].(string); established && !strings.HasPrefix(s, "C") {
			h.complain("history", "%q of an established leg does not begin with the client's hello", s)
		}
	} else {
		x.complain("handshake", "absent")
	}
	return established
}

const helloKeys = "server_name legacy_version record_version supported_versions supported_versions_derived supported_ciphers supported_groups key_share_groups " +
	"signature_algorithms signature_algorithms_cert alpn_protocols extensions compression_methods ec_point_formats psk_key_exchange_modes early_data ech " +
	"ja3 ja3_string ja4 ja4_r shape hello retry_hello certificate revocation"

func (c *contract) hello(h object, backend bool) {
	h.keys(helloKeys)
	m, ok := h.object("hello")
	if !ok {
		h.complain("hello", "absent")
		return
	}
	m.keys("size records segments grease sslv2 complete raw")
	size := m.number("size", false)
	m.number("records", false)
	m.number("segments", false)
	m.boolean("grease", false)
	sslv2 := m.boolean("sslv2", false)
	if !m.boolean("complete", false) {
		return
	}
	h.oneOf("legacy_version", versionNames, false)
	h.oneOf("record_version", versionNames, sslv2 || h.c.quic)
	h.oneOf("ech", "none grease_or_outer", true)
	h.boolean("early_data", false)
	for _, v := range h.texts("supported_versions") {
		if !slices.Contains(strings.Fields(versionNames), v) {
			h.complain("supported_versions", "%q", v)
		}
	}
	suites := h.texts("supported_ciphers")
	if len(suites) == 0 {
		h.complain("supported_ciphers", "none")
	}
	for _, s := range suites {
		if !cipherName.MatchString(s) && !sslv2 {
			h.complain("supported_ciphers", "%q", s)
		}
	}
	if !sslv2 {
		h.matches("ja3", hex32, false)
		h.text("ja3_string", false)
		h.matches("ja4", ja4Form, false)
		h.text("ja4_r", false)
	}
	h.text("shape", false)
	if r, ok := h.object("retry_hello"); ok {
		c.hello(r, true)
	}
	if x, ok := h.object("certificate"); ok {
		c.certificate(x)
	}
	if r, ok := h.object("revocation"); ok {
		c.revocation(r)
	}
	if !backend {
		c.raw(h, m, int(size), sslv2, suites)
	}
}

// raw reads the hello again from its bytes: they must be those that the record describes.
func (c *contract) raw(h, m object, size int, sslv2 bool, suites []string) {
	raw := c.base64(m, "raw", false)
	if len(raw) != size && !sslv2 {
		m.complain("raw", "%d bytes, size %d", len(raw), size)
	}
	var hello wire.ClientHello
	var err error
	if sslv2 {
		err = wire.ParseSSLv2ClientHello(raw, &hello)
	} else {
		err = wire.ParseClientHello(raw, &hello)
	}
	if err != nil {
		m.complain("raw", "does not parse: %v", err)
		return
	}
	var again []string
	for i := range hello.CipherSuites.Len() {
		if s := hello.CipherSuites.At(i); !wire.IsGREASE(uint16(s)) {
			again = append(again, s.String())
		}
	}
	if !sslv2 && !slices.Equal(again, suites) {
		h.complain("supported_ciphers", "%v, on the wire %v", suites, again)
	}
	if name, _ := h.m["server_name"].(string); !sslv2 && name != string(hello.ServerName) {
		h.complain("server_name", "%q, on the wire %q", name, hello.ServerName)
	}
}

func (c *contract) server(s object) {
	s.keys("certificate_chain certificates_sent ocsp scts sct_list revocation validation certificate_request")
	for _, x := range s.objects("certificate_chain") {
		c.certificate(x)
	}
	if o, ok := s.object("ocsp"); ok {
		o.keys("stapled status detail raw")
		o.boolean("stapled", false)
		o.oneOf("status", "good revoked unknown expired invalid", true)
	}
	if r, ok := s.object("revocation"); ok {
		c.revocation(r)
	}
	if v, ok := s.object("validation"); ok {
		v.keys("status error")
		v.oneOf("status", "valid invalid not_checked not_visible", false)
	}
	if r, ok := s.object("certificate_request"); ok {
		r.keys("authorities types signature_algorithms certificate_sent refusal")
		r.boolean("certificate_sent", false)
	}
}

const revocationStates = "good revoked unknown pending not_needed not_checked"

func (c *contract) revocation(r object) {
	r.keys("mode status must_staple certificates")
	r.oneOf("mode", "staple check require", false)
	r.oneOf("status", revocationStates, false)
	r.boolean("must_staple", true)
	for _, x := range r.objects("certificates") {
		x.keys("index subject status detail source url reason revoked_at this_update next_update")
		x.number("index", false)
		x.text("subject", false)
		status := x.oneOf("status", revocationStates, false)
		x.text("detail", status == "good" || status == "revoked")
		source := x.oneOf("source", "staple ocsp crl", true)
		if (status == "good" || status == "revoked") != (source != "") {
			x.complain("source", "%q of a certificate that is %s", source, status)
		}
		x.text("url", true)
		x.text("reason", true)
		for _, at := range []string{"revoked_at", "this_update", "next_update"} {
			x.time(at, true)
		}
		if x.has("revoked_at") && status != "revoked" {
			x.complain("revoked_at", "of a certificate that is %s", status)
		}
	}
}

// look checks what a backend answered to another name.
func (c *contract) look(l object) {
	l.keys("server_name origin established version certificate alert error")
	if _, ok := l.m["server_name"].(string); !ok {
		l.complain("server_name", "%v, want text", l.m["server_name"])
	}
	if origin := l.oneOf("origin", "none client configured host no_alpn", false); origin == "none" && l.m["server_name"] != "" {
		l.complain("server_name", "%v where none was sent", l.m["server_name"])
	}
	if established := l.boolean("established", false); established == l.has("error") {
		l.complain("established", "%v with error %v", established, l.m["error"])
	}
	l.oneOf("version", versionNames, true)
	if x, ok := l.object("certificate"); ok {
		c.certificate(x)
		if x.has("raw") {
			x.complain("raw", "kept of a look")
		}
	}
	if a, ok := l.object("alert"); ok {
		c.alert(a)
	}
	if e, ok := l.object("error"); ok {
		e.keys("type message phase")
		e.oneOf("type", errorTypes, false)
	}
}

func (c *contract) alert(a object) {
	a.keys("level code description from")
	a.oneOf("level", "warning fatal", false)
	a.number("code", false)
	a.matches("description", snake, false)
	a.oneOf("from", "client server", false)
}

func (c *contract) certificate(x object) {
	x.keys("subject issuer serial_number not_before not_after alternative_names public_key_algorithm public_key_size signature_algorithm is_ca hash error raw")
	x.text("issuer", false)
	x.matches("serial_number", serial, false)
	x.time("not_before", false)
	x.time("not_after", false)
	x.text("public_key_algorithm", false)
	x.text("signature_algorithm", false)
	x.boolean("is_ca", false)
	hash, _ := x.object("hash")
	hash.matches("sha256", hex64, false)
}
