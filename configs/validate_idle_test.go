package configs

import (
	"strings"
	"testing"
)

// What has no effect is refused with what it would need, wherever it was asked for; a file may show a default.
func TestWhatHasNoEffectIsRefused(t *testing.T) {
	const requests, log = "has no effect without a listener in mode http, where requests are read", "has no effect without access_log.file (--access-log)"
	for _, test := range []struct{ flags, file, want string }{
		{"mode=http access-log=x access-log-format=json access-log-query=on", "", ""},
		{"access-log=x", "", requests},
		{"mode=http access-log-format=combined", "", log},
		{"mode=http access-log-format=json", "", log}, // the default, but whoever says so expects a log
		{"mode=http access-log-query=on", "", log},
		{"mode=http", "access_log: {format: json, query: off, file: ''}", ""},
		{"mode=http", "access_log: {format: combined}", log},
		{"write-pcapng=d pcapng-files=5", "", ""},
		{"pcapng-files=5", "", "has no effect without record.pcapng_dir (--write-pcapng)"},
		{"", "record: {pcapng_files: 5}", "has no effect without record.pcapng_dir (--write-pcapng)"},
		{"", "record: {pcapng_files: 1000}", ""},
		{"revocation=check revocation-host=a.internal", "", ""},
		{"revocation=require revocation-host=a.internal revocation-responder=http://a.internal/", "", ""},
		{"revocation-host=a.internal fetch-intermediates=true", "", ""},
		{"revocation-host=a.internal", "", "nobody is asked without a backend whose revocation is check or require (--revocation), or fetch_intermediates"},
		{"revocation=staple revocation-host=a.internal", "", "nobody is asked"},
		{"revocation=off", "revocation: {hosts: [a.internal]}", "nobody is asked"},
		{"revocation-responder=http://a.internal/ fetch-intermediates=true", "", "nobody is asked"},
		{"mode=http timeout-request-header=5s timeout-request-body=5s timeout-response=5s", "", ""},
		{"timeout-request-header=5s", "", requests},
		{"timeout-request-body=5s", "", requests},
		{"timeout-response=5s", "", requests},
		{"timeout-response=1m", "", requests},
		{"mode=passthrough", "limits: {timeouts: {response: 5s}}", requests},
		{"", "limits: {timeouts: {request_header: 10s, request_body: 1m, response: 1m}}", ""},
		{"", "limits: {timeouts: {response: 5s}}\nlisteners: [{address: ':1', routes: [{backend: {url: 'tcp://a:1'}}]}, {address: ':2', mode: http, routes: [{backend: {url: 'tcp://a:1'}}]}]", ""},
	} {
		t.Run(test.flags+" "+test.file, func(t *testing.T) {
			overrides := &Overrides{}
			set := map[string]string{"listen": "127.0.0.1:0", "backend": "https://a.example"}
			if strings.Contains(test.file, "listeners") {
				clear(set)
			}
			for flag := range strings.FieldsSeq(test.flags) {
				name, value, _ := strings.Cut(flag, "=")
				set[name] = value
			}
			for _, s := range Settings() {
				if text, ok := set[s.Flag]; ok {
					if err := overrides.Value(s).Set(text); err != nil {
						t.Fatal(err)
					}
				}
			}
			_, err := Resolve([]byte(test.file+"\n"), "p.yaml", nil, overrides)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}
