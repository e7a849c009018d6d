package chat_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ft/internal/testkit"
	"ft/tokenizer/chat"
)

// goldenFile is a golden.json: every template rendered with every case by Python's jinja2.
type goldenFile struct {
	Common   map[string]string `json:"common"`
	Cases    []json.RawMessage `json:"cases"`
	Expected map[string][]struct {
		Out *string `json:"out"`
		Err string  `json:"err"`
	} `json:"expected"`
}

// ordered is a JSON object with the order of its keys.
type ordered []chat.Field

func (o *ordered) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		f := chat.Field{Name: key.(string)}
		if err := d.Decode(&f.JSON); err != nil {
			return err
		}
		*o = append(*o, f)
	}
	return nil
}

// conversation is a case: its messages, whether the assistant's turn is begun, and other variables.
type conversation struct {
	messages []chat.Message
	begin    bool
	extra    []chat.Field
}

func parseCase(t *testing.T, data []byte) conversation {
	t.Helper()
	var fields ordered
	if err := json.Unmarshal(data, &fields); err != nil {
		t.Fatal(err)
	}
	// the reference leaves undefined what a case does not give
	c := conversation{extra: []chat.Field{{Name: "tools"}, {Name: "documents"}}}
	for _, f := range fields {
		var err error
		switch f.Name {
		case "messages":
			var list []ordered
			err = json.Unmarshal(f.JSON, &list)
			for _, fields := range list {
				c.messages = append(c.messages, message(fields))
			}
		case "add_generation_prompt":
			err = json.Unmarshal(f.JSON, &c.begin)
		default:
			c.extra = append(c.extra, f)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func message(fields ordered) chat.Message {
	var m chat.Message
	for _, f := range fields {
		switch {
		case f.Name == "role" && json.Unmarshal(f.JSON, &m.Role) == nil:
		case f.Name == "content" && f.JSON[0] == '"' && json.Unmarshal(f.JSON, &m.Content) == nil:
		default:
			m.Fields = append(m.Fields, f)
		}
	}
	return m
}

// TestReference renders each template with each conversation and compares with Python's jinja2, byte by
// byte; where that raised an error, so must this.
func TestReference(t *testing.T) {
	testkit.Conformance(t, "chat_templates", func(t *testing.T, dir string) {
		data, err := os.ReadFile(filepath.Join(dir, "golden.json"))
		if err != nil {
			t.Fatal(err)
		}
		var g goldenFile
		if err := json.Unmarshal(data, &g); err != nil {
			t.Fatal(err)
		}
		if len(g.Expected) == 0 || len(g.Cases) == 0 {
			t.Fatal("no cases")
		}
		for name, want := range g.Expected {
			t.Run(name, func(t *testing.T) {
				source, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				tmpl, err := chat.Parse(string(source), chat.Options{
					BOS: g.Common["bos_token"], EOS: g.Common["eos_token"], Unknown: g.Common["unk_token"], Pad: g.Common["pad_token"],
					Now: time.Date(2026, 7, 26, 10, 0, 0, 0, time.UTC),
				})
				if err != nil {
					t.Fatal(err)
				}
				for i, w := range want {
					t.Run(fmt.Sprint(i), func(t *testing.T) {
						c := parseCase(t, g.Cases[i])
						got, err := tmpl.Render(c.messages, c.begin, c.extra...)
						compareRendering(t, got, err, w.Out, w.Err)
					})
				}
			})
		}
	})
}

func compareRendering(t *testing.T, got string, err error, want *string, wantErr string) {
	t.Helper()
	switch {
	case want == nil && err == nil:
		t.Errorf("rendered %q, the reference raises %s", got, wantErr)
	case want == nil:
		if raised, ok := strings.CutPrefix(wantErr, "TemplateError: "); ok && !strings.Contains(err.Error(), raised) {
			t.Errorf("error %q, the reference raises %q", err, raised)
		}
	case err != nil:
		t.Errorf("error %v, want %q", err, *want)
	case got != *want:
		t.Errorf("\n got %q\nwant %q", got, *want)
	}
}
