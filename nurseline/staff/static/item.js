// Keeps an item while somebody types on its page. Merely looking does not keep it.
"use strict";
(() => {
  const { extend } = document.currentScript.dataset;
  const EVERY = 60000;
  const lost = document.getElementById("lost");
  let last = Date.now();

  async function keep() {
    const body = new URLSearchParams({ csrf_token: document.querySelector("input[name=csrf_token]").value });
    const answer = await fetch(extend, { method: "POST", body, headers: { Accept: "application/json" } });
    if (answer.status === 409) {
      const { problem } = await answer.json();
      lost.textContent = `${problem} What you have typed is still here.`;
      lost.hidden = false;
    } else if (answer.ok && !answer.redirected) {
      const until = document.getElementById("kept-until");
      const said = (await answer.json()).until;
      lost.hidden = true;
      if (until) {
        until.textContent = said;
      }
    }
  }

  document.getElementById("main").addEventListener("input", () => {
    if (Date.now() - last >= EVERY) {
      last = Date.now();
      keep().catch(() => {}); // the next word asks again
    }
  });
})();
