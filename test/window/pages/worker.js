postMessage('webkit' in self);
