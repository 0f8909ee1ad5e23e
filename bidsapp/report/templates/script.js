"use strict";
if (matchMedia("(max-width: 60rem)").matches) {
  for (const contents of document.querySelectorAll(".toc details")) contents.open = false;
}
function markScrolling() {
  for (const box of document.querySelectorAll(".picture, .table")) {
    box.classList.toggle("scrolls", box.scrollWidth > box.clientWidth + 1);
  }
}
addEventListener("load", markScrolling);
addEventListener("resize", markScrolling);
document.addEventListener("toggle", markScrolling, true);
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const header = button.parentElement;
    const body = header.closest("table").tBodies[0];
    const column = header.cellIndex;
    const descending = header.getAttribute("aria-sort") !== "descending" && header.classList.contains("numeric")
      || header.getAttribute("aria-sort") === "ascending";
    for (const other of header.parentElement.cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const number = (text) => text === "inf" ? Infinity : Number(text);
    const key = (row) => row.cells[column].dataset.key;
    const numeric = header.classList.contains("numeric");
    const compare = (a, b) => {
      if (!numeric) return key(a).localeCompare(key(b), undefined, { numeric: true }) * (descending ? -1 : 1);
      const [x, y] = [number(key(a)), number(key(b))];
      if (x === y) return 0;
      if (x === Infinity) return 1;
      if (y === Infinity) return -1;
      return descending ? y - x : x - y;
    };
    body.append(...[...body.rows].sort(compare));
  });
}
for (const button of document.querySelectorAll(".copy")) {
  button.addEventListener("click", async () => {
    const pre = button.nextElementSibling;
    try {
      await navigator.clipboard.writeText(pre.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(pre);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}
for (const timed of document.querySelectorAll(".timed")) {
  const audio = timed.nextElementSibling;
  const [image, line] = timed.children;
  const { left, right, start, stop } = Object.fromEntries(
    Object.entries(timed.dataset).map(([name, text]) => [name, Number(text)]));
  const follow = () => {
    const share = (audio.currentTime - start) / (stop - start);
    line.hidden = share < 0 || share > 1;
    line.style.left = `${image.offsetLeft + image.offsetWidth * (left + share * (right - left))}px`;
  };
  audio.addEventListener("timeupdate", follow);
  audio.addEventListener("seeking", follow);
  timed.addEventListener("click", (event) => {
    const box = image.getBoundingClientRect();
    const share = ((event.clientX - box.left) / box.width - left) / (right - left);
    audio.currentTime = Math.max(0, start + share * (stop - start));
    audio.play();
  });
}
const links = new Map([...document.querySelectorAll(".toc a")].map((a) => [a.hash.slice(1), a]));
if ("IntersectionObserver" in window) {
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      for (const link of links.values()) link.removeAttribute("aria-current");
      links.get(entry.target.id)?.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "0px 0px -75% 0px" });
  for (const id of links.keys()) {
    const target = document.getElementById(id);
    if (target) seen.observe(target);
  }
}
