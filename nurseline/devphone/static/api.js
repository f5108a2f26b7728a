// Talks to the phone's own control interface.

export class Refused extends Error {}

export async function ask(path, body) {
  const options = body === undefined ? {} : {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  return read(await fetch(`/phone/api${path}`, options));
}

export async function remove(path) {
  return read(await fetch(`/phone/api${path}`, { method: "DELETE" }));
}

async function read(response) {
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    throw new Refused(answer.error || `The phone answered with status ${response.status}.`);
  }
  return answer;
}

export function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

export function stay(list, change) {
  // Follows the end of a list unless somebody scrolled up to read.
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  change();
  if (atEnd) list.scrollTop = list.scrollHeight;
}
