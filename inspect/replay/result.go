package replay

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/fingerprint"
	"github.com/tlstriage/tlstriage/inspect/probe"
)

// Answer is what one side makes of one subject: what an endpoint answered, or what a policy predicts.
type Answer struct {
	Accepted bool
	Choice   Choice // of a side that accepts
	Reason   string // of one that does not, in a few words: "alert handshake_failure (40)"
	Alert    string // of one that does not: the alert's registry name; empty: none, or it is not predicted
	// Undetermined says why this is no answer: the endpoint shut its door, it answers now so and now so, the bound was reached; a
	// policy's facts leave it open. Empty: it is one.
	Undetermined string
	Size         int // bytes of the hello that was sent; 0: none was, or it is not known
}

// Choice is what was negotiated. What is not visible, or not predicted, is empty and equals anything.
type Choice struct {
	Version      string `json:"version,omitempty"`
	Cipher       string `json:"cipher,omitempty"`
	Curve        string `json:"curve,omitempty"`
	NextProtocol string `json:"next_protocol,omitempty"`
	Key          string `json:"key,omitempty"` // of the certificate: "RSA", "ECDSA"
}

// difference names the fields in which two choices differ; empty: none does.
func (c Choice) difference(o Choice) []string {
	var fields []string
	for _, f := range [...]struct{ name, a, b string }{
		{"version", c.Version, o.Version}, {"cipher", c.Cipher, o.Cipher}, {"group", c.Curve, o.Curve}, {"ALPN", c.NextProtocol, o.NextProtocol}, {"key", c.Key, o.Key},
	} {
		if f.a != f.b && f.a != "" && f.b != "" {
			fields = append(fields, f.name)
		}
	}
	return fields
}

// String is the choice in a line.
func (c Choice) String() string {
	var parts []string
	for _, p := range [...]string{c.Version, c.Cipher, c.Curve, c.NextProtocol, c.Key} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, " ")
}

// String is the answer in a line.
func (a Answer) String() string {
	switch {
	case a.Undetermined == notSent:
		return notSent
	case a.Undetermined != "":
		return cmp.Or(a.Reason, "no answer") + " (undetermined: " + a.Undetermined + ")"
	case a.Accepted:
		return a.Choice.String()
	}
	return a.Reason
}

// Result is what came back for one subject from one target.
type Result struct {
	Subject  *Subject
	Target   string // as the caller names it
	Name     string // that was asked for; empty: none
	Answer   Answer
	Sent     string // fingerprint.Shape of what was sent; empty: nothing was
	Exchange *probe.Exchange
	// Again is how often it was sent in all: what fails is sent once more before it is believed.
	Again int
}

// Outcome is the record's replay.outcome. A connection that could not be made is told by how it ended.
func (r *Result) Outcome() probe.Outcome {
	x := r.Exchange
	if x.Outcome != probe.OutcomeNotConnected {
		return x.Outcome
	}
	if x.Error != nil {
		switch x.Error.Type {
		case inspect.ErrorRefused, inspect.ErrorReset:
			return probe.OutcomeReset
		case inspect.ErrorTimeout, inspect.ErrorUnreachable:
			return probe.OutcomeTimeout
		}
	}
	return probe.OutcomeClosed
}

// answerOf reads an exchange.
func answerOf(x *probe.Exchange) Answer {
	a := Answer{Accepted: x.Accepted(), Reason: x.Describe(), Size: sizeOf(x)}
	if !a.Accepted {
		if wantsKey(x) {
			a.Undetermined = fmt.Sprintf("it asks for a key of %s, which the client can make and this program cannot", x.RetryRequest.Group)
		}
		if x.Alert != nil {
			a.Alert = x.Alert.Description.String()
		}
		return a
	}
	a.Reason = ""
	a.Choice = Choice{NextProtocol: x.ALPN}
	if x.Version != 0 {
		a.Choice.Version = x.Version.String()
	}
	if x.ServerHello != nil {
		a.Choice.Cipher = x.CipherSuite.String()
	}
	if x.Group != 0 {
		a.Choice.Curve = x.Group.String()
	}
	if t := x.Connection.ClientLeg.TLS; t != nil && t.Server != nil && len(t.Server.CertificateChain) > 0 {
		a.Choice.Key = t.Server.CertificateChain[0].PublicKeyAlgorithm
	}
	return a
}

