/** Certificates of an authority that a test has made, by OpenSSL. */

import { join } from "node:path";
import { runProgram } from "./cli-process.js";
import { findProgram } from "./prerequisite.js";

export const missingOpenssl = "openssl is not installed; it makes the certificates";
export const isOpensslMissing = findProgram("openssl") === undefined;

export interface Certificate {
  readonly certificatePath: string;
  readonly keyPath: string;
}

export class CertificateAuthority {
  readonly #directory: string;
  readonly #own: Certificate;

  private constructor(directory: string) {
    this.#directory = directory;
    this.#own = namePair(directory, "authority");
  }

  /** Its files are in that directory. */
  static async create(directory: string): Promise<CertificateAuthority> {
    const authority = new CertificateAuthority(directory);
    await make(authority.#own, "an authority of the tests", ["-addext", "basicConstraints=critical,CA:TRUE"]);
    return authority;
  }

  get certificatePath(): string {
    return this.#own.certificatePath;
  }

  /** For whoever goes by that name, as a server or as a client. */
  async issue(name: string): Promise<Certificate> {
    const pair = namePair(this.#directory, name);
    const signed = ["-CA", this.#own.certificatePath, "-CAkey", this.#own.keyPath];
    const extensions = ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", `subjectAltName=DNS:${name}`];
    await make(pair, name, [...signed, ...extensions]);
    return pair;
  }
}

function namePair(directory: string, name: string): Certificate {
  return { certificatePath: join(directory, `${name}.pem`), keyPath: join(directory, `${name}.key`) };
}

async function make(
  { certificatePath, keyPath }: Certificate,
  subject: string,
  more: readonly string[],
): Promise<void> {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const files = ["-keyout", keyPath, "-out", certificatePath];
  const args = ["req", "-x509", ...key, "-days", "2", "-subj", `/CN=${subject}`, ...more, ...files];
  const made = await runProgram("openssl", args);
  if (made.code !== 0) throw new Error(`openssl made no certificate:\n${made.stderr}`);
}
