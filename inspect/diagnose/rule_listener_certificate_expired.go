package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleListenerCertificateExpired = Rule{
	ID: "listener-certificate-expired", Severity: inspect.SeverityWarning, Leg: inspect.LegClient, Fault: inspect.FaultProxy,
	Title:    "The certificate that this proxy serves is out of date, and this client did not mind",
	Citation: "RFC 5280, Section 4.1.2.5",
	Explanation: "The certificate of the listener has ended, or does not begin yet, and the client went on: it does not verify. Those that do verify are turned away, and then it is `server-cert-rejected-by-client`. The proxy serves what its files hold and reads them again when they change. Check: " +
		"`openssl s_client -connect HOST:PORT -servername NAME | openssl x509 -noout -dates`.",
	check: func(e *evidence) *match {
		served := e.client.server.CertificateChain
		if e.foreign() || !e.client.established() || len(served) == 0 || served[0].NotAfter.IsZero() {
			return nil
		}
		if x := &served[0]; !e.now.After(x.NotAfter) && !e.servedAt().Add(clockSkew).Before(x.NotBefore) {
			return nil
		}
		f := e.servedFault()
		if f == nil {
			return nil
		}
		return &match{detail: f.Detail, fixes: e.serveAnother(f)}
	},
}
