// Package wire is the parent of the code generated from schema/; its one
// hand-written part is rpc, the seam to the transport.
package wire
