// The call screen: what is heard, and what the caller does.

import { ask, element, stay } from "/static/api.js";
import { hush, setAloud, speak } from "/static/speech.js";

const byId = (id) => document.getElementById(id);
const KEYS = [["1", ""], ["2", "ABC"], ["3", "DEF"], ["4", "GHI"], ["5", "JKL"], ["6", "MNO"],
  ["7", "PQRS"], ["8", "TUV"], ["9", "WXYZ"], ["*", ""], ["0", "+"], ["#", ""]];
const STATES = {
  ringing: "Ringing…", connecting: "Connecting…", speaking: "The line is speaking.", pausing: "A pause.",
  listening: "The line is listening.", recording: "The line is recording.", dialling: "Ringing someone…",
  bridged: "Connected.", ended: "The call has ended.",
};

let call = null;
let seen = 0;
let fresh = true;
let opened = () => {};

export const inCall = () => call !== null && !call.ended;

export function setUp(open) {
  opened = open;
  for (const [digit, letters] of KEYS) {
    const key = element("button", "", digit);
    key.type = "button";
    key.setAttribute("aria-label", digit);
    const small = element("small", "", letters);
    small.setAttribute("aria-hidden", "true");
    key.append(small);
    key.addEventListener("click", () => press(digit));
    byId("keys").append(key);
  }
  byId("hangup").addEventListener("click", () => act("hangup"));
  byId("answer").addEventListener("click", () => act("answer"));
  byId("decline").addEventListener("click", () => act("decline"));
  byId("machine").addEventListener("click", () => act("answer", { by: "machine" }));
  byId("skip").addEventListener("click", () => { hush(); act("skip"); });
  byId("talk").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = byId("say").value.trim();
    if (!text || !inCall()) return;
    byId("say").value = "";
    hush();
    act("speak", { text });
  });
  byId("aloud").checked = localStorage.getItem("aloud") !== "no";
  setAloud(byId("aloud").checked);
  byId("aloud").addEventListener("change", (event) => {
    localStorage.setItem("aloud", event.target.checked ? "yes" : "no");
    setAloud(event.target.checked);
  });
  document.addEventListener("keydown", (event) => {
    const typing = ["INPUT", "TEXTAREA"].includes(event.target.tagName);
    if (!typing && !event.ctrlKey && !event.metaKey && !event.altKey && inCall() && /^[0-9*#]$/.test(event.key)) {
      press(event.key);
    }
  });
}

export function forgetCall() {
  hush();
  [call, seen, fresh] = [null, 0, true];
  showCall(null);
}

export async function dial(number) {
  fresh = false;
  byId("call-error").textContent = "";
  byId("call-state").textContent = STATES.connecting;
  opened();
  try {
    showCall(await ask("/calls", { from: number, pace: "real", hidden: byId("hide").checked }));
  } catch (error) {
    byId("call-error").textContent = error.message;
  }
}

function press(digit) {
  if (!inCall()) return;
  hush();
  act("press", { digits: digit });
}

async function act(what, body = {}) {
  if (!call) return;
  byId("call-error").textContent = "";
  if (what === "hangup" || what === "decline") hush();
  try {
    showCall(await ask(`/calls/${call.sid}/${what}`, body));
  } catch (error) {
    byId("call-error").textContent = error.message;
  }
}

export function showCall(next) {
  const first = fresh;
  const wasInCall = inCall();
  fresh = false;
  if (next && call?.sid === next.sid && next.lines.length < seen) return;  // an older answer overtaken by a newer one
  if (next?.sid !== call?.sid) {
    if (inCall() && next?.ended) return;
    seen = 0;
    byId("heard").replaceChildren();
    if (next && !next.ended && !first) opened();
  }
  call = next;
  const rings = Boolean(next && !next.ended && next.phase === "ringing" && next.direction !== "inbound");
  byId("ringing").hidden = !rings;
  byId("dial").hidden = inCall();
  byId("hangup").hidden = !inCall() || rings;
  byId("back").hidden = !next?.ended;
  // The button that ended the call has gone; who works by keyboard goes on here.
  if (wasInCall && next?.ended && document.activeElement === document.body) byId("back").focus();
  for (const button of byId("keys").children) button.disabled = !inCall() || rings;
  byId("say-it").disabled = byId("skip").disabled = !inCall() || rings;
  byId("hiding").hidden = inCall();
  byId("skip").hidden = !inCall();
  byId("call-state").textContent = rings ? "The line is calling you." : STATES[next?.phase] || "Not in a call.";
  byId("call-time").textContent = next ? clock(next.ended ? next.duration : next.seconds) : "";
  if (next) showLines(next, first);
  if (rings) opened();
}

function showLines(next, silent) {
  const lines = next.lines.slice(seen);
  if (!lines.length) return;
  seen = next.lines.length;
  stay(byId("heard"), () => lines.forEach((line) => byId("heard").append(drawLine(line))));
  if (!silent && !next.ended) {
    for (const line of lines) if (line.kind === "say") speak(line.text, line.language);
  }
}

function drawLine(line) {
  const looks = { say: "", keys: "keys-pressed", speech: "spoken", error: "bad" };
  const prefix = { play: "Plays ", tones: "Tones ", keys: "Key " }[line.kind] || "";
  const drawn = element("li", looks[line.kind] ?? "aside", prefix + line.text);
  drawn.dataset.kind = line.kind;
  if (line.language) drawn.lang = line.language;
  return drawn;
}

function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
