package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const modulePath = "github.com/tlstriage/tlstriage"

// layer is what one package may reach for.
type layer struct {
	imports []string // packages of this module; "*" is all of them
	pure    bool     // no file, no socket, no log, no clock: rows 0 to 2
}

// layers is the diagram. A package that is not here does not exist yet: its first file comes with its line.
func layers() map[string]layer {
	bytesRow := []string{"inspect/wire", "inspect/fingerprint", "inspect/quicwire", "inspect/keylog", "inspect/starttls"}
	record := append([]string{"inspect"}, bytesRow...)
	with := func(base []string, more ...string) []string { return append(slices.Clone(base), more...) }
	judged := with(record, "inspect/policy", "inspect/policy/imported", "inspect/spelling")
	languages := []string{"inspect/policy/openssl", "inspect/policy/boringssl", "inspect/policy/gnutls", "inspect/policy/java"}
	systems := []string{
		"inspect/policy/nginx", "inspect/policy/haproxy", "inspect/policy/apache", "inspect/policy/envoy", "inspect/policy/kubernetes",
		"inspect/policy/cloud", "inspect/policy/caddy", "inspect/policy/traefik",
	}
	return map[string]layer{
		// Row 4: the wiring.
		"cmd/tlstriage":     {imports: []string{"*"}},
		"cmd/tlstriage/e2e": {imports: []string{"*"}}, // tests only
		// Row 3: eyes and hands. They meet row 2 in cmd and nowhere else.
		"proxy":           {imports: record},
		"proxy/h3":        {imports: with(record, "proxy")},
		"proxy/admin":     {imports: record},
		"proxy/monitor":   {imports: with(record, "proxy")},
		"inspect/capture": {imports: record},
		"inspect/probe":   {imports: record},
		"inspect/scan":    {imports: with(record, "inspect/probe")},
		"inspect/why":     {imports: with(record, "inspect/probe")},
		"inspect/replay":  {imports: with(record, "inspect/probe", "inspect/recording", "inspect/clients")},
		"inspect/store":   {imports: record},
		// Tests only: what they leave behind, ports, what things cost, and servers to connect to.
		"inspect/leaktest":   {},
		"inspect/porttest":   {},
		"inspect/spenttest":  {},
		"inspect/servertest": {imports: []string{"inspect/wire"}},
		// Row 2: judgement.
		"inspect/policy": {imports: with(record, "certs/chain", "inspect/spelling"), pure: true},
		// What an endpoint accepts, in the languages of the systems that say it; the importer knows them all.
		"inspect/policy/imported":     {imports: judged, pure: true},
		"inspect/policy/openssl":      {imports: judged, pure: true},
		"inspect/policy/boringssl":    {imports: judged, pure: true},
		"inspect/policy/gnutls":       {imports: judged, pure: true},
		"inspect/policy/java":         {imports: judged, pure: true},
		"inspect/policy/nginx":        {imports: with(judged, languages...), pure: true},
		"inspect/policy/haproxy":      {imports: with(judged, languages...), pure: true},
		"inspect/policy/apache":       {imports: with(judged, languages...), pure: true},
		"inspect/policy/envoy":        {imports: with(judged, languages...), pure: true},
		"inspect/policy/kubernetes":   {imports: with(judged, languages...), pure: true},
		"inspect/policy/cloud":        {imports: with(judged, languages...), pure: true}, // AWS, GCP, Azure
		"inspect/policy/caddy":        {imports: with(judged, languages...), pure: true},
		"inspect/policy/traefik":      {imports: with(judged, languages...), pure: true},
		"inspect/policy/importer":     {imports: with(with(judged, languages...), systems...), pure: true},
		"inspect/policy/export":       {imports: with(judged, languages...), pure: true},
		"inspect/policy/importertest": {imports: with(judged, "inspect/porttest")}, // tests only: it starts programs
		"inspect/policy/trial":        {imports: with(judged, "inspect/recording", "inspect/clients"), pure: true},
		"inspect/diagnose":            {imports: with(record, "certs/chain", "inspect/policy"), pure: true},
		"inspect/report":              {imports: with(record, "certs/chain", "inspect/policy", "inspect/diagnose"), pure: true},
		// Row 1: the record.
		"inspect":           {imports: bytesRow, pure: true},
		"inspect/recording": {imports: record, pure: true}, // records and hellos read back
		"inspect/clients":   {imports: record, pure: true}, // who a hello is likely from
		// Hellos in other programs' forms.
		"inspect/recording/foreign": {imports: with(record, "inspect/recording"), pure: true},
		// Row 0: bytes.
		"inspect/wire":        {pure: true},
		"inspect/fingerprint": {imports: []string{"inspect/wire"}, pure: true},
		"inspect/quicwire":    {pure: true},
		"inspect/keylog":      {pure: true},
		"inspect/starttls":    {imports: []string{"inspect/wire"}, pure: true}, // reads and writes what it is handed
		"inspect/spelling":    {pure: true},                                    // slips in the words of settings, whosever
		// Islands.
		"configs":          {imports: []string{"inspect/spelling"}},
		"certs":            {},
		"certs/acme":       {imports: []string{"certs"}},
		"certs/chain":      {imports: []string{"inspect/spelling"}},
		"certs/revocation": {},
		"certs/bundle":     {imports: []string{"certs", "certs/chain"}},
		"certs/certstest":  {imports: []string{"certs"}},
	}
}

