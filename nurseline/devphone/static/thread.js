// The message thread of the handset.

import { element, stay } from "/static/api.js";

const list = document.getElementById("thread");
const shown = new Map();
const known = new Set();

const STATES = {
  received: "delivered", accepted: "accepted", scheduled: "scheduled", queued: "queued",
  sending: "sending", sent: "sent", delivered: "delivered", undelivered: "not delivered", failed: "failed",
  canceled: "canceled",
};

export function clearThread() {
  shown.clear();
  known.clear();
  list.replaceChildren(element("li", "empty", "No messages yet. Say hello."));
}

export function showMessages(messages, seen) {
  // Returns how many texts of the line reached the handset that nobody has seen; `seen` says that all of these are.
  if (!messages.length) return 0;
  stay(list, () => {
    list.querySelector(".empty")?.remove();
    for (const message of messages) showMessage(message);
  });
  const came = messages.filter(({ sid, direction, status }) => (
    direction !== "inbound" && !known.has(sid) && (seen || status === "delivered")
  ));
  for (const { sid } of came) known.add(sid);
  return seen ? 0 : came.length;
}

function showMessage(message) {
  const bubble = draw(message);
  const before = shown.get(message.sid);
  if (before) before.replaceWith(bubble);
  else list.append(bubble);
  shown.set(message.sid, bubble);
}

function draw(message) {
  const mine = message.direction === "inbound";
  const lost = ["failed", "undelivered", "canceled"].includes(message.status);
  const bubble = element("li", `bubble${mine ? " mine" : ""}${lost ? " lost" : ""}`);
  bubble.dataset.sid = message.sid;
  bubble.dataset.status = message.status;
  for (const media of message.media) bubble.append(picture(media));
  if (message.body || !message.media.length) {
    bubble.append(element("p", message.body ? "words" : "words none", message.body || "(empty)"));
  }
  bubble.append(element("p", "meta", meta(message)));
  return bubble;
}

function picture(media) {
  if (!media.content_type?.startsWith("image/")) {
    return element("p", "words none", `Attachment: ${media.content_type || media.url}`);
  }
  const image = element("img");
  image.src = media.url;
  image.alt = "Attached picture";
  return image;
}

function meta(message) {
  const time = new Date(message.at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const parts = [time, STATES[message.status] || message.status];
  if (message.error_code) parts.push(`${message.error_code} ${message.error}`);
  parts.push(message.segments === 1 ? "1\u00a0segment" : `${message.segments}\u00a0segments`);
  if (message.by_carrier) parts.push("from the carrier");
  return parts.join(" · ");
}
