/* Keeps a `[data-preview]` panel in step with the form around it: what would this do? (apps/demand/impact.py)
 * A GET that writes nothing, 400 ms after the last change. An answer that has been overtaken is dropped.
 */
(() => {
  const WAIT = 400;
  const states = new WeakMap();

  function wish(panel) {
    const data = new FormData(panel.closest("form"));
    const params = new URLSearchParams();
    for (const name of panel.dataset.previewFields.split(" ")) {
      if (name && data.has(name)) params.set(name, data.get(name));
    }
    return params.toString();
  }

  function say(panel, text) {
    panel.querySelector("[data-preview-status]").textContent = text;
  }

  async function ask(panel) {
    const state = states.get(panel);
    const asked = wish(panel);
    if (asked === state.asked || !panel.isConnected) return;
    state.asked = asked;
    if (state.running) state.running.abort();
    const running = (state.running = new AbortController());
    const overtaken = () => state.running !== running;
    panel.setAttribute("aria-busy", "true");
    say(panel, panel.dataset.previewBusy);
    try {
      const response = await fetch(`${panel.dataset.preview}?${asked}`, { signal: running.signal });
      const html = await response.text();
      if (overtaken()) return;
      if (!response.ok || response.redirected) throw new Error(response.status);
      const answer = panel.querySelector("[data-preview-answer]");
      answer.innerHTML = html;
      say(panel, answer.querySelector("[data-preview-headline]")?.textContent.trim() || "");
    } catch {
      if (overtaken()) return;
      // Asked again at the next change, or when the form is returned to.
      state.asked = null;
      panel.querySelector("[data-preview-answer]").replaceChildren();
      say(panel, panel.dataset.previewFailed);
    }
    panel.removeAttribute("aria-busy");
  }

  function soon(form) {
    for (const panel of form?.querySelectorAll?.("[data-preview]") || []) {
      const state = states.get(panel);
      if (!state) continue;
      clearTimeout(state.timer);
      state.timer = setTimeout(() => ask(panel), WAIT);
    }
  }

  function begin(root) {
    for (const panel of root.querySelectorAll("[data-preview]")) {
      if (states.has(panel)) continue;
      states.set(panel, { asked: null, running: null, timer: null });
      ask(panel);
    }
  }

  // What is being done is asked about no more: the answer would come from the state after it.
  function stop(form) {
    for (const panel of form.querySelectorAll("[data-preview]")) {
      const state = states.get(panel);
      if (!state) continue;
      clearTimeout(state.timer);
      state.running?.abort();
      state.running = null;
      panel.removeAttribute("aria-busy");
      say(panel, "");
    }
  }

  function start() {
    begin(document);
    document.addEventListener("submit", (event) => stop(event.target));
    document.addEventListener("coveris:shown", (event) => begin(event.detail));
    // The calendar writes without an event of its own, and gives the field the focus.
    for (const name of ["input", "change", "focusin"]) {
      document.addEventListener(name, (event) => soon(event.target.form || event.target.closest?.("form")));
    }
    // The choice of a record is told to jQuery alone.
    window.django?.jQuery?.(document).on("change", "select", (event) => soon(event.target.form));
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
