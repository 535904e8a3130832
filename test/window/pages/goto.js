// R4, the control's way: the next page has the handler as well.
"use strict";
say("began").then(() => { location.href = "data:text/html,<script>webkit.messageHandlers.bailey.postMessage('attack:data-page')</" + "script>"; });
