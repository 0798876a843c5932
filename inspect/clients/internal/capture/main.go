// Command capture lets programs that are installed here say hello to a listener that refuses them, and writes what they sent: the
// samples of the gallery that this project captures itself. A program that lacks is passed over, aloud; its last capture stays.
//
//	go run ./internal/capture -out internal/capture/captured.json
package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// captured is one entry of the file.
type captured struct {
	ID     string `json:"id"`
	Client string `json:"client"`
	Mode   string `json:"mode"`
	Record string `json:"record_hex"` // as sent, record header included
	Source string `json:"source"`
}

func main() {
	out := flag.String("out", "internal/capture/captured.json", "JSON list to write anew, or to add to")
	only := flag.String("only", "", "capture only clients whose name begins with this")
	flag.Parse()
	if err := run(*out, *only); err != nil {
		fmt.Fprintln(os.Stderr, "capture:", err)
		os.Exit(1)
	}
}

func run(out, only string) error {
	var have []captured
	data, err := os.ReadFile(out)
	if err == nil {
		err = json.Unmarshal(data, &have)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s: %w", out, err)
	}
	for _, c := range programs() {
		if !strings.HasPrefix(c.id, only) {
			continue
		}
		entry, err := c.capture()
		if err != nil {
			fmt.Fprintf(os.Stderr, "capture: %s: %v\n", c.id, err)
			continue
		}
		fmt.Fprintln(os.Stderr, "captured", entry.ID)
		have = slices.DeleteFunc(have, func(old captured) bool { return old.ID == entry.ID })
		have = append(have, entry)
	}
	slices.SortFunc(have, func(a, b captured) int { return strings.Compare(a.ID, b.ID) })
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	for i, entry := range have {
		b.WriteString(map[bool]string{true: "[\n", false: ","}[i == 0])
		if err := encoder.Encode(entry); err != nil {
			return err
		}
	}
	b.WriteString("]\n")
	return os.WriteFile(out, b.Bytes(), 0o644)
}

// capture starts the program and takes its first hello.
func (p program) capture() (captured, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	client, release, err := p.identity(ctx)
	if err != nil {
		return captured{}, err
	}
	dir, err := os.MkdirTemp("", "capture")
	if err != nil {
		return captured{}, err
	}
	defer os.RemoveAll(dir)
	listener, err := listen(ctx)
	if err != nil {
		return captured{}, err
	}
	defer listener.Close()
	front, err := freePort()
	if err != nil {
		return captured{}, err
	}
	fill := strings.NewReplacer("@PORT@", listener.port(), "@FRONT@", front, "@DIR@", dir)
	for name, content := range p.files {
		if err := os.WriteFile(dir+"/"+name, []byte(fill.Replace(content)), 0o600); err != nil {
			return captured{}, err
		}
	}
	args := make([]string, len(p.command))
	for i, a := range p.command {
		args[i] = fill.Replace(a)
	}
	var said bytes.Buffer
	command := exec.CommandContext(ctx, args[0], args[1:]...)
	command.Stdout, command.Stderr, command.Dir = &said, &said, dir
	command.Env = append(os.Environ(), "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	if err := command.Start(); err != nil {
		return captured{}, err
	}
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		if p.proxies {
			ask(ctx, front)
		}
	}()
	record, err := listener.hello()
	cancel()
	<-asked
	_ = command.Wait() // it was refused, or ended by us
	if err != nil {
		return captured{}, fmt.Errorf("%w; the program said: %.300q", err, said.Bytes())
	}
	return captured{
		ID: strings.ReplaceAll(p.id, "@RELEASE@", release), Client: client, Mode: p.mode, Record: hex.EncodeToString(record),
		Source: "own capture " + time.Now().UTC().Format(time.DateOnly),
	}, nil
}

// identity is the client's name with its release, and the release alone, as the program says them.
func (p program) identity(ctx context.Context) (client, release string, err error) {
	releases := make([]any, 0, len(p.versions))
	for _, v := range p.versions {
		out, err := exec.CommandContext(ctx, v.command[0], v.command[1:]...).CombinedOutput()
		if err != nil {
			return "", "", fmt.Errorf("%q: %w: %.200s", v.command, err, out)
		}
		m := v.pattern.FindSubmatch(out)
		if m == nil {
			return "", "", fmt.Errorf("%q: no release in %.200q", v.command, out)
		}
		releases = append(releases, string(m[1]))
	}
	return fmt.Sprintf(p.client, releases...), releases[0].(string), nil
}
