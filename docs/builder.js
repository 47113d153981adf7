// The command builder: a form of all settings, and what says the same on the command line, in TOML and in Python.
// What is chosen stands in the address, so that a choice can be sent to somebody.
(() => {
  const data = JSON.parse(document.getElementById("builder-data").textContent);
  const root = document.getElementById("builder");
  const all = data.sections.flatMap((section) => section.settings);
  const inputs = new Map();

  const make = (tag, text = "", attributes = {}) => {
    const node = document.createElement(tag);
    node.textContent = text;
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  };
  const labelled = (text, input) => {
    const label = make("label", `${text} `);
    label.append(input);
    return label;
  };

  const video = make("input", "", { value: "match.mp4", size: 18 });
  const preset = make("select");
  for (const name of data.presets) preset.append(make("option", name));
  const head = make("p");
  head.append(labelled("Input", video), " ", labelled("Preset", preset));
  root.append(head);

  const field = (setting) => {
    if (setting.kind === "bool") return make("input", "", { type: "checkbox" });
    if (setting.kind === "choice") {
      const select = make("select");
      for (const choice of setting.choices) select.append(make("option", choice));
      return select;
    }
    if (setting.kind !== "number") return make("input", "", { size: 24 });
    const bounds = { type: "number", step: setting.whole ? 1 : "any" };
    if ("min" in setting) bounds.min = setting.min;
    if ("max" in setting) bounds.max = setting.max;
    return make("input", "", bounds);
  };
  for (const section of data.sections) {
    const details = make("details");
    details.append(make("summary", `${section.name}: ${section.about}`));
    for (const setting of section.settings) {
      const input = field(setting);
      input.name = setting.name;
      inputs.set(setting.name, input);
      const row = make("p");
      row.append(labelled(setting.option, input), make("br"), make("small", setting.about));
      details.append(row);
    }
    root.append(details);
  }
  const output = Object.fromEntries(["command", "toml", "python"].map((name) => [name, make("code", "", { id: `builder-${name}` })]));
  for (const [name, title] of [["command", "Command"], ["toml", "The same as a file for --config"], ["python", "The same in Python"]]) {
    const block = make("pre");
    block.append(output[name]);
    root.append(make("strong", title), block);
  }

  const read = (setting) => {
    const input = inputs.get(setting.name);
    if (setting.kind === "bool") return input.checked;
    if (setting.kind === "number") return input.value === "" ? NaN : Number(input.value);
    if (setting.kind === "list") return input.value.split(/[ ,]+/).filter(Boolean).map(Number);
    return input.value;
  };
  const write = (setting, value) => {
    const input = inputs.get(setting.name);
    if (setting.kind === "bool") input.checked = value === true || value === "true";
    else input.value = setting.kind === "list" && Array.isArray(value) ? value.join(" ") : String(value);
  };
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  const changed = () => all.filter((one) => !same(read(one), one.values[preset.value]));
  const bad = (setting) => !inputs.get(setting.name).checkValidity() || Number.isNaN(read(setting));

  const shell = (text) => (/^[\w@%+=:,./#-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
  const option = (one) => {
    const value = read(one);
    if (one.kind === "bool") return value ? one.option : one.option.replace("--", "--no-");
    return [one.option, ...(one.kind === "list" ? value.map(String) : [shell(String(value))])].join(" ");
  };
  const literal = (one, value) => {
    if (one.kind === "number" && !one.whole && Number.isInteger(value)) return value.toFixed(1);
    return JSON.stringify(value);
  };
  const python = (one, value) => {
    if (one.kind === "bool") return value ? "True" : "False";
    return one.kind === "list" ? `(${value.map((v) => `${v},`).join(" ")})` : literal(one, value);
  };
  const show = () => {
    const wrong = all.filter(bad);
    const settings = changed().filter((one) => !bad(one));
    const chosen = preset.value === data.default ? [] : [`--preset ${preset.value}`];
    const refused = wrong.map((one) => `# ${one.option} has a value that is not allowed, and is left out`);
    output.command.textContent = [
      ["dettrack track", shell(video.value), ...chosen, ...settings.map(option)].join(" "),
      ...refused,
    ].join("\n");
    output.toml.textContent = data.sections
      .map((section) => [section, settings.filter((one) => section.settings.includes(one))])
      .filter(([, some]) => some.length)
      .map(([section, some]) => [`[${section.name}]`, ...some.map((one) => `${one.name} = ${literal(one, read(one))}`)].join("\n"))
      .join("\n") || "# nothing differs from the preset";
    const words = preset.value === data.default ? [] : [`preset="${preset.value}"`];
    const given = [JSON.stringify(video.value), ...words, ...settings.map((one) => `${one.name}=${python(one, read(one))}`)];
    output.python.textContent = `import dettrack\n\ntable = dettrack.track_all(${given.join(", ")})`;
    const state = new URLSearchParams({ preset: preset.value });
    for (const one of settings) state.set(one.name, [read(one)].flat().join(" "));
    history.replaceState(null, "", `#${state}`);
  };
  const reset = () => all.forEach((one) => write(one, one.values[preset.value]));

  const given = new URLSearchParams(location.hash.slice(1));
  preset.value = data.presets.includes(given.get("preset")) ? given.get("preset") : data.default;
  reset();
  for (const one of all) if (given.has(one.name)) write(one, given.get(one.name));
  const asked = location.hash;
  preset.addEventListener("change", () => { reset(); show(); });
  root.addEventListener("input", (event) => { if (event.target !== preset) show(); });
  show();
  // An anchor of the page is no choice: it stays in the address until something is chosen.
  if (asked && !given.has("preset")) history.replaceState(null, "", asked);
})();
