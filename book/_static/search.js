// Looks words up in the book's index, which search-index.js brings: [title, where, address, words] an entry.
(function () {
  const MOST = 60;
  const WEIGHTS = [8, 5, 0, 1];  // a word in the title, in where it stands, in what is said there
  const plain = (text) => text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
  const split = (text) => plain(text).split(/[^\p{L}\p{N}]+/u).filter(Boolean);

  function score(entry, wanted) {
    let total = 0;
    for (const word of wanted) {
      let best = 0;
      for (const [place, weight] of WEIGHTS.entries()) {
        if (!weight) continue;
        const found = entry.words[place];
        if (found.includes(word)) best = Math.max(best, 2 * weight);
        else if (word.length > 1 && found.some((each) => each.startsWith(word))) best = Math.max(best, weight);
      }
      if (!best) return 0;
      total += best;
    }
    return total / (1 + entry.words[0].length / 20);
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

  function look(query) {
    const wanted = split(query);
    const entries = window.handbookIndex.map((entry) => ({ entry, words: entry.map(split) }));
    const found = wanted.length
      ? entries.map((each) => ({ ...each, score: score(each, wanted) })).filter((each) => each.score)
      : [];
    found.sort((a, b) => b.score - a.score);
    const shown = found.slice(0, MOST);
    document.getElementById("search-results").replaceChildren(...shown.map((each) => item(each.entry)));
    const more = found.length > MOST ? `, the first ${MOST} shown` : "";
    const count = found.length === 1 ? "1 place" : `${found.length} places`;
    document.getElementById("search-count").textContent = wanted.length ? `${count} for “${query}”${more}.` : "";
  }

  const query = new URLSearchParams(location.search).get("q") || "";
  for (const field of document.querySelectorAll('input[name="q"]')) field.value = query;
  if (window.handbookIndex) look(query);
})();
