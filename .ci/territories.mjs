// Writes passwordless/territories/LANGUAGE.json: [ISO, name] of each country with telephone numbers, by name in
// the order of that language. Names and order are CLDR's, as the ICU of Node has them; nothing of this is needed
// where the app runs. Once in a while, when CLDR or libphonenumber have moved, on Node 20 or newer with all of ICU:
//
//   .venv/bin/python -c 'import phonenumbers; print(*phonenumbers.SUPPORTED_REGIONS)' | node .ci/territories.mjs

import { readFileSync, writeFileSync } from "node:fs";

const FOLDER = new URL("../passwordless/territories/", import.meta.url);
// The tags of Django, in lower case. Portuguese of Portugal has names of its own.
const LANGUAGES = [
  "en", "es", "fr", "de", "it", "pt", "pt-br", "nl", "pl", "tr", "ar", "he", "hi", "id", "ja", "zh-hans", "zh-hant",
  "ru", "sv", "da", "nb", "fi", "cs", "uk", "ko", "vi", "th", "el", "ro", "hu",
];
const CLDR = { pt: "pt-PT" };
// In full these two begin with their status in many languages, and nobody looks there for Hong Kong.
const SHORT = new Set(["HK", "MO"]);
const BIDI_CONTROLS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

function named(locale, region) {
  const style = SHORT.has(region) ? "short" : "long";
  const name = new Intl.DisplayNames(locale, { type: "region", style, fallback: "none" }).of(region);
  if (!name) throw new Error(`${locale} has no name for ${region}`);
  return name.normalize("NFC").replace(BIDI_CONTROLS, "").trim();
}

function sorted(locale, regions) {
  const { compare } = new Intl.Collator(locale);
  return regions.map((region) => [region, named(locale, region)]).sort((a, b) => compare(a[1], b[1]));
}

function checked(locale) {
  if (Intl.DisplayNames.supportedLocalesOf(locale).length && Intl.Collator.supportedLocalesOf(locale).length) return locale;
  throw new Error(`this Node has no ${locale}`);
}

const regions = readFileSync(0, "utf8").split(/\s+/).filter(Boolean).sort();
if (!regions.length) throw new Error("no countries on standard input");
for (const language of LANGUAGES) {
  const rows = sorted(checked(CLDR[language] ?? language), regions).map((row) => `  ${JSON.stringify(row)}`);
  writeFileSync(new URL(`${language}.json`, FOLDER), `[\n${rows.join(",\n")}\n]\n`);
}
console.log(`${regions.length} countries, ${LANGUAGES.length} languages, CLDR ${process.versions.cldr}`);
