// Draws a chart again from its specification when it comes into view, so that it answers to the pointer.
// Its picture stays in the page, for print and for wherever this script does not run.
(function () {
  const PACKED = 'script[type="application/vnd.vegalite.v5+json+deflate"]';
  const base = document.documentElement.dataset.content_root || "./";
  let library;

  function load() {
    library ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = `${base}_static/vega.js`;
      script.onload = resolve;
      script.onerror = reject;
      document.head.append(script);
    });
    return library;
  }

  async function specification(figure) {
    const text = figure.querySelector(PACKED).textContent;
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    return new Response(stream).json();
  }

  // Times of a scale and its ticks are compiled to datetime(milliseconds), which Vega's interpreter, needed where a
  // policy allows no code made of text, takes for a year. As plain numbers they mean the same to both.
  function withPlainTimes(compiled) {
    return JSON.parse(JSON.stringify(compiled).replace(/\bdatetime\((-?\d+)\)/g, "$1"));
  }

  async function draw(figure) {
    const picture = figure.querySelector("svg");
    const place = document.createElement("div");
    const [chart] = await Promise.all([specification(figure), load()]);
    delete chart.$schema;  // says 5; the library draws that too, and would warn
    await window.vegaEmbed(place, chart, {
      mode: "vega-lite", renderer: "svg", ast: true, actions: false, defaultStyle: false,
      tooltip: { theme: "handbook", disableDefaultStyle: true }, logLevel: 1, patch: withPlainTimes,
    });
    const drawn = place.querySelector("svg");
    const [, , width, height] = drawn.getAttribute("viewBox").split(" ");
    const wide = picture.viewBox.baseVal.width;
    drawn.setAttribute("viewBox", `0 0 ${Math.max(width, wide)} ${height}`);
    drawn.removeAttribute("width");
    drawn.removeAttribute("height");
    for (const part of drawn.querySelectorAll("[role]")) part.removeAttribute("role");  // the whole is one image
    place.className = "cbs-live";
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", picture.getAttribute("aria-label"));
    picture.after(place);
    figure.classList.add("is-live");
  }

  function watch() {
    const figures = [...document.querySelectorAll(".cbs-chart")].filter((figure) => figure.querySelector(PACKED));
    if (!figures.length || !window.DecompressionStream || !window.IntersectionObserver) return;
    const seen = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        seen.unobserve(target);
        draw(target).catch(() => {});  // the picture is there
      }
    });
    for (const figure of figures) seen.observe(figure);
  }

  addEventListener("DOMContentLoaded", watch);
})();
