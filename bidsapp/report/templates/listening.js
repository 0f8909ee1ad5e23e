"use strict";
const content = JSON.parse(document.getElementById("content").textContent);
const byId = (id) => document.getElementById(id);
const columns = ["listener", "trial", "choice", "order", "response_time_s"];
const state = { listener: "", order: [], at: 0, answers: [], heard: new Set(), last: null, since: 0, player: null };

// FNV-1a of a text, and mulberry32 from it: the same listener gets the same order
function hash(text) {
  let value = 2166136261;
  for (const unit of text) value = Math.imul(value ^ unit.codePointAt(0), 16777619);
  return value >>> 0;
}
function random(text) {
  let value = hash(text);
  return () => {
    value = (value + 0x6d2b79f5) | 0;
    let mixed = Math.imul(value ^ (value >>> 15), 1 | value);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
function shuffled(items, text) {
  const next = random(text);
  const result = [...items];
  for (let last = result.length - 1; last > 0; last--) {
    const place = Math.floor(next() * (last + 1));
    [result[last], result[place]] = [result[place], result[last]];
  }
  return result;
}

function kept(write) {
  const name = `listening-${content.test}-${content.seed}-${state.listener}`;
  try {
    if (write) localStorage.setItem(name, JSON.stringify(state.answers));
    else return JSON.parse(localStorage.getItem(name)) || [];
  } catch { /* answers are still on the page */ }
  return [];
}

function play(sound, button, place) {
  if (state.player) state.player.pause();
  for (const other of document.querySelectorAll(".playing")) other.classList.remove("playing");
  const player = new Audio(content.sounds[sound]);
  state.player = player;
  button.classList.add("playing");
  player.addEventListener("ended", () => button.classList.remove("playing"));
  player.addEventListener("error", () => { byId("progress").textContent = "This browser cannot play the sound."; });
  player.addEventListener("playing", () => {
    state.heard.add(sound);
    if (place !== null) state.last = place;
    allow();
  });
  player.play().catch(() => button.classList.remove("playing"));
}
function allow() {
  const trial = state.order[state.at];
  const ready = state.heard.has(trial.probe) && trial.options.every((sound) => state.heard.has(sound));
  for (const button of document.querySelectorAll(".choose")) button.disabled = !ready;
}

function show() {
  if (state.player) state.player.pause();
  byId("start").hidden = true;
  if (state.at >= state.order.length) return finish();
  const trial = state.order[state.at];
  state.heard = new Set();
  state.last = null;
  state.since = performance.now();
  byId("trial").hidden = false;
  byId("progress").textContent = `Trial ${state.at + 1} of ${state.order.length}`;
  byId("probe").onclick = () => play(trial.probe, byId("probe"), null);
  byId("options").replaceChildren(...trial.options.map((sound, place) => {
    const box = document.createElement("div");
    const listen = document.createElement("button");
    listen.type = "button";
    listen.className = "play";
    listen.innerHTML = `▶ Play <kbd>${place + 1}</kbd>`;
    listen.onclick = () => play(sound, listen, place);
    const choose = document.createElement("button");
    choose.type = "button";
    choose.className = "choose";
    choose.disabled = true;
    choose.textContent = "Choose";
    choose.onclick = () => answer(place);
    box.append(listen, choose);
    return box;
  }));
}
function answer(place) {
  const trial = state.order[state.at];
  const seconds = (performance.now() - state.since) / 1000;
  state.answers.push([state.listener, trial.name, trial.options[place], state.at + 1, seconds.toFixed(2)]);
  kept(true);
  state.at += 1;
  show();
}
function tsv() {
  return [columns, ...state.answers].map((row) => row.join("\t") + "\n").join("");
}
function finish() {
  byId("trial").hidden = true;
  byId("end").hidden = false;
  byId("thanks").textContent = `Thank you. ${state.answers.length} answers of ${state.order.length} trials.`;
  byId("answers").textContent = tsv();
}

byId("who").addEventListener("submit", (event) => {
  event.preventDefault();
  state.listener = byId("listener").value.trim();
  const key = `${content.seed}|${content.test}|${state.listener}`;
  state.order = shuffled(content.trials, key).map((trial) => (
    { ...trial, options: shuffled(trial.options, `${key}|${trial.name}`) }));
  state.answers = kept(false);
  state.at = state.answers.length;
  show();
});
byId("save").addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([tsv()], { type: "text/tab-separated-values" }));
  link.download = `answers_${state.listener.replace(/[^A-Za-z0-9]+/g, "-")}.tsv`;
  link.click();
});
addEventListener("keydown", (event) => {
  if (byId("trial").hidden || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const plays = document.querySelectorAll(".play");
  if (event.key === "0" || event.key === " ") byId("probe").click();
  else if (Number(event.key) >= 1 && Number(event.key) <= plays.length) plays[Number(event.key) - 1].click();
  else if (event.key === "Enter" && state.last !== null) document.querySelectorAll(".choose")[state.last].click();
  else return;
  event.preventDefault();
});
