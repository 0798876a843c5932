package importer_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/importer"
)

func TestJSONThatIsBrokenIsCalledSo(t *testing.T) {
	files := fstest.MapFS{"a.json": {Data: []byte(`{"Listeners":[`)}, "azure.json": {Data: []byte(`{"policyType": "Predefined", "policyName": "AppGwSslPolicy20220101", "foo": 1}`)}}
	if _, err := importer.Import(files, "a.json", "", imported.Options{}); err == nil || !strings.Contains(err.Error(), "begins as JSON and is none: unexpected end") {
		t.Error(err)
	}
	r, err := importer.Import(files, "azure.json", "", imported.Options{})
	if err != nil || len(r.Problems) == 0 || !strings.Contains(r.Problems[0].Text, "foo") {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestAVersionWithoutACipherIsTold(t *testing.T) {
	files := fstest.MapFS{
		"odd.yaml":  {Data: []byte("name: odd\nversions: [TLSv1.2]\nciphers: [TLS_AES_128_GCM_SHA256]\n")},
		"good.yaml": {Data: []byte("name: good\nversions: [TLSv1.2, TLSv1.3]\nciphers: [TLS_AES_128_GCM_SHA256, ECDHE-RSA-AES128-GCM-SHA256]\n")},
	}
	for file, want := range map[string]int{"odd.yaml": 1, "good.yaml": 0} {
		r, err := importer.Import(files, file, "", imported.Options{})
		if err != nil || len(r.Problems) != want {
			t.Errorf("%s: %+v, %v", file, r, err)
		}
	}
}
