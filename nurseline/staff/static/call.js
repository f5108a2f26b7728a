// Follows the call while it lasts: asks every second or two, and shows what has changed.
"use strict";
(() => {
  const EVERY = 1500;
  const panel = document.getElementById("call");
  const outcome = document.getElementById("outcome");
  const note = document.getElementById("note");
  if (!panel) {
    return;
  }
  let etag = `"${panel.dataset.etag}"`;

  const now = () => panel.querySelector("#call-now");
  const lasts = () => now()?.dataset.lasts === "1";

  function ended() {
    if (!note?.value && !outcome?.value) {
      location.reload(); // nothing was typed: the whole page as it is now
      return;
    }
    if (outcome && !outcome.value) {
      outcome.value = now().dataset.suggested;
    }
  }

  async function refresh() {
    try {
      const answer = await fetch(panel.dataset.source, { headers: { "If-None-Match": etag }, cache: "no-store" });
      if (answer.status === 401) {
        return; // signed out: what was typed stays, and sending it says so
      }
      if (answer.ok) {
        panel.innerHTML = await answer.text();
        etag = answer.headers.get("ETag") ?? "";
      }
    } catch {
      // the next time
    }
    if (lasts()) {
      setTimeout(refresh, EVERY);
    } else {
      ended();
    }
  }

  if (lasts()) {
    setTimeout(refresh, EVERY);
  }
})();
