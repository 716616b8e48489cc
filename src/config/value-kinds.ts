/** The kinds of value a setting can have: how text becomes a value, what is allowed, how a value is shown. Pure. */

import { z } from "zod";
import { isProxyEntry, type TrustedProxySetting } from "../address/trusted-proxies.js";

export interface ValueKind<T> {
  /** Checks a value as it stands in a JSON file, or as `coerceText` made it, and gives the final value. */
  readonly schema: z.ZodType<T>;
  /** Completes the sentence "… is not": `a whole number from 0 to 65535`. */
  readonly expectation: string;
  /** Turns the text of a flag or a variable into the JSON value it means; text that means none is returned as it is. */
  readonly coerceText: (text: string) => unknown;
  /** The value as a person would type it. */
  render(value: T): string;
  /** Stands for true when the flag is given without a value. */
  readonly isSwitch: boolean;
  /** The path of a file or directory, which may be relative to where it was given. */
  readonly isPath?: true;
}

function keepText(text: string): unknown {
  return text;
}

function coerceWholeNumber(text: string): unknown {
  return /^-?\d{1,15}$/.test(text) ? Number(text) : text;
}

const plain = { coerceText: keepText, render: String, isSwitch: false };

/** A whole number within inclusive bounds. */
export function wholeNumber(min: number, max: number): ValueKind<number> {
  const expectation = `a whole number from ${min} to ${max}`;
  return { ...plain, schema: z.int().min(min).max(max), expectation, coerceText: coerceWholeNumber };
}

/** A whole number within inclusive bounds, or one word. */
export function wholeNumberOr<Word extends string>(word: Word, min: number, max: number): ValueKind<number | Word> {
  const schema = z.union([z.literal(word), z.int().min(min).max(max)]);
  const expectation = `"${word}" or a whole number from ${min} to ${max}`;
  return { ...plain, schema, expectation, coerceText: coerceWholeNumber };
}

const booleanByText: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["1", true],
  ["false", false],
  ["0", false],
]);

/** True or false; a bare flag means true. */
export function onOff(): ValueKind<boolean> {
  const coerceText = (text: string): unknown => booleanByText.get(text) ?? text;
  return { ...plain, schema: z.boolean(), expectation: "true or false", coerceText, isSwitch: true };
}

/** One of a few words. */
export function oneOf<const Words extends readonly [string, ...string[]]>(words: Words): ValueKind<Words[number]> {
  const expectation = words.length === 1 ? `"${words[0]}", the only value so far` : `one of ${words.join(", ")}`;
  return { ...plain, schema: z.enum(words), expectation };
}

/** Text of a given form. */
export function textLike(pattern: RegExp, expectation: string): ValueKind<string> {
  return { ...plain, schema: z.string().regex(pattern), expectation };
}

/** Any text that is not empty, of a limited length. */
export function text(maxLength: number): ValueKind<string> {
  const expectation = `text of 1 to ${maxLength} characters`;
  return { ...plain, schema: z.string().min(1).max(maxLength), expectation };
}

/** The path of a file or directory. */
export function path(): ValueKind<string> {
  // A NUL byte would only surface as an obscure error of the file system, much later.
  const schema = z
    .string()
    .min(1)
    .refine((text) => !text.includes("\0"));
  return { ...plain, schema, expectation: "a path", isPath: true };
}

/** Permission bits of a file, written in octal; a JSON file has no octal numbers, so there it is a string too. */
export function octalMode(): ValueKind<number> {
  const schema = z
    .string()
    .regex(/^(0o?)?[0-7]{3}$/)
    .transform((text) => Number.parseInt(text.replace(/^0o?/, ""), 8));
  const expectation = 'an octal file mode in quotes, such as "0660"';
  return { ...plain, schema, expectation, render: (mode) => `0${mode.toString(8).padStart(3, "0")}` };
}

/** Longer chains than this are mistakes. */
const maxProxyHops = 16;

/** Which proxies are trusted: how many there are, or who they are. */
export function trustedProxies(): ValueKind<TrustedProxySetting> {
  return {
    schema: z.union([z.int().min(0).max(maxProxyHops), z.array(z.string().refine(isProxyEntry)).max(1_000)]),
    expectation:
      `a whole number from 0 to ${maxProxyHops}, or a list of IP addresses and networks such as 10.0.0.0/8, with ` +
      '"loopback" for this machine',
    coerceText: (text) => (/^\d+$/.test(text) ? Number(text) : text.split(",").map((entry) => entry.trim())),
    render: (value) => (typeof value === "number" ? String(value) : value.join(",") || "0"),
    isSwitch: false,
  };
}
