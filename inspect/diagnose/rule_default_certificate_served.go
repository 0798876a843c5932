package diagnose

import (
	"strings"

	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

var ruleDefaultCertificateServed = Rule{
	ID: "default-certificate-served", Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:     chainSeen,
	Title:    "The backend serves a default certificate instead of the site's",
	Citation: "RFC 6066, Section 3",
	Explanation: "The certificate is one that a server makes or ships for connections that no site takes: the name is not configured there, the site's certificate could not be loaded (a missing secret), or no server name was sent. " +
		"All other faults of this certificate follow from that. Where the proxy looked at the backend again, the detail says which name gets which certificate. Check: `openssl s_client -connect HOST:PORT -servername NAME | openssl x509 -noout -subject`.",
	check: func(e *evidence) *match {
		leaf := e.chain.leaf()
		if leaf == nil {
			return nil
		}
		mismatch := e.chain.fault(chain.NameMismatch) != nil
		if !mismatch && e.chain.name != "" {
			return nil
		}
		maker := e.chain.maker
		if maker == "" && !mismatch {
			return nil
		}
		same, otherwise, varies := e.servedElse()
		sent, works := e.chain.view.hello.ServerName, e.nameThatWorks()
		m := &match{leg: e.chain.leg, detail: calledWhat(leaf)}
		switch {
		case maker != "":
			m.detail += " is the default certificate of " + maker
		case sent == "" && works != "" && varies:
			m.title, m.fault = "No server name is sent to the backend, and it serves its default certificate", inspect.FaultProxy
			m.detail += " is what the backend serves to clients that send no name"
		case sent != "" && same && varies:
			m.title = "The backend does not know the name and serves its default certificate"
			m.detail += " is what the backend serves without a name, too; other names get others"
		case !otherwise && e.chain.fault(chain.SelfSigned) != nil && placeholder(leaf.Subject) && !placeholder("CN="+e.chain.name):
			m.detail += " is the default certificate of a server's installation"
		default:
			return nil
		}
		if e.wrongNameConfigured() {
			m.fault = inspect.FaultProxy
		}
		m.detail += "; name asked for: " + or(bound(e.chain.name), "none") + e.whichName()
		if e.watched() && e.chain.view.established() {
			m.severity = inspect.SeverityWarning
		}
		m.ended = e.chain.view.is(inspect.ErrorCertificate)
		name := plain(e.chain.name, "NAME")
		m.fixes = []inspect.Fix{
			fix(forIngress, "the Ingress lacks the host under tls, or its secret is missing or in another namespace", "kubectl describe ingress NAME; kubectl get secret SECRET\ntls:\n- hosts: ["+name+"]\n  secretName: SECRET"),
			fix(forNginx, "add a server block for the name", "server_name "+name+";"),
			fix(forHAProxy, "add a certificate for the name to the bind line's directory", "bind :443 ssl crt /etc/haproxy/certs/"),
		}
		if works != "" && (sent == "" || m.fault == inspect.FaultProxy) {
			m.fixes = append([]inspect.Fix{sendName(works)}, m.fixes...)
		} else {
			m.fixes = append(m.fixes, fix(forSelf, "or ask for a name that the backend serves", "tlstriage proxy --backend-sni "+plain(works, "NAME")+" …"))
		}
		return m
	},
}

// defaultCertificate names whose default a certificate is; empty: none that is known.
func defaultCertificate(x *inspect.Certificate) string {
	subject := strings.ToLower(x.Subject)
	for _, d := range []struct{ part, maker string }{
		{"kubernetes ingress controller fake certificate", "ingress-nginx"},
		{"traefik default cert", "Traefik"},
		{"ssl-cert-snakeoil", "Debian's ssl-cert package"}, {"snakeoil", "Debian's ssl-cert package"},
		{"cn=plesk", "Plesk"}, {"o=plesk", "Plesk"}, {"parallels panel", "Plesk"},
		{"synology inc", "a Synology NAS"}, {"cn=synology", "a Synology NAS"},
		{"cn=qnap", "a QNAP NAS"},
		{"cn=fortigate", "a FortiGate"}, {"cn=fortinet", "a FortiGate"},
		{"o=mycompany", "F5 BIG-IP"}, {"openshift-ingress", "the OpenShift router"},
		{"invalid2.invalid", "Google's front end for clients without a name"},
		{"acme default certificate", "an ACME client"}, {"cn=caddy local authority", "Caddy"},
		{"vmware installer", "VMware"}, {"cn=ubnt", "a Ubiquiti device"}, {"o=ubiquiti", "a UniFi controller"},
		{"cn=webmin", "Webmin"}, {"cn=proxmox", "Proxmox"},
	} {
		if strings.Contains(subject, d.part) {
			return d.maker
		}
	}
	return ""
}

// placeholder reports whether a subject is one that installers fill in.
func placeholder(subject string) bool {
	s := strings.ToLower(subject)
	return strings.Contains(s, "cn=localhost") || strings.Contains(s, "localdomain") || strings.Contains(s, "internet widgits") || strings.Contains(s, "default company")
}
