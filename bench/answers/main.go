// Command answers holds what Bailey says about a folder against what ripgrep
// and SQLite's FTS5 find there, on questions and summaries of real text.
package main

func collections() []string { return []string{"prometheus", "manpages", "sqlite"} }

func main() {}
