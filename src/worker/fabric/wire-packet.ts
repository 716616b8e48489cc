/**
 * A packet in the form in which it goes to clients, encoded once however many get it: as a finished WebSocket frame for
 * those who take it as it is, as text made only when somebody needs text.
 */

import {
  type BroadcastPart,
  decodeWebSocketText,
  encodeWebSocketText,
  partTypes,
} from "../../protocol/broadcast-body.js";
import { type EngineConnection, isBusy, isUnobserved, type MessageOptions, writeGathered } from "./client-writes.js";
import type { EncodedPart } from "./parser-id.js";

export interface PacketFlags {
  readonly volatile?: boolean | undefined;
  readonly compress?: boolean | undefined;
}

/** Stands for a text that nobody looks at. Whoever does, by adding it to another, gets the text. */
class LazyText {
  readonly #frame: Buffer;
  #text: string | undefined;

  constructor(frame: Buffer) {
    this.#frame = frame;
  }

  toString(): string {
    this.#text ??= decodeWebSocketText(this.#frame);
    return this.#text;
  }
}

interface WireMessage {
  readonly text: LazyText | string | undefined;
  readonly bytes: Buffer | undefined;
  readonly options: MessageOptions;
}

export class WirePacket {
  readonly parts: readonly BroadcastPart[];
  readonly #messages: WireMessage[];
  readonly #isVolatile: boolean;

  private constructor(parts: readonly BroadcastPart[], messages: WireMessage[], isVolatile: boolean) {
    this.parts = parts;
    this.#messages = messages;
    this.#isVolatile = isVolatile;
  }

  /** From what the encoder of this server made. */
  static fromEncoded(encoded: readonly EncodedPart[], flags: PacketFlags): WirePacket {
    const parts: BroadcastPart[] = [];
    const messages: WireMessage[] = [];
    for (const data of encoded) {
      if (typeof data === "string") {
        const frame = encodeWebSocketText(data);
        parts.push({ type: partTypes.webSocketText, bytes: frame });
        messages.push({ text: data, bytes: undefined, options: createOptions(flags, frame) });
      } else {
        const bytes = toBuffer(data);
        parts.push({ type: partTypes.bytes, bytes });
        messages.push({ text: undefined, bytes, options: createOptions(flags, undefined) });
      }
    }
    return new WirePacket(parts, messages, flags.volatile === true);
  }

  /** From what another worker sent: nothing is parsed or encoded. */
  static fromParts(
    parts: readonly { readonly type: number; readonly bytes: Buffer }[],
    flags: PacketFlags,
  ): WirePacket {
    const messages = parts.map(({ type, bytes }): WireMessage => {
      const isText = type === partTypes.webSocketText;
      return {
        text: isText ? new LazyText(bytes) : undefined,
        bytes: isText ? undefined : bytes,
        options: createOptions(flags, isText ? bytes : undefined),
      };
    });
    return new WirePacket(parts, messages, flags.volatile === true);
  }

  /** Writes it to one client. */
  writeTo(connection: EngineConnection): void {
    if (this.#isVolatile && isBusy(connection)) return;
    for (const message of this.#messages) {
      if (message.bytes !== undefined) connection.write(message.bytes, message.options);
      else writeText(message, connection);
    }
  }

  /** Texts and bytes as a decoder wants them. */
  readEncoded(): (string | Buffer)[] {
    return this.#messages.map(({ text, bytes }) => bytes ?? String(text));
  }
}

/** The same memory as bytes, whatever the elements of the view are. */
function toBuffer(data: ArrayBufferView | ArrayBuffer): Buffer {
  if (data instanceof ArrayBuffer) return Buffer.from(data);
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

function createOptions({ volatile, compress }: PacketFlags, frame: Buffer | undefined): MessageOptions {
  const options: MessageOptions = { preEncoded: true, volatile, compress };
  // One buffer, where the stock adapter has two: one write instead of a gathered one.
  if (frame !== undefined) options.wsPreEncodedFrame = [frame];
  return options;
}

/** As a finished frame where that is taken as it is; as text for whoever may look at it: long-polling, compression, other engines, listeners. */
function writeText({ text, options }: WireMessage, connection: EngineConnection): void {
  const frame = options.wsPreEncodedFrame;
  const isWrittenThrough =
    frame !== undefined &&
    connection.transport._canSendPreEncodedFrame?.({ options }) === true &&
    isUnobserved(connection);
  if (!isWrittenThrough) connection.write(String(text), options);
  else if (!writeGathered(connection, frame)) connection.write(text, options);
}
