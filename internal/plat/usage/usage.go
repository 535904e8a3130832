// Package usage tells what this process takes, without reading any file, so
// that a worker can ask after its seal. The engine worker uses it.
package usage
