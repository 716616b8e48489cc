/** Finds where a text stops being JSON, because the errors of JSON.parse do not always say. Pure. */

export interface TextPosition {
  readonly line: number;
  readonly column: number;
}

// JSON strings hold everything from the space on (no control characters) but the quote and a lone backslash.
const stringPattern = /"(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const scalarPattern = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const spacePattern = /[ \t\n\r]*/y;

/** Line and column, both from 1, of the first token that cannot be there; undefined for valid JSON. */
export function findJsonFault(text: string): TextPosition | undefined {
  let offset = 0;

  const skip = (pattern: RegExp): boolean => {
    pattern.lastIndex = offset;
    const match = pattern.exec(text);
    offset += match?.[0].length ?? 0;
    return match !== null;
  };
  const skipSpace = (): boolean => skip(spacePattern);
  const skipSign = (sign: string): boolean => {
    if (text[offset] !== sign) return false;
    offset += 1;
    return skipSpace();
  };
  const skipMember = (): boolean => skip(stringPattern) && skipSpace() && skipSign(":") && skipValue();
  const skipList = (close: string, skipItem: () => boolean): boolean => {
    if (skipSign(close)) return true;
    do {
      if (!skipItem()) return false;
    } while (skipSign(","));
    return skipSign(close);
  };
  const skipValue = (): boolean => {
    if (skipSign("{")) return skipList("}", skipMember);
    if (skipSign("[")) return skipList("]", skipValue);
    return (skip(stringPattern) || skip(scalarPattern)) && skipSpace();
  };

  skipSpace();
  let isValid = false;
  try {
    isValid = skipValue() && offset === text.length;
  } catch (thrown) {
    // Nested deeper than the stack: the fault is as deep as it got.
    if (!(thrown instanceof RangeError)) throw thrown;
  }
  return isValid ? undefined : locate(text, offset);
}

function locate(text: string, offset: number): TextPosition {
  const linesBefore = text.slice(0, offset).split("\n");
  return { line: linesBefore.length, column: (linesBefore.at(-1) ?? "").length + 1 };
}
