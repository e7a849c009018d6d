package configs

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"ft/internal/run"
)

// compareKey is the list in a config for ft compare.
const compareKey = "compare"

// Entry is one run of a comparison.
type Entry struct {
	Name   string
	Config *Config // Config.Name is the file's name and the entry's
}

// LoadCompare reads a config that compares methods: the usual sections but `method`, and a list `compare` whose entries have
// a name (by default their method's kind), a section `method`, and a section `train` with what differs for this entry. Everything wrong with
// it, in all entries, is in one *Error.
func LoadCompare(o Options) ([]Entry, error) {
	top := newLoader(o)
	top.readFile()
	entries := top.takeEntries()
	all := top.problems
	var out []Entry
	for i := range entries {
		e := &entries[i]
		l := newLoader(o)
		l.file = top.file.with(e)
		c := l.load()
		for _, p := range l.problems {
			if p.at.source == o.File && p.at.line >= e.first && p.at.line <= e.last {
				p.key = join(e.path, p.key)
			}
			if !slices.Contains(all, p) { // what is wrong outside of the entries is so for each
				all = append(all, p)
			}
		}
		if e.name == "" {
			e.name = c.Method.Kind
		}
		stem := strings.TrimSuffix(filepath.Base(o.File), filepath.Ext(o.File))
		c.Name = stem + "-" + e.name
		if err := run.CheckName(c.Name); err != nil {
			all.add(e.at, e.path+".name", strings.TrimPrefix(err.Error(), "run: "))
		}
		for j := range i {
			if entries[j].name == e.name {
				all.add(e.at, e.path+".name", fmt.Sprintf("%q is the name of %s too: give each entry its own", e.name, entries[j].path))
				break
			}
		}
		out = append(out, Entry{e.name, c})
	}
	if err := all.err(); err != nil {
		return nil, err
	}
	return out, nil
}

// compareEntry is an entry of the list as written.
type compareEntry struct {
	document    // the keys of a config that it sets
	path, name  string
	at          place
	first, last int // its lines
}

// takeEntries takes the list out of the file.
func (l *loader) takeEntries() []compareEntry {
	var list *yaml.Node
	d := l.file
	for _, s := range d.settings {
		if s.path == compareKey {
			list = s.node
		} else if s.path == "method" || inside(s.path, "method") {
			l.problems.add(s.at, s.path, "give each entry of compare its method")
		}
	}
	d.settings = slices.DeleteFunc(d.settings, func(s pathSetting) bool {
		return s.path == compareKey || s.path == "method" || inside(s.path, "method")
	})
	switch {
	case list == nil && len(l.problems) > 0:
		return nil
	case list == nil:
		l.problems.add(l.place(compareKey), compareKey, "missing: list the runs, such as - {name: small, method: {kind: lora, rank: 8}}")
		return nil
	case list.Kind != yaml.SequenceNode || len(list.Content) == 0:
		l.problems.add(place{d.source, list.Line}, compareKey, "expected a list of methods, got "+describe(list))
		return nil
	}
	var out []compareEntry
	for i, n := range list.Content {
		e := compareEntry{path: fmt.Sprintf("%s[%d]", compareKey, i), at: place{d.source, n.Line}, first: n.Line, last: lastLine(n)}
		if n.Kind != yaml.MappingNode {
			l.problems.add(e.at, e.path, "expected {name, method, train}, got "+describe(n))
			continue
		}
		e.document = document{source: d.source, sections: map[string]place{}}
		var problems problems
		e.section(n, "", &problems)
		e.take(&problems)
		for _, p := range problems {
			l.problems.add(p.at, join(e.path, p.key), p.text)
		}
		out = append(out, e)
	}
	return out
}

// take reads the entry's name and refuses what is no key of an entry.
func (e *compareEntry) take(p *problems) {
	kind := false
	keep := e.settings[:0]
	for _, s := range e.settings {
		head, _, _ := strings.Cut(s.path, ".")
		switch {
		case s.path == "name":
			e.at = s.at
			if s.node.Kind != yaml.ScalarNode || s.node.ShortTag() != "!!str" || s.node.Value == "" {
				p.add(s.at, s.path, "expected text, got "+describe(s.node))
			} else {
				e.name = s.node.Value
			}
		case head == "method" || head == "train":
			kind = kind || s.path == "method.kind"
			keep = append(keep, s)
		default:
			p.add(s.at, head, "unknown key"+didYouMean(head, []string{"name", "method", "train"}))
		}
	}
	e.settings = keep
	if at, ok := e.sections["method"]; !kind {
		if !ok {
			at = e.at
		}
		p.add(at, "method.kind", "missing: name a method, such as lora")
	}
}

// with is the document with what an entry says instead.
func (d *document) with(e *compareEntry) *document {
	out := &document{source: d.source, sections: map[string]place{}}
	for _, s := range d.settings {
		if !slices.ContainsFunc(e.settings, func(t pathSetting) bool { return t.path == s.path }) {
			out.settings = append(out.settings, s)
		}
	}
	out.settings = append(out.settings, e.settings...)
	for _, sections := range []map[string]place{d.sections, e.sections} {
		for path, at := range sections {
			out.sections[path] = at
		}
	}
	return out
}

// lastLine is the last line that a node begins a value on.
func lastLine(n *yaml.Node) int {
	last := n.Line
	for _, c := range n.Content {
		last = max(last, lastLine(c))
	}
	return last
}
