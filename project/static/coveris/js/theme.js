/* What the theme needs under `script-src 'self'`.
 *
 * The CSP build of Alpine reads expressions with its own parser: it sees only names of its own scopes, no browser
 * globals, and knows expressions but no statements. So the components the theme names are registered here, and the
 * few globals its templates use are handed to them as members of the outermost scope. Templates that held statements
 * are overridden in project/templates.
 */
document.addEventListener("alpine:init", () => {
  // A stand-in: the real window is one of the globals the CSP build refuses to hand out.
  const browser = {
    location: {
      get pathname() { return window.location.pathname; },
      get search() { return window.location.search; },
      get hash() { return window.location.hash; },
      get href() { return window.location.href; },
      set href(url) { window.location.assign(url); },
    },
  };

  Alpine.data("theme", (scheme) =>
    Object.assign(theme(scheme), {
      window: browser,
      getCurrentTab: () => getCurrentTab(),
      sortRecords: (event) => sortRecords(event),
      moveRecords: (event) => moveRecords(event),
    }),
  );

  Alpine.data("searchForm", () => ({}));

  Alpine.data("searchCommand", () =>
    Object.assign(searchCommand(), {
      openOnEnter(event, addHistory) {
        if (!event.metaKey && !event.ctrlKey) this.selectItem(addHistory, false);
      },
    }),
  );

  Alpine.data("sidebarResize", () => ({
    resizing: false,
    resize(event) {
      if (!this.resizing) return;
      this.sidebarWidth = Math.min(360, Math.max(220, event.clientX));
      localStorage.setItem("sidebarWidth", this.sidebarWidth);
    },
  }));

  // Toggles a member of the scope, except when the click was on a link inside.
  Alpine.data("openable", () => ({
    open: false,
    toggleUnlessLink(event) {
      if (!event.target.closest("a, button")) this.open = !this.open;
    },
  }));

  Alpine.data("arrayItems", () => ({
    items: [],
    nextKey: 0,
    add() { this.items.push({ key: this.nextKey++ }); },
    adoptName(row) {
      const input = row.querySelector("input");
      if (input?.name.includes("__prefix__")) input.name = row.parentElement.querySelector("input").name;
    },
  }));
});
