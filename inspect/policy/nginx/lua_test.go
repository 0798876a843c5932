package nginx_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/nginx"
)

// TestLuaBlocks: whatever stands in a block of Lua, what follows it is read, and the lines are counted on.
func TestLuaBlocks(t *testing.T) {
	for name, block := range map[string]string{
		"an apostrophe in a comment":     "access_by_lua_block { -- it's a comment\n}",
		"a brace in a comment":           "access_by_lua_block { -- }\n}",
		"a brace in a string":            `access_by_lua_block { local s = "}" .. '{' }`,
		"an escaped quote":               `access_by_lua_block { local s = "a\"}" .. 'it\'s }' }`,
		"a backslash at a string's end":  `access_by_lua_block { local s = "\\" }`,
		"a quote in the other's string":  `access_by_lua_block { local s = "it's" .. 'say "}' }`,
		"a long bracket":                 "access_by_lua_block { local s = [[ } ' \" ]] }",
		"a long bracket of a level":      "access_by_lua_block { local s = [==[ ]] } ]=] ]] ]==] }",
		"brackets that try to end":       "access_by_lua_block { local s = [=[ }]]=] }",
		"a long comment":                 "access_by_lua_block { --[[ it's }\n } ]] return }",
		"a long comment of a level":      "access_by_lua_block { --[=[ ]] } ]=] return }",
		"a bracket that begins no such":  "access_by_lua_block { --[ it's }\n local t = {[1] = 2, [\"}\"] = {}} }",
		"an index of an index":           "access_by_lua_block { local x = t[t[1]] }",
		"a minus":                        "access_by_lua_block { local x = 1 - 2 - -3 }",
		"a comment of nginx's is none":   "access_by_lua_block { local n = #t -- # }\n}",
		"tables":                         "access_by_lua_block { local t = { { a = {} } } }",
		"no blank":                       "access_by_lua_block{ -- it's\n}",
		"the brace on another line":      "access_by_lua_block\n{\n-- it's\n}",
		"a variable":                     `set_by_lua_block $x { return "}" }`,
		"of the stream module's":         "preread_by_lua_block { -- it's\n}",
		"a name that only looks like it": `add_header X access_by_lua_block;`,
	} {
		t.Run(name, func(t *testing.T) {
			text := "http {\nserver {\nlisten 443 ssl;\n" + block + "\nssl_protocols TLSv1.2;\n}\n}\n"
			result := importText(t, text, "")
			if len(result.Endpoints) != 1 {
				t.Fatalf("%d endpoints: %+v", len(result.Endpoints), result.Problems)
			}
			line := 5 + strings.Count(block, "\n")
			for _, f := range result.Endpoints[0].Facts {
				if f.Setting == "ssl_protocols" && f.Line == line {
					return
				}
			}
			t.Errorf("no ssl_protocols in line %d: %+v", line, result.Endpoints[0].Facts)
		})
	}
}

// TestLuaBlocksThatAreNotClosed: the line is that of the block, in whatever the file ends.
func TestLuaBlocksThatAreNotClosed(t *testing.T) {
	for _, rest := range []string{"", " {", " { -- }", ` { "`, ` { "\`, " { [[ }", " { --[[ }", " { [=[ ]", " $x"} {
		files := fstest.MapFS{"nginx.conf": {Data: []byte("http {\n\n  access_by_lua_block" + rest)}}
		_, err := nginx.Import(files, "nginx.conf", imported.Options{})
		var e *imported.Error
		if !errors.As(err, &e) || rest != "" && e.Line != 3 {
			t.Errorf("%q: %v", rest, err)
		}
	}
}
