package configs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/viper"
)

// Options says where Load gets a config from.
type Options struct {
	File     string   // YAML; empty for none
	Set      []string // key.path=value, strongest; of a key given twice the last holds
	Data     []string // data.files, instead of the file's
	Base     string   // stronger than the file's; empty for none
	Env      bool     // let variables FT_KEY_PATH of the environment set keys
	NeedBase bool     // a config without base is an error

	// Method returns the config of the method kind, a pointer to a struct that holds the defaults and whose
	// fields have yaml tags. If it has a Validate() error, the outcome is checked with it. An error says
	// which kinds there are.
	Method func(kind string) (any, error)
}

// reserved are the switches that are no config keys.
var reserved = []string{"FT_CPU", "FT_CACHE_DIR", "FT_CONFORMANCE", "FT_PYTHON", "FT_AMX_EMULATED"}

// Load reads a config. Everything wrong with it is in one *Error.
//
// A Validate of a section reports joined errors of the form `key: what is wrong`, with keys relative to
// the section; Load finds out where each of the keys was set.
func Load(o Options) (*Config, error) {
	l := newLoader(o)
	l.readFile()
	c := l.load()
	if err := l.problems.err(); err != nil {
		return nil, err
	}
	c.Name = strings.TrimSuffix(filepath.Base(o.File), filepath.Ext(o.File))
	if o.File == "" {
		c.Name = c.Method.Kind
	}
	return c, nil
}

func newLoader(o Options) *loader {
	return &loader{options: o, viper: viper.New(), file: &document{}}
}

// load is the config that the file that was read, the environment and the flags make together. What is wrong is in l.problems.
func (l *loader) load() *Config {
	c := Default()
	l.readSets()

	keys := keysOf(reflect.ValueOf(&c).Elem(), "")
	l.fill(keys, "method.kind")
	method, ok := l.method(&c)
	if ok {
		l.whole = true
		keys = append(keys, methodKeys(method, c.Method.Kind)...)
	}
	l.keys = keys
	l.refuseUnknown()
	for _, k := range keys {
		if k.path != "method.kind" {
			l.fill(keys, k.path)
		}
	}
	l.validate(&c)
	return &c
}

// loader gathers a config. viper holds the layers and knows which one is strongest for a key: the file's
// and the flags' values as *setting, so that the place of each stays known, the environment's as text.
type loader struct {
	options  Options
	viper    *viper.Viper
	file     *document
	sets     []pathText
	keys     []key
	whole    bool // keys has those of the method
	problems problems
}

type pathText struct{ path, text string }

func (l *loader) readFile() {
	if l.options.File == "" {
		return
	}
	doc, err := readFile(l.options.File, &l.problems)
	if err != nil {
		var why *fs.PathError
		if errors.As(err, &why) {
			err = why.Err
		}
		l.problems.add(place{source: l.options.File}, "", err.Error())
		return
	}
	l.file = doc
}

func (l *loader) readSets() {
	if list, err := json.Marshal(l.options.Data); err == nil && len(l.options.Data) > 0 {
		l.sets = append(l.sets, pathText{"data.files", string(list)}) // a list of JSON is one of YAML
	}
	if l.options.Base != "" {
		l.sets = append(l.sets, pathText{"base", l.options.Base})
	}
	for _, s := range l.options.Set {
		path, text, ok := strings.Cut(s, "=")
		if path = strings.TrimSpace(path); !ok || path == "" {
			l.problems.add(place{source: "--set"}, "", fmt.Sprintf("expected key.path=value, got %q", s))
			continue
		}
		l.sets = append(l.sets, pathText{path, text})
	}
}

// fill gives the key at path the value of its strongest layer, if any layer sets it.
func (l *loader) fill(keys []key, path string) {
	i := slices.IndexFunc(keys, func(k key) bool { return k.path == path })
	target := keys[i].value
	for _, s := range l.file.settings {
		if s.path == path {
			// viper cannot fail on a map of sections.
			_ = l.viper.MergeConfigMap(nest(path, &s.setting))
		}
	}
	if l.options.Env {
		_ = l.viper.BindEnv(path, envName(path)) // fails on an empty path only
	}
	for _, s := range l.sets {
		if s.path == path {
			l.viper.Set(path, &setting{place{source: "--set"}, fromText(s.text, target.Type())})
		}
	}
	s := l.setting(path, target.Type())
	if s == nil {
		return
	}
	d := decoder{s.at.source, &l.problems}
	d.value(s.node, path, target)
}

