// Package dataset turns files of questions and answers into what training and evaluation read.
//
//	files ──Load──▶ Table ──Clean──▶ View ──Split──▶ Parts ──Encode──▶ samples, one by one ──Order, Passes──▶ []Batch
//	                  │               │                │                  │
//	                  └───────────────┴──── Report ────┴──────────────────┘   what was left out, and why
//
// Nothing is left out silently: whatever a stage drops is counted by reason in the Report, with the ids of
// its rows. Every stage is a function of its arguments alone, so that the same files and settings give the
// same samples in the same order on every machine.
package dataset
