/**
 * The two ends of a link's handshake as state machines: what comes goes in, what is to be said, or the verdict, comes out. The
 * dialler proves itself first: who only dials learns nothing that could be tried out against the secret. Pure.
 */

import { FrameError } from "../../protocol/frame.js";
import type { LinkClosure } from "../../protocol/link-closures.js";
import {
  acceptedLinkVersions,
  decodeLinkHandshake,
  encodeLinkHandshake,
  type LinkHandshakeMessage,
  type LinkIdentity,
  type LinkRole,
  linkVersion,
  readHelloVersion,
} from "../../protocol/link-handshake.js";

/** Signs with the first secret, and takes what any of them has signed, in time that does not tell where they differ. */
export interface LinkProver {
  sign(role: LinkRole, transcript: Buffer): Buffer;
  isProof(role: LinkRole, transcript: Buffer, mac: Buffer): boolean;
}

export type HandshakeStep =
  | { readonly type: "say"; readonly bytes: Buffer }
  /** Both know who the other is. What is to be said last, if anything, has to go out before anything else. */
  | { readonly type: "linked"; readonly peer: LinkIdentity; readonly bytes: Buffer | undefined }
  | { readonly type: "refuse"; readonly closure: LinkClosure; readonly reason: string };

type Introduction = Extract<LinkHandshakeMessage, { readonly type: "hello" | "challenge" }>;

const notProven = "it does not know the secret, or knows another: linkSecrets have to be the same in both regions";

/** Waits for the acceptor to say who it is, then for its proof. */
export class DiallerHandshake {
  readonly #hello: Buffer;
  readonly #region: string;
  readonly #prover: LinkProver;
  #challenge: { readonly peer: Introduction; readonly transcript: Buffer } | undefined;

  /** @param region which is dialled: nobody else is taken for it  @param nonce random */
  constructor(self: LinkIdentity, region: string, nonce: Buffer, prover: LinkProver) {
    this.#hello = encodeLinkHandshake({ type: "hello", version: linkVersion, ...self, nonce });
    this.#region = region;
    this.#prover = prover;
  }

  begin(): Buffer {
    return this.#hello;
  }

  take(bytes: Buffer): HandshakeStep {
    return refuseUnreadable(() => {
      const message = decodeLinkHandshake(bytes);
      if (this.#challenge === undefined && message.type === "challenge") return this.#takeChallenge(message, bytes);
      if (this.#challenge !== undefined && message.type === "welcome")
        return this.#takeWelcome(this.#challenge, message.mac);
      return refuse("badMessage", `${message.type} is not its turn to say`);
    });
  }

  #takeChallenge(message: Introduction, bytes: Buffer): HandshakeStep {
    if (!acceptedLinkVersions.includes(message.version)) return refuseVersion(message.version);
    if (message.region !== this.#region) {
      return refuse(
        "notExpected",
        `a host of region ${message.region} is where one of region ${this.#region} was looked for`,
      );
    }
    const transcript = Buffer.concat([this.#hello, bytes]);
    this.#challenge = { peer: message, transcript };
    return {
      type: "say",
      bytes: encodeLinkHandshake({ type: "proof", mac: this.#prover.sign("dialler", transcript) }),
    };
  }

  #takeWelcome({ peer, transcript }: { peer: Introduction; transcript: Buffer }, mac: Buffer): HandshakeStep {
    if (!this.#prover.isProof("acceptor", transcript, mac)) return refuse("notProven", notProven);
    return { type: "linked", peer: pickIdentity(peer), bytes: undefined };
  }
}

/** Waits for a hello, then for the dialler's proof. */
export class AcceptorHandshake {
  readonly #self: LinkIdentity;
  readonly #nonce: Buffer;
  readonly #prover: LinkProver;
  #hello: { readonly peer: Introduction; readonly transcript: Buffer } | undefined;

  /** @param nonce random: what was said in another handshake proves nothing in this one */
  constructor(self: LinkIdentity, nonce: Buffer, prover: LinkProver) {
    this.#self = self;
    this.#nonce = nonce;
    this.#prover = prover;
  }

  take(bytes: Buffer): HandshakeStep {
    return refuseUnreadable(() => {
      if (this.#hello === undefined) {
        const version = readHelloVersion(bytes);
        if (version !== undefined && !acceptedLinkVersions.includes(version)) return refuseVersion(version);
      }
      const message = decodeLinkHandshake(bytes);
      if (this.#hello === undefined && message.type === "hello") return this.#takeHello(message, bytes);
      if (this.#hello !== undefined && message.type === "proof") return this.#takeProof(this.#hello, message.mac);
      return refuse("badMessage", `${message.type} is not its turn to say`);
    });
  }

  #takeHello(message: Introduction, bytes: Buffer): HandshakeStep {
    const { region, hostKey } = this.#self;
    if (message.region === region) {
      return refuse(
        "notExpected",
        `it is of the region ${region}, too: regions are joined by links, hosts of one by Redis`,
      );
    }
    if (message.hostKey === hostKey) {
      return refuse(
        "notExpected",
        `it has the host key ${hostKey}, too: give each host its own with SIGNALBOX_HOST_KEY`,
      );
    }
    const challenge = encodeLinkHandshake({
      type: "challenge",
      version: linkVersion,
      ...this.#self,
      nonce: this.#nonce,
    });
    this.#hello = { peer: message, transcript: Buffer.concat([bytes, challenge]) };
    return { type: "say", bytes: challenge };
  }

  #takeProof({ peer, transcript }: { peer: Introduction; transcript: Buffer }, mac: Buffer): HandshakeStep {
    if (!this.#prover.isProof("dialler", transcript, mac)) return refuse("notProven", notProven);
    const bytes = encodeLinkHandshake({ type: "welcome", mac: this.#prover.sign("acceptor", transcript) });
    return { type: "linked", peer: pickIdentity(peer), bytes };
  }
}

function pickIdentity({ region, hostKey, incarnation }: Introduction): LinkIdentity {
  return { region, hostKey, incarnation };
}

function refuse(closure: LinkClosure, reason: string): HandshakeStep {
  return { type: "refuse", closure, reason };
}

function refuseVersion(version: number): HandshakeStep {
  const known = acceptedLinkVersions.join(", ");
  return refuse("unknownVersion", `version ${version} of links is not known here (known: ${known})`);
}

function refuseUnreadable(take: () => HandshakeStep): HandshakeStep {
  try {
    return take();
  } catch (error) {
    if (!(error instanceof FrameError)) throw error;
    return refuse("badMessage", error.message);
  }
}
