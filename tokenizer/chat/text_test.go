package chat

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	fields := []Field{
		{"q", json.RawMessage(`"Where?"`)}, {"n", json.RawMessage(`3`)}, {"list", json.RawMessage(`["a", "it's", "\"q\""]`)},
		{"问题", json.RawMessage(`"什么是贫血？"`)}, {"nothing", json.RawMessage(`null`)},
	}
	// What Jinja2 3.1 gives with keep_trailing_newline and StrictUndefined.
	for source, want := range map[string]string{
		"Q: {{q}}\nA:": "Q: Where?\nA:",
		"{{q}}\n":      "Where?\n",
		"{% if n == 3 %}\nyes{% endif %}\n  {% if n %}x{% endif %}": "\nyes\n  x",
		"{{list}}":                                           `['a', "it's", '"q"']`,
		"{{list[1]}} {{n + 1}}":                              "it's 4",
		"问：{{问题}} {{ 问题|length }}":                           "问：什么是贫血？ 6",
		"{{missing|default('-')}}":                           "-",
		"{% if missing is defined %}a{% else %}b{% endif %}": "b",
		"{{nothing}}":                                        "None",
		"{{q.strip()|upper}}":                                "WHERE?",
	} {
		tmpl, err := ParseText(source)
		if err != nil {
			t.Errorf("%q: %v", source, err)
			continue
		}
		if got, err := tmpl.Render(fields); err != nil || got != want {
			t.Errorf("%q gives %q, %v; want %q", source, got, err, want)
		}
	}
	for _, source := range []string{"{{missing}}", "{{missing ~ 'a'}}", "{{q.nothing}}", "{{missing.x}}", "{{missing|trim}}", "{{list[9]}}"} {
		tmpl, err := ParseText(source)
		if err != nil {
			t.Errorf("%q: %v", source, err)
			continue
		}
		if got, err := tmpl.Render(fields); err == nil || !strings.Contains(err.Error(), "undefined") {
			t.Errorf("%q gives %q, %v; want an error about undefined", source, got, err)
		}
	}
}
