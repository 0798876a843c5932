package diagnose

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Targets of fixes.
const (
	forClient  = "client"
	forNginx   = "nginx"
	forHAProxy = "haproxy"
	forALB     = "aws/alb"
	forNLB     = "aws/nlb"
	forCLB     = "aws/clb"
	forIngress = "ingress-nginx"
	forEnvoy   = "envoy"
	forApache  = "apache"
	forSelf    = "tlstriage"
	forBackend = "backend"
	forNetwork = "network"
	forCA      = "certificate"
)

// fix is one thing to do in one system.
func fix(target, action, snippet string) inspect.Fix {
	return inspect.Fix{Target: target, Action: action, Snippet: snippet}
}

// concerns reports whether a fix's target is among the systems asked for: the same, or one of a family ("aws" has "aws/alb").
// What the client, the network or this program must do concerns every system.
func concerns(target string, systems []string) bool {
	if len(systems) == 0 {
		return true
	}
	switch target {
	case forClient, forSelf, forBackend, forNetwork, forCA:
		return true
	}
	return slices.ContainsFunc(systems, func(s string) bool { return s == target || strings.HasPrefix(target, s+"/") })
}

// modifyListener is the call that gives an ALB or NLB listener another policy.
func modifyListener(policy string) string {
	return "aws elbv2 modify-listener --listener-arn LISTENER_ARN --ssl-policy " + policy
}

// classicPolicy are the calls that give a Classic Load Balancer's listener another predefined policy.
func classicPolicy(policy string) string {
	return "aws elb create-load-balancer-policy --load-balancer-name NAME --policy-name tls-by-reference --policy-type-name SSLNegotiationPolicyType --policy-attributes AttributeName=Reference-Security-Policy,AttributeValue=" + policy +
		"\naws elb set-load-balancer-policies-of-listener --load-balancer-name NAME --load-balancer-port 443 --policy-names tls-by-reference"
}

// acceptVersion tells each server how to accept a client whose newest version is v.
func acceptVersion(v string) []inspect.Fix {
	alb, clb := "ELBSecurityPolicy-TLS13-1-2-2021-06", "ELBSecurityPolicy-TLS-1-2-2017-01"
	switch v {
	case "TLSv1.0":
		alb, clb = "ELBSecurityPolicy-TLS13-1-0-2021-06", "ELBSecurityPolicy-2016-08"
	case "TLSv1.1":
		alb, clb = "ELBSecurityPolicy-TLS13-1-1-2021-06", "ELBSecurityPolicy-TLS-1-1-2017-01"
	case "TLSv1.2", "TLSv1.3":
	default:
		return nil // no server of today is made to accept SSL
	}
	least, haproxyMost, envoy := v, "", "tls_minimum_protocol_version: "+strings.ReplaceAll(v, ".", "_")
	if v == "TLSv1.3" { // beside TLS 1.2, on which others depend
		least, haproxyMost, envoy = "TLSv1.2", " ssl-max-ver TLSv1.3", "tls_maximum_protocol_version: TLSv1_3"
	}
	var nginx []string
	for _, x := range []string{"TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"} {
		if versionRank(x) >= versionRank(least) {
			nginx = append(nginx, strings.TrimSuffix(x, ".0"))
		}
	}
	protocols, seclevel, haproxyLevel, apacheLevel := strings.Join(nginx, " "), "", "", ""
	if legacyVersion(v) {
		haproxyLevel, apacheLevel = " ciphers DEFAULT:@SECLEVEL=0", "\nSSLCipherSuite DEFAULT:@SECLEVEL=0"
		seclevel = "\nssl_ciphers DEFAULT:@SECLEVEL=0;  # OpenSSL 3 refuses TLS 1.0 and 1.1 above level 0"
	}
	fixes := []inspect.Fix{
		fix(forNginx, "accept "+v+" on this server", "ssl_protocols "+protocols+";"+seclevel),
		fix(forHAProxy, "accept "+v+" on this bind line", "bind :443 ssl crt FILE ssl-min-ver "+least+haproxyMost+haproxyLevel),
		fix(forALB, "choose a policy that accepts "+v, modifyListener(alb)),
		fix(forNLB, "choose a policy that accepts "+v, modifyListener(alb)),
	}
	if v != "TLSv1.3" {
		fixes = append(fixes, fix(forCLB, "choose a policy that accepts "+v, classicPolicy(clb)))
	} else {
		fixes = append(fixes, fix(forCLB, "a Classic Load Balancer has no TLS 1.3: move to an ALB or NLB", ""))
	}
	return append(fixes,
		fix(forIngress, "accept "+v+" in the controller's ConfigMap", "ssl-protocols: \""+protocols+"\""),
		fix(forEnvoy, "accept "+v+" in the listener's tls_params", envoy),
		fix(forApache, "accept "+v+" on this virtual host", "SSLProtocol -all +"+strings.Join(nginx, " +")+apacheLevel))
}

