// The payloads that the messages carry, each with a place for its sequence number at the start; pure.
import { createRandom } from "../shared/random.mjs";
import { SEQUENCE_BASE, SEQUENCE_PLACEHOLDER } from "./frames.mjs";

const TEXT_BYTES = 100;
const BOARD_BYTES = 7_000;
const WORDS =
  "signal track points lever block distant home shunt route siding platform junction bell token staff".split(" ");

export function makeText() {
  return SEQUENCE_PLACEHOLDER.padEnd(TEXT_BYTES, "abcdefghijklmnopqrstuvwxyz");
}

/** An object as applications send it: nested, strings and numbers of every length, some 7 KB as JSON. A seed, a board. */
export function makeBoard(seed = 7) {
  const random = createRandom(seed);
  const pickWords = (count) => Array.from({ length: count }, () => WORDS[random(WORDS.length)]).join(" ");
  const board = {
    sequence: SEQUENCE_BASE,
    kind: "board:changed",
    board: { id: "b-1", title: pickWords(4) },
    cards: [],
  };
  while (JSON.stringify(board).length < BOARD_BYTES) {
    const number = board.cards.length;
    board.cards.push({
      id: `card-${number}`,
      title: pickWords(4),
      text: pickWords(8 + random(12)),
      position: { x: random(4_000) / 8, y: random(3_000) / 8, z: number },
      author: { id: 1_000 + random(9_000), name: pickWords(2), isOnline: random(2) === 1 },
      labels: Array.from({ length: random(4) }, () => WORDS[random(WORDS.length)]),
      dueAt: random(3) === 0 ? null : 1_790_000_000_000 + random(1_000_000_000),
    });
  }
  return board;
}
