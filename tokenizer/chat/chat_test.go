package chat_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"ft/tokenizer/chat"
)

var talk = []chat.Message{{Role: "user", Content: "Hi"}, {Role: "assistant", Content: "Hello"}, {Role: "user", Content: " Bye\n"}}

func render(t *testing.T, source string, extra ...chat.Field) string {
	t.Helper()
	tmpl, err := chat.Parse(source, chat.Options{BOS: "<s>", Now: time.Date(2026, 3, 9, 14, 5, 6, 0, time.UTC)})
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	out, err := tmpl.Render(talk, true, extra...)
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	return out
}

// TestRender holds expressions and statements against what Python's jinja2 3.1 makes of them in
// Hugging Face's set-up.
func TestRender(t *testing.T) {
	extra := []chat.Field{
		{Name: "tool", JSON: json.RawMessage(`{"name":"f","b":1,"a":[1.0,2.5,1e20,null,true,"é<&>\"\n"],"d":{}}`)},
		{Name: "none_value", JSON: json.RawMessage("null")},
		{Name: "items_of", JSON: json.RawMessage(`[{"k":"b","n":2},{"k":"a","n":1},{"k":"B"}]`)},
	}
	for source, want := range map[string]string{
		// white space
		"a\n  {% if true %}\n  b\n  {% endif %}\nc\n": "a\n  b\nc",
		"a \n {%- if true -%} \n b {%- endif %} c":    "ab c",
		"  {{ 1 }}\n{# gone #}\nx\n\n":                "  1\nx\n",
		"a\r\nb\rc":                                   "a\nb\nc",
		"  {%+ if true %}x{% endif +%}\ny":            "  x\ny",
		"{% raw %}{{ x }} {% y %}{% endraw %}z":       "{{ x }} {% y %}z",
		"{{ '}}' ~ \"%}\" ~ {'a': {'b': 1}}.a.b }}":   "}}%}1",
		// values
		"{{ none_value }} {{ missing }} {{ true }} {{ 1.0 }} {{ 1e3 }}": "None  True 1.0 1000.0",
		"{{ [1, 'a', none, 2.5, \"it's\"] }}":                           `[1, 'a', None, 2.5, "it's"]`,
		"{{ tool.d }} {{ ['a', ] }}":                                    "{} ['a']",
		`{{ 'tab\tquote\'\x41\u4e2d\101' 'joined' }}`:                   "tab\tquote'A中Ajoined",
		// operators
		"{{ 'a' + 'b' ~ 1 ~ none }} {{ 1 + 2 - 4 }} {{ [1] + [2] }}":                                                 "ab1None -1 [1, 2]",
		"{{ -1 + 2 }} {{ -7 // 2 }} {{ -7 % 4 }} {{ 1 / 4 }} {{ '-' * 3 }} {{ 7 // 2 }} {{ 7 % 4 }} {{ 2 * 3 + 1 }}": "1 -4 1 0.25 --- 3 3 7",
		"{{ '%s-%d' % ('x', 3) }} {{ 'a%s' % 'b' + 'c' }}":                                                           "x-3 abc",
		"{{ 'x' if missing else 'y' }}{{ 'z' if missing }}":                                                          "y",
		"{{ 1 in [1] and 'a' not in 'b' and not 'q' in {'w': 1} }}":                                                  "True",
		"{{ messages[0].role }} {{ messages[-1]['content'][1:4] }}":                                                  "user Bye",
		"{{ messages[::-1][0].content|trim }} {{ 'héllo'[1] }}":                                                      "Bye é",
		// tests
		"{{ missing is defined }} {{ none_value is none }} {{ 'a' is string }}":               "False True True",
		"{{ 4 is divisibleby 2 if false else 3 is eq 3 }} {{ 'a' is in ['a'] }}":              "True True",
		"{{ tool is mapping }} {{ [] is sequence }} {{ 'a' is sequence }} {{ 2 is not odd }}": "True True True True",
		// filters
		"{{ tool|tojson }}":                                                                      `{"name": "f", "b": 1, "a": [1.0, 2.5, 1e+20, null, true, "é<&>\"\n"], "d": {}}`,
		"{{ {'b': [1], 'a': []}|tojson(indent=2) }}":                                             "{\n  \"b\": [\n    1\n  ],\n  \"a\": []\n}",
		"{{ ''|default('x', true) }}{{ missing|d('y') }}{{ ''|default('n') }}":                   "xy",
		"{{ items_of|map(attribute='k')|join('-') }} {{ items_of|selectattr('n')|list|length }}": "b-a-B 2",
		"{{ items_of|selectattr('n', 'equalto', 1)|map(attribute='k')|first }} {{ items_of|sort(attribute='k')|map(attribute='k')|join }}": "a abB",
		"{{ ['a ', 'b']|map('trim')|map('upper')|join(',') }} {{ [1, 2, 3]|reject('odd')|list if false else 'ok' }}":                       "A,B ok",
		"{{ ' x '|trim }}|{{ 'a,b'|replace(',', ';') }}|{{ '7'|int + 1 }}|{{ 'ab'|last }}|{{ [3, 1]|sort|string }}":                        "x|a;b|8|b|[1, 3]",
		"{{ 'a\nb'|indent(2) }} {{ '%s!'|format('x') }} {{ {'b': 1, 'A': 2}|dictsort|map('first')|join }}":                                 "a\n  b x! Ab",
		// methods
		"{{ 'a-b-c'.split('-', 1)[-1] }} {{ 'a-b-c'.rsplit('-', 1)[0] }} {{ ' a b '.split() }}":            "b-c a-b ['a', 'b']",
		"{{ 'xax'.strip('x') }} {{ 'Ab'.lower() }} {{ 'ab'.startswith(('x', 'a')) }} {{ 'é1'.find('1') }}": "a ab True 1",
		"{{ tool.get('zz', 5) }} {{ tool.get('zz') }} {% for k, v in tool.items() %}{{ k }},{% endfor %}":  "5 None name,b,a,d,",
		"{{ '{0}-{x}{{}}'.format(1, x=2) }} {{ 'a b'.title() }} {{ ','.join(['p', 'q']) }}":                "1-2{} A B p,q",
		// statements
		"{% for m in messages %}{{ loop.index0 }}{{ loop.last }}{{ loop.cycle('a', 'b') }} {% endfor %}":                          "0Falsea 1Falseb 2Truea ",
		"{% for m in messages if m.role == 'user' %}{{ loop.length }}{% else %}none{% endfor %}":                                  "22",
		"{% for i in range(5) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% endfor %}": "02",
		"{% for i in [1, 2] %}{% if i == 1 %}{% set x = 'kept' %}{% endif %}{{ x }}|{% endfor %}{{ x }}":                          "kept||",
		"{% set x = 'out' %}{% for i in [1, 2] %}{{ x }}{% set x = i %}{{ x }}{% endfor %}{{ x }}":                                "out1out2out",
		"{% set ns = namespace(n=0) %}{% for i in [1, 2] %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}":                       "3",
		"{% set x %}a{{ 1 }}{% endset %}{{ x|length }}":                                                                           "2",
		"{% macro m(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(b=3, a='x') }}{{ m(*['p', 'q']) }}":                      "12x3pq",
		"{% macro m() %}[{{ caller() }}]{% endmacro %}{% call m() %}in{% endcall %}{% filter upper %}a{% endfilter %}":            "[in]A",
		"{% macro m() %}{{ caller('x') }}{% endmacro %}{% call(a) m() %}<{{ a }}>{% endcall %}":                                   "<x>",
		"{% generation %}g{% endgeneration %}":                                                                                    "g",
		"{{ strftime_now('%d %b %Y %-d %H:%M %%') }}":                                                                             "09 Mar 2026 9 14:05 %",
		"{{ bos_token }}{{ eos_token is defined }}{{ add_generation_prompt }}":                                                    "<s>FalseTrue",
		"{{ tools is none }}{{ dict(a=1)['a'] }}":                                                                                 "True1",
	} {
		if got := render(t, source, extra...); got != want {
			t.Errorf("%s\n got %q\nwant %q", source, got, want)
		}
	}
}

