package base

import (
	"encoding/json"
	"fmt"
	"strings"

	"ft/model"
)

// familyOf picks the family that a config.json names.
func familyOf(config []byte, families []*model.Family) (*model.Family, error) {
	var c struct {
		ModelType *string `json:"model_type"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	if c.ModelType == nil {
		return nil, fmt.Errorf("config.json: no model_type")
	}
	var known []string
	for _, f := range families {
		if f.Is(*c.ModelType) {
			return f, nil
		}
		known = append(known, f.ModelType)
	}
	return nil, fmt.Errorf("config.json: model_type %q is not supported (have: %s)", *c.ModelType, strings.Join(known, ", "))
}
