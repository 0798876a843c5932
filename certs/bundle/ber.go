package bundle

import (
	"errors"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// maxDepth bounds the nesting of BER. PKCS #12 needs about ten levels.
const maxDepth = 32

var errBER = errors.New("neither DER nor BER")

// toDER rewrites the first structure of BER data as far as parsers of DER need it: indefinite and overlong lengths become
// definite and short ones, and octet strings in pieces become whole (X.690, Sections 8.1.3 and 8.7.3). Windows and old Java write
// PKCS #7 and PKCS #12 so. It does not sort sets.
func toDER(data []byte) (der, rest []byte, err error) {
	return berElement(data, 0)
}

func berElement(data []byte, depth int) (der, rest []byte, err error) {
	if depth > maxDepth || len(data) < 2 {
		return nil, nil, errBER
	}
	tag := data[0]
	if tag&0x1f == 0x1f { // a tag of several bytes occurs in none of the structures read here
		return nil, nil, errBER
	}
	body, indefinite, err := berLength(data[1:])
	if err != nil {
		return nil, nil, err
	}
	var content []byte
	if tag&0x20 == 0 {
		if indefinite.yes {
			return nil, nil, errBER
		}
		content, rest = body[:indefinite.length], body[indefinite.length:]
	} else {
		inside := body
		if !indefinite.yes {
			inside, rest = body[:indefinite.length], body[indefinite.length:]
		}
		whole := tag == 0x24 // a constructed octet string: only the contents of its pieces count
		for {
			if indefinite.yes {
				if len(inside) < 2 {
					return nil, nil, errBER
				}
				if inside[0] == 0 && inside[1] == 0 {
					rest = inside[2:]
					break
				}
			} else if len(inside) == 0 {
				break
			}
			var piece []byte
			if piece, inside, err = berElement(inside, depth+1); err != nil {
				return nil, nil, err
			}
			if whole {
				s := cryptobyte.String(piece)
				var octets cryptobyte.String
				if !s.ReadASN1(&octets, cbasn1.OCTET_STRING) {
					return nil, nil, errBER
				}
				piece = octets
			}
			content = append(content, piece...)
		}
		if whole {
			tag = 0x04
		}
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.Tag(tag), func(b *cryptobyte.Builder) { b.AddBytes(content) })
	der, err = b.Bytes()
	return der, rest, err
}

// berSize is a length, or that it is indefinite.
type berSize struct {
	yes    bool
	length int
}

// berLength reads the length octets; body is what follows them and is at least as long as a definite length says.
func berLength(data []byte) (body []byte, size berSize, err error) {
	first := data[0]
	data = data[1:]
	switch {
	case first == 0x80:
		return data, berSize{yes: true}, nil
	case first < 0x80:
		size.length = int(first)
	default:
		n := int(first & 0x7f)
		if n > 4 || n > len(data) {
			return nil, size, errBER
		}
		for _, c := range data[:n] {
			size.length = size.length<<8 | int(c)
			if size.length > MaxFileBytes {
				return nil, size, errBER
			}
		}
		data = data[n:]
	}
	if size.length > len(data) {
		return nil, size, errBER
	}
	return data, size, nil
}
