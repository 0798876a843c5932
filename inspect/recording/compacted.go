package recording

import (
	"time"
)

// Compacted is what the record of one connection stands for in a compacted recording: all connections of clients that offered the
// same.
type Compacted struct {
	Connections int64     `json:"connections"`
	First       time.Time `json:"first,omitzero"`
	Last        time.Time `json:"last,omitzero"`
	Names       []Named   `json:"server_names,omitempty"` // the most frequent first; the name is empty where none was sent
	OtherNames  int64     `json:"other_names,omitempty"`  // connections whose names were beyond the bound
	Addresses   []string  `json:"addresses,omitempty"`    // a handful of the clients'
}

// Named is a server name of a Compacted.
type Named struct {
	Name        string `json:"name"`
	Connections int64  `json:"connections"`
}

// Origin is where a hello comes from that no eye of this program saw.
type Origin struct {
	Kind string `json:"kind"`           // of the foreign form: testssl, ssllabs, …; gallery
	Name string `json:"name,omitempty"` // whose hello that source says it is: "Java 7u25"
	Note string `json:"note,omitempty"` // what was made up because the source does not say it
}

// sane is whether a compacted record can be believed: what is not is counted as one connection.
func (k *Compacted) sane() bool {
	if k == nil || k.Connections < 1 || k.OtherNames < 0 {
		return false
	}
	sum := k.OtherNames
	for _, n := range k.Names {
		if n.Connections < 1 || n.Connections > k.Connections {
			return false
		}
		if sum += n.Connections; sum > k.Connections {
			return false
		}
	}
	return len(k.Names) == 0 || sum == k.Connections
}

// addCompacted makes the one connection that was counted for a compacted record those that it stands for. name is the server name of
// its hello.
func (t *Tally) addCompacted(e *entry, name []byte, k *Compacted) {
	if !k.sane() {
		return
	}
	t.Connections += k.Connections - 1
	t.span(k.First)
	t.span(k.Last)
	e.Connections += k.Connections - 1
	e.span(k.First, k.Last)
	for _, a := range k.Addresses {
		if len(e.Addresses) < maxAddresses {
			e.address([]byte(a))
		}
	}
	if len(k.Names) == 0 && k.OtherNames == 0 {
		t.name(e, name, k.Connections-1)
		return
	}
	t.name(e, name, -1)
	for _, n := range k.Names {
		t.name(e, []byte(n.Name), n.Connections)
	}
	e.OtherNames += k.OtherNames
	for text, n := range e.names {
		if *n <= 0 {
			delete(e.names, text)
		}
	}
}
