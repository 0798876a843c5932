package probe

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/tls"
	"errors"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

var (
	errNoScheme = errors.New("the server accepts no signature scheme that the client's key can make")
	errNoSigner = errors.New("the client's key cannot sign")
)

// schemeFor is the first scheme of the server's that a key can sign with.
func schemeFor(own *tls.Certificate, offered []wire.SignatureScheme, tls13 bool) (wire.SignatureScheme, error) {
	signer, ok := own.PrivateKey.(crypto.Signer)
	if !ok {
		return 0, errNoSigner
	}
	for _, scheme := range offered {
		info, known := scheme.Info()
		if !known || tls13 && (!info.TLS13 || info.TLS13CertificatesOnly) {
			continue
		}
		switch public := signer.Public().(type) {
		case *ecdsa.PublicKey:
			if info.Kind == wire.SignatureECDSA && (!tls13 || info.Curve.String() == curveName(public)) && hashByName(info.Hash) != 0 {
				return scheme, nil
			}
		case *rsa.PublicKey:
			if (info.Kind == wire.SignatureRSAPSSRSAE || !tls13 && info.Kind == wire.SignatureRSAPKCS1) && hashByName(info.Hash) != 0 {
				return scheme, nil
			}
		case ed25519.PublicKey:
			if scheme == wire.SchemeEd25519 {
				return scheme, nil
			}
		}
	}
	return 0, errNoScheme
}

// curveName is the group that a key's curve is.
func curveName(key *ecdsa.PublicKey) string {
	switch key.Curve.Params().BitSize {
	case 256:
		return wire.GroupSecp256r1.String()
	case 384:
		return wire.GroupSecp384r1.String()
	case 521:
		return wire.GroupSecp521r1.String()
	}
	return ""
}

func hashByName(name string) crypto.Hash {
	switch name {
	case "SHA1":
		return crypto.SHA1
	case "SHA256":
		return crypto.SHA256
	case "SHA384":
		return crypto.SHA384
	case "SHA512":
		return crypto.SHA512
	}
	return 0
}

// sign signs contents by a scheme.
func sign(own *tls.Certificate, scheme wire.SignatureScheme, content []byte) ([]byte, error) {
	signer, ok := own.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, errNoSigner
	}
	info, _ := scheme.Info()
	if scheme == wire.SchemeEd25519 {
		return signer.Sign(rand.Reader, content, crypto.Hash(0))
	}
	hash := hashByName(info.Hash)
	h := hash.New()
	h.Write(content)
	var options crypto.SignerOpts = hash
	if info.Kind == wire.SignatureRSAPSSRSAE {
		options = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
	}
	return signer.Sign(rand.Reader, h.Sum(nil), options)
}

// signLegacy signs as TLS 1.0 and 1.1 do (RFC 4346, Section 7.4.8): MD5 and SHA-1 together with RSA, SHA-1 with ECDSA.
func signLegacy(own *tls.Certificate, content []byte) ([]byte, error) {
	signer, ok := own.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, errNoSigner
	}
	sha := sha1.Sum(content)
	if _, ok := signer.Public().(*rsa.PublicKey); ok {
		md := md5.Sum(content)
		return signer.Sign(rand.Reader, append(md[:], sha[:]...), crypto.MD5SHA1)
	}
	return signer.Sign(rand.Reader, sha[:], crypto.SHA1)
}
