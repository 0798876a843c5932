package inspect

import "time"

// Certificate is one certificate as presented.
type Certificate struct {
	Subject            string    `json:"subject,omitempty"`
	Issuer             string    `json:"issuer,omitempty"`
	SerialNumber       string    `json:"serial_number,omitempty"` // hexadecimal, upper case
	NotBefore          time.Time `json:"not_before,omitzero"`
	NotAfter           time.Time `json:"not_after,omitzero"`
	AlternativeNames   []string  `json:"alternative_names,omitempty"`
	PublicKeyAlgorithm string    `json:"public_key_algorithm,omitempty"`
	PublicKeySize      int       `json:"public_key_size,omitempty"` // bits
	SignatureAlgorithm string    `json:"signature_algorithm,omitempty"`
	IsCA               bool      `json:"is_ca"`
	Hash               Hashes    `json:"hash"`
	Error              string    `json:"error,omitempty"` // it does not parse: why
	Raw                []byte    `json:"raw,omitempty"`   // DER; governed by record.raw like the hello's bytes
}

// Hashes of a certificate's DER bytes, hexadecimal.
type Hashes struct {
	SHA256 string `json:"sha256"`
}
