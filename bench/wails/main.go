// wails-hello is the peer of Bailey's hello app: Wails v2's smallest. Its first
// argument is the time of CLOCK_MONOTONIC in ns at its start; it prints
// first_paint_ms and stays. It is a module of its own, so that Wails stands in no
// other.
package main

import (
	"embed"
	"fmt"
	"os"
	"strconv"

	"github.com/wailsapp/wails/v2"
	"github.com/wailsapp/wails/v2/pkg/options"
	"github.com/wailsapp/wails/v2/pkg/options/assetserver"
	"golang.org/x/sys/unix"
)

//go:embed frontend
var assets embed.FS

// App is what the page can call.
type App struct{ started int64 }

// Painted is called when the first frame has been handed on.
func (a *App) Painted() {
	fmt.Printf("{\"first_paint_ms\":%.1f}\n", float64(now()-a.started)/1e6)
}

// Echo is the peer of a call of 200 bytes.
func (a *App) Echo(s string) string { return s }

func now() int64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t)
	return t.Nano()
}

func main() {
	a := &App{started: now()}
	if len(os.Args) > 1 {
		if at, err := strconv.ParseInt(os.Args[1], 10, 64); err == nil {
			a.started = at
		}
	}
	err := wails.Run(&options.App{Title: "hello", Width: 1000, Height: 700, AssetServer: &assetserver.Options{Assets: assets}, Bind: []any{a}})
	if err != nil {
		fmt.Fprintln(os.Stderr, "wails-hello:", err)
		os.Exit(1)
	}
}
