package probe_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

func TestWhatIsSetIsRead(t *testing.T) {
	h := probe.Modern("one.example")
	h.SetServerName("another.example")
	h.SetALPN("h2", "http/1.1")
	h.SetVersions(wire.VersionTLS13, wire.VersionTLS12)
	h.SetGroups(wire.GroupSecp384r1, wire.GroupX25519)
	h.SetSignatureSchemes(wire.SchemeEd25519)
	h.SetKeyShares(wire.GroupSecp384r1, 0x1A1A)
	view, err := h.View()
	if err != nil {
		t.Fatal(err)
	}
	if string(view.ServerName) != "another.example" || h.ServerName() != "another.example" {
		t.Errorf("name %q, %q", view.ServerName, h.ServerName())
	}
	if !slices.Equal(view.ALPN.Strings(), h.ALPN()) || len(h.ALPN()) != 2 {
		t.Errorf("ALPN %q, %q", view.ALPN.Strings(), h.ALPN())
	}
	if !slices.Equal(view.SupportedVersions.Slice(), h.Versions()) || !slices.Equal(view.SupportedGroups.Slice(), h.Groups()) || !slices.Equal(view.SignatureSchemes.Slice(), h.SignatureSchemes()) {
		t.Errorf("%v %v %v", h.Versions(), h.Groups(), h.SignatureSchemes())
	}
	if !slices.Equal(h.KeyShareGroups(), []wire.NamedGroup{wire.GroupSecp384r1, 0x1A1A}) {
		t.Errorf("key shares of %v", h.KeyShareGroups())
	}
	h.KeepKeyShares(wire.GroupSecp384r1)
	h.SetServerName("")
	h.SetALPN()
	h.SetGroups()
	if h.Has(wire.ExtensionServerName) || h.Has(wire.ExtensionALPN) || h.Has(wire.ExtensionSupportedGroups) || len(h.KeyShareGroups()) != 1 {
		t.Errorf("what was taken away is there: %v", h.Extensions)
	}
	h.SetKeyShares()
	if body, ok := h.Extension(wire.ExtensionKeyShare); !ok || !bytes.Equal(body, []byte{0, 0}) {
		t.Errorf("no key shares: %x, %v", body, ok)
	}
}

func TestAPreSharedKeyStaysLast(t *testing.T) {
	h := probe.Modern("")
	h.Set(wire.ExtensionPreSharedKey, []byte{1})
	h.Set(wire.ExtensionSCT, nil)
	if last := h.Extensions[len(h.Extensions)-1].Type; last != wire.ExtensionPreSharedKey {
		t.Errorf("the last extension is %s", last)
	}
}

func TestPaddingMeetsTheSize(t *testing.T) {
	h := probe.Modern("pad.example")
	plain := h.Size()
	for _, size := range []int{plain, plain + 4, plain + 5, 512, 1000, 16000} {
		c := h.Clone()
		if !c.Pad(size) || c.Size() != size {
			t.Errorf("padded to %d it has %d bytes", size, c.Size())
		}
		if f := c.Fresh(); f.Size() != size {
			t.Errorf("fresh it has %d bytes, had %d", f.Size(), size)
		}
	}
	if h.Pad(plain - 1) {
		t.Error("padding cannot make it smaller")
	}
}

func TestPaddingFollowsTheName(t *testing.T) {
	h := probe.Modern("short.example")
	h.Pad(517)
	h.SetServerName("a-much-longer-name.short.example")
	if f := h.Fresh(); f.Size() != 517 {
		t.Errorf("%d bytes with another name, were 517", f.Size())
	}
}

