package document

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
)

func TestLinesAreThoseOfTheKeys(t *testing.T) {
	for name, text := range map[string]string{
		"yaml": "a:\n  b:\n    - x\n    - y: 1\n  c: \"true\"\n---\nd: null\n",
		"json": "{\"a\":\n  {\"b\":\n    [\"x\",\n {\"y\": 1}],\n  \"c\":\n\"true\"}}\n{\"d\":\nnull}\n",
	} {
		t.Run(name, func(t *testing.T) {
			docs, err := Parse([]byte(text))
			if err != nil || len(docs) != 2 {
				t.Fatalf("%d documents, %v", len(docs), err)
			}
			b, c := docs[0].At("a", "b"), docs[0].At("a", "c")
			if b.Line != 2 || c.Line != 5 || !c.Quoted || !c.True() {
				t.Errorf("b: line %d, want 2; c: %+v, want a quoted true on line 5", b.Line, c)
			}
			if got := b.Items(); len(got) != 2 || got[0].Line != 3 || got[1].Line != 4 || got[1].Get("y").Text() != "1" || got[1].Get("y").Quoted {
				t.Errorf("items: %+v", got)
			}
			if d := docs[1].Get("d"); !d.Present() || !d.Empty() || d.Line != 7 {
				t.Errorf("d: %+v, want null on line 7", d)
			}
		})
	}
}

func TestAbsentValuesAnswer(t *testing.T) {
	var n *Node
	if n.At("a", "b").Text() != "" || n.Items() != nil || n.Present() || !n.Empty() || n.Position() != 0 || n.Summary() != "" {
		t.Error("an absent value says something")
	}
	for range n.All() {
		t.Error("an absent value has keys")
	}
}

func TestMergeKeysAndAliases(t *testing.T) {
	docs, err := Parse([]byte("base: &b {x: 1, y: 2}\nother: &o {y: 8, z: 9}\nuse:\n  <<: [*b, *o]\n  x: 3\nagain: *b\n"))
	if err != nil {
		t.Fatal(err)
	}
	use := docs[0].Get("use")
	if use.Get("x").Text() != "3" || use.Get("y").Text() != "2" || use.Get("z").Text() != "9" {
		t.Errorf("got %s", use.Summary())
	}
	if again := docs[0].Get("again"); again.Line != 6 || docs[0].Get("base").Line != 1 {
		t.Errorf("lines %d and %d, want 6 and 1", again.Line, docs[0].Get("base").Line)
	}
}

func TestHostileFilesAreRefusedWithALine(t *testing.T) {
	var bomb strings.Builder
	bomb.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&bomb, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 10), ","))
	}
	for _, test := range []struct {
		name, text, want string
		line             int
	}{
		{"alias bomb", bomb.String(), "more than", 7},
		{"an alias in itself", "x: 1\na: &a\n  b: *a\n", "stands within", 3},
		{"deep JSON", strings.Repeat("[", 1000) + strings.Repeat("]", 1000), "nested", 1},
		{"deep YAML", "a: " + strings.Repeat("[", 1000) + strings.Repeat("]", 1000), "nested", 1},
		{"cut JSON", "{\n\"a\": {\"b\":", "ends within", 2},
		{"broken JSON", "{\n\"a\": 1,\n\"b\" 2}", "JSON", 3},
		{"broken YAML", "a: 1\nb: [1\nc: 2\n", "YAML", 2},
		{"a list as key", "a: 1\n? [x]\n: 2\n", "key is not a text", 2},
		{"empty", " \n", "empty", 0},
		{"only comments", "# x\n", "no value", 0},
		{"binary", "a: 1\n\x00", "NUL", 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse([]byte(test.text))
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if !strings.Contains(e.Text, test.want) || e.Line != test.line && test.name != "broken YAML" {
				t.Errorf("line %d: %s; want line %d and %q", e.Line, e.Text, test.line, test.want)
			}
		})
	}
}

func TestBracesOfYAMLAreRead(t *testing.T) {
	docs, err := Parse([]byte("{a: [b, c]}\n"))
	if err != nil || strings.Join(docs[0].Get("a").Texts(), " ") != "b c" {
		t.Fatalf("got %v, %v", docs, err)
	}
}

func TestReadNamesTheReasonAlone(t *testing.T) {
	_, err := Read(fstest.MapFS{}, "gone.yaml")
	var e *Error
	if !errors.As(err, &e) || strings.Contains(e.Text, "gone.yaml") {
		t.Errorf("got %v, want an *Error without the name", err)
	}
	if _, err := ReadFile(fstest.MapFS{"big": {Data: make([]byte, 11)}}, "big", 10); err == nil {
		t.Error("a file above the limit was read")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("a: &x [1, *x]\n"))
	f.Add([]byte("{\"a\": [1, true, null, \"x\"]}"))
	f.Add([]byte("a: &a {b: c}\nd: {<<: *a}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		docs, err := Parse(data)
		var e *Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("error of type %T", err)
		}
		for _, d := range docs {
			_ = d.Summary()
		}
	})
}
