package configs

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// manifests reads every document of a Kubernetes file.
func manifests(t *testing.T, file string) []map[string]any {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var documents []map[string]any
	// Document by document, as kubectl does: an anchor does not reach from one into another.
	for _, document := range bytes.Split(data, []byte("\n---\n")) {
		var m map[string]any
		if err := yaml.Load(document, &m); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		documents = append(documents, m)
	}
	return documents
}

// at follows keys and indexes into a document.
func at(t *testing.T, value any, path ...any) any {
	t.Helper()
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, ok := value.(map[string]any)
			if !ok || m[step] == nil {
				t.Fatalf("no %q of %v", step, path)
			}
			value = m[step]
		case int:
			list, ok := value.([]any)
			if !ok || len(list) <= step {
				t.Fatalf("no element %d of %v", step, path)
			}
			value = list[step]
		}
	}
	return value
}

func TestKubernetesManifestsCarryAValidConfiguration(t *testing.T) {
	files, err := filepath.Glob("deploy/kubernetes/*.yaml")
	if err != nil || len(files) != 2 {
		t.Fatalf("%d manifests, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			documents := manifests(t, file)
			config, ok := at(t, documents[0], "data", "proxy.yaml").(string)
			if !ok {
				t.Fatal("the ConfigMap holds no text")
			}
			c, err := Resolve([]byte(config), "proxy.yaml", nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			pod := at(t, documents[1], "spec", "template", "spec")
			grace, ok := at(t, pod, "terminationGracePeriodSeconds").(int)
			if !ok || float64(grace) <= c.Limits.Timeouts.Drain.Seconds() {
				t.Errorf("the pod is killed after %v s, before a drain of %v ends", grace, c.Limits.Timeouts.Drain)
			}
			var container any
			if filepath.Base(file) == "sidecar.yaml" {
				container = at(t, pod, "initContainers", 0)
				if at(t, container, "restartPolicy") != "Always" {
					t.Error("an init container that is not restarted is no sidecar")
				}
			} else {
				container = at(t, pod, "containers", 1)
			}
			for _, probe := range []struct{ name, path string }{{"livenessProbe", "/healthz"}, {"readinessProbe", "/readyz"}} {
				if got := at(t, container, probe.name, "httpGet", "path"); got != probe.path {
					t.Errorf("%s asks %v", probe.name, got)
				}
			}
			security := at(t, container, "securityContext")
			for key, want := range map[string]any{
				"runAsNonRoot": true, "runAsUser": 65532, "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false,
			} {
				if got := at(t, security, key); got != want {
					t.Errorf("securityContext.%s is %v, want %v", key, got, want)
				}
			}
		})
	}
}

func TestBothManifestsRunTheSameConfiguration(t *testing.T) {
	native := at(t, manifests(t, "deploy/kubernetes/sidecar.yaml")[0], "data", "proxy.yaml")
	plain := at(t, manifests(t, "deploy/kubernetes/sidecar-plain.yaml")[0], "data", "proxy.yaml")
	if native != plain {
		t.Error("the configurations differ")
	}
}

func TestSystemdUnitReloadsAndIsConfined(t *testing.T) {
	unit, err := os.ReadFile("deploy/systemd/tlstriage.service")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"ExecReload=/bin/kill -HUP $MAINPID", "DynamicUser=yes", "NoNewPrivileges=yes", "ProtectSystem=strict", "Type=exec"} {
		if !strings.Contains(string(unit), "\n"+line+"\n") {
			t.Errorf("no line %q", line)
		}
	}
}
