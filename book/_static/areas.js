// Makes tables of areas sortable; on the front page, lets a reader choose what map and table show, and filter the table.
(function () {
  const by = (id) => document.getElementById(id);

  function sortable(table) {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    const key = (row, place) => row.cells[place].dataset.sort ?? row.cells[place].textContent.trim();
    heads.forEach((head, place) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const isNumber = head.classList.contains("cbs-number");
        const first = isNumber ? "descending" : "ascending";
        const second = isNumber ? "ascending" : "descending";
        const order = head.getAttribute("aria-sort") === first ? second : first;
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", order);
        const sign = order === "ascending" ? 1 : -1;
        const rows = [...body.rows].sort((a, b) => {
          const [one, two] = [key(a, place), key(b, place)];
          if (isNumber) return (one === "") - (two === "") || sign * (one - two);
          return sign * one.localeCompare(two);
        });
        body.append(...rows);
      });
    });
  }

  function filterable(table) {
    const [name, group, left] = ["cbs-name", "cbs-group", "cbs-left"].map(by);
    if (!name) return;
    const apply = () => {
      const wanted = name.value.trim().toLowerCase();
      let count = 0;
      for (const row of table.tBodies[0].rows) {
        const [area, its] = [...row.cells].map((cell) => cell.textContent);
        const isShown = area.toLowerCase().includes(wanted) && (!group?.value || its === group.value);
        row.hidden = !isShown;
        count += isShown;
      }
      left.textContent = `${count} of ${table.tBodies[0].rows.length} shown`;
    };
    name.addEventListener("input", apply);
    group?.addEventListener("change", apply);
    name.closest("[hidden]")?.removeAttribute("hidden");
  }

  function mark(place, [shape, css, words], word) {
    const sign = document.createElement("span");
    sign.ariaHidden = "true";
    sign.textContent = shape;
    const whole = document.createElement("span");
    whole.className = `cbs-mark cbs-${css}`;
    whole.append(sign, ` ${word}`);
    const beside = document.createElement("span");
    beside.className = "cbs-beside";
    beside.textContent = words.slice(word.length);
    place.replaceChildren(whole, beside);
  }

  // Names of map and table end as the indicator asks: what rests on synthetic records says so.
  function named(indicator, before, table) {
    const entitled = (title) => (before && title.endsWith(before) ? title.slice(0, -before.length) : title) + indicator.ending;
    table.caption.textContent = entitled(table.caption.textContent);
    for (const shown of [table.parentElement, document.querySelector(".cbs-map")]) {
      shown?.setAttribute("aria-label", entitled(shown.getAttribute("aria-label")));
    }
    return indicator.ending;
  }

  function show(indicator, words, table) {
    const shown = document.querySelector(".cbs-shown");
    shown.innerHTML = indicator.what;
    const rows = new Map([...table.tBodies[0].rows].map((row) => [row.dataset.area, row]));
    const tiles = new Map([...document.querySelectorAll(".cbs-map > li")].map((tile) => [tile.dataset.area, tile]));
    for (const [code, [value, limits, fifth, word, sort, lower]] of Object.entries(indicator.areas)) {
      const row = rows.get(code);
      const cells = [...row.cells];
      const [valueCell, limitCell, standing] = cells.slice(-3);
      valueCell.textContent = value;
      valueCell.dataset.sort = sort;
      limitCell.textContent = limits;
      limitCell.dataset.sort = lower;
      mark(standing, words[word], word);
      const tile = tiles.get(code)?.firstElementChild;
      if (!tile) continue;
      tile.className = `cbs-tile cbs-f${fifth}${word === "flagged" ? " cbs-hatched" : ""}`;
      tile.querySelector(".cbs-tile-value").textContent = value;
      tile.querySelector(".cbs-tile-mark").textContent = words[word][0];
      tile.querySelector(".cbs-tile-word").textContent = words[word][2];
    }
  }

  function choosable(table) {
    const data = by("cbs-areas-data");
    const choice = by("cbs-indicator");
    if (!data || !choice) return;
    const { words, indicators } = JSON.parse(data.textContent);
    let ending = indicators[choice.querySelector("[selected]").value].ending;
    const apply = () => {
      show(indicators[choice.value], words, table);
      ending = named(indicators[choice.value], ending, table);
      for (const head of table.tHead.rows[0].cells) head.removeAttribute("aria-sort");
    };
    choice.addEventListener("change", () => {
      const address = new URL(location);
      address.searchParams.set("indicator", choice.value);
      history.replaceState(null, "", address);
      apply();
    });
    const asked = new URLSearchParams(location.search).get("indicator");
    if (asked in indicators) {
      choice.value = asked;
      apply();
    }
    choice.closest("[hidden]").removeAttribute("hidden");
  }

  addEventListener("DOMContentLoaded", () => {
    const tables = [...document.querySelectorAll(".cbs-areas")];
    tables.forEach(sortable);
    if (by("cbs-areas-data") && tables.length) {
      filterable(tables[0]);
      choosable(tables[0]);
    }
  });
})();
