package monitor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// Kind is what happened.
type Kind string

// Kinds of events.
const (
	CertificateChanged  Kind = "certificate_changed"  // another leaf, or other certificates behind it
	ExpiryThreshold     Kind = "expiry_threshold"     // a certificate came nearer to its end than a threshold, or to its end
	VerdictChanged      Kind = "verdict_changed"      // verdict or root cause
	AvailabilityChanged Kind = "availability_changed" // an address answers no more, or again
	NodeDiffers         Kind = "node_differs"         // an address is not as the most of its backend
	NodeAgrees          Kind = "node_agrees"          // it is again
	AddressAppeared     Kind = "address_appeared"     // the name resolves to a new address
	AddressVanished     Kind = "address_vanished"     // it does no more
	ResolutionFailed    Kind = "resolution_failed"    // the name does not resolve
	ResolutionRestored  Kind = "resolution_restored"  // it does again
)

// Event is a change. Its JSON form is what a webhook gets.
type Event struct {
	Kind       Kind        `json:"kind"`
	At         time.Time   `json:"@timestamp"`
	Backend    string      `json:"backend"`              // Target.Name
	Address    string      `json:"address,omitempty"`    // empty: it is about all of them
	Detail     string      `json:"detail"`               // a sentence, with what a stranger chose quoted
	Threshold  int         `json:"threshold,omitempty"`  // of ExpiryThreshold: days, or Expired
	Difference *Difference `json:"difference,omitempty"` // of NodeDiffers (now) and NodeAgrees (before)
	Old        *Address    `json:"old,omitempty"`        // absent: it was not known
	New        *Address    `json:"new,omitempty"`        // absent: it is no more
}

func (e Event) String() string {
	where := e.Backend
	if e.Address != "" {
		where += " at " + e.Address
	}
	return fmt.Sprintf("%s: %s: %s", where, e.Kind, e.Detail)
}

// changes tells what is different between two states of a target. In its first round only what is wrong is news.
func changes(old, new State) []Event {
	first := old.CheckedAt.IsZero()
	var events []Event
	tell := func(e Event) {
		e.At, e.Backend = new.CheckedAt, new.Name
		events = append(events, e)
	}
	switch {
	case new.Error != "" && old.Error == "":
		tell(Event{Kind: ResolutionFailed, Detail: fmt.Sprintf("%q", clip(new.Error))})
	case new.Error == "" && old.Error != "":
		tell(Event{Kind: ResolutionRestored, Detail: fmt.Sprintf("%d addresses", len(new.Addresses))})
	}
	for i := range new.Addresses {
		now, before := &new.Addresses[i], old.address(new.Addresses[i].Address)
		if before == nil && !first {
			tell(Event{Kind: AddressAppeared, Address: now.Address, New: now, Detail: "the name resolves to it now"})
		}
		for _, e := range addressChanges(before, now) {
			e.Address, e.Old, e.New = now.Address, before, now
			tell(e)
		}
	}
	for i := range old.Addresses {
		if before := &old.Addresses[i]; new.address(before.Address) == nil {
			tell(Event{Kind: AddressVanished, Address: before.Address, Old: before, Detail: "the name does not resolve to it any more"})
		}
	}
	for _, e := range differenceChanges(old, new) {
		tell(e)
	}
	return events
}