// doors says who may import a third party: the path or its beginning, and the packages. "*" is everybody.
func doors() map[string][]string {
	return map[string][]string{
		"github.com/google/gopacket":    {"inspect/capture"},
		"github.com/caddyserver":        {"certs/acme"},
		"github.com/libdns":             {"certs/acme"},
		"github.com/mholt/acmez":        {"certs/acme"},
		"github.com/quic-go/quic-go":    {"proxy/h3", "inspect/probe"},
		"go.yaml.in/yaml":               {"configs", "inspect/policy", "inspect/policy/envoy", "inspect/policy/kubernetes", "inspect/policy/traefik"},
		"github.com/nginxinc":           {"inspect/policy/nginx"},
		"github.com/klauspost/compress": {"inspect/recording", "inspect/capture"},
		"software.sslmate.com":          {"certs/bundle"},
		"go.uber.org/goleak":            {"inspect/leaktest"},

		"go.uber.org/zap":              {"cmd/tlstriage", "proxy", "proxy/h3", "proxy/admin", "certs/acme"},
		"github.com/prometheus":        {"proxy/admin"},
		"github.com/spf13":             {"cmd/tlstriage"},
		"github.com/fsnotify/fsnotify": {"cmd/tlstriage", "certs"},
		"github.com/pires":             {"proxy"},
		"golang.org/x":                 {"*"},
	}
}

// testsOnly are packages that no program may carry.
var testsOnly = []string{"certs/certstest", "inspect/policy/importertest", "inspect/leaktest", "inspect/porttest", "inspect/servertest", "inspect/spenttest"}

// impure are the standard library's ways to the world, which a pure package must not import. net/netip and net/url only compute.
func impure(path string) bool {
	switch path {
	case "net/netip", "net/url":
		return false
	}
	for _, banned := range []string{"os", "net", "log", "syscall", "plugin"} {
		if path == banned || strings.HasPrefix(path, banned+"/") {
			return true
		}
	}
	return false
}

// goPackage is what `go list -json` tells of a package.
type goPackage struct {
	ImportPath   string
	Name         string
	Dir          string
	Imports      []string
	TestImports  []string
	XTestImports []string
	Standard     bool
}

// importViolations holds packages against the diagram. It is a function of its arguments so that the test can break it.
func importViolations(packages []goPackage) []string {
	var found []string
	diagram := layers()
	for _, p := range packages {
		name, isTool := layerName(p)
		rule, known := diagram[name]
		if !known {
			found = append(found, fmt.Sprintf("%s: package is not in the diagram", p.ImportPath))
			continue
		}
		for _, imported := range p.Imports {
			if reason := forbidden(name, rule, isTool, imported); reason != "" {
				found = append(found, fmt.Sprintf("%s imports %s: %s", p.ImportPath, imported, reason))
			}
		}
	}
	return found
}

