package configs

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"ft/internal/suggest"
)

// refuseUnknown reports every setting that no key takes. What stands under method is left alone while its
// kind, and so its keys, are not known.
func (l *loader) refuseUnknown() {
	reported := map[string]bool{}
	for _, s := range l.file.settings {
		if l.isKey(s.path) || l.skips(s.path) {
			continue
		}
		if l.knows(s.path) { // a section
			empty := s.node.Kind == yaml.MappingNode && len(s.node.Content) == 0 || s.node.Kind == yaml.ScalarNode && s.node.ShortTag() == "!!null"
			if !empty {
				l.problems.add(s.at, s.path, "expected a section ("+strings.Join(l.children(s.path), ", ")+"), got "+describe(s.node))
			}
			continue
		}
		path, at := l.outermost(s)
		if !reported[path] {
			reported[path] = true
			l.problems.add(at, path, l.unknown(path))
		}
	}
	for _, s := range l.sets {
		if !l.isKey(s.path) && !l.skips(s.path) {
			l.problems.add(place{source: "--set"}, s.path, l.unknown(s.path))
		}
	}
	if l.options.Env {
		l.refuseVariables()
	}
}

func (l *loader) refuseVariables() {
	var known []string
	for _, k := range l.keys {
		known = append(known, envName(k.path))
	}
	for _, name := range environ() {
		if slices.Contains(known, name) || !l.whole && strings.HasPrefix(name, "FT_METHOD_") {
			continue
		}
		hint := " (config keys are set by FT_KEY_PATH, as in FT_TRAIN_LR)"
		if best := suggest.Nearest(name, append(known, reserved...)); best != "" {
			hint = " (did you mean " + best + "?)"
		}
		l.problems.add(place{source: name}, "", "unknown variable"+hint)
	}
}

func (l *loader) isKey(path string) bool {
	return slices.ContainsFunc(l.keys, func(k key) bool { return k.path == path })
}

// skips reports whether path belongs to a method that is not known.
func (l *loader) skips(path string) bool { return !l.whole && inside(path, "method") }

// outermost is the shortest part of an unknown setting's path that is unknown, or that is a key where the
// file has a section, and its place.
func (l *loader) outermost(s pathSetting) (string, place) {
	for i, r := range s.path {
		if r != '.' {
			continue
		}
		if path := s.path[:i]; !l.knows(path) || l.isKey(path) {
			return path, l.file.sections[path]
		}
	}
	return s.path, s.at
}

// unknown says why path is not a key that can be set.
func (l *loader) unknown(path string) string {
	if i := slices.IndexFunc(l.keys, func(k key) bool { return k.path == path }); i >= 0 {
		return "expected " + describeType(l.keys[i].value.Type()) + ", got a section"
	}
	if path == compareKey {
		return "is for ft compare, which trains several methods; this is about one"
	}
	if l.knows(path) {
		return "is a section (" + strings.Join(l.children(path), ", ") + ")"
	}
	section, name := "", path
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		section, name = path[:i], path[i+1:]
	}
	if !l.knows(section) && section != "" {
		section = ""
		name, _, _ = strings.Cut(path, ".")
	}
	siblings := l.children(section)
	if suggest.Nearest(name, siblings) == "" {
		for _, k := range l.keys {
			if strings.HasSuffix(k.path, "."+name) {
				return "unknown key (did you mean " + k.path + "?)"
			}
		}
	}
	return "unknown key" + didYouMean(name, siblings)
}

// children lists what may stand in a section, in order.
func (l *loader) children(section string) []string {
	var names []string
	for _, k := range l.keys {
		rest := k.path
		if section != "" {
			if !inside(k.path, section) {
				continue
			}
			rest = k.path[len(section)+1:]
		}
		name, _, _ := strings.Cut(rest, ".")
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
