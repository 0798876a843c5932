package configs

import (
	"strconv"
	"time"
)

// Bounds of the configuration itself.
const (
	MaxFileBytes   = 1 << 20 // of a configuration file
	MaxListeners   = 64
	MaxRoutes      = 1024 // of one listener
	MaxServerNames = 1024 // of one route
)

// DefaultAdminAddress is where the admin endpoint listens unless told otherwise: loopback only, for it has no login.
const DefaultAdminAddress = "127.0.0.1:9090"

// Default is the configuration before anything was said: no listener yet, every bound set.
func Default() *Config {
	return &Config{
		Admin: Admin{Address: DefaultAdminAddress},
		Limits: Limits{
			Connections: 10_000,
			HelloBytes:  64 << 10,
			Queue:       4096,
			Recent:      256,
			Timeouts: Timeouts{
				ProxyProtocol:    5 * time.Second,
				ClientHello:      10 * time.Second,
				Dial:             5 * time.Second,
				Handshake:        10 * time.Second,
				BackendHandshake: 10 * time.Second,
				RequestHeader:    10 * time.Second,
				RequestBody:      time.Minute,
				Response:         time.Minute,
				BadGateway:       5 * time.Second,
				Idle:             10 * time.Minute,
				Linger:           time.Second,
				Drain:            20 * time.Second,
			},
		},
		ACME:         ACME{Challenges: []ACMEChallenge{ACMETLSALPN}},
		Monitor:      Monitor{Interval: time.Hour},
		Shadow:       Shadow{ProxyProtocol: ProxyHeaderNone, Interval: time.Hour, Rate: 5},
		Explain:      Off,
		SecondLook:   On,
		Record:       Record{Raw: RawAll, PcapngFiles: 1000},
		AccessLog:    AccessLog{Format: AccessJSON, Query: Off},
		Output:       OutputText,
		ExpiringSoon: 30 * 24 * time.Hour,
		FailOn:       FailOnError,
		Log:          Log{Level: LogInfo, Format: OutputText},
	}
}

// complete gives the listeners and routes, which can only be known once everything was read, their defaults.
func (c *Config) complete() {
	for i := range c.Listeners {
		l := &c.Listeners[i]
		if l.Name == "" {
			l.Name = "default"
			if len(c.Listeners) > 1 {
				l.Name = "listener-" + strconv.Itoa(i+1)
			}
		}
		if len(l.Routes) == 0 && l.OriginalDst != "" && l.OriginalDst != OriginalDstOff {
			l.Routes = []Route{{}} // to where each client wanted to go
		}
		setDefault(&l.Mode, ModeBridge)
		setDefault(&l.StartTLS, StartTLSNone)
		setDefault(&l.OriginalDst, OriginalDstOff)
		setDefault(&l.ClientIdentity, IdentityOff)
		setDefault(&l.ProxyProtocol, Off)
		setDefault(&l.ClientAuth, ClientAuthNone)
		setDefault(&l.Fallback, FallbackRefuse)
		setDefault(&l.QUIC, Off)
		setDefault(&l.QUICRetry, QUICRetryAuto)
		setDefault(&l.AltSvc, AltSvcOff)
		for j := range l.Routes {
			b := &l.Routes[j].Backend
			setDefault(&b.StartTLS, StartTLSNone)
			setDefault(&b.Verify, VerifyReport)
			setDefault(&b.ProxyProtocol, ProxyHeaderNone)
			setDefault(&b.Protocol, ProtocolAuto)
			setDefault(&b.Revocation, RevocationOff)
		}
	}
}

// setDefault gives an enumeration that was left empty its default.
func setDefault[T ~string](value *T, fallback T) {
	if *value == "" {
		*value = fallback
	}
}
