// Counts time in a worker: browsers slow down the timers of a page in the background, and an alarm must not wait.
"use strict";
setInterval(() => postMessage(0), 1500);
