package capture

import (
	"github.com/tlstriage/tlstriage/inspect/keylog"
	"github.com/tlstriage/tlstriage/inspect/quicwire"
)

// keys are the secrets that the user or the capture brings.
type keys struct {
	store keylog.Store
	some  bool // there are any
}

// add takes lines of a key log and tells how many of them are secrets. Those that are not are left out, as every reader of
// such files does.
func (k *keys) add(b []byte) int {
	before := k.store.Stats().Secrets
	_ = k.store.AddAll(b)
	now := k.store.Stats().Secrets
	k.some = now > 0
	return now - before
}

func (k *keys) empty() bool { return !k.some }

// forQUIC are the secrets of a QUIC connection.
func (k *keys) forQUIC(random []byte) quicwire.Secrets {
	return quicwire.Secrets{
		ClientHandshake: k.store.Secret(random, keylog.ClientHandshakeTraffic), ServerHandshake: k.store.Secret(random, keylog.ServerHandshakeTraffic),
		ClientTraffic: k.store.Secret(random, keylog.ClientTraffic0), ServerTraffic: k.store.Secret(random, keylog.ServerTraffic0),
	}
}
