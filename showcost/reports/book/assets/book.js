"use strict";
// The book: lists, rows and searches over the data of the page, or of the files beside it. No text of the data
// is ever parsed as markup: everything is set as the text of an element.
(() => {
const book = JSON.parse(document.getElementById("book-index").textContent);
const home = document.getElementById("home"), view = document.getElementById("view");
const status = document.getElementById("status"), form = document.getElementById("search-form");
const PAGE = 200, MOST_HITS = 500, KEPT = 24, MOST_NAMED = 8;
const [R, DATE, VENDOR, DOCUMENT, TEXT, COMPONENT, REVERSAL, CURRENCY, AMOUNT, BASE, FLAGS, SERIES, LOCATION, CODE, REPORTED] =
  Array.from({length: 15}, (_, place) => place);
const translated = book.currency !== book.base;  // entries have their amount in the currency of the report, too

// Chunks of data, the latest ones kept.
const loaded = new Map(), waiting = new Map();
window.showcostBook = (kind, number, data) => {
  const key = kind + "-" + number;
  if (waiting.has(key)) waiting.get(key)(data);
};
function chunk(kind, number) {
  const key = kind + "-" + number, name = kind + "-" + String(number).padStart(4, "0");
  if (!loaded.has(key)) {
    if (loaded.size >= KEPT) loaded.delete([...loaded.keys()].find(old => old !== "facts-0"));
    const block = document.getElementById(name);
    const data = block ? Promise.resolve(JSON.parse(block.textContent)) : fromFile(key, name);
    loaded.set(key, data.then(content => withTexts(kind, content)));
  }
  return loaded.get(key);
}
function withTexts(kind, content) {
  // Rows have the place of a text that the page keeps once.
  const words = names => names.map(name => book.words[name]);
  if (kind === "rows") spell(content.entries, [null, ...words(book.details)]);
  else if (kind === "entries") spell(content, words(book.listed));
  else if (kind !== "facts") spell(content, book.tables.find(table => table.kind === kind).words);
  return content;
}
function spell(rows, words) {
  const kept = words.map((texts, place) => [texts, place]).filter(([texts]) => texts);
  for (const row of rows) for (const [texts, place] of kept) if (row[place] !== null) row[place] = texts[row[place]];
}
function fromFile(key, name) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    const done = () => { waiting.delete(key); script.remove(); };
    waiting.set(key, data => { done(); resolve(data); });
    script.onerror = () => {
      done(); loaded.delete(key);
      reject(new Error("The file book/" + name + ".js is missing. Keep it beside this page."));
    };
    script.src = "book/" + name + ".js";
    document.head.append(script);
  });
}

// Text and numbers.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff\u{e0000}-\u{e007f}]/gu;
function visible(text) {
  return String(text).replace(HIDDEN, sign => {
    const code = sign.codePointAt(0);
    if (code < 32) return String.fromCodePoint(0x2400 + code);
    return code === 127 ? "\u2421" : "[U+" + code.toString(16).toUpperCase().padStart(4, "0") + "]";
  });
}
function scaled(text) {  // an amount with four decimals as an integer
  const [, sign, whole, part] = /^(-?)(\d+)(?:\.(\d*))?$/.exec(text);
  const value = BigInt(whole + (part || "").padEnd(4, "0").slice(0, 4));
  return sign ? -value : value;
}
function unscaled(value) {
  const text = (value < 0n ? -value : value).toString().padStart(5, "0");
  return (value < 0n ? "-" : "") + text.slice(0, -4) + "." + text.slice(-4);
}
function money(text, currency) {
  if (text === null || text === undefined) return "";
  const negative = text.startsWith("-"), [whole, part = ""] = text.replace("-", "").split(".");
  const places = book.decimals[currency] ?? 2;
  const decimals = /^0*$/.test(part.slice(places)) ? part.slice(0, places).padEnd(places, "0") : part;
  const shown = whole.replace(/\B(?=(\d{3})+$)/g, ",") + (decimals ? "." + decimals : "");
  return negative ? "(" + shown + ")" : shown;
}
const rate = text => text === null ? "" : text.replace(/(\.\d*?[1-9])0+$|\.0+$/, "$1");
const capital = text => text.charAt(0).toUpperCase() + text.slice(1);
const plural = (count, word, many) => count.toLocaleString("en") + " " + (count === 1 ? word : many || word + "s");

