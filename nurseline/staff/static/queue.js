// Keeps the list up to date: fetches it again when watch.js has seen that the queue has changed.
"use strict";
(() => {
  const list = document.getElementById("queue");
  const stale = document.getElementById("queue-stale");
  const news = document.getElementById("queue-news");
  let shown = list.dataset.mark;
  let fetching = false;
  let failures = 0;

  const total = () => Number(list.querySelector("[data-total]")?.dataset.total ?? 0);
  const rows = () => [...list.querySelectorAll("tbody tr")];

  // What had the focus, or stands in its place: the same row, else the one that moved up to where it was.
  function focusAgain(id, place) {
    const again = id && document.getElementById(id);
    if (again) {
      return again;
    }
    const row = place < 0 ? undefined : document.getElementById(id.replace(/^claim-/, "open-")) ?? rows()[Math.min(place, rows().length - 1)];
    return row?.querySelector(".words a") ?? row;
  }

  function replace(html) {
    const before = total();
    const focused = list.contains(document.activeElement) ? document.activeElement : null;
    const place = focused ? rows().indexOf(focused.closest("tr")) : -1;
    const top = focused?.getBoundingClientRect().top ?? 0;
    list.innerHTML = html;
    const again = focused && focusAgain(focused.id, place);
    if (again) {
      again.focus({ preventScroll: true });
      window.scrollBy(0, again.getBoundingClientRect().top - top); // what is being aimed at stays in place
    }
    const now = total();
    if (now > before) {
      news.textContent = `${now - before} new in the queue, ${now} open.`;
    }
  }

  async function refresh() {
    const answer = await fetch(list.dataset.source, { cache: "no-store" });
    if (!answer.ok) {
      throw new Error(String(answer.status));
    }
    replace(await answer.text());
    shown = (answer.headers.get("ETag") ?? "").replace(/^(W\/)?"|"$/g, "");
  }

  document.addEventListener("nurseline:unlocked", () => refresh().catch(() => {})); // the next look tries again

  document.addEventListener("nurseline:looked", async ({ detail }) => {
    if (detail.over) {
      return; // lock.js covers the page
    }
    if (fetching) {
      return;
    }
    fetching = true;
    try {
      if (!shown.startsWith(detail.mark)) {
        await refresh();
      }
      failures = 0;
    } catch {
      failures += 1;
    }
    fetching = false;
    stale.hidden = Math.max(failures, detail.failures) < 2;
  });
})();
