package diagnose

import "strings"

// explainTermination recognises HAProxy's termination states, as its log prints them: two letters and two more for cookies.
func explainTermination(text string) []candidate {
	for _, field := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\",;'", r) }) {
		if len(field) != 2 && len(field) != 4 {
			continue
		}
		if len(field) == 4 && strings.Trim(field[2:], "-NIDVEOURP") != "" {
			continue
		}
		e := Explanation{Known: true, Match: field, Source: "HAProxy, termination state"}
		switch field[:2] {
		case "SC":
			e.Meaning = "HAProxy could not establish the connection to the server, the TLS handshake with it included: refused, reset, not TLS, or a certificate that it does not accept."
			e.Findings, e.Look, e.Command = append(append([]string{}, backendDown...), "chain-untrusted-root", "sni-required-by-backend"), "the server line: ssl, sni, verify, ca-file", runScan
		case "sC":
			e.Meaning = "HAProxy's time for connecting to the server (timeout connect) ran out, the TLS handshake included."
			e.Findings, e.Look, e.Command = []string{"backend-timeout", "backend-unreachable", "backend-not-tls"}, "firewalls; whether the port speaks TLS", "nc -vz HOST PORT"
		case "SH", "SD":
			e.Meaning = "The server ended the connection before (SH) or after (SD) its headers. Over TLS 1.3 a refused client certificate looks like this."
			e.Findings, e.Look, e.Command = []string{"backend-requires-client-cert", "backend-rejects-client-cert", "backend-closed", "backend-reset", "backend-alert"}, "the server's log", runScan
		case "CR", "cR", "PR":
			e.Meaning = "The client left (CR), was too slow (cR), or sent what HAProxy refused (PR) before a whole request had come; with plain HTTP on a TLS port, or a handshake that the client ended, this is all that the log has."
			e.Findings, e.Look, e.Command = []string{"client-aborted", "client-timeout", "server-cert-rejected-by-client", "not-tls-http", "connection-empty"}, "error-log-format with %[ssl_fc_err_str]", runProxy
		default:
			continue
		}
		e.Speaker = "HAProxy, of the server (S, s) or the client (C, c)"
		weight := 8
		if len(field) == 2 && strings.TrimSpace(text) != field {
			weight = 1
			if !strings.Contains(strings.ToLower(text), "haproxy") {
				continue
			}
		}
		return []candidate{{weight, e}}
	}
	return nil
}
