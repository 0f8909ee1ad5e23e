"use strict";
(() => {
  const root = document.getElementById("cortex");
  const find = (selector) => root.querySelector(selector);
  const canvas = find(".cortex-stage canvas");
  const NO_VALUE = 65535, SIDES = ["L", "R"], SIDE_NAMES = { L: "left", R: "right" };
  const MARGIN = 1.04, LIGHT = [0.25, 0.45, 0.86];
  // rows: screen right, screen up and towards the eye, for the left hemisphere (x right, y front, z up)
  const VIEWS = {
    lateral: [0, -1, 0, 0, 0, 1, -1, 0, 0],
    medial: [0, 1, 0, 0, 0, 1, 1, 0, 0],
    dorsal: [1, 0, 0, 0, 1, 0, 0, 0, 1],
    posterior: [1, 0, 0, 0, 0, 1, 0, -1, 0],
  };
  const MIRROR = [1, -1, -1, -1, 1, 1, -1, 1, 1]; // the right hemisphere turns as in a mirror

  function fail(text) {
    root.dataset.state = "failed";
    const message = find(".cortex-message");
    message.textContent = text;
    message.hidden = false;
  }

  function unpack(text, Kind) {
    const binary = atob(text);
    const bytes = new Uint8Array(binary.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
    return new Kind(bytes.buffer); // written little-endian, as every browser's machine is
  }

  // ---- geometry

  function multiply(a, b) {
    const out = new Array(9);
    for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++)
      out[3 * i + j] = a[3 * i] * b[j] + a[3 * i + 1] * b[3 + j] + a[3 * i + 2] * b[6 + j];
    return out;
  }
  function turned(matrix, across, down) {
    const [c, s, d, t] = [Math.cos(across), Math.sin(across), Math.cos(down), Math.sin(down)];
    const next = multiply(multiply([1, 0, 0, 0, d, -t, 0, t, d], [c, 0, s, 0, 1, 0, -s, 0, c]), matrix);
    return orthonormal(next);
  }
  function orthonormal(m) { // keeps rounding errors from piling up
    const unit = (v) => { const n = Math.hypot(...v); return v.map((x) => x / n); };
    const a = unit(m.slice(0, 3));
    const dot = a[0] * m[3] + a[1] * m[4] + a[2] * m[5];
    const b = unit([m[3] - dot * a[0], m[4] - dot * a[1], m[5] - dot * a[2]]);
    return [...a, ...b, a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
  }
  const rotation = (side) => side === "L" ? state.turn : state.turn.map((x, i) => x * MIRROR[i]);

  function normalsOf(points, faces) {
    const normals = new Float32Array(points.length);
    for (let f = 0; f < faces.length; f += 3) {
      const [a, b, c] = [3 * faces[f], 3 * faces[f + 1], 3 * faces[f + 2]];
      const u = [0, 1, 2].map((k) => points[b + k] - points[a + k]);
      const v = [0, 1, 2].map((k) => points[c + k] - points[a + k]);
      const n = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
      for (const corner of [a, b, c]) for (let k = 0; k < 3; k++) normals[corner + k] += n[k];
    }
    let outward = 0;
    for (let i = 0; i < points.length; i++) outward += points[i] * normals[i];
    const sign = outward < 0 ? -1 : 1;
    for (let i = 0; i < normals.length; i += 3) {
      const length = sign * (Math.hypot(normals[i], normals[i + 1], normals[i + 2]) || 1);
      for (let k = 0; k < 3; k++) normals[i + k] /= length;
    }
    return normals;
  }
  function atCorners(values, faces, size) {
    const out = new Float32Array(faces.length * size);
    for (let i = 0; i < faces.length; i++)
      for (let k = 0; k < size; k++) out[size * i + k] = values[size * faces[i] + k];
    return out;
  }

  // ---- values and colours

  function decoded(map) {
    if (map.codes) return map;
    map.codes = unpack(map.data, map.kind === "continuous" ? Uint16Array : Uint8Array);
    if (map.colours) map.table = unpack(map.colours, Uint8Array);
    map.data = null;
    return map;
  }
  function valueOf(map, index) { // NaN where undefined
    if (map.kind === "labels") return map.codes[index] || NaN;
    if (map.kind === "rgb") return map.codes[4 * index + 3] ? 1 : NaN;
    return map.codes[index] === NO_VALUE ? NaN : map.from + map.step * map.codes[index];
  }
  function isSignificant(map, index) { // null where nothing was tested
    if (map.mask === undefined) return null;
    if (typeof data.masks[map.mask] === "string") data.masks[map.mask] = unpack(data.masks[map.mask], Uint8Array);
    return data.masks[map.mask][index] === 1;
  }
  function shownOf(map, index) { // the value, unless only significant places are to be shown
    return state.only && isSignificant(map, index) === false ? NaN : valueOf(map, index);
  }
  function colourOf(map, value) { // offset into the table of colours
    const n = map.table.length / 3;
    const place = map.kind === "labels" ? value - 1 : Math.floor(n * (value - map.low) / (map.high - map.low));
    return 3 * Math.min(n - 1, Math.max(0, place));
  }
  // one colour per corner; alpha says how much of it covers the bare cortex
  function cornerColours(map, side) {
    const { faces, n } = data.meshes, start = side === "L" ? 0 : n;
    const out = new Uint8Array(4 * faces.length);
    for (let f = 0; f < faces.length; f += 3) {
      const corners = [faces[f] + start, faces[f + 1] + start, faces[f + 2] + start];
      const values = corners.map((corner) => shownOf(map, corner));
      const known = values.filter((value) => !Number.isNaN(value));
      if (known.length < 2) continue;
      const middle = known.slice().sort((a, b) => a - b)[known.length === 3 ? 1 : 0];
      const spare = (known[0] + known[1]) / 2;
      for (let k = 0; k < 3; k++) {
        const at = 4 * (f + k);
        if (map.kind === "rgb") {
          const source = Number.isNaN(values[k]) ? corners[values.findIndex((v) => !Number.isNaN(v))] : corners[k];
          for (let c = 0; c < 3; c++) out[at + c] = map.codes[4 * source + c];
        } else { // a layer between two layers is not a mixture of their colours: one label per face
          const value = map.kind === "labels" ? middle : Number.isNaN(values[k]) ? spare : values[k];
          const place = colourOf(map, value);
          for (let c = 0; c < 3; c++) out[at + c] = map.table[place + c];
        }
        out[at + 3] = 255;
      }
    }
    return out;
  }
  function words(map, value, index) {
    if (Number.isNaN(value)) return "no value";
    if (map.kind === "labels") return `${value} ${map.names[value - 1] ?? ""}`;
    if (map.kind === "rgb") return "red, green, blue " + [0, 1, 2].map((c) => (map.codes[4 * index + c] / 255).toFixed(2)).join(", ");
    return `${map.label} ${number(value, map.high - map.low)}`;
  }
  function number(value, range) {
    const digits = Math.min(5, Math.max(0, 3 - Math.floor(Math.log10(Math.abs(range) || 1)) - 1));
    return value.toFixed(digits).replace("-", "\u2212");
  }

  // ---- WebGL

  const SHADERS = {
    VERTEX_SHADER: `
      attribute vec3 point; attribute vec3 normal; attribute float relief; attribute vec4 colour;
      uniform mat3 turn; uniform vec2 scale; varying vec3 shade;
      void main() {
        vec3 p = turn * point;
        float facing = max(dot(normalize(turn * normal), normalize(vec3(${LIGHT}))), 0.0);
        float grey = (0.84 - 0.06 * relief) * (0.62 + 0.38 * facing);
        shade = mix(vec3(grey), colour.rgb * (0.82 + 0.18 * facing), colour.a);
        gl_Position = vec4(p.xy * scale, -0.4 * p.z, 1.0);
      }`,
    FRAGMENT_SHADER: "precision mediump float; varying vec3 shade; void main() { gl_FragColor = vec4(shade, 1.0); }",
  };
  function program(gl) {
    const made = gl.createProgram();
    for (const [kind, text] of Object.entries(SHADERS)) {
      const shader = gl.createShader(gl[kind]);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
      gl.attachShader(made, shader);
    }
    gl.linkProgram(made);
    if (!gl.getProgramParameter(made, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(made));
    return made;
  }
  function upload(gl, values) {
    const buffer = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
    return buffer;
  }
  function bind(name, buffer, size, type = gl.FLOAT) {
    const place = gl.getAttribLocation(scene.program, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, size, type, type !== gl.FLOAT, 0, 0);
  }
  function prepare() {
    scene.program = program(gl);
    gl.enable(gl.DEPTH_TEST);
    gl.clearColor(1, 1, 1, 1);
    const { faces } = data.meshes;
    for (const side of SIDES) {
      const { points, normals, relief } = scene.mesh[side];
      scene.buffers[side] = {
        point: upload(gl, atCorners(points, faces, 3)),
        normal: upload(gl, atCorners(normals, faces, 3)),
        relief: upload(gl, atCorners(relief, faces, 1)),
        colour: gl.createBuffer(),
      };
    }
  }
  function half(side) { // of the canvas, in CSS pixels: left edge, width, height, pixels per unit
    const box = canvas.getBoundingClientRect();
    const width = box.width / 2;
    const pixels = state.zoom * Math.min(width, box.height * 1.35) / (2 * MARGIN);
    return { left: side === "L" ? 0 : width, width, height: box.height, pixels };
  }
  function draw() {
    const box = canvas.getBoundingClientRect(), dense = Math.min(window.devicePixelRatio || 1, 2);
    const width = Math.round(box.width * dense), height = Math.round(box.height * dense);
    if (!width || !height) return;
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    gl.useProgram(scene.program);
    gl.disable(gl.SCISSOR_TEST);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.enable(gl.SCISSOR_TEST);
    for (const side of SIDES) {
      const place = half(side), m = rotation(side), buffers = scene.buffers[side];
      const frame = [Math.round(place.left * dense), 0, Math.round(place.width * dense), height];
      gl.viewport(...frame);
      gl.scissor(...frame);
      gl.uniformMatrix3fv(gl.getUniformLocation(scene.program, "turn"), false,
        [m[0], m[3], m[6], m[1], m[4], m[7], m[2], m[5], m[8]]);
      gl.uniform2f(gl.getUniformLocation(scene.program, "scale"),
        2 * place.pixels / place.width, 2 * place.pixels / place.height);
      bind("point", buffers.point, 3);
      bind("normal", buffers.normal, 3);
      bind("relief", buffers.relief, 1);
      bind("colour", buffers.colour, 4, gl.UNSIGNED_BYTE);
      gl.drawArrays(gl.TRIANGLES, 0, data.meshes.faces.length);
    }
    placeMark();
    root.dataset.drawn = Number(root.dataset.drawn || 0) + 1;
  }

  // ---- what is under the pointer

  function onScreen(side) { // x, y in CSS pixels of the canvas; z grows towards the eye
    const place = half(side), m = rotation(side), { points } = scene.mesh[side];
    const out = new Float32Array(points.length);
    for (let i = 0; i < points.length; i += 3) {
      const [x, y, z] = [points[i], points[i + 1], points[i + 2]];
      out[i] = place.left + place.width / 2 + place.pixels * (m[0] * x + m[1] * y + m[2] * z);
      out[i + 1] = place.height / 2 - place.pixels * (m[3] * x + m[4] * y + m[5] * z);
      out[i + 2] = m[6] * x + m[7] * y + m[8] * z;
    }
    return out;
  }
  function pick(x, y) { // the nearest corner of the foremost face there
    const side = x < canvas.getBoundingClientRect().width / 2 ? "L" : "R";
    const p = onScreen(side), { faces } = data.meshes;
    let best = null, nearest = -Infinity;
    for (let f = 0; f < faces.length; f += 3) {
      const [a, b, c] = [3 * faces[f], 3 * faces[f + 1], 3 * faces[f + 2]];
      const area = (p[b] - p[a]) * (p[c + 1] - p[a + 1]) - (p[c] - p[a]) * (p[b + 1] - p[a + 1]);
      if (!area) continue;
      const u = ((p[b] - x) * (p[c + 1] - y) - (p[c] - x) * (p[b + 1] - y)) / area;
      const v = ((p[c] - x) * (p[a + 1] - y) - (p[a] - x) * (p[c + 1] - y)) / area;
      const w = 1 - u - v;
      if (u < 0 || v < 0 || w < 0) continue;
      const z = u * p[a + 2] + v * p[b + 2] + w * p[c + 2];
      if (z <= nearest) continue;
      nearest = z;
      best = (u >= v && u >= w ? a : v >= w ? b : c) / 3;
    }
    return best === null ? null : { side, vertex: best };
  }
  const indexOf = (spot) => spot.vertex + (spot.side === "L" ? 0 : data.meshes.n);

  function describe(spot) {
    const index = indexOf(spot), value = valueOf(state.map, index);
    const region = data.regions.names[data.regions.index[index]];
    const parts = [words(state.map, value, index), `${SIDE_NAMES[spot.side]} hemisphere, vertex ${spot.vertex}`];
    if (region) parts.push(`Schaefer parcel ${region}`);
    const passed = isSignificant(state.map, index);
    if (passed !== null) parts.push(passed ? "significant" : "not significant");
    return parts.join(" \u00b7 ");
  }
  function say(spot) {
    find(".cortex-value").textContent = spot ? describe(spot) : "\u00a0";
    if (spot) root.dataset.value = String(valueOf(state.map, indexOf(spot)));
    else delete root.dataset.value;
  }
  function placeMark() {
    const mark = find(".cortex-mark");
    mark.hidden = true;
    if (!state.kept) return;
    const { side, vertex } = state.kept, p = onScreen(side), m = rotation(side), n = scene.mesh[side].normals;
    const facing = m[6] * n[3 * vertex] + m[7] * n[3 * vertex + 1] + m[8] * n[3 * vertex + 2];
    if (facing <= 0) return;
    mark.style.left = `${p[3 * vertex]}px`;
    mark.style.top = `${p[3 * vertex + 1]}px`;
    mark.hidden = false;
  }

  // ---- profile over layers of one vertex

  const svg = (name, attributes, text = "") => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    return made;
  };
  function profile() {
    const box = find(".cortex-profile"), frame = find(".cortex-profile svg");
    const spot = state.kept;
    const wanted = spot && state.map.series;
    const points = wanted ? data.maps.filter((map) => map.series === wanted && map.place)
      .map((map) => ({ place: map.place, title: map.title, value: valueOf(decoded(map), indexOf(spot)) })) : [];
    const known = points.filter((point) => !Number.isNaN(point.value));
    box.hidden = known.length < 2;
    frame.replaceChildren();
    if (box.hidden) return;
    const [w, h, left, right, top, bottom] = [560, 150, 44, 8, 10, 34];
    const values = known.map((point) => point.value);
    const low = Math.min(0, ...values), high = Math.max(0, ...values) || 0.01;
    const x = (place) => left + (w - left - right) * (place - 1) / Math.max(1, points.length - 1);
    const y = (value) => top + (h - top - bottom) * (high - value) / (high - low);
    frame.setAttribute("viewBox", `0 0 ${w} ${h}`);
    const best = known.reduce((a, b) => b.value > a.value ? b : a);
    frame.setAttribute("aria-label", `Profile of ${known.length} layers, largest ${best.value.toFixed(3)} in ${best.title}`);
    frame.append(svg("line", { x1: left, x2: w - right, y1: y(0), y2: y(0), stroke: "#d9dee3" }));
    for (const value of [0, high]) frame.append(svg("text", { x: left - 6, y: y(value) + 3, "text-anchor": "end" }, value.toFixed(2)));
    frame.append(svg("polyline", {
      points: known.map((point) => `${x(point.place)},${y(point.value)}`).join(" "), fill: "none", stroke: "#0b5c94", "stroke-width": 1.8,
    }));
    frame.append(svg("circle", { cx: x(best.place), cy: y(best.value), r: 3.5, fill: "#0b5c94" }));
    const isFar = (point) => Math.abs(x(point.place) - x(best.place)) > 90; // room for names
    for (const point of [best, ...[points[0], points.at(-1)].filter(isFar)])
      frame.append(svg("text", { x: x(point.place), y: h - bottom + 16, "text-anchor": x(point.place) < left + 40 ? "start" : x(point.place) > w - right - 40 ? "end" : "middle" }, point.title));
    find(".cortex-profile p").textContent = `${wanted}, at ${SIDE_NAMES[spot.side]} vertex ${spot.vertex}: ${best.value.toFixed(3)} in ${best.title}`;
  }

  // ---- choosing

  function show(id) {
    const map = state.map = decoded(data.maps[id]);
    for (const side of SIDES) {
      gl.bindBuffer(gl.ARRAY_BUFFER, scene.buffers[side].colour);
      gl.bufferData(gl.ARRAY_BUFFER, cornerColours(map, side), gl.DYNAMIC_DRAW);
    }
    legend(map);
    find(".cortex-note").textContent = map.note;
    canvas.setAttribute("aria-label", `Both hemispheres, ${state.view}: ${map.group}, ${map.title}`);
    root.dataset.map = id;
    find("[data-peak]").disabled = map.kind === "rgb";
    if (find("[data-only]")) find("[data-only]").disabled = map.mask === undefined;
    say(state.kept);
    profile();
    draw();
  }
  function legend(map) {
    const ramp = find(".cortex-ramp canvas"), ticks = find(".cortex-ticks");
    find(".cortex-label").textContent = map.kind === "rgb" ? "red, green, blue: components 1, 2, 3" : map.label;
    find(".cortex-names").textContent = map.names.map((name, place) => `${place + 1} ${name}`).join(" \u00b7 ");
    ticks.replaceChildren();
    find(".cortex-ramp").hidden = map.kind === "rgb";
    if (map.kind === "rgb") return;
    const n = map.table.length / 3;
    ramp.width = n;
    const pen = ramp.getContext("2d"), pixels = pen.createImageData(n, 1);
    for (let i = 0; i < n; i++) pixels.data.set([map.table[3 * i], map.table[3 * i + 1], map.table[3 * i + 2], 255], 4 * i);
    pen.putImageData(pixels, 0, 0);
    for (const [place, text] of map.ticks) {
      const tick = document.createElement("span");
      tick.style.left = `${100 * place}%`;
      tick.textContent = text;
      ticks.append(tick);
    }
  }
  function look(view) {
    state.view = view;
    state.turn = VIEWS[view].slice();
    for (const button of root.querySelectorAll("[data-view]"))
      button.setAttribute("aria-pressed", String(button.dataset.view === view));
    root.dataset.view = view;
  }
  function turn(across, down) {
    state.turn = turned(state.turn, across, down);
    state.view = "turned by hand";
    root.dataset.view = "";
    for (const button of root.querySelectorAll("[data-view]")) button.setAttribute("aria-pressed", "false");
    draw();
  }
  function zoom(factor) {
    state.zoom = Math.min(6, Math.max(0.6, state.zoom * factor));
    draw();
  }
  function keep(spot) {
    state.kept = spot;
    say(spot);
    profile();
    placeMark();
  }
  function peak() {
    let best = -1, largest = -Infinity;
    for (let i = 0; i < 2 * data.meshes.n; i++) {
      const value = state.map.kind === "rgb" ? NaN : shownOf(state.map, i);
      if (value > largest) [best, largest] = [i, value];
    }
    if (best < 0) return;
    const side = best < data.meshes.n ? "L" : "R", vertex = best % data.meshes.n;
    const outward = scene.mesh[side].normals[3 * vertex] * (side === "L" ? -1 : 1);
    look(outward >= 0 ? "lateral" : "medial");
    keep({ side, vertex });
    draw();
  }

  // ---- events

  function listen() {
    for (const radio of root.querySelectorAll("input[name=cortex-map]"))
      radio.addEventListener("change", () => show(Number(radio.value)));
    for (const button of root.querySelectorAll("[data-view]"))
      button.addEventListener("click", () => { look(button.dataset.view); draw(); });
    for (const button of root.querySelectorAll("[data-zoom]"))
      button.addEventListener("click", () => zoom(Number(button.dataset.zoom)));
    find("[data-peak]").addEventListener("click", peak);
    find("[data-only]")?.addEventListener("change", (event) => {
      state.only = event.target.checked;
      show(state.map.id);
    });
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    let held = null;
    canvas.addEventListener("pointerdown", (event) => {
      held = { x: event.clientX, y: event.clientY, moved: 0, hand: at(event)[0] < half("L").width ? 1 : -1 };
      try { canvas.setPointerCapture(event.pointerId); } catch { /* a pointer that is gone already */ }
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!held) return say(pick(...at(event)) || state.kept);
      const [dx, dy] = [event.clientX - held.x, event.clientY - held.y];
      held.moved += Math.abs(dx) + Math.abs(dy);
      [held.x, held.y] = [event.clientX, event.clientY];
      return turn(held.hand * dx * 0.01, dy * 0.01);
    });
    canvas.addEventListener("pointerup", (event) => {
      if (held && held.moved < 4) keep(pick(...at(event)));
      held = null;
    });
    canvas.addEventListener("pointercancel", () => { held = null; });
    canvas.addEventListener("pointerleave", () => { if (!held) say(state.kept); });
    const keys = {
      ArrowLeft: () => turn(-0.15, 0), ArrowRight: () => turn(0.15, 0), ArrowUp: () => turn(0, -0.15),
      ArrowDown: () => turn(0, 0.15), "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8),
      Home: () => { look("lateral"); state.zoom = 1; draw(); },
    };
    canvas.addEventListener("keydown", (event) => {
      if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      keys[event.key]();
      event.preventDefault();
    });
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => { prepare(); show(state.map.id); });
    if ("ResizeObserver" in window) new ResizeObserver(() => draw()).observe(canvas);
  }

  // ---- start

  const state = { turn: VIEWS.lateral.slice(), view: "lateral", zoom: 1, map: null, kept: null, only: false };
  const scene = { program: null, mesh: {}, buffers: {} };
  const gl = canvas.getContext("webgl", { antialias: true, alpha: false });
  if (!gl) {
    fail("This browser offers no WebGL, so the cortex cannot be turned here; the figures below show the main maps.");
    return;
  }
  let data;
  try {
    data = JSON.parse(document.getElementById("cortex-data").textContent);
    data.meshes.faces = unpack(data.meshes.faces, Uint16Array);
    data.regions.index = unpack(data.regions.index, Uint16Array);
    for (const side of SIDES) {
      const points = Float32Array.from(unpack(data.meshes.points[side], Int16Array), (x) => x / 32767);
      const relief = Float32Array.from(unpack(data.meshes.relief[side], Int8Array), (x) => x / 127);
      scene.mesh[side] = { points, relief, normals: normalsOf(points, data.meshes.faces) };
    }
    prepare();
    look("lateral");
    listen();
    find("input[name=cortex-map]").checked = true;
    show(0);
    root.dataset.state = "ready";
  } catch (error) {
    fail(`The interactive cortex could not be drawn (${error.message}); the figures below show the main maps.`);
  }
})();
