package diagnose

import (
	"strings"
	"sync"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

// albPolicies and clbPolicies are the predefined policies of AWS that are worth naming to somebody, the strictest first. What each
// accepts is the policy package's to know; here is only which one to prefer among those that take a client.
var (
	albPolicies = sync.OnceValue(func() []*policy.Policy {
		return known("aws/ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09", "aws/ELBSecurityPolicy-TLS13-1-2-Res-2021-06", "aws/ELBSecurityPolicy-TLS13-1-2-2021-06",
			"aws/ELBSecurityPolicy-TLS13-1-2-Ext1-2021-06", "aws/ELBSecurityPolicy-TLS13-1-2-Ext2-2021-06", "aws/ELBSecurityPolicy-TLS13-1-1-2021-06",
			"aws/ELBSecurityPolicy-TLS13-1-0-2021-06", "aws/ELBSecurityPolicy-TLS-1-0-2015-04")
	})
	clbPolicies = sync.OnceValue(func() []*policy.Policy {
		return known("aws/clb/ELBSecurityPolicy-TLS-1-2-2017-01", "aws/clb/ELBSecurityPolicy-TLS-1-1-2017-01", "aws/clb/ELBSecurityPolicy-2016-08",
			"aws/clb/ELBSecurityPolicy-2015-05", "aws/clb/ELBSecurityPolicy-2015-03")
	})
)

func known(refs ...string) []*policy.Policy {
	var found []*policy.Policy
	for _, ref := range refs {
		if p, err := policy.Lookup(ref); err == nil {
			found = append(found, p)
		}
	}
	return found
}

// named replaces the policies in fixes for AWS by those that would really take this client's hello, and says so where none would.
// Without the hello's bytes the fixes stay as they are: then the version alone chose the policy.
func (e *evidence) named(fixes []inspect.Fix) []inspect.Fix {
	if e.parsed == nil {
		e.parsed = parseHello(e.client.hello)
	}
	if e.parsed == nil {
		return fixes
	}
	for i := range fixes {
		f := &fixes[i]
		var candidates []*policy.Policy
		call := modifyListener
		switch f.Target {
		case forALB, forNLB:
			candidates = albPolicies()
		case forCLB:
			candidates, call = clbPolicies(), classicPolicy
		default:
			continue
		}
		if !strings.Contains(f.Snippet, "ELBSecurityPolicy") {
			continue
		}
		if name := e.firstAccepting(candidates); name != "" {
			f.Action, f.Snippet = "choose a policy that takes this client: "+name, call(name)
		} else {
			f.Action, f.Snippet = "no predefined policy takes this client: it must change", ""
		}
	}
	return fixes
}

// firstAccepting is the bare name of the first policy that accepts the client's hello; empty when none does.
func (e *evidence) firstAccepting(candidates []*policy.Policy) string {
	for _, p := range candidates {
		if policy.Negotiate(e.parsed, p).Accepted {
			return p.Name[strings.LastIndexByte(p.Name, '/')+1:]
		}
	}
	return ""
}
