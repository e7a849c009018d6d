package peft

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// allLinear is the word that stands for every linear layer but the output head.
const allLinear = "all-linear"

// Names picks modules: a list of names, each standing for every module whose path is the name or ends in
// "." and the name, or one regular expression in Python's syntax that must match the whole path. In YAML and
// JSON it is a list or a string. The zero value picks nothing.
type Names struct {
	List []string
	Expr string
}

// AllLinear picks every linear layer but the output head.
func AllLinear() Names { return Names{Expr: allLinear} }

// Empty reports whether n picks nothing.
func (n Names) Empty() bool { return n.Expr == "" && len(n.List) == 0 }

func (n Names) isAllLinear() bool { return strings.ToLower(n.Expr) == allLinear }

// value is n as a YAML or JSON value.
func (n Names) value() any {
	switch {
	case n.Expr != "":
		return n.Expr
	case n.List != nil:
		return n.List
	}
	return nil
}

// String is n as a person would type it.
func (n Names) String() string {
	if n.Expr != "" {
		return fmt.Sprintf("%q", n.Expr)
	}
	return "[" + strings.Join(n.List, ", ") + "]"
}

var errNames = errors.New("must be a list of module names or one string")

// UnmarshalYAML reads a list of strings or a string.
func (n *Names) UnmarshalYAML(node *yaml.Node) error {
	*n = Names{}
	switch {
	case node.Kind == yaml.AliasNode:
		return n.UnmarshalYAML(node.Alias)
	case node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null":
		return nil
	case node.Kind == yaml.ScalarNode && node.ShortTag() == "!!str":
		n.Expr = node.Value
		return nil
	case node.Kind == yaml.SequenceNode:
		n.List = []string{}
		for _, item := range node.Content {
			if item.Kind != yaml.ScalarNode || item.ShortTag() != "!!str" {
				return fmt.Errorf("line %d: %w", item.Line, errNames)
			}
			n.List = append(n.List, item.Value)
		}
		return nil
	}
	return fmt.Errorf("line %d: %w", node.Line, errNames)
}

// MarshalYAML writes what UnmarshalYAML reads.
func (n Names) MarshalYAML() (any, error) { return n.value(), nil }

// UnmarshalJSON reads a list of strings, a string or null.
func (n *Names) UnmarshalJSON(data []byte) error {
	*n = Names{}
	data = bytes.TrimSpace(data)
	dst := any(&n.List)
	if len(data) > 0 && data[0] == '"' {
		dst = &n.Expr
	}
	if err := json.Unmarshal(data, dst); err != nil {
		return errNames
	}
	return nil
}

// MarshalJSON writes what UnmarshalJSON reads.
func (n Names) MarshalJSON() ([]byte, error) { return json.Marshal(n.value()) }
