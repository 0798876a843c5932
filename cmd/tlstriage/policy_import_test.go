package main

import (
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
)

func TestOriginIsFileAndLineAsFarAsThereIsOne(t *testing.T) {
	for want, f := range map[string]imported.Fact{
		"lb.cfg:7":            {File: "lb.cfg", Line: 7, Setting: "bind"},
		"site.pem":            {File: "site.pem", Setting: "certificate"},
		"default: the manual": {Setting: "alpn", Default: true, Source: "the manual"},
		"default":             {Setting: "alpn", Default: true},
	} {
		if got := origin(f); got != want {
			t.Errorf("%+v: %q, want %q", f, got, want)
		}
	}
}
