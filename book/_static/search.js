// Looks words up in the book's index, which search-index.js brings: [title, where, address, words, other words] an entry.
(function () {
  const MOST = 60;
  const WEIGHTS = [8, 5, 0, 1, 4];  // a word in the title, in where it stands, in what is said there, in other names
  const plain = (text) => text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
  const singular = (word) => (/[^s]s$/.test(word) && word.length > 3 ? word.slice(0, -1) : word);
  const whole = (text) => plain(text).split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  const split = (text) => whole(text).map(singular);

  function score({ entry, words }, wanted) {
    let total = 0;
    for (const word of wanted) {
      let best = 0;
      for (const [place, weight] of WEIGHTS.entries()) {
        if (!weight || !words[place]) continue;
        if (words[place].includes(word)) best = Math.max(best, 2 * weight);
        else if (word.length > 1 && words[place].some((each) => each.startsWith(word))) best = Math.max(best, weight);
      }
      if (!best) return 0;
      total += best;
    }
    const isForAllAreas = entry[2].startsWith("indicator");
    const isSynthetic = entry[1].endsWith("Synthetic records");  // after what is published and says as much
    return (total / (1 + words[0].length / 20)) * (isForAllAreas ? 2 : 1) * (isSynthetic ? 0.75 : 1);
  }

  function item([title, where, address, words]) {
    const line = document.createElement("li");
    const link = document.createElement("a");
    link.href = address;
    link.textContent = title;
    const place = document.createElement("span");
    place.className = "cbs-minor";
    place.textContent = where;
    line.append(link, " ", place);
    if (words && /^(packs|indicator|catalogue)/.test(address)) {
      const said = document.createElement("p");
      said.textContent = words;
      line.append(said);
    }
    return line;
  }

  // How many letters to change, add or take away to make one word of another.
  function steps(from, to) {
    let row = Array.from({ length: to.length + 1 }, (_, place) => place);
    for (const [number, letter] of [...from].entries()) {
      const next = [number + 1];
      for (const [place, other] of [...to].entries()) {
        next.push(Math.min(row[place] + (letter !== other), row[place + 1] + 1, next[place] + 1));
      }
      row = next;
    }
    return row[to.length];
  }

  function nearest(word, known) {
    const near = known.map((each) => [steps(word, each), each]).sort((a, b) => a[0] - b[0])[0];
    return near && near[0] <= Math.max(1, word.length / 4) ? near[1] : word;
  }

  function suggest(query, entries) {
    const known = [...new Set(entries.flatMap(({ entry }) => [...whole(entry[0]), ...whole(entry[4] || "")]))];
    const meant = whole(query).map((word) => nearest(word, known)).join(" ");
    if (!entries.some((each) => score(each, split(meant)))) return [];
    const link = document.createElement("a");
    link.href = `?q=${encodeURIComponent(meant)}`;
    link.textContent = meant;
    return [" Did you mean ", link, "?"];
  }

  function show(found, many) {
    document.getElementById("search-results").replaceChildren(...found.slice(0, many).map((each) => item(each.entry)));
  }

  function allOf(found) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Show all";
    const more = document.createElement("span");
    more.append(` The first ${MOST} are shown. `, button);
    button.addEventListener("click", () => {
      show(found, found.length);
      more.remove();
    });
    return [more];
  }

  function look(query) {
    const wanted = split(query);
    if (!wanted.length) return;
    const entries = window.handbookIndex.map((entry) => ({ entry, words: entry.map(split) }));
    const found = entries.map((each) => ({ ...each, score: score(each, wanted) })).filter((each) => each.score);
    found.sort((a, b) => b.score - a.score);
    show(found, MOST);
    const count = document.getElementById("search-count");
    const places = found.length === 1 ? "1 place" : `${found.length} places`;
    count.replaceChildren(`${places} for “${query}”.`);
    if (!found.length) count.append(...suggest(query, entries));
    if (found.length > MOST) count.append(...allOf(found));
  }

  const query = new URLSearchParams(location.search).get("q") || "";
  for (const field of document.querySelectorAll('input[name="q"]')) field.value = query;
  if (window.handbookIndex) look(query);
})();
