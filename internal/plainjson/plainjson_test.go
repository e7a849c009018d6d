package plainjson

import (
	"math"
	"testing"
)

func TestMarshal(t *testing.T) {
	v := map[string]any{"b": "<a & b>", "a": 1}
	for indent, want := range map[string]string{
		"":   "{\"a\":1,\"b\":\"<a & b>\"}\n",
		"  ": "{\n  \"a\": 1,\n  \"b\": \"<a & b>\"\n}\n",
	} {
		if got, err := Marshal(v, indent); err != nil || string(got) != want {
			t.Errorf("Marshal with indent %q = %q, %v, want %q", indent, got, err, want)
		}
	}
	if _, err := Marshal(math.NaN(), ""); err == nil {
		t.Error("NaN became JSON")
	}
}