// TestParse_refusals lists templates that are wrong or not supported.
func TestParse_refusals(t *testing.T) {
	for source, want := range map[string]string{
		"a\n{{ x":                                "line 2: the tag is not closed",
		"{# x":                                   "comment is not closed",
		"{% raw %}x":                             "raw block is not closed",
		"{% if x %}":                             "if is not closed",
		"{% endfor %}":                           "unexpected endfor",
		"{% include 'x' %}":                      `"include" is not supported`,
		"{% with a = 1 %}{% endwith %}":          `"with" is not supported`,
		"{% set a, b = 1, 2 %}":                  "one name",
		"{% for x in y recursive %}{% endfor %}": "recursive",
		"{{ 'x }}":                               "string 'x }} is not closed",
		"{{ a ? b }}":                            `unexpected character '?'`,
		"{{ (a }}":                               "brackets do not match",
		"{{ a) }}":                               "brackets do not match",
		"{{ ft_x }}":                             "reserved",
		"{{ }}":                                  "an expression is missing",
		"{{ a b }}":                              `unexpected "b"`,
		"{% macro m(*args) %}{% endmacro %}":     "* parameters",
		"{{ " + strings.Repeat("(", 300):         "more than 200 deep",
		strings.Repeat("{% if a %}", 300):        "more than 200 deep",
		strings.Repeat("x", 2<<20):               "the most is",
	} {
		if _, err := chat.Parse(source, chat.Options{}); err == nil || !strings.HasPrefix(err.Error(), "chat: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: error %v, want one with %s", source, err, want)
		}
	}
}

