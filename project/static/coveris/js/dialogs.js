/* Opens links marked `data-dialog` in a <dialog> over the page, and sends their form from there.
 * Without this script the same links lead to pages of their own; the server answers both (apps/common/admin/dialogs.py).
 */
(() => {
  const HEADERS = { "X-Coveris-Dialog": "1" };
  let dialog;

  function shell() {
    if (!dialog) {
      dialog = document.createElement("dialog");
      dialog.className = "coveris-dialog";
      dialog.setAttribute("aria-labelledby", "dialog-title");
      dialog.addEventListener("close", () => dialog.replaceChildren());
      // A click beside the box closes it, but never throws away what was typed.
      dialog.addEventListener("click", (event) => {
        if (event.target === dialog && !isTyped()) dialog.close();
      });
      document.body.append(dialog);
    }
    return dialog;
  }

  function isTyped() {
    return [...dialog.querySelectorAll("textarea, input:not([type=hidden])")].some((field) => field.value !== field.defaultValue);
  }

  function show(html) {
    const box = shell();
    box.innerHTML = html;
    if (!box.open) box.showModal();
    document.dispatchEvent(new CustomEvent("coveris:shown", { detail: box }));
    // What has to be mended comes before what is said about it, and that before the first field.
    for (const first of ["[aria-invalid=true]", "[data-dialog-alert]", "[autofocus]", "button[type=submit]", "a"]) {
      const target = box.querySelector(first);
      if (target) { target.focus(); break; }
    }
  }

  async function answer(response) {
    const location = response.headers.get("X-Coveris-Location");
    if (location) {
      const target = new URL(location, window.location.href);
      // Going to where one is would only scroll.
      if (target.pathname + target.search === window.location.pathname + window.location.search) window.location.reload();
      else window.location.assign(target);
      return true;
    }
    if (response.redirected || !(response.headers.get("Content-Type") || "").startsWith("text/html")) return false;
    show(await response.text());
    return true;
  }

  document.addEventListener("click", async (event) => {
    const closer = event.target.closest("dialog.coveris-dialog [data-dialog-close]");
    if (closer) {
      event.preventDefault();
      dialog.close();
      if (closer.dataset.dialogClose === "reload") window.location.reload();
      return;
    }
    const link = event.target.closest("a[data-dialog]");
    if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    try {
      if (!(await answer(await fetch(link.href, { headers: HEADERS })))) window.location.assign(link.href);
    } catch {
      window.location.assign(link.href);
    }
  });

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!dialog || !dialog.contains(form)) return;
    event.preventDefault();
    const button = event.submitter;
    const data = new FormData(form, button);
    if (button) button.disabled = true;
    try {
      const response = await fetch(form.action, { method: "POST", headers: HEADERS, body: data });
      if (!(await answer(response))) window.location.reload();
    } catch {
      // The network is gone: a plain submit shows the browser's own page about it, and keeps the form on the way back.
      if (button) button.disabled = false;
      form.submit();
    }
  });
})();
