package recording

import (
	"encoding/json"
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

// maxCompacted bounds the connections that one record is believed to stand for, so that no sum of them overflows.
const maxCompacted = 1 << 40

// readCompacted reads what a record says that it stands for. What cannot be believed, or is of another form, is nil: one connection.
func readCompacted(text []byte) *Compacted {
	if len(text) == 0 {
		return nil
	}
	k := new(Compacted)
	if json.Unmarshal(text, k) != nil || !k.sane() {
		return nil
	}
	return k
}

// sane is whether the counts fit together.
func (k *Compacted) sane() bool {
	if k.Connections < 1 || k.Connections > maxCompacted || k.OtherNames < 0 || k.OtherNames > k.Connections {
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
	return len(k.Names) == 0 && k.OtherNames == 0 || sum == k.Connections
}

// addCompacted adds to an entry what a compacted record says of the connections that it stands for, but for their number. name is the
// server name of its hello.
func (t *Tally) addCompacted(e *entry, name []byte, k *Compacted) {
	e.span(k.First, k.Last)
	for _, a := range k.Addresses {
		if len(e.Addresses) < maxAddresses {
			e.address([]byte(a))
		}
	}
	if len(k.Names) == 0 && k.OtherNames == 0 {
		t.name(e, name, k.Connections)
		return
	}
	for _, n := range k.Names {
		t.name(e, []byte(n.Name), n.Connections)
	}
	e.OtherNames += k.OtherNames
}
