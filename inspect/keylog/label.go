package keylog

import "strconv"

// Label says what a secret is for.
type Label uint8

// Labels (RFC 9850, Section 2).
const (
	ClientRandom           Label = iota // the master secret of TLS 1.2 and older
	ClientEarlyTraffic                  // TLS 1.3 from here on
	ClientHandshakeTraffic              // also of QUIC
	ServerHandshakeTraffic
	ClientTraffic0
	ServerTraffic0
	EarlyExporter
	Exporter
	ECHSecret
	ECHConfig
	labels
)

var labelNames = [labels]string{
	ClientRandom:           "CLIENT_RANDOM",
	ClientEarlyTraffic:     "CLIENT_EARLY_TRAFFIC_SECRET",
	ClientHandshakeTraffic: "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
	ServerHandshakeTraffic: "SERVER_HANDSHAKE_TRAFFIC_SECRET",
	ClientTraffic0:         "CLIENT_TRAFFIC_SECRET_0",
	ServerTraffic0:         "SERVER_TRAFFIC_SECRET_0",
	EarlyExporter:          "EARLY_EXPORTER_SECRET",
	Exporter:               "EXPORTER_SECRET",
	ECHSecret:              "ECH_SECRET",
	ECHConfig:              "ECH_CONFIG",
}

// String is the label as it stands in a file.
func (l Label) String() string {
	if l < labels {
		return labelNames[l]
	}
	return "label " + strconv.Itoa(int(l))
}

// labelOf finds a label by its name, also with the QUIC_ before it that some wrote.
func labelOf(name []byte) (Label, bool) {
	const quic = "QUIC_"
	for l, known := range labelNames {
		if string(name) == known || len(name) > len(quic) && string(name[:len(quic)]) == quic && string(name[len(quic):]) == known {
			return Label(l), true
		}
	}
	return 0, false
}

// looksLikeLabel reports whether b may be a label that is not known yet: capitals, digits and underscores.
func looksLikeLabel(b []byte) bool {
	for _, c := range b {
		if c != '_' && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}