// layerName is the line of the diagram that a package stands under: its own, or for x/internal/... that of x. A command there
// (a generator) is a tool: it may read files, and imports what it generates for.
func layerName(p goPackage) (name string, isTool bool) {
	name = strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, modulePath), "/")
	if owner, _, internal := strings.Cut(name, "/internal/"); internal {
		return owner, p.Name == "main"
	}
	return name, false
}

func forbidden(name string, rule layer, isTool bool, imported string) string {
	if inside, ours := strings.CutPrefix(imported, modulePath+"/"); ours {
		target, _, _ := strings.Cut(inside, "/internal/")
		switch {
		case slices.Contains(testsOnly, target) && !slices.Contains(testsOnly, name):
			return "it is for tests only"
		case target == name, slices.Contains(rule.imports, "*"), slices.Contains(rule.imports, target):
			return ""
		}
		return "the diagram has no such arrow"
	}
	first, _, _ := strings.Cut(imported, "/")
	if !strings.Contains(first, ".") {
		if rule.pure && !isTool && impure(imported) {
			return "rows 0 to 2 touch no file, no socket and no log"
		}
		return ""
	}
	for door, keepers := range doors() {
		if imported == door || strings.HasPrefix(imported, door+"/") {
			if slices.Contains(keepers, name) || slices.Contains(keepers, "*") {
				return ""
			}
			return "its door is " + strings.Join(keepers, ", ")
		}
	}
	return "this third party has no door"
}

func TestImportsFollowTheLayers(t *testing.T) {
	seen := make(map[string]bool)
	// Files for one platform only have imports too.
	for _, platform := range []string{"linux", "darwin", "windows"} {
		packages := listPackages(t, platform)
		if len(packages) < 5 {
			t.Fatalf("only %d packages found: the check would hold nothing", len(packages))
		}
		for _, violation := range importViolations(packages) {
			if !seen[violation] {
				seen[violation] = true
				t.Error(violation)
			}
		}
	}
}

func TestImportViolationsAreFound(t *testing.T) {
	ours := func(path string) string { return modulePath + "/" + path }
	for _, test := range []struct {
		name     string
		pkg      goPackage
		violates bool
	}{
		{"judgement reads the record", goPackage{ImportPath: ours("inspect/diagnose"), Imports: []string{ours("inspect"), "fmt", "net/netip"}}, false},
		{"the record knows its judges", goPackage{ImportPath: ours("inspect"), Imports: []string{ours("inspect/diagnose")}}, true},
		{"an eye judges", goPackage{ImportPath: ours("proxy"), Imports: []string{ours("inspect/policy")}}, true},
		{"bytes read a file", goPackage{ImportPath: ours("inspect/wire"), Imports: []string{"os"}}, true},
		{"bytes open a socket", goPackage{ImportPath: ours("inspect/wire"), Imports: []string{"net"}}, true},
		{"judgement speaks HTTP", goPackage{ImportPath: ours("inspect/report"), Imports: []string{"net/http"}}, true},
		{"judgement logs", goPackage{ImportPath: ours("inspect/diagnose"), Imports: []string{"log/slog"}}, true},
		{"a generator reads a file", goPackage{ImportPath: ours("inspect/wire/internal/generate"), Name: "main", Imports: []string{"os"}}, false},
		{"an internal library reads a file", goPackage{ImportPath: ours("inspect/wire/internal/x"), Name: "x", Imports: []string{"os"}}, true},
		{"an island is reached from another", goPackage{ImportPath: ours("configs"), Imports: []string{ours("inspect")}}, true},
		{"a program carries test certificates", goPackage{ImportPath: ours("cmd/tlstriage"), Imports: []string{ours("certs/certstest")}}, true},
		{"the wiring reaches everything else", goPackage{ImportPath: ours("cmd/tlstriage"), Imports: []string{ours("inspect/store"), ours("configs")}}, false},
		{"YAML at its door", goPackage{ImportPath: ours("configs"), Imports: []string{"go.yaml.in/yaml/v4"}}, false},
		{"YAML elsewhere", goPackage{ImportPath: ours("proxy"), Imports: []string{"go.yaml.in/yaml/v4"}}, true},
		{"packets elsewhere", goPackage{ImportPath: ours("inspect"), Imports: []string{"github.com/google/gopacket/layers"}}, true},
		{"a stranger", goPackage{ImportPath: ours("proxy"), Imports: []string{"example.com/left/pad"}}, true},
		{"a name that only begins like a door", goPackage{ImportPath: ours("configs"), Imports: []string{"go.yaml.in/yamlish"}}, true},
		{"a package of no row", goPackage{ImportPath: ours("inspect/util"), Imports: []string{"fmt"}}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if found := importViolations([]goPackage{test.pkg}); (len(found) > 0) != test.violates {
				t.Errorf("violations: %q, want some: %v", found, test.violates)
			}
		})
	}
}

