package why

import (
	"fmt"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// ends is what an endpoint does to a hello, up to the word before it.
func ends(x *probe.Exchange) string {
	switch {
	case x.Alert != nil:
		return fmt.Sprintf("The endpoint answers alert %s (%d) to every", x.Alert.Description, uint8(x.Alert.Description))
	case x.Outcome == probe.OutcomeReset:
		return "The endpoint resets every"
	case x.Outcome == probe.OutcomeClosed:
		return "The endpoint closes the connection on every"
	case x.Outcome == probe.OutcomeTimeout:
		return "The endpoint never answers a"
	}
	return "The endpoint fails on every"
}

// largePart names what makes a hello large: a post-quantum key share, or else its longest extension.
func largePart(h *probe.Hello) (name string, bytes int, ok bool) {
	for _, g := range h.KeyShareGroups() {
		if info, known := g.Info(); known && info.PostQuantum && info.ClientShare > bytes {
			name, bytes = g.String(), info.ClientShare
		}
	}
	if bytes > 0 {
		return name, bytes, true
	}
	for _, e := range h.Extensions {
		if len(e.Body) > bytes {
			name, bytes = e.Type.String(), len(e.Body)
		}
	}
	return name, bytes, bytes >= 64
}

func because(h *probe.Hello) string {
	name, bytes, ok := largePart(h)
	if !ok {
		return ""
	}
	return fmt.Sprintf(", of which %d are %s", bytes, name)
}

func smaller(h *probe.Hello) string {
	name, _, ok := largePart(h)
	switch {
	case !ok:
		return "offer fewer suites, groups and extensions"
	case name == wire.ExtensionPadding.String():
		return "leave out the padding"
	}
	return "leave out " + name
}
