package probe_test

import (
	"bytes"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/fingerprint"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

func TestRecordedHellosAreSentAsTheyWere(t *testing.T) {
	for _, r := range recordedHellos(t) {
		recorded := r.bytes(t)
		h, err := probe.Parse(recorded)
		if err != nil {
			t.Errorf("%s: %v", r.ID, err)
			continue
		}
		for _, same := range []*probe.Hello{h, h.Clone()} {
			flight, err := same.Flight()
			if err != nil || !bytes.Equal(bytes.Join(flight, nil), recorded) {
				t.Errorf("%s: sent unchanged it is\n%x\nwant\n%x (%v)", r.ID, bytes.Join(flight, nil), recorded, err)
			}
		}
	}
}

func TestFreshHellosKeepTheirShape(t *testing.T) {
	for _, r := range recordedHellos(t) {
		h, err := probe.Parse(r.bytes(t))
		if err != nil {
			t.Fatal(err)
		}
		was, err := h.View()
		if err != nil {
			t.Fatalf("%s: %v", r.ID, err)
		}
		fresh := h.Fresh()
		is, err := fresh.View()
		if err != nil {
			t.Fatalf("%s: %v", r.ID, err)
		}
		if bytes.Equal(is.Random, was.Random) {
			t.Errorf("%s: the random is the recorded one", r.ID)
		}
		if len(is.PSKIdentities) > 0 || is.EarlyData || len(is.SessionTicket) > 0 {
			t.Errorf("%s: something of an old session is left", r.ID)
		}
		if a, b := fingerprint.Shape(was), fingerprint.Shape(is); a != b {
			t.Errorf("%s: shape %s, was %s", r.ID, b, a)
		}
		if was.Padding > 0 && was.PSKIdentities == nil && len(is.Raw) != len(was.Raw) {
			t.Errorf("%s: %d bytes with padding, were %d", r.ID, len(is.Raw), len(was.Raw))
		}
		for group, key := range is.KeyShares.All() {
			old, ok := was.KeyShares.Find(group)
			if !ok || len(old) != len(key) {
				t.Errorf("%s: key share of %s has %d bytes, had %d", r.ID, group, len(key), len(old))
			}
			if bytes.Equal(old, key) && !wire.IsGREASE(group) {
				t.Errorf("%s: key share of %s is the recorded one", r.ID, group)
			}
		}
	}
}
