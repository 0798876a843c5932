package diagnose

import (
	"fmt"

	"github.com/tlstriage/tlstriage/inspect"
)

// Alerts on which rules decide (RFC 8446, Section 6, and the extensions' own documents).
const (
	alertCloseNotify            = 0
	alertUnexpectedMessage      = 10
	alertBadRecordMAC           = 20
	alertRecordOverflow         = 22
	alertHandshakeFailure       = 40
	alertNoCertificate          = 41
	alertBadCertificate         = 42
	alertUnsupportedCertificate = 43
	alertCertificateRevoked     = 44
	alertCertificateExpired     = 45
	alertCertificateUnknown     = 46
	alertIllegalParameter       = 47
	alertUnknownCA              = 48
	alertAccessDenied           = 49
	alertDecodeError            = 50
	alertDecryptError           = 51
	alertProtocolVersion        = 70
	alertInsufficientSecurity   = 71
	alertInternalError          = 80
	alertInappropriateFallback  = 86
	alertUserCanceled           = 90
	alertMissingExtension       = 109
	alertUnrecognizedName       = 112
	alertBadCertificateStatus   = 113
	alertCertificateRequired    = 116
	alertNoApplicationProtocol  = 120
)

// refusesCertificate reports whether an alert is about the peer's certificate.
func refusesCertificate(code uint8) bool {
	switch code {
	case alertBadCertificate, alertUnsupportedCertificate, alertCertificateRevoked, alertCertificateExpired,
		alertCertificateUnknown, alertUnknownCA:
		return true
	}
	return false
}

// spell names an alert the way that logs do.
func spell(a *inspect.Alert) string {
	return fmt.Sprintf("%s (alert %d)", or(bound(a.Description), "unnamed"), a.Code)
}
