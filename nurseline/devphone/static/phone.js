// The page: whose handset it is, which screen is open, and what changed since the last look.

import { ask, element, remove, stay } from "/static/api.js";
import { dial, forgetCall, setUp, showCall } from "/static/call.js";
import { clearThread, showMessages } from "/static/thread.js";

const byId = (id) => document.getElementById(id);
const EVERY = 700;

let number = "";
let turn = 0;
let since = 0;
let entriesSince = 0;
let busy = false;
let loaded = false;
let unread = 0;

function open(screen) {
  for (const name of ["texts", "keypad"]) {
    byId(name).hidden = name !== screen;
    byId(`show-${name}`).setAttribute("aria-pressed", String(name === screen));
  }
  if (screen === "texts") showUnread(0);
  for (const list of ["thread", "heard"]) byId(list).scrollTop = byId(list).scrollHeight;
}

function showUnread(count) {
  if (count === unread) return;
  unread = count;
  byId("unread").hidden = !count;
  byId("unread").textContent = count ? `${count} new` : "";
  byId("news").textContent = count ? `${count} new ${count === 1 ? "text" : "texts"}` : "";
}

async function look() {
  if (busy || !number) return;
  busy = true;
  const mine = turn;
  try {
    const news = await ask(`/handsets/${encodeURIComponent(number)}/poll?since=${since}&entries=${entriesSince}`);
    byId("offline").hidden = true;
    if (mine !== turn) return;
    since = news.rev;
    entriesSince = news.latest;
    byId("blocked").hidden = !news.blocked;
    showUnread(unread + showMessages(news.messages, !loaded || !byId("texts").hidden));
    loaded = true;
    showCall(news.call);
    showEntries(news.entries);
  } catch (error) {
    byId("offline").hidden = !(error instanceof TypeError);
    if (!(error instanceof TypeError)) byId("number-error").textContent = error.message;
  } finally {
    busy = false;
  }
}

function showEntries(entries) {
  if (!entries.length) return;
  byId("no-entries").hidden = true;
  stay(byId("entries"), () => {
    for (const entry of entries) {
      const line = element("li");
      line.append(element("span", "code", `${entry.code} `), `${entry.message}. ${entry.detail}`);
      const time = new Date(entry.at).toLocaleTimeString();
      line.append(element("div", "detail", [time, entry.url].filter(Boolean).join(" · ")));
      byId("entries").append(line);
    }
  });
}

// Until it is known whose handset this is, nothing can be sent or dialled.
async function use(wanted) {
  byId("number-error").textContent = "";
  byId("dial").disabled = byId("send").disabled = true;
  try {
    await ask(`/handsets/${encodeURIComponent(wanted || "-")}/messages?since=0`);
  } catch (error) {
    byId("number-error").textContent = error.message;
    return;
  }
  turn += 1;
  since = 0;
  loaded = false;
  showUnread(0);
  number = wanted;
  localStorage.setItem("number", number);
  clearThread();
  forgetCall();
  byId("dial").disabled = byId("send").disabled = false;
  await look();
  await know();
}

async function know() {
  const { handsets } = await ask("/handsets");
  byId("known-numbers").replaceChildren(...handsets.map(({ number: known }) => {
    const option = element("option");
    option.value = known;
    return option;
  }));
}

function asBase64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).split(",")[1]);
    reader.onerror = () => reject(new Error("The picture could not be read."));
    reader.readAsDataURL(file);
  });
}

function showAttached() {
  const file = byId("picture").files[0];
  byId("attached").hidden = !file;
  byId("attached").textContent = file ? `With a picture: ${file.name}` : "";
}

async function send() {
  const body = byId("message").value;
  const file = byId("picture").files[0];
  byId("send-error").textContent = "";
  if (byId("send").disabled || (!body.trim() && !file)) return;
  byId("send").disabled = true;
  try {
    const media = file ? [{ content_type: file.type || "image/png", data: await asBase64(file) }] : [];
    await ask("/messages", { from: number, body, media, wait: false });
    byId("compose").reset();
    fit();
    showAttached();
    byId("thread").scrollTop = byId("thread").scrollHeight;
    await look();
  } catch (error) {
    byId("send-error").textContent = error.message;
  } finally {
    byId("send").disabled = false;
    byId("message").focus();
  }
}

function fit() {
  const box = byId("message");
  box.style.height = "auto";
  box.style.height = `${Math.min(144, box.scrollHeight + 2)}px`;
}

byId("show-texts").addEventListener("click", () => open("texts"));
byId("show-keypad").addEventListener("click", () => open("keypad"));
byId("back").addEventListener("click", () => {
  open("texts");
  byId("message").focus();
});
byId("dial").addEventListener("click", () => dial(number));
byId("number").addEventListener("change", (event) => use(event.target.value.trim()));
byId("picture").addEventListener("change", showAttached);
byId("message").addEventListener("input", fit);
byId("message").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    send();
  }
});
byId("compose").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
byId("clear").addEventListener("click", async () => {
  await remove("/debugger");
  byId("entries").replaceChildren();
  byId("no-entries").hidden = false;
});

setUp(() => open("keypad"));
byId("number").value = localStorage.getItem("number") || document.body.dataset.handset;
use(byId("number").value);
setInterval(look, EVERY);
