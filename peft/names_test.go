package peft_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"go.yaml.in/yaml/v3"

	"ft/peft"
)

func TestNames(t *testing.T) {
	for _, c := range []struct {
		yaml, json string
		want       peft.Names
	}{
		{"all-linear", `"all-linear"`, peft.AllLinear()},
		{"[q_proj, v_proj]", `["q_proj","v_proj"]`, peft.Names{List: []string{"q_proj", "v_proj"}}},
		{`'.*\.q_proj'`, `".*\\.q_proj"`, peft.Names{Expr: `.*\.q_proj`}},
		{"[]", `[]`, peft.Names{List: []string{}}},
		{"null", `null`, peft.Names{}},
	} {
		var y, j, again peft.Names
		if err := yaml.Unmarshal([]byte(c.yaml), &y); err != nil || !reflect.DeepEqual(y, c.want) {
			t.Errorf("YAML %s: got %#v, %v", c.yaml, y, err)
		}
		if err := json.Unmarshal([]byte(c.json), &j); err != nil || !reflect.DeepEqual(j, c.want) {
			t.Errorf("JSON %s: got %#v, %v", c.json, j, err)
		}
		if text, err := json.Marshal(c.want); err != nil || string(text) != c.json {
			t.Errorf("JSON of %#v: got %s, %v", c.want, text, err)
		}
		text, err := yaml.Marshal(c.want)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(text, &again); err != nil || !reflect.DeepEqual(again, c.want) {
			t.Errorf("YAML of %#v: got %s, read as %#v, %v", c.want, text, again, err)
		}
	}
}

func TestNames_alias(t *testing.T) {
	var v struct{ A, B peft.Names }
	if err := yaml.Unmarshal([]byte("a: &x [q_proj]\nb: *x\n"), &v); err != nil || !reflect.DeepEqual(v.A, v.B) {
		t.Errorf("got %#v, %v", v, err)
	}
}

func TestNames_refuses(t *testing.T) {
	for _, text := range []string{"3", "true", "{a: 1}", "[q_proj, 3]", "[[q_proj]]"} {
		var n peft.Names
		if err := yaml.Unmarshal([]byte(text), &n); err == nil {
			t.Errorf("YAML %s was read as %#v", text, n)
		}
	}
	for _, text := range []string{"3", "true", `{"a":1}`, `["q_proj",3]`} {
		var n peft.Names
		if err := json.Unmarshal([]byte(text), &n); err == nil {
			t.Errorf("JSON %s was read as %#v", text, n)
		}
	}
}
