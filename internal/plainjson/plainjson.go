// Package plainjson writes JSON as people read it: < and & as they are.
package plainjson

import (
	"bytes"
	"encoding/json"
)

// Marshal is v as JSON with a new line at its end. indent is what each level is indented by; empty keeps all on one line.
func Marshal(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	err := e.Encode(v)
	return b.Bytes(), err
}
