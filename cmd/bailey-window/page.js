// The page's one way out. It runs in the top frame alone, before any script of
// the page, and takes what it needs while it is as the engine made it. The
// secret, which the host makes anew for each document, stands in front of every
// message: whoever calls the handler without it (a frame, or the page by itself)
// is refused. Nothing that a page can reach leads to it: no function that is
// handed out holds it in its text, and only primitive strings are joined.
(function (secret, longest) {
	"use strict";
	const handler = window.webkit.messageHandlers.bailey;
	const send = handler.postMessage.bind(handler);
	const refuse = Promise.reject.bind(Promise);
	const WrongType = TypeError;
	const TooLong = RangeError;
	// What is no character at all would be lost on the way without a word.
	const whole = Function.prototype.call.bind(String.prototype.isWellFormed);
	const frame = window.requestAnimationFrame.bind(window);

	function post(message) {
		if (typeof message !== "string" || !whole(message))
			return refuse(new WrongType("a message is a string of bytes"));
		if (message.length > longest)
			return refuse(new TooLong("a message is at most " + longest + " bytes"));
		return send(secret + message);
	}
	Object.freeze(post);
	Object.defineProperty(window, "bailey", {
		value: Object.freeze({ __proto__: null, post: post }),
		enumerable: true,
	});

	// The second callback runs when the first frame has been handed on. The
	// secret alone says so to the host; an empty message is no call.
	frame(function () {
		frame(function () {
			send(secret);
		});
	});
})("@SECRET@", 1048576);