func listPackages(t *testing.T, platform string) []goPackage {
	t.Helper()
	list := exec.Command("go", "list", "-e", "-json=ImportPath,Name,Dir,Imports", modulePath+"/...")
	list.Dir = moduleRoot(t)
	list.Env = append(os.Environ(), "GOOS="+platform, "CGO_ENABLED=0")
	var stderr bytes.Buffer
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var packages []goPackage
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

// moduleRoot is the directory of go.mod.
func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the working directory")
		}
		dir = parent
	}
}

// sourceViolations are the habits that imports do not show: a clock read in a pure package, registration by init.
func sourceViolations(name string, pure bool, file *ast.File) []string {
	var found []string
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Recv == nil && n.Name.Name == "init" {
				found = append(found, name+": an init function")
			}
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			if ok && pure && x.Name == "time" && slices.Contains([]string{"Now", "Since", "Until", "After", "Sleep", "NewTimer", "NewTicker", "Tick", "AfterFunc"}, n.Sel.Name) {
				found = append(found, name+": time."+n.Sel.Name+" in rows 0 to 2, where time comes in as an argument")
			}
		}
		return true
	})
	return found
}

func TestSourcesReadNoClockAndHaveNoInit(t *testing.T) {
	root, diagram, files := moduleRoot(t), layers(), token.NewFileSet()
	parsed := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != root && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata" || entry.Name() == "internal") {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		parsed++
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		for _, violation := range sourceViolations(name, diagram[strings.TrimSuffix(name, "/"+entry.Name())].pure, file) {
			t.Error(violation)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if parsed < 20 {
		t.Errorf("only %d files read: the check would hold nothing", parsed)
	}
}

func TestSourceViolationsAreFound(t *testing.T) {
	const source = "package p\nimport \"time\"\nfunc init() {}\nfunc f() time.Time { return time.Now() }\n"
	file, err := parser.ParseFile(token.NewFileSet(), "p.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	if found := sourceViolations("p.go", true, file); len(found) != 2 {
		t.Errorf("pure: got %q, want the init and the clock", found)
	}
	if found := sourceViolations("p.go", false, file); len(found) != 1 {
		t.Errorf("not pure: got %q, want the init alone", found)
	}
}

func TestTopLevelFoldersAreFixed(t *testing.T) {
	entries, err := os.ReadDir(moduleRoot(t))
	if err != nil {
		t.Fatal(err)
	}
	fixed := []string{"cmd", "proxy", "inspect", "certs", "configs", "docs"}
	var there []string
	for _, entry := range entries {
		// dist is what `make dist` leaves; hidden folders are tools'.
		if !entry.IsDir() || strings.HasPrefix(entry.Name(), ".") || entry.Name() == "dist" {
			continue
		}
		there = append(there, entry.Name())
		if !slices.Contains(fixed, entry.Name()) {
			t.Error("folder " + strconv.Quote(entry.Name()) + " stands beside the fixed ones " + strings.Join(fixed, ", "))
		}
	}
	for _, folder := range fixed {
		if !slices.Contains(there, folder) {
			t.Errorf("folder %q is missing", folder)
		}
	}
}