func TestLayouts(t *testing.T) {
	for name, tc := range map[string]struct {
		layout            probe.Layout
		records, segments int
	}{
		"one":            {probe.OneRecord(), 1, 1},
		"split":          {probe.SplitAt(5), 2, 1},
		"a byte each":    {probe.RecordsOf(1), -1, 1},
		"segments":       {probe.SegmentsOf(100), 1, -1},
		"as recorded":    {probe.Layout{Records: []int{0, 10, 20}}, 4, 1},
		"beyond the end": {probe.Layout{Records: []int{100000}}, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			h := probe.Modern("layout.example")
			h.Layout = tc.layout
			message, err := h.Message()
			if err != nil {
				t.Fatal(err)
			}
			flight, err := h.Flight()
			if err != nil {
				t.Fatal(err)
			}
			if tc.records < 0 {
				tc.records = len(message)
			}
			all := bytes.Join(flight, nil)
			if tc.segments < 0 {
				tc.segments = (len(all) + 99) / 100
			}
			if len(flight) != tc.segments {
				t.Errorf("%d segments, want %d", len(flight), tc.segments)
			}
			again, err := probe.Parse(all)
			if err != nil {
				t.Fatal(err)
			}
			if got := 1 + len(again.Layout.Records); got != tc.records {
				t.Errorf("%d records, want %d", got, tc.records)
			}
			same, _ := again.Flight()
			if !bytes.Equal(bytes.Join(same, nil), all) {
				t.Errorf("read and sent again it is %x, was %x", same, all)
			}
		})
	}
}

func TestWhatHasNoFormIsAnError(t *testing.T) {
	h := probe.Modern("")
	h.Set(wire.ExtensionPadding, make([]byte, 70000))
	var long *probe.TooLongError
	if _, err := h.Message(); !errors.As(err, &long) {
		t.Errorf("70,000 bytes of padding: %v", err)
	}
	x := patient().Exchange(t.Context(), probe.Target{Address: serve(t, discard)}, h, probe.Options{})
	if x.Error == nil || x.Sent != 0 {
		t.Errorf("it was sent: %+v", x.Error)
	}
	for _, b := range [][]byte{nil, {22}, {22, 3, 1, 0, 5, 1, 0}, []byte("GET / HTTP/1.1\r\n"), {21, 3, 3, 0, 2, 2, 40}, {1, 0, 0, 2, 3, 3}} {
		if h, err := probe.Parse(b); err == nil {
			t.Errorf("%x was read as %+v", b, h)
		}
	}
}

func TestEveryPrefixOfAHelloIsRefused(t *testing.T) {
	flight, err := probe.Modern("prefix.example").Flight()
	if err != nil {
		t.Fatal(err)
	}
	for n := range flight[0] {
		if _, err := probe.Parse(flight[0][:n]); err == nil {
			t.Fatalf("the first %d of %d bytes were taken for a hello", n, len(flight[0]))
		}
	}
}

func TestTheSecondHelloIsTheFirstButForWhatIsAllowed(t *testing.T) {
	first := probe.Modern("retry.example")
	first.Set(wire.ExtensionEarlyData, nil)
	second, err := first.Retry(&wire.ServerHello{Group: wire.GroupSecp384r1, Cookie: []byte("cookie")})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Random, second.Random) || !bytes.Equal(first.SessionID, second.SessionID) || !slices.Equal(first.CipherSuites, second.CipherSuites) {
		t.Error("the second hello differs in what must stay")
	}
	if !slices.Equal(second.KeyShareGroups(), []wire.NamedGroup{wire.GroupSecp384r1}) || second.Has(wire.ExtensionEarlyData) {
		t.Errorf("key shares %v", second.KeyShareGroups())
	}
	if body, _ := second.Extension(wire.ExtensionCookie); !bytes.Equal(body, append([]byte{0, 6}, "cookie"...)) {
		t.Errorf("cookie %x", body)
	}
	for kind, request := range map[probe.RetryErrorKind]*wire.ServerHello{
		probe.RetryChangesNothing:  {},
		probe.RetryGroupNotOffered: {Group: wire.GroupFfdhe8192},
		probe.RetryGroupShared:     {Group: wire.GroupX25519},
	} {
		var refused *probe.RetryError
		if _, err := first.Retry(request); !errors.As(err, &refused) || refused.Kind != kind {
			t.Errorf("%+v: %v", request, err)
		}
	}
}
