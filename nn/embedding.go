package nn

import "ft/internal/kernels"

// Embedding is the frozen table of token embeddings [V,D].
type Embedding struct {
	Name string // Hugging Face module path, such as "model.embed_tokens"

	table *kernels.Matrix
}

// NewEmbedding makes an embedding from a frozen table [V,D].
func NewEmbedding(name string, table *kernels.Matrix) *Embedding {
	return &Embedding{Name: name, table: table}
}

// Table is the frozen table [V,D].
func (e *Embedding) Table() *kernels.Matrix { return e.table }
