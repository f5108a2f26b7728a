// Locks the page after 15 minutes without activity, and keeps what was typed on it.
//
// For the other scripts of these pages:
//   document.dispatchEvent(new Event("nurseline:locked")), or nurselineLock(): call it when a request of yours was
//     answered with 401, instead of reloading. The page covers itself, and asks the server what it is that ended.
//   document.documentElement.classList.contains("locked"): whether the page is covered.
//   "nurseline:unlocked" on document: it is open again; ask for news at once. Tokens of forms are up to date.
"use strict";
(() => {
  const LOOK_EVERY = 5000;
  const TELL_EVERY = 30000; // activity is told to the server at most this often
  const facts = document.currentScript.dataset;
  const root = document.documentElement;
  const idle = Number(facts.seconds) * 1000;
  const tabs = "BroadcastChannel" in window ? new BroadcastChannel("nurseline-lock") : null;
  const json = { Accept: "application/json" };
  let until = Date.now() + idle;
  let told = Date.now();
  let why = ""; // it is covered: "locked", "ended" or "other"
  let kept = null;
  let panel = null;

  const make = (name, properties, ...inside) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...inside);
    return element;
  };
  const token = () => document.querySelector('input[name="csrf_token"]')?.value ?? "";
  const tell = (news) => tabs?.postMessage({ person: facts.person, ...news });

  async function send(address, fields) {
    const body = new URLSearchParams({ csrf_token: token(), person: facts.person, ...fields });
    return fetch(address, { method: "POST", headers: json, body, redirect: "error" });
  }

  // What the server knows: whose session it is now, and how long it stays open.
  async function look() {
    let answer;
    try {
      answer = await fetch(facts.state, { headers: json, cache: "no-store" });
    } catch {
      answer = null;
    }
    if (answer?.status === 401) {
      cover("ended");
    } else if (answer?.ok) {
      const state = await answer.json();
      if (state.person !== facts.person) {
        cover("other");
      } else if (state.seconds <= 0) {
        cover("locked");
      } else {
        until = Date.now() + state.seconds * 1000;
        open(state.token);
      }
    } else if (Date.now() >= until) {
      cover("locked"); // the server cannot be asked: better covered
    }
  }

  function cover(reason) {
    if (why === reason) {
      return;
    }
    if (!why) {
      kept = { focus: document.activeElement, x: window.scrollX, y: window.scrollY, title: document.title };
      document.title = "Locked";
      root.classList.add("locked");
    }
    why = reason;
    panel?.remove();
    panel = reason === "locked" ? asking() : telling(reason);
    document.body.append(panel);
    panel.querySelector("input, a, button").focus();
    if (reason === "locked") {
      tell({ locked: true });
    }
  }

  function open(fresh) {
    for (const field of document.querySelectorAll('input[name="csrf_token"]')) {
      field.value = fresh;
    }
    if (!why) {
      return;
    }
    why = "";
    panel.remove();
    panel = null;
    root.classList.remove("locked");
    document.title = kept.title;
    window.scrollTo(kept.x, kept.y);
    kept.focus?.focus?.({ preventScroll: true });
    tell({ open: true });
    document.dispatchEvent(new Event("nurseline:unlocked"));
  }

  function framed(...inside) {
    const box = make("section", { className: "narrow panel" }, ...inside);
    const whole = make("div", { id: "lock" }, box);
    whole.setAttribute("role", "dialog");
    whole.setAttribute("aria-modal", "true");
    whole.setAttribute("aria-labelledby", "lock-head");
    whole.addEventListener("keydown", (event) => event.stopPropagation()); // no shortcut of the page acts here
    return whole;
  }

  function asking() {
    const problem = make("p", { className: "errors", id: "lock-problem" });
    problem.setAttribute("role", "alert");
    const field = make("input", { type: "password", id: "lock-password", autocomplete: "current-password", required: true });
    field.setAttribute("aria-describedby", "lock-problem");
    const label = make("label", { htmlFor: "lock-password", textContent: "Your password" });
    const button = make("button", { className: "button", textContent: "Unlock" });
    const form = make("form", {}, make("div", { className: "field" }, label, field, problem), make("div", { className: "buttons" }, button));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      button.disabled = true;
      problem.textContent = await unlock(field.value);
      button.disabled = false;
      if (problem.textContent) {
        field.value = "";
        field.focus();
      }
    });
    const name = make("bdi", { textContent: facts.name });
    const text = make("p", {}, name, ", your password opens this page again. What you typed is still there.");
    return framed(make("h1", { id: "lock-head", textContent: "Locked" }), text, form);
  }

  async function unlock(password) {
    try {
      const answer = await send(facts.unlock, { password });
      if (answer.ok) {
        await look();
        return "";
      }
      if (answer.status === 401 || answer.status === 409 || answer.status === 410) {
        await look();
        return "";
      }
      if (answer.status === 400) { // the token is of another sign-in
        await look();
        return why === "locked" ? "Try again." : "";
      }
      return (await answer.json()).problem;
    } catch {
      return "The line cannot be reached. Try again in a moment.";
    }
  }

  function telling(reason) {
    const said = reason === "other"
      ? "Somebody else has signed in on this computer. This page stays covered until you sign in again."
      : "Your sign-in has ended.";
    const link = make("a", { className: "button", href: facts.signIn, target: "_blank", rel: "noopener", textContent: "Sign in on another page" });
    const again = make("button", { className: "button plain", type: "button", textContent: "I have signed in" });
    again.addEventListener("click", look);
    const text = make("p", { textContent: `${said} What was typed here is kept while this page is open.` });
    return framed(make("h1", { id: "lock-head", textContent: "Signed out" }), text, make("div", { className: "buttons" }, link, again));
  }

  // Typing a long note is activity, although nothing is sent.
  async function active(event) {
    const now = Date.now();
    if (!event.isTrusted || why) {
      return;
    }
    if (now >= until) {
      look();
    } else if (now - told >= TELL_EVERY) {
      told = now;
      try {
        const answer = await send(facts.active, {});
        if (answer.ok) {
          until = now + idle;
          tell({ until });
        } else {
          look();
        }
      } catch {
        // the next time
      }
    }
  }

  function heard({ data }) {
    if (data.person !== facts.person || data.locked || data.open) {
      look();
    } else if (data.until > until) {
      until = data.until;
    }
  }

  function hold(event) {
    if (why && !panel.contains(event.target)) {
      event.stopImmediatePropagation(); // shortcuts of the covered page
    }
  }

  window.nurselineLock = () => {
    cover("locked");
    look();
  };
  document.addEventListener("nurseline:locked", window.nurselineLock);
  document.addEventListener("nurseline:looked", ({ detail }) => {
    if (detail.over ? !why : why === "ended") {
      look(); // watch.js was refused, or is let in again
    }
  });
  window.addEventListener("keydown", hold, true);
  for (const name of ["keydown", "pointerdown", "input"]) {
    document.addEventListener(name, active, { passive: true });
  }
  window.addEventListener("pageshow", (event) => event.persisted && look());
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && (why || Date.now() >= until)) {
      look();
    }
  });
  window.addEventListener("focus", () => why && look());
  if (tabs) {
    tabs.onmessage = heard;
  }
  setInterval(() => !why && Date.now() >= until && look(), LOOK_EVERY);
  tell({ open: true });
})();
