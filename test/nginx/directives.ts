/** Reads nginx's own syntax, as far as tests of generated text need it (ngx_conf_file.c): directives in blocks, words, comments. */

export interface Directive {
  /** Name first. */
  readonly words: readonly string[];
  readonly block: readonly Directive[] | undefined;
}

/** Throws when blocks, quotes or directives do not end. */
export function readDirectives(text: string): Directive[] {
  const tokens = tokenize(text);
  let at = 0;
  const readBlock = (isTop: boolean): Directive[] => {
    const directives: Directive[] = [];
    let words: string[] = [];
    for (; at < tokens.length; at++) {
      const token = tokens[at] as Token;
      if (token.isWord) {
        words.push(token.text);
        continue;
      }
      if (token.text === "}") {
        if (isTop || words.length > 0) throw new Error("a block ends where none can end");
        return directives;
      }
      if (words.length === 0) throw new Error(`${token.text} without a directive`);
      at += token.text === "{" ? 1 : 0;
      directives.push({ words, block: token.text === "{" ? readBlock(false) : undefined });
      words = [];
    }
    if (!isTop || words.length > 0) throw new Error("the text ends within a directive");
    return directives;
  };
  return readBlock(true);
}

interface Token {
  readonly text: string;
  readonly isWord: boolean;
}

function tokenize(text: string): Token[] {
  const pattern =
    /\s+|#[^\n]*|([;{}])|"((?:[^"\\]|\\.)*)"(?=[\s;{)])|'((?:[^'\\]|\\.)*)'(?=[\s;{)])|([^\s;{}"'#](?:[^\s;{"'\\]|\\.)*)/gsy;
  const tokens: Token[] = [];
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    end = match.index + match[0].length;
    const [, mark, double, single, bare] = match;
    if (mark !== undefined) tokens.push({ text: mark, isWord: false });
    const word = double ?? single ?? bare;
    if (word !== undefined) tokens.push({ text: word, isWord: true });
  }
  if (end !== text.length) throw new Error(`no token at ${JSON.stringify(text.slice(end, end + 40))}`);
  return tokens;
}

/** All directives of that name, at any depth. */
export function findDirectives(directives: readonly Directive[], name: string): Directive[] {
  return directives.flatMap((directive) => [
    ...(directive.words[0] === name ? [directive] : []),
    ...findDirectives(directive.block ?? [], name),
  ]);
}

/** Names of the directives in their blocks, without what follows them; of a map, how many entries it has. */
export function outline(directives: readonly Directive[]): unknown[] {
  return directives.map(({ words, block }) => {
    if (block === undefined) return words[0];
    return [words[0], words[0] === "map" ? block.length : outline(block)];
  });
}