// Elements.
function make(tag, content, properties) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) element.setAttribute(name, value);
  for (const part of Array.isArray(content) ? content : [content]) {
    if (part === null || part === undefined) continue;
    element.append(part instanceof Node ? part : visible(part));
  }
  return element;
}
const link = (text, href) => make("a", text, {href});
const figure = (text, tag) => make(tag || "td", text, {class: text.startsWith("(") ? "n neg" : "n"});
function table(caption, header, rows) {
  const cells = header.map(([title, kind]) => make("th", title, {scope: "col", class: kind || ""}));
  return make("div", make("table", [
    make("thead", make("tr", cells)), make("tbody", rows),
  ]), {class: "scroll", role: "region", "aria-label": caption, tabindex: "0"});
}
function pairs(facts) {
  const list = make("dl", [], {class: "pairs"});
  for (const [name, value, kind] of facts) {
    if (value === null || value === undefined || value === "") continue;
    list.append(make("dt", name), make("dd", value, kind ? {class: kind} : {}));
  }
  return list;
}

// Entries.
const ENTRY_HEADER = [["Date"], ["Vendor"], ["Document"], ["Description"], ["Part"], ["Amount", "n"], ["Currency"],
  [book.base, "n"], ...(translated ? [[book.currency, "n"]] : []), ["Flags"]];
