package configs

import (
	"cmp"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Validate completes the listeners and routes with their defaults and reports everything that is wrong, as Errors, each with
// its key and, where it is known, the line, flag or variable that set it. A nil error means that nothing in the configuration
// itself stands in the way of a start; files, policies and ports are looked at by whoever opens them.
func (c *Config) Validate() error {
	c.complete()
	c.warnings = nil
	v := validator{config: c}
	v.listeners()
	v.admin()
	v.acme()
	v.revocation()
	v.monitor()
	oneOf(&v, "second_look", c.SecondLook, On, Off)
	oneOf(&v, "explain_backend", c.Explain, On, Off)
	v.shadow()
	v.limits()
	oneOf(&v, "record.raw", c.Record.Raw, RawAll, RawFailures, RawNone)
	oneOf(&v, "access_log.format", c.AccessLog.Format, AccessJSON, AccessCombined)
	oneOf(&v, "access_log.query", c.AccessLog.Query, On, Off)
	v.number("record.pcapng_files", c.Record.PcapngFiles, 1, 1_000_000)
	v.idle()
	oneOf(&v, "output", c.Output, OutputText, OutputJSON)
	oneOf(&v, "fail_on", c.FailOn, FailOnError, FailOnWarning, FailOnInfo, FailOnNever)
	oneOf(&v, "log.level", c.Log.Level, LogDebug, LogInfo, LogWarn, LogError)
	oneOf(&v, "log.format", c.Log.Format, OutputText, OutputJSON)
	v.duration("expiring_soon", c.ExpiringSoon, 0, 10*365*24*time.Hour)
	slices.SortStableFunc(v.errors, func(a, b *Error) int { return cmp.Compare(a.fileOrder(), b.fileOrder()) })
	return v.errors.orNil()
}

// Warnings are what Validate found to be of no effect although nothing is wrong with it.
func (c *Config) Warnings() []*Error { return c.warnings }

// idle refuses what has no effect: whoever asked for it believes that it has. A file may show a default where that is nothing.
func (v *validator) idle() {
	c, defaults := v.config, Default()
	const requests, log = "has no effect without a listener in mode http, where requests are read", "has no effect without access_log.file (--access-log)"
	t, was := c.Limits.Timeouts, defaults.Limits.Timeouts
	http := slices.ContainsFunc(c.Listeners, func(l Listener) bool { return l.Mode == ModeHTTP })
	asks := slices.ContainsFunc(c.Listeners, func(l Listener) bool {
		return slices.ContainsFunc(l.Routes, func(r Route) bool {
			return r.Backend.Revocation == RevocationCheckIt || r.Backend.Revocation == RevocationRequire
		})
	})
	for _, setting := range []struct {
		path    string
		has     bool // an effect
		changed bool
		why     string
	}{
		{"access_log.file", http, c.AccessLog.File != "", requests},
		{"access_log.format", c.AccessLog.File != "", c.AccessLog.Format != defaults.AccessLog.Format, log},
		{"access_log.query", c.AccessLog.File != "", c.AccessLog.Query != defaults.AccessLog.Query, log},
		{"record.pcapng_files", c.Record.PcapngDir != "", c.Record.PcapngFiles != defaults.Record.PcapngFiles, "has no effect without record.pcapng_dir (--write-pcapng)"},
		{"revocation.hosts", asks || c.Revocation.FetchIntermediates, len(c.Revocation.Hosts) > 0,
			"has no effect: nobody is asked without a backend whose revocation is check or require (--revocation), or fetch_intermediates (--fetch-intermediates)"},
		{"revocation.responder", asks, c.Revocation.Responder != "", "has no effect: nobody is asked without a backend whose revocation is check or require (--revocation)"},
		{"limits.timeouts.request_header", http, t.RequestHeader != was.RequestHeader, requests},
		{"limits.timeouts.request_body", http, t.RequestBody != was.RequestBody, requests},
		{"limits.timeouts.response", http, t.Response != was.Response, requests},
	} {
		if !setting.has && (setting.changed || v.config.commanded(setting.path)) {
			v.fail(setting.path, "%s", setting.why)
		}
	}
}

func (v *validator) shadow() {
	s := v.config.Shadow
	if host, port, err := net.SplitHostPort(s.To); s.Enabled() && (err != nil || host == "" || port == "") {
		v.fail("shadow.to", "%q is not HOST:PORT", s.To)
	}
	if s.ServerName != "" {
		if err := checkHost(s.ServerName); err != nil {
			v.fail("shadow.server_name", "%v", err)
		}
	}
	for _, path := range [...]string{"shadow.server_name", "shadow.proxy_protocol", "shadow.interval", "shadow.rate"} {
		if !s.Enabled() && v.config.Given(path) {
			v.fail(path, "has no effect without shadow.to (--shadow)")
		}
	}
	oneOf(v, "shadow.proxy_protocol", s.ProxyProtocol, ProxyHeaderNone, ProxyHeaderV1, ProxyHeaderV2)
	v.duration("shadow.interval", s.Interval, time.Second, 30*24*time.Hour)
	v.number("shadow.rate", s.Rate, 1, 1000)
}

// validator gathers errors and warnings.
type validator struct {
	config *Config
	errors Errors
}

func (v *validator) warn(path, format string, args ...any) {
	v.config.warnings = append(v.config.warnings, v.config.errorAt(path, format, args...))
}

func (v *validator) fail(path, format string, args ...any) {
	if len(v.errors) < maxErrors {
		v.errors = append(v.errors, v.config.errorAt(path, format, args...))
	}
}

// oneOf holds an enumeration. It is a function because methods take no type parameters.
func oneOf[T ~string](v *validator, path string, value T, allowed ...T) {
	if slices.Contains(allowed, value) {
		return
	}
	names := make([]string, len(allowed))
	for i, a := range allowed {
		names[i] = string(a)
	}
	v.fail(path, "%q is not one of %s", clip(string(value)), strings.Join(names, ", "))
}

func (v *validator) duration(path string, value, low, high time.Duration) {
	if value < low || value > high {
		v.fail(path, "%v is not between %v and %v", value, low, high)
	}
}

func (v *validator) number(path string, value, low, high int) {
	if value < low || value > high {
		v.fail(path, "%d is not between %d and %d", value, low, high)
	}
}

func (v *validator) admin() {
	admin := v.config.Admin
	if admin.Enabled() {
		if err := checkListenAddress(admin.Address); err != nil {
			v.fail("admin.address", "%v", err)
		}
	} else if admin.Address == "" {
		v.fail("admin.address", "no address: write HOST:PORT or %q", AdminOff)
	}
	for i, host := range admin.Hosts {
		if err := checkHost(host); err != nil {
			v.fail(fmt.Sprintf("admin.hosts[%d]", i), "%v", err)
		}
	}
}

func (v *validator) limits() {
	l := v.config.Limits
	v.number("limits.connections", l.Connections, 1, 1_000_000)
	v.number("limits.queue", l.Queue, 1, 1_000_000)
	v.number("limits.recent", l.Recent, 1, 100_000)
	const low, high Size = 512, 1 << 20
	if l.HelloBytes < low || l.HelloBytes > high {
		v.fail("limits.hello_bytes", "%v is not between %v and %v", l.HelloBytes, low, high)
	}
	t := l.Timeouts
	for _, bound := range []struct {
		key   string
		value time.Duration
		high  time.Duration
	}{
		{"proxy_protocol", t.ProxyProtocol, 5 * time.Minute},
		{"client_hello", t.ClientHello, 5 * time.Minute},
		{"dial", t.Dial, 5 * time.Minute},
		{"handshake", t.Handshake, 5 * time.Minute},
		{"backend_handshake", t.BackendHandshake, 5 * time.Minute},
		{"request_header", t.RequestHeader, 5 * time.Minute},
		{"request_body", t.RequestBody, 24 * time.Hour},
		{"response", t.Response, 24 * time.Hour},
		{"bad_gateway", t.BadGateway, 5 * time.Minute},
		{"linger", t.Linger, 10 * time.Second},
		{"idle", t.Idle, 7 * 24 * time.Hour},
		{"drain", t.Drain, 24 * time.Hour},
	} {
		v.duration("limits.timeouts."+bound.key, bound.value, 10*time.Millisecond, bound.high)
	}
	if t.Lifetime != 0 {
		v.duration("limits.timeouts.lifetime", t.Lifetime, 10*time.Millisecond, 365*24*time.Hour)
	}
}

// listenerName is what a name in records and metric labels may be made of.
var listenerName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
