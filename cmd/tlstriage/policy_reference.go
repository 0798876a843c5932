package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/importer"
	"github.com/tlstriage/tlstriage/inspect/policy/trial"
)

// loadPolicy finds the policy that a REF names: a built-in one, a file, or an endpoint of a configuration. What of a
// configuration was not understood is said on standard error, and which block of a listener was taken where the REF leaves it open.
func loadPolicy(cmd *cobra.Command, ref string) (*policy.Policy, error) {
	loaded, err := importer.Load(newUserFiles(cmd), ref)
	if err != nil {
		return nil, err
	}
	tellProblems(cmd, loaded)
	if r, err := importer.ParseReference(ref); err == nil && loaded.Answers != nil && r.ServerName == "" && r.Endpoint == "" {
		tell(cmd, fmt.Sprintf("%s: several blocks listen there; this is %q, which answers clients without a name (choose one with #server_name=NAME)", ref, loaded.Endpoint.Name))
	}
	return loaded.Policy, nil
}

// loadTarget finds what recorded clients are to be tried on: a policy, or a listener with all its blocks.
func loadTarget(cmd *cobra.Command, ref string) (*trial.Target, error) {
	loaded, err := importer.LoadListener(newUserFiles(cmd), ref)
	if err != nil {
		return nil, err
	}
	return targetOf(cmd, loaded), nil
}

// targetOf is what was loaded as a target. Its problems are told.
func targetOf(cmd *cobra.Command, loaded *importer.Loaded) *trial.Target {
	tellProblems(cmd, loaded)
	target := &trial.Target{Name: loaded.Name, Choose: loaded.Choose, Answers: loaded.Answers}
	if len(loaded.Blocks) == 0 {
		target.Blocks = []trial.Block{{Policy: loaded.Policy}}
		return target
	}
	for _, e := range loaded.Blocks {
		target.Blocks = append(target.Blocks, trial.Block{Name: e.Name, Policy: e.Policy})
	}
	return target
}

// endpointPolicies are what hellos are held against: one policy, or those of a whole listener (nginx.conf#listen=:443), of which the server
// name of each hello selects one. The zero value is none.
type endpointPolicies struct {
	all    []*policy.Policy
	choose func(serverName string) int // nil: the first
}

// policiesOf are what a REF means.
func policiesOf(loaded *importer.Loaded) endpointPolicies {
	if len(loaded.Blocks) == 0 {
		return endpointPolicies{all: []*policy.Policy{loaded.Policy}}
	}
	p := endpointPolicies{choose: loaded.Choose}
	for _, block := range loaded.Blocks {
		p.all = append(p.all, block.Policy)
	}
	return p
}

// index is which of them answers a client that asks for a name; there must be one.
func (p *endpointPolicies) index(serverName string) int {
	if p.choose == nil {
		return 0
	}
	return p.choose(serverName)
}

// of is the one that answers a client that asks for a name; nil: there is none.
func (p *endpointPolicies) of(serverName string) *policy.Policy {
	if len(p.all) == 0 {
		return nil
	}
	return p.all[p.index(serverName)]
}

func tellProblems(cmd *cobra.Command, loaded *importer.Loaded) {
	for _, p := range loaded.Problems {
		tell(cmd, placed(p))
	}
}

// tell says something on standard error in a line of its own.
func tell(cmd *cobra.Command, text string) {
	fmt.Fprint(cmd.ErrOrStderr(), printable("tlstriage: "+shown(text)))
}

// osFiles is the file system by the names that a user types, absolute ones and those with .. too.
type osFiles struct{}

// Open opens a regular file, or what a shell hands over as one (<(command)). A pipe without a writer would never open.
func (osFiles) Open(name string) (fs.File, error) {
	if info, err := os.Stat(name); err == nil && info.Mode()&(fs.ModeNamedPipe|fs.ModeDevice|fs.ModeSocket) != 0 && !strings.HasPrefix(name, "/dev/fd/") && !strings.HasPrefix(name, "/proc/self/fd/") {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("is no regular file")}
	}
	return os.Open(name)
}

// userFiles are osFiles with the standard input among them, as "-". It is read once, when it is asked for.
type userFiles struct {
	osFiles
	stdin io.Reader
	text  []byte
	read  bool
}

// maxStdin bounds a configuration that comes on standard input; importers have lower bounds of their own.
const maxStdin = 64 << 20

func newUserFiles(cmd *cobra.Command) *userFiles { return &userFiles{stdin: cmd.InOrStdin()} }

// Open opens a file, or the standard input.
func (u *userFiles) Open(name string) (fs.File, error) {
	if name != importer.Stdin {
		return u.osFiles.Open(name)
	}
	if !u.read {
		text, err := io.ReadAll(io.LimitReader(u.stdin, maxStdin+1))
		if err == nil && len(text) > maxStdin {
			err = fmt.Errorf("longer than the bound of %d bytes", maxStdin)
		}
		if err != nil {
			return nil, &fs.PathError{Op: "read", Path: "standard input", Err: err}
		}
		u.text, u.read = text, true
	}
	return &stdinFile{Reader: bytes.NewReader(u.text), size: int64(len(u.text))}, nil
}

// stdinFile is what stood on the standard input, as a file.
type stdinFile struct {
	*bytes.Reader
	size int64
}

func (f *stdinFile) Stat() (fs.FileInfo, error) { return f, nil }
func (f *stdinFile) Close() error               { return nil }
func (f *stdinFile) Name() string               { return importer.Stdin }
func (f *stdinFile) Size() int64                { return f.size }
func (f *stdinFile) Mode() fs.FileMode          { return 0o400 }
func (f *stdinFile) ModTime() time.Time         { return time.Time{} }
func (f *stdinFile) IsDir() bool                { return false }
func (f *stdinFile) Sys() any                   { return nil }

// isStdin reports whether a file or a REF means the standard input.
func isStdin(ref string) bool {
	name, _, _ := strings.Cut(ref, "#")
	return name == importer.Stdin
}
