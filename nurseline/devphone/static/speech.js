// Reads the line's words aloud where the browser can; where it cannot, nothing happens.

const voice = window.speechSynthesis;
let aloud = true;

export function setAloud(on) {
  aloud = on;
  if (!on) hush();
}

export function hush() {
  try {
    voice?.cancel();
  } catch { /* no speech here */ }
}

export function speak(text, language) {
  if (!aloud || !voice || typeof SpeechSynthesisUtterance === "undefined") return;
  try {
    const words = new SpeechSynthesisUtterance(text);
    words.lang = language || "en-US";
    voice.speak(words);
  } catch { /* no speech here */ }
}
