package inspect

import "time"

// OCSP is a stapled OCSP response.
type OCSP struct {
	Stapled bool   `json:"stapled"`
	Status  string `json:"status,omitempty"` // good | revoked | unknown | expired | invalid
	Detail  string `json:"detail,omitempty"` // why it is what it is, in a sentence
	Raw     []byte `json:"raw,omitempty"`    // the response as it came
}

// Revocation is what was found out about the revocation of a presented chain.
type Revocation struct {
	Mode         string                  `json:"mode"`   // staple | check | require
	Status       RevocationStatus        `json:"status"` // revoked if any certificate is, unknown if any that was asked about is
	MustStaple   bool                    `json:"must_staple,omitempty"`
	Certificates []CertificateRevocation `json:"certificates,omitempty"` // leaf first
}

// CertificateRevocation is what was found out about one certificate of a chain.
type CertificateRevocation struct {
	Index      int              `json:"index"` // in the chain that was asked about
	Subject    string           `json:"subject"`
	Status     RevocationStatus `json:"status"`
	Detail     string           `json:"detail,omitempty"` // a sentence: who said so, or what went wrong
	Source     string           `json:"source,omitempty"` // staple | ocsp | crl: what settled it
	URL        string           `json:"url,omitempty"`
	Reason     string           `json:"reason,omitempty"` // of the revocation (RFC 5280, Section 5.3.1)
	RevokedAt  time.Time        `json:"revoked_at,omitzero"`
	ThisUpdate time.Time        `json:"this_update,omitzero"`
	NextUpdate time.Time        `json:"next_update,omitzero"`
}

// RevocationStatus is what is known about a certificate.
type RevocationStatus string

// Revocation states.
const (
	RevocationGood       RevocationStatus = "good"
	RevocationRevoked    RevocationStatus = "revoked"
	RevocationUnknown    RevocationStatus = "unknown"     // it was asked, and nobody could tell
	RevocationPending    RevocationStatus = "pending"     // it is being asked; a record waits for no answer
	RevocationNotNeeded  RevocationStatus = "not_needed"  // too short-lived to be revoked
	RevocationNotChecked RevocationStatus = "not_checked" // the mode does not ask about it
)