function accountOf(n) {
  let low = 0, high = book.accounts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (book.accounts[middle].first <= n) low = middle; else high = middle - 1;
  }
  return book.accounts[low];
}
function entryRow(n, entry, withAccount) {
  const name = entry[DOCUMENT] || "no number", href = "#/row/" + entry[R] + "?n=" + n;
  const account = accountOf(n);
  return make("tr", [
    make("td", entry[DATE], {class: "d"}), make("td", entry[VENDOR]), make("td", link(name, href)),
    make("td", entry[TEXT]),
    withAccount ? make("td", link(account.number, "#/account/" + encodeURIComponent(account.number))) : null,
    make("td", entry[COMPONENT] + (entry[REVERSAL] ? ", reversal" : "")),
    figure(money(entry[AMOUNT], entry[CURRENCY])), make("td", entry[CURRENCY]),
    figure(money(entry[BASE], book.base)),
    translated ? figure(money(entry[REPORTED], book.currency)) : null, make("td", (entry[FLAGS] || []).join(", ")),
  ]);
}
const EXACT = {currency: CURRENCY, series: SERIES, location: LOCATION, vendor: CODE, document: DOCUMENT};
function day(query, name, otherwise) {
  const text = query.get(name) || otherwise;
  if (text && !(/^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text)))) {
    throw new Error("This is not a date such as 2026-10-31: " + text);
  }
  return text;
}
const pageOf = query => /^\d{1,9}$/.test(query.get("page")) ? Number(query.get("page")) : 0;
function matcher(query, documents) {
  const terms = (query.get("q") || "").toLowerCase().split(/\s+/).filter(Boolean);
  const exact = Object.keys(EXACT).filter(name => query.has(name));
  const accounts = query.has("accounts") ? new Set(query.get("accounts").split(" ")) : null;
  const from = day(query, "from", ""), to = day(query, "to", "9999-12-31");
  const amount = wantedAmount(query.get("amount"));
  return (entry, n) => {
    if (accounts && !accounts.has(accountOf(n).number)) return false;
    if (entry[DATE] < from || entry[DATE] > to) return false;
    if (exact.some(name => (entry[EXACT[name]] ?? "") !== query.get(name))) return false;
    if (amount !== null && !amounts(entry).some(own => same(own, amount)) && !documents.has(documentOf(entry))) {
      return false;
    }
    if (!terms.length) return true;
    const text = [entry[VENDOR], entry[DOCUMENT], entry[TEXT], entry[CODE]].join(" ").toLowerCase();
    return terms.every(term => text.includes(term));
  };
}
const same = (sum, amount) => sum === amount || -sum === amount;
function amounts(entry) {
  const listed = [entry[AMOUNT], entry[BASE]];
  if (translated && entry[REPORTED] !== null) listed.push(entry[REPORTED]);
  return listed.map(scaled);
}
const documentOf = entry => entry[DOCUMENT] ? JSON.stringify([entry[CODE], entry[DOCUMENT], entry[CURRENCY]]) : null;
async function documentsOf(amount) {
  // The documents whose entries come to an amount, tax and reversals included.
  const totals = new Map();
  const done = await scan(0, book.entries, "", "9999-12-31", (n, entry) => {
    const name = documentOf(entry);
    if (name === null) return;
    const sums = totals.get(name);
    if (sums) amounts(entry).forEach((own, place) => { sums[place] += own; }); else totals.set(name, amounts(entry));
  });
  return done && new Set([...totals].filter(([, sums]) => sums.some(sum => same(sum, amount))).map(([name]) => name));
}
function wantedAmount(text) {
  // 1,234.56, 1.234,56, 1 234,56 and (1,234.56) are the same amount.
  let plain = (text || "").replace(/[\s'\u00a0\u202f()]/g, "").replace("\u2212", "-").replace(/^-/, "");
  if (!plain) return null;
  const mark = Math.max(plain.lastIndexOf("."), plain.lastIndexOf(","));
  const tail = plain.length - mark - 1;
  const single = plain.split(plain[mark]).length === 2;
  const isDecimal = mark >= 0 && (tail !== 3 || (single && plain[mark] === ".")) && single;
  plain = isDecimal ? plain.slice(0, mark).replace(/[.,]/g, "") + "." + plain.slice(mark + 1)
    : plain.replace(/[.,]/g, "");
  if (!/^\d+(\.\d{0,4})?$/.test(plain)) throw new Error("The amount is not a number: " + text);
  return scaled(plain.replace(/\.$/, ""));
}
let searching = 0;
async function matches(query, first, end, most) {
  // The entries from `first` to before `end` that match: their number, sums, and the first `most` of them.
  const amount = wantedAmount(query.get("amount"));
  const from = day(query, "from", ""), to = day(query, "to", "9999-12-31");
  const documents = amount === null ? new Set() : await documentsOf(amount);
  if (!documents) return null;
  const fits = matcher(query, documents), found = [], sums = new Map();
  let count = 0, base = 0n, reported = 0n, untranslated = 0;
  const done = await scan(first, end, from, to, (n, entry) => {
    if (!fits(entry, n)) return;
    count++; base += scaled(entry[BASE]);
    if (translated && entry[REPORTED] === null) untranslated++;
    else if (translated) reported += scaled(entry[REPORTED]);
    sums.set(entry[CURRENCY], (sums.get(entry[CURRENCY]) || 0n) + scaled(entry[AMOUNT]));
    if (found.length < most) found.push([n, entry]);
  });
  return done && {count, base, reported, untranslated, sums, found};
}
async function scan(first, end, from, to, visit) {
  // Visits the entries from `first` to before `end` in chunks that have dates in the range; false if another
  // search began meanwhile.
  const mine = ++searching;
  for (let number = Math.floor(first / book.size); number * book.size < end; number++) {
    const [low, high] = book.dates[number];
    if (high < from || low > to) continue;
    const entries = await chunk("entries", number);
    if (mine !== searching) return false;
    status.textContent = "Reading entries: " + Math.floor(100 * (number * book.size - first) / (end - first)) + "%";
    entries.forEach((entry, place) => {
      const n = number * book.size + place;
      if (n >= first && n < end) visit(n, entry);
    });
    if (number % 10 === 9) await new Promise(resolve => setTimeout(resolve));
  }
  status.textContent = "";
  return true;
}
function sumsLine(result) {
  const parts = [...result.sums].sort().map(([currency, sum]) => currency + " " + money(unscaled(sum), currency));
  const unrated = result.untranslated
    ? " (without " + plural(result.untranslated, "entry", "entries") + " that have no rate of " + book.currency + ")" : "";
  return [plural(result.count, "entry", "entries"),
    ...(translated ? [", in the report ",
      make("strong", book.currency + " " + money(unscaled(result.reported), book.currency)), unrated] : []), ", in base ",
    make("strong", book.base + " " + money(unscaled(result.base), book.base)),
    parts.length > 1 || (parts.length && ![...result.sums.keys()].includes(book.base)) ? "; original " + parts.join(", ") : "",
  ];
}
function pages(total, page, go) {
  if (total <= PAGE) return null;
  const last = Math.ceil(total / PAGE) - 1;
  const button = (text, target, on) => {
    const element = make("button", text, {type: "button"});
    element.disabled = !on;
    element.addEventListener("click", () => go(target));
    return element;
  };
  return make("div", [button("Earlier", page - 1, page > 0),
    make("span", (page * PAGE + 1).toLocaleString("en") + " to " +
      Math.min(total, (page + 1) * PAGE).toLocaleString("en") + " of " + total.toLocaleString("en")),
    button("Later", page + 1, page < last)], {class: "pages"});
}
function withPage(path, query, page) {
  const next = new URLSearchParams(query);
  next.set("page", page);
  location.hash = "#/" + path + "?" + next;
}
const FILTER_NAMES = {currency: "currency", series: "series", location: "location", vendor: "vendor",
  document: "document", from: "from", to: "to", q: "text", amount: "amount", accounts: "accounts"};
function filters(query) {
  return Object.entries(FILTER_NAMES).filter(([name]) => query.get(name) || (EXACT[name] && query.has(name)))
    .map(([name, title]) => {
      const count = name === "accounts" ? query.get(name).split(" ").length : 0;
      return count > MOST_NAMED ? count + " accounts" : title + " " + (query.get(name) || "none stated");
    }).join(", ");
}

// Views.
async function showAccount(number, query) {
  const account = book.accounts.find(candidate => candidate.number === number);
  if (!account) return [heading("Account " + number), make("p", "No entry is posted to this account.")];
  const page = pageOf(query), narrowed = filters(query);
  const first = account.first, end = account.first + account.entries;
  const result = await matches(query, first, end, narrowed ? (page + 1) * PAGE : 0);
  if (!result) return null;
  let listed = result.found.slice(page * PAGE);
  if (!narrowed) listed = await slice(first + page * PAGE, Math.min(end, first + (page + 1) * PAGE));
  return [
    crumbs(), heading("Account " + number + (account.name ? ", " + account.name : "")),
    make("p", [account.kind ? capital(account.kind) + " account. " : "", narrowed ? "Only " + narrowed + ". " : ""], {class: "facts"}),
    make("p", sumsLine(result)),
    narrowed ? make("p", link("All entries of the account", "#/account/" + encodeURIComponent(number))) : null,
    table("Entries", ENTRY_HEADER, listed.map(([n, entry]) => entryRow(n, entry, false))),
    pages(result.count, page, target => withPage("account/" + encodeURIComponent(number), query, target)),
  ];
}
async function slice(first, end) {
  const found = [];
  for (let n = first; n < end; n++) {
    const entries = await chunk("entries", Math.floor(n / book.size));
    found.push([n, entries[n % book.size]]);
  }
  return found;
}
async function showSearch(query) {
  for (const name of ["q", "amount", "from", "to"]) form.elements[name].value = query.get(name) || "";
  const result = await matches(query, 0, book.entries, MOST_HITS);
  if (!result) return null;
  const header = [...ENTRY_HEADER.slice(0, 4), ["Account"], ...ENTRY_HEADER.slice(4)];
  return [
    crumbs(), heading("Search: " + (filters(query) || "all entries")), make("p", sumsLine(result)),
    result.count > result.found.length
      ? make("p", "The first " + result.found.length + " are shown; narrow the search to see others.", {class: "notice"}) : null,
    result.count ? table("Entries found", header, result.found.map(([n, entry]) => entryRow(n, entry, true))) : null,
  ];
}
const D = Object.fromEntries(book.details.map((name, place) => [name, place]));
async function showRow(number, query) {
  const r = Number(number), chosen = Number(query.get("n") || -1);
  if (!/^\d+$/.test(number) || r >= book.rows) return [crumbs(), heading("There is no such row")];
  const near = await chunk("rows", Math.floor(r / book.rowSize)), facts = await chunk("facts", 0);
  const [d, record, rowId, start, end, raw, decisions] = near.rows[r % book.rowSize];
  const entries = near.entries.filter(entry => entry[0] === r).map(entry => entry.slice(1));
  const delivery = facts.deliveries[d], one = entries.find(entry => entry[D.n] === chosen) || entries[0];
  const source = sourceOf(delivery, record, start, end, raw);
  if (!one) return [
    crumbs(), heading("Record " + record + " of " + (delivery.name || delivery.sha256)),
    make("p", "A line of the plan: a purchase order, an estimate or a budget revision. It is no entry.", {class: "facts"}),
    ...source, make("h3", "Rules"), rules(facts.rules[delivery.feed] || [], null),
    make("h3", "Decisions"), decided(decisions),
    make("h3", "Audit"), pairs([["Row", rowId, "hash"], ["In the data folder", "showcost trace " + rowId]]),
  ];
  const flags = [...new Set(entries.flatMap(entry => entry[D.flags] || []))];
  return [
    crumbs(one[D.account]),
    heading([one[D.vendor_name], one[D.document_no]].filter(Boolean).join(", ") || "Row " + rowId),
    make("p", [...new Set([one[D.transaction_date], one[D.currency] + " " + money(one[D.amount], one[D.currency]),
      one[D.base_currency] + " " + money(one[D.base_amount], one[D.base_currency])])].join(", "), {class: "facts"}),
    ...source,
    make("h3", "Entries of this row"),
    table("Entries of this row", [["Entry"], ["Account"], ["Part"], ["Amount", "n"], ["Currency"], ["Rate", "n"],
      [one[D.base_currency], "n"], ...(translated ? [[book.currency, "n"]] : []), ["State"]], entries.map(entry => entryOfRow(entry, chosen))),
    make("h3", "Exchange rate"), rates(facts, one),
    make("h3", "Flags and rules"),
    flags.length ? table("Flags", [["Code"], ["Meaning"], ["For the accountant"]], flags.map(code => make("tr", [
      make("td", code), make("td", (facts.codes[code] || ["", ""])[0]), make("td", (facts.codes[code] || ["", ""])[1])])))
      : make("p", "No warning: the row passed every rule of its feed."),
    rules(facts.rules[delivery.feed] || [], one[D.pay_rules]),
    make("h3", "Decisions"), decided(decisions),
    make("h3", "Facts of the document"),
    pairs([["Vendor", [...new Set([one[D.vendor_code], one[D.vendor_name]])].filter(Boolean).join(", ")], ["Country", one[D.vendor_country]],
      ["Description", one[D.description]], ["Purchase order", one[D.po_no]], ["Tax code", one[D.tax_code]],
      ["Service", [one[D.service_from], one[D.service_to]].filter(Boolean).join(" to ")], ["Due", one[D.due_date]],
      ["Performed in", one[D.jurisdiction]], ["Series", one[D.series]], ["Location", one[D.location]],
      ["Set", one[D.set_code]], ["Kind of pay", one[D.earning_type]], ["Union", one[D.union_category]]]),
    make("h3", "Audit"), audit(facts, one, rowId),
  ];
}
function sourceOf(delivery, record, start, end, raw) {
  return [
    make("h3", "Raw text, as delivered"),
    raw === null ? make("p", "The text of this record is not in the data folder.", {class: "notice"}) : make("pre", raw),
    make("p", "Personal fields and national identifiers are masked with ***.", {class: "quiet"}),
    make("h3", "Delivery"),
    pairs([["File", delivery.name], ["Arrived", delivery.received_at], ["Feed", delivery.feed],
      ["Record", String(record)], ["Bytes", start === null ? null : start.toLocaleString("en") + " to " + end.toLocaleString("en")],
      ["sha256 of the file", delivery.sha256, "hash"], ["Arrival", delivery.arrival === null ? null : "number " + delivery.arrival]]),
  ];
}
function entryOfRow(entry, chosen) {
  const state = entry[D.reverses] ? "reverses " + entry[D.reverses].slice(0, 8)
    : entry[D.reversed_by] ? "reversed by " + entry[D.reversed_by].slice(0, 8) : "active";
  const name = (book.accounts.find(account => account.number === entry[D.account]) || {}).name;
  return make("tr", [
    make("td", entry[D.entry_id].slice(0, 8), {class: "hash", title: entry[D.entry_id]}),
    make("td", [link(entry[D.account], "#/account/" + encodeURIComponent(entry[D.account])), name ? " " + name : ""]),
    make("td", entry[D.component]), figure(money(entry[D.amount], entry[D.currency])), make("td", entry[D.currency]),
    make("td", rate(entry[D.rate]), {class: "n"}), figure(money(entry[D.base_amount], entry[D.base_currency])),
    translated ? figure(money(entry[D.report_amount], book.currency)) : null,
    make("td", state + (entry[D.generation] > 1 ? ", revision " + entry[D.generation] : "")),
  ], entry[D.n] === chosen ? {class: "chosen", "aria-current": "true"} : {});
}
function rates(facts, entry) {
  const snapshot = facts.snapshots[entry[D.snapshot_id]];
  const shown = [...new Set([entry[D.currency], entry[D.base_currency]])].map(currency => {
    const [units, published] = (facts.rates[entry[D.snapshot_id]] || {})[currency] || [null, null];
    return make("tr", [make("td", currency), make("td", rate(units), {class: "n"}), make("td", published, {class: "d"})]);
  });
  return make("div", [
    table("Rates", [["Currency"], ["Units per euro", "n"], ["Published"]], shown),
    pairs([["Rate applied", "1 " + entry[D.currency] + " = " + rate(entry[D.rate]) + " " + entry[D.base_currency]],
      ["Publication date", entry[D.rate_date]], ["FX snapshot", entry[D.snapshot_id]],
      ["Date of the snapshot", snapshot && snapshot[0]], ["Its sha256", snapshot && snapshot[1], "hash"],
      ["Source", snapshot && snapshot[2]], ["sha256 of the source", snapshot && snapshot[3], "hash"],
      ["Pinned", snapshot && snapshot[5]], ["Policy", entry[D.fx_policy]]]),
  ]);
}
function rules(listed, payRules) {
  const body = table("Rules", [["Code"], ["Field"], ["Expected"], ["Source"]], listed.map(rule =>
    make("tr", rule.map(text => make("td", text)))));
  return make("details", [make("summary", plural(listed.length, "rule") + " of this feed"),
    payRules ? make("p", "Pay rules: " + payRules) : null, body]);
}
function decided(decisions) {
  if (!decisions || !decisions.length) return make("p", "None: nobody changed, accepted or discarded this row.");
  return table("Decisions", [["When"], ["Who"], ["Decision"], ["Why"], ["Corrected fields"], ["Waived codes"]],
    decisions.map(([at, decision, fields, codes, who, why]) => make("tr", [
      make("td", at), make("td", who), make("td", decision), make("td", why),
      make("td", Object.entries(fields).map(([name, text]) => name + ": " + text).join("; ")),
      make("td", (codes || []).join(", "))])));
}
function audit(facts, entry, rowId) {
  const batch = facts.batches[entry[D.batch_id]];
  return pairs([["Entry", entry[D.entry_id], "hash"], ["Row", rowId, "hash"],
    ["Posted", batch && batch[1]], ["Audit record", batch && String(batch[0])], ["Run", batch && batch[2], "hash"],
    ["Batch", entry[D.batch_id], "hash"], ["Digest of the batch", batch && batch[4], "hash"],
    ["In the data folder", "showcost trace " + entry[D.entry_id]]]);
}
async function showTable(name, query) {
  const long = book.tables.find(candidate => candidate.name === name);
  if (!long) return [heading("No such table")];
  const page = pageOf(query), shown = [];
  if (long.kind === "entries") {  // the entries of the book itself, in order of account
    const listed = await slice(page * PAGE, Math.min(book.entries, (page + 1) * PAGE));
    const header = [...ENTRY_HEADER.slice(0, 4), ["Account"], ...ENTRY_HEADER.slice(4)];
    return [crumbs(), heading(long.title), make("p", plural(book.entries, "entry", "entries") + ", by account", {class: "facts"}),
      table(long.title, header, listed.map(([n, entry]) => entryRow(n, entry, true))),
      pages(book.entries, page, target => withPage("table/" + encodeURIComponent(name), query, target))];
  }
  for (let place = page * PAGE; place < Math.min(long.rows, (page + 1) * PAGE); place++) {
    const lines = await chunk(long.kind, Math.floor(place / book.lineSize));
    shown.push(lines[place % book.lineSize]);
  }
  const currency = long.columns.findIndex(column => column[0] === "currency");
  return [crumbs(), heading(long.title), make("p", plural(long.rows, "row"), {class: "facts"}),
    table(long.title, long.columns.map(column => [column[1], column[2] === "text" || column[2] === "date" ? "" : "n"]),
      shown.map(line => make("tr", long.columns.map((column, place) => longCell(line, column, place, line[currency] || long.currency, long))))),
    pages(long.rows, page, target => withPage("table/" + encodeURIComponent(name), query, target))];
}
function longCell(line, [name, , type, own], place, currency, long) {
  const text = line[place], href = line[long.columns.length];
  if (type === "text" || type === "date") {
    return make("td", href && (name === long.linked) && text ? link(text, href) : text, {class: type === "date" ? "d" : ""});
  }
  if (type === "money" || type === "original") return figure(money(text, type === "money" ? own : currency));
  return make("td", text === null ? "" : rate(text), {class: "n"});
}
async function showLines(name, query) {
  // The lines of a plan table that a figure adds up: those with its account, series and location.
  const wanted = [...query].filter(([field]) => ["account", "series", "location"].includes(field));
  const long = book.tables.find(candidate => candidate.name === name);
  const section = document.getElementById("table-" + name);
  if (!section) return [crumbs(), heading("No such table")];
  const place = field => long ? long.columns.findIndex(column => column[0] === field)
    : [...section.querySelectorAll("thead th")].findIndex(cell => cell.querySelector("a[href$='-" + field + "']"));
  const shown = wanted.map(([field, text]) => [place(field), text]);
  const total = place("report_amount"), rows = [];
  let sum = 0n;
  const fits = cells => shown.every(([at, text]) => at < 0 || (cells[at] ?? "") === text);
  if (long) {
    const currency = place("currency");
    for (let number = 0; number * book.lineSize < long.rows; number++) {
      for (const line of await chunk(long.kind, number)) {
        if (!fits(line)) continue;
        sum += scaled(line[total] ?? "0");
        rows.push(make("tr", long.columns.map((column, at) => longCell(line, column, at, line[currency] || long.currency, long))));
      }
    }
  } else {
    for (const row of section.querySelectorAll("tbody tr:not(.group)")) {
      const cells = [...row.cells].map(cell => cell.textContent);
      if (!fits(cells)) continue;
      const text = cells[total].replace(/[,()]/g, "");
      if (text) sum += scaled((cells[total].startsWith("(") ? "-" : "") + text);
      const copy = row.cloneNode(true);
      copy.hidden = false;
      if (section.dataset.group) copy.prepend(make("td", groupOf(row)));
      rows.push(copy);
    }
  }
  const header = long ? long.columns.map(column => [column[1], column[2] === "text" || column[2] === "date" ? "" : "n"])
    : [...(section.dataset.group ? [[section.dataset.group, ""]] : []),
      ...[...section.querySelectorAll("thead th")].map(cell => [cell.textContent, cell.className])];
  const title = section.querySelector("h2").textContent;
  return [crumbs(), heading(title + ": " + wanted.map(([field, text]) => field + " " + (text || "none stated")).join(", ")),
    name === "budget_revisions" ? make("p", "The revised budget is the approved budget and these revisions.") : null,
    make("p", [plural(rows.length, "line") + ", in the report ", make("strong", book.currency + " " + money(unscaled(sum), book.currency))]),
    rows.length ? table(title, header, rows) : null];
}
function groupOf(row) {  // the label of the outermost group that a line of a table is in
  let group = row.previousElementSibling;
  while (group && !group.classList.contains("level-0")) group = group.previousElementSibling;
  return group ? group.querySelector("button").textContent : "";
}
function heading(text) { return make("h2", text, {tabindex: "-1"}); }
function crumbs(account) {
  return make("p", [link("Report", "#top"), account ? " \u203a " : null,
    account ? link("Account " + account, "#/account/" + encodeURIComponent(account)) : null], {class: "crumbs"});
}

// Routes: #/account/1410, #/row/12?n=3, #/search?q=…, #/table/NAME, #/lines/estimates?account=1410; everything else is a place of the report.
async function route() {
  const [path, rest = ""] = location.hash.split("?"), query = new URLSearchParams(rest);
  searching++;
  status.textContent = "";
  if (path === "#main") { document.getElementById("main").focus(); return; }
  if (!path.startsWith("#/")) {
    view.hidden = true; home.hidden = false; document.title = book.title;
    const target = path.length > 1 && document.getElementById(path.slice(1));
    if (target) { openAround(target); target.scrollIntoView(); }
    return;
  }
  const [, kind, name = ""] = path.split("/");
  const routes = {account: showAccount, row: showRow, table: showTable, lines: showLines, search: (_, wanted) => showSearch(wanted)};
  let parts;
  try {
    parts = routes[kind] ? await routes[kind](decodeURIComponent(name), query) : [heading("There is no such page")];
  } catch (error) {
    status.textContent = "";
    parts = [crumbs(), heading("This cannot be shown"), make("p", error.message, {class: "notice"})];
  }
  if (!parts || location.hash.split("?")[0] !== path) return;
  view.replaceChildren(...parts.filter(Boolean));
  home.hidden = true; view.hidden = false;
  const title = view.querySelector("h2");
  document.title = title.textContent + " \u2013 " + book.title;
  window.scrollTo(0, 0);
  title.focus({preventScroll: true});
}
window.addEventListener("hashchange", route);
form.addEventListener("submit", event => {
  event.preventDefault();
  const query = new URLSearchParams();
  for (const name of ["q", "amount", "from", "to"]) {
    const value = form.elements[name].value.trim();
    if (value) query.set(name, value);
  }
  const next = "#/search?" + query;
  if (location.hash === next) route(); else location.hash = next;
});

// Groups of a table open and close.
function level(row) { return row.dataset.level === undefined ? 99 : Number(row.dataset.level); }
function setOpen(button, open) {
  button.setAttribute("aria-expanded", String(open));
  const own = button.closest("tr");
  let closedAt = open ? null : level(own);  // the level of the closed group that a row is in
  for (let row = own.nextElementSibling; row && level(row) > level(own); row = row.nextElementSibling) {
    if (closedAt !== null && level(row) <= closedAt) closedAt = null;
    row.hidden = closedAt !== null;
    const inner = row.querySelector("button[aria-expanded='false']");
    if (closedAt === null && inner) closedAt = level(row);
  }
}
function openAround(target) {
  const hiddenRow = target.closest("tr[hidden]");
  if (hiddenRow) hiddenRow.hidden = false;
}
document.addEventListener("click", event => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.hasAttribute("aria-expanded")) setOpen(button, button.getAttribute("aria-expanded") !== "true");
  if (button.dataset.all) setAll(button.closest("section"), button.dataset.all === "open");
});
function setAll(section, open) {
  for (const button of section.querySelectorAll("tr button[aria-expanded]")) setOpen(button, open);
}
for (const tools of document.querySelectorAll(".tools")) {
  tools.hidden = false;
  if (tools.dataset.closed !== undefined) setAll(tools.closest("section"), false);
}
route();
})();
