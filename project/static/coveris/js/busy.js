/* Says that something is under way on buttons whose answer takes seconds, and keeps a second press from asking twice. */
(() => {
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-busy]");
    if (!form) return;
    const button = form.querySelector("button[type=submit]");
    if (button.getAttribute("aria-busy") === "true") { event.preventDefault(); return; }
    const text = form.querySelector("[data-busy-text]");
    form.dataset.idle = text.textContent;
    text.textContent = form.dataset.busy;
    button.setAttribute("aria-busy", "true");
  });
  // A page brought back from the browser's memory is not waiting for anything.
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    for (const form of document.querySelectorAll("form[data-idle]")) {
      form.querySelector("[data-busy-text]").textContent = form.dataset.idle;
      const button = form.querySelector("button[type=submit]");
      button.removeAttribute("aria-busy");
    }
  });
})();
