package why

import (
	"fmt"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// refineForm names what is around the message: the record's version, the layout, the format.
func (r *run) refineForm(s step, next trial, a answer) bool {
	f := found{axis: s.axis}
	h := r.failing.hello
	if h.SSLv2 && next.hello.SSLv2 {
		// The format has no extensions: it is to blame only if the same offer without them is accepted as a TLS record.
		p := r.send("the same without extensions, as a TLS record", trial{next.hello.InTLSFormat(), next.proxy})
		if p.x == nil || !p.works {
			return p.x != nil
		}
	}
	switch {
	case s.axis == AxisSegmentation && len(h.Layout.Records) == 0 && h.Layout.RecordSize == 0:
		f.id = FragmentedSegments
		f.evidence = fmt.Sprintf("in segments of %d bytes: %s; in one: accepted", h.Layout.SegmentSize, a.x.Describe())
		f.sentence = "The endpoint, or something before it, fails when the hello comes in more than one TCP segment: it looks at the first one only."
		f.fix = "Update what stands before the endpoint."
	case s.axis == AxisSegmentation:
		f.id = FragmentedRecords
		f.evidence = fmt.Sprintf("in the client's TLS records: %s; in one: accepted", a.x.Describe())
		f.sentence = "The endpoint, or something before it, fails when the hello comes in more than one TLS record, which RFC 8446, Section 5.1 allows."
		f.fix = "Update the endpoint; until then make the hello fit one record."
	case h.SSLv2:
		f.id = SSLv2FormatRefused
		f.evidence = fmt.Sprintf("in the SSLv2 format: %s; the same offer as a TLS record: accepted", a.x.Describe())
		f.sentence = "The endpoint does not take hellos in the SSLv2 format, as clients before 2010 send them, whatever version they offer."
		f.fix = "Have the client send TLS hellos (Java: without SSLv2Hello; OpenSSL: without SSLv2)."
	default:
		theirs, ours := recordVersion(h), recordVersion(r.working.hello)
		f.id, f.offered, f.accepted = RecordVersionRefused, []string{theirs.String()}, []string{ours.String()}
		f.evidence = fmt.Sprintf("with %s in the record's header: %s; with %s: accepted", theirs, a.x.Describe(), ours)
		f.sentence = fmt.Sprintf("The endpoint fails on the version %s in the record's header, which it has to ignore (RFC 8446, Section 5.1); with %s there it answers.", theirs, ours)
		f.fix = "Update the endpoint."
	}
	r.add(f)
	return true
}

// recordVersion is what stands in the header of a hello's records.
func recordVersion(h *probe.Hello) wire.Version {
	switch {
	case h.RecordVersion != 0:
		return h.RecordVersion
	case h.Version == wire.VersionSSLv3:
		return wire.VersionSSLv3
	}
	return wire.VersionTLS10
}
