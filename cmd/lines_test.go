package cmd

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEachRow(t *testing.T) {
	for _, c := range []struct{ in, want, err string }{
		{"", "", ""},
		{"\n \r\n", "", ""},
		{"{\"a\":1}\n\n{\"a\":2}", "x:1 1;x:3 2;", ""},
		{"\ufeff{\"a\":1}\r\n", "x:1 1;", ""},
		{"{\"a\":1}\n[1]\n{\"a\":2}", "x:1 1;", "x:2: expected one JSON object on the line: found a list"},
		{"null", "", "x:1: expected one JSON object on the line: found null"},
		{"3", "", "x:1: expected one JSON object on the line: found a number"},
		{"{\"a\":1", "", "x:1: expected one JSON object on the line: unexpected end of JSON input (byte 6)"},
		{"{\"a\":1} {}", "", "x:1: expected one JSON object on the line: invalid character '{' after top-level value (byte 9)"},
		{"{\"a\":\"\xff\"}", "", "x:1: expected one JSON object on the line: found bytes that are not UTF-8"},
	} {
		var got strings.Builder
		err := eachRowOf("x", strings.NewReader(c.in), func(r jsonRow) error {
			got.WriteString(r.at + " " + string(r.fields["a"]) + ";")
			return nil
		})
		if got.String() != c.want {
			t.Errorf("%q: got %s, want %s", c.in, got.String(), c.want)
		}
		if message(err) != c.err {
			t.Errorf("%q: error %v, want %s", c.in, err, c.err)
		}
	}
}

func TestEachRow_stops(t *testing.T) {
	stop, n := errors.New("stop"), 0
	err := eachRowOf("x", strings.NewReader("{}\n{}\n"), func(jsonRow) error { n++; return stop })
	if err != stop || n != 1 {
		t.Errorf("error %v after %d rows", err, n)
	}
}

func TestJSONRow(t *testing.T) {
	read := func(line string) jsonRow {
		fields, err := decodeObject([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		return jsonRow{"x:7", fields}
	}
	r := read(`{"s": "a\u0000\"", "Ids": [1], "ids": [0, -1, 2147483647], "none": [], "null": null, "big": [2147483648],
		"hole": [1, null], "half": [1.5], "number": 3, "words": ["1"], "object": {}, "flag": true}`)
	if s, err := r.text("s"); s != "a\x00\"" || err != nil {
		t.Errorf("text %q, %v", s, err)
	}
	ids, err := r.ids("ids")
	if diff := cmp.Diff([]int32{0, -1, 2147483647}, ids); diff != "" || err != nil {
		t.Errorf("ids: %v %s", err, diff)
	}
	if ids, err := r.ids("none"); len(ids) != 0 || err != nil {
		t.Errorf("no ids: %v, %v", ids, err)
	}
	for field, want := range map[string]string{
		"S": `x:7: no field "S"`, "number": `x:7: field "number": expected a string, found a number`,
		"null": `x:7: field "null": expected a string, found null`, "ids": `x:7: field "ids": expected a string, found a list`,
		"object": `x:7: field "object": expected a string, found an object`, "flag": `x:7: field "flag": expected a string, found true or false`,
	} {
		if _, err := r.text(field); message(err) != want {
			t.Errorf("text(%q): error %v, want %s", field, err, want)
		}
	}
	for field, want := range map[string]string{
		"IDS": `x:7: no field "IDS"`, "hole": `x:7: field "hole": entry 1 is null`, "null": `x:7: field "null": expected a list of whole numbers`,
		"big": `x:7: field "big": expected a list of whole numbers`, "half": `x:7: field "half": expected a list of whole numbers`,
		"number": `x:7: field "number": expected a list of whole numbers`, "words": `x:7: field "words": expected a list of whole numbers`,
	} {
		if _, err := r.ids(field); message(err) != want {
			t.Errorf("ids(%q): error %v, want %s", field, err, want)
		}
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
