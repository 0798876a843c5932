package openssl

import "github.com/tlstriage/tlstriage/inspect/wire"

//go:generate go run ./internal/generate -facts ../../../../shared/facts -out suites_generated.go

// set is a set of properties of one kind; 0 in a selection is no restriction.
type set uint32

// Key exchanges.
const (
	kxRSA set = 1 << iota
	kxDHE
	kxECDHE
	kxPSK
	kxDHEPSK
	kxECDHEPSK
	kxRSAPSK
	kxSRP
	kxGOST
	kxGOST18
)

// Authentications.
const (
	auRSA set = 1 << iota
	auDSS
	auNULL
	auECDSA
	auPSK
	auSRP
	auGOST01
	auGOST12
)

// Encryptions.
const (
	encDES set = 1 << iota
	enc3DES
	encRC4
	encRC2
	encIDEA
	encNULL
	encAES128
	encAES256
	encCAMELLIA128
	encCAMELLIA256
	encGOST89
	encGOST2012
	encSEED
	encAES128GCM
	encAES256GCM
	encAES128CCM
	encAES256CCM
	encAES128CCM8
	encAES256CCM8
	encCHACHA20POLY1305
	encARIA128GCM
	encARIA256GCM
)

// MACs.
const (
	macMD5 set = 1 << iota
	macSHA1
	macSHA256
	macSHA384
	macAEAD
	macGOST94
	macGOST89
	macGOST2012
)

// Strength classes. A suite may be in several; notDefault is a mark of its own beside them.
const (
	classNone set = 1 << iota
	classLow
	classMedium
	classHigh
	classFIPS
	notDefault

	anyClass = classNone | classLow | classMedium | classHigh | classFIPS
)

// properties are what a word selects by, and what a suite has.
type properties struct {
	kx, au, enc, mac set
	min              wire.Version // the version that brought the suite; 0 in a selection: any
	class            set
}

// build says which builds of OpenSSL have a suite.
type build uint8

const (
	everywhere build = iota
	with111          // 1.1.1, but not the default provider of 3.0
	withIDEA         // 1.1.1 that was not configured with no-idea
	withWeak         // enable-weak-ssl-ciphers
	withRC4          // that, and 1.1.1: 3.0 has RC4 in its legacy provider only
)

type suite struct {
	code wire.CipherSuite
	name string
	properties
	bits  uint16 // by which @STRENGTH sorts
	build build
}

type keyword struct {
	name string
	properties
}

// knownTo reports whether a release knows the word. CBC came with 3.0, and kGOST18 with it. A word for algorithms none of which
// the build can compute is unknown: GOST needs an engine, and RC4, RC2, IDEA and SEED are not in the default provider of 3.0.
func (k *keyword) knownTo(rel release) bool {
	const gost = encGOST89 | encGOST2012
	missing := properties{
		kx: kxGOST | kxGOST18, au: auGOST01 | auGOST12, mac: macGOST89 | macGOST94 | macGOST2012,
		enc: gost | encDES | encRC4 | encRC2 | encIDEA | encSEED,
	}
	if rel == release111 {
		if k.name == "CBC" || k.name == "kGOST18" {
			return false
		}
		missing.enc = gost
	}
	return has(k.kx, missing.kx) && has(k.au, missing.au) && has(k.enc, missing.enc) && has(k.mac, missing.mac)
}

// has reports whether a selection has anything beside what is missing, or does not select by this property at all.
func has(selected, missing set) bool { return selected == 0 || selected&^missing != 0 }

// matches reports whether a suite is among those that a selection takes.
func (s *suite) matches(p properties) bool {
	switch {
	case p.kx != 0 && p.kx&s.kx == 0, p.au != 0 && p.au&s.au == 0, p.enc != 0 && p.enc&s.enc == 0, p.mac != 0 && p.mac&s.mac == 0:
		return false
	case p.min != 0 && p.min != s.min:
		return false
	case p.class&anyClass != 0 && p.class&anyClass&s.class == 0, p.class&notDefault != 0 && s.class&notDefault == 0:
		return false
	}
	return true
}
