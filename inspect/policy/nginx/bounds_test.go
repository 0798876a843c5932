package nginx_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/nginx"
)

// TestTheBoundOfAFileIsSet: a file above it is refused with the number, one below it read.
func TestTheBoundOfAFileIsSet(t *testing.T) {
	text := "http {\n" + strings.Repeat("# a comment\n", 2<<20/12) + "server { listen 443 ssl; ssl_certificate rsa.crt; }\n}\n"
	fsys := tree(t, map[string]string{"nginx.conf": text})
	var e *imported.Error
	if _, err := nginx.Import(fsys, "nginx.conf", imported.Options{}); !errors.As(err, &e) || !strings.Contains(e.Text, "1048576") {
		t.Errorf("%v", err)
	}
	if r, err := nginx.Import(fsys, "nginx.conf", imported.Options{MaxFileBytes: 4 << 20}); err != nil || len(r.Endpoints) != 1 {
		t.Errorf("%v", err)
	}
}
