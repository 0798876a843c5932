package main

import (
	"io"
	"strings"
	"testing"
)

// A value behind a blank is no value of a flag that may go without one. Whoever writes it so is told.
func TestValuesBehindABlankAreExplained(t *testing.T) {
	for _, tt := range []struct {
		args      []string
		want, not string
	}{
		{[]string{"--alt-svc", `h3=":443"; ma=86400`}, "--alt-svc=VALUE", "--quic"},
		{[]string{"--original-dst", "tproxy"}, "--original-dst=VALUE", ""},
		{[]string{"--quic", "off", "--listen", ":8443"}, "--quic=VALUE", "--listen"},
		{[]string{"--listen", ":8443", "else"}, `unexpected argument "else"`, "VALUE"},
	} {
		cmd := newProxy()
		cmd.SetArgs(tt.args)
		cmd.SetOut(io.Discard)
		cmd.SetErr(io.Discard)
		err := cmd.Execute()
		if err == nil || !strings.Contains(err.Error(), tt.want) || tt.not != "" && strings.Contains(err.Error(), tt.not) {
			t.Errorf("%q: %v", tt.args, err)
		}
	}
}
