// The texts of locales/<language>/main.json: "vidu" by name, "viduSentences" by the English sentence
// of the server, "viduNotes" by the line of a template's note.
import { api } from "../../scripts/api.js";
import { request } from "./api.js";
import { locale } from "./host.js";

let english;

// Resolves to t(name, values), t.line(text of the server) and t.note(text of a note). A text missing
// in the language is in English, which the pack's own route has where /i18n fails because of
// some other pack.
export async function loadTexts() {
  const language = locale();
  const all = await api.getCustomNodesI18n().catch(() => ({}));
  english ??= all?.en?.vidu ?? (await request("texts").catch(() => ({})));
  const own = all?.[language] ?? {};
  const texts = { ...english, ...own.vidu };
  const t = (name, values = {}) =>
    (texts[name] ?? name).replace(/\{(\w+)\}/g, (whole, key) => formatted(values[key]) ?? whole);
  const lines = Object.entries(english).filter(([name]) => name.startsWith("line"));
  const patterns = [
    ...lines.map(([name, text]) => patternOf(text, texts[name])),
    ...Object.entries(own.viduSentences ?? {}).map(([sentence, text]) => patternOf(sentence, text)),
  ].sort((one, other) => one.isOpen - other.isOpen || other.fixed - one.fixed);
  t.line = (line) => (own.viduSentences ? translateLine(line, patterns, t) : line);
  t.note = (text) => text.split("\n").map((line) => own.viduNotes?.[line] ?? line).join("\n");
  return t;
}

const formatted = (value) => (typeof value === "number" ? value.toLocaleString(locale()) : value);

// What {words} and {reason} stand for is foreign text of any length, and {count}, {number} and
// {total} are numbers; what other names stand for is within one sentence.
const FOREIGN = ["words", "reason"];
const NUMBER = "([\\d,.]+)";
const FORMS = { words: "(.+)", reason: "(.+)", count: NUMBER, number: NUMBER, total: NUMBER };
const WITHIN = "((?:(?!\\. ).)+?)";

function patternOf(sentence, text) {
  const names = [...sentence.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
  const plain = sentence.replace(/[.*+?^$()[\]|\\]/g, "\\$&");
  const source = plain.replace(/\{(\w+)\}/g, (_, name) => FORMS[name] ?? WITHIN);
  // The closest is tried first: many a sentence ends in "is missing."; and those that begin with
  // any text at all come last.
  const fixed = sentence.replace(/\{\w+\}/g, "").length;
  const isOpen = /^\{(?!count|number|total)/.test(sentence);
  return { expression: new RegExp(`^${source}$`, "s"), names, text, fixed, isOpen };
}

function translateLine(line, patterns, t) {
  const [, number, rest] = /^(\d+: )?(.*)$/s.exec(line);
  const told = sentences(rest, patterns, t).map(({ own, text }) => (own ? text : t("quoted", { text })));
  return (number ?? "") + told.join(" ").replace(/([\u3002\uff09\u300d]) /g, "$1"); // full-width signs have their own space
}

// A text as its known sentences in the language, and what is between them as it came: fal's words.
function sentences(text, patterns, t) {
  const parts = [];
  let start = 0;
  const ends = [...text.matchAll(/[.!?](?=\s)|$/g)].map(({ index }) => Math.min(index + 1, text.length));
  while (start < text.length) {
    const from = start;
    const after = ends.filter((end) => end > from);
    const known = after.toReversed().map((end) => [end, translated(text.slice(from, end), patterns, t)]);
    const [end, own] = known.find(([, found]) => found !== undefined) ?? [after[0]];
    const before = parts.at(-1);
    if (own !== undefined) parts.push({ own: true, text: own });
    else if (before && !before.own) before.text += ` ${text.slice(from, end)}`;
    else parts.push({ own: false, text: text.slice(from, end) });
    start = end + (/^\s*/.exec(text.slice(end))[0].length);
  }
  return parts;
}

// One whole sentence in the language, or undefined.
function translated(sentence, patterns, t) {
  for (const { expression, names, text } of patterns) {
    const found = expression.exec(sentence);
    if (!found) continue;
    const values = Object.fromEntries(names.map((name, at) => [name, valueOf(name, found[at + 1], patterns, t)]));
    return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  }
  return undefined;
}

function valueOf(name, value, patterns, t) {
  if (!FOREIGN.includes(name)) return translated(value, patterns, t) ?? value;
  // fal names the input before its words: "prompt: ..."
  const [, place = "", words] = /^([a-z_]+(?: \d+)?: )?(.*)$/s.exec(value);
  return place + translateLine(words, patterns, t);
}
