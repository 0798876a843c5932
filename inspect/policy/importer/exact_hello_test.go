package importer_test

import (
	"crypto/ecdh"
	"crypto/mlkem"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// form is a ClientHello that can be changed and written again.
type form struct {
	legacy      wire.Version
	random      []byte
	session     []byte
	suites      []wire.CipherSuite
	compression []byte
	bare        bool // no extensions block at all
	extensions  []extension
}

type extension struct {
	kind wire.ExtensionType
	body []byte
}

// formOf takes a parsed hello apart.
func formOf(h *wire.ClientHello) *form {
	f := &form{legacy: h.LegacyVersion, random: h.Random, session: h.SessionID, suites: h.CipherSuites.Slice(), compression: h.CompressionMethods, bare: !h.HasExtensions}
	for kind, body := range h.Extensions.All() {
		f.extensions = append(f.extensions, extension{kind, body})
	}
	return f
}

func (f *form) clone() *form {
	c := *f
	c.suites, c.extensions = slices.Clone(f.suites), slices.Clone(f.extensions)
	return &c
}

func (f *form) find(kind wire.ExtensionType) []byte {
	for _, e := range f.extensions {
		if e.kind == kind {
			return e.body
		}
	}
	return nil
}

func (f *form) has(kind wire.ExtensionType) bool {
	return slices.ContainsFunc(f.extensions, func(e extension) bool { return e.kind == kind })
}

func (f *form) remove(kinds ...wire.ExtensionType) {
	f.extensions = slices.DeleteFunc(f.extensions, func(e extension) bool { return slices.Contains(kinds, e.kind) })
}

// set replaces an extension, or adds it: at the front, since pre_shared_key has to stay the last (RFC 8446, Section 4.2.11).
func (f *form) set(kind wire.ExtensionType, body []byte) {
	f.bare = false
	for i, e := range f.extensions {
		if e.kind == kind {
			f.extensions[i].body = body
			return
		}
	}
	f.extensions = slices.Insert(f.extensions, 0, extension{kind, body})
}

// prefixed puts a length of two bytes before b.
func prefixed(b []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
}

// list reads the body of an extension that is a list of 16-bit values.
func list[T ~uint16](body []byte) []T {
	if len(body) < 2 {
		return nil
	}
	return wire.List[T](body[2:]).Slice()
}

func setList[T ~uint16](f *form, kind wire.ExtensionType, values []T) {
	f.set(kind, prefixed(wire.ListOf(values...)))
}

func (f *form) versions() []wire.Version {
	body := f.find(wire.ExtensionSupportedVersions)
	if len(body) < 1 {
		return nil
	}
	return wire.List[wire.Version](body[1:]).Slice()
}

func (f *form) setVersions(values ...wire.Version) {
	b := wire.ListOf(values...)
	f.set(wire.ExtensionSupportedVersions, append([]byte{byte(len(b))}, b...))
}

// setName asks for a server name; empty: for none.
func (f *form) setName(name string) {
	if name == "" {
		f.remove(wire.ExtensionServerName)
		return
	}
	f.set(wire.ExtensionServerName, prefixed(append([]byte{0}, prefixed([]byte(name))...)))
}

func (f *form) setProtocols(names ...string) {
	f.set(wire.ExtensionALPN, prefixed(wire.ProtocolNamesOf(names...)))
}

// shares are the groups of key_share.
func (f *form) shares() (groups []wire.NamedGroup) {
	if body := f.find(wire.ExtensionKeyShare); len(body) >= 2 {
		for g := range wire.KeyShares(body[2:]).All() {
			groups = append(groups, g)
		}
	}
	return groups
}

// keepShares leaves only the shares that the function wants.
func (f *form) keepShares(keep func(i int, g wire.NamedGroup) bool) {
	body := f.find(wire.ExtensionKeyShare)
	if len(body) < 2 {
		return
	}
	var out []byte
	i := 0
	for g, share := range wire.KeyShares(body[2:]).All() {
		if keep(i, g) {
			out = append(binary.BigEndian.AppendUint16(out, uint16(g)), prefixed(share)...)
		}
		i++
	}
	f.set(wire.ExtensionKeyShare, prefixed(out))
}

// setShares makes shares for these groups.
func (f *form) setShares(k *keys, groups ...wire.NamedGroup) {
	var out []byte
	for _, g := range groups {
		out = append(binary.BigEndian.AppendUint16(out, uint16(g)), prefixed(k.share[g])...)
	}
	f.set(wire.ExtensionKeyShare, prefixed(out))
}

// rekey puts keys of ours in the place of those of a recorded hello, so that the answer can be read to its end.
func (f *form) rekey(k *keys) {
	body := f.find(wire.ExtensionKeyShare)
	if len(body) < 2 {
		return
	}
	var out []byte
	for g, share := range wire.KeyShares(body[2:]).All() {
		if own := k.share[g]; own != nil {
			share = own
		}
		out = append(binary.BigEndian.AppendUint16(out, uint16(g)), prefixed(share)...)
	}
	f.set(wire.ExtensionKeyShare, prefixed(out))
}

// message is the hello as a handshake message.
func (f *form) message() []byte {
	body := binary.BigEndian.AppendUint16(nil, uint16(f.legacy))
	body = append(body, f.random...)
	body = append(append(body, byte(len(f.session))), f.session...)
	body = append(body, prefixed(wire.ListOf(f.suites...))...)
	body = append(append(body, byte(len(f.compression))), f.compression...)
	if !f.bare {
		var extensions []byte
		for _, e := range f.extensions {
			extensions = append(binary.BigEndian.AppendUint16(extensions, uint16(e.kind)), prefixed(e.body)...)
		}
		body = append(body, prefixed(extensions)...)
	}
	return append([]byte{1, byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}, body...)
}

// record puts a handshake message into a record.
func record(message []byte) []byte { return append([]byte{22, 3, 1}, prefixed(message)...) }

// keys are the private keys of all key shares that are sent. They protect nothing.
type keys struct {
	share  map[wire.NamedGroup][]byte
	secret map[wire.NamedGroup]func(share []byte) ([]byte, error)
}

var errShare = errors.New("a key share of another length than its group has")

func newKeys(t testing.TB) *keys {
	t.Helper()
	k := &keys{map[wire.NamedGroup][]byte{}, map[wire.NamedGroup]func([]byte) ([]byte, error){}}
	type curve struct {
		public []byte
		agree  func([]byte) ([]byte, error)
	}
	curves := map[wire.NamedGroup]curve{}
	for g, c := range map[wire.NamedGroup]ecdh.Curve{wire.GroupX25519: ecdh.X25519(), wire.GroupSecp256r1: ecdh.P256(), wire.GroupSecp384r1: ecdh.P384(), wire.GroupSecp521r1: ecdh.P521()} {
		key, err := c.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		curves[g] = curve{key.PublicKey().Bytes(), func(share []byte) ([]byte, error) {
			public, err := c.NewPublicKey(share)
			if err != nil {
				return nil, err
			}
			return key.ECDH(public)
		}}
		k.share[g], k.secret[g] = curves[g].public, curves[g].agree
	}
	small, err := mlkem.GenerateKey768()
	if err != nil {
		t.Fatal(err)
	}
	large, err := mlkem.GenerateKey1024()
	if err != nil {
		t.Fatal(err)
	}
	// The hybrids: which half comes first differs from group to group.
	x := curves[wire.GroupX25519]
	k.share[wire.GroupX25519MLKEM768] = slices.Concat(small.EncapsulationKey().Bytes(), x.public)
	k.secret[wire.GroupX25519MLKEM768] = func(share []byte) ([]byte, error) {
		if len(share) < mlkem.CiphertextSize768 {
			return nil, errShare
		}
		return concat(small.Decapsulate, share[:mlkem.CiphertextSize768], x.agree, share[mlkem.CiphertextSize768:])
	}
	for g, half := range map[wire.NamedGroup]struct {
		curve       curve
		key         []byte
		decapsulate func([]byte) ([]byte, error)
	}{
		wire.GroupSecP256r1MLKEM768:  {curves[wire.GroupSecp256r1], small.EncapsulationKey().Bytes(), small.Decapsulate},
		wire.GroupSecP384r1MLKEM1024: {curves[wire.GroupSecp384r1], large.EncapsulationKey().Bytes(), large.Decapsulate},
	} {
		k.share[g] = slices.Concat(half.curve.public, half.key)
		k.secret[g] = func(share []byte) ([]byte, error) {
			n := len(half.curve.public)
			if len(share) < n {
				return nil, errShare
			}
			return concat(half.curve.agree, share[:n], half.decapsulate, share[n:])
		}
	}
	return k
}

func concat(first func([]byte) ([]byte, error), a []byte, second func([]byte) ([]byte, error), b []byte) ([]byte, error) {
	x, err := first(a)
	if err != nil {
		return nil, err
	}
	y, err := second(b)
	return slices.Concat(x, y), err
}
