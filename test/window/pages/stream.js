// R35: a page that reads a stream, and keeps nothing of it, or all (KEEP).
"use strict";
(async () => {
	const kept = [];
	const reader = (await fetch("/stream")).body.getReader();
	let n = 0, told = 0, owed = 0;
	for (;;) {
		const { done, value } = await reader.read();
		if (done) break;
		n += value.length;
		// As the SDK does: a piece is said to be taken in before more of it comes.
		owed += value.length;
		if (owed >= 64 << 10) { out("ack:" + owed); owed = 0; }
		if (KEEP) kept.push(value);
		if (told === 0 && n >= 20 << 20) { told = n; await say("read-20"); }
	}
	await say("done " + n + " " + kept.length);
})();
