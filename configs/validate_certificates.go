package configs

import (
	"fmt"
	"net/url"
	"strings"
	"time"
)

func (v *validator) acme() {
	a := &v.config.ACME
	for _, part := range []struct {
		key string
		set bool
	}{
		{"email", a.Email != ""}, {"names", len(a.Names) > 0}, {"eab_key_id", a.EABKeyID != ""}, {"eab_key_file", a.EABKeyFile != ""},
		{"http", a.HTTP != ""}, {"dir", a.Dir != ""}, {"ca", a.CA != ""},
	} {
		if part.set && !a.Enabled() {
			v.fail("acme."+part.key, "has no effect without acme.directory")
		}
	}
	if !a.Enabled() {
		return
	}
	if u, err := url.Parse(a.Directory); err != nil || u.Scheme != "https" || u.Host == "" {
		v.fail("acme.directory", "%q is no https:// URL", clip(a.Directory))
	}
	if (a.EABKeyID == "") != (a.EABKeyFile == "") {
		v.fail("acme.eab_key_id", "an external account binding needs both eab_key_id and eab_key_file")
	}
	if len(a.Challenges) == 0 {
		v.fail("acme.challenges", "there is none: tls-alpn-01 and http-01 are known")
	}
	for i, c := range a.Challenges {
		oneOf(v, fmt.Sprintf("acme.challenges[%d]", i), c, ACMETLSALPN, ACMEHTTP)
	}
	for i, name := range a.Names {
		if err := checkHost(strings.TrimPrefix(name, "*.")); err != nil {
			v.fail(fmt.Sprintf("acme.names[%d]", i), "%v", err)
		}
	}
	if a.HTTP != "" {
		if err := checkListenAddress(a.HTTP); err != nil {
			v.fail("acme.http", "%v", err)
		}
	}
	if len(v.config.acmeNames()) == 0 {
		v.fail("acme.names", "there is none, and no listener without certificates names its server_names")
	}
}

// acmeNames are the names to order.
func (c *Config) acmeNames() []string {
	if len(c.ACME.Names) > 0 {
		return c.ACME.Names
	}
	var names []string
	seen := map[string]bool{}
	for i := range c.Listeners {
		l := &c.Listeners[i]
		if len(l.Certificates) > 0 || l.Mode == ModePassthrough {
			continue
		}
		for _, r := range l.Routes {
			for _, name := range r.ServerNames {
				if name = strings.ToLower(name); name != "*" && !seen[name] {
					seen[name] = true
					names = append(names, name)
				}
			}
		}
	}
	return names
}

// Ordered are the names that are ordered by ACME: those that are listed, else the server names of the routes of listeners
// without certificate files.
func (c *Config) Ordered() []string {
	if !c.ACME.Enabled() {
		return nil
	}
	return c.acmeNames()
}

func (v *validator) revocation() {
	if r := v.config.Revocation.Responder; r != "" {
		if u, err := url.Parse(r); err != nil || u.Scheme != "http" || u.Host == "" {
			v.fail("revocation.responder", "%q is no http:// URL: answers are signed, and https would need its own revocation", clip(r))
		}
	}
}

func (v *validator) monitor() {
	m := v.config.Monitor
	if m.Interval != 0 {
		v.duration("monitor.interval", m.Interval, time.Second, 7*24*time.Hour)
	}
	if m.Webhook == "" {
		return
	}
	if u, err := url.Parse(m.Webhook); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		v.fail("monitor.webhook", "%q is no http:// or https:// URL", clip(m.Webhook))
	}
}
