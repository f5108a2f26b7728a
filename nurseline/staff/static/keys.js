// Single keys for who works without a mouse. Off while somebody types, and off altogether for who wants that
// (WCAG 2.1.4). An element with data-key is what its key presses, or the field that it leads to.
"use strict";
(() => {
  const OFF = "nurseline.keys";
  const help = document.getElementById("keys");
  const choice = document.getElementById("keys-on");
  const opener = document.querySelector('[data-key="?"]');
  let on = true;
  try {
    on = localStorage.getItem(OFF) !== "off";
  } catch {
    // storage may be turned off
  }

  const links = () => [...document.querySelectorAll("#queue tbody .words a")];
  const current = () => links().findIndex((link) => link.closest("tr").contains(document.activeElement));

  function move(by) {
    const all = links();
    const now = current();
    const to = now < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(now + by, 0), all.length - 1);
    all[to]?.focus();
  }

  function press(key) {
    const row = links()[current()]?.closest("tr");
    const target = (key === "c" && row?.querySelector(".act button")) || document.querySelector(`[data-key="${key}"]`);
    if (!target) {
      return;
    }
    if (target.matches("input, select, textarea")) {
      target.focus();
    } else {
      target.click();
    }
  }

  const typing = (target) => target instanceof Element && target.closest("input:not([type=checkbox], [type=radio]), select, textarea, [contenteditable], dialog[open], audio");

  document.addEventListener("keydown", (event) => {
    if (!on || event.ctrlKey || event.altKey || event.metaKey || event.isComposing || event.defaultPrevented || typing(event.target) || help.open) {
      return;
    }
    if (event.key === "j" || event.key === "k") {
      move(event.key === "j" ? 1 : -1);
    } else if ("ncoq?".includes(event.key) && !event.repeat) {
      press(event.key);
    } else {
      return;
    }
    event.preventDefault();
  });

  opener.hidden = false;
  opener.addEventListener("click", () => help.showModal());
  choice.checked = on;
  choice.addEventListener("change", () => {
    on = choice.checked;
    try {
      localStorage.setItem(OFF, on ? "on" : "off");
    } catch {
      // then it holds for this page
    }
  });

  // Pressed twice, a button does its work once.
  document.addEventListener("submit", (event) => {
    if (event.target.method === "dialog" || event.defaultPrevented) {
      return;
    }
    if (event.target.dataset.sent) {
      event.preventDefault();
    }
    event.target.dataset.sent = "1";
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.forms) {
      delete form.dataset.sent;
    }
  });
})();
