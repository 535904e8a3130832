// What a script without care looks like: for control runs.
window.bailey = { post: s => window.webkit.messageHandlers.bailey.postMessage("0123456789abcdef0123456789abcdef".concat(s)).then(r => r) };
