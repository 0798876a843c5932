package probe

import (
	"crypto"
	"crypto/ecdh"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"hash"
	"math/big"

	"github.com/tlstriage/tlstriage/inspect/keylog"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Bounds of what a server may ask us to compute.
const (
	maxPrimeBits   = 16384
	maxModulusBits = 16384
)

// finish12 sends what RFC 5246, Section 7.3 draws behind ServerHelloDone, and waits for the server's Finished.
func (r *run) finish12() (sealer, error) {
	h, x := &r.handshake, r.x
	info, known := x.CipherSuite.Info()
	if !known || x.Resumed || x.Version < wire.VersionTLS10 || x.Version > wire.VersionTLS12 {
		return nil, errCannotFinish
	}
	macSize, keySize, ivSize, ok := keyMaterial12(info)
	if !ok {
		return nil, errCannotFinish
	}
	exchange, premaster, err := h.clientKeyExchange(info)
	if err != nil {
		return nil, err
	}
	var flight []byte
	own := r.options.Certificate
	if x.CertificateRequest != nil {
		flight = certificate12(own)
	}
	flight = append(flight, exchange...)
	h.transcript = append(h.transcript, flight...)
	k := &keys12{version: x.Version, hash: hashOf(x.CipherSuite), client: padded(h.hello.Random), server: x.ServerHello.Random}
	view, err := h.hello.View()
	if view == nil {
		return nil, err
	}
	if view.ExtendedMasterSecret && x.ServerHello.ExtendedMasterSecret { // RFC 7627, Section 4
		k.master = k.prf(premaster, "extended master secret", k.digest(h.transcript), 48)
	} else {
		k.master = k.prf(premaster, "master secret", append(append([]byte(nil), k.client...), k.server...), 48)
	}
	if x.CertificateRequest != nil && own != nil && len(own.Certificate) > 0 {
		verify, err := h.certificateVerify12(&r.options)
		if err != nil {
			return nil, err
		}
		h.transcript = append(h.transcript, verify...)
		flight = append(flight, verify...)
	}
	block := k.prf(k.master, "key expansion", append(append([]byte(nil), k.server...), k.client...), 2*(macSize+keySize+ivSize))
	macSecret, key, iv := block[:macSize], block[2*macSize:][:keySize], block[2*(macSize+keySize):][:ivSize]
	encryptThenMAC := view.EncryptThenMAC && x.ServerHello.EncryptThenMAC
	out := newSealed12(x.Version, info, macSecret, key, iv, encryptThenMAC)
	r.records.opener = openerOf(keylog.Connection{
		Version: uint16(x.Version), Suite: uint16(x.CipherSuite), ClientRandom: k.client, ServerRandom: k.server, EncryptThenMAC: encryptThenMAC,
	}, keylog.ClientRandom, k.master)
	if out == nil || r.records.opener == nil {
		return nil, errCannotFinish
	}
	r.second = true
	r.send(Layout{}.records(x.Version, flight))
	r.send([]byte{byte(wire.ContentTypeChangeCipherSpec), byte(x.Version >> 8), byte(x.Version), 0, 1, 1})
	verifyData := k.prf(k.master, "client finished", k.digest(h.transcript), 12)
	r.send(out.seal(wire.ContentTypeHandshake, handshakeMessage(wire.HandshakeTypeFinished, verifyData)))
	if !r.await(func() bool { return x.Finished }) {
		return nil, nil
	}
	return out, nil
}

// finished12 takes a message of the server that was encrypted: its Finished.
func (r *run) finished12(m []byte) {
	if wire.HandshakeType(m[0]) == wire.HandshakeTypeFinished {
		r.x.Finished = true
	}
}

// keys12 are the randoms and the master secret of a handshake before TLS 1.3.
type keys12 struct {
	version        wire.Version
	hash           crypto.Hash
	client, server []byte
	master         []byte
}

// padded is a random of 32 bytes: an SSLv2-format hello's challenge has zeros before it (RFC 5246, Appendix E.2).
func padded(random []byte) []byte {
	return append(make([]byte, 32-min(32, len(random))), random...)[:32]
}

// digest is the transcript as it counts (RFC 5246, Section 7.4.9; before TLS 1.2 MD5 and SHA-1 together).
func (k *keys12) digest(transcript []byte) []byte {
	if k.version < wire.VersionTLS12 {
		md, sha := md5.Sum(transcript), sha1.Sum(transcript)
		return append(md[:], sha[:]...)
	}
	h := k.hash.New()
	h.Write(transcript)
	return h.Sum(nil)
}

// prf is the pseudorandom function of RFC 5246, Section 5, and that of RFC 2246, Section 5 before TLS 1.2.
func (k *keys12) prf(secret []byte, label string, seed []byte, size int) []byte {
	seed = append([]byte(label), seed...)
	if k.version >= wire.VersionTLS12 {
		return pHash(k.hash.New, secret, seed, size)
	}
	half := (len(secret) + 1) / 2
	out := pHash(md5.New, secret[:half], seed, size)
	for i, b := range pHash(sha1.New, secret[len(secret)-half:], seed, size) {
		out[i] ^= b
	}
	return out
}

func pHash(h func() hash.Hash, secret, seed []byte, size int) []byte {
	mac := hmac.New(h, secret)
	var out []byte
	for a := seed; len(out) < size; {
		mac.Reset()
		mac.Write(a)
		a = mac.Sum(nil)
		mac.Reset()
		mac.Write(a)
		mac.Write(seed)
		out = mac.Sum(out)
	}
	return out[:size]
}

// clientKeyExchange makes our part of the key exchange (RFC 5246, Section 7.4.7; RFC 8422, Section 5.7).
func (h *handshake) clientKeyExchange(info wire.CipherSuiteInfo) (message, premaster []byte, err error) {
	var body []byte
	switch info.KeyExchange {
	case "RSA":
		body, premaster, err = h.rsaExchange()
	case "ECDHE":
		body, premaster, err = h.curveExchange()
	case "DHE":
		body, premaster, err = h.fieldExchange()
	default:
		err = errCannotFinish
	}
	if err != nil {
		return nil, nil, err
	}
	return handshakeMessage(wire.HandshakeTypeClientKeyExchange, body), premaster, nil
}

// rsaExchange encrypts a premaster secret to the server's certificate.
func (h *handshake) rsaExchange() (body, premaster []byte, err error) {
	certificate, err := x509.ParseCertificate(h.server.leaf)
	if err != nil {
		return nil, nil, err
	}
	public, ok := certificate.PublicKey.(*rsa.PublicKey)
	if !ok || public.N.BitLen() > maxModulusBits {
		return nil, nil, errCannotFinish
	}
	premaster = random(48)
	premaster[0], premaster[1] = byte(h.hello.Version>>8), byte(h.hello.Version)
	//lint:ignore SA1019 RFC 5246, Section 7.4.7.1 knows no other encryption, and servers that want it are to be probed
	sealed, err := rsa.EncryptPKCS1v15(rand.Reader, public, premaster)
	if err != nil {
		return nil, nil, err
	}
	return append([]byte{byte(len(sealed) >> 8), byte(len(sealed))}, sealed...), premaster, nil
}

// curveExchange makes a key on the server's curve.
func (h *handshake) curveExchange() (body, premaster []byte, err error) {
	exchange := h.x.KeyExchange
	if exchange == nil || exchange.ExplicitCurve {
		return nil, nil, errCannotFinish
	}
	var curve ecdh.Curve
	if curve = curveOf(exchange.Group); curve == nil {
		if share, ok := newShare(exchange.Group); ok && share.scalar != nil {
			secret, err := share.secret(exchange.PublicKey)
			return append([]byte{byte(len(share.public))}, share.public...), secret, err
		}
		point, size, ok := generatorOf(exchange.Group)
		if !ok || len(exchange.PublicKey) != 1+2*size {
			return nil, nil, errCannotFinish
		}
		return append([]byte{byte(len(point))}, point...), exchange.PublicKey[1 : 1+size], nil // the private key is one
	}
	key, err := curve.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	peer, err := curve.NewPublicKey(exchange.PublicKey)
	if err != nil {
		return nil, nil, err
	}
	if premaster, err = key.ECDH(peer); err != nil {
		return nil, nil, err
	}
	public := key.PublicKey().Bytes()
	return append([]byte{byte(len(public))}, public...), premaster, nil
}

// fieldExchange makes a key in the server's finite field. Leading zeros of the secret are left out (RFC 5246, Section 8.1.2).
func (h *handshake) fieldExchange() (body, premaster []byte, err error) {
	fields, ok := vectors16(h.server.exchange, 3)
	if !ok {
		return nil, nil, errCannotFinish
	}
	p, g, y := new(big.Int).SetBytes(fields[0]), new(big.Int).SetBytes(fields[1]), new(big.Int).SetBytes(fields[2])
	if p.BitLen() < 2 || p.BitLen() > maxPrimeBits || p.Bit(0) == 0 {
		return nil, nil, errCannotFinish
	}
	exponent := new(big.Int).SetBytes(random(32))
	public := new(big.Int).Exp(g, exponent, p).Bytes()
	return append([]byte{byte(len(public) >> 8), byte(len(public))}, public...), new(big.Int).Exp(y, exponent, p).Bytes(), nil
}

// vectors16 are the first vectors of a message's body.
func vectors16(message []byte, n int) ([][]byte, bool) {
	if len(message) < 4 {
		return nil, false
	}
	rest := message[4:]
	var fields [][]byte
	for range n {
		if len(rest) < 2 {
			return nil, false
		}
		size := int(rest[0])<<8 | int(rest[1])
		if size > len(rest)-2 {
			return nil, false
		}
		fields = append(fields, rest[2:2+size])
		rest = rest[2+size:]
	}
	return fields, true
}

// certificate12 is our Certificate, which is empty without one (RFC 5246, Section 7.4.6).
func certificate12(own *tls.Certificate) []byte {
	var list []byte
	if own != nil {
		for _, der := range own.Certificate {
			list = append(append(list, byte(len(der)>>16), byte(len(der)>>8), byte(len(der))), der...)
		}
	}
	return handshakeMessage(wire.HandshakeTypeCertificate, append([]byte{byte(len(list) >> 16), byte(len(list) >> 8), byte(len(list))}, list...))
}

// certificateVerify12 proves that the certificate is ours (RFC 5246, Section 7.4.8).
func (h *handshake) certificateVerify12(o *Options) ([]byte, error) {
	var body []byte
	if h.x.Version >= wire.VersionTLS12 {
		scheme, err := schemeFor(o.Certificate, h.x.CertificateRequest.SignatureSchemes.Slice(), false)
		if err != nil {
			return nil, err
		}
		signature, err := sign(o.Certificate, scheme, h.transcript)
		if err != nil {
			return nil, err
		}
		body = append([]byte{byte(scheme >> 8), byte(scheme), byte(len(signature) >> 8), byte(len(signature))}, signature...)
	} else {
		signature, err := signLegacy(o.Certificate, h.transcript)
		if err != nil {
			return nil, err
		}
		body = append([]byte{byte(len(signature) >> 8), byte(len(signature))}, signature...)
	}
	return handshakeMessage(wire.HandshakeTypeCertificateVerify, body), nil
}
