package main

import (
	"os"
	"testing"

	"golang.org/x/tools/go/packages"
)

// The program is published for systems that the tests do not run on. Its sources, and those of all that it imports, are held to the
// types that they have there, without code being made: `make cross` makes it, in thirty times the time.
func TestSourcesFitOtherSystems(t *testing.T) {
	for _, system := range []struct{ os, arch string }{{"darwin", "arm64"}, {"windows", "amd64"}} {
		t.Run(system.os, func(t *testing.T) {
			found, err := packages.Load(&packages.Config{
				// With the syntax of all of them: a package that was compiled for this system tells nothing of another.
				Mode: packages.LoadAllSyntax,
				Dir:  "../..",
				Env:  append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system.os, "GOARCH="+system.arch),
			}, "./...")
			if err != nil {
				t.Fatal(err)
			}
			if len(found) < 30 {
				t.Errorf("%d packages: there are more", len(found))
			}
			packages.Visit(found, nil, func(p *packages.Package) {
				for _, e := range p.Errors {
					t.Errorf("%s: %v", p.PkgPath, e)
				}
			})
		})
	}
}
