package replay

import (
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/clients"
	"github.com/tlstriage/tlstriage/inspect/fingerprint"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/recording"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Subject is one kind of client with one server name: a hello to be sent, and how many connections it stands for.
type Subject struct {
	Shape       string // as recorded
	JA4         string
	Client      string // whose hello it is or likely is; empty: unknown
	Sample      string // of the gallery: the sample's name
	EventID     string // of the record that the hello is from
	Connections int64
	Assumed     int64  // of them: connections with other server names, which are taken to fare as this one does
	Name        string // server name as recorded; empty: none
	Hello       *probe.Hello
	View        *wire.ClientHello // the recorded hello, for whoever predicts. Not to be changed.
	Rebuilt     bool              // made from a record's lists, without the bytes
	QUIC        bool              // it was sent in QUIC Initial packets
}

// Label names the subject for a person: its client, or its shape.
func (s *Subject) Label() string {
	switch {
	case s.Sample != "":
		return s.Sample
	case s.Client != "":
		return s.Client
	}
	return s.Shape
}

// FromKinds makes subjects of collected clients: one for each kind and server name, the most frequent names first and at most perKind
// (0: 4) of them. What a kind has of further names is added to its first subject, as Assumed. Kinds that came over DTLS are left out,
// and counted.
func FromKinds(kinds []recording.Collected, perKind int) (subjects []*Subject, left int) {
	if perKind <= 0 {
		perKind = 4
	}
	for i := range kinds {
		k := &kinds[i]
		if k.Transport == inspect.TransportDTLS {
			left++
			continue
		}
		first := len(subjects)
		counted := int64(0)
		for _, n := range k.Names[:min(perKind, len(k.Names))] {
			subjects = append(subjects, fromKind(k, n))
			counted += n.Connections
		}
		if len(subjects) == first {
			subjects = append(subjects, fromKind(k, recording.Name{Name: strings.ToLower(string(k.Hello.ServerName))}))
		}
		rest := k.Connections - counted
		subjects[first].Connections += rest
		subjects[first].Assumed = rest
	}
	return subjects, left
}

func fromKind(k *recording.Collected, n recording.Name) *Subject {
	s := &Subject{
		Shape: k.Shape.Name, JA4: k.JA4, EventID: k.EventID, Connections: n.Connections, Name: n.Name, View: k.Hello, Rebuilt: k.Rebuilt,
		QUIC: k.Transport == inspect.TransportQUIC, Client: LikelyClient(k),
	}
	s.Hello = probe.FromClientHello(k.Hello)
	s.Hello.RecordVersion = k.RecordVersion
	if k.Records > 1 && len(k.Hello.Raw) > 0 {
		s.Hello.Layout = probe.RecordsOf((len(k.Hello.Raw) + k.Records - 1) / k.Records)
	}
	return s
}

// LikelyClient is whose hello a kind's sample is, as its source says or as its form tells; empty: unknown.
func LikelyClient(k *recording.Collected) string {
	if k.Origin != nil && k.Origin.Name != "" {
		return k.Origin.Name
	}
	if k.Rebuilt {
		c, ok := clients.NameRebuilt(k.Shape.Name, k.Hello)
		if !ok {
			return ""
		}
		return c.String()
	}
	c, ok := clients.Name(k.Hello)
	if !ok {
		return ""
	}
	return c.String()
}

// FromSamples makes subjects of the gallery's clients, of one connection each.
func FromSamples(samples []clients.Sample) ([]*Subject, error) {
	var subjects []*Subject
	for i := range samples {
		sample := &samples[i]
		view, err := sample.Hello()
		if err != nil {
			return nil, err
		}
		hello, err := probe.Parse(sample.Record)
		if err != nil {
			return nil, err
		}
		ja4, _ := fingerprint.JA4(view, fingerprint.TCP)
		subjects = append(subjects, &Subject{
			Shape: fingerprint.Shape(view), JA4: ja4, Client: sample.Client, Sample: sample.Name, Connections: 1, Name: sample.ServerName, Hello: hello, View: view,
		})
	}
	return subjects, nil
}
