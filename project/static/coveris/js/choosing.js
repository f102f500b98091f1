/* Ticks for several items at once (`data-choosing`): all of a page, how many, and deeds only once there are some.
 * Without this script the ticks and the buttons work as they stand.
 */
document.addEventListener("DOMContentLoaded", () => {
  for (const form of document.querySelectorAll("form[data-choosing]")) {
    const all = form.querySelector("[data-choose-all]");
    const count = form.querySelector("[data-chosen-count]");
    const empty = count.textContent;
    const ticks = () => [...form.querySelectorAll("input[name=item]")];
    const buttons = form.querySelectorAll(".coveris-chosen button");

    function show() {
      const chosen = ticks().filter((tick) => tick.checked).length;
      count.textContent = chosen === 0 ? empty : chosen === 1 ? count.dataset.one : count.dataset.many.replace("%n", chosen);
      all.checked = chosen > 0 && chosen === ticks().length;
      all.indeterminate = chosen > 0 && !all.checked;
      form.toggleAttribute("data-chosen", chosen > 0);
      for (const button of buttons) button.disabled = chosen === 0;
    }

    all.closest("[hidden]").hidden = false;
    form.addEventListener("change", (event) => {
      if (event.target === all) for (const tick of ticks()) tick.checked = all.checked;
      show();
    });
    // A browser that comes back keeps the ticks.
    window.addEventListener("pageshow", show);
    show();
  }
});
