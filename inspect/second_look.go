package inspect

// Look is what a backend answered to a hello with a certain server name, when the proxy looked a second time to find out
// which name gets which certificate.
type Look struct {
	ServerName  string       `json:"server_name"` // that was sent; empty: none
	Origin      string       `json:"origin"`      // LookWithoutName and its siblings
	Established bool         `json:"established"`
	Version     string       `json:"version,omitempty"`
	Certificate *Certificate `json:"certificate,omitempty"` // the leaf; raw bytes are not kept
	Alert       *Alert       `json:"alert,omitempty"`       // the backend's
	Error       *Error       `json:"error,omitempty"`
}

// Where the name of a look is from.
const (
	LookWithoutName   = "none"       // no server name was sent
	LookClientName    = "client"     // the name that the client asked for
	LookConfigured    = "configured" // the name that the configuration sends
	LookBackendHost   = "host"       // the host that is dialled
	LookOtherProtocol = "no_alpn"    // the same name as in the connection, without ALPN
)
