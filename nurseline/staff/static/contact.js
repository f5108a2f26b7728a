// The patient page: counts a text while it is written, fills in ready replies, and keeps the timeline up to date.
"use strict";
(() => {
  const EVERY = 2000;
  const timeline = document.getElementById("timeline");
  const form = document.getElementById("text-form");

  if (form) {
    const given = form.dataset;
    const alphabet = new Set(JSON.parse(given.alphabet));
    const extension = new Set(JSON.parse(given.extension));
    const words = form.elements.words;
    const ready = form.elements.ready;
    const emergency = form.elements.emergency;
    const exact = document.getElementById("text-exact");
    const preview = document.getElementById("text-preview");
    const count = document.getElementById("text-count");
    const first = count.textContent;
    let filled = "";

    const chosen = () => ready.selectedOptions[0]?.dataset.text ?? "";

    // The same as the server does (nurseline/staff/texting.py, nurseline/content/segments.py).
    function body() {
      const typed = words.value.trim() || chosen().trim();
      if (!typed) return "";
      const unchanged = chosen() !== "" && typed === chosen().trim();
      const warn = (given.mustWarn || emergency.checked || unchanged) && !typed.includes("911");
      const opening = typed.includes(given.clinic) ? "" : `${given.opening} `;
      return `${opening}${typed}${warn ? ` ${given.ending}` : ""}`;
    }

    function partsOf(sizes, single, each) {
      if (sizes.reduce((sum, size) => sum + size, 0) <= single) return 1;
      let parts = 1;
      let used = 0;
      for (const size of sizes) {
        if (used + size > each) {
          parts += 1;
          used = 0;
        }
        used += size;
      }
      return parts;
    }

    function measure(text) {
      const letters = [...text];
      const unusual = [...new Set(letters.filter((one) => !alphabet.has(one) && !extension.has(one)))];
      const plain = unusual.length === 0;
      const sizes = letters.map((one) => ((plain ? extension.has(one) : one.codePointAt(0) > 0xffff) ? 2 : 1));
      const length = sizes.reduce((sum, size) => sum + size, 0);
      return { unusual, length, parts: plain ? partsOf(sizes, 160, 153) : partsOf(sizes, 70, 67) };
    }

    function cost(parts) {
      const dollars = parts * Number(given.price);
      return `$${dollars.toFixed(dollars >= 0.1 || dollars === 0 ? 2 : 3)}`;
    }

    function update() {
      const text = body();
      exact.hidden = text === "";
      preview.textContent = text;
      if (text === "") {
        count.textContent = first;
        return;
      }
      const { unusual, length, parts } = measure(text);
      const long = parts > Number(given.most) ? ` That is too long: ${given.most} parts go in one text.` : "";
      const odd = unusual.length ? ` These letters make it longer: ${unusual.join(" ")}` : "";
      count.textContent = `${length} letters, ${parts} part${parts === 1 ? "" : "s"}, about ${cost(parts)}.${long}${odd}`;
    }

    ready.addEventListener("change", () => {
      if (words.value.trim() === "" || words.value === filled) {
        filled = chosen(); // words that somebody typed are never overwritten
        words.value = filled;
      }
      update();
    });
    words.addEventListener("input", update);
    emergency.addEventListener("change", update);
    document.getElementById("text-look").hidden = true; // the words are shown as they are typed
    update();
  }

  if (!timeline.dataset.source) return;
  const stale = document.getElementById("timeline-stale");
  const held = document.getElementById("timeline-held");
  const grave = document.getElementById("grave");
  const news = document.getElementById("text-news");
  let etag = `"${timeline.dataset.etag}"`;
  let failures = 0;

  function inUse() {
    const active = document.activeElement;
    return timeline.contains(active) && active.matches("input, button, select, textarea");
  }

  function replace(html) {
    const page = new DOMParser().parseFromString(html, "text/html");
    const fresh = page.getElementById("timeline");
    const open = [...timeline.querySelectorAll("details[open][id]")].map((one) => one.id);
    const focused = timeline.contains(document.activeElement) ? document.activeElement.closest("[id]")?.id : "";
    timeline.replaceChildren(...fresh.childNodes);
    for (const id of open) {
      const again = document.getElementById(id);
      if (again) again.open = true;
    }
    if (focused) (document.getElementById(focused)?.querySelector("summary") ?? null)?.focus({ preventScroll: true });
    const warnings = page.getElementById("grave");
    if (warnings.textContent !== grave.textContent) grave.replaceChildren(...warnings.childNodes);
    if (form && form.elements.seen.value !== fresh.dataset.seen) {
      form.elements.seen.value = fresh.dataset.seen;
      news.textContent = "Something new was written.";
    }
  }

  let next = 0;

  async function refresh() {
    if (document.documentElement.classList.contains("locked")) {
      return; // nothing can be seen; it goes on when the page is opened again
    }
    try {
      const answer = await fetch(timeline.dataset.source, { headers: { "If-None-Match": etag }, cache: "no-store" });
      if (answer.status === 401) {
        document.dispatchEvent(new Event("nurseline:locked")); // lock.js covers the page and keeps what was typed
        return;
      }
      if (answer.ok && inUse()) {
        held.hidden = false;
      } else if (answer.ok) {
        held.hidden = true;
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
    soon();
  }

  const soon = () => {
    clearTimeout(next);
    next = setTimeout(refresh, EVERY);
  };
  document.addEventListener("nurseline:unlocked", soon);
  soon();
})();
