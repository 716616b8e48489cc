// What the messages of the regions scenario carry: text of a size, or JSON as applications send it; pure.
import { makeBoard } from "../messages/payloads.mjs";

/** Of one kind, each different: a compressor must not find the same message again. */
const VARIETY = 256;

/** A card of the board that the message scenarios send: an object of some 300 bytes. */
function makeCard(number) {
  const { cards } = makeBoard(number);
  return { sequence: number, kind: "card:changed", card: cards[number % cards.length] };
}

export const PAYLOADS = {
  "json-300": { summary: "JSON, 300 B", make: makeCard },
  "json-7k": { summary: "JSON, 7 KB", make: makeBoard },
};

/** The texts of Socket.IO events, in the order in which they are sent. */
export function makeTexts(payload) {
  const render = PAYLOADS[payload]?.make;
  if (render === undefined) {
    return ["x".repeat(Number(payload))];
  }
  return Array.from({ length: VARIETY }, (_, number) => `2["said",${JSON.stringify(render(number + 1))}]`);
}
