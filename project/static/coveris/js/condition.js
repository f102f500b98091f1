/* The field a condition is written in: completion, the place of an error, and a form of rows.
 * Everything it offers comes from the server (apps/business_rules/admin/conditions.py); without it a plain text area is left.
 */
(() => {
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === true) element.setAttribute(name, "");
      else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  };
  const later = (wait, deed) => {
    let timer;
    return (...given) => { clearTimeout(timer); timer = setTimeout(() => deed(...given), wait); };
  };

  class Condition {
    constructor(box) {
      this.box = box;
      this.say = (name) => box.dataset[`text${name[0].toUpperCase()}${name.slice(1)}`];
      this.area = box.querySelector("textarea");
      this.list = box.querySelector("[role=listbox]");
      this.note = box.querySelector(".coveris-condition-note");
      this.rows = box.querySelector(".coveris-condition-rows");
      this.modes = box.querySelector(".coveris-condition-modes");
      this.asked = 0;
      this.active = -1;
      this.modes.hidden = false;
      for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-expanded", "false"], ["aria-controls", this.list.id]]) this.area.setAttribute(name, value);
      const described = this.area.getAttribute("aria-describedby");
      this.area.setAttribute("aria-describedby", [described, this.note.id].filter(Boolean).join(" "));
      this.completeSoon = later(120, () => this.complete());
      this.checkSoon = later(600, () => this.check());
      // Whether rows say what the text does not yet, and the answer that is awaited about it.
      this.unjoined = false;
      this.joining = null;
      this.joins = 0;
      this.joinSoon = later(300, () => { if (this.unjoined) this.joinNow(); });
      this.area.addEventListener("input", () => { this.completeSoon(); this.checkSoon(); });
      this.area.addEventListener("click", () => { if (!this.list.hidden) this.completeSoon(); });
      this.area.addEventListener("keydown", (event) => this.key(event));
      this.area.addEventListener("blur", () => setTimeout(() => this.close(), 150));
      this.area.addEventListener("focus", () => { if (!this.area.value.trim()) this.completeSoon(); });
      this.list.addEventListener("mousedown", (event) => {
        event.preventDefault();
        const option = event.target.closest("[role=option]");
        if (option) this.take(Number(option.dataset.index));
      });
      this.modes.addEventListener("click", (event) => {
        const button = event.target.closest("button[data-mode]");
        if (button) this.mode(button.dataset.mode);
      });
      if (this.area.dataset.start !== undefined) this.point(Number(this.area.dataset.start), Number(this.area.dataset.length));
      else if (this.area.value.trim()) this.check();
    }

    async ask(question) {
      const response = await fetch(`${this.box.dataset.address}?${new URLSearchParams(question)}`, { headers: { Accept: "application/json" } });
      if (!response.ok) throw new Error(String(response.status));
      return response.json();
    }

    // Completion

    async complete() {
      if (document.activeElement !== this.area) return;
      const number = ++this.asked;
      const cursor = this.area.selectionStart;
      let found;
      try { found = await this.ask({ ask: "complete", text: this.area.value, cursor }); } catch { return; }
      if (number !== this.asked || document.activeElement !== this.area) return;
      const chosen = this.active >= 0 ? this.found.items[this.active].insert : null;
      this.found = { ...found, brings: found.end - cursor };
      this.list.replaceChildren(...found.items.map((item, index) => make("li",
        { role: "option", id: `${this.list.id}_${index}`, "data-index": index, "aria-selected": "false" },
        make("code", {}, item.insert.trim()), make("span", {}, item.label), ...(item.detail ? [make("small", {}, item.detail)] : []))));
      this.active = -1;
      this.open(found.items.length > 0);
      // What was chosen stays chosen while the list narrows, or Enter would send the search instead.
      const still = chosen === null ? -1 : found.items.findIndex((item) => item.insert === chosen);
      if (still >= 0) this.go(still + 1);
    }

    open(shown) {
      this.list.hidden = !shown;
      this.area.setAttribute("aria-expanded", String(shown));
      if (!shown) this.area.removeAttribute("aria-activedescendant");
    }

    close() { this.asked++; this.active = -1; this.open(false); }

    go(step) {
      const options = [...this.list.children];
      if (!options.length) return;
      this.active = (this.active + step + options.length + (this.active < 0 && step < 0 ? 1 : 0)) % options.length;
      options.forEach((option, index) => option.setAttribute("aria-selected", String(index === this.active)));
      options[this.active].scrollIntoView({ block: "nearest" });
      this.area.setAttribute("aria-activedescendant", options[this.active].id);
    }

    take(index) {
      const item = this.found.items[index];
      // What was typed since the list came is a part of what it replaces.
      const end = Math.max(this.area.selectionStart, this.found.start) + this.found.brings;
      this.area.setRangeText(item.insert + (/[\s("]$/.test(item.insert) ? "" : " "), this.found.start, end, "end");
      if (item.insert.endsWith('("')) this.close(); // and at once ask again, inside of the quotes
      this.area.dispatchEvent(new Event("input", { bubbles: true }));
    }

    key(event) {
      if (event.ctrlKey && event.key === " ") { event.preventDefault(); this.complete(); return; }
      const isOpen = !this.list.hidden;
      if (isOpen && (event.key === "ArrowDown" || event.key === "ArrowUp")) { event.preventDefault(); this.go(event.key === "ArrowDown" ? 1 : -1); }
      else if (isOpen && event.key === "Escape") { event.preventDefault(); event.stopPropagation(); this.close(); }
      else if (isOpen && this.active >= 0 && (event.key === "Enter" || event.key === "Tab")) { event.preventDefault(); this.take(this.active); }
      else if (event.key === "Enter" && !event.shiftKey && this.area.form?.getAttribute("role") === "search") { event.preventDefault(); this.close(); this.area.form.requestSubmit(); }
    }

    // Errors and what it means

    async check() {
      const text = this.area.value;
      if (text === this.stays) return;
      this.forget();
      if (!text.trim()) { this.tell(); return; }
      let found;
      try { found = await this.ask({ ask: "check", text }); } catch { return; }
      if (text !== this.area.value || text === this.stays) return;
      this.show(found);
    }

    // What the server said of the text that was sent is about that text alone.
    forget() {
      this.box.closest("form")?.querySelector("[data-condition-error]")?.remove();
    }

    show(found) {
      if (!found.error) {
        this.area.removeAttribute("aria-invalid");
        this.tell(`${this.say("means")}: ${found.words}`);
        return;
      }
      this.area.setAttribute("aria-invalid", "true");
      this.point(found.error.start, found.error.length, found.error);
    }

    // The text again, with the place marked: a text area cannot show it in itself.
    point(start, length, error) {
      const text = this.area.value;
      const parts = error ? [make("strong", {}, error.message)] : [];
      if (length) parts.push(make("code", {}, text.slice(0, start), make("mark", {}, text.slice(start, start + length)), text.slice(start + length)));
      for (const one of error?.suggestions ?? []) {
        const button = make("button", { type: "button" }, one);
        button.addEventListener("click", () => {
          this.area.setRangeText(one, start, start + length, "end");
          this.area.focus();
          this.check();
        });
        parts.push(button);
      }
      this.tell(...parts);
      this.note.classList.add("coveris-condition-wrong");
    }

    tell(...parts) {
      this.note.classList.remove("coveris-condition-wrong");
      this.note.replaceChildren(...parts);
      this.note.hidden = !parts.length;
    }

    // Rows

    async mode(name) {
      // What the rows say is in the text before anybody writes there: later it would take the place of what was written.
      if (name !== "rows" && !this.rows.hidden) { if (this.unjoined) this.joinNow(); await this.joining; }
      if (name === "rows") {
        try { this.words ??= (await this.ask({ ask: "words" })).words; } catch { return; }
        this.byName = new Map(this.words.map((word) => [word.name, word]));
        let rows = [];
        if (this.area.value.trim()) {
          let found;
          try { found = await this.ask({ ask: "check", text: this.area.value }); } catch { return; }
          if (found.error) { this.show(found); return; }
          if (found.rows === null || found.rows.some((row) => row.values.some((value) => row.operator.endsWith("in") && value.includes("|")))) { this.stays = this.area.value; this.tell(this.say("more")); return; }
          rows = found.rows;
        }
        this.close();
        this.draw(rows.length ? rows : [{}]);
      }
      this.rows.hidden = name !== "rows";
      this.box.querySelector(".coveris-condition-text").hidden = name === "rows";
      for (const button of this.modes.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.mode === name));
      (name === "rows" ? this.rows.querySelector("select") : this.area).focus();
    }

    draw(rows) {
      const add = make("button", { type: "button", class: "coveris-button coveris-button-plain" }, this.say("add"));
      add.addEventListener("click", () => { add.before(this.row({})); add.previousElementSibling.querySelector("select").focus(); });
      this.rows.replaceChildren(make("p", {}, this.say("all")), ...rows.map((row) => this.row(row)), add);
    }

    row(given) {
      const line = make("div", { class: "coveris-condition-row", role: "group" });
      const words = make("select", { "aria-label": this.say("word"), "data-part": "word" }, make("option", { value: "" }, this.say("choose")),
        ...this.words.map((word) => make("option", { value: word.name, title: word.description, selected: word.name === given.word }, word.label)));
      const rest = make("span", { class: "coveris-condition-rest" });
      const remove = make("button", { type: "button", "aria-label": this.say("remove"), title: this.say("remove"), class: "coveris-condition-remove" }, make("span", { class: "material-symbols-outlined", "aria-hidden": "true" }, "close"));
      remove.addEventListener("click", () => { line.remove(); this.joinNow(); });
      const fill = (row) => {
        const word = this.byName.get(words.value);
        rest.replaceChildren();
        if (!word) return;
        if (word.argument) rest.append(this.choice("argument", word.argument.label, word.argument.choices, row.argument ?? "", word.argument.required ? this.say("choose") : "–"));
        const operators = make("select", { "aria-label": this.say("operator"), "data-part": "operator" },
          ...word.operators.map((one) => make("option", { value: one.value, selected: one.value === row.operator }, one.label)));
        const value = make("span", { class: "coveris-condition-value" });
        const put = (values) => {
          const operator = word.operators.find((one) => one.value === operators.value);
          value.replaceChildren();
          if (!operator.needs_value) return;
          const several = operators.value.endsWith("in");
          if (word.choices.length && !several) { value.append(this.choice("value", this.say("value"), word.choices, values[0] ?? "", this.say("choose"))); return; }
          const hint = several ? this.say("several") : { date: this.say("date") }[word.type] ?? "";
          value.append(make("input", { type: "text", "aria-label": this.say("value"), "data-part": "value", placeholder: hint, value: values.join(" | ") }));
        };
        put(row.values ?? []);
        operators.addEventListener("change", () => put([...value.querySelectorAll("[data-part=value]")].map((field) => field.value)));
        rest.append(operators, value);
      };
      fill(given);
      words.addEventListener("change", () => fill({}));
      for (const event of ["input", "change"]) line.addEventListener(event, () => { this.unjoined = true; this.joinSoon(); });
      line.append(words, rest, remove);
      return line;
    }

    choice(part, label, choices, chosen, none) {
      const known = choices.some((one) => one.value === chosen) || !chosen ? choices : [...choices, { value: chosen, label: chosen }];
      return make("select", { "aria-label": label, "data-part": part }, make("option", { value: "" }, none),
        ...known.map((one) => make("option", { value: one.value, selected: one.value === chosen }, one.label === one.value ? one.value : `${one.label} (${one.value})`)));
    }

    read() {
      return [...this.rows.querySelectorAll(".coveris-condition-row")].map((line) => {
        const part = (name) => line.querySelector(`[data-part=${name}]`)?.value.trim() ?? "";
        const word = this.byName.get(part("word"));
        const operator = part("operator");
        const values = !line.querySelector("[data-part=value]") ? [] : operator.endsWith("in") ? part("value").split("|").map((one) => one.trim()) : [part("value")];
        const plain = word && !["text", "choice"].includes(word.type);
        return { word: part("word"), argument: part("argument"), operator, values, is_word: Boolean(plain && values.length === 1 && this.byName.has(values[0].replace(/\(.*$/s, ""))) };
      }).filter((row) => row.word);
    }

    joinNow() {
      this.unjoined = false;
      this.joining = this.join();
    }

    async join() {
      const rows = this.read();
      if (!rows.length) { this.area.value = ""; this.tell(); return; }
      // A value that is yet to be filled in is no error.
      if (rows.some((row) => row.values.some((value) => !value) || !row.operator)) { this.tell(); return; }
      let found;
      const number = ++this.joins;
      try { found = await this.ask({ ask: "rows", rows: JSON.stringify(rows) }); } catch { return; }
      if (number !== this.joins) return;
      this.forget();
      if (found.error) { this.tell(make("strong", {}, found.error.message)); this.note.classList.add("coveris-condition-wrong"); return; }
      this.area.value = found.text;
      this.show(found);
    }
  }

  const start = () => { for (const box of document.querySelectorAll("[data-condition]")) new Condition(box); };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
