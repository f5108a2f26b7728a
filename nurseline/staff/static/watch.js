// Watches the queue from every page: a bar, a mark in the title and a sound while nobody has taken an emergency.
// Others hear of each look as "nurseline:looked" with the mark of the queue and the number of failures in a row.
"use strict";
(() => {
  const { source, sound, tick } = document.currentScript.dataset;
  const EVERY = 1500;
  const RINGS_EVERY = 6000;
  const PATIENCE = 10000;
  const WANTED = "nurseline.sound";
  const RANG = "nurseline.rang"; // of several pages on one computer, one rings
  const title = document.title;
  const bar = document.getElementById("alarm");
  const audio = new Audio(sound);
  const buttons = document.querySelectorAll("[data-sound]");
  let etag = "";
  let mark = "";
  let alarms = 0;
  let failures = 0;
  let asking = false;
  let allowed = false;

  const kept = (name) => {
    try {
      return localStorage.getItem(name);
    } catch {
      return null; // storage may be turned off
    }
  };
  const keep = (name, value) => {
    try {
      localStorage.setItem(name, value);
    } catch {
      // then it is only not remembered
    }
  };
  const wanted = () => kept(WANTED) !== "off";

  function show() {
    if (!document.documentElement.classList.contains("locked")) { // a covered page does not tell what it is
      document.title = alarms ? `(${alarms}!) ${title}` : title;
    }
    if (bar) {
      const words = alarms === 1 ? "An emergency waits, and nobody has taken it." : `${alarms} emergencies wait, and nobody has taken them.`;
      const said = bar.querySelector("[data-alarms]");
      if (alarms && said.textContent !== words) {
        said.textContent = words;
      }
      bar.hidden = !alarms;
    }
    for (const button of buttons) {
      const on = wanted() && allowed;
      button.hidden = bar?.contains(button) && (on || buttons.length > 1); // the queue has one of its own
      button.textContent = on ? "Sound is on: turn off" : "Sound is off: turn on";
    }
  }

  // Browsers play no sound on a page that nobody has touched yet.
  async function mayPlay() {
    if (allowed) {
      return;
    }
    try {
      audio.volume = 0;
      await audio.play();
      audio.pause();
      allowed = navigator.getAutoplayPolicy?.("mediaelement") !== "disallowed";
    } catch {
      allowed = false;
    }
    show();
  }

  async function play() {
    try {
      audio.volume = 1;
      audio.currentTime = 0;
      await audio.play();
      allowed = true;
    } catch {
      allowed = false;
    }
    show();
  }

  function ring() {
    const since = Date.now() - Number(kept(RANG) ?? 0);
    if (!alarms || !wanted() || !allowed || (since >= 0 && since < RINGS_EVERY)) {
      return;
    }
    keep(RANG, String(Date.now()));
    play();
  }

  async function look() {
    if (asking) {
      return;
    }
    asking = true;
    let over = false;
    try {
      const headers = etag ? { "If-None-Match": etag } : {};
      const answer = await fetch(source, { headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
      if (answer.ok) {
        ({ mark, alarms } = await answer.json());
        etag = answer.headers.get("ETag") ?? "";
      } else if (answer.status === 401) {
        over = true; // signed out or locked, perhaps not for long
        alarms = 0;
        etag = "";
      } else if (answer.status !== 304) {
        throw new Error(String(answer.status));
      }
      failures = 0;
    } catch {
      failures += 1;
    }
    asking = false;
    show();
    ring();
    document.dispatchEvent(new CustomEvent("nurseline:looked", { detail: { mark, failures, over } }));
  }

  for (const button of buttons) {
    button.addEventListener("click", () => {
      const on = wanted() && allowed;
      keep(WANTED, on ? "off" : "on");
      if (on) {
        audio.pause();
        show();
      } else {
        play(); // so that everybody hears how it sounds
      }
    });
  }
  for (const touched of ["pointerup", "keyup"]) {
    document.addEventListener(touched, () => wanted() && mayPlay(), { passive: true });
  }
  try {
    new Worker(tick).onmessage = look;
  } catch {
    setInterval(look, EVERY);
  }
  mayPlay();
  look();
})();
