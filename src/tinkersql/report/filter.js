// Narrows the list of wrong predictions. The page is complete without it: the controls stay hidden then.
(() => {
  const controls = document.getElementById("filter");
  if (!controls) return;
  const items = [...document.querySelectorAll("#wrong-list > details")];
  const words = new Map(items.map((item) => [item, [item.firstElementChild, item.querySelector(".pair")]
    .map((part) => part.textContent).join(" ").toLowerCase()]));  // the witness is left out: it repeats the literals
  const [text, verdict, cause, broken] = ["text", "verdict", "cause", "broken"].map((name) => document.getElementById(`filter-${name}`));
  const shown = document.getElementById("filter-shown");

  function apply() {
    const wanted = text.value.toLowerCase();
    let count = 0;
    for (const item of items) {
      const fits =
        (!verdict.value || item.dataset.verdict === verdict.value) &&
        (!cause.value || item.dataset.cause === cause.value) &&
        (!broken.checked || item.dataset.broken === "yes") &&
        words.get(item).includes(wanted);
      item.hidden = !fits;
      count += fits;
    }
    shown.textContent = `${count} of ${items.length} shown`;
  }

  controls.addEventListener("input", apply);
  document.getElementById("filter-open").addEventListener("click", () => {
    const visible = items.filter((item) => !item.hidden);
    const open = visible.some((item) => !item.open);
    for (const item of visible) item.open = open;
  });
  controls.hidden = false;
  apply();
})();
