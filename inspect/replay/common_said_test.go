package replay

import (
	"slices"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// lostBy refuses subjects with an alert.
func lostBy(alert string) Answer { return Answer{Alert: alert, Reason: "alert " + alert} }

// What the endpoint's alert names is told before anything else that the hellos have in common, and the alert with it; signature schemes set
// hellos apart; and where the first accident of several is not theirs, a later one may be.
func TestTheAlertIsNamedWhereItSaysWhatIsWrong(t *testing.T) {
	ecdsa := Choice{Version: "TLSv1.2", Cipher: "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", Curve: "x25519", NextProtocol: "http/1.1", Key: "ECDSA"}
	rsa := Choice{Version: "TLSv1.3", Cipher: "TLS_AES_256_GCM_SHA384", Curve: "x25519", Key: "RSA"}
	for _, test := range []struct {
		name, taken, lost string
		choice            Choice
		answer            Answer
		want              string
	}{
		{"ALPN", "curl-default,curl-no-alpn", "apache-proxypass-h2,node-http2", ecdsa, lostBy("no_application_protocol"),
			"their ALPN lacks http/1.1, the protocol that was chosen with the others; they offer h2; the alert says so: no_application_protocol"},
		{"ALPN that nobody has", "curl-no-alpn", "apache-proxypass-h2,curl-default", rsa, lostBy("no_application_protocol"),
			"their ALPN has no protocol that the endpoint knows; they offer h2, http/1.1; the alert says so: no_application_protocol"},
		{"ALPN without its alert", "curl-default,curl-no-alpn", "apache-proxypass-h2", ecdsa, lostBy("handshake_failure"),
			"their ALPN lacks http/1.1, the protocol that was chosen with the others"},
		{"names", "curl-default,curl-tls12", "openssl-s_client-no-sni,java6", rsa, lostBy("unrecognized_name"), "all send no server name; the alert says so: unrecognized_name"},
		{"a name that some do without", "curl-default,go-no-sni", "openssl-s_client-no-sni", rsa, lostBy("unrecognized_name"), "all send session_ticket"},
		{"fallback", "go-tls12", "openssl-s_client-fallback-scsv", Choice{Version: "TLSv1.2"}, lostBy("inappropriate_fallback"), "all send TLS_FALLBACK_SCSV; the alert says so: inappropriate_fallback"},
		{"SHA-1", "curl-default,openssl-s_client-default", "openssl-s_client-sha1-sigalgs", ecdsa, lostBy("handshake_failure"), "all offer signature schemes with SHA-1 or MD5 alone"},
		{"a key that is not theirs", "curl-default", "gnutls-cli-suiteb192", Choice{Version: "TLSv1.2", Key: "RSA"}, lostBy("handshake_failure"),
			"none offers a signature scheme for RSA, the key of the certificate that was sent to the others"},
	} {
		var subjects []*Subject
		var answers []Answer
		for _, s := range samples(t, test.taken) {
			choice := test.choice
			if choice.NextProtocol != "" && lacksProtocol(s.View, chosen{protocols: []string{choice.NextProtocol}}) || s.View.ALPN.Len() == 0 {
				choice.NextProtocol = ""
			}
			subjects, answers = append(subjects, s), append(answers, taken(choice))
		}
		for _, s := range samples(t, test.lost) {
			subjects, answers = append(subjects, s), append(answers, test.answer)
		}
		_, _, common := Losses(subjects, Side{Answers: answers})
		if len(common) != 1 || common[0].Sentence != test.want {
			t.Errorf("%s: %+v\n\twant %q", test.name, common, test.want)
		}
	}
}

// A scheme that all have that are taken is named where it is missing, of the kind of the certificate's key alone.
func TestASchemeThatAllHaveIsNamed(t *testing.T) {
	subjects := samples(t, "curl-default,openssl-s_client-default,go-default")
	var answers []Answer
	for range subjects {
		answers = append(answers, taken(Choice{Version: "TLSv1.2", Key: "RSA"}))
	}
	for _, without := range []wire.SignatureScheme{wire.SchemeRSAPKCS1SHA512, wire.SchemeECDSASecp384r1SHA384} {
		lost, view := *subjects[0], *subjects[0].View
		view.SignatureSchemes = nil
		for scheme := range subjects[0].View.SignatureSchemes.All() {
			if scheme != without {
				view.SignatureSchemes = append(view.SignatureSchemes, byte(scheme>>8), byte(scheme))
			}
		}
		lost.View = &view
		_, _, common := Losses(append(slices.Clip(subjects), &lost), Side{Answers: append(slices.Clip(answers), lostBy("handshake_failure"))})
		want := "none offers " + without.String() + ", which all offer that are taken and name signature schemes"
		if without == wire.SchemeECDSASecp384r1SHA384 {
			want = "nothing in these hellos sets them apart from those that are taken" // an RSA key has no use for it
		}
		if len(common) != 1 || common[0].Sentence != want {
			t.Errorf("without %v: %+v, want %q", without, common, want)
		}
	}
}
