// Lets a reader choose light or dark. Everything else works without a script.
(function () {
  const root = document.documentElement;
  const kept = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  const dark = () => matchMedia("(prefers-color-scheme: dark)").matches;
  const set = (theme) => { root.dataset.theme = theme; };
  set(kept() || (dark() ? "dark" : "light"));
  addEventListener("DOMContentLoaded", () => {
    const button = document.querySelector(".hb-theme");
    const other = () => (root.dataset.theme === "dark" ? "light" : "dark");
    const label = () => { button.textContent = other() === "dark" ? "Dark" : "Light"; button.title = `Use ${other()} colours`; };
    button.hidden = false;
    label();
    button.addEventListener("click", () => {
      set(other());
      try { localStorage.setItem("theme", root.dataset.theme); } catch { /* the choice lasts for this page */ }
      label();
    });
  });
})();
