/* The keys of a tree in a table, and opening a level without leaving the page. Without it every link still works.
 *
 * ↑ ↓ Home End go from line to line, → opens a line or goes into it, ← closes it or goes to the line above it.
 */
(() => {
  const HANDLE = "[data-tree-handle]";
  const lines = (table) => [...table.querySelectorAll("tbody tr")];
  const level = (line) => Number(line.dataset.level);
  const focus = (line) => line?.querySelector(HANDLE)?.focus();
  const state = (handle) => handle.getAttribute("aria-expanded");

  function step(event) {
    const handle = event.target.closest?.(HANDLE);
    const table = handle?.closest("[data-tree]");
    if (!table || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const all = lines(table);
    const here = handle.closest("tr");
    const place = all.indexOf(here);
    const moves = {
      ArrowDown: () => focus(all[place + 1]),
      ArrowUp: () => focus(all[place - 1]),
      Home: () => focus(all[0]),
      End: () => focus(all.at(-1)),
      ArrowRight: () => {
        if (state(handle) === "false") handle.click();
        else if (state(handle) === "true" && level(all[place + 1] ?? here) > level(here)) focus(all[place + 1]);
      },
      ArrowLeft: () => {
        if (state(handle) === "true") handle.click();
        else focus(all.slice(0, place).reverse().find((line) => level(line) < level(here)));
      },
      // What is called a button answers to the space bar as well.
      " ": () => handle.getAttribute("role") === "button" && handle.click(),
    };
    if (!moves[event.key]) return;
    event.preventDefault();
    moves[event.key]();
  }

  async function toggle(event) {
    const handle = event.target.closest?.(`${HANDLE}[aria-expanded]`);
    if (!handle || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    const board = document.getElementById("board");
    if (board.getAttribute("aria-busy") === "true") return;
    board.setAttribute("aria-busy", "true");
    const line = handle.closest("tr").id;
    const sideways = handle.closest(".coveris-scroll").scrollLeft;
    try {
      const response = await fetch(handle.href);
      if (!response.ok || response.redirected) throw new Error(response.status);
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const fresh = page.getElementById("board");
      if (!fresh) throw new Error("no board");
      board.replaceWith(fresh);
      // Files and the print view are of what is open now.
      for (const tool of document.querySelectorAll("[data-board-tool]")) {
        tool.href = page.querySelector(`[data-board-tool="${tool.dataset.boardTool}"]`)?.href ?? tool.href;
      }
      history.pushState({ board: true }, "", handle.href);
      fresh.querySelector(".coveris-scroll").scrollLeft = sideways;
      focus(document.getElementById(line));
    } catch {
      location.assign(handle.href);
    }
  }

  document.addEventListener("keydown", step);
  document.addEventListener("click", toggle);
  window.addEventListener("popstate", () => location.reload());
  // A line named in the address takes the keys at once.
  if (/^#(unit|position)-\d+$/.test(location.hash)) focus(document.querySelector(location.hash));
})();
