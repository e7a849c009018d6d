// Package peft holds what every fine-tuning method shares: the contracts Method and Adapter, the choice of
// the layers a method changes, and the adapter directory in Hugging Face PEFT's format.
//
//	Config ─ Method.Attach(host) ─▶ Adapter ─ State ─▶ Save ─▶ adapter_config.json
//	                                   ▲                       adapter_model.safetensors
//	                 the method's Load │                       ft.json, README.md
//	                                 Saved ◀──────── Load ◀────────┘
//
// Layers are chosen as Hugging Face PEFT 0.21 chooses them, so a directory means the same here and there.
// What PEFT has no key for (chat template, system text, the base's hash) lies in ft.json, which PEFT ignores.
package peft
