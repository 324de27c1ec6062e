// What nobody would miss: copying numbers, "/" for Find, a form that is sent once at a time.
"use strict";
const words = document.documentElement.lang === "fr"
  ? { copy: "Copier", copied: "Copié", sending: "Envoi…" }
  : { copy: "Copy", copied: "Copied", sending: "Sending…" };

for (const code of document.querySelectorAll("[data-copy]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = words.copy;
  button.setAttribute("aria-label", `${words.copy} ${code.textContent}`);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = words.copied;
    } catch {
      getSelection().selectAllChildren(code);
    }
  });
  code.after(" ", button);
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

for (const form of document.querySelectorAll("form[method=post]")) {
  let sentAt = 0;
  form.addEventListener("submit", (event) => {
    if (event.timeStamp - sentAt < 1000 && sentAt) {
      event.preventDefault();
      return;
    }
    sentAt = event.timeStamp;
    const button = event.submitter;
    if (button && button.classList.contains("solid")) button.textContent = button.dataset.sending || words.sending;
  });
}

addEventListener("keydown", (event) => {
  const find = document.getElementById("find");
  if (event.key !== "/" || !find || event.target.closest("input, textarea, select")) return;
  event.preventDefault();
  find.focus();
});

addEventListener("pageshow", (event) => {
  if (event.persisted && document.querySelector("form[method=post]:has([name=idempotency_key])")) location.reload();
});
