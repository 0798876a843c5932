package chain_test

import (
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/certs/chain"
)

func TestExamineNames(t *testing.T) {
	p := certstest.New(t)
	for _, tt := range []struct {
		asked   string
		names   []string
		nearest string // "": the name is covered
		says    string
	}{
		{"api.example.com", []string{"api.example.com"}, "", ""},
		{"API.Example.com", []string{"api.example.com"}, "", ""},
		{"api.example.com.", []string{"api.example.com"}, "", ""},
		{"192.0.2.1", []string{"192.0.2.1"}, "", ""},
		{"::1", []string{"0:0:0:0:0:0:0:1"}, "", ""},
		{"[::1]", []string{"::1"}, "", ""},
		{"", []string{"api.example.com"}, "", ""},
		{"a.b.example.com", []string{"unlike.invalid", "*.example.com"}, "*.example.com", "*.example.com does not cover a.b.example.com, a wildcard stands for one label only"},
		{"example.com", []string{"*.example.com"}, "*.example.com", "*.example.com does not cover example.com itself"},
		{"api.example.com", []string{"www.unlike.invalid", "apl.example.com", "www.example.com"}, "apl.example.com", "it is for apl.example.com, www.example.com, www.unlike.invalid"},
		{"api.example.com", []string{"x.example.com", "api.exampel.com"}, "api.exampel.com", "is for api.exampel.com"},
		{"api.internal", []string{"a.example.com", "b.internal"}, "b.internal", "b.internal"},
		{"api.example.com", []string{"192.0.2.1"}, "192.0.2.1", "it is for 192.0.2.1"},
		{"192.0.2.1", []string{"a.example.com"}, "a.example.com", "no IP address entry"},
		{"192.0.2.1", []string{"192.0.2.2", "a.example.com"}, "192.0.2.2", "its addresses are 192.0.2.2"},
	} {
		t.Run(tt.asked+" of "+strings.Join(tt.names, ","), func(t *testing.T) {
			leaf := p.Leaf(tt.names...)
			o := options(p)
			o.Name = tt.asked
			r := chain.Examine(raw(leaf.Chain()...), o)
			if tt.nearest == "" {
				want(t, r, "")
				return
			}
			want(t, r, "cert-name-mismatch")
			f := r.Faults[0]
			if len(f.Names) == 0 || f.Names[0] != tt.nearest || !strings.Contains(f.Detail, tt.says) {
				t.Errorf("%v: %s\nwant %s … %s", f.Names, f.Detail, tt.nearest, tt.says)
			}
		})
	}
}

func TestExamineNamesThatAreNone(t *testing.T) {
	p := certstest.New(t)
	for what, tt := range map[string]struct {
		template certs.Template
		asked    string
		says     string
	}{
		"common name only": {certs.Template{CommonName: "api.example.com"}, "api.example.com", "only the common name api.example.com"},
		"no name at all":   {certs.Template{}, "api.example.com", "no name at all"},
	} {
		o := options(p)
		o.Name = tt.asked
		r := chain.Examine(raw(p.Issue(p.Issuing, tt.template).Chain()...), o)
		want(t, r, "cert-name-mismatch")
		if !strings.Contains(r.Faults[0].Detail, tt.says) {
			t.Errorf("%s: %s", what, r.Faults[0].Detail)
		}
	}
}
