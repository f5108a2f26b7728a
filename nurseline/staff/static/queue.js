// Keeps the queue up to date: asks every few seconds, replaces the list when it has changed.
"use strict";
(() => {
  const EVERY = 5000;
  const list = document.getElementById("queue");
  const stale = document.getElementById("queue-stale");
  const news = document.getElementById("queue-news");
  let etag = `"${list.dataset.etag}"`;
  let failures = 0;

  const total = () => Number(list.querySelector("[data-total]")?.dataset.total ?? 0);

  function replace(html) {
    const before = total();
    const focused = list.contains(document.activeElement) ? document.activeElement.id : "";
    const rowTop = focused ? document.activeElement.getBoundingClientRect().top : 0;
    list.innerHTML = html;
    const again = focused && document.getElementById(focused);
    if (again) {
      again.focus({ preventScroll: true });
      window.scrollBy(0, again.getBoundingClientRect().top - rowTop); // what is being aimed at stays in place
    }
    const now = total();
    if (now > before) {
      news.textContent = `${now - before} new in the queue, ${now} open.`;
    }
  }

  async function refresh() {
    try {
      const answer = await fetch(list.dataset.source, { headers: { "If-None-Match": etag }, cache: "no-store" });
      if (answer.status === 401) {
        location.reload(); // signed out: the server shows why
        return;
      }
      if (answer.ok) {
        replace(await answer.text());
        etag = answer.headers.get("ETag") ?? "";
      } else if (answer.status !== 304) {
        throw new Error(String(answer.status));
      }
      failures = 0;
    } catch {
      failures += 1;
    }
    stale.hidden = failures < 2;
    setTimeout(refresh, EVERY);
  }

  setTimeout(refresh, EVERY);
})();
