// Package consent asks a person for real: the core, its sandboxes and bailey-prompt
// as they are shipped, on a desktop of the tests' own, where keys and clicks
// answer. Only the window is one of the tests, because it has to ask faster and
// more rudely than a page does.
package consent
