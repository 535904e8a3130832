// Package prompt has no code: its tests show bailey-prompt on a desktop of
// package desk, press its buttons as a person, as a program and as a screen
// reader would, and keep pictures of it in build/screens.
package prompt
