// Follows the call while it lasts: asks every second or two, and shows what has changed.
"use strict";
(() => {
  const EVERY = 1500;
  const panel = document.getElementById("call");
  const outcome = document.getElementById("outcome");
  if (!panel) {
    return;
  }
  let etag = `"${panel.dataset.etag}"`;

  const now = () => panel.querySelector("#call-now");
  const lasts = () => now()?.dataset.lasts === "1";

  // The call is over: the rest of the page as it is now, but never what somebody has typed.
  async function ended() {
    if (outcome && !outcome.value) {
      outcome.value = now().dataset.suggested;
    }
    const answer = await fetch(location.href, { cache: "no-store" });
    if (!answer.ok || answer.redirected) {
      return;
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-follows]")) {
      part.replaceWith(page.querySelector(`[data-follows="${part.dataset.follows}"]`) ?? "");
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
      ended().catch(() => {}); // it was only the rest of the page
    }
  }

  if (lasts()) {
    setTimeout(refresh, EVERY);
  }
})();
