// Charts that answer: what is pointed at is read out, a drag across enlarges, Escape or a double click shows all again.
// Without this script they are pictures. The values stand in each chart's <metadata>; `charts/data.rs` says how.
{
  const NAMESPACE = "http://www.w3.org/2000/svg";
  const make = (name, attributes, parent) => {
    const element = document.createElementNS(NAMESPACE, name);
    for (const key of Object.keys(attributes)) element.setAttribute(key, attributes[key]);
    if (parent) parent.append(element);
    return element;
  };
  const word = (name, className, text, parent) => {
    const element = document.createElement(name);
    element.className = className;
    element.textContent = text;
    parent.append(element);
    return element;
  };

  // Numbers on a zoomed axis are written as those of the whole one.
  const decimalsOf = (step) => Math.max(0, Math.min(9, -Math.floor(Math.log10(step) + 1e-9)));
  const trimmed = (value) => String(Number(value.toFixed(3)));
  const clock = (seconds) => {
    const sign = seconds < 0 ? "-" : "";
    const whole = Math.abs(seconds);
    if (whole < 5e-7) return "0s";
    if (whole < 1e-3) return `${sign}${trimmed(whole * 1e6)}us`;
    if (whole < 1) return `${sign}${trimmed(whole * 1e3)}ms`;
    const rounded = Math.round(whole * 1e3) / 1e3;
    const [hours, minutes, rest] = [Math.floor(rounded / 3600), Math.floor((rounded % 3600) / 60), rounded % 60];
    return sign + (hours ? `${hours}h` : "") + (minutes ? `${minutes}m` : "") + (rest > 5e-4 ? `${trimmed(rest)}s` : "");
  };
  const time = (seconds) => {
    const short = (value) => String(Number(value.toPrecision(3)));
    if (seconds < 1e-6) return `${short(seconds * 1e9)} ns`;
    if (seconds < 1e-3) return `${short(seconds * 1e6)} µs`;
    if (seconds < 1) return `${short(seconds * 1e3)} ms`;
    return seconds < 120 ? `${short(seconds)} s` : clock(Math.round(seconds));
  };
  const plain = (value, decimals) => {
    const large = Math.abs(value);
    const short = (scaled, suffix) => `${Number(scaled.toFixed(4))} ${suffix}`;
    if (large >= 1e9) return short(value / 1e9, "G");
    if (large >= 1e6) return short(value / 1e6, "M");
    if (large >= 1e4) return short(value / 1e3, "k");
    return value.toLocaleString("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  };
  const tickText = (axis, value, step) => {
    if (axis.unit === "instant") return clock(value);
    if (axis.unit === "share") return `${(value * 100).toFixed(decimalsOf(step * 100))} %`;
    if (axis.unit === "seconds") return axis.log ? time(value) : (value / axis.divisor).toFixed(decimalsOf(step / axis.divisor));
    return (axis.unit === "factor" ? "×" : "") + plain(value, decimalsOf(step));
  };
  const roundStep = (axis, least) => {
    const clocks = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];
    if (axis.unit === "instant" && least > 0.5) {
      const found = clocks.find((step) => step >= least);
      if (found) return found;
    }
    const decade = 10 ** Math.floor(Math.log10(least) + 1e-9);
    return [1, 2, 5, 10].map((part) => part * decade).find((step) => step >= least * (1 - 1e-9));
  };
  // Places between 0 and 1 along the part of an axis that is seen, and what is written there.
  const ticks = (axis, [from, to], wanted) => {
    const [low, high] = [from, to].map((share) => axis.low + share * (axis.high - axis.low));
    const at = (place) => (place - low) / (high - low);
    const seen = ([place]) => place > -1e-9 && place < 1 + 1e-9;
    if (axis.ticks) return axis.ticks.map(([place, text]) => [at(place), text]).filter(seen);
    const found = [];
    if (axis.log && high - low > 0.6) {
      for (let decade = Math.floor(low); decade <= Math.ceil(high); decade += 1) {
        for (const part of high - low > 3 ? [1] : [1, 2, 5]) {
          const value = part * 10 ** decade;
          found.push([at(Math.log10(value)), tickText(axis, value, value)]);
        }
      }
      return found.filter(seen);
    }
    const [least, most] = axis.log ? [10 ** low, 10 ** high] : [low, high];
    const step = roundStep(axis, (most - least) / wanted);
    for (let count = Math.ceil(least / step - 1e-9); count <= most / step + 1e-9; count += 1) {
      const value = count * step;
      found.push([at(axis.log ? Math.log10(value) : value), tickText(axis, value, step)]);
    }
    return found.filter(seen);
  };

  const enliven = (svg, data) => {
    const figure = svg.parentElement;
    const [left, top, right, bottom] = data.box;
    const plots = Array.from(svg.querySelectorAll("svg.plot"));
    const whole = { x: [0, 1], y: [0, 1] };
    let view = whole;
    let marked = null;
    // A browser would lay the title over what is read out; the name of the chart remains.
    svg.querySelector("title").remove();
    svg.setAttribute("tabindex", "0");
    svg.classList.add("live");
    if (data.zoom) svg.classList.add("zooms");

    const overlay = make("g", { class: "overlay" }, svg);
    const tip = word("div", "tip", "", figure);
    tip.setAttribute("role", "status");
    tip.hidden = true;
    const hint = word("p", "hint", data.zoom ? "Point, or use the arrow keys, for values; drag across to enlarge." : "Point, or use the arrow keys, for values.", figure);
    const back = word("button", "back", "Show all", figure);
    back.type = "button";
    back.hidden = true;

    // Shapes as they were drawn, from which every view is made.
    const shapes = plots.flatMap((plot) => Array.from(plot.querySelectorAll("polyline, polygon, rect, g.mark")))
      .filter((shape) => shape.matches("g.mark") || !shape.closest("g.mark"))
      .map((shape) => {
        const number = (name) => Number(shape.getAttribute(name));
        if (shape.matches("g.mark")) return { shape, x: Number(shape.dataset.x), y: Number(shape.dataset.y) };
        if (shape.matches("rect")) return { shape, x: number("x"), y: number("y"), width: number("width"), height: number("height") };
        return { shape, places: shape.getAttribute("points").split(" ").map((place) => place.split(",").map(Number)) };
      });
    const axes = { x: svg.querySelector("g.x-axis"), y: svg.querySelector("g.y-axis") };
    const drawn = { x: axes.x && Array.from(axes.x.childNodes), y: axes.y && Array.from(axes.y.childNodes) };
    const names = Array.from(svg.querySelectorAll("g.fault-name > text")).map((text) => ({ text, x: Number(text.getAttribute("x")) }));
    const along = ([from, to], share) => (share - from) / (to - from);
    const toX = (pixel) => left + (right - left) * along(view.x, (pixel - left) / (right - left));
    const toY = (pixel) => bottom - (bottom - top) * along(view.y, (bottom - pixel) / (bottom - top));
    const short = (pixel) => Math.round(Math.max(-1e5, Math.min(1e5, pixel)) * 10) / 10;

    const draw = () => {
      const zoomed = view !== whole;
      plots.forEach((plot) => plot.setAttribute("overflow", zoomed ? "hidden" : "visible"));
      for (const it of shapes) {
        if (it.places) {
          it.shape.setAttribute("points", it.places.map(([x, y]) => `${short(toX(x))},${short(toY(y))}`).join(" "));
        } else if (it.width !== undefined) {
          // Bands reach from the bottom to the top whatever is seen.
          it.shape.setAttribute("x", short(toX(it.x)));
          it.shape.setAttribute("width", short(toX(it.x + it.width) - toX(it.x)));
        } else {
          // What stands on the axis stays there.
          const down = it.shape.dataset.y === undefined ? 0 : toY(it.y) - it.y;
          if (zoomed) it.shape.setAttribute("transform", `translate(${short(toX(it.x) - it.x)} ${short(down)})`);
          else it.shape.removeAttribute("transform");
        }
      }
      for (const { text, x } of names) {
        const place = toX(x);
        text.setAttribute("x", short(place));
        text.setAttribute("visibility", zoomed && (place < left - 20 || place > right - 20) ? "hidden" : "visible");
      }
      if (axes.x) zoomed ? drawX() : axes.x.replaceChildren(...drawn.x);
      if (axes.y) zoomed ? drawY() : axes.y.replaceChildren(...drawn.y);
      back.hidden = !zoomed;
      point(marked);
    };
    const label = (group, x, y, anchor, text) => {
      const element = make("text", { class: "ink", x: short(x), y: short(y + 4.2), "font-size": 11.5, "text-anchor": anchor }, group);
      element.textContent = text;
      return element;
    };
    const drawX = () => {
      axes.x.replaceChildren();
      let free = -Infinity;
      for (const [share, text] of ticks(data.x, view.x, 8)) {
        const x = left + share * (right - left);
        make("polyline", { class: "grid", fill: "none", "stroke-width": 1, points: `${short(x)},${top} ${short(x)},${bottom + 4}` }, axes.x);
        const half = text.length * 3.4;
        if (x - half < free) continue;
        label(axes.x, x, bottom + 14, "middle", text);
        free = x + half + 8;
      }
    };
    const drawY = () => {
      axes.y.replaceChildren();
      for (const [share, text] of ticks(data.y, view.y, 5)) {
        const y = bottom - share * (bottom - top);
        make("polyline", { class: "grid", fill: "none", "stroke-width": 1, points: `${left},${short(y)} ${right},${short(y)}` }, axes.y);
        label(axes.y, left - 7, y, "end", text);
      }
    };
    const zoom = (next) => {
      view = next && next.x[0] <= 0 && next.x[1] >= 1 && next.y[0] <= 0 && next.y[1] >= 1 ? whole : next || whole;
      draw();
    };

    // Where a value is drawn now.
    const share = (axis, value) => ((axis.log ? Math.log10(value) : value) - axis.low) / (axis.high - axis.low);
    const columnX = (column) => left + (right - left) * along(view.x, share(data.x, data.at[column]));
    const valueY = (value) => bottom - (bottom - top) * along(view.y, share(data.y, value));
    const inside = (x) => x > left - 1 && x < right + 1;

    const point = (target) => {
      marked = target;
      overlay.replaceChildren();
      tip.hidden = true;
      if (target === null) return;
      tip.replaceChildren();
      let at;
      if (data.cells) {
        const { box, lines } = data.cells[target];
        make("rect", { class: "chosen", x: box[0], y: box[1], width: box[2] - box[0], height: box[3] - box[1] }, overlay);
        lines.forEach((line, number) => word(number ? "div" : "b", "", line, tip));
        at = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
      } else {
        const x = columnX(target);
        if (!inside(x)) {
          marked = null;
          return;
        }
        make("polyline", { class: "pointer", points: `${x},${top} ${x},${bottom}` }, overlay);
        word("b", "", data.names[target], tip);
        for (const series of data.series) {
          if (series.text[target] === null || series.text[target] === undefined) continue;
          const y = series.y[target] === null ? NaN : valueY(series.y[target]);
          if (y >= top - 1 && y <= bottom + 1) make("circle", { class: `dot ${series.role}`, cx: x, cy: y, r: 4.5 }, overlay);
          const row = word("div", "", "", tip);
          word("i", series.role, "", row);
          word("span", "", series.name, row);
          word("span", "value", series.text[target], row);
        }
        if (tip.childElementCount === 1) word("div", "", "unknown", tip);
        at = [x, top + 8];
      }
      tip.hidden = false;
      // On the side where there is room.
      const [frame, box] = [figure.getBoundingClientRect(), svg.getBoundingClientRect()];
      const scale = box.width / svg.viewBox.baseVal.width;
      const x = box.left - frame.left + figure.scrollLeft + at[0] * scale;
      const over = x + tip.offsetWidth + 20 > figure.scrollLeft + figure.clientWidth;
      tip.style.left = `${Math.max(figure.scrollLeft, over ? x - tip.offsetWidth - 14 : x + 14)}px`;
      tip.style.top = `${Math.max(0, box.top - frame.top + at[1] * scale)}px`;
    };

    const place = (event) => {
      const box = svg.getBoundingClientRect();
      const scale = svg.viewBox.baseVal.width / box.width;
      return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
    };
    const nearest = ([x, y]) => {
      if (data.cells) {
        const found = data.cells.findIndex(({ box }) => x >= box[0] && x <= box[2] && y >= box[1] && y <= box[3]);
        return found < 0 ? null : found;
      }
      if (x < left - 6 || x > right + 6 || y < top - 6 || y > bottom + 6) return null;
      let best = null;
      data.at.forEach((_, column) => {
        const distance = Math.abs(columnX(column) - x);
        if (inside(columnX(column)) && (best === null || distance < best[0])) best = [distance, column];
      });
      return best && best[1];
    };

    let began = null;
    let band = null;
    svg.addEventListener("pointerdown", (event) => {
      const from = place(event);
      if (!data.zoom || event.button !== 0 || nearest(from) === null) return;
      began = from;
      svg.setPointerCapture(event.pointerId);
    });
    svg.addEventListener("pointermove", (event) => {
      const now = place(event);
      if (!began) {
        point(nearest(now));
        return;
      }
      point(null);
      const [x0, x1] = [began[0], now[0]].sort((a, b) => a - b).map((x) => Math.max(left, Math.min(right, x)));
      const tall = data.zoom === "xy" && Math.abs(now[1] - began[1]) > 24;
      const [y0, y1] = tall ? [began[1], now[1]].sort((a, b) => a - b).map((y) => Math.max(top, Math.min(bottom, y))) : [top, bottom];
      band = { x0, x1, y0, y1, tall };
      make("rect", { class: "band", x: x0, y: y0, width: Math.max(0, x1 - x0), height: Math.max(0, y1 - y0) }, overlay);
    });
    const dropped = () => {
      if (band && band.x1 - band.x0 > 8) {
        const inX = (x) => view.x[0] + ((x - left) / (right - left)) * (view.x[1] - view.x[0]);
        const inY = (y) => view.y[0] + ((bottom - y) / (bottom - top)) * (view.y[1] - view.y[0]);
        zoom({ x: [inX(band.x0), inX(band.x1)], y: band.tall ? [inY(band.y1), inY(band.y0)] : view.y });
      } else {
        overlay.replaceChildren();
      }
      [began, band] = [null, null];
    };
    svg.addEventListener("pointerup", dropped);
    svg.addEventListener("pointercancel", () => {
      [began, band] = [null, null];
      point(null);
    });
    svg.addEventListener("pointerleave", () => began || point(null));
    svg.addEventListener("blur", () => point(null));
    svg.addEventListener("dblclick", () => zoom(null));
    back.addEventListener("click", () => {
      zoom(null);
      svg.focus();
    });
    const scaleBy = (factor) => {
      const middle = marked === null || data.cells ? 0.5 : along([left, right], columnX(marked));
      const [from, to] = view.x;
      const width = Math.min(1, (to - from) * factor);
      const begin = Math.max(0, Math.min(1 - width, from + middle * (to - from) - middle * width));
      zoom({ x: [begin, begin + width], y: view.y });
    };
    svg.addEventListener("keydown", (event) => {
      const count = data.cells ? data.cells.length : data.at.length;
      const step = { ArrowRight: 1, ArrowDown: data.cells ? 1 : 0, ArrowLeft: -1, ArrowUp: data.cells ? -1 : 0 }[event.key];
      if (step && count) {
        let next = marked === null ? (step > 0 ? 0 : count - 1) : Math.max(0, Math.min(count - 1, marked + step));
        if (!data.cells && marked === null) while (next >= 0 && next < count && !inside(columnX(next))) next += step;
        if (next >= 0 && next < count && (data.cells || inside(columnX(next)))) point(next);
      } else if (data.zoom && (event.key === "+" || event.key === "=")) scaleBy(0.5);
      else if (data.zoom && event.key === "-") scaleBy(2);
      else if (event.key === "Escape") zoom(null);
      else return;
      event.preventDefault();
    });
  };

  for (const svg of document.querySelectorAll("figure > svg")) {
    const source = svg.querySelector("metadata");
    if (source) enliven(svg, JSON.parse(source.textContent));
  }
}
