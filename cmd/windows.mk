# The programs that draw: bailey-window on WebKitGTK, bailey-prompt on GTK alone.
# They are C and optional: where their libraries are missing, build says in one
# line what to install, and everything that needs no window works.

CC         ?= cc
PKG_CONFIG ?= pkg-config

# GLib's own headers fall back to the old path of the C library's; -isystem keeps
# warnings about other people's headers out.
hosts_cflags  := -std=gnu11 -O2 -Wall -Wextra -Werror -fPIE -fstack-protector-strong -fstack-clash-protection \
	-D_FORTIFY_SOURCE=2 -ffile-prefix-map=$(CURDIR)=.
hosts_ldflags := -pie -s -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed,--build-id=none
window_needs  := webkitgtk-6.0 gio-unix-2.0
prompt_needs  := gtk4 gtk4-x11 x11 gio-unix-2.0
hosts_src      = $(filter-out %_test.c,$(wildcard cmd/$(1)/*.c))

# How a C program of ours is linked: target, needs, further flags.
define hosts_link
@mkdir -p $(dir $@)
$(CC) $(hosts_cflags) $(2) -Ibuild/include $$($(PKG_CONFIG) --cflags $(1) | sed 's/-I/-isystem /g') -o $@ $(filter %.c,$^) $(hosts_ldflags) $$($(PKG_CONFIG) --libs $(1))
endef

# What make build calls.
.PHONY: windows
windows:
	@if $(PKG_CONFIG) --exists $(window_needs) $(prompt_needs) 2>/dev/null && command -v $(CC) >/dev/null; then \
		$(MAKE) --no-print-directory $(BIN)/bailey-window $(if $(shell grep -ls '^int main' cmd/bailey-prompt/*.c),$(BIN)/bailey-prompt); \
	else \
		echo "make: no windows: install gcc, pkg-config and libwebkitgtk-6.0-dev (Debian: apt-get install gcc pkg-config libwebkitgtk-6.0-dev), then make build again; all else is built"; \
	fi

$(BIN)/bailey-window: $(call hosts_src,bailey-window) $(wildcard cmd/bailey-window/*.h) build/include/page.inc
	$(call hosts_link,$(window_needs))

$(BIN)/bailey-prompt: $(call hosts_src,bailey-prompt) $(wildcard cmd/bailey-prompt/*.h)
	$(call hosts_link,$(prompt_needs))

# The window that a test may drive. It is no part of an installation.
.PHONY: automation
automation: build/automation/bailey-window
build/automation/bailey-window: $(call hosts_src,bailey-window) $(wildcard cmd/bailey-window/*.h) build/include/page.inc
	$(call hosts_link,$(window_needs),-DAUTOMATION)

# The page's script as a string of C.
build/include/page.inc: cmd/bailey-window/page.js
	@mkdir -p $(dir $@)
	@{ echo 'static const char page_script[] ='; sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$$/\\n"/' $<; echo ';'; } >$@

# The floor of bench: a bare host in C.
.PHONY: webview-floor
webview-floor: build/bench/webview-floor
build/bench/webview-floor: bench/webview-floor/main.c
	$(call hosts_link,$(window_needs))
