// Command protoc-gen-bailey is the protobuf plugin that turns schema/ into the
// boundary of Bailey: for every message a validator, for every service its rows
// of the policy table, a typed client and a typed server.
//
// It refuses more than it accepts. A validator that ignored a rule, or a method
// that had no policy, would be a hole that no reader of the schema can see, so
// whatever is not in the short list of rules.go or policy.go is an error that
// names the line of the schema. With the parameter lang=ts it writes the
// TypeScript of @bailey/sdk instead. It is run by `make generate` through buf and
// is no part of what is installed.
package main

import (
	"flag"

	"google.golang.org/protobuf/compiler/protogen"
)

func main() {
	var flags flag.FlagSet
	lang := flags.String("lang", "go", "what to write: go or ts")
	protogen.Options{ParamFunc: flags.Set}.Run(func(p *protogen.Plugin) error { return generate(p, *lang) })
}
