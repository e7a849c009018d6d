package configs

import (
	"bytes"
	"errors"
	"io"
	"os"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// document is a config file as written.
type document struct {
	source   string
	settings []pathSetting
	sections map[string]place
}

// pathSetting is a key with its value.
type pathSetting struct {
	path string
	setting
}

// readFile reads the settings of a YAML file. What is wrong with the form of it goes to p; an error is
// one of reading.
func readFile(path string, p *problems) (*document, error) {
	doc := &document{source: path, sections: map[string]place{}}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	var root yaml.Node
	switch err := d.Decode(&root); {
	case errors.Is(err, io.EOF):
		return doc, nil
	case err != nil:
		line, text := cutLine(strings.TrimPrefix(err.Error(), "yaml: "))
		p.add(place{path, line}, "", "not YAML: "+text)
		return doc, nil
	}
	if top := root.Content[0]; top.Kind == yaml.MappingNode {
		doc.section(top, "", p)
	} else if top.ShortTag() != "!!null" {
		p.add(place{path, top.Line}, "", "expected keys with values, got "+describe(top))
	}
	var second yaml.Node
	if err := d.Decode(&second); !errors.Is(err, io.EOF) {
		p.add(place{path, max(second.Line, 1)}, "", "more than one document: a config is one")
	}
	return doc, nil
}

// section adds what the mapping n holds. Sections within are walked; everything else is a setting. An
// alias is never walked, so what a file comes to is bounded by its size.
func (d *document) section(n *yaml.Node, prefix string, p *problems) {
	given := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		at := place{d.source, name.Line}
		if name.Kind != yaml.ScalarNode || strings.ContainsAny(name.Value, ".[") {
			p.add(at, prefix, "expected a plain word as key, got "+describe(name))
			continue
		}
		path := join(prefix, name.Value)
		if first := given[name.Value]; first > 0 {
			p.add(at, path, "given twice, first on line "+strconv.Itoa(first))
			continue
		}
		given[name.Value] = name.Line
		if value.Kind == yaml.MappingNode && len(value.Content) > 0 {
			d.sections[path] = at
			d.section(value, path, p)
		} else {
			d.settings = append(d.settings, pathSetting{path, setting{at, value}})
		}
	}
}

// cutLine splits the "line 3: " off a message of the YAML reader.
func cutLine(text string) (line int, rest string) {
	if after, ok := strings.CutPrefix(text, "line "); ok {
		if number, rest, ok := strings.Cut(after, ": "); ok {
			if line, err := strconv.Atoi(number); err == nil {
				return line, rest
			}
		}
	}
	return 0, text
}

// fromText turns the text of a flag or environment variable into a node for a value of type t: text is
// taken as it is, a list may be written a,b, and everything else is YAML.
func fromText(text string, t reflect.Type) *yaml.Node {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	plain := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
	if t.Kind() == reflect.String && !selfMade(t) {
		return plain
	}
	trimmed := strings.TrimSpace(text)
	if t.Kind() == reflect.Slice && !selfMade(t) && !strings.HasPrefix(trimmed, "[") {
		list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				list.Content = append(list.Content, fromText(part, t.Elem()))
			}
		}
		return list
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(trimmed), &doc); err != nil || len(doc.Content) == 0 {
		return plain
	}
	unplaced(doc.Content[0])
	return doc.Content[0]
}

// unplaced takes away line numbers, which mean nothing outside a file.
func unplaced(n *yaml.Node) {
	n.Line = 0
	for _, c := range n.Content {
		unplaced(c)
	}
}
