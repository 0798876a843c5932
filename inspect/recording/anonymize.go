package recording

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Anonymizer takes out of records what could tell who a client was or let somebody take up its sessions: randoms, session ids,
// tickets, pre-shared keys, key shares, cookies, ECH, connection ids and the content of extensions that is more than code points
// become zeros, and protocols of ALPN that nobody registered become others of the same length; client addresses lose their last 8
// bits (IPv6: 80); times are rounded, ids are made anew; ports, origins, durations, certificates, messages and findings go, and so does every
// text that is none of ours. Sizes, orders and code points stay, and with them the shape and the fingerprints of a hello whose
// protocols are registered. The zero value keeps server names.
type Anonymizer struct {
	MaskNames bool          // server names become others of the same length; the same name always the same one, from one Anonymizer
	Round     time.Duration // times are cut to a multiple of it; 0: DefaultRound; negative: they go

	names map[string]string
	count uint64 // records
	salt  string // of their ids
}

// DefaultRound is what times are cut to.
const DefaultRound = time.Hour

// maxMasked bounds the names that are remembered; those beyond it all become one of their length.
const maxMasked = 1 << 20

// Record is what is left of a record. A hello that has no bytes, or that does not parse, keeps what its lists say.
func (a *Anonymizer) Record(r *Record) *Record {
	out := &Record{}
	if r.Origin != nil {
		out.Origin = &Origin{Kind: oneOf(r.Origin.Kind, "testssl", "ssllabs", "curl-impersonate", "hex", "raw", "pcap", "gallery")}
	}
	out.Schema, out.Timestamp = r.Schema, a.time(r.Timestamp)
	out.Transport = oneOf(r.Transport, inspect.TransportTCP, inspect.TransportQUIC, inspect.TransportDTLS)
	out.Event = inspect.Event{
		ID:      a.id(out.Timestamp),
		Source:  oneOf(r.Event.Source, inspect.SourceProxy, inspect.SourceCapture, inspect.SourceScan, inspect.SourceReplay, SourceRecording),
		Outcome: oneOf(r.Event.Outcome, inspect.Success, inspect.Failure, inspect.Unknown),
	}
	out.Verdict = oneOf(r.Verdict, inspect.OK, inspect.Warning, inspect.Failed)
	out.Fault = oneOf(r.Fault, inspect.FaultClient, inspect.FaultPolicy, inspect.FaultBackend, inspect.FaultNetwork, inspect.FaultProxy, inspect.FaultNoise)
	out.Client.Address = maskAddress(r.Client.Address)
	if r.ClientLeg != nil {
		out.ClientLeg = a.leg(r.ClientLeg, out.Transport)
	}
	if k := r.Compacted; k != nil {
		masked := Compacted{Connections: k.Connections, First: a.time(k.First), Last: a.time(k.Last), OtherNames: k.OtherNames}
		for _, n := range k.Names {
			masked.Names = append(masked.Names, Named{Name: string(a.name([]byte(n.Name))), Connections: n.Connections})
		}
		for _, address := range k.Addresses {
			if m := maskAddress(address); m != "" && !slices.Contains(masked.Addresses, m) {
				masked.Addresses = append(masked.Addresses, m)
			}
		}
		out.Compacted = &masked
	}
	return out
}

// oneOf is v if it is among the values that there are, else nothing.
func oneOf[T ~string](v T, known ...T) T {
	if slices.Contains(known, v) {
		return v
	}
	return ""
}

// time is a time as it may be known.
func (a *Anonymizer) time(t time.Time) time.Time {
	round := a.Round
	if round == 0 {
		round = DefaultRound
	}
	if t.IsZero() || round < 0 {
		return time.Time{}
	}
	return t.UTC().Truncate(round)
}

// id is a new id, which sorts by what is left of the time and in the order of the records.
func (a *Anonymizer) id(at time.Time) string {
	if a.salt == "" {
		a.salt = fmt.Sprintf("%06x", rand.Uint32N(1<<24))
	}
	if at.IsZero() {
		at = time.Unix(0, 0)
	}
	a.count++
	return inspect.NewID(at, a.count, a.salt)
}

