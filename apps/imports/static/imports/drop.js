/* Files may be dropped onto the field (`data-drop`), and are listed once chosen.
 * Without this script the field is what it is anyway.
 */
document.addEventListener("DOMContentLoaded", () => {
  for (const input of document.querySelectorAll("input[type=file][data-drop]")) {
    const field = input.closest(".coveris-field");
    const list = document.createElement("ul");
    list.className = "coveris-sheet-files";
    list.setAttribute("aria-live", "polite");
    field.classList.add("coveris-sheet-drop");
    const invitation = document.createElement("p");
    invitation.className = "coveris-subtle";
    invitation.textContent = input.dataset.drop;
    field.append(invitation, list);
    const size = new Intl.NumberFormat(document.documentElement.lang || "es", {
      style: "unit", unit: "kilobyte", maximumFractionDigits: 0,
    });

    const show = () => {
      list.replaceChildren(...Array.from(input.files, (file) => {
        const line = document.createElement("li");
        line.textContent = `${file.name} · ${size.format(Math.ceil(file.size / 1024))}`;
        return line;
      }));
    };
    const carriesFiles = (event) => event.dataTransfer !== null && event.dataTransfer.types.includes("Files");
    const mark = (is) => field.classList.toggle("coveris-sheet-dropping", is);

    input.addEventListener("change", show);
    for (const name of ["dragenter", "dragover"]) {
      field.addEventListener(name, (event) => {
        if (!carriesFiles(event)) return;
        event.preventDefault();
        mark(true);
      });
    }
    field.addEventListener("dragleave", (event) => {
      if (!field.contains(event.relatedTarget)) mark(false);
    });
    field.addEventListener("drop", (event) => {
      mark(false);
      if (!carriesFiles(event)) return;
      event.preventDefault();
      input.files = event.dataTransfer.files;
      show();
    });
    show();
  }
});