// addressChanges compares what is known of an address; before is nil when it is new.
func addressChanges(before, now *Address) []Event {
	var none Address
	known := before != nil
	if before == nil {
		before, none.Up, none.Verdict = &none, true, inspect.OK
		if now.Verdict == "" {
			none.Verdict = ""
		}
	}
	var events []Event
	if before.Certificate != nil && !slices.Equal(before.Chain, now.Chain) {
		events = append(events, Event{Kind: CertificateChanged, Detail: certificateChange(before, now)})
	}
	if now.Threshold != before.Threshold && nearer(now.Threshold, before.Threshold) {
		e := Event{Kind: ExpiryThreshold, Threshold: now.Threshold, Detail: fmt.Sprintf("the certificate ends in %d days, at %s", now.DaysLeft, now.NotAfter.UTC().Format(time.RFC3339))}
		if now.Threshold == Expired {
			e.Detail = "the certificate has ended, at " + now.NotAfter.UTC().Format(time.RFC3339)
		}
		events = append(events, e)
	}
	switch {
	case now.Up != before.Up:
		e := Event{Kind: AvailabilityChanged, Detail: "it answers again"}
		if !now.Up {
			e.Detail = "it does not answer as it should"
			if now.Error != nil {
				e.Detail += fmt.Sprintf(": %s, %q", now.Error.Type, clip(now.Error.Message))
			}
		}
		events = append(events, e)
		switch was := before.told; {
		case !now.Up || now.Verdict == "":
		case now.Verdict != inspect.OK:
			events = append(events, Event{Kind: VerdictChanged, Detail: now.judged().String() + ", now that it answers"})
		case was.verdict != "" && was != now.judged():
			events = append(events, Event{Kind: VerdictChanged, Detail: fmt.Sprintf("%s, was %s", now.judged(), was)})
		}
	case !known && now.Verdict != before.Verdict:
		events = append(events, Event{Kind: VerdictChanged, Detail: now.judged().String() + ", at the first look"})
	case now.Verdict != before.Verdict || now.Cause != before.Cause:
		events = append(events, Event{Kind: VerdictChanged, Detail: fmt.Sprintf("%s, was %s", now.judged(), before.judged())})
	}
	return events
}

// nearer reports whether one threshold is nearer to the end than another.
func nearer(a, b int) bool {
	rank := func(t int) int {
		switch t {
		case 0:
			return 1 << 30 // none is crossed
		case Expired:
			return 0
		}
		return t
	}
	return rank(a) < rank(b)
}

func certificateChange(before, now *Address) string {
	if now.Certificate.Hash.SHA256 == before.Certificate.Hash.SHA256 {
		return fmt.Sprintf("the same leaf with %d other certificates, was %d", len(now.Chain)-1, len(before.Chain)-1)
	}
	return fmt.Sprintf("%s, was %s", certificate(now.Certificate), certificate(before.Certificate))
}

func certificate(c *inspect.Certificate) string {
	return fmt.Sprintf("%q (serial %s, until %s)", clip(c.Subject), clip(c.SerialNumber), c.NotAfter.UTC().Format(time.DateOnly))
}

func (a *Address) judged() judged { return judged{a.Verdict, a.Cause} }

func (j judged) String() string {
	switch {
	case j.verdict == "":
		return "not judged"
	case j.cause != "":
		return fmt.Sprintf("%s (%s)", j.verdict, j.cause)
	}
	return string(j.verdict)
}

// differenceChanges tells which nodes came to differ, and which came to agree.
func differenceChanges(old, new State) []Event {
	var events []Event
	key := func(list []Difference, d Difference) *Difference {
		for i := range list {
			if list[i].Address == d.Address && list[i].Aspect == d.Aspect {
				return &list[i]
			}
		}
		return nil
	}
	for i, d := range new.Differs {
		if key(old.Differs, d) == nil {
			events = append(events, Event{Kind: NodeDiffers, Address: d.Address, Difference: &new.Differs[i], Old: old.address(d.Address), New: new.address(d.Address),
				Detail: d.sentence(&new)})
		}
	}
	for i, d := range old.Differs {
		now := new.address(d.Address)
		if now != nil && key(new.Differs, d) == nil {
			events = append(events, Event{Kind: NodeAgrees, Address: d.Address, Difference: &old.Differs[i], Old: old.address(d.Address), New: now,
				Detail: fmt.Sprintf("in %s it is as the others again", d.Aspect)})
		}
	}
	return events
}

// sentence says what the difference is: "one of 4 serves …, 3 serve …".
func (d *Difference) sentence(s *State) string {
	value, others := d.Value, d.Others
	if d.Aspect == AspectCertificate {
		value = certificate(s.address(d.Address).Certificate)
		for i := range s.Addresses {
			if c := s.Addresses[i].Certificate; c != nil && c.Hash.SHA256 == others {
				others = certificate(c)
				break
			}
		}
	} else {
		value, others = fmt.Sprintf("%q", clip(value)), fmt.Sprintf("%q", clip(others))
	}
	return fmt.Sprintf("%s: this node of %d has %s, %d have %s", d.Aspect, len(s.Addresses), value, d.Count, others)
}

// clip bounds what a stranger chose.
func clip(text string) string {
	const most = 200
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

func join(list []string) string { return strings.Join(list, ",") }
