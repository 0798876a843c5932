package quicwire

// The salts of Initial secrets, by the first document that has them.
const (
	saltDraft22 = "\x7f\xbc\xdb\x0e\x7c\x66\xbb\xe9\x19\x3a\x96\xcd\x21\x51\x9e\xbd\x7a\x02\x64\x4a"
	saltDraft23 = "\xc3\xee\xf7\x12\xc7\x2e\xbb\x5a\x11\xa7\xd2\x43\x2b\xb4\x63\x65\xbe\xf9\xf5\x02"
	saltDraft29 = "\xaf\xbf\xec\x28\x99\x93\xd2\x4c\x9e\x97\x86\xf1\x9c\x61\x11\xe0\x43\x90\xa8\x99"
	saltV1      = "\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a" // RFC 9001, Section 5.2; from draft-33 on
	saltV2      = "\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9" // RFC 9369, Section 3.3.1
	saltQ050    = "\x50\x45\x74\xef\xd0\x66\xfe\x2f\x9d\x94\x5c\xfc\xdb\xd3\xa7\xf0\xd3\xb5\x6b\x45"
	saltT050    = "\x7f\xf5\x79\xe5\xac\xd0\x72\x91\x55\x80\x30\x4c\x43\xa2\x36\x7c\x60\x48\x83\x10"
	saltT051    = "\x7a\x4e\xde\xf4\xe7\xcc\xee\x5f\xa4\x50\x6c\x19\x12\x4f\xc8\xcc\xda\x6e\x03\x3d"
)

// saltsOf are the salts that a version's Initial secrets may be made with, the likeliest first. Of Facebook's versions, whose
// numbers outlived the drafts they were made for, and of reserved ones only trying tells: a packet authenticates with one or none.
func saltsOf(v Version) []string {
	switch draft := v.Draft(); {
	case v == Version1:
		return []string{saltV1}
	case v == Version2:
		return []string{saltV2}
	case draft > lastDraft:
		return nil
	case draft >= 33:
		return []string{saltV1}
	case draft >= 29:
		return []string{saltDraft29}
	case draft >= 23:
		return []string{saltDraft23}
	case draft == firstDraft:
		return []string{saltDraft22}
	case v.Mvfst():
		return []string{saltDraft23, saltDraft22, saltV1, saltDraft29}
	case v.Reserved():
		return []string{saltV1, saltDraft29}
	case v == VersionQ050:
		return []string{saltQ050}
	case v == VersionT050:
		return []string{saltT050}
	case v == VersionT051:
		return []string{saltT051}
	}
	return nil
}

// retryKeys are the key and the nonce that a Retry's integrity tag is made with (RFC 9001, Section 5.8; RFC 9369, Section 3.3.3).
// Before draft-25 there was none.
func retryKeys(v Version) (key, nonce string) {
	switch draft := v.Draft(); {
	case v == Version1, draft == 33, draft == 34:
		return "\xbe\x0c\x69\x0b\x9f\x66\x57\x5a\x1d\x76\x6b\x54\xe3\x68\xc8\x4e", "\x46\x15\x99\xd3\x5d\x63\x2b\xf2\x23\x98\x25\xbb"
	case v == Version2:
		return "\x8f\xb4\xb0\x1b\x56\xac\x48\xe2\x60\xfb\xcb\xce\xad\x7c\xcc\x92", "\xd8\x69\x69\xbc\x2d\x7c\x6d\x99\x90\xef\xb0\x4a"
	case draft >= 29 && draft <= 32:
		return "\xcc\xce\x18\x7e\xd0\x9a\x09\xd0\x57\x28\x15\x5a\x6c\xb9\x6b\xe1", "\xe5\x49\x30\xf9\x7f\x21\x36\xf0\x53\x0a\x8c\x1c"
	case draft >= 25 && draft <= 28:
		return "\x4d\x32\xec\xdb\x2a\x21\x33\xc8\x41\xe4\x04\x3d\xf2\x7d\x44\x30", "\x4d\x16\x11\xd0\x55\x13\xa5\x52\xc5\x87\xd5\x75"
	}
	return "", ""
}
