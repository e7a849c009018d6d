package base

import (
	"crypto/sha256"
	"encoding/binary"
	"os"
	"strings"
)

// TextHash identifies all that decides which tokens a text becomes: tokenizer, special tokens, the present template, vocabulary.
// It is false when something else decides too, such as the time of day that a template asks for.
func (b *Base) TextHash() ([sha256.Size]byte, bool) {
	if strings.Contains(b.Chat.Source, "strftime_now") {
		return [sha256.Size]byte{}, false
	}
	h := sha256.New()
	part := func(p []byte) {
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(p))))
		h.Write(p)
	}
	if b.GGUF != nil {
		part(b.GGUF.Header())
	}
	for _, path := range b.Files {
		if path == b.Path || strings.HasSuffix(path, ".safetensors") {
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return [sha256.Size]byte{}, false
		}
		part(data)
	}
	for _, text := range []string{b.Chat.Source, b.Chat.BOS, b.Chat.EOS} {
		part([]byte(text))
	}
	return [sha256.Size]byte(h.Sum(nil)), true
}