// setting is what the strongest layer says of a key whose values have type t; nil if none does.
func (l *loader) setting(path string, t reflect.Type) *setting {
	switch v := l.viper.Get(path).(type) {
	case *setting:
		return v
	case string: // from the environment
		return &setting{place{source: envName(path)}, fromText(v, t)}
	}
	return nil
}

// place is where path was set, or the file if it was not.
func (l *loader) place(path string) place {
	if s := l.setting(path, reflect.TypeFor[string]()); s != nil {
		return s.at
	}
	if at, ok := l.file.sections[path]; ok {
		return at
	}
	if l.options.File == "" {
		return place{source: "config"}
	}
	return place{source: l.options.File}
}

// method fills c.Method.Config with the defaults of the kind. It reports whether there is such a kind.
func (l *loader) method(c *Config) (reflect.Value, bool) {
	if l.problems.has("method.kind") {
		return reflect.Value{}, false
	}
	own, err := l.options.Method(c.Method.Kind)
	if err != nil {
		l.problems.add(l.place("method.kind"), "method.kind", err.Error())
		return reflect.Value{}, false
	}
	c.Method.Config = own
	return reflect.ValueOf(own).Elem(), true
}

// methodKeys are the keys of a method's config. One that wants to know its kind has a field for it.
func methodKeys(config reflect.Value, kind string) []key {
	var keys []key
	for _, k := range keysOf(config, "method") {
		if k.path == "method.kind" {
			k.value.SetString(kind)
		} else {
			keys = append(keys, k)
		}
	}
	return keys
}

// validate checks the bounds of each section.
func (l *loader) validate(c *Config) {
	if c.Base == "" && l.options.NeedBase {
		l.report("", errors.New("base: missing: name a model directory or a .gguf file"))
	}
	if c.Out == "" {
		l.report("", errors.New("out: must name a folder"))
	}
	if m, ok := c.Method.Config.(interface{ Validate() error }); ok {
		l.report("method", m.Validate())
	}
	l.report("data", c.Data.Validate())
	l.report("train", c.Train.Validate())
	l.report("eval", c.Eval.Validate())
}

// report adds the problems that are joined in err, which speak of keys within section, except for keys
// that have a problem already.
func (l *loader) report(section string, err error) {
	if err == nil {
		return
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			l.report(section, e)
		}
		return
	}
	path, text := section, err.Error()
	if head, rest, ok := strings.Cut(text, ": "); ok {
		if p := join(section, head); l.knows(withoutIndex(p)) {
			path, text = p, rest
		}
	}
	if !l.problems.has(withoutIndex(path)) {
		l.problems.add(l.place(withoutIndex(path)), path, text)
	}
}

// knows reports whether path is a key or a section.
func (l *loader) knows(path string) bool {
	return slices.ContainsFunc(l.keys, func(k key) bool { return k.path == path || inside(k.path, path) })
}

// withoutIndex is the key of a path that leads into a list: patterns for patterns[0].rank.
func withoutIndex(path string) string {
	path, _, _ = strings.Cut(path, "[")
	return path
}

// nest is value as a map of sections.
func nest(path string, value any) map[string]any {
	parts := strings.Split(path, ".")
	m := map[string]any{parts[len(parts)-1]: value}
	for _, part := range slices.Backward(parts[:len(parts)-1]) {
		m = map[string]any{part: m}
	}
	return m
}

// envName is the variable that sets a key.
func envName(path string) string {
	return "FT_" + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// environ lists the names of the variables that are meant for ft, without the reserved ones and those of
// its tests.
func environ() []string {
	var names []string
	for _, v := range os.Environ() {
		name, value, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, "FT_") && !strings.HasPrefix(name, "FT_TEST") && value != "" && !slices.Contains(reserved, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