// acceptCiphers tells each server how to accept one of the client's suites: the best that it offers.
func acceptCiphers(suites []string) []inspect.Fix {
	best := bestCiphers(suites)
	if len(best) == 0 {
		return nil
	}
	openssl := strings.Join(openSSLNames(best), ":")
	alb := "ELBSecurityPolicy-TLS13-1-2-2021-06"
	if !currentCipher(best[0]) {
		alb = "ELBSecurityPolicy-TLS13-1-2-Ext2-2021-06"
	}
	var fixes []inspect.Fix
	if openssl != "" {
		fixes = append(fixes,
			fix(forNginx, "accept one of the client's suites", "ssl_ciphers "+openssl+":HIGH:!aNULL:!MD5;"),
			fix(forHAProxy, "accept one of the client's suites", "bind :443 ssl crt FILE ciphers "+openssl+":HIGH:!aNULL:!MD5"))
	}
	fixes = append(fixes,
		fix(forALB, "choose a policy with one of the client's suites; see them all with `tlstriage policy list aws`", modifyListener(alb)),
		fix(forNLB, "choose a policy with one of the client's suites", modifyListener(alb)),
		fix(forCLB, "choose a policy with one of the client's suites", classicPolicy("ELBSecurityPolicy-2016-08")))
	if openssl != "" {
		fixes = append(fixes,
			fix(forIngress, "accept one of the client's suites in the controller's ConfigMap", "ssl-ciphers: \""+openssl+":HIGH:!aNULL:!MD5\""),
			fix(forEnvoy, "accept one of the client's suites in the listener's tls_params", "cipher_suites: ["+strings.Join(openSSLNames(best), ", ")+"]"),
			fix(forApache, "accept one of the client's suites on this virtual host", "SSLCipherSuite "+openssl+":HIGH:!aNULL:!MD5"))
	}
	return fixes
}

// bestCiphers are at most three suites worth accepting: current ones, else those with forward secrecy, else AES.
func bestCiphers(suites []string) []string {
	for _, good := range []func(string) bool{
		func(s string) bool { return currentCipher(s) && strings.Contains(s, "_WITH_") },
		currentCipher,
		func(s string) bool { return strings.HasPrefix(s, "TLS_ECDHE_") && strings.Contains(s, "AES") },
		func(s string) bool { return strings.HasPrefix(s, "TLS_RSA_WITH_AES") },
	} {
		var best []string
		for _, s := range suites {
			if good(s) && len(best) < 3 {
				best = append(best, s)
			}
		}
		if len(best) > 0 {
			return best
		}
	}
	return nil
}

// openSSLNames are the names that OpenSSL gives to suites, which nginx, HAProxy and Envoy use too.
func openSSLNames(iana []string) []string {
	var names []string
	for _, n := range iana {
		if s, ok := wire.CipherSuiteByName(n); ok && s.OpenSSLName() != "" {
			names = append(names, s.OpenSSLName())
		}
	}
	return names
}

// openSSLGroups is a list of groups as OpenSSL 3.0 reads it: at most three of the client's by the names that it gives them, and the
// two that every client of today has. It refuses a list with a group that it does not know, or has twice.
func openSSLGroups(groups []string) []string {
	known := map[string]string{"x25519": "X25519", "x448": "X448", "secp256r1": "prime256v1", "secp384r1": "secp384r1", "secp521r1": "secp521r1"}
	var l []string
	for _, g := range groups {
		if name := known[g]; name != "" && len(l) < 3 && !slices.Contains(l, name) {
			l = append(l, name)
		}
	}
	for _, name := range []string{"X25519", "prime256v1"} {
		if !slices.Contains(l, name) {
			l = append(l, name)
		}
	}
	return l
}

// acceptGroups tells each server how to accept the client's groups.
func acceptGroups(groups []string) []inspect.Fix {
	if len(groups) == 0 {
		return nil
	}
	l := strings.Join(openSSLGroups(groups), ":")
	return []inspect.Fix{
		fix(forNginx, "accept one of the client's groups", "ssl_ecdh_curve "+l+";"),
		fix(forHAProxy, "accept one of the client's groups", "bind :443 ssl crt FILE curves "+l),
		fix(forIngress, "accept one of the client's groups in the controller's ConfigMap", "ssl-ecdh-curve: \""+l+"\""),
		fix(forEnvoy, "accept one of the client's groups in the listener's tls_params", "ecdh_curves: ["+strings.ReplaceAll(strings.ReplaceAll(l, ":", ", "), "prime256v1", "P-256")+"]"),
		fix(forALB, "groups come with the policy: choose another", modifyListener("ELBSecurityPolicy-TLS13-1-2-PQ-2025-09")),
		fix(forApache, "accept one of the client's groups on this virtual host", "SSLOpenSSLConfCmd Curves "+l),
	}
}
