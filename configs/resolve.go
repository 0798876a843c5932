package configs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Overrides collects what flags set, in the order in which they were given. The zero value holds nothing.
type Overrides struct {
	given []override
}

type override struct {
	setting Setting
	text    string
}

// Value is a setting as a flag's value: it fits both the standard flag package and spf13/pflag.
type Value struct {
	setting   Setting
	overrides *Overrides
	text      string
}

// Value makes the flag value of a setting.
func (o *Overrides) Value(s Setting) *Value {
	return &Value{setting: s, overrides: o, text: s.Default}
}

// Set keeps what the flag was given. Text that does not read as the setting's kind is refused here, where the command line
// is still at hand; the rest of the checks is Validate's.
func (v *Value) Set(text string) error {
	if err := new(Config).Set(v.setting, text, ""); err != nil {
		var e *Error
		if errors.As(err, &e) {
			return errors.New(e.Message)
		}
		return err
	}
	v.text = text
	v.overrides.given = append(v.overrides.given, override{v.setting, text})
	return nil
}

// String is the value in force, or the default.
func (v *Value) String() string {
	if v == nil {
		return ""
	}
	return v.text
}

// Type is what help calls the value where the usage line has no better word.
func (v *Value) Type() string {
	if v.IsBoolFlag() {
		return "bool"
	}
	return "value"
}

// IsBoolFlag tells the standard flag package that the flag may stand alone.
func (v *Value) IsBoolFlag() bool { return v.setting.NoValue == "true" }

// apply puts the flags over a configuration.
func (o *Overrides) apply(c *Config) Errors {
	var all Errors
	if o == nil {
		return nil
	}
	for _, g := range o.given {
		all = appendError(all, c.Set(g.setting, g.text, "--"+g.setting.Flag))
	}
	return all
}

// ApplyEnv puts the environment, given as os.Environ gives it, over a configuration. A variable that is set but empty counts
// as not set. Variables with the prefix that are none of ours are left alone, because Kubernetes makes such for each Service
// (TLSTRIAGE_PORT=tcp://…); UnknownEnv lists them.
func (c *Config) ApplyEnv(environ []string) error {
	set := make(map[string]string)
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok && strings.HasPrefix(name, EnvPrefix) && value != "" {
			set[name] = value
		}
	}
	var all Errors
	for _, s := range Settings() {
		if text, ok := set[s.Env()]; ok {
			all = appendError(all, c.Set(s, text, s.Env()))
		}
	}
	return all.orNil()
}

// UnknownEnv lists the variables of an environment that have our prefix and no meaning to us, sorted, for a warning.
// TLSTRIAGE_CONFIG, the configuration file's name, is known, and so are the variables that Kubernetes makes for a Service of
// this program's name (TLSTRIAGE_PORT_443_TCP_ADDR, TLSTRIAGE_SERVICE_HOST).
func UnknownEnv(environ []string) []string {
	known := map[string]bool{EnvPrefix + "CONFIG": true}
	for _, s := range Settings() {
		known[s.Env()] = true
	}
	var unknown []string
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, EnvPrefix) && !known[name] && !strings.HasPrefix(name, EnvPrefix+"PORT") && !strings.HasPrefix(name, EnvPrefix+"SERVICE_") {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return unknown
}

// Resolve puts everything together: defaults, then the file (nil data: there is none), the environment, and the flags (nil:
// none), each beating what came before; then it validates. The error is Errors with everything that is wrong.
func Resolve(data []byte, file string, environ []string, flags *Overrides) (*Config, error) {
	c := Default()
	if data != nil {
		if err := c.load(data, file); err != nil {
			return nil, err
		}
	}
	if err := c.ApplyEnv(environ); err != nil {
		return nil, err
	}
	if all := flags.apply(c); len(all) > 0 {
		return nil, all
	}
	if err := c.Validate(); err != nil {
		if data == nil {
			nameFlags(err)
		}
		return nil, err
	}
	c.warnings = append(c.warnings, flags.repeated()...)
	return c, nil
}

// nameFlags says of what nothing set which flag would: without a file, that is where people set it.
func nameFlags(err error) {
	var all Errors
	if !errors.As(err, &all) {
		return
	}
	for _, e := range all {
		if e.Source != "" {
			continue
		}
		for _, s := range Settings() {
			if s.Path == e.Path || strings.HasPrefix(s.Path, e.Path+"[") {
				e.Source = "--" + s.Flag
				break
			}
		}
	}
}

// repeated are flags of which there may be several in a file, and that were given another value before the one that counts. That the last
// one of others counts is what people rely on.
func (o *Overrides) repeated() (all []*Error) {
	if o == nil {
		return nil
	}
	last := make(map[string]string)
	for _, g := range slices.Backward(o.given) {
		if flag := g.setting.Flag; flag != "listen" && flag != "backend" && flag != "cert" {
			continue
		}
		counts, later := last[g.setting.Flag]
		if !later {
			last[g.setting.Flag] = g.text
		} else if counts != g.text {
			all = append(all, &Error{Source: "--" + g.setting.Flag, Path: g.setting.Path, Message: fmt.Sprintf(
				"given again: %s has no effect, %s has; several listeners, routes or certificates are for a file (--config)", clip(g.text), clip(counts))})
		}
	}
	slices.Reverse(all)
	return all
}

func appendError(all Errors, err error) Errors {
	var e *Error
	if errors.As(err, &e) {
		return append(all, e)
	}
	return all
}
