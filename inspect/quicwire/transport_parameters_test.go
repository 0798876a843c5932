package quicwire

import (
	"errors"
	"testing"
)

func TestTransportParametersHaveNamesAndNumbers(t *testing.T) {
	// RFC 9001, Section A.2: the extension of the hello; and a reserved one.
	body := unhex(t, "0408ffffffffffffffff05048000ffff07048000ffff0801100104800075300901100f088394c8f03e51570806048000ffff 1b00")
	want := []struct {
		name    string
		integer uint64
		ok      bool
	}{
		{"initial_max_data", 1<<62 - 1, true}, {"initial_max_stream_data_bidi_local", 65535, true}, {"initial_max_stream_data_uni", 65535, true},
		{"initial_max_streams_bidi", 16, true}, {"max_idle_timeout", 30000, true}, {"initial_max_streams_uni", 16, true},
		{"initial_source_connection_id", 0, false}, {"initial_max_stream_data_bidi_remote", 65535, true}, {"reserved", 0, false},
	}
	all, err := ParseTransportParameters(Version1, body)
	if err != nil || len(all) != len(want) {
		t.Fatalf("%d parameters, error %v", len(all), err)
	}
	for i, p := range all {
		if n, ok := p.Integer(); p.Name() != want[i].name || n != want[i].integer || ok != want[i].ok {
			t.Errorf("parameter %d: %s, %d, %v; want %+v", i, p.Name(), n, ok, want[i])
		}
	}
	// Every prefix is the whole of some parameters or is refused.
	whole := map[int]bool{0: true}
	at := 0
	for _, p := range all {
		at += 2 + len(p.Value)
		whole[at] = true
	}
	for n := range body {
		var e *ParameterError
		_, err := ParseTransportParameters(Version1, body[:n])
		if (err == nil) != whole[n] || err != nil && (!errors.As(err, &e) || e.Kind != ParameterShort) {
			t.Errorf("%d bytes: error %v", n, err)
		}
	}
}

func TestTransportParametersOfOldDraftsAndWrongOnes(t *testing.T) {
	old := unhex(t, "000c 0004 0004 80010000 000c 0000")
	if all, err := ParseTransportParameters(0xff000019, old); err != nil || len(all) != 2 || all[0].Name() != "initial_max_data" || all[1].Name() != "disable_active_migration" {
		t.Errorf("%v, error %v", all, err)
	}
	var e *ParameterError
	if all, err := ParseTransportParameters(Version1, unhex(t, "040101 040102 050103")); !errors.As(err, &e) || e.Kind != ParameterDuplicate || e.Offset != 3 || len(all) != 3 {
		t.Errorf("%v, error %v", all, err)
	}
	if all, err := ParseTransportParameters(Version1, make([]byte, 1000)); !errors.As(err, &e) || len(all) != maxParameters {
		t.Errorf("%d, error %v", len(all), err)
	}
}
