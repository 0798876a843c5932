package recording

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// What a proxy sends to its canary is no client: it came once, and is recorded twice.
func TestWhatIsSentToACanaryIsNotCounted(t *testing.T) {
	at := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	live, shadow := seen(t, "java6", "192.0.2.1", at), seen(t, "java6", "192.0.2.1", at)
	shadow.Event.ID, shadow.Event.Source = "shadow", inspect.SourceReplay
	shadow.Canary = &inspect.Canary{To: "canary:443", Class: "worse", EventID: live.Event.ID}
	named := seen(t, "java6", "192.0.2.2", at.Add(time.Second))
	named.Event.ID = `"canary":{`
	text := written(t, live, shadow, named)
	if tally := tallied(t, text); tally.Connections != 2 || tally.Skipped != (Skipped{OfCanary: 1}) {
		t.Errorf("%d connections were counted, want 2; left out: %+v", tally.Connections, tally.Skipped)
	}
	if c := collected(t, text); c.Tally.Connections != 2 || c.Tally.Skipped != (Skipped{OfCanary: 1}) {
		t.Errorf("%d connections were collected, want 2; left out: %+v", c.Tally.Connections, c.Tally.Skipped)
	}
	whole, left := 0, 0
	for _, err := range Records(strings.NewReader(text), "file") {
		var refused *Error
		switch {
		case err == nil:
			whole++
		case errors.As(err, &refused) && refused.Reason == OfCanary && refused.Line == 2:
			left++
		default:
			t.Fatal(err)
		}
	}
	if whole != 2 || left != 1 {
		t.Errorf("%d records, %d left out", whole, left)
	}
	each := 0
	for _, err := range Each(strings.NewReader(text), "file") {
		if err != nil {
			t.Fatal(err)
		}
		each++
	}
	if each != 2 {
		t.Errorf("%d clients, want 2", each)
	}
}

// A list of protocols that is none is not left as it is.
func TestBrokenListsOfProtocolsAreCleared(t *testing.T) {
	for name, list := range map[string][]byte{
		"no lengths":                []byte(marker),
		"one length that is wrong":  append([]byte{250}, marker...),
		"a protocol, and then text": append([]byte{2, 'h', '2'}, marker...),
	} {
		body := vector(2, list)
		clearProtocols(body)
		if strings.Contains(string(body), marker) {
			t.Errorf("%s: %q", name, body)
		}
	}
}
