package chart

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
)

// Look is the style that pages share: colours for light, dark and paper, text, tables and charts.
//
//go:embed look.css
var Look string

// Script shows the values of charts.
//
//go:embed hover.js
var Script string

// Page is what belongs into the head of a page that shows charts.
type Page struct {
	Style  template.CSS
	Script template.JS
	// Policy is a Content-Security-Policy under which the page loads nothing and runs nothing but these two.
	Policy string
}

// NewPage is the head of a page with style rules of its own behind Look.
func NewPage(style string) Page { return NewPageOf(style, Script) }

// NewPageOf is NewPage for a page with another script.
func NewPageOf(style, script string) Page {
	style = Look + style
	return Page{
		Style: template.CSS(style), Script: template.JS(script),
		// The picture is an empty icon, so that browsers do not ask a server for one.
		Policy: "default-src 'none'; img-src data:; style-src '" + hash(style) + "'; script-src '" + hash(script) + "'; base-uri 'none'; form-action 'none'",
	}
}

// hash is a source of the policy that allows this text alone.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