// sent is the hello that was sent, as the exchange's own record has it; nil: none was.
func sent(x *probe.Exchange) *inspect.Hello {
	if x.Connection == nil || x.Connection.ClientLeg == nil || x.Connection.ClientLeg.TLS == nil {
		return nil
	}
	return x.Connection.ClientLeg.TLS.Client
}

// sizeOf is the size of the hello that was sent.
func sizeOf(x *probe.Exchange) int {
	if h := sent(x); h != nil && h.Message != nil {
		return h.Message.Size
	}
	return 0
}

// shapeOf is the shape of the hello that was sent, or was to be.
func shapeOf(x *probe.Exchange) string {
	if h := sent(x); h != nil && h.Shape != "" {
		return h.Shape
	}
	view, err := x.Hello.View()
	if err != nil {
		return ""
	}
	return fingerprint.Shape(view)
}

// wantsKey reports whether the exchange ended because the endpoint asked, as it may, for a key of a group that the client offers, and that
// cannot be made here. That is no refusal: the client would go on.
func wantsKey(x *probe.Exchange) bool {
	if x.Outcome != probe.OutcomeRetryRequest || x.RetryRequest == nil {
		return false
	}
	group := x.RetryRequest.Group
	return group != 0 && slices.Contains(x.Hello.Groups(), group) && !slices.Contains(x.Hello.KeyShareGroups(), group)
}

// Replay is what a replayed hello's record says beside what every record says.
type Replay struct {
	To           string        `json:"to"`
	SentShape    string        `json:"sent_shape"`
	Outcome      probe.Outcome `json:"outcome"`
	Accepted     bool          `json:"accepted"`
	Shape        string        `json:"shape"`              // as recorded
	Client       string        `json:"client,omitempty"`   // likely
	Sample       string        `json:"sample,omitempty"`   // of the gallery
	EventID      string        `json:"event_id,omitempty"` // of the record that was replayed
	Connections  int64         `json:"connections"`        // that the hello stands for
	Assumed      int64         `json:"assumed,omitempty"`  // of them: with other server names
	Undetermined string        `json:"undetermined,omitempty"`
	Attempts     int           `json:"attempts"`
	FirstByteMS  float64       `json:"first_byte_ms,omitempty"` // from the hello to the answer's first byte
	Class        Class         `json:"class,omitempty"`         // of the second of two endpoints: against the first
	Differs      []string      `json:"differs,omitempty"`       // with class different: in what
	Contradicts  []string      `json:"contradicts,omitempty"`   // in what the policy's prediction does not hold
}

// Record is the exchange as a record.
type Record struct {
	inspect.Connection
	Replay Replay `json:"replay"`
}

// Record makes the record of a result. The connection is shared with the exchange.
func (r *Result) Record() *Record {
	s := r.Subject
	return &Record{Connection: *r.Exchange.Connection, Replay: Replay{
		To: r.Target, SentShape: r.Sent, Outcome: r.Outcome(), Accepted: r.Answer.Accepted, Shape: s.Shape, Client: s.Client, Sample: s.Sample, EventID: s.EventID,
		Connections: s.Connections, Assumed: s.Assumed, Undetermined: r.Answer.Undetermined, Attempts: r.Again,
		FirstByteMS: float64(r.Exchange.FirstByte.Microseconds()) / 1000,
	}}
}

// StoppedError says why a run ended before every subject was sent.
type StoppedError struct {
	Target string
	Sent   int // connections made to all targets
	Left   int // subjects that were not sent
	Reason string
}

func (e *StoppedError) Error() string {
	return fmt.Sprintf("replay: %s: %s; stopped after %d connections, %d hellos were not sent", e.Target, e.Reason, e.Sent, e.Left)
}
