package capture

import (
	"bytes"
	"fmt"

	"github.com/tlstriage/tlstriage/inspect"
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

// handshake are the lines of a key log that open a record's handshake: of TLS 1.3 and QUIC no more than that, before it the master
// secret, which opens all.
func (k *keys) handshake(r *inspect.Connection) (lines []byte) {
	if k.empty() || r.ClientLeg == nil || r.ClientLeg.TLS == nil {
		return nil
	}
	hello := r.ClientLeg.TLS.Client
	random := randomOf(hello)
	lines = k.lines(lines, random)
	if hello != nil && hello.Retry != nil { // of QUIC after a version negotiation it has another one
		if again := randomOf(hello.Retry); !bytes.Equal(again, random) {
			lines = k.lines(lines, again)
		}
	}
	return lines
}

// lines appends what is known of the handshake of a hello.
func (k *keys) lines(b, random []byte) []byte {
	for _, label := range [...]keylog.Label{keylog.ClientRandom, keylog.ClientHandshakeTraffic, keylog.ServerHandshakeTraffic} {
		if secret := k.store.Secret(random, label); secret != nil {
			b = fmt.Appendf(b, "%s %x %x\n", label, random, secret)
		}
	}
	return b
}

// randomOf is the random of a hello (RFC 8446, Section 4.1.2): it stands behind the message's header and version; nil: it is not there.
func randomOf(hello *inspect.Hello) []byte {
	const at, size = 4 + 2, 32
	if hello == nil || hello.Message == nil || hello.Message.SSLv2 || len(hello.Message.Raw) < at+size {
		return nil
	}
	return hello.Message.Raw[at : at+size]
}
