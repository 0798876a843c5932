package inspect_test

import (
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// TestResetObserverSeesWhatANewOneSees runs every transcript through one observer, in both orders, and looks at the end whether
// what it gave out before is still what it was.
func TestResetObserverSeesWhatANewOneSees(t *testing.T) {
	all := transcripts(t)
	names := slices.Sorted(maps.Keys(all))
	backwards := slices.Clone(names)
	slices.Reverse(backwards)
	used := inspect.NewObserver(nil)
	var given, wanted []*inspect.TLS
	for _, name := range slices.Concat(names, backwards) {
		used.Reset(nil)
		got, want := all[name].replay(used).TLS(), all[name].replay(inspect.NewObserver(nil)).TLS()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v\nwant %+v", name, got, want)
		}
		given, wanted = append(given, got), append(wanted, want)
	}
	if !reflect.DeepEqual(given, wanted) {
		t.Error("what was given out changed later")
	}
	for _, first := range []string{"GET /secret?token=1 HTTP/1.1\r\n", "SSH-2.0-OpenSSH_9.2p1\r\n"} {
		used.Reset(nil)
		fresh := inspect.NewObserver(nil)
		for _, o := range []*inspect.Observer{used, fresh} {
			o.Feed(inspect.FromClient, []byte(first), time.Unix(0, 0))
			o.EndOfStream(inspect.FromClient)
		}
		if got, want := used.FirstBytes(inspect.FromClient), fresh.FirstBytes(inspect.FromClient); want == nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, want %+v", first, got, want)
		}
	}
}

// TestChainWithoutItsServerHelloIsKept is a capture that begins in the middle of the server's flight.
func TestChainWithoutItsServerHelloIsKept(t *testing.T) {
	o := inspect.NewObserver(nil)
	der := []byte{0x30, 3, 2, 1, 5} // no certificate, but what was sent as one
	message := slices.Concat([]byte{11, 0, 0, byte(3 + 3 + len(der)), 0, 0, byte(3 + len(der)), 0, 0, byte(len(der))}, der)
	o.Feed(inspect.FromServer, record(22, message...), time.Unix(0, 0))
	seen := o.TLS()
	if seen.Server == nil || len(seen.Server.CertificateChain) != 1 || !slices.Equal(seen.Server.CertificateChain[0].Raw, der) {
		t.Errorf("%+v", seen.Server)
	}
}
