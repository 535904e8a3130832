package main

import (
	"context"
	"io"
)

type summaryResult struct {
	Collection, System         string
	Topics, Covered, Sentences int
	Junk                       []string
}

func summarise(context.Context, options, string, string, []*source) ([]summaryResult, error) {
	return nil, nil
}

func printSummaries(io.Writer, []summaryResult) {}
