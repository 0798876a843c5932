package replay

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// saidTraits are what the endpoint itself says is wrong: some alerts name what the server looked at (RFC 7507, Section 3; RFC 6066, Section 3;
// RFC 7301, Section 3.2), and the hello has to bear it out.
func saidTraits(taken []*Subject, c chosen, alerts map[*Subject]string) []trait {
	var list []trait
	add := func(alert wire.AlertDescription, sentence string, more func([]*Subject) string, has func(*Subject) bool) {
		list = append(list, trait{sentence, traitSaid, func(s *Subject) bool { return alerts[s] == alert.String() && has(s) }, func(having []*Subject) string {
			return more(having) + "; the alert says so: " + alert.String()
		}})
	}
	nothing := func([]*Subject) string { return "" }
	fallback := func(s *Subject) bool { return s.View.CipherSuites.Contains(wire.FallbackSCSV) }
	if !slices.ContainsFunc(taken, fallback) {
		add(wire.AlertInappropriateFallback, "all send TLS_FALLBACK_SCSV", nothing, fallback)
	}
	nameless := func(s *Subject) bool { return len(s.View.ServerName) == 0 }
	if !slices.ContainsFunc(taken, nameless) {
		add(wire.AlertUnrecognizedName, "all send no server name", nothing, nameless)
	}
	lacks := func(s *Subject) bool { return lacksProtocol(s.View, c) }
	sentence := "their ALPN has no protocol that the endpoint knows"
	if len(c.protocols) > 0 && !slices.ContainsFunc(taken, lacks) {
		sentence = "their ALPN lacks " + strings.Join(c.protocols, " and ") + ", " + withOthers("protocol", len(c.protocols))
	}
	add(wire.AlertNoApplicationProtocol, sentence, offeredProtocols, lacks)
	return list
}

// alertsOf are the alerts that refused the hellos, by their names in the registry.
func alertsOf(answers []Answer, subjects []*Subject) map[*Subject]string {
	alerts := make(map[*Subject]string)
	for i, s := range subjects {
		if a := answers[i]; !a.Accepted && a.Undetermined == "" && a.Alert != "" {
			alerts[s] = a.Alert
		}
	}
	return alerts
}

// offeredProtocols are the protocols that subjects list, for the end of a sentence.
func offeredProtocols(subjects []*Subject) string {
	const most = 4
	var names []string
	known := make(map[string]bool)
	for _, s := range subjects {
		for name := range s.View.ALPN.All() {
			if p := string(name); !known[p] && !isGREASE(name) {
				known[p] = true
				names = append(names, clean(p))
			}
		}
	}
	if more := len(names) - most; more > 0 {
		names = append(names[:most], fmt.Sprintf("%d more", more))
	}
	return "; they offer " + strings.Join(names, ", ")
}

// isGREASE reports whether a protocol is one of the reserved ones (RFC 8701, Section 2), which are two bytes alike.
func isGREASE(protocol []byte) bool {
	return len(protocol) == 2 && wire.IsGREASE(wire.ExtensionType(uint16(protocol[0])<<8|uint16(protocol[1])))
}
