package diagnose

import (
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
)

// maxLooks bounds the second looks that are read.
const maxLooks = 8

// looks are what the backend answered under other names, where the proxy looked a second time. Those that did not come as
// far as an answer say nothing about names and are left out.
func (e *evidence) looks() []*inspect.Look {
	if e.backend.leg == nil {
		return nil
	}
	var told []*inspect.Look
	for i := range e.backend.leg.Looks {
		if l := &e.backend.leg.Looks[i]; answered(l) && len(told) < maxLooks {
			told = append(told, l)
		}
	}
	return told
}

// answered reports whether a look is the backend's word, not the network's.
func answered(l *inspect.Look) bool {
	if l.Established || l.Alert != nil {
		return true
	}
	return l.Error != nil && (l.Error.Type == inspect.ErrorClosed || l.Error.Type == inspect.ErrorReset || l.Error.Type == inspect.ErrorIncompleteHello)
}

// nameMatter is whether the name that was sent, or that none was, is why the backend refused.
type nameMatter uint8

const (
	nameUnknown nameMatter = iota // nobody looked
	nameDecides                   // under another name, or under none, it goes on
	nameIsFine                    // it refuses the same way whatever it is asked for
)

// nameMatters reads the looks on a backend leg that failed.
func (e *evidence) nameMatters() nameMatter {
	sent, matter := e.backend.hello.ServerName, nameUnknown
	for _, l := range e.looks() {
		if l.Origin == inspect.LookOtherProtocol || strings.EqualFold(l.ServerName, sent) {
			continue
		}
		switch {
		case l.Established, l.Alert != nil && l.Alert.Code == alertUnrecognizedName && !e.backend.chose():
			return nameDecides
		case e.failsAlike(l):
			matter = nameIsFine
		}
	}
	return matter
}

// failsAlike reports whether a look ended as the backend leg did: with the same alert, or without one.
func (e *evidence) failsAlike(l *inspect.Look) bool {
	a := e.backend.alert(inspect.FromServer)
	if a == nil || l.Alert == nil {
		return a == nil && l.Alert == nil && !l.Established
	}
	return a.Code == l.Alert.Code
}

// withoutALPN is the look with the same name and without ALPN that was established where the leg was not; nil without one.
func (e *evidence) withoutALPN() *inspect.Look {
	if len(e.backend.hello.ALPNProtocols) == 0 {
		return nil
	}
	for _, l := range e.looks() {
		if l.Origin == inspect.LookOtherProtocol && l.Established {
			return l
		}
	}
	return nil
}

// nameThatWorks is a name under which the backend goes on and, where the certificate was seen, serves one that covers it; empty
// when no look found one. The name that was sent is none: it is the one in question.
func (e *evidence) nameThatWorks() string {
	for _, l := range e.looks() {
		if !l.Established || l.ServerName == "" || l.Origin == inspect.LookOtherProtocol || strings.EqualFold(l.ServerName, e.backend.hello.ServerName) {
			continue
		}
		if l.Certificate == nil || len(l.Certificate.AlternativeNames) == 0 || covers(l.Certificate.AlternativeNames, l.ServerName) {
			return l.ServerName
		}
	}
	return ""
}

// wrongNameConfigured reports whether the backend leg asked for another name than the client did, which only the configuration can
// have made it do, and one that works was found: whoever runs the proxy can put it right.
func (e *evidence) wrongNameConfigured() bool {
	sent := e.backend.hello.ServerName
	return sent != "" && !strings.EqualFold(sent, e.client.hello.ServerName) && e.nameThatWorks() != ""
}

// servesNameless reports whether the backend goes on with a hello that has no name.
func (e *evidence) servesNameless() bool {
	for _, l := range e.looks() {
		if l.ServerName == "" && l.Established {
			return true
		}
	}
	return false
}

// refuted reports whether a look shows that the backend has no certificate for a name although one of its certificates has it.
func (e *evidence) refuted(name string) bool {
	for _, l := range e.looks() {
		if strings.EqualFold(l.ServerName, name) && l.Origin != inspect.LookOtherProtocol {
			return !l.Established || l.Certificate != nil && !covers(l.Certificate.AlternativeNames, name)
		}
	}
	return false
}

// servedElse compares the certificate of the connection with those of the looks: whether it is also the one for clients without
// a name, whether these get another, and whether any other name gets another.
func (e *evidence) servedElse() (same, otherwise, varies bool) {
	leaf := e.chain.leaf()
	if leaf == nil || leaf.Hash.SHA256 == "" {
		return
	}
	for _, l := range e.looks() {
		if l.Certificate == nil || l.Certificate.Hash.SHA256 == "" || l.Origin == inspect.LookOtherProtocol {
			continue
		}
		differs := l.Certificate.Hash.SHA256 != leaf.Hash.SHA256
		varies = varies || differs
		if l.ServerName == "" {
			same, otherwise = !differs, differs
		}
	}
	return
}

// whichName says which name gets which certificate, where that was looked at; for the end of a detail.
func (e *evidence) whichName() string {
	const shown = 4
	var parts []string
	for _, l := range e.looks() {
		if l.Origin == inspect.LookOtherProtocol || len(parts) == shown {
			continue
		}
		parts = append(parts, lookedFor(l)+" it "+answerOf(l))
	}
	if len(parts) == 0 {
		return ""
	}
	return "; looked at again: " + strings.Join(parts, ", ")
}

// lookedFor says what a look asked for.
func lookedFor(l *inspect.Look) string {
	name := boundTo(l.ServerName, 64)
	switch {
	case l.ServerName == "":
		return "without a name"
	case l.Origin == inspect.LookClientName:
		return "asked for the client's " + name
	case l.Origin == inspect.LookConfigured:
		return "asked for the configured " + name
	case l.Origin == inspect.LookBackendHost:
		return "asked for its host " + name
	}
	return "asked for " + name
}

// answerOf says what a look got.
func answerOf(l *inspect.Look) string {
	switch x := l.Certificate; {
	case l.Alert != nil:
		return "answers " + spell(l.Alert)
	case !l.Established:
		return "ends the connection"
	case x == nil:
		return "goes on"
	case len(x.AlternativeNames) > 0:
		return "serves a certificate for " + boundTo(enumerate(x.AlternativeNames[:min(len(x.AlternativeNames), 3)]), 128)
	default:
		return "serves " + boundTo(x.Subject, 64)
	}
}

// sendName is the fix that sends the backend a name that it serves.
func sendName(name string) inspect.Fix {
	return fix(forSelf, "ask the backend for a name for which it has a certificate", "tlstriage proxy --backend-sni "+plain(name, "NAME")+" …")
}