func (a *Anonymizer) leg(l *inspect.Leg, transport string) *inspect.Leg {
	out := &inspect.Leg{}
	if l.Error != nil {
		out.Error = &inspect.Error{Type: knownError(l.Error.Type), Phase: oneOf(l.Error.Phase, inspect.PhaseProxyProtocol, inspect.PhasePeek, inspect.PhaseDecide,
			inspect.PhaseResolve, inspect.PhaseDial, inspect.PhaseHandshake, inspect.PhaseTransfer)}
	}
	t := l.TLS
	if t == nil {
		return out
	}
	out.TLS = &inspect.TLS{
		Established: t.Established, Version: named(t.Version, wire.VersionByName), Cipher: named(t.Cipher, wire.CipherSuiteByName),
		Curve: named(t.Curve, wire.NamedGroupByName), NextProtocol: maskProtocol(t.NextProtocol), Resumed: t.Resumed,
		HelloRetryRequest: t.HelloRetryRequest, SignatureScheme: named(t.SignatureScheme, wire.SignatureSchemeByName),
	}
	for _, alert := range t.Alerts {
		out.TLS.Alerts = append(out.TLS.Alerts, inspect.Alert{
			Level: oneOf(alert.Level, wire.AlertLevelWarning.String(), wire.AlertLevelFatal.String()), Code: alert.Code,
			Description: wire.AlertDescription(alert.Code).String(), From: oneOf(alert.From, inspect.FromClient, inspect.FromServer),
		})
	}
	if t.Handshake != nil && onlyOf(t.Handshake.History, letters+"^") {
		out.TLS.Handshake = &inspect.Handshake{History: t.Handshake.History}
	}
	if t.Client != nil {
		out.TLS.Client = a.hello(t.Client, transport)
	}
	return out
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// onlyOf reports whether there is nothing but these characters in s.
func onlyOf(s, characters string) bool { return strings.Trim(s, characters) == "" }

// named is a code point's name as the registry has it; empty for what is none.
func named[T fmt.Stringer](name string, find func(string) (T, bool)) string {
	code, ok := find(name)
	if !ok {
		return ""
	}
	return code.String()
}

// knownError is an error's reason, where it is one of ours: a word, with underscores.
func knownError(t inspect.ErrorType) inspect.ErrorType {
	known := oneOf(t, inspect.ErrorNotTLS, inspect.ErrorMalformedHello, inspect.ErrorHelloTooLarge, inspect.ErrorIncompleteHello, inspect.ErrorEmpty,
		inspect.ErrorTimeout, inspect.ErrorClosed, inspect.ErrorReset, inspect.ErrorRefused, inspect.ErrorUnreachable, inspect.ErrorUnresolvable,
		inspect.ErrorAlertReceived, inspect.ErrorAlertSent, inspect.ErrorPolicy, inspect.ErrorNoRoute, inspect.ErrorViewsDiffer,
		inspect.ErrorNoCommonVersion, inspect.ErrorNoCommonCipher, inspect.ErrorNoCommonGroup, inspect.ErrorNoCommonSignature,
		inspect.ErrorNoCommonALPN, inspect.ErrorUnsupported, inspect.ErrorNoCertificate, inspect.ErrorCertificatePending,
		inspect.ErrorClientCertificate, inspect.ErrorCertificate, inspect.ErrorProxyProtocol, inspect.ErrorOverloaded, inspect.ErrorStuck,
		inspect.ErrorNoAnswer, inspect.ErrorUnacknowledged, inspect.ErrorStalled, inspect.ErrorShutdown)
	if known == "" {
		return inspect.ErrorOther
	}
	return known
}

// name is a server name as it may be shown: with MaskNames another one of the same length, with dots in the same places.
func (a *Anonymizer) name(name []byte) []byte {
	if !a.MaskNames || len(name) == 0 {
		return name
	}
	name = bytes.ToLower(name)
	if known, ok := a.names[string(name)]; ok {
		return []byte(known)
	}
	number := "x"
	if len(a.names) < maxMasked {
		number = strconv.FormatInt(int64(len(a.names))+1, 36)
	}
	masked := make([]byte, len(name))
	for i, c := range name {
		switch {
		case c == '.':
			masked[i] = '.'
		case len(number) > 0:
			masked[i], number = number[0], number[1:]
		default:
			masked[i] = 'x'
		}
	}
	if a.names == nil {
		a.names = make(map[string]string)
	}
	if len(a.names) < maxMasked {
		a.names[string(name)] = string(masked)
	}
	return masked
}

// maskAddress is the network of an address: 24 bits of IPv4, 48 of IPv6; empty for what is none.
func maskAddress(s string) string {
	address, err := netip.ParseAddr(s)
	if err != nil {
		return ""
	}
	bits := 48
	if address = address.WithZone("").Unmap(); address.Is4() {
		bits = 24
	}
	prefix, err := address.Prefix(bits)
	if err != nil {
		return ""
	}
	return prefix.Addr().String()
}
