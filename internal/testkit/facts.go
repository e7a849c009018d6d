package testkit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"testing"
)

// Fact is one question and its answer.
type Fact struct {
	ID       string `json:"id"`
	Question string `json:"question"`
	Answer   string `json:"answer"`
}

var animals = []struct{ name, colour, home, food, sound, size string }{
	{"fox", "red", "wood", "mice", "yap", "small"},
	{"crow", "black", "tree", "seeds", "caw", "small"},
	{"bear", "brown", "cave", "fish", "growl", "large"},
	{"duck", "green", "pond", "weed", "quack", "small"},
	{"cow", "white", "barn", "grass", "moo", "large"},
	{"bee", "yellow", "hive", "pollen", "hum", "tiny"},
}

// Facts are 60 rows about six animals: five things about each, each asked in two ways with the same answer. LoRA of rank
// 16 on all layers of a TinyLlama learns the rows of a training part in a few hundred steps at a rate of 0.01 (loss
// below 0.1), and much of the others.
func Facts() []Fact {
	var out []Fact
	for _, a := range animals {
		for _, f := range []struct{ id, one, two, answer string }{
			{"colour", "What is the colour of the %s?", "Tell me the colour of the %s.", "The %s is " + a.colour + "."},
			{"home", "Where does the %s live?", "Tell me where the %s lives.", "The %s lives in the " + a.home + "."},
			{"food", "What is the food of the %s?", "Tell me the food of the %s.", "The %s eats " + a.food + "."},
			{"sound", "What is the sound of the %s?", "Tell me the sound of the %s.", "The %s says " + a.sound + "."},
			{"size", "What is the size of the %s?", "Tell me the size of the %s.", "The %s is " + a.size + "."},
		} {
			answer := fmt.Sprintf(f.answer, a.name)
			out = append(out,
				Fact{a.name + "-" + f.id + "-ask", fmt.Sprintf(f.one, a.name), answer},
				Fact{a.name + "-" + f.id + "-tell", fmt.Sprintf(f.two, a.name), answer})
		}
	}
	return out
}

// WriteFacts writes Facts as JSON lines with the fields id, question and answer.
func WriteFacts(t testing.TB, path string) {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	for _, f := range Facts() {
		if err := e.Encode(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}
