/** Makes PROXY protocol headers by hand. */

const signature = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");

/** A header of version 2; `block` is everything behind its 16 bytes. */
export function renderProxyBinary(parts: { command?: number; kind: number; block: Buffer }): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(parts.block.length);
  return Buffer.concat([signature, Buffer.from([parts.command ?? 0x21, parts.kind]), length, parts.block]);
}
