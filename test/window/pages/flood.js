// A page that calls as fast as it can, with large messages too.
"use strict";
(async () => {
	await say("began");
	let refused = 0, answered = 0;
	const all = [];
	const big = "y".repeat(1 << 20);
	for (let i = 0; i < 20000; i++) all.push(out(i % 200 === 0 ? big : "flood:" + i).then(() => answered++, () => refused++));
	await Promise.all(all);
	await say("flooded " + answered + " " + refused);
	await say("done");
})();
