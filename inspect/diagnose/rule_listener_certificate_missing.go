package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleListenerCertificateMissing = Rule{
	ID: "listener-certificate-missing", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultProxy,
	when:     clientLegDown,
	Title:    "The proxy has no certificate for this name yet",
	Citation: "RFC 8555, Section 7.4; RFC 8737, Section 3",
	Explanation: "The name is one of those that certificates are ordered for, and none has been issued: the order is still under way, or the authority refuses it, cannot reach this listener to validate the name, or cannot be reached itself. " +
		"The client sees internal_error (alert 80) and may well come again. Check: the log's lines that begin with `acme`, and `curl -v DIRECTORY_URL`.",
	check: func(e *evidence) *match {
		if !e.client.is(inspect.ErrorCertificatePending) {
			return nil
		}
		name := plain(e.client.hello.ServerName, "NAME")
		return &match{ended: true, detail: or(e.client.message(), "the certificate is still being ordered"), fixes: []inspect.Fix{
			fix(forSelf, "let the authority reach this listener under the name: port 443 for tls-alpn-01, port 80 for http-01, and nothing before it that ends TLS", "dig +short "+name+"; tlstriage proxy --acme-challenges tls-alpn-01,http-01 …"),
			fix(forSelf, "if the authority's name is not resolved or its own certificate not trusted here", "curl -v DIRECTORY_URL; tlstriage proxy --acme-ca FILE …"),
			fix(forSelf, "or serve a certificate from files meanwhile", "tlstriage proxy --cert FILE --key FILE …"),
		}}
	},
}