// TestRender_errors lists templates that must not render: what they raise, what Python cannot do, and what
// would run away.
func TestRender_errors(t *testing.T) {
	for source, want := range map[string]string{
		"{{ raise_exception('no system') }}":           "no system",
		"{{ 'a' + none }}":                             "str and NoneType",
		"{{ 'a' + missing }}":                          "str and Undefined",
		"{{ missing.x }}":                              "undefined has no element 'x'",
		"{{ messages[9]['role'] }}":                    "undefined has no element",
		"{{ 'a'.nothing() }}":                          "no method nothing",
		"{{ messages.append(1) }}":                     "may not call it",
		"{{ 'a'|nothing }}":                            "nothing",
		"{{ missing|tojson }}":                         "not JSON serializable",
		"{% for x in 5 %}{% endfor %}":                 "int is not iterable",
		"{{ 'x' * 99999999999 }}":                      "longer than",
		"{{ 1 % 0 }}":                                  "division by zero",
		"{{ '%d' % 'x' }}":                             "%d",
		"{% for i in range(1000000000) %}{% endfor %}": "range",
		"{% for i in range(2000) %}{% for j in range(2000) %}{% endfor %}{% endfor %}":                    "loops take more than",
		"{% for i in range(100000) %}" + strings.Repeat("text ", 300) + "{% endfor %}":                    "print more than",
		"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}":                                                 "macros call each other",
		"{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}": "string longer than",
	} {
		tmpl, err := chat.Parse(source, chat.Options{})
		if err != nil {
			t.Errorf("%.60s: %v", source, err)
			continue
		}
		if _, err := tmpl.Render(talk, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: error %v, want one with %s", source, err, want)
		}
	}
	tmpl, err := chat.Parse("{{ messages[0].x }}", chat.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tmpl.Render([]chat.Message{{Fields: []chat.Field{{Name: "x", JSON: json.RawMessage("{")}}}}, false); err == nil {
		t.Error("a broken field renders")
	}
}

func TestRender_concurrent(t *testing.T) {
	tmpl, err := chat.Parse("{% for m in messages %}{% set x = m.content %}{{ m.role ~ x|trim }};{% endfor %}", chat.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if got, err := tmpl.Render(talk, false); err != nil || got != "userHi;assistantHello;userBye;" {
					t.Errorf("got %q, %v", got, err)
				}
			}
		})
	}
	wg.Wait()
}

// FuzzParse feeds damaged templates: an error or text, never a failure.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"{% for m in messages %}{{ '<|' + m.role + '|>' }}{{ m['content'] | trim }}{% endfor %}",
		"{%- set ns = namespace(a=1) -%}{% if ns.a is eq 1 %}{{ messages[0]|tojson(indent=2) }}{% endif %}",
		"{% macro f(x, y='z') %}{{ x.split(y)[-1] }}{% endmacro %}{{ f('azb') }}{% raw %}{{ {% endraw %}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		tmpl, err := chat.Parse(source, chat.Options{BOS: "<s>"})
		if err != nil {
			return
		}
		a, errA := tmpl.Render(talk, true)
		b, errB := tmpl.Render(talk, true)
		if a != b || (errA == nil) != (errB == nil) {
			t.Fatalf("two renderings differ: %q %v, %q %v", a, errA, b, errB)
		}
	})
}

func ExampleTemplate_Render() {
	tmpl, err := chat.Parse("{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}[assistant] {% endif %}", chat.Options{})
	if err != nil {
		panic(err)
	}
	out, err := tmpl.Render([]chat.Message{{Role: "user", Content: "Hi"}}, true)
	fmt.Printf("%q %v\n", out, err)
	// Output: "[user] Hi\n[assistant] " <nil>
}
