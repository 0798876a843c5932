package capture

import (
	"bytes"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/keylog"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// dtlsDecryption opens what is encrypted in an association to which there are keys: of DTLS 1.2 and before that is the
// Finished and the alerts behind it.
type dtlsDecryption struct {
	keys    *keys
	hello   keylog.Connection
	agreed  bool
	openers [2]*keylog.DatagramOpener // client, server
	shown   shown
}

// clientHello takes a hello; the last one before the answer counts.
func (d *dtlsDecryption) clientHello(hello *wire.ClientHello) {
	if len(hello.Random) == 32 && !d.agreed {
		d.hello.ClientRandom, d.hello.EncryptThenMAC = bytes.Clone(hello.Random), hello.EncryptThenMAC
	}
}

// serverHello makes the openers. When there is no secret for this association, it stays closed.
func (d *dtlsDecryption) serverHello(hello *wire.ServerHello) {
	if len(hello.Random) != 32 || d.agreed || hello.HelloRetryRequest {
		return
	}
	d.agreed = true
	d.hello.Version, d.hello.Suite = uint16(hello.Version), uint16(hello.CipherSuite)
	d.hello.ServerRandom = bytes.Clone(hello.Random)
	d.hello.EncryptThenMAC = d.hello.EncryptThenMAC && hello.Extensions.Has(wire.ExtensionEncryptThenMAC)
	for i, from := range [...]keylog.Side{keylog.FromClient, keylog.FromServer} {
		d.openers[i], _ = d.keys.store.ForDTLS(d.hello, from)
	}
}

// open opens a record and reads what alert is in it.
func (d *dtlsDecryption) open(from inspect.Side, kind wire.ContentType, version wire.Version, epoch uint16, sequence uint64, body []byte) {
	opener := d.openers[index(from)]
	if opener == nil || kind != wire.ContentTypeAlert && kind != wire.ContentTypeHandshake {
		return
	}
	text, err := opener.Open(uint8(kind), uint16(version), epoch, sequence, body)
	if err != nil {
		return
	}
	if kind == wire.ContentTypeAlert {
		d.shown.alert(from, text)
	} else if len(text) >= dtlsMessageHeader && text[0] == byte(wire.HandshakeTypeFinished) {
		d.shown.any = true
		d.shown.finished[index(from)] = true
	}
}
