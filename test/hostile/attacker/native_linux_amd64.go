//go:build bailey_hostile && bailey_native

package main

const loaderDir = "/lib64"
